"""The three kinds of alert, read and written.

Source: GraphQL schema of server 1.204.
"""

from __future__ import annotations

from orchestrator.client.graphql.asset_wire import (
    Write,
    WriteContext,
    action_ids,
    modified_at,
    optional,
    optional_seconds,
    read_trigger,
    relative,
    seconds,
    timestamp_type,
    trigger_input,
)
from orchestrator.client.http.members import MILLISECOND, SECOND, Members
from orchestrator.client.types import AggregateAlert, FilterAlert, LegacyAlert


def read_aggregate_alert(members: Members) -> AggregateAlert:
    """Return an aggregate alert."""
    return AggregateAlert(
        **read_trigger(members),
        search_interval=seconds(members, "searchIntervalSeconds"),
        throttle=seconds(members, "throttleTimeSeconds"),
        throttle_field=members.optional_text("throttleField"),
        timestamp_type=timestamp_type(members),
        trigger_mode=members.text("triggerMode"),
        modified_at=modified_at(members),
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
        **read_trigger(members),
        throttle=optional_seconds(members, "throttleTimeSeconds"),
        throttle_field=members.optional_text("throttleField"),
        modified_at=modified_at(members),
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
        **read_trigger(members, actions="actionsV2", triggered="timeOfLastTrigger"),
        window=relative(members, "queryStart"),
        throttle=members.span("throttleTimeMillis", unit=MILLISECOND),
        throttle_field=members.optional_text("throttleField"),
    )


def write_legacy_alert(asset: LegacyAlert, context: WriteContext) -> Write:
    """Return the input of a create or update.

    Raises:
        RequestRejected: An action does not exist.
    """
    return {
        **trigger_input(asset, context),
        "queryStart": f"{asset.window // SECOND}s",
        "throttleTimeMillis": asset.throttle // MILLISECOND,
        "actions": action_ids(asset, context),
        **optional(throttleField=asset.throttle_field),
    }
