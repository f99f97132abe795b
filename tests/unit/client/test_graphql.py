"""The documents against the schema, and the envelope that says 200 for failures."""

from __future__ import annotations

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
from orchestrator.errors import GraphqlError, ServerFailed, Unauthorized, UnexpectedResponse
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
        "least 60; at createAggregateAlert; and 1 more"
    )


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
