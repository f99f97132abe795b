"""What the sandbox keeps of an asset beside its own members: its user, a widget's options, YAML."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.sandbox.settings import TokenRole

CREATE_ALERT = (
    """mutation($input: CreateFilterAlert!) { createFilterAlert(input: $input) { id } }"""
)
OWNERS = """{ searchDomain(name: "falcon") { filterAlerts { id
  queryOwnership { __typename id } } } }"""
CREATE_QUERY = """mutation($input: CreateSavedQueryInput!) { createSavedQuery(input: $input) {
  savedQuery { id options widgetType } } }"""
UPDATE_QUERY = """mutation($input: UpdateSavedQueryInput!) { updateSavedQuery(input: $input) {
  savedQuery { id options widgetType } } }"""
FROM_TEMPLATE = """mutation($input: CreateActionFromTemplateInput!) {
  createActionFromTemplate(input: $input) {
    __typename name ... on UploadFileAction { fileName } } }"""


def alert(**changes: Any) -> dict[str, Any]:
    return {
        "viewName": "falcon",
        "name": "a",
        "queryString": "a=b",
        "actionIdsOrNames": [],
        "queryOwnershipType": "User",
        **changes,
    }


async def owner(client: Any) -> dict[str, str]:
    answer = await client.graphql(OWNERS)
    (found,) = answer["data"]["searchDomain"]["filterAlerts"]
    ownership: dict[str, str] = found["queryOwnership"]
    return ownership


async def test_trigger_of_a_user_stays_his_when_another_switches_it(client: Any) -> None:
    client.sandbox.tokens["colleague"] = TokenRole(name="colleague")
    made = await client.graphql(CREATE_ALERT, input=alert())
    alert_id = made["data"]["createFilterAlert"]["id"]

    switch = f'mutation {{ disableFilterAlert(input: {{viewName: "falcon", id: "{alert_id}"}}) }}'
    await client.graphql(switch, token="colleague")

    assert await owner(client) == {"__typename": "UserOwnership", "id": "admin"}


@pytest.mark.parametrize(
    ("changes", "user"), [({}, "colleague"), ({"runAsUserId": "admin"}, "admin")]
)
async def test_update_that_names_no_user_hands_the_trigger_to_the_caller(
    client: Any, changes: dict[str, str], user: str
) -> None:
    client.sandbox.tokens["colleague"] = TokenRole(name="colleague")
    made = await client.graphql(CREATE_ALERT, input=alert())
    given = alert(id=made["data"]["createFilterAlert"]["id"], labels=[], enabled=True, **changes)

    await client.graphql(
        "mutation($input: UpdateFilterAlert!) { updateFilterAlert(input: $input) { id } }",
        token="colleague",
        input=given,
    )

    assert await owner(client) == {"__typename": "UserOwnership", "id": user}


async def test_options_are_written_as_text_and_read_as_json(client: Any) -> None:
    given = {"viewName": "falcon", "name": "q", "queryString": "a=b", "options": '{"columns": [1]}'}
    made = await client.graphql(CREATE_QUERY, input=given)
    first = made["data"]["createSavedQuery"]["savedQuery"]
    update = {"viewName": "falcon", "id": first["id"], "options": '{"columns": []}'}
    changed = await client.graphql(UPDATE_QUERY, input=update)

    assert first["options"] == {"columns": [1]}
    assert changed["data"]["updateSavedQuery"]["savedQuery"] == {
        "id": first["id"],
        "options": {"columns": []},
        "widgetType": "list-view",
    }


async def test_options_that_are_no_json_are_refused(client: Any) -> None:
    given = {"viewName": "falcon", "name": "q", "queryString": "a=b", "options": "{"}
    answer = await client.graphql(CREATE_QUERY, input=given)

    assert answer["errors"][0]["state"] == {"options": "is no JSON"}


@pytest.mark.parametrize(("given", "name"), [({}, "keep"), ({"name": "other"}, "other")])
async def test_action_is_made_from_yaml(client: Any, given: dict[str, str], name: str) -> None:
    text = "name: keep\ntype: upload-file\nfileName: found.csv\n"
    answer = await client.graphql(
        FROM_TEMPLATE, input={"viewName": "falcon", "yamlTemplate": text, **given}
    )

    assert answer["data"]["createActionFromTemplate"] == {
        "__typename": "UploadFileAction",
        "name": name,
        "fileName": "found.csv",
    }


async def test_aggregate_alert_has_no_form_in_yaml(client: Any) -> None:
    answer = await client.graphql(
        """{ generateAggregateAlertFromTemplate(input: {viewName: "falcon",
          yamlTemplate: "name: a"}) { name } }"""
    )

    assert answer["errors"][0]["state"] == {
        "yamlTemplate": "no form of this kind of asset is published"
    }
