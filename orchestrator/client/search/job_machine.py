"""The life cycle of a query job, without I/O: submit, poll, page, finish.

`JobMachine.next_step` says what to do, the `on_…` methods are told what happened, and time comes in
as the span since the start. Rules it keeps: poll at once, then after the server's own `pollAfter`;
a job unpolled for 90 s is dropped by the server, so long pauses carry heartbeats; a lost job is
submitted once more with the same absolute times; a finished job is read to its last page, or to one
that was there already; the result says whether it is the whole answer.
Source: library.humio.com, logscale-api/api-search-query; cassettes/query_jobs/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.client.decode import PollAnswer
from orchestrator.client.search.options import PLAIN, SearchOptions
from orchestrator.client.types import Completeness, JobProgress, JobStats, QueryResult
from orchestrator.client.wire import WireAround, WireQueryJobInput
from orchestrator.errors import QueryIncomplete, QueryJobExpired
from orchestrator.units import from_epoch_ms

HEARTBEAT_EVERY = timedelta(seconds=30)
"""A third of the 90 s after which an unpolled job is dropped."""
LONGEST_PAUSE = timedelta(seconds=60)
"""Recorded servers ask for 3 s while running and 20 s when done; a larger wish is not trusted."""
SHORTEST_PAUSE = timedelta(milliseconds=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySpec:
    """What a job searches: absolute epoch milliseconds, so that a second submit is the same."""

    query: str
    start_ms: int
    end_ms: int
    use_ingest_time: bool = False
    arguments: Mapping[str, str] = field(default_factory=dict)
    around: WireAround | None = None
    """Read the events next to this one, rather than the newest."""
    options: SearchOptions = PLAIN

    def to_wire(self) -> WireQueryJobInput:
        """Return the body of the submit; members that do not apply are left out."""
        body = WireQueryJobInput(
            queryString=self.query, start=self.start_ms, end=self.end_ms, isLive=False
        )
        if self.use_ingest_time:
            body["useIngestTime"] = True
        if self.arguments:
            body["arguments"] = dict(self.arguments)
        if self.around is not None:
            body["around"] = self.around
        self.options.write(body)
        return body


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
            raise QueryIncomplete(("the server cancelled the job", *last.warnings))
        if last is not None and self._is_whole:
            return Finish(self._result(last, elapsed))
        if elapsed >= self._deadline:
            raise QueryIncomplete((f"not finished within {self._deadline.total_seconds():g} s",))
        if not self.job_id:
            return Submit(self._deadline - elapsed)
        if elapsed >= self._next_poll:
            return Poll(self.job_id, self._deadline - elapsed, offset=len(self._rows))
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
            self._has_repeats = _is_repeated(answer, self._rows)
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
        completeness = verdict(last, spec=self._spec, received_rows=len(self._rows))
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


def _is_repeated(page: PollAnswer, rows: Sequence[Mapping[str, str]]) -> bool:
    """Return whether a page holds the first rows again, since nobody looked at its offset.

    Whether paging works behind the Falcon gateway is not documented. Rows that are all alike are
    taken as they are, unless they are more than were counted.
    """
    if not rows or not page.rows or any(a != b for a, b in zip(page.rows, rows, strict=False)):
        return False
    is_too_much = len(rows) + len(page.rows) > page.row_count
    return is_too_much or any(row != page.rows[0] for row in page.rows)


def result_of(
    answer: PollAnswer,
    *,
    rows: Sequence[Mapping[str, str]],
    completeness: Completeness,
    job_id: str,
    polls: int,
    elapsed: timedelta,
) -> QueryResult:
    """Return the rows of a job with what its last poll says about them."""
    return QueryResult(
        rows=tuple(rows),
        fields=columns(rows, order=answer.field_order),
        is_aggregate=answer.is_aggregate,
        completeness=completeness,
        warnings=answer.warnings,
        stats=JobStats(
            job_id=job_id,
            polls=polls,
            elapsed=elapsed,
            event_count=answer.row_count,
            processed_bytes=answer.processed_bytes,
            processed_events=answer.processed_events,
        ),
        has_more_events=answer.has_more_events,
        distribution=answer.distribution,
        field_stats=answer.field_stats,
        files=answer.files,
    )


def columns(rows: Sequence[Mapping[str, str]], *, order: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the columns that occur in `rows`: those of `order` first, then by first appearance."""
    seen = dict.fromkeys(name for row in rows for name in row)
    known = [name for name in dict.fromkeys(order) if name in seen or not rows]
    return (*known, *(name for name in seen if name not in set(known)))


def verdict(answer: PollAnswer, *, spec: QuerySpec, received_rows: int) -> Completeness:
    """Return whether a finished job's result is the whole answer, with every known reason.

    Only what the server states counts. A row count that happens to equal a limit is no statement;
    the query's author sees it in the lint.
    """
    reasons = shortfalls(answer, received_rows=received_rows)
    if spec.options.done is not None and answer.work_done < answer.total_work:
        done, total = answer.work_done, answer.total_work
        reasons.append(f"the job stopped early, as it might: {done} of {total} parts were done")
    if answer.is_span_overridden:
        reasons.append("the query sets its own time span")
    elif not spec.use_ingest_time and (answer.start_ms, answer.end_ms) != (
        spec.start_ms,
        spec.end_ms,
    ):
        # With ingest time the vendor does not say which bounds these two members show.
        reasons.append(
            f"the server searched {_span(answer.start_ms, answer.end_ms)}, "
            f"not {_span(spec.start_ms, spec.end_ms)}"
        )
    return Completeness(reasons=tuple(reasons))


def shortfalls(answer: PollAnswer, *, received_rows: int) -> list[str]:
    """Return what a poll itself says is missing, whatever span was asked for."""
    reasons = [f"warning: {text}" for text in answer.warnings]
    if answer.is_cancelled:
        reasons.append("the server cancelled the job")
    if not answer.is_done:
        reasons.append("the job was not done")
    if answer.has_more_events:
        reasons.append("more events matched than the result holds; add tail() with a higher limit")
    if received_rows < answer.row_count:
        reasons.append(f"{received_rows} of {answer.row_count} rows were returned")
    return reasons


def _span(start_ms: int, end_ms: int) -> str:
    try:
        return f"[{from_epoch_ms(start_ms).isoformat()}, {from_epoch_ms(end_ms).isoformat()})"
    except ValueError:
        return f"[{start_ms} ms, {end_ms} ms)"
