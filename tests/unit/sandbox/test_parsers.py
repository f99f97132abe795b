"""Parsers: scripts run over text, tokens that impose them, their life through GraphQL."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from orchestrator.sandbox.ingest.parsers import Script, run_script, script_problem

CREATE = """mutation($input: CreateParserInputV2!) { createParserV2(input: $input) {
  id name script isBuiltIn fieldsToTag fieldsToBeRemovedBeforeParsing yamlTemplate
  testCases { event { rawString } outputAssertions { outputEventIndex assertions {
    fieldsNotPresent fieldsHaveValues { fieldName expectedValue } } } } } }"""
PARSERS = """query($repository: String!) { repository(name: $repository) {
  parsers { id name isBuiltIn } } }"""
RUN = """mutation($input: ParserTestRunInput!) { testParserV2(input: $input) { __typename
  ... on ParserTestRunAborted { errorMessage }
  ... on ParserTestRunCompleted { results {
    outputEvents { fields { fieldName value } }
    outputFailures { outputEventIndex failures { parsingErrors assertionFailuresOnFields {
      __typename ... on FieldHadUnexpectedValue { fieldName expectedValue actualValue }
      ... on FieldUnexpectedlyPresent { fieldName present: actualValue } } } } } } } }"""
TOKEN = """mutation($input: AddIngestTokenV3Input!) { addIngestTokenV3(input: $input) {
  name token parser { name } } }"""
ACCESS = (
    'regex("^(?<ip>[0-9.]+) (?<verb>[A-Z]+) (?<at>.+)$") | parseTimestamp(field=at) | drop([at])'
)
ROW = {"@timestamp": "1000", "@timezone": "Z", "#type": "access"}


def given(**changes: Any) -> dict[str, Any]:
    return {
        "repositoryName": "falcon",
        "name": "access",
        "script": ACCESS,
        "testCases": [],
        "fieldsToTag": ["verb"],
        "fieldsToBeRemovedBeforeParsing": [],
        **changes,
    }


def data(answer: dict[str, Any]) -> Any:
    assert "errors" not in answer, answer["errors"]
    (found,) = answer["data"].values()
    return found


def state(answer: dict[str, Any]) -> Any:
    return answer["errors"][0]["state"]


# --- scripts ----------------------------------------------------------------------------------


def test_script_reads_text_sets_its_time_and_its_tags() -> None:
    script = Script(name="access", text=ACCESS, tags=("verb",))
    lines = ("10.0.0.1 GET 2026-03-10T01:00:00Z", "10.0.0.2 PUT 2026-03-10T01:00:01Z")

    found = run_script(script, [{**ROW, "@rawstring": line} for line in lines], now_ms=5)

    assert [(e["ip"], e["#verb"], e["@timestamp"]) for e in found] == [
        ("10.0.0.1", "GET", "1773104400000"),
        ("10.0.0.2", "PUT", "1773104401000"),
    ]
    assert {"at", "verb", "@id", "@ingesttimestamp"}.isdisjoint(found[0])


def test_fields_are_removed_before_the_script_and_not_after() -> None:
    script = Script(name="p", text='a=* | b := "late"', removed=("a",))

    assert run_script(script, [{**ROW, "@rawstring": "x", "a": "1"}], now_ms=5) == []


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("a := 1", "5"),
        ("@timestamp := 2000", None),
        ('@timestamp := 2000 | "@timestamp.nanos" := 7', "7"),
    ],
)
def test_what_a_time_has_below_a_millisecond_goes_with_it(text: str, nanos: str | None) -> None:
    row = {**ROW, "@rawstring": "x", "@timestamp.nanos": "5"}

    [event] = run_script(Script(name="p", text=text), [row], now_ms=5)

    assert event.get("@timestamp.nanos") == nanos


def test_ingest_time_that_was_given_is_kept() -> None:
    row = {**ROW, "@rawstring": "x", "@ingesttimestamp": "777"}

    (event,) = run_script(Script(name="p", text="*"), [row], now_ms=5)

    assert event["@ingesttimestamp"] == "777"


def test_event_without_a_time_gets_that_of_its_arrival() -> None:
    (event,) = run_script(
        Script(name="p", text='@timestamp := "soon"'), [{**ROW, "@rawstring": "x"}], now_ms=5
    )

    assert event["@timestamp"] == "5"


def test_text_that_the_script_cannot_read_is_kept_with_an_error() -> None:
    (event,) = run_script(
        Script(name="p", text="parseJson()"), [{**ROW, "@rawstring": '{"a":'}], now_ms=5
    )

    assert event["@rawstring"] == '{"a":'
    assert event["@error"] == "true"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("parseJson()", ""),
        ("kvParse() | dropEvent()", ""),
        ("count()", "a parser must not aggregate"),
        ("parseJson(", "This `(` is never closed. `)` is expected before the end of the query."),
    ],
)
def test_script_is_checked(text: str, problem: str) -> None:
    assert script_problem(text) == problem


# --- tokens and ingest ------------------------------------------------------------------------


async def sent(client: Any, path: str, token: str, **body: Any) -> list[dict[str, Any]]:
    answer = await client.call("POST", path, token=token, **body)
    assert answer.status_code == 200, answer.text
    polled = await client.search(
        'select([@timestamp, "#type", "#verb", ip, f])', start=0, end=2_000_000_000_000
    )
    found: list[dict[str, Any]] = polled["events"]
    return found


LINE = "10.0.0.1 GET 2026-03-10T01:00:00Z"
PARSED = {"@timestamp": 1_773_104_400_000, "#type": "access", "#verb": "GET", "ip": "10.0.0.1"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("ingest/humio-unstructured", {"json": [{"type": "kv", "messages": [LINE]}]}),
        ("ingest/raw", {"content": LINE}),
        ("ingest/hec", {"json": {"event": LINE, "sourcetype": "kv"}}),
        ("ingest/hec/raw", {"content": LINE}),
        (
            "ingest/elastic-bulk",
            {"content": f'{{"index": {{}}}}\n{{"message": "{LINE}"}}\n'},
        ),
        (
            "ingest/humio-structured",
            {"json": [{"events": [{"timestamp": 1, "rawstring": LINE}]}]},
        ),
    ],
)
async def test_parser_of_the_token_reads_what_any_path_brings(
    client: Any, path: str, body: dict[str, Any]
) -> None:
    data(await client.graphql(CREATE, input=given()))
    token = data(
        await client.graphql(
            TOKEN, input={"repositoryName": "falcon", "name": "t", "parser": "access"}
        )
    )
    assert token["parser"] == {"name": "access"}

    assert await sent(client, f"/api/v1/{path}", token["token"], **body) == [PARSED]


async def test_token_that_is_not_given_is_a_uuid(client: Any) -> None:
    """Some senders take no other: PSFalcon checks its form."""
    given = {"repositoryName": "falcon", "name": "ingest"}

    token = data(await client.graphql(TOKEN, input=given))["token"]

    assert str(UUID(token)) == token


async def test_parser_is_named_by_the_sender_where_the_token_has_none(client: Any) -> None:
    data(await client.graphql(CREATE, input=given()))
    body = [{"type": "access", "messages": [LINE], "fields": {"f": "1"}}]

    found = await sent(client, "/api/v1/ingest/humio-unstructured", "sender", json=body)

    assert found == [{**PARSED, "f": "1"}]


async def test_structured_event_is_not_parsed_for_a_tag_of_that_name(client: Any) -> None:
    data(await client.graphql(CREATE, input=given()))
    body = [{"tags": {"type": "access"}, "events": [{"timestamp": 5, "rawstring": LINE}]}]

    found = await sent(client, "/api/v1/ingest/humio-structured", "sender", json=body)

    assert found == [{"@timestamp": 5, "#type": "access"}]


async def test_token_follows_its_parser_and_loses_it(client: Any) -> None:
    made = data(await client.graphql(CREATE, input=given()))
    asked = {"repositoryName": "falcon", "name": "t", "parser": "access"}
    data(await client.graphql(TOKEN, input=asked))
    tokens = '{ repository(name: "falcon") { ingestTokens { name parser { name } } } }'

    data(
        await client.graphql(
            "mutation($i: UpdateParserInputV2!) { updateParserV2(input: $i) { name } }",
            i={"repositoryName": "falcon", "id": made["id"], "name": "renamed"},
        )
    )
    assert {"name": "t", "parser": {"name": "renamed"}} in data(await client.graphql(tokens))[
        "ingestTokens"
    ]

    data(
        await client.graphql(
            "mutation($i: DeleteParserInput!) { deleteParser(input: $i) { result } }",
            i={"repositoryName": "falcon", "id": made["id"]},
        )
    )
    assert {"name": "t", "parser": None} in data(await client.graphql(tokens))["ingestTokens"]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"parser": "nothing"}, {"parser": "the repository has no parser 'nothing'"}),
        ({"name": "sender"}, {"name": "the name 'sender' is already in use"}),
        ({"customToken": "admin"}, {"customToken": "is in use"}),
    ],
)
async def test_ingest_token_that_is_wrong_is_refused(
    client: Any, asked: dict[str, str], reason: dict[str, str]
) -> None:
    answer = await client.graphql(TOKEN, input={"repositoryName": "falcon", "name": "new", **asked})

    assert state(answer) == reason


# --- the life of a parser ---------------------------------------------------------------------


async def test_repository_lists_its_parsers_and_the_built_in_ones(client: Any) -> None:
    data(await client.graphql(CREATE, input=given()))

    found = data(await client.graphql(PARSERS, repository="falcon"))["parsers"]

    assert [(p["name"], p["isBuiltIn"]) for p in found] == [
        ("access", False),
        ("json", True),
        ("kv", True),
    ]


async def test_parser_is_read_by_name_and_by_id_and_is_null_where_there_is_none(
    client: Any,
) -> None:
    made = data(await client.graphql(CREATE, input=given()))
    document = """query($id: String!) { repository(name: "falcon") {
      named: parser(name: "access") { id } known: parser(id: $id) { name }
      missing: parser(name: "other") { id } } }"""

    assert data(await client.graphql(document, id=made["id"])) == {
        "named": {"id": made["id"]},
        "known": {"name": "access"},
        "missing": None,
    }


async def test_test_cases_are_kept_whole_and_written_as_a_file(client: Any) -> None:
    asserted = {"fieldsHaveValues": [{"fieldName": "ip", "expectedValue": "10.0.0.1"}]}
    cases = [
        {
            "event": {"rawString": LINE},
            "outputAssertions": [{"outputEventIndex": 0, "assertions": asserted}],
        },
        {"event": {"rawString": "x"}},
    ]

    made = data(await client.graphql(CREATE, input=given(testCases=cases)))

    first, second = made["testCases"]
    assert first["outputAssertions"][0]["assertions"] == {**asserted, "fieldsNotPresent": []}
    assert second == {"event": {"rawString": "x"}, "outputAssertions": []}
    assert made["yamlTemplate"].splitlines()[0] == 'name: "access"'


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"name": "json"},
            {"name": "to override a built-in parser is not supported by the sandbox"},
        ),
        ({"name": " "}, {"name": "must not be empty"}),
        ({"script": "count()"}, {"script": "a parser must not aggregate"}),
    ],
)
async def test_parser_that_is_wrong_is_refused(
    client: Any, changes: dict[str, Any], reason: dict[str, str]
) -> None:
    assert state(await client.graphql(CREATE, input=given(**changes))) == reason


async def test_name_is_taken_once_unless_overwriting_is_allowed(client: Any) -> None:
    made = data(await client.graphql(CREATE, input=given()))

    refused = await client.graphql(CREATE, input=given())
    changed = data(
        await client.graphql(
            CREATE, input=given(script="kvParse()", allowOverwritingExistingParser=True)
        )
    )

    assert state(refused) == {"name": "the name 'access' is already in use"}
    assert (changed["id"], changed["script"]) == (made["id"], "kvParse()")


async def test_copy_has_the_script_of_its_original(client: Any) -> None:
    made = data(await client.graphql(CREATE, input=given()))
    document = "mutation($i: CloneParserInput!) { cloneParser(input: $i) { id name script } }"
    asked = {"repositoryName": "falcon", "newParserName": "copy", "parserIdToClone": made["id"]}

    copied = data(await client.graphql(document, i=asked))

    assert (copied["name"], copied["script"]) == ("copy", ACCESS)
    assert copied["id"] != made["id"]


async def test_trial_says_what_came_out_and_what_was_not_as_asserted(client: Any) -> None:
    asserted = {
        "fieldsHaveValues": [{"fieldName": "ip", "expectedValue": "10.0.0.9"}],
        "fieldsNotPresent": ["#verb"],
    }
    case = {
        "event": {"rawString": LINE},
        "outputAssertions": [{"outputEventIndex": 0, "assertions": asserted}],
    }

    ran = data(await client.graphql(RUN, input=trial(testCases=[case])))

    (result,) = ran["results"]
    fields = {f["fieldName"]: f["value"] for f in result["outputEvents"][0]["fields"]}
    assert (fields["ip"], fields["#verb"]) == ("10.0.0.1", "GET")
    assert result["outputFailures"][0]["failures"]["assertionFailuresOnFields"] == [
        {
            "__typename": "FieldHadUnexpectedValue",
            "fieldName": "ip",
            "expectedValue": "10.0.0.9",
            "actualValue": "10.0.0.1",
        },
        {"__typename": "FieldUnexpectedlyPresent", "fieldName": "#verb", "present": "GET"},
    ]
    assert [
        p["name"] for p in data(await client.graphql(PARSERS, repository="falcon"))["parsers"]
    ] == ["json", "kv"]


async def test_trial_of_a_script_that_does_not_run_says_why(client: Any) -> None:
    ran = data(await client.graphql(RUN, input=trial(script="count()")))

    assert ran == {
        "__typename": "ParserTestRunAborted",
        "errorMessage": "a parser must not aggregate",
    }


def trial(**changes: Any) -> dict[str, Any]:
    asked = {name: value for name, value in given(**changes).items() if name != "name"}
    return {**asked, "parserName": "access"}


async def test_parsers_and_their_use_survive_a_restart(open_client: Any, tmp_path: Any) -> None:
    async with open_client(data_dir=tmp_path) as before:
        data(await before.graphql(CREATE, input=given()))
        asked = {"repositoryName": "falcon", "name": "t", "parser": "access"}
        token = data(await before.graphql(TOKEN, input=asked))["token"]

    async with open_client(data_dir=tmp_path) as after:
        assert await sent(after, "/api/v1/ingest/raw", token, content=LINE) == [PARSED]


@pytest.mark.parametrize("token", ["reader", "sender"])
async def test_parsers_are_changed_by_administrators_alone(client: Any, token: str) -> None:
    answer = await client.call(
        "POST",
        "/graphql",
        token=token,
        json={"query": CREATE, "variables": {"input": given()}},
    )

    assert answer.status_code == 403
