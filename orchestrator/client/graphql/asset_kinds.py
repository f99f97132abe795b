"""The kinds of assets that GraphQL manages, as a table: one more kind is one more row.

A row says which documents list, create, update and delete the kind, how an answer is read and how
an input is written. A kind may have several rows for several server versions; the newest that the
server reaches is taken. Updates replace everything, so creates and updates are written alike, with
every optional member; an update adds the id.
Source: GraphQL schema of server 1.204; humio/humio-operator for the rules of timestamp types.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from orchestrator.client.graphql.alert_wire import (
    read_aggregate_alert,
    read_filter_alert,
    read_legacy_alert,
    write_aggregate_alert,
    write_filter_alert,
    write_legacy_alert,
)
from orchestrator.client.graphql.asset_wire import (
    Write,
    WriteContext,
    read_saved_query,
    write_old_saved_query,
    write_saved_query,
)
from orchestrator.client.graphql.scheduled_wire import (
    read_scheduled_search,
    read_scheduled_search_v1,
    write_scheduled_search_v1,
    write_scheduled_search_v2,
    write_scheduled_search_v3,
)
from orchestrator.client.graphql.versions import (
    ALERT_LABELS,
    MODIFIED_INFO,
    SAVED_QUERY_LABELS,
    SCHEDULED_SEARCH_V2,
    SCHEDULED_SEARCH_V3,
    ServerVersion,
)
from orchestrator.client.http.members import Members
from orchestrator.client.types import (
    AggregateAlert,
    FilterAlert,
    LegacyAlert,
    SavedQuery,
    ScheduledSearch,
)

A = TypeVar("A")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetKind(Generic[A]):
    """One kind of asset on servers from one version on."""

    type: type[A]
    since: ServerVersion = (0, 0, 0)
    member: str
    """The list's name under `searchDomain`."""
    list_operation: str
    create_operation: str
    update_operation: str
    delete_operation: str
    result: Callable[[Members], Members]
    """Finds the written asset in a mutation's data."""
    from_wire: Callable[[Members], A]
    to_input: Callable[[A, WriteContext], Write]
    """The input of a create; an update adds the id."""
    needs_action_ids: bool = False
    trigger: str = ""
    """The schema's name of a kind that runs by itself, empty for any other: its switches, labels
    and errors have operations of this name.
    """
    template_operation: str = ""
    """Reads the kind from YAML and stores nothing; empty where no such operation is used."""
    export_operation: str
    """Returns one of the kind as YAML."""
    labels_since: ServerVersion = (0, 0, 0)
    """The first server that adds and removes a trigger's labels one by one."""


def kind_of(asset_type: type[A], version: ServerVersion) -> AssetKind[A]:
    """Return the row for an asset type on a server.

    Raises:
        TypeError: No row manages this type.
    """
    for kind in KINDS:
        if kind.type is asset_type and kind.since <= version:
            return kind
    raise TypeError(f"{asset_type.__name__} is not managed through GraphQL")


def _only_member(data: Members) -> Members:
    return data.member(next(iter(data.raw), ""))


def _saved_query_member(data: Members) -> Members:
    return _only_member(data).member("savedQuery")


def _before_modified_info(kind: AssetKind[A]) -> AssetKind[A]:
    """Return the row of a kind for servers that do not say when it was changed."""
    return replace(
        kind,
        since=(0, 0, 0),
        list_operation=f"{kind.list_operation}Before1174",
        create_operation=f"{kind.create_operation}Before1174",
        update_operation=f"{kind.update_operation}Before1174",
    )


_AGGREGATE_ALERT = AssetKind(
    type=AggregateAlert,
    since=MODIFIED_INFO,
    member="aggregateAlerts",
    trigger="AggregateAlert",
    labels_since=ALERT_LABELS,
    template_operation="GenerateAggregateAlert",
    list_operation="ListAggregateAlerts",
    create_operation="CreateAggregateAlert",
    update_operation="UpdateAggregateAlert",
    delete_operation="DeleteAggregateAlert",
    export_operation="ReadAggregateAlertTemplate",
    result=_only_member,
    from_wire=read_aggregate_alert,
    to_input=write_aggregate_alert,
)

