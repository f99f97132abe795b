"""Which events a result row was made of, asked of the query itself.

Each `groupBy()` of the query is made to collect `@id` too. Nothing else changes, so a case can
say what becomes of each single event, and the rows are those that the query would give anyway.
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.cql.nodes import (
    Argument,
    Array,
    Assignment,
    Call,
    Expression,
    Query,
    Quoted,
    Step,
)
from orchestrator.cql.span import Span

EVENT_ID = "@id"
_NOWHERE = Span(0, 0)
_ALL = "100000"


def with_event_ids(query: Query) -> Query:
    """Return the query with `@id` kept through its groupings, one id a line."""
    steps = tuple(_keeping(step) for step in query.pipeline.steps)
    return replace(query, pipeline=replace(query.pipeline, steps=steps))


def _keeping(step: Step) -> Step:
    if isinstance(step, Call) and step.name.lower() == "groupby":
        return _collecting(step)
    return step


def _collecting(call: Call) -> Step:
    arguments = [
        replace(argument, value=_more(argument.value)) if argument.name == "function" else argument
        for argument in call.arguments
    ]
    if all(argument.name != "function" for argument in arguments):
        # What groupBy() does where no function is named.
        count = Call(span=_NOWHERE, name="count", name_span=_NOWHERE, arguments=())
        arguments.append(
            Argument(span=_NOWHERE, name="function", name_span=_NOWHERE, value=_more(count))
        )
    return replace(call, arguments=tuple(arguments))


def _more(value: Expression) -> Array:
    elements: tuple[Expression | Assignment, ...] = (
        value.elements if isinstance(value, Array) else (value,)
    )
    name = Quoted(span=_NOWHERE, value=EVENT_ID, raw=f'"{EVENT_ID}"')
    limit = Quoted(span=_NOWHERE, value=_ALL, raw=f'"{_ALL}"')
    collect = Call(
        span=_NOWHERE,
        name="collect",
        name_span=_NOWHERE,
        arguments=(
            Argument(
                span=_NOWHERE,
                name=None,
                name_span=None,
                value=Array(span=_NOWHERE, elements=(name,)),
            ),
            Argument(span=_NOWHERE, name="limit", name_span=_NOWHERE, value=limit),
        ),
    )
    return Array(span=value.span, elements=(*elements, collect))
