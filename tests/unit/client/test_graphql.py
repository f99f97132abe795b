"""The documents against the schema, and the envelope that says 200 for failures."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from graphql import GraphQLSchema, build_schema, coerce_input_value, parse, validate
from graphql.type import GraphQLInputType

from orchestrator.client.cassettes.scripted import ScriptedTransport, json_response, text_response
from orchestrator.client.graphql.asset_kinds import KINDS, AssetKind
from orchestrator.client.graphql.asset_wire import WriteContext
from orchestrator.client.graphql.client import Graphql
from orchestrator.client.graphql.documents import load_document, operation_names
from orchestrator.client.http.auth import StaticToken
from orchestrator.client.http.retry import RetryPolicy
from orchestrator.client.http.session import Session
from orchestrator.client.types import (
    AggregateAlert,
    Asset,
    FilterAlert,
    LegacyAlert,
    QueryOwnership,
    SavedQuery,
    ScheduledSearch,
    TimestampType,
)
from orchestrator.clock import FrozenClock
from orchestrator.errors import (
    ClientError,
    GraphqlError,
    GraphqlProblem,
    ServerFailed,
    Unauthorized,
    UnexpectedResponse,
    UnknownRepository,
)
from orchestrator.sandbox.graphql.sdl import schema_text
from orchestrator.secret import SecretText

MINUTE = timedelta(minutes=1)
EXAMPLES: dict[type[Asset], Asset] = {
    SavedQuery: SavedQuery(name="n", query="q", labels=("l",)),
    ScheduledSearch: ScheduledSearch(
        name="n",
        query="q",
        enabled=True,
        schedule="*/5 * * * *",
        search_interval=MINUTE,
        timestamp_type=TimestampType.EVENT,
        actions=("a",),
    ),
    AggregateAlert: AggregateAlert(
        name="n",
        query="q",
        enabled=True,
        search_interval=MINUTE,
        throttle=MINUTE,
        throttle_field="host",
    ),
    FilterAlert: FilterAlert(name="n", query="q", enabled=True, throttle=MINUTE),
    LegacyAlert: LegacyAlert(
        name="n", query="q", enabled=True, window=MINUTE, throttle=MINUTE, actions=("a",)
    ),
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(schema_text())


def make_graphql(transport: ScriptedTransport) -> Graphql:
    return Graphql(
        Session(
            transport,
            auth=StaticToken(SecretText("token-canary")),
            clock=FrozenClock(datetime(2026, 3, 10, tzinfo=UTC)),
            policy=RetryPolicy(),
            jitter=lambda: 0.0,
        )
    )


@pytest.mark.parametrize("operation", operation_names())
def test_document_is_valid_and_named_after_its_file(operation: str, schema: GraphQLSchema) -> None:
    document = parse(load_document(operation))

    assert validate(schema, document) == []
    assert document.to_dict()["definitions"][0]["name"]["value"] == operation


def test_every_operation_of_the_table_is_packaged() -> None:
    named = {
        operation
        for kind in KINDS
        for operation in (
            kind.list_operation,
            kind.create_operation,
            kind.update_operation,
            kind.delete_operation,
        )
    }

    touching = {
        operation
        for kind in KINDS
        if kind.trigger
        for operation in (
            f"Enable{kind.trigger}",
            f"Disable{kind.trigger}",
            f"ClearErrorOn{kind.trigger}",
            f"Add{kind.trigger}Label",
            f"Remove{kind.trigger}Label",
        )
    }

    templates = {kind.template_operation for kind in KINDS} - {""}

    assert named | touching | templates <= set(operation_names())


def test_unknown_operation_is_our_bug() -> None:
    with pytest.raises(FileNotFoundError):
        load_document("NoSuchOperation")


def input_type(operation: str, schema: GraphQLSchema) -> GraphQLInputType:
    assert schema.mutation_type is not None
    selected = parse(load_document(operation)).to_dict()["definitions"][0]["selection_set"]
    field = schema.mutation_type.fields[selected["selections"][0]["name"]["value"]]
    wanted: GraphQLInputType = field.args["input"].type
    return wanted


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.create_operation))
def test_inputs_fit_the_schema(kind: AssetKind[Asset], schema: GraphQLSchema) -> None:
    context = WriteContext(
        view="v", ownership=QueryOwnership.ORGANIZATION, action_ids={"a": "id-a"}
    )
    example = EXAMPLES[kind.type]
    if kind.create_operation == "CreateSavedQueryBefore1204":
        # What such a server takes.
        example = replace(example, labels=())
    content = kind.to_input(example, context)

    coerce_input_value(content, input_type(kind.create_operation, schema))
    coerce_input_value({**content, "id": "1"}, input_type(kind.update_operation, schema))


async def test_execute_returns_the_data_and_sends_the_document() -> None:
    transport = ScriptedTransport(json_response({"data": {"searchDomain": {"actions": []}}}))

    data = await make_graphql(transport).execute("ListActions", {"view": "v"})

    assert data.member("searchDomain").members("actions") == ()
    assert b'"operationName": "ListActions", "variables": {"view": "v"}' in (
        transport.requests[0].content
    )
    assert transport.requests[0].path == "graphql"


async def test_execute_errors_with_200_carry_message_state_and_path() -> None:
    envelope = {
        "data": None,
        "errors": [
            {
                "message": "There were errors in the input.",
                "path": ["createAggregateAlert"],
                "state": {"throttleTimeSeconds": "must be at least 60"},
            },
            {"message": "second"},
        ],
    }
    transport = ScriptedTransport(json_response(envelope))

    with pytest.raises(GraphqlError) as caught:
        await make_graphql(transport).execute("CreateAggregateAlert", {"input": {}})

    assert caught.value.problem == (
        "CreateAggregateAlert: There were errors in the input.; throttleTimeSeconds: must be at "
        "least 60; at createAggregateAlert; and second"
    )
    assert caught.value.problems == (
        GraphqlProblem(
            message="There were errors in the input.",
            state={"throttleTimeSeconds": "must be at least 60"},
            path=("createAggregateAlert",),
        ),
        GraphqlProblem(message="second"),
    )


async def test_execute_tells_every_reason_however_long_the_others_are() -> None:
    state = {"queryString": "x" * 300, "schedule": "not a cron expression"}
    errors = [
        {"message": "m" * 300, "path": ["files", 0, "name"], "state": state},
        *({"message": f"error {n}"} for n in range(600)),
    ]
    transport = ScriptedTransport(json_response({"data": None, "errors": errors}))

    with pytest.raises(GraphqlError) as caught:
        await make_graphql(transport).execute("CreateScheduledSearch", {"input": {}})

    first, *rest = caught.value.problems
    assert first.message == "m" * 255 + "…"
    assert first.state == {"queryString": "x" * 255 + "…", "schedule": "not a cron expression"}
    assert "; schedule: not a cron expression; at files.0.name; and error 0" in str(caught.value)
    assert [problem.message for problem in rest] == [f"error {n}" for n in range(499)]
    assert str(caught.value).endswith("; and error 498; and 101 more")


async def test_secret_in_the_variables_is_sent_and_in_no_error() -> None:
    secret = SecretText("canary-7f3a-secret")
    state = {"customToken": f"the token {secret.reveal()} is in use"}
    refused = [{"message": f"no {secret.reveal()}", "path": [secret.reveal(), 0], "state": state}]
    transport = ScriptedTransport(json_response({"data": None, "errors": refused}))
    given = {"input": {"name": "n", "customToken": secret, "others": [secret, 1]}}

    with pytest.raises(GraphqlError) as caught:
        await make_graphql(transport).execute("AddIngestToken", given)

    sent = json.loads(transport.requests[0].content)["variables"]["input"]
    assert sent == {"name": "n", "customToken": secret.reveal(), "others": [secret.reveal(), 1]}
    assert caught.value.problems == (
        GraphqlProblem(
            message="no ***", state={"customToken": "the token *** is in use"}, path=("***", 0)
        ),
    )
    assert secret.reveal() not in f"{caught.value} {vars(caught.value)}"


@pytest.mark.parametrize(
    ("path", "variables", "name"),
    [
        (["searchDomain"], {"view": "gone"}, "gone"),
        (["repository"], {"repository": "gone"}, "gone"),
        (["searchDomain", "files"], {"view": "there"}, None),
        (["searchDomain"], {}, None),
    ],
)
async def test_error_at_the_domain_itself_names_it(
    path: list[str], variables: dict[str, object], name: str | None
) -> None:
    envelope = {"data": None, "errors": [{"message": "no", "path": path}]}
    transport = ScriptedTransport(json_response(envelope))

    with pytest.raises(ClientError) as caught:
        await make_graphql(transport).run("{ x }", variables)

    if name is None:
        assert type(caught.value) is GraphqlError
    else:
        assert isinstance(caught.value, UnknownRepository)
        assert caught.value.problem.startswith(f"there is no repository or view '{name}'")


async def test_run_sends_a_document_of_the_callers_own() -> None:
    data = {"meta": {"version": "1.204.0"}}
    transport = ScriptedTransport(*[json_response({"data": data})] * 2)
    graphql = make_graphql(transport)
    text = "query A { meta { version } } query B($f: FeatureFlag!) { featureFlags { flag } }"

    plain = await graphql.run("{ meta { version } }")
    named = await graphql.run(text, {"f": "SleepFunction"}, operation="A")

    assert (plain.raw, named.raw) == (data, data)
    assert [json.loads(request.content) for request in transport.requests] == [
        {"query": "{ meta { version } }", "variables": {}},
        {"query": text, "operationName": "A", "variables": {"f": "SleepFunction"}},
    ]


async def test_run_reads_the_envelope_as_execute_does() -> None:
    refused = json_response({"data": None, "errors": [{"message": "no such field"}]})

    with pytest.raises(GraphqlError, match="the document: no such field"):
        await make_graphql(ScriptedTransport(refused)).run("{ nonsense }")


@pytest.mark.parametrize(
    ("document", "is_repeated"),
    [
        ("{ a }", True),
        ("query Q { mutation }", True),
        ('{ a(x: "}") mutation(y: """ } mutation " """) }', True),
        ("# mutation\n{ a }", True),
        ("query Q($mutation: String) { a(b: $mutation) }", True),
        ("mutation { a }", False),
        ("mutation M($i: I! = {a: 1}) { a(i: $i) { b } }", False),
        ("fragment F on T { a } mutation M { a { ...F } }", False),
        ('query Q { a(x: "{") } mutation M { a }', False),
        ("query Q { a } # }\nmutation M { a }", False),
    ],
)
async def test_run_repeats_only_what_holds_no_mutation(document: str, is_repeated: bool) -> None:
    transport = ScriptedTransport(text_response("x", status=500), json_response({"data": {}}))

    if is_repeated:
        assert (await make_graphql(transport).run(document)).raw == {}
    else:
        with pytest.raises(ServerFailed):
            await make_graphql(transport).run(document)


