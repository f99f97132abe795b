"""Answers of the servers, turned into our values; the only place that looks into raw JSON.

Each decoder takes a whole `Response`, or a JSON object out of one, and raises `UnexpectedResponse`
naming the member that is missing or has another type. Members we do not know are ignored, and kept
in `raw` where the value has one. A body that is not JSON by its content type is never parsed: a
login page with status 200 must not look like an empty result.
Sources: cassettes/, each decoder has one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from orchestrator.client.http.problems import ADVICE_PAGE, excerpt, one_line, request_id_of
from orchestrator.client.http.transport import Response
from orchestrator.client.types import ServerStatus
from orchestrator.errors import AnswerCutOff, NotTheApi, RequestRejected, UnexpectedResponse
from orchestrator.secret import SecretText

_ADVICE_CUT = "Try again; if it stays, something between here and the server cuts answers off"
_ADVICE_SHAPE = "Check the url, and that the server is LogScale of a version that this client knows"


SECOND, MILLISECOND = timedelta(seconds=1), timedelta(milliseconds=1)


class Members:
    """Reads one JSON object member by member, with the path of each for the error text.

    Args:
        raw: The object.
        where: What it is.
        source: The answer that held it; its id is named in errors.
    """

    def __init__(
        self, raw: Mapping[str, object], *, where: str, source: Response | None = None
    ) -> None:
        self.raw, self._where, self._source = raw, where, source

    def __contains__(self, name: str) -> bool:
        return self.raw.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text member; `default` stands in for an absent or null one."""
        value = self.raw.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.wrong(name, "text")
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a text member, or None for an absent or null one."""
        return self.text(name) if name in self else None

    def flag(self, name: str, default: bool | None = None) -> bool:
        """Return a boolean member; `default` stands in for an absent or null one."""
        value = self.raw.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        """Return a whole-number member; `default` stands in for an absent or null one."""
        value = self.raw.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, "a whole number")
        return value

    def optional_number(self, name: str) -> int | None:
        """Return a whole-number member, or None for an absent or null one."""
        return self.number(name) if name in self else None

    def span(self, name: str, *, unit: timedelta, default: int | None = None) -> timedelta:
        """Return a whole number of `unit`s as the time it stands for."""
        try:
            return self.number(name, default) * unit
        except OverflowError as exc:
            raise self.wrong(name, "a time that a calendar holds") from exc

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; empty for an absent or null one."""
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            raise self.wrong(name, "a list of text")
        return tuple(str(value) for value in values)

    def member(self, name: str) -> Members:
        """Return an object member."""
        value = self.raw.get(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "an object")
        return self._inner(value, name)

    def optional_member(self, name: str) -> Members:
        """Return an object member; empty for an absent or null one."""
        return self.member(name) if name in self else self._inner({}, name)

    def members(self, name: str) -> tuple[Members, ...]:
        """Return a list of objects; empty for an absent or null one."""
        found = []
        for index, value in enumerate(self._list(name)):
            if not isinstance(value, dict):
                raise self.wrong(f"{name}[{index}]", "an object")
            found.append(self._inner(value, f"{name}[{index}]"))
        return tuple(found)

    def wrong(self, name: str, wanted: str) -> UnexpectedResponse:
        """Return the error for a member that is absent or of another type."""
        found = type(self.raw[name]).__name__ if name in self.raw else "nothing"
        problem = f"{self._where}.{name} should be {wanted}, is {found}"
        known = request_id_of(self._source) if self._source is not None else None
        return UnexpectedResponse(problem, request_id=known, advice=_ADVICE_SHAPE)

    def _inner(self, raw: Mapping[str, object], name: str) -> Members:
        return Members(raw, where=f"{self._where}.{name}", source=self._source)

    def _list(self, name: str) -> Sequence[object]:
        value = self.raw.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.wrong(name, "a list")
        return value


