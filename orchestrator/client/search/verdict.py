"""What became of a job: its rows, whether they are the whole answer, and each reason why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from orchestrator.client.search.polls import PollAnswer, instant_of
from orchestrator.client.search.spec import QuerySpec
from orchestrator.client.types import Completeness, JobStats, QueryResult


def is_repeated(page: PollAnswer, rows: Sequence[Mapping[str, str]]) -> bool:
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
            age=answer.facts.age,
            queued=answer.facts.queued,
            buffer_rows=answer.facts.buffer_rows,
            cost=answer.facts.cost,
        ),
        start=instant_of(answer.start_ms),
        end=instant_of(answer.end_ms),
        has_more_events=answer.has_more_events,
        distribution=answer.distribution,
        field_stats=answer.field_stats,
        files=answer.files,
        freshness=answer.facts.freshness,
        bucket_span=answer.facts.bucket_span,
        raw=answer.raw,
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


def cancelled(answer: PollAnswer) -> tuple[str, ...]:
    """Return why a job that the server cancelled has no result."""
    return ("the server cancelled the job", *(warning.message for warning in answer.warnings))


def shortfalls(answer: PollAnswer, *, received_rows: int) -> list[str]:
    """Return what a poll itself says is missing, whatever span was asked for."""
    reasons = [f"warning: {warning.message}" for warning in answer.warnings]
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
    start, end = instant_of(start_ms), instant_of(end_ms)
    if start is None or end is None:
        return f"[{start_ms} ms, {end_ms} ms)"
    return f"[{start.isoformat()}, {end.isoformat()})"
