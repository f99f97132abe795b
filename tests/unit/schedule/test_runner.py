from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from orchestrator.client.types import QueryResult
from orchestrator.clock import FrozenClock
from orchestrator.errors import (
    ConnectionFailed,
    CqlSemanticError,
    Forbidden,
    GraphqlError,
    NotFound,
    QueryIncomplete,
    QueryJobExpired,
    QueryRejected,
    RateLimited,
    RequestTimedOut,
    ServerFailed,
    StoreConflict,
    StoreFull,
    Unauthorized,
    UnexpectedResponse,
)
from orchestrator.model.run import Receipt, Run, RunState, SearchStats
from orchestrator.model.window import Window
from orchestrator.schedule.outcomes import (
    Cause,
    Committed,
    Fenced,
    GaveUp,
    NotClaimed,
    Released,
    RetryPolicy,
    StoreFailed,
)
from orchestrator.schedule.ports import Commit, GapReport, RunStore, Searcher
from orchestrator.schedule.runner import Runner, RunOutcome
from orchestrator.store import MemoryStore
from tests.unit.schedule.making import FIRST, NOON, ScriptedSearcher, make_result, make_rule
from tests.unit.store.making import make_entry, make_finding

RULE = make_rule()
LEASE = timedelta(minutes=1)
RECEIPT = Receipt(search=SearchStats(job_id="P1-a", rows=1), findings_new=1)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOON + timedelta(minutes=10))


@pytest.fixture
def store(clock: FrozenClock) -> MemoryStore:
    return MemoryStore(clock)


def make_runner(
    store: RunStore,
    searcher: Searcher,
    clock: FrozenClock,
    *,
    lease: timedelta = LEASE,
    policy: RetryPolicy | None = None,
    report_gap: GapReport | None = None,
) -> Runner:
    return Runner(
        store=store,
        searcher=searcher,
        clock=clock,
        owner="a",
        lease=lease,
        policy=policy,
        report_gap=report_gap,
    )


async def one_finding(run: Run, result: QueryResult, /) -> Commit:
    finding = make_finding(str(result.rows[0]["ComputerName"]), run_id=run.id)
    return Commit(findings=[finding], entries=[make_entry(finding)], receipt=RECEIPT)


async def report(rule: object, run: Run, reason: str, /) -> Commit:
    finding = make_finding("gap", title=reason)
    return Commit(findings=[finding], entries=[make_entry(finding, "operators")])


async def run_once(
    store: RunStore, clock: FrozenClock, *script: QueryResult | Exception | Callable[[], object]
) -> RunOutcome:
    runner = make_runner(store, ScriptedSearcher(*script), clock, report_gap=report)
    return await runner.run_window(RULE, FIRST, process=one_finding)


async def test_run_window_commits_what_was_judged(store: MemoryStore, clock: FrozenClock) -> None:
    outcome = await run_once(store, clock, make_result())

    assert isinstance(outcome, Committed)
    assert outcome.moves_on
    assert outcome.receipt == RECEIPT
    assert await store.watermark(RULE.id) == FIRST.end
    assert [finding.title for finding in await store.findings()] == ["token read on ci-1"]
    assert len(await store.entries()) == 1


async def test_run_window_searches_the_window_that_it_claimed(
    store: MemoryStore, clock: FrozenClock
) -> None:
    searcher = ScriptedSearcher(make_result())
    await make_runner(store, searcher, clock).run_window(RULE, FIRST, process=one_finding)

    assert searcher.asked == [FIRST]


async def test_run_window_held_by_another_is_not_claimed(
    store: MemoryStore, clock: FrozenClock
) -> None:
    await store.claim(RULE.id, FIRST, rule_version="v", owner="b", lease=LEASE)
    searcher = ScriptedSearcher(make_result())

    outcome = await make_runner(store, searcher, clock).run_window(RULE, FIRST, process=one_finding)

    assert outcome == NotClaimed()
    assert not outcome.moves_on
    assert searcher.asked == []