def json_object(response: Response, *, where: str, exact_numbers: bool = False) -> Members:
    """Return the JSON object that a response holds.

    Args:
        response: A success.
        where: What the object is, for error texts.
        exact_numbers: Read fractions as the text they were written as.

    Raises:
        UnexpectedResponse: Another content type, not JSON, or JSON of another shape.
    """
    content = _json(response, where=where, exact_numbers=exact_numbers)
    if not isinstance(content, dict):
        problem = f"{where} should be an object, is {type(content).__name__}"
        raise UnexpectedResponse(problem, request_id=request_id_of(response), advice=_ADVICE_SHAPE)
    return Members(content, where=where, source=response)


def _json(response: Response, *, where: str, exact_numbers: bool = False) -> object:
    kind = response.content_type
    if kind != "application/json" and not kind.endswith("+json"):
        problem = f"{where} should be JSON, is {excerpt(kind) or 'of no named type'}"
        raise NotTheApi(problem, request_id=request_id_of(response), advice=ADVICE_PAGE)
    # The lengths help to tell what happened, the content stays out.
    size, known = len(response.body), request_id_of(response)
    if not response.body.strip():
        raise AnswerCutOff(
            f"{where} should be JSON, is empty", request_id=known, advice=_ADVICE_CUT
        )
    try:
        content: object = json.loads(response.body, parse_float=str if exact_numbers else None)
    except json.JSONDecodeError as exc:
        if _ends_early(exc):
            problem = f"{where} ends in the middle, it is not whole JSON ({size} bytes)"
            raise AnswerCutOff(problem, request_id=known, advice=_ADVICE_CUT) from exc
        problem = f"{where} is not JSON, at character {exc.pos + 1} of {len(exc.doc)}"
        raise UnexpectedResponse(problem, request_id=known, advice=_ADVICE_SHAPE) from exc
    except UnicodeDecodeError as exc:
        problem = f"{where} is not JSON in UTF-8, at byte {exc.start + 1} of {size}"
        raise UnexpectedResponse(problem, request_id=known, advice=_ADVICE_SHAPE) from exc
    except (ValueError, RecursionError) as exc:
        problem = f"{where} is JSON beyond measure: too deep, or a number too long ({size} bytes)"
        raise UnexpectedResponse(problem, request_id=known, advice=_ADVICE_SHAPE) from exc
    return content


def _ends_early(exc: json.JSONDecodeError) -> bool:
    """Return whether a text began as JSON does and then ran out."""
    text = exc.doc.strip()
    if text[:1] not in {"{", "["}:
        return False
    return text[-1] not in "}]" or exc.pos >= len(exc.doc.rstrip())


def decode_status(response: Response) -> ServerStatus:
    """Return what `/api/v1/status` says; very old servers spell `ok` in lower case."""
    members = json_object(response, where="status")
    return ServerStatus(status=members.text("status").upper(), version=members.text("version"))


def decode_token(response: Response) -> tuple[SecretText, timedelta]:
    """Return a Falcon token and the length of its life."""
    members = json_object(response, where="token answer")
    return SecretText(members.text("access_token")), members.span("expires_in", unit=SECOND)


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
        if _ends_early(exc):
            problem = f"stream line {number} ends in the middle"
            raise AnswerCutOff(problem, advice=_ADVICE_CUT) from exc
        raise UnexpectedResponse(f"stream line {number} is not JSON") from exc
    except (ValueError, RecursionError) as exc:
        raise UnexpectedResponse(f"stream line {number} is not JSON") from exc
    if not isinstance(content, dict):
        raise UnexpectedResponse(f"stream line {number} is not an object")
    return _row(content)


def check_accepted(response: Response) -> None:
    """Check that ingest answered with its own success, not with some page.

    Structured ingest answers `{}`, HEC `{}` or `{"text": "Success", "code": 0}`.
    """
    members = json_object(response, where="ingest answer")
    if members.raw.get("code", 0) != 0:
        raise RequestRejected(members.text("text", "the server refused the events"))
