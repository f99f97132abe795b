"""`orchestrator serve` as a process: it works by itself, stops when told, and is alone."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.model.run import RunState
from orchestrator.sandbox.faults.kinds import Fault, FaultKind
from tests.e2e.stage import REPO, RULE_ID, Bench, ended, rows, until
from tests.e2e.test_crash import assert_everything_once

pytestmark = pytest.mark.asyncio(loop_scope="session")

STOP_WITHIN_S = 10.0
POLLS = f"GET /api/v1/repositories/{REPO}/queryjobs/*"


async def test_service_runs_what_is_due_and_ends_on_sigterm(bench: Bench) -> None:
    await bench.begin()

    async with bench.started("serve", "--repo", REPO) as process:
        await until(lambda: len(bench.slack.store) == 3 and _comments(bench) == 1, process=process)
        beside = await bench.invoke("runs", "list", "--format", "json")
        process.terminate()
        done = await ended(process, within_s=STOP_WITHIN_S)

    assert done.code == 0, done.err
    assert [row["state"] for row in rows(beside)][-3:] == ["done"] * 3
    assert "service-started" in done.err
    assert "service-stopped" in done.err
    await assert_everything_once(bench)


async def test_service_told_to_stop_in_a_slow_search_gives_its_window_back(bench: Bench) -> None:
    """The next start goes on at once: it waits for neither a lease nor a retry."""
    bench.edit(bench.config, 'tick = "200ms"', 'tick = "200ms"\ndrain = "300ms"')
    await bench.begin()
    many = 1_000_000
    bench.sandbox.faults.set(POLLS, [Fault(kind=FaultKind.SLOW, count=many)])

    async with bench.started("serve", "--repo", REPO) as process:
        await until(lambda: bench.sandbox.faults.pending()[POLLS][0].count < many, process=process)
        process.terminate()
        stopped = await ended(process, within_s=STOP_WITHIN_S)
    async with bench.store() as store:
        (left,) = await store.runs()
        watermark = await store.watermark(RULE_ID)
    bench.sandbox.faults.clear()
    again = await bench.invoke("run", "--repo", REPO)

    assert stopped.code == 0, stopped.err
    assert (left.state, left.reason) == (RunState.DUE, "the process was stopped")
    assert watermark == bench.sandbox.start
    assert again.code == 0, again.err
    await assert_everything_once(bench)


async def test_second_service_on_one_database_is_refused_by_name(bench: Bench) -> None:
    async with bench.started("serve", "--repo", REPO) as process:
        await said(process, "service-started")
        async with bench.started("serve", "--repo", REPO) as late:
            second = await ended(late)
        process.terminate()
        first = await ended(process, within_s=STOP_WITHIN_S)

    assert second.code == 7
    assert f"{bench.database}: process {process.pid} holds this database" in second.err
    assert "Stop it, or give this one another store.url" in second.err
    assert first.code == 0, first.err


async def said(process: asyncio.subprocess.Process, word: str) -> None:
    """Wait until a process logged `word`: from then on it knows what to do with SIGTERM."""
    assert process.stderr is not None
    async with asyncio.timeout(STOP_WITHIN_S):
        await process.stderr.readuntil(word.encode())


def _comments(bench: Bench) -> int:
    return sum(len(issue["comments"]) for issue in bench.jira.store.values())