@pytest.mark.parametrize(
    ("error", "cause", "wait"),
    [
        (ConnectionFailed("refused", sent=False), Cause.UNREACHABLE, timedelta(minutes=1.25)),
        (RequestTimedOut("no answer"), Cause.UNREACHABLE, timedelta(minutes=1.25)),
        (ServerFailed("down", status=503), Cause.UNREACHABLE, timedelta(minutes=1.25)),
        (RateLimited("slow down"), Cause.UNREACHABLE, timedelta(minutes=1.25)),
        (
            RateLimited("slow down", retry_after=timedelta(minutes=4)),
            Cause.UNREACHABLE,
            timedelta(minutes=4),
        ),
        (
            RateLimited("slow down", retry_after=timedelta(days=1)),
            Cause.UNREACHABLE,
            timedelta(minutes=15),
        ),
        (Unauthorized("who?"), Cause.UNAUTHORIZED, timedelta(minutes=15)),
        (Forbidden("no"), Cause.UNAUTHORIZED, timedelta(minutes=15)),
        (NotFound("no such repository"), Cause.MISCONFIGURED, timedelta(minutes=15)),
        (UnexpectedResponse("a login page"), Cause.MISCONFIGURED, timedelta(minutes=15)),
        (GraphqlError("no"), Cause.MISCONFIGURED, timedelta(minutes=15)),
        (QueryRejected("line 1"), Cause.REJECTED, timedelta(minutes=15)),
        (QueryJobExpired("gone"), Cause.JOB_LOST, timedelta(seconds=30)),
        (QueryIncomplete(("cancelled",)), Cause.INCOMPLETE, timedelta(seconds=30)),
    ],
    ids=lambda value: value.__class__.__name__ if isinstance(value, Exception) else None,
)
async def test_run_window_with_a_failed_search_gives_the_window_back(
    store: MemoryStore, clock: FrozenClock, error: Exception, cause: Cause, wait: timedelta
) -> None:
    outcome = await run_once(store, clock, error)

    [run] = await store.runs()
    assert isinstance(outcome, Released)
    assert not outcome.moves_on
    assert (outcome.cause, outcome.retry_at) == (cause, clock.now() + wait)
    assert run.state is RunState.DUE
    assert run.reason == f"{cause}: {error}"
    assert await store.watermark(RULE.id) == FIRST.start
    assert await store.findings() == []


async def test_run_window_with_an_incomplete_result_is_retried_with_doubling_waits(
    store: MemoryStore, clock: FrozenClock
) -> None:
    waits = []
    for _ in range(7):
        outcome = await run_once(store, clock, make_result("a host was down"))
        assert isinstance(outcome, Released)
        assert outcome.reason == "the result is incomplete: a host was down"
        waits.append((outcome.retry_at - clock.now()).total_seconds())
        clock.move_to(outcome.retry_at)

    assert waits == [30, 60, 120, 240, 480, 900, 900]


async def test_run_window_incomplete_to_the_last_attempt_is_a_reported_gap(
    store: MemoryStore, clock: FrozenClock
) -> None:
    runner = make_runner(
        store,
        ScriptedSearcher(make_result("cut at the limit")),
        clock,
        policy=RetryPolicy(max_attempts=2),
        report_gap=report,
    )
    first = await runner.run_window(RULE, FIRST, process=one_finding)
    assert isinstance(first, Released)
    clock.move_to(first.retry_at)

    outcome = await runner.run_window(RULE, FIRST, process=one_finding)

    reason = "the result is incomplete: cut at the limit (attempt 2)"
    [run] = await store.runs()
    assert isinstance(outcome, GaveUp)
    assert outcome.moves_on
    assert outcome.reason == reason
    assert (run.state, run.reason) == (RunState.GAP, reason)
    assert await store.watermark(RULE.id) == FIRST.end
    # The rows that did come are reported, and so is the gap.
    assert {finding.title for finding in await store.findings()} == {reason, "token read on ci-1"}
    assert {entry.receiver for entry in await store.entries()} == {"slack", "operators"}


async def test_run_window_in_a_long_outage_never_becomes_a_gap(
    store: MemoryStore, clock: FrozenClock
) -> None:
    """The events are still there when the server is back: nothing is lost by waiting."""
    end = clock.now() + timedelta(hours=24)
    while clock.now() < end:
        outcome = await run_once(store, clock, ConnectionFailed("refused", sent=False))
        assert isinstance(outcome, Released)
        assert outcome.retry_at - clock.now() <= timedelta(minutes=5)
        clock.move_to(outcome.retry_at)

    assert isinstance(await run_once(store, clock, make_result()), Committed)


async def test_run_window_whose_attempts_all_crashed_is_quarantined(
    store: MemoryStore, clock: FrozenClock
) -> None:
    for _ in range(3):
        await store.claim(RULE.id, FIRST, rule_version="v", owner="crashes", lease=LEASE)
        clock.advance(LEASE)
    searcher = ScriptedSearcher(make_result())
    runner = make_runner(
        store, searcher, clock, policy=RetryPolicy(max_attempts=3), report_gap=report
    )

    outcome = await runner.run_window(RULE, FIRST, process=one_finding)

    assert isinstance(outcome, GaveUp)
    assert "ended with the process" in outcome.reason
    assert searcher.asked == []