async def test_execute_partial_data_with_errors_is_a_failure() -> None:
    envelope = {"data": {"searchDomain": {"actions": []}}, "errors": [{"message": "half"}]}

    with pytest.raises(GraphqlError, match="half"):
        await make_graphql(ScriptedTransport(json_response(envelope))).execute("ListActions")


async def test_execute_null_errors_are_no_errors() -> None:
    transport = ScriptedTransport(json_response({"data": {}, "errors": None}))

    assert (await make_graphql(transport).execute("ListActions")).raw == {}


async def test_execute_a_query_is_retried_and_a_mutation_is_not() -> None:
    broken = text_response("x", status=500)
    answer = json_response({"data": {}})
    await make_graphql(ScriptedTransport(broken, answer)).execute("ListActions")

    with pytest.raises(ServerFailed):
        await make_graphql(ScriptedTransport(broken, answer)).execute("DeleteAction")


async def test_execute_with_a_bad_token_is_text_with_401() -> None:
    transport = ScriptedTransport(
        text_response("The supplied authentication is invalid", status=401)
    )

    with pytest.raises(Unauthorized):
        await make_graphql(transport).execute("ListActions")


async def test_execute_a_login_page_is_unexpected() -> None:
    transport = ScriptedTransport(text_response("<html>", content_type="text/html"))

    with pytest.raises(UnexpectedResponse, match="a web page came back"):
        await make_graphql(transport).execute("ListActions")
