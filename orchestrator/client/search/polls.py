"""One poll of a query job, decoded: a full snapshot, never a delta.

Sources: LogScale Query API 1.1.0, QueryJobResult; cassettes/query_jobs/poll/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.client.decode import row_of
from orchestrator.client.http.members import MILLISECOND, Members, json_object
from orchestrator.client.http.problems import one_line
from orchestrator.client.http.transport import Response
from orchestrator.client.types import FieldStats, Freshness, QueryCost, QueryWarning, UsedFile
from orchestrator.units import from_epoch_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a job that is done says of itself and its events; None is not told."""

    age: timedelta | None = None
    queued: timedelta | None = None
    buffer_rows: int | None = None
    cost: QueryCost | None = None
    freshness: Freshness | None = None
    bucket_span: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollAnswer:
    """What one poll says."""

    is_done: bool
    is_cancelled: bool
    rows: tuple[dict[str, str], ...]
    warnings: tuple[QueryWarning, ...]
    poll_after: timedelta
    work_done: int
    total_work: int
    row_count: int
    """Rows that the result has (`eventCount`), which may be more than this page holds."""
    processed_events: int
    processed_bytes: int
    is_aggregate: bool
    start_ms: int
    end_ms: int
    """Bounds as the server resolved them."""
    has_more_events: bool
    is_span_overridden: bool
    """Whether the query itself set another time span."""
    field_order: tuple[str, ...]
    distribution: Mapping[datetime, int] = field(default_factory=dict)
    field_stats: tuple[FieldStats, ...] = ()
    files: tuple[UsedFile, ...] = ()
    facts: Facts = Facts()
    """Empty until the job is done: most polls ask whether it is."""
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """All of it but the rows."""


# A server that names no pace is polled once a second.
_DEFAULT_POLL_AFTER_MS = 1_000
# Three hundred years; what is longer is no span.
_SPAN_DIGITS = 13


def decode_poll(response: Response) -> PollAnswer:
    """Return one poll's content.

    Only the members that the oldest recorded server (1.9.2) sends are required.
    """
    top = json_object(response, where="poll", exact_numbers=True)
    meta = top.member("metaData")
    extra = meta.optional_member("extraData")
    is_done, rows = top.flag("done"), _rows(top)
    raw = {**top.raw}
    del raw["events"]
    return PollAnswer(
        is_done=is_done,
        is_cancelled=top.flag("cancelled"),
        rows=rows,
        warnings=_warnings(top, meta),
        poll_after=meta.span("pollAfter", unit=MILLISECOND, default=_DEFAULT_POLL_AFTER_MS),
        work_done=meta.number("workDone"),
        total_work=meta.number("totalWork"),
        row_count=meta.number("eventCount"),
        processed_events=meta.number("processedEvents", 0),
        processed_bytes=meta.number("processedBytes", 0),
        is_aggregate=meta.flag("isAggregate"),
        start_ms=meta.number("queryStart"),
        end_ms=meta.number("queryEnd"),
        has_more_events=str(extra.raw.get("hasMoreEvents", "")).lower() == "true",
        is_span_overridden="timeSettingsOverwrittenFromQuery" in extra,
        field_order=meta.texts("fieldOrder"),
        distribution=_distribution(top.optional_member("queryEventDistribution")),
        field_stats=tuple(_field_stats(item) for item in top.members("fieldStats")),
        files=tuple(
            UsedFile(name=item.text("name"), content_hash=item.text("contentHash", ""))
            for item in top.members("filesUsed")
        ),
        facts=_facts(meta, extra) if is_done else _NO_FACTS,
        raw=raw,
    )


_NO_FACTS = Facts()


def _facts(meta: Members, extra: Members) -> Facts:
    return Facts(
        age=_span(meta, "timeMillis"),
        queued=_span(meta, "queuedMillis"),
        buffer_rows=meta.optional_number("resultBufferSize"),
        cost=_cost(meta.member("costs")) if "costs" in meta else None,
        freshness=_freshness(meta.member("digestFlow")) if "digestFlow" in meta else None,
        bucket_span=_bucket_span(extra),
    )


