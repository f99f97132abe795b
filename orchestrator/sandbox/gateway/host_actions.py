"""What may be done to hosts, and what is known of their past.

No sensor answers here, so containment is complete at once, and a host's history is what its record
itself tells. Groups have their routes in `host_groups`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.gateway.envelope import (
    answer,
    caller,
    ids_in,
    object_body,
    problem,
    texts_in,
)
from orchestrator.sandbox.gateway.hosts import HIDDEN
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Record
from orchestrator.units import format_instant, parse_instant

_ACTIONS: Mapping[str, Mapping[str, str]] = {
    "contain": {"status": "contained"},
    "lift_containment": {"status": "normal"},
    "hide_host": {"host_hidden_status": HIDDEN},
    "unhide_host": {"host_hidden_status": "visible"},
    "detection_suppress": {"detection_suppression_status": "suppressed"},
    "detection_unsuppress": {"detection_suppression_status": "unsuppressed"},
}
"""Name of an action to what it makes of a host's record."""
_MOST_ACTED_ON, _MOST_ASKED, _MOST_TAGGED = 100, 500, 5_000
_TAG = "FalconGroupingTags/"
_ONLINE = timedelta(minutes=30)
"""How long after it was last seen a host counts as online; the gateway's own time is not known."""
_LOGINS = (
    ("last_login_user", "last_login_timestamp"),
    ("first_login_user", "first_login_timestamp"),
)
_ADDRESSES = (("local_ip", "mac_address"), ("connection_ip", "connection_mac_address"))


def routes() -> list[BaseRoute]:
    """Return the routes that change hosts, and those of their state and history."""
    entities, combined = "/devices/entities", "/devices/combined/devices"
    return [
        Route(f"{entities}/devices-actions/v2", act, methods=["POST"]),
        Route(f"{entities}/devices-actions-delete/v1", delete, methods=["POST"]),
        Route(f"{entities}/devices/tags/v1", change_tags, methods=["PATCH"]),
        Route(f"{entities}/online-state/v1", online_state),
        Route(f"{combined}/login-history/v1", logins, methods=["POST"]),
        Route(f"{combined}/login-history/v2", logins, methods=["POST"]),
        Route(f"{combined}/network-address-history/v1", addresses, methods=["POST"]),
    ]


async def act(request: Request) -> Response:
    """`POST /devices/entities/devices-actions/v2?action_name=`: contain, hide and their kin."""
    sandbox = caller(request, Right.ADMIN)
    name = request.query_params.get("action_name", "")
    if name not in _ACTIONS:
        raise Refusal(400, f"action_name must be one of {', '.join(_ACTIONS)}")
    ids = texts_in(await object_body(request), "ids", most=_MOST_ACTED_ON)
    change_hosts(sandbox, ids, _ACTIONS[name])
    return _affected(sandbox, ids)


async def delete(request: Request) -> Response:
    """`POST /devices/entities/devices-actions-delete/v1`: hosts go for good."""
    sandbox = caller(request, Right.ADMIN)
    ids = texts_in(await object_body(request), "ids", most=_MOST_ACTED_ON)
    known = [i for i in ids if sandbox.hosts.pop(i, None) is not None]
    sandbox.save()
    return _affected(sandbox, ids, known=known)


async def change_tags(request: Request) -> Response:
    """`PATCH /devices/entities/devices/tags/v1`: add or remove grouping tags."""
    sandbox = caller(request, Right.ADMIN)
    body = await object_body(request)
    ids, tags = texts_in(body, "device_ids", most=_MOST_TAGGED), texts_in(body, "tags")
    action = body.get("action")
    if action not in ("add", "remove"):
        raise Refusal(400, "action must be add or remove")
    wrong = next((tag for tag in tags if not tag.startswith(_TAG) or tag == _TAG), None)
    if wrong is not None:
        raise Refusal(400, f"a tag must be of the form {_TAG}name, not {wrong[:80]!r}")
    outcomes = []
    for device_id in ids:
        host = sandbox.hosts.get(device_id)
        if host is None:
            gone = {"device_id": device_id, "updated": False, "code": 404}
            outcomes.append({**gone, "error": "no such host"})
            continue
        after = with_items(host.get("tags"), tags, is_added=action == "add")
        change_hosts(sandbox, [device_id], {"tags": after})
        outcomes.append({"device_id": device_id, "updated": True, "code": 200})
    sandbox.save()
    return answer(outcomes, written=sum(bool(outcome["updated"]) for outcome in outcomes))


