"""The three kinds of alert, read and written.

Source: GraphQL schema of server 1.204.
"""

from __future__ import annotations

from datetime import timedelta

from orchestrator.client.graphql.asset_wire import (
    SECOND,
    Write,
    WriteContext,
    action_ids,
    action_names,
    modified_at,
    optional,
    optional_seconds,
    query_owner,
    relative,
    seconds,
    timestamp_type,
    trigger_health,
    trigger_input,
)
from orchestrator.client.http.members import Members
from orchestrator.client.types import AggregateAlert, FilterAlert, LegacyAlert

_MS = timedelta(milliseconds=1)


def read_aggregate_alert(members: Members) -> AggregateAlert:
    """Return an aggregate alert."""
    return AggregateAlert(
        id=members.text("id"),
        name=members.text("name"),
        description=members.text("description", ""),
        query=members.text("queryString"),
        labels=members.texts("labels"),
        enabled=members.flag("enabled"),
        search_interval=seconds(members, "searchIntervalSeconds"),
        throttle=seconds(members, "throttleTimeSeconds"),
        throttle_field=members.optional_text("throttleField"),
        timestamp_type=timestamp_type(members),
        trigger_mode=members.text("triggerMode"),
        actions=action_names(members, "actions"),
        owner=query_owner(members),
        health=trigger_health(members),
        modified_at=modified_at(members),
        raw=members.raw,
    )


def write_aggregate_alert(asset: AggregateAlert, context: WriteContext) -> Write:
    """Return the input of a create or update."""
    return {
        **trigger_input(asset, context),
        "searchIntervalSeconds": asset.search_interval // SECOND,
        "throttleTimeSeconds": asset.throttle // SECOND,
        "queryTimestampType": asset.timestamp_type.value,
        "triggerMode": asset.trigger_mode,
        "actionIdsOrNames": list(asset.actions),
        **optional(throttleField=asset.throttle_field),
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
        throttle=optional_seconds(members, "throttleTimeSeconds"),
        throttle_field=members.optional_text("throttleField"),
        actions=action_names(members, "actions"),
        owner=query_owner(members),
        health=trigger_health(members),
        modified_at=modified_at(members),
        raw=members.raw,
    )


def write_filter_alert(asset: FilterAlert, context: WriteContext) -> Write:
    """Return the input of a create or update; no throttle leaves the member out."""
    throttle_s = None if asset.throttle is None else asset.throttle // SECOND
    return {
        **trigger_input(asset, context),
        "actionIdsOrNames": list(asset.actions),
        **optional(throttleTimeSeconds=throttle_s, throttleField=asset.throttle_field),
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
        window=relative(members, "queryStart"),
        throttle=timedelta(milliseconds=members.number("throttleTimeMillis")),
        throttle_field=members.optional_text("throttleField"),
        actions=action_names(members, "actionsV2"),
        owner=query_owner(members),
        health=trigger_health(members, triggered="timeOfLastTrigger"),
        raw=members.raw,
    )


def write_legacy_alert(asset: LegacyAlert, context: WriteContext) -> Write:
    """Return the input of a create or update.

    Raises:
        RequestRejected: An action does not exist.
    """
    return {
        **trigger_input(asset, context),
        "queryStart": f"{asset.window // SECOND}s",
        "throttleTimeMillis": asset.throttle // _MS,
        "actions": action_ids(asset, context),
        **optional(throttleField=asset.throttle_field),
    }