_FILTER_ALERT = AssetKind(
    type=FilterAlert,
    since=MODIFIED_INFO,
    member="filterAlerts",
    trigger="FilterAlert",
    labels_since=ALERT_LABELS,
    template_operation="GenerateFilterAlert",
    list_operation="ListFilterAlerts",
    create_operation="CreateFilterAlert",
    update_operation="UpdateFilterAlert",
    delete_operation="DeleteFilterAlert",
    export_operation="ReadFilterAlertTemplate",
    result=_only_member,
    from_wire=read_filter_alert,
    to_input=write_filter_alert,
)

# The newest row of a kind first. Any: each row is exact by itself, the tuple mixes them.
KINDS: tuple[AssetKind[Any], ...] = (
    AssetKind(
        type=SavedQuery,
        since=SAVED_QUERY_LABELS,
        member="savedQueries",
        list_operation="ListSavedQueries",
        create_operation="CreateSavedQuery",
        update_operation="UpdateSavedQuery",
        delete_operation="DeleteSavedQuery",
        export_operation="ReadSavedQueryTemplate",
        result=_saved_query_member,
        from_wire=read_saved_query,
        to_input=write_saved_query,
    ),
    AssetKind(
        type=SavedQuery,
        member="savedQueries",
        list_operation="ListSavedQueriesBefore1204",
        create_operation="CreateSavedQueryBefore1204",
        update_operation="UpdateSavedQueryBefore1204",
        delete_operation="DeleteSavedQuery",
        export_operation="ReadSavedQueryTemplateBefore1204",
        result=_saved_query_member,
        from_wire=read_saved_query,
        to_input=write_old_saved_query,
    ),
    AssetKind(
        type=ScheduledSearch,
        since=SCHEDULED_SEARCH_V3,
        member="scheduledSearches",
        trigger="ScheduledSearch",
        template_operation="GenerateScheduledSearch",
        list_operation="ListScheduledSearches",
        create_operation="CreateScheduledSearch",
        update_operation="UpdateScheduledSearch",
        delete_operation="DeleteScheduledSearch",
        export_operation="ReadScheduledSearchTemplate",
        result=_only_member,
        from_wire=read_scheduled_search,
        to_input=write_scheduled_search_v3,
    ),
    AssetKind(
        type=ScheduledSearch,
        since=SCHEDULED_SEARCH_V2,
        member="scheduledSearches",
        trigger="ScheduledSearch",
        list_operation="ListScheduledSearchesV2",
        create_operation="CreateScheduledSearchV2",
        update_operation="UpdateScheduledSearchV2",
        delete_operation="DeleteScheduledSearch",
        export_operation="ReadScheduledSearchTemplate",
        result=_only_member,
        from_wire=read_scheduled_search,
        to_input=write_scheduled_search_v2,
    ),
    AssetKind(
        type=ScheduledSearch,
        member="scheduledSearches",
        trigger="ScheduledSearch",
        list_operation="ListScheduledSearchesV1",
        create_operation="CreateScheduledSearchV1",
        update_operation="UpdateScheduledSearchV1",
        delete_operation="DeleteScheduledSearch",
        export_operation="ReadScheduledSearchTemplate",
        result=_only_member,
        from_wire=read_scheduled_search_v1,
        to_input=write_scheduled_search_v1,
        needs_action_ids=True,
    ),
    _AGGREGATE_ALERT,
    _before_modified_info(_AGGREGATE_ALERT),
    _FILTER_ALERT,
    _before_modified_info(_FILTER_ALERT),
    AssetKind(
        type=LegacyAlert,
        member="alerts",
        trigger="Alert",
        template_operation="GenerateAlert",
        list_operation="ListAlerts",
        create_operation="CreateAlert",
        update_operation="UpdateAlert",
        delete_operation="DeleteAlert",
        export_operation="ReadAlertTemplate",
        result=_only_member,
        from_wire=read_legacy_alert,
        to_input=write_legacy_alert,
        needs_action_ids=True,
    ),
)
