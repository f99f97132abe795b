"""How the assets of GraphQL are read and written, two functions for each.

Units end here: seconds and relative times become durations, `null` becomes None. Writers send every
optional member that the server documents, since an update replaces everything.
Source: GraphQL schema of server 1.204; humio/humio-operator for the rules of timestamp types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from orchestrator.client.http.members import Members
from orchestrator.client.types import (
    AggregateAlert,
    FilterAlert,
    LegacyAlert,
    SavedQuery,
    ScheduledSearch,
    TimestampType,
)
from orchestrator.errors import RequestRejected
from orchestrator.units import parse_duration

_SECOND, _MS = timedelta(seconds=1), timedelta(milliseconds=1)


class QueryOwnership(StrEnum):
    """Whose rights a stored query runs with."""

    USER = "User"
    """The token's user; such a search stops when the person leaves."""
    ORGANIZATION = "Organization"
    """The organization; the token needs the right to own such queries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteContext:
    """What an input needs besides the asset."""

    view: str
    ownership: QueryOwnership
    action_ids: Mapping[str, str] = field(default_factory=dict)
    """Action ids by name; filled only for rows that need ids."""


Write = dict[str, object]


def _action_names(members: Members, name: str) -> tuple[str, ...]:
    return tuple(sorted(action.text("name") for action in members.members(name)))


def _seconds(members: Members, name: str) -> timedelta:
    return members.span(name, unit=_SECOND)


def _optional_seconds(members: Members, name: str) -> timedelta | None:
    return _seconds(members, name) if name in members else None


def _timestamp_type(members: Members) -> TimestampType:
    text = members.text("queryTimestampType")
    if text not in set(TimestampType):
        raise members.wrong("queryTimestampType", "EventTimestamp or IngestTimestamp")
    return TimestampType(text)


def _optional(**members: object) -> Write:
    """Return the members that are not None: the servers' treatment of null is not documented."""
    return {name: value for name, value in members.items() if value is not None}


# --- saved queries


def read_saved_query(members: Members) -> SavedQuery:
    """Return a saved search; `UnexpectedResponse` if a member is missing or of another type."""
    return SavedQuery(
        id=members.text("id"),
        name=members.text("name"),
        description=members.text("description", ""),
        query=members.member("query").text("queryString"),
        labels=members.texts("labels"),
        raw=members.raw,
    )


def write_saved_query(asset: SavedQuery, context: WriteContext) -> Write:
    """Return the input of a create or update."""
    return {
        **write_old_saved_query(asset, context),
        "description": asset.description,
        "labels": list(asset.labels),
    }


def write_old_saved_query(asset: SavedQuery, context: WriteContext) -> Write:
    """Return the input for servers whose saved searches take no labels and no description."""
    return {"viewName": context.view, "name": asset.name, "queryString": asset.query}


# --- scheduled searches


def read_scheduled_search(members: Members) -> ScheduledSearch:
    """Return a scheduled search as servers from 1.180 on describe it."""
    return ScheduledSearch(
        id=members.text("id"),
        name=members.text("name"),
        description=members.text("description", ""),
        query=members.text("queryString"),
        labels=members.texts("labels"),
        enabled=members.flag("enabled"),
        schedule=members.text("schedule"),
        time_zone=members.text("timeZone"),
        search_interval=_seconds(members, "searchIntervalSeconds"),
        search_interval_offset=_optional_seconds(members, "searchIntervalOffsetSeconds"),
        max_wait=_optional_seconds(members, "maxWaitTimeSeconds"),
        timestamp_type=_timestamp_type(members),
        backfill_limit_runs=members.optional_number("backfillLimitV2"),
        trigger_on_empty=members.flag("triggerOnEmptyResult", False),
        actions=_action_names(members, "actionsV2"),
        raw=members.raw,
    )


