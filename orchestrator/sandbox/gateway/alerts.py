"""Alerts: what correlation rules raised, read and worked on as the vendor's Alerts service does.

Only rules make them, see `triggers.detections`; an alert has the members that a rule's run knows.
The deprecated versions name alerts by `ids`; what those are is not published, so that an alert's
`id` and its composite id are both taken.
Source: CrowdStrike falconpy and gofalcon, alerts.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.gateway.envelope import (
    answer,
    caller,
    object_body,
    page,
    predicate,
    problem,
    texts_in,
    wanted,
)
from orchestrator.sandbox.gateway.fql import FqlError, sorted_by
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Record
from orchestrator.sandbox.triggers.delivery import ALERTS
from orchestrator.units import format_instant

Change = Callable[[Mapping[str, Any]], Mapping[str, Any]]
_MOST_IDS = 1_000
_PAGE, _MOST_PAGE = 100, 1_000
_MOST_DIGITS = 9
_SORT = "timestamp|desc"
_ASSIGNED = ("assigned_to_name", "assigned_to_uid", "assigned_to_uuid")
_STATUSES = ("new", "in_progress", "reopened", "closed")


def routes() -> list[BaseRoute]:
    """Return the routes of alerts."""
    return [
        Route("/alerts/queries/alerts/v1", _query("id")),
        Route("/alerts/queries/alerts/v2", _query("composite_id")),
        Route("/alerts/entities/alerts/v1", _read("ids"), methods=["POST"]),
        Route("/alerts/entities/alerts/v2", _read("composite_ids"), methods=["POST"]),
        Route("/alerts/combined/alerts/v1", combined, methods=["POST"]),
        Route("/alerts/entities/alerts/v1", _update("ids"), methods=["PATCH"]),
        Route("/alerts/entities/alerts/v2", _update("ids"), methods=["PATCH"]),
        Route("/alerts/entities/alerts/v3", _update("composite_ids"), methods=["PATCH"]),
    ]


def _query(shown: str) -> Callable[[Request], Any]:
    async def query(request: Request) -> Response:
        """`GET /alerts/queries/alerts/v2`: ids, newest first unless a sort says otherwise."""
        text = request.query_params.get("q", "").casefold()
        found = wanted(request, _visible(request), sort=_SORT)
        ids = [a[shown] for a in found if text in f"{a['name']}\n{a['description']}".casefold()]
        return page(request, ids, limit=_PAGE, most=10_000)

    return query


def _read(member: str) -> Callable[[Request], Any]:
    async def read(request: Request) -> Response:
        """`POST /alerts/entities/alerts/v2`: up to 1000 by id; others are left out."""
        alerts = _visible(request)
        known = {alert["composite_id"]: alert for alert in alerts}
        places = _places(alerts, member)
        ids = texts_in(await object_body(request), member, most=_MOST_IDS)
        return answer([known[places[i]] for i in ids if i in places])

    return read


async def combined(request: Request) -> Response:
    """`POST /alerts/combined/alerts/v1`: whole alerts, page after page by the token `after`."""
    alerts = _visible(request)
    body = await object_body(request)
    limit = body.get("limit", _PAGE)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _MOST_PAGE:
        raise Refusal(400, f"limit must be 1 to {_MOST_PAGE}")
    matches = predicate(request, str(body.get("filter") or ""))
    try:
        found = sorted_by([a for a in alerts if matches(a)], str(body.get("sort") or _SORT))
    except FqlError as exc:
        raise Refusal(400, str(exc)) from exc
    first = _place_of(str(body.get("after") or ""))
    pagination: dict[str, object] = {"limit": limit, "total": len(found)}
    if first + limit < len(found):
        pagination["after"] = base64.urlsafe_b64encode(str(first + limit).encode()).decode()
    return answer(found[first : first + limit], pagination=pagination)


def _update(member: str) -> Callable[[Request], Any]:
    async def update(request: Request) -> Response:
        """`PATCH /alerts/entities/alerts/v3`: action parameters, applied to each alert in order.

        Tags are taken away before others are added.
        """
        sandbox = caller(request, Right.CHANGE_TRIGGERS)
        body = await object_body(request)
        ids = texts_in(body, member, most=_MOST_IDS)
        parameters = sorted(_parameters(body), key=lambda given: given.get("name") == "add_tag")
        changes = [_change_of(parameter) for parameter in parameters]
        alerts = sandbox.content.setdefault(ALERTS, {})
        places = _places(alerts.values(), member)
        for place in (places[i] for i in ids if i in places):
            alert = dict(alerts[place])
            for change in changes:
                alert |= change(alert)
            alerts[place] = alert | {"updated_timestamp": format_instant(sandbox.clock.now())}
        sandbox.save()
        missing = [problem(404, "no such alert", about=i) for i in ids if i not in places]
        return answer([], written=len(ids) - len(missing), errors=missing)

    return update


def _places(alerts: Iterable[Record], member: str) -> dict[str, str]:
    """Return what a request may call each alert, by its `member`, to the alert's composite id."""
    names = ("composite_id", "id") if member == "ids" else ("composite_id",)
    return {alert[name]: alert["composite_id"] for alert in alerts for name in names}


def _visible(request: Request) -> list[Record]:
    sandbox: Sandbox = caller(request, Right.READ)
    with_hidden = request.query_params.get("include_hidden", "true").lower() != "false"
    alerts = sandbox.content.get(ALERTS, {}).values()
    return [alert for alert in alerts if with_hidden or alert["show_in_ui"]]


def _place_of(after: str) -> int:
    try:
        text = base64.urlsafe_b64decode(after).decode("ascii") or "0"
    except (binascii.Error, ValueError) as exc:
        raise Refusal(400, "after is not valid") from exc
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise Refusal(400, "after is not valid")
    return int(text)


def _parameters(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = body.get("action_parameters")
    if not isinstance(found, list) or not found or not all(isinstance(p, dict) for p in found):
        raise Refusal(400, "action_parameters must be an array of objects, and not empty")
    return found


def _change_of(parameter: Mapping[str, Any]) -> Change:
    """Return what an action parameter makes of an alert's members.

    Raises:
        Refusal: 400, no such action, or a value that it does not take.
    """
    name, value = str(parameter.get("name", "")), str(parameter.get("value", ""))
    match name:
        case "update_status":
            if value not in _STATUSES:
                raise Refusal(400, f"update_status must be one of {', '.join(_STATUSES)}")
            return lambda _alert: {"status": value}
        case "add_tag":
            return lambda alert: {"tags": list(dict.fromkeys([*alert["tags"], value]))}
        case "remove_tag":
            return lambda alert: {"tags": [tag for tag in alert["tags"] if tag != value]}
        case "remove_tags_by_prefix":
            return lambda alert: {"tags": [t for t in alert["tags"] if not t.startswith(value)]}
        case "show_in_ui":
            return lambda _alert: {"show_in_ui": value.lower() == "true"}
        case "append_comment":
            return lambda alert: {"comments": [*alert.get("comments", []), {"value": value}]}
        case "assign_to_name":
            return lambda _alert: {"assigned_to_name": value}
        case "assign_to_user_id":
            return lambda _alert: {"assigned_to_uid": value}
        case "assign_to_uuid":
            return lambda _alert: {"assigned_to_uuid": value}
        case "unassign":
            return lambda _alert: dict.fromkeys(_ASSIGNED, "")
        case _:
            raise Refusal(400, f"the action {name[:80]!r} is not known")
