"""The shape of a poll answer: fourteen members since 2020, some more since.

Source: recordings of a 1.9.2 server, the vendor's OpenAPI text for what came later, and gofalcon's
models for the gateway. Every value of an event is a string, save `@timestamp`, which is a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from orchestrator.sandbox.quotas import QuotaInterval
from orchestrator.sandbox.search.answer_extras import field_stats
from orchestrator.sandbox.search.run import Answer, Search
from orchestrator.sandbox.search.windows import bucket_bounds_of
from orchestrator.sandbox.storage.events import INGEST_TIMESTAMP, NANOS, TIMESTAMP

TOTAL_WORK = 2
_NO_BUCKETS = dict.fromkeys(
    (
        "bucket_first_bucket",
        "bucket_last_bucket",
        "bucket_span_millis",
        "bucket_span_humanized",
    ),
    "",
)
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
    spent: Mapping[QuotaInterval, int]
    """Queries that the job's owner has started in each interval."""


class Dialect(Enum):
    """Which members a poll answer has."""

    RECORDED = auto()
    """Those of a 2020 server and no more."""
    NEWER = auto()
    """Those that the vendor's OpenAPI text tells of, where there is something to say."""
    GATEWAY = auto()
    """All that the gateway's swagger requires: typed clients refuse an answer without them."""


def poll_answer(state: PollState, page: Page, dialect: Dialect) -> dict[str, object]:
    """Return the JSON object of a poll."""
    recorded_only = dialect is Dialect.RECORDED
    buffer = state.answer.rows if state.answer is not None else ()
    events = [event_to_wire(row) for row in paged(buffer, page)]
    if recorded_only and not state.search.checked.is_aggregate:
        for event in events:
            # Of a newer server, as the members that are left out.
            for name in (INGEST_TIMESTAMP, NANOS):
                event.pop(name, None)
    wire: dict[str, object] = {
        "cancelled": state.cancelled,
        "done": state.done,
        "events": events,
        "metaData": _metadata(state, dialect),
    }
    if dialect is Dialect.GATEWAY:
        wire |= {"filesUsed": [], "filterMatches": [], "queryEventDistribution": _NO_BUCKETS}
    if not recorded_only:
        wire["warnings"] = [warning.to_wire() for warning in state.warnings]
        if state.answer is not None and state.answer.distribution is not None:
            wire["queryEventDistribution"] = _distribution(state.answer.distribution, dialect)
        if state.search.wants_field_stats:
            wire["fieldStats"] = field_stats(() if page.is_heartbeat else buffer)
        if state.search.files:
            wire["filesUsed"] = list(state.search.files)
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


def _metadata(state: PollState, dialect: Dialect) -> dict[str, object]:
    answer, search = state.answer, state.search
    recorded_only = dialect is Dialect.RECORDED
    rows = len(answer.rows) if answer is not None else 0
    metadata: dict[str, object] = {
        "eventCount": rows,
        "extraData": _extra_data(search, answer, recorded_only=recorded_only),
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
    if answer is not None and answer.is_aggregate and not recorded_only:
        metadata["fieldOrder"] = list(answer.field_order)
    elif dialect is Dialect.GATEWAY:
        metadata["fieldOrder"] = []
    return metadata


def _newer_metadata(state: PollState) -> dict[str, object]:
    now_ms = state.search.now_ms
    return {
        "costs": {"liveCost": 0.0, "staticCost": 0.0, "liveCostRate": 0.0, "staticCostRate": 0.0},
        "querySpent": _quota(dict.fromkeys(QuotaInterval, 0)),
        "quotaTotalSpent": _quota(state.spent),
        "queuedMillis": state.queued_ms,
        "responderVHost": 1,
        # What is acknowledged can be searched at once.
        "digestFlow": {
            "minIngestTimeIncluded": now_ms,
            "ingestTimeKnownGood": now_ms,
            "maxIngestLatency": 0,
        },
        "warning": "",
    }


def _quota(counts: Mapping[QuotaInterval, int]) -> dict[str, dict[str, int]]:
    return {
        interval.value: {"queryCount": count, "staticCost": 0, "liveCost": 0}
        for interval, count in counts.items()
    }


def _extra_data(search: Search, answer: Answer | None, *, recorded_only: bool) -> dict[str, object]:
    found: dict[str, object] = {}
    if not search.checked.is_aggregate:
        has_more = answer is not None and answer.has_more
        found["hasMoreEvents"] = "true" if has_more else "false"
    if search.checked.time_chart is not None:
        found |= {"timechart": "true", "ui:suggested-widget": "time-chart"}
        if (bounds := bucket_bounds_of(search)) is not None:
            found |= _bucket_data(*bounds)
    if search.own_interval is not None and not recorded_only:
        found["timeSettingsOverwrittenFromQuery"] = {
            "start": search.own_interval.get("start", ""),
            "end": search.own_interval["end"],
            "timezoneName": search.own_interval.get("timezone", search.zone),
        }
    return found


def _distribution(rows: Sequence[Mapping[str, str]], dialect: Dialect) -> dict[str, object]:
    counts = [{"_bucket": row["_bucket"], "_count": row["_count"]} for row in rows]
    buckets = [int(row["_bucket"]) for row in rows]
    span_ms = min((b - a for a, b in pairwise(buckets)), default=0)
    bounds = _bucket_data(buckets[0], buckets[-1], span_ms) if span_ms else {}
    found: dict[str, object] = {"events": counts, "extraData": bounds}
    # The gateway's swagger has the bounds alone, and outside of extraData.
    return found | (_NO_BUCKETS | bounds if dialect is Dialect.GATEWAY else {})


def _bucket_data(first_ms: int, last_ms: int, span_ms: int) -> dict[str, str]:
    return {
        "bucket_first_bucket": str(first_ms),
        "bucket_last_bucket": str(last_ms),
        "bucket_span_millis": str(span_ms),
        "bucket_span_humanized": _humanized(span_ms),
    }


def _humanized(span_ms: int) -> str:
    length, unit = next((ms, unit) for ms, unit in _SPANS if span_ms % ms == 0)
    count = span_ms // length
    return f"{count} {unit}" + ("" if count == 1 else "s")
