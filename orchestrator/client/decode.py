"""Answers of the servers, turned into our values: what LogScale's shapes are but for a job's
polls, which are in `search.polls`.

Each decoder takes a whole `Response`, or a JSON object out of one, and raises `UnexpectedResponse`
naming the member that is missing or has another type. Members we do not know are ignored, and kept
in `raw` where the value has one. A body that is not JSON by its content type is never parsed: a
login page with status 200 must not look like an empty result.
Sources: cassettes/, each decoder has one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from orchestrator.client.http.members import ADVICE_CUT, Members, ends_early, json_object
from orchestrator.client.http.problems import ADVICE_PAGE, excerpt, is_page
from orchestrator.client.http.transport import Response
from orchestrator.client.types import HealthCheck, ServerHealth, ServerStatus
from orchestrator.errors import (
    BODY_EXCERPT_CHARS,
    AnswerCutOff,
    NotTheApi,
    RequestRejected,
    UnexpectedResponse,
)


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


def row_of(raw: Mapping[str, object]) -> dict[str, str]:
    """Return a row: text on the wire but for @timestamp, a number; null means absent."""
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


def require_ndjson(content_type: str) -> None:
    """Check that an answer is a stream of rows, not some page.

    Raises:
        UnexpectedResponse: Another content type.
    """
    if content_type not in {"application/x-ndjson", "application/json"}:
        kind = excerpt(content_type) or "of no named type"
        raise NotTheApi(f"stream should be NDJSON, is {kind}", advice=ADVICE_PAGE)


def require_form(content_type: str, wanted: str) -> None:
    """Check that exported rows come in the form that was asked for.

    Raises:
        UnexpectedResponse: Another content type: a page, or a poll's answer of a server that
            exports nothing.
    """
    if content_type != wanted:
        kind = excerpt(content_type) or "of no named type"
        raise NotTheApi(f"export should be {wanted}, is {kind}", advice=ADVICE_PAGE)


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
    return row_of(content)


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
