"""Assets over scripted GraphQL: versions, full replacement, lost updates, ownership."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.client.cassettes.scripted import ScriptedTransport, json_response
from orchestrator.client.graphql.asset_kinds import kind_of
from orchestrator.client.http.retry import NO_RETRIES
from orchestrator.client.http.transport import Response
from orchestrator.client.logscale import LogScale
from orchestrator.client.types import (
    AggregateAlert,
    Asset,
    CorrelationRule,
    FilterAlert,
    LegacyAlert,
    QueryOwner,
    QueryOwnership,
    SavedQuery,
    ScheduledSearch,
    TimestampType,
)
from orchestrator.clock import FrozenClock
from orchestrator.errors import NotFound, RequestRejected, UnexpectedResponse
from orchestrator.secret import SecretText

NEW, MIDDLE, OLD = "1.204.0--build-1--sha-a", "1.190.2", "1.150.0"
EVERY = timedelta(minutes=5)


def make_client(*steps: Response, version: str = NEW) -> tuple[LogScale, ScriptedTransport]:
    status = json_response({"status": "OK", "version": version})
    transport = ScriptedTransport(status, *steps)
    client = LogScale(
        "https://logscale.example",
        token=SecretText("token-canary"),
        clock=FrozenClock(datetime(2026, 3, 10, tzinfo=UTC)),
        transport=transport,
        retry=NO_RETRIES,
    )
    return client, transport


def listed(member: str, *items: Mapping[str, object]) -> Response:
    return json_response({"data": {"searchDomain": {member: list(items)}}})


def written(mutation: str, item: object) -> Response:
    return json_response({"data": {mutation: item}})


def sent(transport: ScriptedTransport, index: int = -1) -> dict[str, object]:
    body = json.loads(transport.requests[index].content)
    content = body["variables"]["input"]
    assert isinstance(content, dict)
    return content


def wire_search(**changes: object) -> dict[str, object]:
    return {
        "id": "s1",
        "name": "T1528",
        "description": "d",
        "queryString": "count()",
        "queryTimestampType": "IngestTimestamp",
        "searchIntervalSeconds": 300,
        "searchIntervalOffsetSeconds": None,
        "maxWaitTimeSeconds": 120,
        "schedule": "*/5 * * * *",
        "timeZone": "UTC",
        "backfillLimitV2": None,
        "enabled": True,
        "triggerOnEmptyResult": False,
        "labels": ["orchestrator"],
        "actionsV2": [{"id": "2", "name": "b"}, {"id": "1", "name": "a"}],
        "queryOwnership": {"__typename": "UserOwnership"},
        "somethingNew": {"kept": True},
        **changes,
    }


def make_search(**changes: object) -> ScheduledSearch:
    search = ScheduledSearch(
        id="s1",
        name="T1528",
        description="d",
        query="count()",
        labels=("orchestrator",),
        enabled=True,
        schedule="*/5 * * * *",
        search_interval=EVERY,
        max_wait=timedelta(minutes=2),
        timestamp_type=TimestampType.INGEST,
        actions=("a", "b"),
    )
    return replace(search, **changes)  # type: ignore[arg-type]  # test shorthand


def wire_aggregate(**changes: object) -> dict[str, object]:
    return {
        "id": "a1",
        "name": "agg",
        "description": None,
        "queryString": "count()",
        "queryTimestampType": "IngestTimestamp",
        "searchIntervalSeconds": 300,
        "throttleTimeSeconds": 3600,
        "throttleField": None,
        "triggerMode": "CompleteMode",
        "enabled": False,
        "labels": [],
        "actions": [],
        **changes,
    }


# --- reading


async def test_list_reads_units_sorts_actions_and_keeps_unknown_members() -> None:
    client, _ = make_client(listed("scheduledSearches", wire_search()))

    (found,) = await client.assets("v").list(ScheduledSearch)

    assert found == make_search()
    assert found.raw["somethingNew"] == {"kept": True}


async def test_list_is_sorted_by_name() -> None:
    client, _ = make_client(
        listed("aggregateAlerts", wire_aggregate(name="z"), wire_aggregate(name="a"))
    )

    assert [item.name for item in await client.assets("v").list(AggregateAlert)] == ["a", "z"]


async def test_list_reads_an_aggregate_alert() -> None:
    client, _ = make_client(listed("aggregateAlerts", wire_aggregate()))

    assert await client.assets("v").list(AggregateAlert) == (
        AggregateAlert(
            id="a1",
            name="agg",
            query="count()",
            enabled=False,
            search_interval=EVERY,
            throttle=timedelta(hours=1),
        ),
    )


async def test_list_reads_a_filter_alert_without_throttle() -> None:
    wire = {
        "id": "f1",
        "name": "f",
        "queryString": "x=1",
        "enabled": True,
        "labels": ["l"],
        "actions": [{"id": "1", "name": "a"}],
        "throttleTimeSeconds": None,
    }
    client, _ = make_client(listed("filterAlerts", wire))

    assert await client.assets("v").list(FilterAlert) == (
        FilterAlert(id="f1", name="f", query="x=1", labels=("l",), enabled=True, actions=("a",)),
    )


def wire_legacy(**changes: object) -> dict[str, object]:
    return {
        "id": "l1",
        "name": "older",
        "description": None,
        "queryString": "count()",
        "queryStart": "24h",
        "throttleTimeMillis": 90_500,
        "throttleField": "host",
        "enabled": True,
        "labels": [],
        "actionsV2": [{"id": "1", "name": "a"}],
        "queryOwnership": {"__typename": "UserOwnership"},
        **changes,
    }


LEGACY = LegacyAlert(
    id="l1",
    name="older",
    query="count()",
    enabled=True,
    window=timedelta(hours=24),
    throttle=timedelta(seconds=90.5),
    throttle_field="host",
    actions=("a",),
)


async def test_list_reads_a_legacy_alert() -> None:
    client, _ = make_client(listed("alerts", wire_legacy()))

    assert await client.assets("v").list(LegacyAlert) == (LEGACY,)


async def test_window_of_a_legacy_alert_that_is_no_relative_time_is_named() -> None:
    client, _ = make_client(listed("alerts", wire_legacy(queryStart="yesterday")))

    with pytest.raises(UnexpectedResponse, match="queryStart should be a relative time"):
        await client.assets("v").list(LegacyAlert)


async def test_update_of_a_legacy_alert_replaces_all_and_keeps_its_owner() -> None:
    actions = listed("actions", {"__typename": "WebhookAction", "id": "1", "name": "a"})
    client, transport = make_client(
        listed("alerts", wire_legacy()), actions, written("updateAlert", wire_legacy())
    )

    await client.assets("v").update(replace(LEGACY, throttle_field=None), expected=LEGACY)

    assert sent(transport) == {
        "viewName": "v",
        "id": "l1",
        "name": "older",
        "description": "",
        "queryString": "count()",
        "queryStart": "86400s",
        "throttleTimeMillis": 90_500,
        "enabled": True,
        "labels": [],
        "actions": ["1"],
        "queryOwnershipType": "User",
    }


async def test_legacy_alert_with_an_unknown_action_is_not_sent() -> None:
    client, transport = make_client(listed("actions"))

    with pytest.raises(RequestRejected, match="older: no action is called a"):
        await client.assets("v").create(LEGACY)

    assert len(transport.requests) == 2


async def test_one_label_of_an_alert_is_not_for_older_servers() -> None:
    client, transport = make_client(version=MIDDLE)
    alert = FilterAlert(id="f1", name="f", query="x=1", enabled=True)

    with pytest.raises(RequestRejected, match="cannot change one label of a FilterAlert alone"):
        await client.assets("v").add_label(alert, "mine")

    assert [request.path for request in transport.requests] == ["api/v1/status"]


async def test_list_reads_a_saved_query() -> None:
    wire = {"id": "q1", "name": "q", "labels": [], "query": {"queryString": "x=1"}}
    client, _ = make_client(listed("savedQueries", wire))

    assert await client.assets("v").list(SavedQuery) == (
        SavedQuery(id="q1", name="q", query="x=1"),
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"searchIntervalSeconds": "300"},
            "searchIntervalSeconds should be a whole number, is str",
        ),
        ({"enabled": None}, "enabled should be true or false, is NoneType"),
        ({"queryTimestampType": "Moon"}, "queryTimestampType should be EventTimestamp"),
        ({"actionsV2": ["a"]}, r"actionsV2\[0\] should be an object"),
    ],
)
async def test_list_of_another_shape_names_the_member(
    changes: dict[str, object], problem: str
) -> None:
    client, _ = make_client(listed("scheduledSearches", wire_search(**changes)))

    with pytest.raises(UnexpectedResponse, match=problem):
        await client.assets("v").list(ScheduledSearch)


async def test_a_kind_of_another_system_is_our_bug() -> None:
    client, _ = make_client()

    with pytest.raises(TypeError, match="CorrelationRule is not managed through GraphQL"):
        await client.assets("v").list(CorrelationRule)


# --- which documents


@pytest.mark.parametrize(
    ("version", "asset", "operation"),
    [
        ((1, 204, 0), ScheduledSearch, "UpdateScheduledSearch"),
        ((1, 300, 1), ScheduledSearch, "UpdateScheduledSearch"),
        ((1, 203, 9), ScheduledSearch, "UpdateScheduledSearchV2"),
        ((1, 180, 0), ScheduledSearch, "UpdateScheduledSearchV2"),
        ((1, 179, 5), ScheduledSearch, "UpdateScheduledSearchV1"),
        ((1, 204, 0), SavedQuery, "UpdateSavedQuery"),
        ((1, 180, 0), SavedQuery, "UpdateSavedQueryBefore1204"),
    ],
)
def test_documents_by_version(
    version: tuple[int, int, int], asset: type[Asset], operation: str
) -> None:
    assert kind_of(asset, version).update_operation == operation


async def test_version_is_asked_once() -> None:
    client, transport = make_client(listed("filterAlerts"), listed("savedQueries"), version=MIDDLE)

    await client.assets("v").list(FilterAlert)
    await client.assets("w").list(SavedQuery)

    assert [request.path for request in transport.requests] == ["api/v1/status"] + ["graphql"] * 2


async def test_version_that_is_none_is_unexpected() -> None:
    client, _ = make_client(version="main-branch")

    with pytest.raises(UnexpectedResponse, match="does not start with numbers"):
        await client.assets("v").list(SavedQuery)


# --- writing


async def test_create_by_ingest_time_sends_patience_and_no_backfill() -> None:
    client, transport = make_client(written("createScheduledSearchV2", wire_search()))

    created = await client.assets("v").create(make_search(id=""))

    assert created.id == "s1"
    assert sent(transport) == {
        "viewName": "v",
        "name": "T1528",
        "description": "d",
        "queryString": "count()",
        "schedule": "*/5 * * * *",
        "timeZone": "UTC",
        "searchIntervalSeconds": 300,
        "queryTimestampType": "IngestTimestamp",
        "enabled": True,
        "labels": ["orchestrator"],
        "actionIdsOrNames": ["a", "b"],
        "queryOwnershipType": "Organization",
        "maxWaitTimeSeconds": 120,
        "triggerOnEmptyResult": False,
    }


async def test_create_by_event_time_sends_backfill_and_offset() -> None:
    client, transport = make_client(
        written("createScheduledSearchV2", wire_search()), version=MIDDLE
    )
    search = make_search(
        timestamp_type=TimestampType.EVENT,
        max_wait=None,
        backfill_limit_runs=3,
        search_interval_offset=timedelta(seconds=30),
    )

    await client.assets("v").create(search)

    content = sent(transport)
    assert (content["backfillLimit"], content["searchIntervalOffsetSeconds"]) == (3, 30)
    assert "maxWaitTimeSeconds" not in content
    assert "triggerOnEmptyResult" not in content


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"timestamp_type": TimestampType.EVENT}, "by event time has no maximum wait"),
        ({"backfill_limit_runs": 1}, "by ingest time has no backfill"),
        ({"search_interval_offset": EVERY}, "by ingest time has no backfill and no offset"),
    ],
)
async def test_create_of_what_the_server_would_refuse_is_not_sent(
    changes: dict[str, object], problem: str
) -> None:
    client, transport = make_client()

    with pytest.raises(RequestRejected, match=problem):
        await client.assets("v").create(make_search(**changes))

    assert len(transport.requests) == 1


async def test_old_server_gets_relative_times_and_action_ids() -> None:
    wire = wire_search(start="330s", end="30s", backfillLimit=2)
    client, transport = make_client(
        listed("actions", {"id": "9", "name": "a", "__typename": "WebhookAction"}),
        written("createScheduledSearch", wire),
        version=OLD,
    )
    search = make_search(
        timestamp_type=TimestampType.EVENT,
        max_wait=None,
        search_interval_offset=timedelta(seconds=30),
        backfill_limit_runs=2,
        actions=("a",),
    )

    created = await client.assets("v").create(search)

    content = sent(transport)
    assert (content["queryStart"], content["queryEnd"]) == ("330s", "30s")
    assert content["actions"] == ["9"]
    assert (created.search_interval, created.search_interval_offset) == (
        EVERY,
        timedelta(seconds=30),
    )


async def test_old_server_cannot_search_by_ingest_time() -> None:
    client, _ = make_client(listed("actions"), version=OLD)

    with pytest.raises(RequestRejected, match=r"servers before 1\.180"):
        await client.assets("v").create(make_search())


async def test_old_server_needs_an_action_that_exists() -> None:
    client, _ = make_client(listed("actions"), version=OLD)
    search = make_search(timestamp_type=TimestampType.EVENT, max_wait=None)

    with pytest.raises(RequestRejected, match="no action is called a"):
        await client.assets("v").create(search)


async def test_update_replaces_everything_and_keeps_the_owner() -> None:
    client, transport = make_client(
        listed("scheduledSearches", wire_search()),
        written("updateScheduledSearchV3", wire_search(queryString="sum(x)")),
    )

    updated = await client.assets("v").update(
        make_search(id="", query="sum(x)"), expected=make_search()
    )

    assert updated.query == "sum(x)"
    content = sent(transport)
    assert (content["id"], content["queryString"]) == ("s1", "sum(x)")
    assert content["queryOwnershipType"] == "User"


async def test_update_of_what_changed_meanwhile_is_refused_and_not_sent() -> None:
    client, transport = make_client(listed("scheduledSearches", wire_search(enabled=False)))

    with pytest.raises(RequestRejected, match="T1528 in v changed since it was read"):
        await client.assets("v").update(make_search(), expected=make_search())

    assert len(transport.requests) == 2


async def test_update_keeps_the_user_that_it_runs_as() -> None:
    owned = {"queryOwnership": {"__typename": "UserOwnership", "id": "u-1"}}
    client, transport = make_client(
        listed("scheduledSearches", wire_search(**owned)),
        written("updateScheduledSearchV3", wire_search(**owned)),
    )

    updated = await client.assets("v").update(make_search(query="sum(x)"), expected=make_search())

    content = sent(transport)
    assert (content["queryOwnershipType"], content["runAsUserId"]) == ("User", "u-1")
    assert updated.owner == QueryOwner(ownership=QueryOwnership.USER, user_id="u-1")


async def test_owner_of_an_unknown_sort_is_nobody() -> None:
    client, _ = make_client(
        listed("scheduledSearches", wire_search(queryOwnership={"__typename": "TeamOwnership"}))
    )

    (found,) = await client.assets("v").list(ScheduledSearch)

    assert found.owner is None


def test_organization_runs_as_no_user() -> None:
    with pytest.raises(ValueError, match="runs as no user"):
        QueryOwner(ownership=QueryOwnership.ORGANIZATION, user_id="u-1")


async def test_update_of_what_was_changed_and_changed_back_is_refused() -> None:
    client, _ = make_client(
        listed("scheduledSearches", wire_search(modifiedInfo={"modifiedAt": 1_773_108_000_000})),
        listed("scheduledSearches", wire_search(modifiedInfo={"modifiedAt": 1_773_108_000_001})),
    )
    assets = client.assets("v")
    (seen,) = await assets.list(ScheduledSearch)

    with pytest.raises(RequestRejected, match="T1528 in v changed since it was read"):
        await assets.update(seen, expected=seen)

    assert seen.modified_at == datetime(2026, 3, 10, 2, tzinfo=UTC)


async def test_health_that_changed_meanwhile_is_no_change() -> None:
    client, _ = make_client(
        listed("scheduledSearches", wire_search()),
        listed("scheduledSearches", wire_search(lastError="no such file", lastExecuted=5)),
        written("updateScheduledSearchV3", wire_search()),
    )
    assets = client.assets("v")
    (seen,) = await assets.list(ScheduledSearch)

    assert await assets.update(seen, expected=seen) == seen


async def test_instant_beyond_the_calendar_is_named() -> None:
    client, _ = make_client(listed("scheduledSearches", wire_search(lastExecuted=10**18)))

    with pytest.raises(UnexpectedResponse, match="lastExecuted should be an instant"):
        await client.assets("v").list(ScheduledSearch)


@pytest.mark.parametrize("options", [None, 5, "text", ["a"]])
async def test_options_of_no_known_shape_are_left_to_the_server(options: object) -> None:
    wire = {"id": "q1", "name": "q", "query": {"queryString": "x=1"}, "options": options}
    client, transport = make_client(
        listed("savedQueries", wire), written("updateSavedQuery", {"savedQuery": wire})
    )
    query = SavedQuery(id="q1", name="q", query="x=1")

    updated = await client.assets("v").update(query, expected=query)

    assert updated.options is None
    assert "options" not in sent(transport)


@pytest.mark.parametrize(
    ("verb", "operation"),
    [
        ("enable", "enableFilterAlert"),
        ("disable", "disableFilterAlert"),
        ("add_label", "addFilterAlertLabel"),
        ("remove_label", "removeFilterAlertLabel"),
    ],
)
async def test_switch_that_did_nothing_is_rejected(verb: str, operation: str) -> None:
    client, _ = make_client(written(operation, item=False))
    alert = FilterAlert(id="f1", name="f", query="x=1", enabled=True)
    label = ("mine",) if "label" in verb else ()

    with pytest.raises(RequestRejected, match="f in v was not changed: the server said no to"):
        await getattr(client.assets("v"), verb)(alert, *label)


async def test_update_of_what_is_gone_is_not_found() -> None:
    client, _ = make_client(listed("scheduledSearches"))

    with pytest.raises(NotFound, match="gone from v"):
        await client.assets("v").update(make_search(), expected=make_search())


async def test_delete_of_an_alert_answers_a_boolean() -> None:
    client, transport = make_client(written("deleteScheduledSearch", item=True))

    await client.assets("v").delete(make_search())

    assert sent(transport) == {"viewName": "v", "id": "s1"}


async def test_delete_of_a_saved_query_answers_an_object() -> None:
    client, _ = make_client(written("deleteSavedQuery", {"result": False}))

    with pytest.raises(RequestRejected, match="q in v was not deleted"):
        await client.assets("v").delete(SavedQuery(id="q1", name="q", query=""))


async def test_delete_without_an_id_is_our_bug() -> None:
    client, _ = make_client()

    with pytest.raises(ValueError, match="T1528 has no id"):
        await client.assets("v").delete(make_search(id=""))
