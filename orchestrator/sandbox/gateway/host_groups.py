"""Host groups: made, read, changed, and whose hosts are in them.

A host's record names the static groups that it is in; one that only a record names is a group too.
The members of a dynamic group are those that its rule finds when it is asked for them: their
records do not name it.
Source: CrowdStrike gofalcon (host_groups models) and falconpy.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
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
    page,
    predicate,
    texts_in,
    wanted,
)
from orchestrator.sandbox.gateway.host_actions import change_hosts, with_items
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Record
from orchestrator.units import format_instant

_DYNAMIC = "dynamic"
_TYPES = ("static", _DYNAMIC, "staticByID")
_TEXTS = ("name", "description", "assignment_rule")
_MOST = 5_000


def routes() -> list[BaseRoute]:
    """Return the routes of host groups and of their members."""
    groups = "/devices/entities/host-groups/v1"
    return [
        Route("/devices/combined/host-groups/v1", _listing(lambda group: group)),
        Route("/devices/queries/host-groups/v1", _listing(lambda group: group["id"])),
        Route("/devices/combined/host-group-members/v1", _members(lambda host: host)),
        Route("/devices/queries/host-group-members/v1", _members(lambda host: host["device_id"])),
        Route(groups, read),
        Route(groups, create, methods=["POST"]),
        Route(groups, update, methods=["PATCH"]),
        Route(groups, delete, methods=["DELETE"]),
        Route("/devices/entities/host-group-actions/v1", act, methods=["POST"]),
        Route("/devices/entities/group-actions/v1", change_members, methods=["POST"]),
    ]


def _listing(shown: Callable[[Record], object]) -> Callable[[Request], Any]:
    async def listing(request: Request) -> Response:
        """`GET …/host-groups/v1`: whole or by id, by filter and sort."""
        groups = _groups(caller(request, Right.READ))
        found = wanted(request, groups.values(), sort="name.asc")
        return page(request, [shown(group) for group in found], most=_MOST)

    return listing


def _members(shown: Callable[[Record], object]) -> Callable[[Request], Any]:
    async def members(request: Request) -> Response:
        """`GET …/host-group-members/v1?id=`: hosts, whole or by id."""
        sandbox = caller(request, Right.READ)
        group = _found(_groups(sandbox), ids_in(request, "id", most=1)[0])
        is_member = _membership(request, group)
        hosts = [host for host in sandbox.hosts.values() if is_member(host)]
        found = wanted(request, hosts, sort="device_id.asc")
        return page(request, [shown(host) for host in found], most=_MOST)

    return members


async def read(request: Request) -> Response:
    """`GET /devices/entities/host-groups/v1?ids=`."""
    groups = _groups(caller(request, Right.READ))
    return answer([_found(groups, group_id) for group_id in ids_in(request)])


async def create(request: Request) -> Response:
    """`POST /devices/entities/host-groups/v1`: an object whose `resources` are groups."""
    sandbox = caller(request, Right.ADMIN)
    groups, now = _groups(sandbox), format_instant(sandbox.clock.now())
    made: list[Record] = []
    for given in _resources(await object_body(request)):
        group_type = given.get("group_type")
        if group_type not in _TYPES:
            raise Refusal(400, f"group_type must be one of {', '.join(_TYPES)}")
        blank = _blank(secrets.token_hex(16), group_type=group_type, now=now) | {"name": ""}
        group = _changed(blank, given, now=now)
        _put(request, groups, group)
        made.append(group)
    _keep(sandbox, groups)
    return answer(made, written=len(made), status=201)


async def update(request: Request) -> Response:
    """`PATCH /devices/entities/host-groups/v1`: by `id` in `resources`; what is absent stays."""
    sandbox = caller(request, Right.ADMIN)
    groups, now = _groups(sandbox), format_instant(sandbox.clock.now())
    changed: list[Record] = []
    for given in _resources(await object_body(request)):
        group = _changed(_found(groups, str(given.get("id", ""))), given, now=now)
        _put(request, groups, group)
        changed.append(group)
    _keep(sandbox, groups)
    return answer(changed, written=len(changed))


async def delete(request: Request) -> Response:
    """`DELETE /devices/entities/host-groups/v1?ids=`: groups; their hosts stay."""
    sandbox = caller(request, Right.ADMIN)
    groups = _groups(sandbox)
    ids = list(dict.fromkeys(_found(groups, group_id)["id"] for group_id in ids_in(request)))
    _regroup(sandbox, ids, lambda _host: True, is_added=False)
    _keep(sandbox, {i: group for i, group in groups.items() if i not in ids})
    return answer(ids, written=len(ids))


async def act(request: Request) -> Response:
    """`POST …/host-group-actions/v1?action_name=`: hosts that a filter finds join or leave."""
    sandbox = caller(request, Right.ADMIN)
    action, body = request.query_params.get("action_name"), await object_body(request)
    if action not in ("add-hosts", "remove-hosts"):
        raise Refusal(400, "action_name must be add-hosts or remove-hosts")
    return _changed_members(
        sandbox,
        texts_in(body, "ids"),
        predicate(request, _filter_of(body)),
        is_added=action == "add-hosts",
    )


async def change_members(request: Request) -> Response:
    """`POST /devices/entities/group-actions/v1?ids=&action_name=`: the same, and all at once."""
    sandbox = caller(request, Right.ADMIN)
    ids, action = ids_in(request), request.query_params.get("action_name", "")
    if action not in ("add_group_member", "remove_group_member", "remove_all"):
        raise Refusal(
            400, "action_name must be add_group_member, remove_group_member or remove_all"
        )
    text = "" if action == "remove_all" else _filter_of(await object_body(request))
    matches = predicate(request, text)
    return _changed_members(sandbox, ids, matches, is_added=action == "add_group_member")


def _changed_members(
    sandbox: Sandbox, ids: list[str], matches: Callable[[Record], bool], *, is_added: bool
) -> Response:
    groups = _groups(sandbox)
    found = [_found(groups, group_id) for group_id in ids]
    dynamic = next((group for group in found if group["group_type"] == _DYNAMIC), None)
    if dynamic is not None:
        raise Refusal(400, f"host group {dynamic['name'][:80]!r} finds its members by its rule")
    _regroup(sandbox, ids, matches, is_added=is_added)
    _keep(sandbox, groups)
    return answer(found, written=len(found))


def _regroup(
    sandbox: Sandbox, ids: list[str], matches: Callable[[Record], bool], *, is_added: bool
) -> None:
    for device_id, host in list(sandbox.hosts.items()):
        joined = with_items(host.get("groups"), ids, is_added=is_added)
        if matches(host) and joined != (host.get("groups") or []):
            change_hosts(sandbox, [device_id], {"groups": joined})


def _shelf(sandbox: Sandbox) -> dict[str, Record]:
    return sandbox.content.setdefault("host groups", {})


def _groups(sandbox: Sandbox) -> dict[str, Record]:
    """Return all groups by id: those that were made, then those that hosts alone name."""
    now = format_instant(sandbox.clock.now())
    named = (str(group) for host in sandbox.hosts.values() for group in host.get("groups") or ())
    kept = _shelf(sandbox)
    ids = dict.fromkeys([*kept, *named])
    return {i: _blank(i, group_type="static", now=now) | kept.get(i, {}) for i in ids}


def _keep(sandbox: Sandbox, groups: Mapping[str, Record]) -> None:
    sandbox.content["host groups"] = dict(groups)
    sandbox.save()


def _blank(group_id: str, *, group_type: str, now: str) -> Record:
    return {
        "id": group_id,
        "name": group_id,
        "description": "",
        "group_type": group_type,
        "created_by": "sandbox",
        "created_timestamp": now,
        "modified_by": "sandbox",
        "modified_timestamp": now,
    }


def _resources(body: Record) -> list[Record]:
    found = body.get("resources")
    if not isinstance(found, list) or not found or not all(isinstance(g, dict) for g in found):
        raise Refusal(400, "resources must be an array of objects, and not empty")
    return found


def _changed(group: Record, given: Record, *, now: str) -> Record:
    # The vendor's own clients write null for what they leave out.
    texts = {name: given[name] for name in _TEXTS if given.get(name) is not None}
    wrong = next((name for name, text in texts.items() if not isinstance(text, str)), None)
    if wrong is not None:
        raise Refusal(400, f"{wrong} must be a text")
    if texts.get("assignment_rule") and group["group_type"] != _DYNAMIC:
        raise Refusal(400, "assignment_rule: only a dynamic group has one")
    return {**group, **texts, "modified_timestamp": now}


def _put(request: Request, groups: dict[str, Record], group: Record) -> None:
    if not group["name"]:
        raise Refusal(400, "name must not be empty")
    if any(g["name"] == group["name"] and g["id"] != group["id"] for g in groups.values()):
        raise Refusal(409, f"a host group {group['name'][:80]!r} exists already")
    predicate(request, group.get("assignment_rule", ""))
    groups[group["id"]] = group


def _membership(request: Request, group: Record) -> Callable[[Record], bool]:
    if group["group_type"] != _DYNAMIC:
        return lambda host: group["id"] in (host.get("groups") or ())
    rule = group.get("assignment_rule", "")
    # Without a rule a group is empty, where a filter without a text finds all.
    return predicate(request, rule) if rule else lambda _host: False


def _found(groups: Mapping[str, Record], group_id: str) -> Record:
    found = groups.get(group_id)
    if found is None:
        raise Refusal(404, f"host group {group_id[:80]!r} not found")
    return found


def _filter_of(body: Record) -> str:
    parameters = body.get("action_parameters")
    for parameter in parameters if isinstance(parameters, list) else ():
        if isinstance(parameter, dict) and parameter.get("name") == "filter":
            text = str(parameter.get("value", ""))
            if text.strip():
                return text
    raise Refusal(400, "action_parameters must have a filter")
