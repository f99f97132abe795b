"""What the wire forms of assets have in common, and saved queries, read and written.

Units end here: seconds and relative times become durations, `null` becomes None. Writers send every
optional member that the server documents, since an update replaces everything; what a server of the
version cannot hold is refused, never left out.
Source: GraphQL schema of server 1.204; humio/humio-operator for the rules of timestamp types.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypedDict

from orchestrator.client.http.members import SECOND, Members
from orchestrator.client.types import (
    Asset,
    LegacyAlert,
    QueryOwner,
    QueryOwnership,
    SavedQuery,
    ScheduledSearch,
    TimestampType,
    Trigger,
    TriggerHealth,
)
from orchestrator.errors import RequestRejected
from orchestrator.units import parse_duration

Write = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteContext:
    """What an input needs besides the asset."""

    view: str
    ownership: QueryOwnership
    """Of what names no owner."""
    action_ids: Mapping[str, str] = field(default_factory=dict)
    """Action ids by name; filled only for rows that need ids."""
    current: Asset | None = None
    """What an update replaces."""


# --- members that many kinds have


def _action_names(members: Members, name: str) -> tuple[str, ...]:
    """Return the names by which a trigger refers to its actions, sorted."""
    return tuple(sorted(action.text("name") for action in members.members(name)))


def seconds(members: Members, name: str) -> timedelta:
    """Return a whole number of seconds as the time it stands for."""
    return members.span(name, unit=SECOND)


def optional_seconds(members: Members, name: str) -> timedelta | None:
    """Return a whole number of seconds as the time it stands for, or None."""
    return seconds(members, name) if name in members else None


def moment(members: Members, name: str) -> datetime | None:
    """Return an instant in epoch ms, or None for an absent or null one."""
    return members.epoch_ms(name) if name in members else None


def modified_at(members: Members) -> datetime | None:
    """Return when an asset was changed last; None where it was not asked for."""
    return moment(members.optional_member("modifiedInfo"), "modifiedAt")


def relative(members: Members, name: str) -> timedelta:
    """Return how long before now a relative time is."""
    text = members.text(name)
    try:
        return timedelta(0) if text == "now" else parse_duration(text)
    except ValueError as exc:
        raise members.wrong(name, "a relative time such as 24h") from exc


def timestamp_type(members: Members) -> TimestampType:
    """Return which time a query reads."""
    text = members.text("queryTimestampType")
    if text not in set(TimestampType):
        raise members.wrong("queryTimestampType", "EventTimestamp or IngestTimestamp")
    return TimestampType(text)


def _query_owner(members: Members) -> QueryOwner | None:
    """Return who a trigger runs as; None for an owner of a sort that is not known."""
    found = members.optional_member("queryOwnership")
    match found.text("__typename", ""):
        case "OrganizationOwnership":
            return QueryOwner(ownership=QueryOwnership.ORGANIZATION)
        case "UserOwnership":
            return QueryOwner(ownership=QueryOwnership.USER, user_id=found.text("id", ""))
        case _:
            return None


def _trigger_health(members: Members, *, triggered: str) -> TriggerHealth:
    """Return how a trigger fares; `triggered` is the member that says when it fired last."""
    return TriggerHealth(
        last_error=members.text("lastError", ""),
        last_error_at=moment(members, "lastErrorTime"),
        last_warnings=members.texts("lastWarnings"),
        last_triggered_at=moment(members, triggered),
        last_poll_at=moment(members, "lastSuccessfulPoll"),
        searched_until=moment(members, "lastExecuted"),
        next_run_at=moment(members, "timeOfNextPlannedExecution"),
    )


class TriggerMembers(TypedDict):
    """What every kind of trigger is read with, by the names of its members."""

    id: str
    name: str
    description: str
    query: str
    labels: tuple[str, ...]
    enabled: bool
    actions: tuple[str, ...]
    owner: QueryOwner | None
    health: TriggerHealth
    raw: Mapping[str, object]


def read_trigger(
    members: Members, *, actions: str = "actions", triggered: str = "lastTriggered"
) -> TriggerMembers:
    """Return what every trigger has.

    Args:
        members: The trigger as the server describes it.
        actions: The member that holds its actions as objects.
        triggered: The member that says when it fired last.
    """
    return {
        "id": members.text("id"),
        "name": members.text("name"),
        "description": members.text("description", ""),
        "query": members.text("queryString"),
        "labels": members.texts("labels"),
        "enabled": members.flag("enabled"),
        "actions": _action_names(members, actions),
        "owner": _query_owner(members),
        "health": _trigger_health(members, triggered=triggered),
        "raw": members.raw,
    }


def trigger_input(asset: Trigger, context: WriteContext) -> Write:
    """Return the members of an input that every trigger has, without its actions."""
    owner = asset.owner or QueryOwner(ownership=context.ownership)
    return {
        "viewName": context.view,
        "name": asset.name,
        "description": asset.description,
        "queryString": asset.query,
        "enabled": asset.enabled,
        "labels": list(asset.labels),
        "queryOwnershipType": owner.ownership.value,
        **optional(runAsUserId=owner.user_id or None),
    }


def optional(**members: object) -> Write:
    """Return the members that are not None: the servers' treatment of null is not documented."""
    return {name: value for name, value in members.items() if value is not None}


def action_ids(asset: ScheduledSearch | LegacyAlert, context: WriteContext) -> list[str]:
    """Return the ids of an asset's actions, for inputs that take no names.

    Raises:
        RequestRejected: An action does not exist.
    """
    missing = [name for name in asset.actions if name not in context.action_ids]
    if missing:
        raise RequestRejected(f"{asset.name}: no action is called {missing[0]}")
    return [context.action_ids[name] for name in asset.actions]


# --- saved queries


def read_saved_query(members: Members) -> SavedQuery:
    """Return a saved search; `UnexpectedResponse` if a member is missing or of another type."""
    query = members.member("query")
    return SavedQuery(
        id=members.text("id"),
        name=members.text("name"),
        description=members.text("description", ""),
        query=query.text("queryString"),
        labels=members.texts("labels"),
        start=query.optional_text("start"),
        end=query.optional_text("end"),
        is_live=query.flag("isLive") if "isLive" in query else None,
        widget_type=members.optional_text("widgetType"),
        options=_options(members),
        modified_at=modified_at(members),
        raw=members.raw,
    )


def _options(members: Members) -> Mapping[str, object] | None:
    # The schema says any JSON; what is no object is for nobody to change.
    found = members.raw.get("options")
    return found if isinstance(found, dict) else None


def write_saved_query(asset: SavedQuery, context: WriteContext) -> Write:
    """Return the input of a create or update."""
    return {
        **_query_input(asset, context),
        "description": asset.description,
        "labels": list(asset.labels),
    }


def write_old_saved_query(asset: SavedQuery, context: WriteContext) -> Write:
    """Return the input for servers whose saved searches take no labels and no description.

    Raises:
        RequestRejected: The asset has labels, or another description than is there.
    """
    there = context.current.description if context.current is not None else ""
    if asset.labels or asset.description != there:
        raise RequestRejected(
            f"{asset.name}: servers before 1.204 take no labels and no description of a saved query"
        )
    return _query_input(asset, context)


def _query_input(asset: SavedQuery, context: WriteContext) -> Write:
    return {
        "viewName": context.view,
        "name": asset.name,
        "queryString": asset.query,
        **optional(
            start=asset.start,
            end=asset.end,
            isLive=asset.is_live,
            widgetType=asset.widget_type,
            # JSON when read, a text of JSON when written.
            options=None if asset.options is None else json.dumps(asset.options),
        ),
    }
