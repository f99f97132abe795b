"""The mutations of triggers that came after server 1.204."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.sandbox.graphql.schema import load_schema

CREATE = {
    "FilterAlert": """mutation { createFilterAlert(input: {viewName: "falcon", name: "t",
      queryString: "a=1", actionIdsOrNames: [], queryOwnershipType: User}) { id } }""",
    "AggregateAlert": """mutation { createAggregateAlert(input: {viewName: "falcon", name: "t",
      queryString: "count()", actionIdsOrNames: [], queryOwnershipType: User,
      throttleTimeSeconds: 60, searchIntervalSeconds: 60, queryTimestampType: IngestTimestamp}) {
      id } }""",
    "ScheduledSearch": """mutation { createScheduledSearchV2(input: {viewName: "falcon", name: "t",
      queryString: "count()", actionIdsOrNames: [], queryOwnershipType: User,
      queryTimestampType: IngestTimestamp, maxWaitTimeSeconds: 60, searchIntervalSeconds: 60,
      schedule: "5 * * * *", timeZone: "UTC"}) { id } }""",
}
LATER = {"enableFilterAlertV2", "addAggregateAlertLabels", "rerunScheduledSearch"}


def data(answer: dict[str, Any]) -> Any:
    assert "errors" not in answer, answer["errors"]
    (found,) = answer["data"].values()
    return found


async def made(client: Any, kind: str) -> str:
    return str(data(await client.graphql(CREATE[kind]))["id"])


async def changed(client: Any, mutation: str, trigger_id: str, rest: str = "") -> Any:
    given = f'viewName: "falcon", id: "{trigger_id}"{rest}'
    document = f"mutation {{ {mutation}(input: {{{given}}}) {{ enabled labels }} }}"
    return data(await client.graphql(document))


@pytest.mark.parametrize("kind", CREATE)
async def test_trigger_is_switched_and_answered_with(client: Any, kind: str) -> None:
    trigger_id = await made(client, kind)

    off = await changed(client, f"disable{kind}V2", trigger_id)
    on = await changed(client, f"enable{kind}V2", trigger_id)

    assert (off["enabled"], on["enabled"]) == (False, True)


@pytest.mark.parametrize("kind", CREATE)
async def test_labels_come_and_go_together(client: Any, kind: str) -> None:
    trigger_id = await made(client, kind)

    more = await changed(client, f"add{kind}Labels", trigger_id, ', labels: ["a", "b", "a"]')
    less = await changed(client, f"remove{kind}Labels", trigger_id, ', labels: ["a", "x"]')

    assert (more["labels"], less["labels"]) == (["a", "b"], ["b"])


@pytest.mark.parametrize("kind", CREATE)
async def test_deletion_tells_whether_there_was_anything(client: Any, kind: str) -> None:
    trigger_id = await made(client, kind)
    document = f"""mutation {{ delete{kind}V2(input: {{viewName: "falcon",
      id: "{trigger_id}"}}) }}"""

    assert data(await client.graphql(document)) is True
    assert data(await client.graphql(document)) is False


async def test_update_replaces_the_field_to_throttle_by(client: Any) -> None:
    document = """mutation($i: UpdateAggregateAlertV2!) { updateAggregateAlertV2(input: $i) {
      name throttleField throttleFields } }"""
    given = {
        "viewName": "falcon",
        "id": await made(client, "AggregateAlert"),
        "name": "new",
        "queryString": "count()",
        "actionIdsOrNames": [],
        "labels": [],
        "enabled": True,
        "throttleTimeSeconds": 60,
        "throttleFields": ["host"],
        "searchIntervalSeconds": 60,
        "queryTimestampType": "IngestTimestamp",
        "triggerMode": "CompleteMode",
        "queryOwnershipType": "User",
    }

    one = data(await client.graphql(document, i=given))
    none = data(await client.graphql(document, i={**given, "throttleFields": []}))
    two = await client.graphql(document, i={**given, "throttleFields": ["host", "user"]})

    assert one == {"name": "new", "throttleField": "host", "throttleFields": ["host"]}
    assert none == {"name": "new", "throttleField": None, "throttleFields": []}
    assert two["errors"][0]["state"] == {
        "throttleFields": "to throttle by several fields is not supported by the sandbox"
    }


async def test_filter_alert_is_made_and_updated_with_a_list_of_fields(client: Any) -> None:
    given = {
        "viewName": "falcon",
        "name": "f",
        "queryString": "a=1",
        "actionIdsOrNames": [],
        "queryOwnershipType": "User",
        "throttleTimeSeconds": 60,
        "throttleFields": ["host"],
    }
    create = """mutation($i: CreateFilterAlert!) { createFilterAlert(input: $i) {
      id throttleField } }"""
    update = """mutation($i: UpdateFilterAlertV2!) { updateFilterAlertV2(input: $i) {
      throttleField labels } }"""

    made_alert = data(await client.graphql(create, i=given))
    more = {"id": made_alert["id"], "labels": ["l"], "enabled": True, "throttleFields": ["user"]}
    updated = data(await client.graphql(update, i={**given, **more}))

    assert made_alert["throttleField"] == "host"
    assert updated == {"throttleField": "user", "labels": ["l"]}


@pytest.mark.parametrize(
    ("mutation", "rest"),
    [
        ("rerunScheduledSearch", ', executionTimeToRerun: "1773108000000"'),
        ("cancelScheduledSearchRerun", ', rerunTimeToCancel: "1773108000000"'),
    ],
)
async def test_run_is_not_repeated(client: Any, mutation: str, rest: str) -> None:
    document = f"""mutation {{ {mutation}(input: {{viewName: "falcon", id: "x"{rest}}}) {{
      id }} }}"""

    (error,) = (await client.graphql(document))["errors"]

    assert error["message"] == ("to run a scheduled search again is not supported by the sandbox")


@pytest.mark.parametrize("name", ["enableFilterAlertV2", "deleteScheduledSearchV2"])
async def test_later_mutations_ask_for_the_right_too(client: Any, name: str) -> None:
    shown = "" if name.startswith("delete") else "{ id }"
    document = f'mutation {{ {name}(input: {{viewName: "falcon", id: "x"}}) {shown} }}'

    answer = await client.call("POST", "/graphql", token="reader", json={"query": document})

    assert answer.status_code == 403


@pytest.mark.parametrize(("version", "there"), [("1.190.0", False), ("1.204.0", True)])
def test_older_servers_have_none_of_them(version: str, there: bool) -> None:
    schema = load_schema(version)

    assert schema.mutation_type is not None
    assert (schema.mutation_type.fields.keys() & LATER == LATER) is there
    assert ("UpdateFilterAlertV2" in schema.type_map) is there
    assert ("EnableScheduledSearch" in schema.type_map) is there
