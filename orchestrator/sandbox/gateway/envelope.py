"""The gateway's frame around an answer, and what its routes share about requests."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.sandbox.answers import Refusal, forbidden, json_answer
from orchestrator.sandbox.auth import caller_of, demand
from orchestrator.sandbox.gateway.fql import FqlError, Predicate, parse_fql, sorted_by
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Record

TRACE_HEADER = "X-Cs-Traceid"
_LARGEST_NUMBER = 10**9


def envelope(
    resources: Sequence[Any] | Mapping[str, Any],
    *,
    pagination: Mapping[str, object] | None = None,
    written: int | None = None,
    errors: Sequence[Mapping[str, object]] = (),
    trace_id: str = "",
) -> dict[str, Any]:
    """Return `resources` in the gateway's frame.

    Args:
        resources: What is answered; ids or objects, or a single object where the gateway does so.
        pagination: Where the page stands, for listings.
        written: How many were changed, for changes.
        errors: What failed of several, each with `code` and `message`.
        trace_id: The exchange's id; empty makes one.
    """
    meta: dict[str, object] = {
        "query_time": 0.001,
        "powered_by": "sandbox",
        "trace_id": trace_id or new_trace_id(),
    }
    if pagination is not None:
        meta["pagination"] = dict(pagination)
    if written is not None:
        meta["writes"] = {"resources_affected": written}
    shown = dict(resources) if isinstance(resources, Mapping) else list(resources)
    return {"meta": meta, "resources": shown, "errors": list(errors)}


def new_trace_id() -> str:
    """Return an id for one exchange."""
    return secrets.token_hex(16)


def answer(
    resources: Sequence[Any] | Mapping[str, Any],
    *,
    pagination: Mapping[str, object] | None = None,
    written: int | None = None,
    errors: Sequence[Mapping[str, object]] = (),
    status: int = 200,
) -> Response:
    """Return `resources` as the gateway sends them; the trace id is in the headers too."""
    trace_id = new_trace_id()
    body = envelope(
        resources, pagination=pagination, written=written, errors=errors, trace_id=trace_id
    )
    response = json_answer(body, status=status)
    response.headers[TRACE_HEADER] = trace_id
    return response


def outcome(key: str, name: object, error: str = "", **more: object) -> dict[str, object]:
    """Return how one of several went; without an `error` it was done."""
    found: dict[str, object] = {key: name, "success": not error, **more}
    return {**found, "error": error} if error else found


def problem(code: int, message: str, *, about: str = "") -> dict[str, object]:
    """Return one entry of `errors`; `about` is the id of what it is about."""
    entry: dict[str, object] = {"code": code, "message": message}
    return {**entry, "id": about} if about else entry


def envelope_answer(refusal: Refusal) -> Response:
    """Return a refusal as the gateway sends it."""
    response = answer([], errors=[problem(refusal.status, refusal.text)], status=refusal.status)
    response.headers.update(refusal.headers)
    return response


def caller(request: Request, right: Right) -> Sandbox:
    """Return the sandbox, if the request's token has the right.

    Raises:
        Refusal: 401 or 403.
    """
    sandbox, role = caller_of(request)
    # What the gateway holds is the whole tenant's, and no token of some views reaches it.
    if not role.is_person:
        raise forbidden()
    demand(role, right)
    return sandbox


async def json_body(request: Request) -> object:
    """Return the request's JSON.

    Raises:
        Refusal: 400, it is not JSON.
    """
    try:
        return await request.json()
    except (ValueError, RecursionError) as exc:
        raise Refusal(400, "the body is not JSON") from exc


async def object_body(request: Request) -> Record:
    """Return the request's JSON object.

    Raises:
        Refusal: 400, it is something else.
    """
    body = await json_body(request)
    if not isinstance(body, dict):
        raise Refusal(400, "the body must be an object")
    return body


def texts_in(body: Mapping[str, Any], name: str, *, most: int | None = None) -> list[str]:
    """Return a member that is an array of texts, and not empty.

    Raises:
        Refusal: 400, it is something else, or has more than `most`.
    """
    found = body.get(name)
    if not isinstance(found, list) or not found or not all(isinstance(i, str) for i in found):
        raise Refusal(400, f"{name} must be an array of texts, and not empty")
    if most is not None and len(found) > most:
        raise Refusal(400, f"{name}: at most {most} in one request")
    return found


def ids_in(request: Request, name: str = "ids", *, most: int | None = None) -> list[str]:
    """Return what a parameter of the query string names, once or several times.

    Raises:
        Refusal: 400, it is missing, or names more than `most`.
    """
    # Some clients send one parameter with commas in it.
    found = [i for text in request.query_params.getlist(name) for i in text.split(",") if i]
    if not found:
        raise Refusal(400, f"{name} is required")
    if most is not None and len(found) > most:
        raise Refusal(400, f"{name}: at most {most} in one request")
    return found


def number_in(
    request: Request, name: str, default: int, *, least: int = 0, most: int | None = None
) -> int:
    """Return a whole number of the query string.

    Raises:
        Refusal: 400, it is something else, or out of its bounds.
    """
    text = request.query_params.get(name) or str(default)
    largest = _LARGEST_NUMBER if most is None else most
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(_LARGEST_NUMBER)):
        raise Refusal(400, f"{name} must be a whole number, not {text[:40]!r}")
    if not least <= int(text) <= largest:
        raise Refusal(400, f"{name} must be {least} to {largest}")
    return int(text)


def filter_in(request: Request) -> Predicate:
    """Return the predicate of the query string's `filter`.

    Raises:
        Refusal: 400, it is not FQL; the message says where.
    """
    return predicate(request, request.query_params.get("filter", ""))


def predicate(request: Request, text: str) -> Predicate:
    """Return the predicate of an FQL text, relative times seen from the sandbox's clock.

    Raises:
        Refusal: 400, it is not FQL; the message says where.
    """
    try:
        return parse_fql(text, now=request.app.state.sandbox.clock.now())
    except FqlError as exc:
        raise Refusal(400, str(exc)) from exc


def wanted(request: Request, records: Iterable[Record], *, sort: str = "") -> list[Record]:
    """Return the records that the query string's filter lets through, in the order of its sort.

    Raises:
        Refusal: 400, the filter is not FQL, or the sort names no field.
    """
    matches = filter_in(request)
    found = [record for record in records if matches(record)]
    try:
        return sorted_by(found, request.query_params.get("sort", "") or sort)
    except FqlError as exc:
        raise Refusal(400, str(exc)) from exc


def page(
    request: Request, found: Sequence[Any], *, limit: int = 100, most: int | None = None
) -> Response:
    """Answer the page of `found` that the query string's offset and limit name.

    Raises:
        Refusal: 400, either is no whole number, or the limit is out of its bounds.
    """
    offset = number_in(request, "offset", 0)
    size = number_in(request, "limit", limit, least=1, most=most)
    pagination = {"offset": offset, "limit": size, "total": len(found)}
    return answer(found[offset : offset + size], pagination=pagination)
