"""The life cycle of a query job, without I/O: submit, poll, page, finish.

`JobMachine.next_step` says what to do, the `on_…` methods are told what happened, and time comes in
as the span since the start. Rules it keeps: poll at once, then after the server's own `pollAfter`;
a job unpolled for 90 s is dropped by the server, so long pauses carry heartbeats; a lost job is
submitted once more with the same absolute times; a finished job is read to its last page, or to one
that was there already; the result says whether it is the whole answer.
Source: library.humio.com, logscale-api/api-search-query; cassettes/query_jobs/.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.client.search.paging import PLAIN_PAGING, Paging
from orchestrator.client.search.polls import PollAnswer
from orchestrator.client.search.spec import QuerySpec
from orchestrator.client.search.verdict import cancelled, is_repeated, result_of, verdict
from orchestrator.client.types import Completeness, JobProgress, QueryResult
from orchestrator.errors import QueryIncomplete, QueryJobExpired

HEARTBEAT_EVERY = timedelta(seconds=30)
"""A third of the 90 s after which an unpolled job is dropped."""
LONGEST_PAUSE = timedelta(seconds=60)
"""Recorded servers ask for 3 s while running and 20 s when done; a larger wish is not trusted."""
SHORTEST_PAUSE = timedelta(milliseconds=20)


@dataclass(frozen=True, slots=True)
class Submit:
    """Start a job."""

    within: timedelta
    """What is left of the deadline; whatever hangs must not outlast it."""


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask for the snapshot, from row `offset` on."""

    job_id: str
    within: timedelta
    """As for `Submit`."""
    offset: int = 0
    paging: Paging = PLAIN_PAGING


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Keep the job alive; nothing is returned."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    duration: timedelta


@dataclass(frozen=True, slots=True)
class Finish:
    """The result is there."""

    result: QueryResult


Step = Submit | Poll | Heartbeat | Pause | Finish


class JobMachine:
    """One search from submit to result; see the module for its rules.

    Args:
        spec: What to search.
        deadline: Longest life, from the first step.
        resubmits: How often a lost job may be started again.
    """

    def __init__(self, spec: QuerySpec, *, deadline: timedelta, resubmits: int = 1) -> None:
        self._spec, self._deadline, self._resubmits = spec, deadline, resubmits
        self.job_id = ""
        """The job that exists on the server; empty if none."""
        self._polls = 0
        self._next_poll = self._last_contact = timedelta(0)
        self._rows: list[dict[str, str]] = []
        self._last: PollAnswer | None = None
        self._is_whole = self._has_repeats = False

    def next_step(self, elapsed: timedelta) -> Step:
        """Return what to do now, `elapsed` after the start.

        Raises:
            QueryIncomplete: The deadline passed, or the server cancelled the job.
        """
        last = self._last
        if last is not None and last.is_cancelled:
            raise QueryIncomplete(cancelled(last))
        if last is not None and self._is_whole:
            return Finish(self._result(last, elapsed))
        if elapsed >= self._deadline:
            raise QueryIncomplete((f"not finished within {self._deadline.total_seconds():g} s",))
        if not self.job_id:
            return Submit(self._deadline - elapsed)
        if elapsed >= self._next_poll:
            within, paging = self._deadline - elapsed, self._spec.paging
            return Poll(self.job_id, within, offset=len(self._rows), paging=paging)
        beat_at = self._last_contact + HEARTBEAT_EVERY
        if elapsed >= beat_at:
            return Heartbeat(self.job_id)
        return Pause(min(self._next_poll, beat_at, self._deadline) - elapsed)

    def on_submitted(self, job_id: str, elapsed: timedelta) -> None:
        """Take the id of the job that was started; it is polled at once."""
        self.job_id = job_id
        self._next_poll = self._last_contact = elapsed

    def on_polled(self, answer: PollAnswer, elapsed: timedelta) -> None:
        """Take a snapshot or, once the job is done, one page of it."""
        self._last, self._polls = answer, self._polls + 1
        self._last_contact = elapsed
        if answer.is_done and not answer.is_cancelled:
            self._has_repeats = is_repeated(answer, self._rows)
            if not self._has_repeats:
                self._rows.extend(answer.rows)
            # An empty page ends it too: the server then holds fewer rows than it counted.
            is_last = not answer.rows or len(self._rows) >= answer.row_count
            self._is_whole = is_last or self._has_repeats
            self._next_poll = elapsed
            return
        pause = min(max(answer.poll_after, SHORTEST_PAUSE), LONGEST_PAUSE)
        self._next_poll = elapsed + pause

    def on_heartbeat(self, elapsed: timedelta) -> None:
        """Note that the server heard of us."""
        self._last_contact = elapsed

    def on_lost(self) -> None:
        """Take the news that the server does not know the job any more.

        Raises:
            QueryJobExpired: It was lost before, as often as allowed.
        """
        lost, self.job_id = self.job_id, ""
        # Pages of two jobs are never mixed.
        self._rows, self._last = [], None
        if self._resubmits <= 0:
            raise QueryJobExpired(f"job {lost} is gone on the server, again")
        self._resubmits -= 1

    def progress(self, polled_at: datetime) -> JobProgress | None:
        """Return where the job stands after the last poll, or None before the first."""
        if self._last is None:
            return None
        return JobProgress(
            work_done=self._last.work_done,
            total_work=self._last.total_work,
            event_count=self._last.row_count,
            polled_at=polled_at,
        )

    def _result(self, last: PollAnswer, elapsed: timedelta) -> QueryResult:
        # Of a result that is wanted without its rows none is missing.
        received = last.row_count if self._spec.paging.rows == 0 else len(self._rows)
        completeness = verdict(last, spec=self._spec, received_rows=received)
        if self._has_repeats:
            reason = "the server sent its first rows again: it does not page"
            completeness = Completeness(reasons=(*completeness.reasons, reason))
        return result_of(
            last,
            rows=self._rows,
            completeness=completeness,
            job_id=self.job_id,
            polls=self._polls,
            elapsed=elapsed,
        )
