"""What older servers had beside, and newer ones have no more."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import parse, validate

from orchestrator.sandbox.graphql.schema import load_schema

CREATE = """mutation($i: CreateParserInput!) { createParser(input: $i) { parser { id name script
  fieldsToTag testCases { event { rawString } } } } }"""
UPDATE = """mutation($i: UpdateParserInput!) { updateParser(input: $i) { parser { name sourceCode
  testData tagFields } } }"""
REMOVE = "mutation($i: RemoveParserInput!) { removeParser(input: $i) { parser { name } } }"
GET = """query($name: String!) { repository(name: "falcon") { parser(name: $name) { id name
  sourceCode testData tagFields } } }"""
PARSER = {
    "repositoryName": "falcon",
    "name": "web",
    "sourceCode": "kvParse()",
    "testData": ["a=1", "a=2"],
    "tagFields": ["#host"],
    "force": False,
}


def data(answer: dict[str, Any]) -> Any:
    assert "errors" not in answer, answer["errors"]
    (found,) = answer["data"].values()
    return found


@pytest.fixture
async def old(open_client: Any) -> Any:
    """Return a client of a sandbox that plays an old server."""
    async with open_client(version="1.150.0") as opened:
        yield opened


async def test_parser_of_an_old_client_lives_its_life(old: Any) -> None:
    made = data(await old.graphql(CREATE, i=PARSER))["parser"]
    read = data(await old.graphql(GET, name="web"))["parser"]
    change = {"repositoryName": "falcon", "id": made["id"], "sourceCode": "parseJson()"}
    changed = data(await old.graphql(UPDATE, i=change))["parser"]
    gone = data(await old.graphql(REMOVE, i={"repositoryName": "falcon", "id": made["id"]}))

    assert made == {
        "id": made["id"],
        "name": "web",
        "script": "kvParse()",
        "fieldsToTag": ["#host"],
        "testCases": [{"event": {"rawString": "a=1"}}, {"event": {"rawString": "a=2"}}],
    }
    kept = {"name": "web", "testData": ["a=1", "a=2"], "tagFields": ["#host"]}
    assert read == {"id": made["id"], "sourceCode": "kvParse()", **kept}
    assert changed == {"sourceCode": "parseJson()", **kept}
    assert gone == {"parser": {"name": "web"}}
    assert data(await old.graphql(GET, name="web")) == {"parser": None}


async def test_parser_takes_the_place_of_another_by_force_alone(old: Any) -> None:
    data(await old.graphql(CREATE, i=PARSER))

    again = await old.graphql(CREATE, i=PARSER)
    forced = data(await old.graphql(CREATE, i={**PARSER, "force": True, "testData": []}))

    assert again["errors"][0]["state"] == {"name": "the name 'web' is already in use"}
    assert forced["parser"]["testCases"] == []


async def test_parser_that_is_not_there_is_refused(old: Any) -> None:
    nobody = {"repositoryName": "falcon", "id": "x"}

    removed = await old.graphql(REMOVE, i=nobody)
    updated = await old.graphql(UPDATE, i={"sourceCode": "kvParse()"})

    assert removed["errors"][0]["message"] == "Could not find a parser with the id 'x'"
    assert updated["errors"][0]["state"] == {"repositoryName": "is required", "id": "is required"}


async def test_rights_are_asked_for_as_one_action(old: Any) -> None:
    document = """{ searchDomain(name: "falcon") { allowedViewActions
      mayAlert: isActionAllowed(action: ChangeTriggersAndActions) } }"""

    admin = data(await old.graphql(document))
    reader = data(await old.graphql(document, token="reader"))

    assert admin["mayAlert"] is True
    assert "ChangeTriggersAndActions" in admin["allowedViewActions"]
    assert reader == {
        "allowedViewActions": ["ReadEvents", "ExportQueryResults"],
        "mayAlert": False,
    }


async def test_newer_server_lists_only_actions_that_it_knows(client: Any) -> None:
    document = '{ searchDomain(name: "falcon") { allowedViewActions } }'

    found = data(await client.graphql(document))["allowedViewActions"]

    assert "ChangeTriggersAndActions" not in found
    assert {"ChangeTriggers", "ChangeActions"} < {*found}


async def test_assets_say_what_they_are(old: Any) -> None:
    for document in (
        """mutation { createSavedQuery(input: {viewName: "falcon", name: "q", queryString: "a=1"}) {
          savedQuery { id } } }""",
        """mutation { createAlert(input: {viewName: "falcon", name: "a", queryString: "a=1",
          queryStart: "1h", throttleTimeMillis: 60000, actions: []}) { id } }""",
        """mutation { createScheduledSearch(input: {viewName: "falcon", name: "s",
          queryString: "count()", queryStart: "1h", queryEnd: "now", schedule: "5 * * * *",
          timeZone: "UTC", backfillLimit: 0, actions: []}) { id } }""",
    ):
        data(await old.graphql(document))

    found = data(
        await old.graphql("""{ searchDomain(name: "falcon") { alerts { assetType }
          savedQueries { assetType } scheduledSearches { lastScheduledSearch } } }""")
    )

    assert found == {
        "alerts": [{"assetType": "Alert"}],
        "savedQueries": [{"assetType": "SavedQuery"}],
        "scheduledSearches": [{"lastScheduledSearch": None}],
    }


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("mutation($i: CreateParserInput!) { createParser(input: $i) { parser { id } } }", 1),
        ("mutation($i: RemoveParserInput!) { removeParser(input: $i) { parser { id } } }", 1),
        ("{ repository(name: %) { parsers { sourceCode } } }", 2),
        ("{ searchDomain(name: %) { alerts { assetType } } }", 2),
        ("{ searchDomain(name: %) { scheduledSearches { lastScheduledSearch } } }", 2),
        ("{ searchDomain(name: %) { isActionAllowed(action: ChangeTriggersAndActions) } }", 2),
        ("{ repository(name: %) { parsers { script } } }", 3),
    ],
)
def test_server_lacks_what_was_gone_by_then(text: str, until: int) -> None:
    document = parse(text.replace("%", '"x"'))
    versions = ("1.150.0", "1.180.0", "1.204.0")

    known = [validate(load_schema(version), document) == [] for version in versions]

    assert known == [position < until for position in range(len(versions))]
