"""The service killed between every two steps of a finding's path, and started again.

Whatever it was doing: each finding is stored once, each message arrives once, each hour is searched
once, and the second start waits for no lease of the first.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.killpoints import POINTS
from orchestrator.model.finding import FindingState
from orchestrator.model.notification import DeliveryState, OutboxEntry
from orchestrator.model.run import RunState
from orchestrator.sandbox.receivers import Fault
from tests.e2e.stage import REPO, RULE_ID, Bench, Sandbox, make_bench, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def benches(sandbox: Sandbox, tmp_path: Path) -> list[Bench]:
    """Two of them, whose processes run side by side: most of the time goes into starting them."""
    return [make_bench(tmp_path / name, sandbox) for name in ("first", "second")]


@pytest.mark.parametrize("point", POINTS)
async def test_service_killed_anywhere_tells_everything_once(
    benches: list[Bench], point: str
) -> None:
    """At the first pass of the point, and at the second."""
    for bench in benches:
        await bench.begin()

    killed = await asyncio.gather(
        *(bench.run(kill_at=f"{point}:{count}") for count, bench in enumerate(benches, start=1))
    )
    again = [await bench.invoke("run", "--repo", REPO) for bench in benches]

    assert [done.was_killed for done in killed] == [True, True], killed
    assert [done.code for done in again] == [0, 0], again
    for bench in benches:
        await assert_everything_once(bench)


async def test_service_killed_twice_in_a_row_tells_everything_once(bench: Bench) -> None:
    """The second crash meets what the first one left, at the steps where most is at stake."""
    await bench.begin()

    codes = [
        (await bench.run(kill_at=kill_at)).was_killed
        for kill_at in ("after-send:1", "after-send:1", "after-outbox-claim:1")
    ]
    again = await bench.invoke("run", "--repo", REPO)

    assert codes == [True, True, True]
    assert again.code == 0, again.err
    await assert_everything_once(bench)


async def test_message_whose_answer_was_lost_in_slack_is_found_again(bench: Bench) -> None:
    await bench.begin()
    bench.slack.faults.append(Fault(after_storing=True, delay_seconds=5, path="chat.postMessage"))

    async with bench.started("run", "--repo", REPO) as process:
        await until(lambda: bool(bench.slack.store), process=process)
        process.kill()
    again = await bench.invoke("run", "--repo", REPO)

    assert again.code == 0, again.err
    assert ("GET", "/conversations.history") in bench.slack.requests
    await assert_everything_once(bench)


async def test_issue_whose_answer_was_lost_in_jira_is_found_again(bench: Bench) -> None:
    await bench.begin()
    bench.jira.faults.append(Fault(after_storing=True, delay_seconds=5, path="/issue"))

    async with bench.started("run", "--repo", REPO) as process:
        await until(lambda: bool(bench.jira.store), process=process)
        process.kill()
    again = await bench.invoke("run", "--repo", REPO)

    assert again.code == 0, again.err
    assert ("POST", "/rest/api/3/search/jql") in bench.jira.requests
    await assert_everything_once(bench)


async def assert_everything_once(bench: Bench) -> None:
    """Check store, Slack and Jira against what the three hours hold."""
    async with bench.store() as store:
        findings = await store.findings()
        runs = sorted(await store.runs(), key=lambda run: run.window.start)
        entries = await store.entries()
        watermark = await store.watermark(RULE_ID)
        problems = await store.check()

    assert problems == []
    states = sorted((finding.state, finding.revision) for finding in findings)
    assert states == [
        (FindingState.OPEN, 1),
        (FindingState.OPEN, 2),
        (FindingState.SUPPRESSED, 1),
    ]
    assert runs[0].window.start == bench.sandbox.start
    assert all(one.window.end == two.window.start for one, two in pairwise(runs))
    assert runs[-1].window.end == watermark
    assert {run.state for run in runs} == {RunState.DONE}
    assert {entry.state for entry in entries} == {DeliveryState.SENT}
    _assert_slack_once(bench, [entry for entry in entries if entry.receiver == "on-call"])
    _assert_jira_once(bench, [entry for entry in entries if entry.receiver == "tickets"])


def _assert_slack_once(bench: Bench, entries: list[OutboxEntry]) -> None:
    assert bench.slack.violations == []
    told = [message["metadata"]["event_payload"]["entry_id"] for message in bench.slack.store]
    assert sorted(told) == sorted(entry.id for entry in entries)
    assert (len(told), len(bench.slack.parents())) == (3, 2)


def _assert_jira_once(bench: Bench, entries: list[OutboxEntry]) -> None:
    assert bench.jira.violations == []
    issues = list(bench.jira.store.values())
    labels = [
        label
        for issue in issues
        for label in issue["fields"]["labels"]
        if label.startswith("orchestrator-")
    ]
    assert sorted(labels) == sorted(
        {f"orchestrator-{entry.notification.finding_id}" for entry in entries}
    )
    assert sorted(len(issue["comments"]) for issue in issues) == [0, 1]
