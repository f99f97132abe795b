"""Hosts: the devices that the sandbox was told of, read as the gateway serves them.

They come through `PUT /_sandbox/hosts`, and change through the routes in `host_actions`.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.gateway.envelope import (
    answer,
    caller,
    ids_in,
    number_in,
    object_body,
    page,
    texts_in,
    wanted,
)
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Record
from orchestrator.units import to_epoch_ms

SCROLL_LIFE = timedelta(minutes=2)
HIDDEN = "hidden"
_MOST_IDS_GET, _MOST_IDS_POST = 100, 5_000
_MOST_NUMBERED, _MOST_AT_ONCE = 5_000, 10_000
_LAST_OFFSET = 10_000
_NS_PER_MS = 1_000_000


def routes() -> list[BaseRoute]:
    """Return the routes that read hosts."""
    queries, combined = "/devices/queries", "/devices/combined"
    return [
        Route(f"{queries}/devices/v1", _numbered(hidden=False)),
        Route(f"{queries}/devices-hidden/v1", _numbered(hidden=True)),
        Route(f"{queries}/devices-scroll/v1", scroll),
        Route(f"{combined}/devices/v1", _combined(hidden=False)),
        Route(f"{combined}/devices-hidden/v1", _combined(hidden=True)),
        Route("/devices/entities/devices/v1", details),
        Route("/devices/entities/devices/v2", details),
        Route("/devices/entities/devices/v2", details_by_body, methods=["POST"]),
    ]


def _numbered(*, hidden: bool) -> Callable[[Request], Any]:
    async def page_of_ids(request: Request) -> Response:
        """`GET /devices/queries/devices/v1`: ids by a numeric offset, up to 10 000 in all."""
        found = _found(request, hidden=hidden)
        limit = number_in(request, "limit", 100, least=1, most=_MOST_NUMBERED)
        if number_in(request, "offset", 0) + limit > _LAST_OFFSET:
            raise Refusal(400, f"offset and limit must not go beyond {_LAST_OFFSET}")
        return page(request, [host["device_id"] for host in found], most=_MOST_NUMBERED)

    return page_of_ids


async def scroll(request: Request) -> Response:
    """`GET /devices/queries/devices-scroll/v1`: ids by an opaque offset that soon expires."""
    sandbox = caller(request, Right.READ)
    limit = number_in(request, "limit", 100, least=1, most=_MOST_AT_ONCE)
    token = request.query_params.get("offset", "")
    if token:
        rest = sandbox.scrolls.pop(token, None)
        if rest is None or rest.expires <= sandbox.clock.monotonic():
            raise Refusal(400, "the offset is not valid or has expired")
        ids, total = rest.ids, rest.total
    else:
        ids = tuple(host["device_id"] for host in _found(request, hidden=False))
        total = len(ids)
    pagination: dict[str, object] = {"offset": "", "total": total, "limit": limit}
    if ids[limit:]:
        following = secrets.token_urlsafe(24)
        expires = sandbox.clock.monotonic() + SCROLL_LIFE.total_seconds()
        sandbox.keep_scroll(following, ids=ids[limit:], total=total, expires=expires)
        expires_ms = to_epoch_ms(sandbox.clock.now() + SCROLL_LIFE)
        pagination |= {"offset": following, "expires_at": expires_ms * _NS_PER_MS}
    return answer(ids[:limit], pagination=pagination)


def _combined(*, hidden: bool) -> Callable[[Request], Any]:
    async def combined(request: Request) -> Response:
        """`GET /devices/combined/devices/v1`: whole records, or the members that `fields` names."""
        found = _found(request, hidden=hidden, sort="device_id.asc")
        limit = number_in(request, "limit", 100, least=1, most=_MOST_AT_ONCE)
        token = request.query_params.get("offset", "")
        first = _place_after(token, [host["device_id"] for host in found]) if token else 0
        shown = found[first : first + limit]
        names = [name for name in request.query_params.get("fields", "").split(",") if name]
        is_last = first + limit >= len(found)
        pagination = {
            "offset": token,
            "next": "" if is_last else _token_of(shown[-1]["device_id"]),
            "limit": limit,
            "total": len(found),
        }
        return answer([_only(host, names) for host in shown], pagination=pagination)

    return combined


async def details(request: Request) -> Response:
    """`GET /devices/entities/devices/v2?ids=`: up to 100."""
    sandbox = caller(request, Right.READ)
    return _details(sandbox, ids_in(request, most=_MOST_IDS_GET))


async def details_by_body(request: Request) -> Response:
    """`POST /devices/entities/devices/v2`: up to 5000, as `{"ids": [...]}`."""
    sandbox = caller(request, Right.READ)
    return _details(sandbox, texts_in(await object_body(request), "ids", most=_MOST_IDS_POST))


def is_hidden(host: Record) -> bool:
    """Return whether the host was hidden from all listings but that of hidden ones."""
    return host.get("host_hidden_status") == HIDDEN


def _details(sandbox: Sandbox, ids: Sequence[str]) -> Response:
    return answer([sandbox.hosts[i] for i in ids if i in sandbox.hosts])


def _found(request: Request, *, hidden: bool, sort: str = "") -> list[Record]:
    sandbox = caller(request, Right.READ)
    hosts = (h for h in sandbox.hosts.values() if is_hidden(h) is hidden)
    return wanted(request, hosts, sort=sort)


def _token_of(device_id: str) -> str:
    # The last id seen: it needs no memory, and new hosts do not shift the pages.
    return base64.urlsafe_b64encode(device_id.encode()).decode()


def _place_after(token: str, ids: Sequence[str]) -> int:
    try:
        return ids.index(base64.urlsafe_b64decode(token).decode()) + 1
    except (binascii.Error, ValueError) as exc:
        raise Refusal(400, "the offset is not valid") from exc


def _only(host: Record, names: Sequence[str]) -> Record:
    return {name: host[name] for name in names if name in host} if names else host
