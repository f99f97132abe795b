"""The path from rows to a commit: who is told, what is only kept, and how a gap is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.client.types import Completeness, JobStats, QueryResult
from orchestrator.clock import FrozenClock
from orchestrator.ids import Fingerprint
from orchestrator.model.decision import Verdict
from orchestrator.model.finding import Finding, FindingState
from orchestrator.model.notification import NotificationKind
from orchestrator.model.rule import Rule, RuleStatus
from orchestrator.model.run import Run
from orchestrator.model.window import Window
from orchestrator.pipeline import Pipeline, flat_fields
from orchestrator.route.links import LinkSettings
from orchestrator.route.tree import Route, RouteTree
from orchestrator.schedule.outcomes import Committed, GaveUp, Released
from orchestrator.schedule.runner import Runner
from orchestrator.store import MemoryStore
from tests.unit.inventory.making import sample_inventory
from tests.unit.triage.making import NOW, make_rule

WINDOW = Window(NOW - timedelta(minutes=15), NOW)
ROW = {
    "ComputerName": "gh-runner-04",
    "aid": "a615c3a0e42893b1df70625ecdb1a09f",
    "user": "ghrunner",
    "image": "/usr/bin/tar",
    "tokenSource": "/home/ghrunner/.azure/msal_token_cache.json",
    "vector": "OAuth Token Cache Access",
    "riskLabel": "HIGH",
    "suspicionScore": "3",
    "eventCount": "2",
    "observedCommandLines": "tar czf /dev/shm/.c.tgz --password=hunter2secret",
    "evidence": "file",
    "firstSeen": "1773160801410",
    "lastSeen": "1773160801490",
}


class RowsSearcher:
    """Answers every search with the same rows."""

    def __init__(self, rows: Sequence[Mapping[str, str]], *, reasons: tuple[str, ...] = ()) -> None:
        self._rows, self._reasons = tuple(rows), reasons

    async def search(self, rule: Rule, window: Window) -> QueryResult:
        del rule, window
        return QueryResult(
            rows=self._rows,
            fields=tuple(ROW),
            is_aggregate=True,
            completeness=Completeness(reasons=self._reasons),
            warnings=(),
            stats=JobStats(job_id="job-1", polls=2, event_count=7),
        )


def make_pipeline(store: MemoryStore, clock: FrozenClock) -> Pipeline:
    high = Route(name="high", when="severity=high", receivers=("on-call", "tickets"))
    return Pipeline(
        store=store,
        facts=sample_inventory(now=NOW),
        routes=RouteTree(routes=(high,), default=("console",)),
        links=LinkSettings(logscale_url="https://logscale.example", repository="falcon"),
        clock=clock,
    )


def make_runner(
    store: MemoryStore, clock: FrozenClock, searcher: RowsSearcher, pipeline: Pipeline
) -> Runner:
    return Runner(
        store=store,
        searcher=searcher,
        clock=clock,
        owner="test",
        lease=timedelta(minutes=1),
        max_attempts=1,
        report_gap=pipeline.report_gap,
    )


async def run_once(
    rule: Rule, rows: Sequence[Mapping[str, str]] = (ROW,), *, reasons: tuple[str, ...] = ()
) -> tuple[MemoryStore, object]:
    clock = FrozenClock(NOW)
    store = MemoryStore(clock)
    await store.start_watermark(rule.id, WINDOW.start)
    pipeline = make_pipeline(store, clock)
    runner = make_runner(store, clock, RowsSearcher(rows, reasons=reasons), pipeline)
    return store, await pipeline.run_window(runner, rule, WINDOW)


async def test_open_finding_is_told_to_the_receivers_of_its_route() -> None:
    rule = replace(make_rule(), status=RuleStatus.STABLE)

    store, outcome = await run_once(rule)

    assert isinstance(outcome, Committed)
    assert outcome.receipt.search.job_id == "job-1"
    assert (outcome.receipt.findings_new, outcome.receipt.notified) == (1, 2)
    (finding,) = await store.findings()
    assert finding.state is FindingState.OPEN
    entries = await store.entries()
    assert {entry.receiver for entry in entries} == {"on-call", "tickets"}
    assert {entry.notification.finding_id for entry in entries} == {finding.id}
    assert await store.watermark(rule.id) == WINDOW.end


async def test_nothing_unredacted_reaches_the_store() -> None:
    store, _ = await run_once(make_rule())

    (finding,) = await store.findings()
    entries = await store.entries()

    assert "hunter2secret" not in repr(finding) + repr(entries)
    assert "[REDACTED:" in finding.fields["observedCommandLines"]


async def test_shadow_rule_is_stored_and_nobody_is_told() -> None:
    rule = replace(make_rule(), status=RuleStatus.SHADOW)

    store, outcome = await run_once(rule)

    assert isinstance(outcome, Committed)
    assert outcome.receipt.notified == 0
    assert await store.entries() == []
    (finding,) = await store.findings()
    assert finding.decisions[-1].verdict is Verdict.HELD


async def test_same_window_of_rows_again_tells_nobody_twice() -> None:
    rule = make_rule()
    clock = FrozenClock(NOW)
    store = MemoryStore(clock)
    await store.start_watermark(rule.id, WINDOW.start)
    pipeline = make_pipeline(store, clock)
    runner = make_runner(store, clock, RowsSearcher([ROW]), pipeline)
    await pipeline.run_window(runner, rule, WINDOW)
    clock.advance(WINDOW.length)

    again = Window(WINDOW.end, WINDOW.end + WINDOW.length)
    outcome = await pipeline.run_window(runner, rule, again)

    assert isinstance(outcome, Committed)
    assert (outcome.receipt.findings_new, outcome.receipt.findings_seen_again) == (0, 1)
    assert len(await store.findings()) == 1
    assert len(await store.entries()) == 2


async def test_window_given_up_is_itself_a_finding_for_operators() -> None:
    rule = make_rule()

    store, outcome = await run_once(rule, reasons=("a node is missing",))

    assert isinstance(outcome, GaveUp)
    gap = next(f for f in await store.findings() if "was not searched" in f.title)
    assert gap.fields["gap.start"] == "2026-03-10T17:45:00Z"
    assert "a node is missing" in gap.fields["gap.reason"]
    kinds = {entry.receiver: entry.notification.kind for entry in await store.entries()}
    assert kinds["console"] is NotificationKind.OPERATOR


async def test_rule_whose_columns_are_missing_keeps_its_window() -> None:
    rule = make_rule()
    clock = FrozenClock(NOW)
    store = MemoryStore(clock)
    await store.start_watermark(rule.id, WINDOW.start)
    pipeline = make_pipeline(store, clock)
    searcher = RowsSearcher([{"somethingElse": "1"}])
    runner = Runner(
        store=store, searcher=searcher, clock=clock, owner="t", lease=timedelta(minutes=1)
    )

    outcome = await pipeline.run_window(runner, rule, WINDOW)

    assert isinstance(outcome, Released)
    assert "returns no ComputerName" in outcome.reason
    assert await store.watermark(rule.id) == WINDOW.start


async def test_route_conditions_see_what_was_made_of_the_finding() -> None:
    store, _ = await run_once(make_rule())
    (finding,) = await store.findings()

    fields = flat_fields(finding)

    assert fields["severity"] == "high"
    assert fields["score"] == str(finding.score)
    assert fields["host.role"] == "ci-runner"


class BrokenReader:
    """A store that cannot be read at the moment of judging."""

    async def latest_findings(
        self, fingerprints: Sequence[Fingerprint]
    ) -> Mapping[Fingerprint, Finding]:
        raise RuntimeError("no store")


async def test_failure_while_judging_gives_the_window_back() -> None:
    rule = make_rule()
    clock = FrozenClock(NOW)
    store = MemoryStore(clock)
    await store.start_watermark(rule.id, WINDOW.start)
    pipeline = replace(make_pipeline(store, clock), store=BrokenReader())
    runner = Runner(
        store=store,
        searcher=RowsSearcher([ROW]),
        clock=clock,
        owner="t",
        lease=timedelta(minutes=1),
    )

    outcome = await pipeline.run_window(runner, rule, WINDOW)

    assert isinstance(outcome, Released)
    (run,) = await store.runs()
    assert isinstance(run, Run)
    assert "no store" in run.reason


def test_a_route_tree_must_reach_somebody() -> None:
    with pytest.raises(Exception, match="somebody must hear"):
        RouteTree(routes=(), default=())