async def test_run_window_beyond_the_horizon_is_a_gap_unsearched(
    store: MemoryStore, clock: FrozenClock
) -> None:
    clock.advance(timedelta(days=8))
    searcher = ScriptedSearcher(make_result())
    policy = RetryPolicy(horizon=timedelta(days=7))

    outcome = await make_runner(store, searcher, clock, policy=policy).run_window(
        RULE, FIRST, process=one_finding
    )

    assert isinstance(outcome, GaveUp)
    assert outcome.reason.startswith("older than 7d")
    assert searcher.asked == []


async def test_run_window_taken_over_during_the_search_is_fenced(
    store: MemoryStore, clock: FrozenClock
) -> None:
    async def take_over() -> None:
        clock.advance(LEASE)
        await store.claim(RULE.id, FIRST, rule_version="v", owner="b", lease=LEASE)

    async def judge_late(run: Run, result: QueryResult, /) -> Commit:
        await take_over()
        return await one_finding(run, result)

    runner = make_runner(store, ScriptedSearcher(make_result()), clock)

    outcome = await runner.run_window(RULE, FIRST, process=judge_late)

    assert isinstance(outcome, Fenced)
    assert not outcome.moves_on
    assert await store.findings() == []
    assert [run.owner for run in await store.runs()] == ["b"]


