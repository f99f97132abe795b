"""Answers that are not a success, turned into the error that says who can act.

Only the known error shapes are quoted, at most 256 characters of them: LogScale's plain text
(a message and a Markdown fence with the query excerpt), and the JSON forms `{"detail"}`,
`{"message"}`, the gateway's `{"errors": [{"message"}]}`, a server's `{"status", "version"}` that is
down, and the two lists of a report on a package, of which each entry counts by itself. A page of
HTML is named, never quoted: whatever status it has, it does not come from the API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import unquote, urlsplit

from orchestrator.client.http.retry import parse_retry_after
from orchestrator.client.http.transport import Request, Response
from orchestrator.errors import (
    BODY_EXCERPT_CHARS,
    ClientError,
    Forbidden,
    NotFound,
    NotTheApi,
    ProxyRefused,
    QueryRejected,
    RateLimited,
    RequestRejected,
    ServerDown,
    ServerFailed,
    Unauthorized,
    UnknownRepository,
)
from orchestrator.secret import SecretText

_SHORTEST_SECRET = 8
_MOST_PROBLEMS = 500
_REQUEST_IDS = ("x-cs-traceid", "x-request-id", "humio-query-id")
_PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_PAGE_STARTS = (b"<!doctype html", b"<html")
# What names a repository and nothing below it: a 404 there is about the repository.
_OF_REPOSITORY = re.compile(
    r"(?:repositories|dataspaces)/([^/]+)/(?:queryjobs|query|ingest|ingest-messages|files)$"
)
# What every server has, so that a 404 there is about the address.
_ALWAYS_THERE = frozenset({"api/v1/status", "graphql", "oauth2/token"})
_LOGIN = "oauth2/token"

_ADVICE_401 = (
    "Check that the token is right and has not expired or been revoked. "
    "The secret of a Falcon API client is not one"
)
_ADVICE_LOGIN = (
    "Check client_id and client_secret, and that the url is the API address of the cloud "
    "that the API client was made in"
)
_ADVICE_RIGHT = (
    "Grant the token's role the right to do this. An ingest token can send events and nothing else"
)
_ADVICE_INGEST_RIGHT = (
    "Use an ingest token of this repository, or grant the token's role the right to send events"
)
_ADVICE_404 = "Check the name; a token without the right to see it gets the same answer."
_ADVICE_GATEWAY = "Try again later; if it stays, ask whoever runs the proxy in front of the server"
_ADVICE_TLS = "If its port speaks TLS, write https://"
_ADVICE_429 = "Try again later, and ask for less at once"
_ADVICE_5XX = "Try again later; if it stays, it is the server's administrators' to look at"
_ADVICE_PROXY = (
    "The proxy wants a name and password: put them into HTTPS_PROXY, and have the "
    "client take proxies from the environment, in settings use_proxy = true"
)
ADVICE_PAGE = (
    "Check the url: it must be the server's own address, not a page of it. "
    "If a proxy in front asks for a login, have /api and /graphql let through"
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
    method, path = request.method, request.path
    where = {"method": method, "path": path}
    request_id = request_id_of(response)
    if is_page(response) and 400 <= response.status < 500 and response.status not in {407, 429}:
        return _page(response, **where)
    text = without_secrets(secrets, problem_text(response)) or _status_text(response)
    problems = tuple(without_secrets(secrets, problem) for problem in package_problems(response))
    if problems and response.status in range(400, 500):
        text = "; ".join(problems)
        return RequestRejected(
            text, method=method, path=path, request_id=request_id, problems=problems
        )
    match response.status:
        case 400:
            return bad_request(text, method=method, path=path, request_id=request_id)
        case 401:
            advice = _ADVICE_LOGIN if path == _LOGIN else _ADVICE_401
            return Unauthorized(text, request_id=request_id, advice=advice, **where)
        case 403:
            return Forbidden(text, request_id=request_id, advice=_advice_403(path), **where)
        case 404:
            return _not_found(text, request_id=request_id, **where)
        case 407:
            return ProxyRefused(_status_text(response), advice=_ADVICE_PROXY, **where)
        case 429:
            wait = parse_retry_after(response.headers, now=now)
            return RateLimited(
                text, retry_after=wait, request_id=request_id, advice=_ADVICE_429, **where
            )
        case status if 400 <= status < 500:
            return RequestRejected(text, method=method, path=path, request_id=request_id)
        case status if status >= 500:
            said = without_secrets(secrets, _down_text(response))
            failed = ServerDown if said else ServerFailed
            return failed(
                said or text,
                status=status,
                request_id=request_id,
                advice=_ADVICE_GATEWAY if is_page(response) else _ADVICE_5XX,
                **where,
            )
        case _:
            return _redirect(response, **where)


def refuse_page(response: Response, request: Request) -> None:
    """Refuse a web page in the place of an answer, though it has the status of a success.

    Raises:
        NotTheApi: A web page came back.
    """
    if is_page(response):
        raise _page(response, method=request.method, path=request.path)


def is_page(response: Response) -> bool:
    """Return whether this is a web page, by its type or, sent under another, by how it begins."""
    start = response.body[:128].lstrip().lower()
    return response.content_type in _PAGE_TYPES or start.startswith(_PAGE_STARTS)


def _page(response: Response, *, method: str, path: str) -> NotTheApi:
    problem = f"a web page came back instead of an answer of the API (HTTP {response.status})"
    # What servers say to plain HTTP on a port that speaks TLS.
    advice = f"{ADVICE_PAGE}. {_ADVICE_TLS}" if response.status == 400 else ADVICE_PAGE
    return NotTheApi(problem, method=method, path=path, advice=advice)


def _redirect(response: Response, *, method: str, path: str) -> NotTheApi:
    """Return the error for a redirect: none is followed, they lead to a login or another host."""
    status = response.status
    target = urlsplit(_unquoted(response.headers.get("location", "")))
    if not 300 <= status < 400:
        problem, advice = f"HTTP {status} where a success was expected", ADVICE_PAGE
    elif target.scheme in {"http", "https"} and target.path.rstrip("/").endswith(f"/{path}"):
        base = excerpt(f"{target.scheme}://{_host(target.netloc)}{target.path}")
        base = base.removesuffix("/").removesuffix(f"/{path}")
        problem = f"the server has moved to {base} (HTTP {status})"
        advice = f"Write {base} as the url, if that is the server you mean"
    else:
        # Without its query, which may hold what a login remembers.
        place = excerpt(f"{_host(target.netloc)}{target.path}")
        where = f" to {place}" if place else ""
        problem = f"a redirect{where} came back, as to a login page (HTTP {status})"
        advice = ADVICE_PAGE
    return NotTheApi(problem, method=method, path=path, advice=advice)


def _unquoted(location: str) -> str:
    """Return a Location that can be taken apart; empty for one that is no URL."""
    try:
        urlsplit(location)
    except ValueError:
        return ""
    return location


def _host(netloc: str) -> str:
    return netloc.rpartition("@")[2]


def _not_found(text: str, *, method: str, path: str, request_id: str | None) -> ClientError:
    if path in _ALWAYS_THERE:
        problem = f"there is no LogScale or Falcon API at this address ({text})"
        return NotTheApi(
            problem, method=method, path=path, request_id=request_id, advice=ADVICE_PAGE
        )
    named = _OF_REPOSITORY.search(path)
    if named is None:
        return NotFound(text, method=method, path=path, request_id=request_id, advice=_ADVICE_404)
    return unknown_repository(
        unquote(named[1]), said=text, method=method, path=path, request_id=request_id
    )


def unknown_repository(
    name: str, *, said: str, method: str, path: str, request_id: str | None
) -> UnknownRepository:
    """Return the error for a repository or view that the server does not know, or does not show.

    Args:
        name: As it was asked for.
        said: The server's own words.
        method: Of the request.
        path: Of the same.
        request_id: The server's own id for the exchange.
    """
    problem = f"there is no repository or view {excerpt(name)!r}: the server says {said!r}"
    return UnknownRepository(
        problem, method=method, path=path, request_id=request_id, advice=_ADVICE_404
    )


def _advice_403(path: str) -> str:
    if path == _LOGIN:
        return _ADVICE_LOGIN
    return _ADVICE_INGEST_RIGHT if "/ingest" in path else _ADVICE_RIGHT


def _status_text(response: Response) -> str:
    page = " with a web page, as a proxy sends it" if is_page(response) else ""
    return f"HTTP {response.status}{page}"


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


def package_problems(response: Response) -> tuple[str, ...]:
    """Return all that a report on a package names, one line each; none in any other answer.

    What cannot be read goes before what cannot be installed.
    """
    report = _object(response.body) if response.content_type == "application/json" else {}
    found: list[str] = []
    for name in ("parseErrors", "installationErrors"):
        listed = report.get(name)
        found += [excerpt(str(text)) for text in listed] if isinstance(listed, list) else []
    return tuple(found[:_MOST_PROBLEMS])


def excerpt(text: str) -> str:
    """Return `text` on one line without control characters, cut to the allowed length."""
    line = one_line(text)
    return line if len(line) <= BODY_EXCERPT_CHARS else line[: BODY_EXCERPT_CHARS - 1] + "…"


def one_line(text: str) -> str:
    """Return `text` on one line without control characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _down_text(response: Response) -> str:
    """Return what a server says of itself that is down; empty for any other answer."""
    report = _object(response.body) if response.content_type == "application/json" else {}
    status, version = report.get("status"), report.get("version")
    if not isinstance(status, str) or status.upper() != "DOWN" or not isinstance(version, str):
        return ""
    message = report.get("statusMessage")
    text = f"the server, version {version}, says that it is {status.upper()}"
    return excerpt(f"{text}: {message}" if isinstance(message, str) and message else text)


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


def without_secrets(secrets: Sequence[SecretText], text: str) -> str:
    """Return `text` with stars in the place of secrets that a server put into it."""
    for secret in secrets:
        # Anything shorter is no token of these servers, and would only mangle the text.
        if len(secret.reveal()) >= _SHORTEST_SECRET:
            text = text.replace(secret.reveal(), "***")
    return text
