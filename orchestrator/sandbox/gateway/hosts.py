"""Hosts: the devices that the sandbox was told of, read as the gateway serves them.

They come through `PUT /_sandbox/hosts`; nothing else makes or changes one.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal, json_answer
from orchestrator.sandbox.domains import Record
from orchestrator.sandbox.gateway.envelope import caller, envelope, json_body, number_in
from orchestrator.sandbox.gateway.fql import FqlError, parse_fql
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox

SCROLL_LIFE = timedelta(minutes=2)
_MOST_IDS_GET, _MOST_IDS_POST = 100, 5_000
_LAST_OFFSET = 10_000


def routes() -> list[BaseRoute]:
    """Return the routes of hosts."""
    return [
        Route("/devices/queries/devices/v1", page_of_ids),
        Route("/devices/queries/devices-scroll/v1", scroll),
        Route("/devices/combined/devices/v1", combined),
        Route("/devices/entities/devices/v2", details),
        Route("/devices/entities/devices/v2", details_by_body, methods=["POST"]),
    ]


async def page_of_ids(request: Request) -> Response:
    """`GET /devices/queries/devices/v1`: ids by a numeric offset, up to 10 000 in all."""
    found = _wanted(request, default_sort="")
    offset, limit = number_in(request, "offset", 0), _limit(request, most=5_000)
    if offset + limit > _LAST_OFFSET:
        raise Refusal(400, f"offset and limit must not go beyond {_LAST_OFFSET}")
    pagination: dict[str, object] = {"offset": offset, "limit": limit, "total": len(found)}
    page = [host["device_id"] for host in found[offset : offset + limit]]
    return json_answer(envelope(page, pagination=pagination))


async def scroll(request: Request) -> Response:
    """`GET /devices/queries/devices-scroll/v1`: ids by an opaque offset that soon expires."""
    sandbox = caller(request, Right.READ)
    token, limit = request.query_params.get("offset", ""), _limit(request, most=10_000)
    if token:
        rest = sandbox.scrolls.pop(token, None)
        if rest is None or rest.expires <= sandbox.clock.monotonic():
            raise Refusal(400, "the offset is not valid or has expired")
        ids, total = rest.ids, rest.total
    else:
        ids = tuple(host["device_id"] for host in _wanted(request, default_sort=""))
        total = len(ids)
    following = ""
    if ids[limit:]:
        following = secrets.token_urlsafe(24)
        expires = sandbox.clock.monotonic() + SCROLL_LIFE.total_seconds()
        sandbox.keep_scroll(following, ids=ids[limit:], total=total, expires=expires)
    pagination: dict[str, object] = {"offset": following, "total": total, "limit": limit}
    return json_answer(envelope(ids[:limit], pagination=pagination))


async def combined(request: Request) -> Response:
    """`GET /devices/combined/devices/v1`: whole records, or the members that `fields` names."""
    found = _wanted(request, default_sort="device_id.asc")
    limit, token = _limit(request, most=10_000), request.query_params.get("offset", "")
    # The token is the last id seen: it needs no memory, and new hosts do not shift the pages.
    ids = [host["device_id"] for host in found]
    first = ids.index(token) + 1 if token in ids else 0
    page = found[first : first + limit]
    names = [name for name in request.query_params.get("fields", "").split(",") if name]
    shown = [_only(host, names) for host in page]
    is_last = first + limit >= len(found)
    pagination: dict[str, object] = {"limit": limit, "total": len(found)}
    pagination["next"] = "" if is_last else page[-1]["device_id"]
    return json_answer(envelope(shown, pagination=pagination))


async def details(request: Request) -> Response:
    """`GET /devices/entities/devices/v2?ids=`: up to 100."""
    sandbox = caller(request, Right.READ)
    return _details(sandbox, request.query_params.getlist("ids"), most=_MOST_IDS_GET)


async def details_by_body(request: Request) -> Response:
    """`POST /devices/entities/devices/v2`: up to 5000, as `{"ids": [...]}`."""
    sandbox = caller(request, Right.READ)
    body = await json_body(request)
    ids = body.get("ids") if isinstance(body, dict) else None
    if not isinstance(ids, list):
        raise Refusal(400, "ids must be an array")
    return _details(sandbox, [str(item) for item in ids], most=_MOST_IDS_POST)


def _details(sandbox: Sandbox, ids: Sequence[str], *, most: int) -> Response:
    if len(ids) > most:
        raise Refusal(400, f"at most {most} ids in one request")
    return json_answer(envelope([sandbox.hosts[i] for i in ids if i in sandbox.hosts]))


def _wanted(request: Request, *, default_sort: str) -> list[Record]:
    sandbox = caller(request, Right.READ)
    try:
        matches = parse_fql(request.query_params.get("filter", ""))
    except FqlError as exc:
        raise Refusal(400, str(exc)) from exc
    found = [host for host in sandbox.hosts.values() if matches(host)]
    sort = request.query_params.get("sort", "") or default_sort
    name, _, direction = sort.replace("|", ".").partition(".")
    if name:
        found.sort(key=lambda host: str(host.get(name, "")), reverse=direction == "desc")
    return found


def _limit(request: Request, *, most: int) -> int:
    limit = number_in(request, "limit", 100)
    if not 1 <= limit <= most:
        raise Refusal(400, f"limit must be 1 to {most}")
    return limit


def _only(host: Record, names: Sequence[str]) -> dict[str, Any]:
    return {name: host[name] for name in names if name in host} if names else host
