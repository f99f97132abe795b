"""The shape of a poll answer: fourteen members since 2020, some more since.

Source: recordings of a 1.9.2 server, and the vendor's OpenAPI text for what came later. Every value
of an event is a string, save `@timestamp`, which is a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from orchestrator.sandbox.search import Answer, Search
from orchestrator.sandbox.storage import TIMESTAMP

TOTAL_WORK = 2
_SPANS = (
    (604_800_000, "week"),
    (86_400_000, "day"),
    (3_600_000, "hour"),
    (60_000, "minute"),
    (1_000, "second"),
    (1, "millisecond"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """A warning about a whole result."""

    code: str
    message: str
    category: str = "QUERY_STATE"

    def to_wire(self) -> dict[str, str]:
        """Return the object of the top-level `warnings`."""
        return {
            "code": self.code,
            "message": self.message,
            "category": self.category,
            "classification": "Warning",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which rows of the buffer a poll wants; None is no limit."""

    offset: int = 0
    limit: int | None = None
    sort_by: str = ""
    descending: bool = False
    is_heartbeat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PollState:
    """All that a poll answer says."""

    search: Search
    is_live: bool
    done: bool
    cancelled: bool
    answer: Answer | None
    """None while nothing is finished."""
    warnings: Sequence[Warned]
    poll_after_ms: int
    age_ms: int
    queued_ms: int
    work_done: int


def poll_answer(state: PollState, page: Page, *, recorded_only: bool) -> dict[str, object]:
    """Return the JSON object of a poll; `recorded_only` sends what a 2020 server sent, no more."""
    buffer = state.answer.rows if state.answer is not None else ()
    wire: dict[str, object] = {
        "cancelled": state.cancelled,
        "done": state.done,
        "events": [event_to_wire(row) for row in paged(buffer, page)],
        "metaData": _metadata(state, recorded_only=recorded_only),
    }
    if not recorded_only:
        wire["warnings"] = [warning.to_wire() for warning in state.warnings]
        if state.answer is not None and state.answer.distribution is not None:
            wire["queryEventDistribution"] = _distribution(state.answer.distribution)
    return wire


def event_to_wire(row: Mapping[str, str]) -> dict[str, str | int]:
    """Return a row as JSON: strings, but `@timestamp` a number."""
    wire: dict[str, str | int] = dict(row)
    timestamp = row.get(TIMESTAMP, "")
    if timestamp.isdecimal():
        wire[TIMESTAMP] = int(timestamp)
    return wire


def paged(rows: Sequence[Mapping[str, str]], page: Page) -> Sequence[Mapping[str, str]]:
    """Return the rows of one page, sorted first where the page asks for it."""
    if page.is_heartbeat:
        return ()
    if page.sort_by:
        field = page.sort_by
        rows = sorted(rows, key=lambda row: _sort_key(row.get(field)), reverse=page.descending)
    end = None if page.limit is None else page.offset + page.limit
    return rows[page.offset : end]


def _sort_key(value: str | None) -> tuple[int, float, str]:
    """Numbers by value, before texts by letter; rows without the field come last."""
    if value is None:
        return (2, 0.0, "")
    try:
        return (0, float(value), "")
    except ValueError:
        return (1, 0.0, value)


def _metadata(state: PollState, *, recorded_only: bool) -> dict[str, object]:
    answer, search = state.answer, state.search
    rows = len(answer.rows) if answer is not None else 0
    metadata: dict[str, object] = {
        "eventCount": rows,
        "extraData": _extra_data(search, answer),
        "filterQuery": {
            "queryString": search.checked.filter_text,
            "start": search.start_ms,
            "end": search.end_ms,
            # Recorded so, even for a live job.
            "isLive": False,
            "isInteractive": False,
            "includeDeletedEvents": False,
            "showQueryEventDistribution": search.wants_distribution,
            "noResultUntilDone": False,
        },
        "isAggregate": search.checked.is_aggregate,
        "pollAfter": state.poll_after_ms,
        "processedBytes": answer.bytes_scanned if answer is not None else 0,
        "processedEvents": answer.events_scanned if answer is not None else 0,
        "queryStart": search.start_ms,
        "queryEnd": search.end_ms,
        "resultBufferSize": rows,
        "timeMillis": state.age_ms,
        "totalWork": TOTAL_WORK,
        "warnings": [warning.message for warning in state.warnings],
        "workDone": state.work_done,
    }
    if not recorded_only:
        metadata |= _newer_metadata(state)
    return metadata


def _newer_metadata(state: PollState) -> dict[str, object]:
    spent = {
        period: {"queryCount": 0, "staticCost": 0, "liveCost": 0}
        for period in ("oneMinute", "tenMinutes", "hour", "day")
    }
    newer: dict[str, object] = {
        "costs": {"liveCost": 0.0, "staticCost": 0.0, "liveCostRate": 0.0, "staticCostRate": 0.0},
        "querySpent": spent,
        "quotaTotalSpent": spent,
        "queuedMillis": state.queued_ms,
        "responderVHost": 1,
    }
    if state.answer is not None and state.answer.is_aggregate:
        newer["fieldOrder"] = list(state.answer.field_order)
    return newer


def _extra_data(search: Search, answer: Answer | None) -> dict[str, str]:
    if not search.checked.is_aggregate:
        return {"hasMoreEvents": "true" if answer is not None and answer.has_more else "false"}
    if not search.checked.is_timechart:
        return {}
    widget = {"timechart": "true", "ui:suggested-widget": "time-chart"}
    return widget | _bucket_data(answer.rows if answer is not None else ())


def _distribution(rows: Sequence[Mapping[str, str]]) -> dict[str, object]:
    counts = [{"_bucket": row["_bucket"], "_count": row["_count"]} for row in rows]
    return {"events": counts, "extraData": _bucket_data(rows)}


def _bucket_data(rows: Sequence[Mapping[str, str]]) -> dict[str, str]:
    buckets = sorted({int(row["_bucket"]) for row in rows if "_bucket" in row})
    if len(buckets) < 2:
        return {}
    span_ms = min(b - a for a, b in pairwise(buckets))
    return {
        "bucket_first_bucket": str(buckets[0]),
        "bucket_last_bucket": str(buckets[-1]),
        "bucket_span_millis": str(span_ms),
        "bucket_span_humanized": _humanized(span_ms),
    }


def _humanized(span_ms: int) -> str:
    length, unit = next((ms, unit) for ms, unit in _SPANS if span_ms % ms == 0)
    count = span_ms // length
    return f"{count} {unit}" + ("" if count == 1 else "s")