class ConflictingStore(MemoryStore):
    """Refuses the first commits or gaps, as if someone changed a finding each time."""

    def __init__(self, clock: FrozenClock, *, conflicts: int) -> None:
        super().__init__(clock)
        self.conflicts = conflicts

    def _finish(self, *args: object, **kwargs: object) -> None:
        if self.conflicts:
            self.conflicts -= 1
            raise StoreConflict("the finding changed")
        super()._finish(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came


async def test_run_window_with_one_conflict_is_judged_again(clock: FrozenClock) -> None:
    store = ConflictingStore(clock, conflicts=1)
    judged: list[Run] = []

    async def judge(run: Run, result: QueryResult, /) -> Commit:
        judged.append(run)
        return await one_finding(run, result)

    outcome = await make_runner(store, ScriptedSearcher(make_result()), clock).run_window(
        RULE, FIRST, process=judge
    )

    assert isinstance(outcome, Committed)
    assert len(judged) == 2


async def test_run_window_with_two_conflicts_is_given_back(clock: FrozenClock) -> None:
    outcome = await run_once(ConflictingStore(clock, conflicts=2), clock, make_result())

    assert isinstance(outcome, Released)
    assert outcome.cause is Cause.CONFLICT


async def test_run_window_gap_with_a_conflict_is_recorded_without_the_remains(
    clock: FrozenClock,
) -> None:
    store = ConflictingStore(clock, conflicts=1)
    runner = make_runner(
        store,
        ScriptedSearcher(make_result("cut")),
        clock,
        policy=RetryPolicy(max_attempts=1),
        report_gap=report,
    )

    outcome = await runner.run_window(RULE, FIRST, process=one_finding)

    assert isinstance(outcome, GaveUp)
    assert [entry.receiver for entry in await store.entries()] == ["operators"]


@pytest.mark.parametrize("error", [CqlSemanticError("no such field"), KeyError("vector")])
async def test_run_window_whose_judging_fails_is_given_back_with_the_reason(
    store: MemoryStore, clock: FrozenClock, error: Exception
) -> None:
    async def judge(run: Run, result: QueryResult, /) -> Commit:
        raise error

    outcome = await make_runner(store, ScriptedSearcher(make_result()), clock).run_window(
        RULE, FIRST, process=judge
    )

    assert isinstance(outcome, Released)
    assert outcome.cause is Cause.JUDGING_FAILED
    assert outcome.reason == f"{type(error).__name__}: {error}"


async def test_run_window_whose_judging_always_fails_is_a_gap(
    store: MemoryStore, clock: FrozenClock
) -> None:
    async def judge(run: Run, result: QueryResult, /) -> Commit:
        raise KeyError("vector")

    runner = make_runner(
        store,
        ScriptedSearcher(make_result()),
        clock,
        policy=RetryPolicy(max_attempts=1),
        report_gap=report,
    )

    outcome = await runner.run_window(RULE, FIRST, process=judge)

    assert isinstance(outcome, GaveUp)
    assert outcome.reason == "judging-failed: KeyError: 'vector' (attempt 1)"


class FullStore(MemoryStore):
    """A disk that is full for commits, or already for claims."""

    def __init__(self, clock: FrozenClock, *, at_claim: bool) -> None:
        super().__init__(clock)
        self.at_claim = at_claim

    async def claim(
        self,
        rule_id: object,
        window: Window,
        *,
        rule_version: str,
        owner: str,
        lease: timedelta,
    ) -> Run | None:
        if self.at_claim:
            raise StoreFull("the disk is full")
        return await super().claim(
            RULE.id, window, rule_version=rule_version, owner=owner, lease=lease
        )

    def _finish(self, *args: object, **kwargs: object) -> None:
        raise StoreFull("the disk is full")


@pytest.mark.parametrize("at_claim", [True, False])
async def test_run_window_on_a_full_disk_is_a_named_outcome(
    clock: FrozenClock, at_claim: bool
) -> None:
    outcome = await run_once(FullStore(clock, at_claim=at_claim), clock, make_result())

    assert outcome == StoreFailed("the disk is full")
    assert not outcome.moves_on


class CountingStore(MemoryStore):
    """Counts renewals, and lets a test act at the n-th."""

    def __init__(self, clock: FrozenClock, *, at: int, act: Callable[[], object]) -> None:
        super().__init__(clock)
        self.renewals, self._at, self._act = 0, at, act

    async def renew(self, run: Run, *, lease: timedelta) -> Run:
        self.renewals += 1
        if self.renewals >= self._at:
            self._act()
        return await super().renew(run, lease=lease)


class WaitingSearcher:
    """Searches until it is let go, and notes whether it was cancelled."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.started = asyncio.Event()
        self.cancelled = False

    async def search(self, rule: object, window: Window) -> QueryResult:
        self.started.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return make_result()


SHORT = timedelta(milliseconds=9)


async def test_run_window_renews_its_lease_while_it_searches(clock: FrozenClock) -> None:
    searcher = WaitingSearcher()
    store = CountingStore(clock, at=3, act=searcher.go.set)

    outcome = await make_runner(store, searcher, clock, lease=SHORT).run_window(
        RULE, FIRST, process=one_finding
    )

    assert isinstance(outcome, Committed)
    assert store.renewals >= 3


async def test_run_window_whose_lease_is_lost_stops_the_search(clock: FrozenClock) -> None:
    searcher = WaitingSearcher()

    def steal() -> None:
        robbed._runs.clear()

    robbed = CountingStore(clock, at=2, act=steal)

    outcome = await make_runner(robbed, searcher, clock, lease=SHORT).run_window(
        RULE, FIRST, process=one_finding
    )

    assert isinstance(outcome, Fenced)
    assert searcher.cancelled


async def test_run_window_that_cannot_renew_twice_stops_the_search(clock: FrozenClock) -> None:
    searcher = WaitingSearcher()

    def fail() -> None:
        raise StoreFull("the disk is full")

    store = CountingStore(clock, at=1, act=fail)

    outcome = await make_runner(store, searcher, clock, lease=SHORT).run_window(
        RULE, FIRST, process=one_finding
    )

    assert outcome == StoreFailed("the disk is full")
    assert store.renewals == 2
    assert searcher.cancelled


async def test_run_window_survives_renewals_that_fail_now_and_then(clock: FrozenClock) -> None:
    searcher = WaitingSearcher()

    def fail_every_other() -> None:
        if flaky.renewals >= 6:
            searcher.go.set()
        if flaky.renewals % 2:
            raise StoreFull("the disk is full")

    flaky = CountingStore(clock, at=1, act=fail_every_other)

    outcome = await make_runner(flaky, searcher, clock, lease=SHORT).run_window(
        RULE, FIRST, process=one_finding
    )

    assert isinstance(outcome, Committed)


async def test_run_window_cancelled_gives_the_window_back_at_once(
    store: MemoryStore, clock: FrozenClock
) -> None:
    searcher = WaitingSearcher()
    task = asyncio.create_task(
        make_runner(store, searcher, clock).run_window(RULE, FIRST, process=one_finding)
    )
    await searcher.started.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    assert searcher.cancelled
    again = await store.claim(RULE.id, FIRST, rule_version="v", owner="b", lease=LEASE)
    assert again is not None
    assert again.attempt == 1


def test_policy_of_max_attempts_is_the_short_form(store: MemoryStore, clock: FrozenClock) -> None:
    runner = Runner(
        store=store,
        searcher=ScriptedSearcher(make_result()),
        clock=clock,
        owner="a",
        lease=LEASE,
        max_attempts=4,
    )

    assert runner._policy == RetryPolicy(max_attempts=4)


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (NotClaimed(), "not claimed: held by another process, or its next try is not due yet"),
        (StoreFailed("full"), "store failed: full"),
    ],
)
def test_outcome_says_in_words_what_it_is(outcome: RunOutcome, text: str) -> None:
    assert str(outcome) == text