def _span(members: Members, name: str) -> timedelta | None:
    return members.span(name, unit=MILLISECOND) if name in members else None


def _cost(costs: Members) -> QueryCost:
    return QueryCost(
        static=costs.decimal("staticCost", 0.0),
        live=costs.decimal("liveCost", 0.0),
        static_rate=costs.decimal("staticCostRate", 0.0),
        live_rate=costs.decimal("liveCostRate", 0.0),
    )


def _freshness(flow: Members) -> Freshness:
    return Freshness(
        lag=_span(flow, "maxIngestLatency"),
        known_good_until=_instant(flow, "ingestTimeKnownGood"),
        included_from=_instant(flow, "minIngestTimeIncluded"),
    )


def _instant(members: Members, name: str) -> datetime | None:
    epoch_ms = members.optional_number(name)
    return None if epoch_ms is None else instant_of(epoch_ms)


def instant_of(epoch_ms: int) -> datetime | None:
    """Return the instant that a server means, None for what is no date."""
    try:
        return from_epoch_ms(epoch_ms)
    except ValueError:
        return None


def _bucket_span(extra: Members) -> timedelta | None:
    # A text, as all that a function says of its result; no reason to refuse the rows.
    text = extra.raw.get("bucket_span_millis")
    if not isinstance(text, str) or not text.isdecimal() or len(text) > _SPAN_DIGITS:
        return None
    return int(text) * MILLISECOND


def _distribution(members: Members) -> dict[datetime, int]:
    found = {}
    for bucket in members.members("events"):
        # Both are texts, as in any row.
        start, count = bucket.text("_bucket"), bucket.text("_count")
        try:
            found[from_epoch_ms(int(start))] = int(count)
        except ValueError as exc:
            raise bucket.wrong("_bucket", "epoch milliseconds, and _count a number") from exc
    return found


def _field_stats(members: Members) -> FieldStats:
    # The type of `topValues` is not published; this is how it is drawn.
    top = members.optional_member("topValues")
    return FieldStats(
        name=members.text("fieldName"),
        occurrences=members.number("numOfOccurrences"),
        distinct_values=members.number("numOfDistinctValues"),
        top_values={name: top.number(name) for name in top.raw},
    )


def _rows(top: Members) -> tuple[dict[str, str], ...]:
    events = top.raw.get("events")
    if not isinstance(events, list):
        raise top.wrong("events", "a list")
    rows = []
    # Hundreds of thousands of rows: no reader object for each, and no copy of one of text alone.
    for index, event in enumerate(events):
        if not isinstance(event, dict):
            raise top.wrong(f"events[{index}]", "an object")
        rows.append(event if _TEXT_ALONE.issuperset(map(type, event.values())) else row_of(event))
    return tuple(rows)


_TEXT_ALONE = frozenset({str})


def _warnings(top: Members, meta: Members) -> tuple[QueryWarning, ...]:
    """Return each warning once: the server repeats their texts in up to two more places."""
    typed, *texts = top.raw.get("warnings"), meta.raw.get("warnings"), meta.raw.get("warning")
    if not typed and not any(texts):
        # As nearly all polls are.
        return ()
    found = [_warning(value) for value in _as_list(typed)]
    known = {warning.message for warning in found}
    older = [_warning(value) for text in texts for value in _as_list(text)]
    found += [warning for warning in older if warning.message not in known]
    return tuple(dict.fromkeys(warning for warning in found if warning.message))


def _as_list(value: object) -> Sequence[object]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def _warning(value: object) -> QueryWarning:
    if not isinstance(value, dict):
        return QueryWarning(message=one_line(str(value)))
    code, category, classification = (
        one_line(str(value.get(name) or "")) for name in ("code", "category", "classification")
    )
    return QueryWarning(
        message=one_line(str(value.get("message") or code or "unnamed warning")),
        code=code,
        category=category,
        classification=classification,
    )
