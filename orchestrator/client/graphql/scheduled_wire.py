"""Scheduled searches, read and written in the three dialects of servers.

V1 counts its window in two relative times, V2 in an interval and an offset; V3 can also fire on an
empty result.
Source: GraphQL schema of server 1.204; humio/humio-operator for the rules of timestamp types.
"""

from __future__ import annotations

from datetime import timedelta

from orchestrator.client.graphql.asset_wire import (
    Write,
    WriteContext,
    action_ids,
    modified_at,
    optional_seconds,
    read_trigger,
    relative,
    seconds,
    timestamp_type,
    trigger_input,
)
from orchestrator.client.http.members import SECOND, Members
from orchestrator.client.types import ScheduledSearch, TimestampType
from orchestrator.errors import RequestRejected

_ZERO = timedelta(0)


def read_scheduled_search(members: Members) -> ScheduledSearch:
    """Return a scheduled search as servers from 1.180 on describe it."""
    return ScheduledSearch(
        **read_trigger(members, actions="actionsV2"),
        schedule=members.text("schedule"),
        time_zone=members.text("timeZone"),
        search_interval=seconds(members, "searchIntervalSeconds"),
        search_interval_offset=optional_seconds(members, "searchIntervalOffsetSeconds"),
        max_wait=optional_seconds(members, "maxWaitTimeSeconds"),
        timestamp_type=timestamp_type(members),
        backfill_limit_runs=members.optional_number("backfillLimitV2"),
        trigger_on_empty=members.flag("triggerOnEmptyResult", False),
        modified_at=modified_at(members),
    )


def read_scheduled_search_v1(members: Members) -> ScheduledSearch:
    """Return a scheduled search of older servers, whose window is two relative times."""
    # Interval and offset are both counted back from the planned run.
    offset = relative(members, "end")
    return ScheduledSearch(
        **read_trigger(members, actions="actionsV2"),
        schedule=members.text("schedule"),
        time_zone=members.text("timeZone"),
        search_interval=relative(members, "start") - offset,
        search_interval_offset=offset,
        timestamp_type=TimestampType.EVENT,
        backfill_limit_runs=members.number("backfillLimit"),
    )


def write_scheduled_search_v3(asset: ScheduledSearch, context: WriteContext) -> Write:
    """Return the input for servers that can fire on an empty result.

    Raises:
        RequestRejected: The asset mixes what belongs to event time and to ingest time.
    """
    return {
        **_interval_input(asset, context),
        "triggerOnEmptyResult": asset.trigger_on_empty,
    }


def write_scheduled_search_v2(asset: ScheduledSearch, context: WriteContext) -> Write:
    """Return the input for servers from 1.180 on.

    Raises:
        RequestRejected: The asset mixes what belongs to event time and to ingest time, or is to
            fire on an empty result.
    """
    _refuse_on_empty(asset)
    return _interval_input(asset, context)


def write_scheduled_search_v1(asset: ScheduledSearch, context: WriteContext) -> Write:
    """Return the input for servers before 1.180, which want action ids and relative times.

    Raises:
        RequestRejected: Ingest time or a maximum wait is asked for, or to fire on an empty result,
            or an action does not exist.
    """
    if asset.timestamp_type is TimestampType.INGEST:
        raise RequestRejected(
            f"{asset.name}: servers before 1.180 have no scheduled searches by ingest time"
        )
    _refuse_mixture(asset)
    _refuse_on_empty(asset)
    offset = asset.search_interval_offset or _ZERO
    return {
        **trigger_input(asset, context),
        "queryStart": f"{(asset.search_interval + offset) // SECOND}s",
        "queryEnd": f"{offset // SECOND}s" if offset else "now",
        "schedule": asset.schedule,
        "timeZone": asset.time_zone,
        "backfillLimit": asset.backfill_limit_runs or 0,
        "actions": action_ids(asset, context),
    }


def _interval_input(asset: ScheduledSearch, context: WriteContext) -> Write:
    _refuse_mixture(asset)
    times: Write = (
        {
            "backfillLimit": asset.backfill_limit_runs or 0,
            "searchIntervalOffsetSeconds": (asset.search_interval_offset or _ZERO) // SECOND,
        }
        if asset.timestamp_type is TimestampType.EVENT
        else {"maxWaitTimeSeconds": (asset.max_wait or _ZERO) // SECOND}
    )
    return {
        **trigger_input(asset, context),
        "schedule": asset.schedule,
        "timeZone": asset.time_zone,
        "searchIntervalSeconds": asset.search_interval // SECOND,
        "queryTimestampType": asset.timestamp_type.value,
        "actionIdsOrNames": list(asset.actions),
        **times,
    }


def _refuse_mixture(asset: ScheduledSearch) -> None:
    by_event = asset.timestamp_type is TimestampType.EVENT
    if by_event and asset.max_wait is not None:
        raise RequestRejected(f"{asset.name}: a scheduled search by event time has no maximum wait")
    if not by_event and (
        asset.backfill_limit_runs is not None or asset.search_interval_offset is not None
    ):
        raise RequestRejected(
            f"{asset.name}: a scheduled search by ingest time has no backfill and no offset"
        )


def _refuse_on_empty(asset: ScheduledSearch) -> None:
    if asset.trigger_on_empty:
        raise RequestRejected(
            f"{asset.name}: servers before 1.204 fire no scheduled search on an empty result"
        )
