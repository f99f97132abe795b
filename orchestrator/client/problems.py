"""Answers that are not a success, turned into the error that says who can act.

Only the known error shapes are quoted, at most 256 characters of them: LogScale's plain text
(a message and a Markdown fence with the query excerpt), and the JSON forms `{"detail"}`,
`{"message"}` and the gateway's `{"errors": [{"message"}]}`. A page of HTML is named, never quoted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from orchestrator.client.retry import parse_retry_after
from orchestrator.client.transport import Request, Response
from orchestrator.errors import (
    BODY_EXCERPT_CHARS,
    ClientError,
    Forbidden,
    NotFound,
    QueryRejected,
    RateLimited,
    RequestRejected,
    ServerFailed,
    Unauthorized,
    UnexpectedResponse,
)
from orchestrator.secret import SecretText

_SHORTEST_SECRET = 8
_REQUEST_IDS = ("x-cs-traceid", "x-request-id", "humio-query-id")
_ADVICE_401 = "Check that the token is right and has not expired."
_ADVICE_403 = "Grant the token's role the right to do this."
_ADVICE_404 = "Check the name; a token without the right to see it gets the same answer."
_ADVICE_PAGE = (
    "A web page instead of the API: the base address is wrong or a proxy asks for a login."
)


def error_for(
    request: Request,
    response: Response,
    *,
    now: datetime,
    secrets: Sequence[SecretText] = (),
    bad_request: type[RequestRejected | QueryRejected] = RequestRejected,
) -> ClientError:
    """Return the error for an answer outside 2xx.

    Args:
        request: What was sent; its method and path are named in the error.
        response: What came back.
        now: To turn a date in `Retry-After` into a delay.
        secrets: Removed from the server's text, should it echo one.
        bad_request: What a 400 means for this request.
    """
    text = _without(secrets, problem_text(response)) or f"HTTP {response.status}"
    method, path, request_id = request.method, request.path, request_id_of(response)
    where = {"method": method, "path": path}
    match response.status:
        case 400:
            return bad_request(text, request_id=request_id, **where)
        case 401:
            return Unauthorized(text, request_id=request_id, advice=_ADVICE_401, **where)
        case 403:
            return Forbidden(text, request_id=request_id, advice=_ADVICE_403, **where)
        case 404:
            return NotFound(text, request_id=request_id, advice=_ADVICE_404, **where)
        case 429:
            wait = parse_retry_after(response.headers, now=now)
            return RateLimited(text, retry_after=wait, request_id=request_id, **where)
        case status if 400 <= status < 500:
            return RequestRejected(text, request_id=request_id, **where)
        case status if status >= 500:
            return ServerFailed(text, status=status, request_id=request_id, **where)
        case status:
            # Redirects are not followed: they lead to a login page or to another host.
            problem = f"HTTP {status} where a success was expected"
            return UnexpectedResponse(problem, request_id=request_id, advice=_ADVICE_PAGE, **where)


def refuse_page(response: Response, *, name: str, request: Request) -> None:
    """Refuse a login page in the place of a file: it has the status of a success.

    Raises:
        UnexpectedResponse: A web page came back.
    """
    if response.content_type == "text/html":
        raise UnexpectedResponse(
            f"a web page came back for {name}", method=request.method, path=request.path
        )


def request_id_of(response: Response) -> str | None:
    """Return the server's own id for this exchange, where it names one.

    LogScale and the gateway name it in a header; the gateway's JSON also in `meta.trace_id`, which
    is left where a proxy took the header away.
    """
    found = next((response.headers[name] for name in _REQUEST_IDS if name in response.headers), "")
    return excerpt(found or _trace_id(response)) or None


def problem_text(response: Response) -> str:
    """Return the server's message from a known error shape, one line, or empty."""
    text = ""
    match response.content_type:
        case "text/plain":
            text = _plain(response.body.decode("utf-8", "replace"))
        case "application/json" | "application/problem+json":
            text = _from_json(response.body)
    return excerpt(text)


def excerpt(text: str) -> str:
    """Return `text` on one line without control characters, cut to the allowed length."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= BODY_EXCERPT_CHARS else line[: BODY_EXCERPT_CHARS - 1] + "…"


def _plain(body: str) -> str:
    message, fence, rest = body.partition("```")
    quoted = rest.partition("```")[0].strip()
    return f"{message.strip()}: {quoted}" if fence and quoted else message


def _trace_id(response: Response) -> str:
    meta = _object(response.body).get("meta")
    found = meta.get("trace_id") if isinstance(meta, dict) else None
    return found if isinstance(found, str) else ""


def _object(body: bytes) -> dict[str, object]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _from_json(body: bytes) -> str:
    content = _object(body)
    errors = content.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        content = errors[0]
    for name in ("message", "detail", "error"):
        if isinstance(content.get(name), str):
            return str(content[name])
    return ""


def _without(secrets: Sequence[SecretText], text: str) -> str:
    for secret in secrets:
        # Anything shorter is no token of these servers, and would only mangle the text.
        if len(secret.reveal()) >= _SHORTEST_SECRET:
            text = text.replace(secret.reveal(), "***")
    return text
