"""`POST /graphql`: 200 with `data` and `errors`; only authentication answers another status."""

from __future__ import annotations

import json
from functools import lru_cache
from inspect import isawaitable
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    execute,
    parse,
    validate,
)
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.errors import StoreFull
from orchestrator.sandbox.answers import InputRefused, Refusal, json_answer
from orchestrator.sandbox.auth import caller_of
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.roots import root_of


async def graphql(request: Request) -> Response:
    """Run one operation; the schema is the app's."""
    sandbox, role = caller_of(request)
    body = _body(await request.body())
    result = await _run(
        request.app.state.graphql_schema,
        body["query"],
        root_value=root_of(Caller(sandbox=sandbox, role=role)),
        context_value=sandbox,
        variable_values=body.get("variables"),
        # Clients that name no operation send an empty name.
        operation_name=body.get("operationName") or None,
    )
    for error in result.errors or ():
        match error.original_error:
            case Refusal() as refusal:
                # A missing right answers as everywhere: 403 and its text.
                raise refusal
            case StoreFull() as full:
                raise Refusal(503, str(full)) from full
    return json_answer(_envelope(result))


async def _run(schema: GraphQLSchema, text: str, **given: Any) -> ExecutionResult:
    try:
        document, errors = _checked(schema, text)
    except GraphQLError as exc:
        return ExecutionResult(data=None, errors=[exc])
    if errors:
        return ExecutionResult(data=None, errors=list(errors))
    result = execute(schema, document, **given)
    return await result if isawaitable(result) else result


@lru_cache(maxsize=256)
def _checked(schema: GraphQLSchema, text: str) -> tuple[DocumentNode, tuple[GraphQLError, ...]]:
    """Return the document, and why the schema refuses it; a client sends the same ones often.

    Raises:
        GraphQLError: It is no document.
    """
    document = parse(text)
    return document, tuple(validate(schema, document))


def _body(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise Refusal(400, "The request content was malformed: not JSON") from exc
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        raise Refusal(400, "The request content was malformed: query must be a string")
    if not isinstance(body.get("variables"), dict | None):
        raise Refusal(400, "The request content was malformed: variables must be an object")
    return body


def _envelope(result: ExecutionResult) -> dict[str, Any]:
    envelope: dict[str, Any] = {"data": result.data}
    if result.errors:
        envelope["errors"] = [_error(error) for error in result.errors]
    return envelope


def _error(error: GraphQLError) -> dict[str, Any]:
    wire: dict[str, Any] = dict(error.formatted)
    wire.setdefault("path", error.path or [])
    if isinstance(error.original_error, InputRefused) and error.original_error.state:
        wire["state"] = error.original_error.state
    return wire