async def online_state(request: Request) -> Response:
    """`GET /devices/entities/online-state/v1?ids=`: by when a host was last seen."""
    sandbox = caller(request, Right.READ)
    now = sandbox.clock.now()
    found = [
        {
            "id": device_id,
            "cid": str(sandbox.hosts[device_id].get("cid", "")),
            "state": _state_of(sandbox.hosts[device_id], now),
            **_present(sandbox.hosts[device_id], {"last_seen": "last_seen"}),
        }
        for device_id in ids_in(request, most=_MOST_ACTED_ON)
        if device_id in sandbox.hosts
    ]
    return answer(found)


async def logins(request: Request) -> Response:
    """`POST …/login-history/v1|v2`: the last and the first login, where the record has them."""

    def recent(host: Record) -> list[dict[str, Any]]:
        return [
            {"user_name": host[user], "login_time": host[time]}
            for user, time in _LOGINS
            if host.get(user) and host.get(time)
        ]

    return await _history(request, "recent_logins", recent)


async def addresses(request: Request) -> Response:
    """`POST …/network-address-history/v1`: the addresses that the record has."""

    def known(host: Record) -> list[dict[str, Any]]:
        named = ({"ip_address": ip, "mac_address": mac} for ip, mac in _ADDRESSES)
        found = [
            _present(host, {**names, "timestamp": "last_seen"})
            for names in named
            if host.get(names["ip_address"])
        ]
        return found if len(found) < 2 or found[0] != found[1] else found[:1]

    return await _history(request, "history", known)


async def _history(
    request: Request, name: str, of: Callable[[Record], list[dict[str, Any]]]
) -> Response:
    sandbox = caller(request, Right.READ)
    ids = texts_in(await object_body(request), "ids", most=_MOST_ASKED)
    known = [sandbox.hosts[i] for i in ids if i in sandbox.hosts]
    return answer(
        [
            {"device_id": host["device_id"], "cid": str(host.get("cid", "")), name: of(host)}
            for host in known
        ]
    )


def change_hosts(sandbox: Sandbox, ids: Sequence[str], changes: Mapping[str, Any]) -> None:
    """Lay the changes over the hosts' records; `save` makes it last."""
    now = format_instant(sandbox.clock.now())
    for device_id in ids:
        host = sandbox.hosts.get(device_id)
        if host is not None and any(host.get(name) != value for name, value in changes.items()):
            sandbox.hosts[device_id] = {**host, **changes, "modified_timestamp": now}


def _affected(sandbox: Sandbox, ids: Sequence[str], known: Sequence[str] | None = None) -> Response:
    """Answer 202 with the hosts that there are, and an error for each of the others."""
    found = [i for i in ids if i in sandbox.hosts] if known is None else known
    if not found:
        raise Refusal(404, f"host {ids[0][:80]!r} not found")
    sandbox.save()
    missing = [problem(404, "no such host", about=i) for i in ids if i not in found]
    entities = [{"id": i, "path": f"/devices/entities/devices/v2?ids={i}"} for i in found]
    return answer(entities, written=len(found), errors=missing, status=202)


def with_items(before: object, items: Sequence[str], *, is_added: bool) -> list[str]:
    """Return a record's list with the items added, or without them; of no list, an empty one."""
    kept = [str(item) for item in before] if isinstance(before, list) else []
    if is_added:
        return list(dict.fromkeys([*kept, *items]))
    return [item for item in kept if item not in items]


def _state_of(host: Record, now: datetime) -> str:
    try:
        seen = parse_instant(str(host.get("last_seen", "")))
    except ValueError:
        return "unknown"
    return "online" if now - seen <= _ONLINE else "offline"


def _present(host: Record, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the members that the host has, under other names."""
    return {name: host[member] for name, member in names.items() if host.get(member)}
