"""Answers of the servers, turned into our values: what LogScale's shapes are.

Each decoder takes a whole `Response`, or a JSON object out of one, and raises `UnexpectedResponse`
naming the member that is missing or has another type. Members we do not know are ignored, and kept
in `raw` where the value has one. A body that is not JSON by its content type is never parsed: a
login page with status 200 must not look like an empty result.
Sources: cassettes/, each decoder has one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.client.http.members import (
    ADVICE_CUT,
    MILLISECOND,
    Members,
    ends_early,
    json_object,
)
from orchestrator.client.http.problems import ADVICE_PAGE, excerpt, is_page, one_line
from orchestrator.client.http.transport import Response
from orchestrator.client.types import FieldStats, HealthCheck, ServerHealth, ServerStatus, UsedFile
from orchestrator.errors import (
    BODY_EXCERPT_CHARS,
    AnswerCutOff,
    NotTheApi,
    RequestRejected,
    UnexpectedResponse,
)
from orchestrator.units import from_epoch_ms


def decode_status(response: Response) -> ServerStatus:
    """Return what `/api/v1/status` says; very old servers spell `ok` in lower case."""
    members = json_object(response, where="status")
    return ServerStatus(status=members.text("status").upper(), version=members.text("version"))


def decode_health(response: Response) -> ServerHealth:
    """Return what `/api/v1/health-json` says."""
    members = json_object(response, where="health")
    checks = [check for name in _CHECKS for check in members.members(name)]
    return ServerHealth(
        status=members.text("status").upper(),
        message=members.text("statusMessage", ""),
        version=members.text("version", ""),
        uptime=members.text("uptime", ""),
        checks=tuple(
            HealthCheck(
                name=check.text("name"),
                status=check.text("status").upper(),
                message=check.text("statusMessage", ""),
                fields=check.optional_member("fields").raw,
            )
            for check in checks
        ),
    )


def is_health(response: Response) -> bool:
    """Return whether this is a server's word on itself: 200, or 503 from one that is down."""
    if response.status != 503:
        return 200 <= response.status < 300
    try:
        decode_health(response)
    except UnexpectedResponse:
        return False
    return True


# Lists of checks by their outcome, the worst first.
_CHECKS = ("down", "warnings", "oks")


def decode_job_id(response: Response) -> str:
    """Return the id of a job that was started; opaque, to be escaped in paths."""
    job = json_object(response, where="query job")
    job_id = job.text("id")
    if not job_id:
        raise job.wrong("id", "the name of a job")
    return job_id


@dataclass(frozen=True, slots=True, kw_only=True)
class PollAnswer:
    """One poll of a query job: a full snapshot, never a delta."""

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
        rows.append(event if _TEXT_ALONE.issuperset(map(type, event.values())) else _row(event))
    return tuple(rows)


_TEXT_ALONE = frozenset({str})


def _row(raw: Mapping[str, object]) -> dict[str, str]:
    # Values are text on the wire but for @timestamp, a number; null means absent.
    return {
        name: value if isinstance(value, str) else _value_text(value)
        for name, value in raw.items()
        if value is not None
    }


def _value_text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False, default=str)


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


def require_ndjson(content_type: str) -> None:
    """Check that an answer is a stream of rows, not some page.

    Raises:
        UnexpectedResponse: Another content type.
    """
    if content_type not in {"application/x-ndjson", "application/json"}:
        kind = excerpt(content_type) or "of no named type"
        raise NotTheApi(f"stream should be NDJSON, is {kind}", advice=ADVICE_PAGE)


def stream_row(line: bytes, *, number: int) -> dict[str, str]:
    """Return the row of one line of a streaming search.

    Raises:
        UnexpectedResponse: Not a JSON object; `number` says which line.
    """
    try:
        content = json.loads(line, parse_float=str)
    except json.JSONDecodeError as exc:
        if ends_early(exc):
            problem = f"stream line {number} ends in the middle"
            raise AnswerCutOff(problem, advice=ADVICE_CUT) from exc
        raise UnexpectedResponse(f"stream line {number} is not JSON") from exc
    except (ValueError, RecursionError) as exc:
        raise UnexpectedResponse(f"stream line {number} is not JSON") from exc
    if not isinstance(content, dict):
        raise UnexpectedResponse(f"stream line {number} is not an object")
    return _row(content)


def check_accepted(response: Response) -> None:
    """Check that ingest answered with its own success, not with something else.

    Structured ingest answers `{}`, HEC `{}` or `{"text": "Success", "code": 0}`. What the other
    paths answer is not published: the events are stored by then, so nothing at all, or a short
    text, is a success too, or whoever sends would send them twice. JSON that is announced and does
    not come is none.
    """
    is_short = len(response.body) <= BODY_EXCERPT_CHARS and not is_page(response)
    if response.content_type == "text/plain" and is_short:
        members = Members(_object_in(response.body), where="ingest answer", source=response)
    elif response.content_type or response.body:
        members = json_object(response, where="ingest answer")
    else:
        return
    if members.raw.get("code", 0) != 0:
        raise RequestRejected(members.text("text", "the server refused the events"))


def _object_in(body: bytes) -> dict[str, object]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