def read_scheduled_search_v1(members: Members) -> ScheduledSearch:
    """Return a scheduled search of older servers, whose window is two relative times."""
    # Interval and offset are both counted back from the planned run.
    offset = _relative(members, "end")
    return ScheduledSearch(
        id=members.text("id"),
        name=members.text("name"),
        description=members.text("description", ""),
        query=members.text("queryString"),
        labels=members.texts("labels"),
        enabled=members.flag("enabled"),
        schedule=members.text("schedule"),
        time_zone=members.text("timeZone"),
        search_interval=_relative(members, "start") - offset,
        search_interval_offset=offset,
        timestamp_type=TimestampType.EVENT,
        backfill_limit_runs=members.number("backfillLimit"),
        actions=_action_names(members, "actionsV2"),
        raw=members.raw,
    )


def _relative(members: Members, name: str) -> timedelta:
    text = members.text(name)
    try:
        return timedelta(0) if text == "now" else parse_duration(text)
    except ValueError as exc:
        raise members.wrong(name, "a relative time such as 24h") from exc


def write_scheduled_search(asset: ScheduledSearch, context: WriteContext) -> Write:
    """Return the input for servers from 1.180 on.

    Raises:
        RequestRejected: The asset mixes what belongs to event time and to ingest time.
    """
    by_event = asset.timestamp_type is TimestampType.EVENT
    if by_event and asset.max_wait is not None:
        raise RequestRejected(f"{asset.name}: a scheduled search by event time has no maximum wait")
    if not by_event and (
        asset.backfill_limit_runs is not None or asset.search_interval_offset is not None
    ):
        raise RequestRejected(
            f"{asset.name}: a scheduled search by ingest time has no backfill and no offset"
        )
    zero = timedelta(0)
    times: Write = (
        {
            "backfillLimit": asset.backfill_limit_runs or 0,
            "searchIntervalOffsetSeconds": (asset.search_interval_offset or zero) // _SECOND,
        }
        if by_event
        else {"maxWaitTimeSeconds": (asset.max_wait or zero) // _SECOND}
    )
    return {
        "viewName": context.view,
        "name": asset.name,
        "description": asset.description,
        "queryString": asset.query,
        "schedule": asset.schedule,
        "timeZone": asset.time_zone,
        "searchIntervalSeconds": asset.search_interval // _SECOND,
        "queryTimestampType": asset.timestamp_type.value,
        "enabled": asset.enabled,
        "labels": list(asset.labels),
        "actionIdsOrNames": list(asset.actions),
        "queryOwnershipType": context.ownership.value,
        **times,
    }


def write_scheduled_search_v3(asset: ScheduledSearch, context: WriteContext) -> Write:
    """Return the input for servers that can fire on an empty result."""
    return {
        **write_scheduled_search(asset, context),
        "triggerOnEmptyResult": asset.trigger_on_empty,
    }


def write_scheduled_search_v1(asset: ScheduledSearch, context: WriteContext) -> Write:
    """Return the input for servers before 1.180, which want action ids and relative times.

    Raises:
        RequestRejected: Ingest time is asked for, or an action does not exist.
    """
    if asset.timestamp_type is TimestampType.INGEST:
        raise RequestRejected(
            f"{asset.name}: servers before 1.180 have no scheduled searches by ingest time"
        )
    offset = asset.search_interval_offset or timedelta(0)
    return {
        "viewName": context.view,
        "name": asset.name,
        "description": asset.description,
        "queryString": asset.query,
        "queryStart": f"{(asset.search_interval + offset) // _SECOND}s",
        "queryEnd": f"{offset // _SECOND}s" if offset else "now",
        "schedule": asset.schedule,
        "timeZone": asset.time_zone,
        "backfillLimit": asset.backfill_limit_runs or 0,
        "enabled": asset.enabled,
        "labels": list(asset.labels),
        "actions": _action_ids(asset, context),
        "queryOwnershipType": context.ownership.value,
    }


def _action_ids(asset: ScheduledSearch | LegacyAlert, context: WriteContext) -> list[str]:
    missing = [name for name in asset.actions if name not in context.action_ids]
    if missing:
        raise RequestRejected(f"{asset.name}: no action is called {missing[0]}")
    return [context.action_ids[name] for name in asset.actions]


# --- alerts


def read_aggregate_alert(members: Members) -> AggregateAlert:
    """Return an aggregate alert."""
    return AggregateAlert(
        id=members.text("id"),
        name=members.text("name"),
        description=members.text("description", ""),
        query=members.text("queryString"),
        labels=members.texts("labels"),
        enabled=members.flag("enabled"),
        search_interval=_seconds(members, "searchIntervalSeconds"),
        throttle=_seconds(members, "throttleTimeSeconds"),
        throttle_field=members.optional_text("throttleField"),
        timestamp_type=_timestamp_type(members),
        trigger_mode=members.text("triggerMode"),
        actions=_action_names(members, "actions"),
        raw=members.raw,
    )


def write_aggregate_alert(asset: AggregateAlert, context: WriteContext) -> Write:
    """Return the input of a create or update."""
    return {
        "viewName": context.view,
        "name": asset.name,
        "description": asset.description,
        "queryString": asset.query,
        "searchIntervalSeconds": asset.search_interval // _SECOND,
        "throttleTimeSeconds": asset.throttle // _SECOND,
        "queryTimestampType": asset.timestamp_type.value,
        "triggerMode": asset.trigger_mode,
        "enabled": asset.enabled,
        "labels": list(asset.labels),
        "actionIdsOrNames": list(asset.actions),
        "queryOwnershipType": context.ownership.value,
        **_optional(throttleField=asset.throttle_field),
    }


def read_filter_alert(members: Members) -> FilterAlert:
    """Return a filter alert."""
    return FilterAlert(
        id=members.text("id"),
        name=members.text("name"),
        description=members.text("description", ""),
        query=members.text("queryString"),
        labels=members.texts("labels"),
        enabled=members.flag("enabled"),
        throttle=_optional_seconds(members, "throttleTimeSeconds"),
        throttle_field=members.optional_text("throttleField"),
        actions=_action_names(members, "actions"),
        raw=members.raw,
    )


def write_filter_alert(asset: FilterAlert, context: WriteContext) -> Write:
    """Return the input of a create or update; no throttle leaves the member out."""
    throttle_s = None if asset.throttle is None else asset.throttle // _SECOND
    return {
        "viewName": context.view,
        "name": asset.name,
        "description": asset.description,
        "queryString": asset.query,
        "enabled": asset.enabled,
        "labels": list(asset.labels),
        "actionIdsOrNames": list(asset.actions),
        "queryOwnershipType": context.ownership.value,
        **_optional(throttleTimeSeconds=throttle_s, throttleField=asset.throttle_field),
    }


def read_legacy_alert(members: Members) -> LegacyAlert:
    """Return an alert of the older kind."""
    return LegacyAlert(
        id=members.text("id"),
        name=members.text("name"),
        description=members.text("description", ""),
        query=members.text("queryString"),
        labels=members.texts("labels"),
        enabled=members.flag("enabled"),
        window=_relative(members, "queryStart"),
        throttle=timedelta(milliseconds=members.number("throttleTimeMillis")),
        throttle_field=members.optional_text("throttleField"),
        actions=_action_names(members, "actionsV2"),
        raw=members.raw,
    )


def write_legacy_alert(asset: LegacyAlert, context: WriteContext) -> Write:
    """Return the input of a create or update.

    Raises:
        RequestRejected: An action does not exist.
    """
    return {
        "viewName": context.view,
        "name": asset.name,
        "description": asset.description,
        "queryString": asset.query,
        "queryStart": f"{asset.window // _SECOND}s",
        "throttleTimeMillis": asset.throttle // _MS,
        "enabled": asset.enabled,
        "labels": list(asset.labels),
        "actions": _action_ids(asset, context),
        "queryOwnershipType": context.ownership.value,
        **_optional(throttleField=asset.throttle_field),
    }
