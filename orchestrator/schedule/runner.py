"""One run: claim, search, classify the outcome, have it judged, commit.

The order of things is the promise. Nothing is told before it is committed, the watermark moves
only in the commit, and whoever lost the lease writes nothing. Every way out is a named outcome,
and none but the two that moved the watermark lets the rule's next window run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from orchestrator import killpoints
from orchestrator.client.types import QueryResult
from orchestrator.clock import Clock
from orchestrator.errors import ClientError, LeaseLost, StoreConflict, StoreError
from orchestrator.model.rule import Rule
from orchestrator.model.run import Run
from orchestrator.model.window import Window
from orchestrator.schedule.outcomes import (
    Cause,
    Committed,
    Fenced,
    GaveUp,
    NotClaimed,
    Released,
    RetryPolicy,
    RunOutcome,
    StoreFailed,
    asked_wait,
    cause_of,
)
from orchestrator.schedule.ports import Commit, GapReport, Process, RunStore, Searcher
from orchestrator.units import format_duration

__all__ = ["Commit", "RunOutcome", "Runner"]

T = TypeVar("T")

_RENEWALS_PER_LEASE = 3
_FAILED_RENEWALS = 2
"""After so many in a row the work is stopped: it could not be committed any more."""


class Runner:
    """Runs windows, any number side by side; those of one rule one after the other.

    Args:
        owner: Who claims: host, process and a random part.
        lease: How long a crashed run blocks its window; renewed each third of it.
        max_attempts: Counted attempts before a gap; short for a policy that differs only there.
        policy: Waits and limits.
        report_gap: Makes the finding that tells operators of a gap, and does not raise; None stores
            the gap alone.
    """

    def __init__(
        self,
        *,
        store: RunStore,
        searcher: Searcher,
        clock: Clock,
        owner: str,
        lease: timedelta,
        max_attempts: int | None = None,
        policy: RetryPolicy | None = None,
        report_gap: GapReport | None = None,
    ) -> None:
        self._store, self._searcher, self._clock = store, searcher, clock
        self._owner, self._lease, self._report_gap = owner, lease, report_gap
        if policy is None:
            policy = (
                RetryPolicy() if max_attempts is None else RetryPolicy(max_attempts=max_attempts)
            )
        self._policy = policy

    async def run_window(self, rule: Rule, window: Window, *, process: Process) -> RunOutcome:
        """Run one window to its outcome; only cancellation comes out as an exception.

        Args:
            rule: What to search for.
            window: Which span it answers for; must start at the rule's watermark.
            process: Judges the rows. Called at most twice, the second time if the findings it
                built on were changed by someone else before the commit.
        """
        try:
            run = await self._store.claim(
                rule.id, window, rule_version=rule.version, owner=self._owner, lease=self._lease
            )
        except StoreError as exc:
            return StoreFailed(str(exc))
        if run is None:
            return NotClaimed()
        killpoints.reach("after-claim")
        try:
            return await self._settle(rule, run, process)
        except LeaseLost:
            return Fenced(run)
        except StoreError as exc:
            return StoreFailed(str(exc))
        except asyncio.CancelledError:
            await self._hand_back(run)
            raise

    async def _settle(self, rule: Rule, run: Run, process: Process) -> RunOutcome:
        """Make an attempt, and of every failure but the store's a state of the run."""
        try:
            return await self._attempt(rule, run, process)
        except ClientError as exc:
            return await self._fail(
                rule, run, cause=cause_of(exc), reason=str(exc), asked=asked_wait(exc)
            )
        except StoreConflict as exc:
            return await self._fail(rule, run, cause=Cause.CONFLICT, reason=str(exc))
        except StoreError:
            raise
        except Exception as exc:  # noqa: BLE001
            # The outer edge of one window's work: a rule that breaks the judging must neither stop
            # the others nor vanish. The failure becomes the run's state, and a gap in the end.
            reason = f"{type(exc).__name__}: {exc}"
            return await self._fail(rule, run, cause=Cause.JUDGING_FAILED, reason=reason)

    async def _attempt(self, rule: Rule, run: Run, process: Process) -> RunOutcome:
        too_late = self._too_late(run)
        if too_late:
            return await self._give_up(rule, run, reason=too_late, rest=None)
        result = await self._while_renewing(run, self._searcher.search(rule, run.window))
        killpoints.reach("after-search")
        if not result.completeness.is_complete:
            return await self._fail_incomplete(rule, run, result, process)
        return await self._judge_and_commit(run, result, process)

    async def _judge_and_commit(
        self, run: Run, result: QueryResult, process: Process
    ) -> RunOutcome:
        """Judge and commit; once more from what is stored now if that changed in between."""
        for is_last in (False, True):
            commit = await self._while_renewing(run, process(run, result))
            killpoints.reach("before-commit")
            try:
                await self._store.commit(
                    run,
                    findings=commit.findings,
                    entries=commit.entries,
                    receipt=commit.receipt,
                )
            except StoreConflict:
                if is_last:
                    raise
                continue
            killpoints.reach("after-commit")
            return Committed(run, commit.receipt)
        raise AssertionError("the last pass returns or raises")

    async def _fail_incomplete(
        self, rule: Rule, run: Run, result: QueryResult, process: Process
    ) -> RunOutcome:
        reason = "the result is incomplete: " + "; ".join(result.completeness.reasons)
        if run.attempt < self._policy.max_attempts:
            return await self._fail(rule, run, cause=Cause.INCOMPLETE, reason=reason)
        # The last word on this window: what did come is reported, beside the gap.
        try:
            rest = await self._while_renewing(run, process(run, result))
        except StoreError:
            raise
        except Exception as exc:  # noqa: BLE001
            # As above: the gap must be recorded even if its remains cannot be judged.
            rest, reason = None, f"{reason}; judging what came failed: {type(exc).__name__}: {exc}"
        return await self._give_up(rule, run, reason=reason, rest=rest)

    async def _fail(
        self,
        rule: Rule,
        run: Run,
        *,
        cause: Cause,
        reason: str,
        asked: timedelta | None = None,
    ) -> RunOutcome:
        """Give the window back to be retried, or up where its counted attempts are used."""
        if cause.counts and run.attempt >= self._policy.max_attempts:
            return await self._give_up(rule, run, reason=f"{cause}: {reason}", rest=None)
        now = self._clock.now()
        retry_at = now + self._policy.wait(cause, run=run, now=now, asked=asked)
        text = f"{cause}: {reason}"
        await self._store.release(run, reason=text, retry_at=retry_at, count_attempt=cause.counts)
        return Released(run, cause, reason, retry_at)

    async def _give_up(
        self, rule: Rule, run: Run, *, reason: str, rest: Commit | None
    ) -> RunOutcome:
        """Record the gap with the finding that reports it, and with `rest`, what came anyway."""
        reason = f"{reason} (attempt {run.attempt})"
        parts = [] if rest is None else [rest]
        for is_last in (False, True):
            report = [] if self._report_gap is None else [await self._report_gap(rule, run, reason)]
            # A second conflict must not keep the gap from being recorded: its remains stay out.
            written = report if is_last else [*parts, *report]
            try:
                await self._store.give_up(
                    run,
                    reason=reason,
                    findings=[finding for part in written for finding in part.findings],
                    entries=[entry for part in written for entry in part.entries],
                )
            except StoreConflict:
                if is_last:
                    raise
                continue
            return GaveUp(run, reason)
        raise AssertionError("the last pass returns or raises")

    def _too_late(self, run: Run) -> str:
        """Return why this window is not to be searched at all; empty if it is."""
        horizon = self._policy.horizon
        if horizon is not None and self._clock.now() - run.window.end > horizon:
            return f"older than {format_duration(horizon)}: its events may be gone already"
        if run.attempt > self._policy.max_attempts:
            # A counted failure would have ended it before: these attempts ended with the process.
            return "every attempt so far ended with the process, or outlived its lease"
        return ""

    async def _while_renewing(self, run: Run, work: Coroutine[Any, Any, T]) -> T:
        """Return what `work` returns, renewing the lease each third of it meanwhile.

        The loop's own timer, not `Clock.sleep`: a frozen clock's sleep returns at once, and on it
        no lease ends anyway.

        Raises:
            LeaseLost: The window was taken over; the work was cancelled.
            StoreError: Renewal failed twice in a row; the work was cancelled.
        """
        task = asyncio.ensure_future(work)
        failures = 0
        try:
            while True:
                pause = self._lease.total_seconds() / _RENEWALS_PER_LEASE
                await asyncio.wait({task}, timeout=pause)
                if task.done():
                    return task.result()
                try:
                    await self._store.renew(run, lease=self._lease)
                    failures = 0
                except LeaseLost:
                    raise
                except StoreError:
                    failures += 1
                    if failures == _FAILED_RENEWALS:
                        raise
        finally:
            if not task.done():
                task.cancel()
                # Waited for, so that a search can still delete its job on the server.
                await asyncio.wait({task})
                if not task.cancelled():
                    task.exception()

    async def _hand_back(self, run: Run) -> None:
        """Make the window due at once after a stop, so that nobody waits for the lease to end."""
        with suppress(StoreError):
            await asyncio.shield(
                self._store.release(
                    run,
                    reason="the process was stopped",
                    retry_at=self._clock.now(),
                    count_attempt=False,
                )
            )
