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
from orchestrator.client.types import FieldStats, UsedFile
from orchestrator.units import from_epoch_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class PollAnswer:
    """What one poll says."""

    is_done: bool
    is_cancelled: bool
    rows: tuple[dict[str, str], ...]
    warnings: tuple[str, ...]
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


# A server that names no pace is polled once a second.
_DEFAULT_POLL_AFTER_MS = 1_000


def decode_poll(response: Response) -> PollAnswer:
    """Return one poll's content.

    Only the members that the oldest recorded server (1.9.2) sends are required.
    """
    top = json_object(response, where="poll", exact_numbers=True)
    meta = top.member("metaData")
    extra = meta.optional_member("extraData")
    return PollAnswer(
        is_done=top.flag("done"),
        is_cancelled=top.flag("cancelled"),
        rows=_rows(top),
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
    )


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


def _warnings(top: Members, meta: Members) -> tuple[str, ...]:
    """Return each warning once: the server repeats them in up to three places."""
    found = [_warning_text(value) for value in _as_list(top.raw.get("warnings"))]
    found += [_warning_text(value) for value in _as_list(meta.raw.get("warnings"))]
    found += [_warning_text(value) for value in _as_list(meta.raw.get("warning"))]
    return tuple(dict.fromkeys(text for text in found if text))


def _as_list(value: object) -> Sequence[object]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def _warning_text(value: object) -> str:
    if isinstance(value, dict):
        message = value.get("message")
        return one_line(str(message or value.get("code", "unnamed warning")))
    return one_line(str(value))
