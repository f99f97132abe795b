"""Checks of where a query will run: alerts and conditions do not take everything."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cql.catalogue import FunctionKind, find
from orchestrator.cql.diagnostics import Level
from orchestrator.cql.fields import is_aggregate
from orchestrator.cql.lint.base import Check, Context, Found, QueryKind
from orchestrator.cql.nodes import (
    Assignment,
    Call,
    Case,
    Comparison,
    ComparisonOperator,
    Match,
    Parameter,
    StatsShorthand,
    Subquery,
)
from orchestrator.cql.span import Span
from orchestrator.cql.walk import walk

_LIVE = (QueryKind.FILTER_ALERT, QueryKind.AGGREGATE_ALERT)
_NOT_LIVE = frozenset(
    (
        "join", "selfJoin", "selfJoinFilter", "defineTable", "correlate", "remoteTable",
        "readFile", "createEvents", "setTimeInterval",
    )
)  # fmt: skip
_FIRST_ONLY = frozenset(("readFile", "createEvents", "setTimeInterval", "defineTable"))


def _not_live(context: Context) -> Iterator[Found]:
    if context.kind not in _LIVE:
        return
    for node in context.nodes:
        function = find(node.name) if isinstance(node, Call) else None
        if isinstance(node, Call) and function is not None and function.name in _NOT_LIVE:
            yield Found(
                message=f"{function.name}() cannot run in a {context.kind.value}.",
                span=node.name_span,
                help="Use a scheduled search.",
            )


def _aggregation(context: Context) -> Iterator[Found]:
    steps = context.query.pipeline.steps
    found = [
        step
        for step in steps
        if isinstance(step, StatsShorthand)
        or (isinstance(step, Call) and is_aggregate(step))
        or (
            isinstance(step, Assignment)
            and isinstance(step.value, Call)
            and is_aggregate(step.value)
        )
    ]
    if context.kind is QueryKind.FILTER_ALERT:
        for step in found:
            yield Found(
                message="A filter alert looks at each event on its own and takes no aggregate.",
                span=step.span,
                help="Use an aggregate alert or a scheduled search.",
            )
    elif context.kind is QueryKind.AGGREGATE_ALERT and steps and not found:
        yield Found(
            message="An aggregate alert needs an aggregate.",
            span=Span(steps[0].span.start, steps[-1].span.end),
            help="Add groupBy(…), or use a filter alert.",
        )


def _parameters(context: Context) -> Iterator[Found]:
    if context.kind in (QueryKind.SEARCH, QueryKind.CONDITION):
        return
    for node in context.nodes:
        if isinstance(node, Parameter) and node.default is None:
            yield Found(
                message=f"Nobody is there to fill in `?{node.name}`.",
                span=node.span,
                help=f"Give it a default: `?{{{node.name}=…}}`.",
            )


def _condition(context: Context) -> Iterator[Found]:
    if context.kind is not QueryKind.CONDITION:
        return
    steps = context.query.pipeline.steps
    if not steps:
        yield Found(message="A condition cannot be empty.", span=context.query.span)
    for step in steps[1:]:
        yield Found(
            message="A condition is one filter, not several steps.",
            span=step.span,
            help="Join its parts with `and`, `or` and parentheses.",
        )
    for step in steps[:1]:
        if isinstance(step, Assignment | Case | Match | StatsShorthand):
            yield Found(message="A condition is a filter, not a statement.", span=step.span)
    for step in steps:
        for node in walk(step):
            function = find(node.name) if isinstance(node, Call) else None
            if isinstance(node, Call) and function and function.kind is not FunctionKind.FILTER:
                is_inner = function.is_value and node is not step
                if not is_inner and function.name != "regex":
                    yield Found(
                        message=f"{function.name}() is not a filter.",
                        span=node.name_span,
                        help="A condition takes comparisons and filter functions only.",
                    )


def _first_only(context: Context) -> Iterator[Found]:
    for number, step in enumerate(context.query.pipeline.steps):
        function = find(step.name) if isinstance(step, Call) else None
        if isinstance(step, Call) and function is not None and function.name in _FIRST_ONLY:
            before = context.query.pipeline.steps[:number]
            if not all(_prepares(earlier) for earlier in before):
                yield Found(
                    message=f"{function.name}() must stand before the query's other steps.",
                    span=step.name_span,
                    help="Move it to the front.",
                )


def _prepares(step: object) -> bool:
    function = find(step.name) if isinstance(step, Call) else None
    return function is not None and function.name in (
        "defineTable",
        "setTimeInterval",
        "remoteTable",
    )


def _links(context: Context) -> Iterator[Found]:
    inside: set[int] = set()
    for node in context.nodes:
        if isinstance(node, Subquery) and node.label is not None:
            inside |= {id(inner) for inner in walk(node)}
    for node in context.nodes:
        is_link = isinstance(node, Comparison) and node.operator is ComparisonOperator.LINK
        if is_link and id(node) not in inside:
            yield Found(
                message="`<=>` links the queries of correlate() and stands nowhere else.",
                span=node.span,
                help="Compare two fields with `test(a == b)`.",
            )


CHECKS = (
    Check(
        code="not-in-live-alert",
        level=Level.ERROR,
        about="Filter and aggregate alerts are live queries: functions that read a second time or "
        "make events cannot run in them.",
        source="LogScale: join(), defineTable(), alert types",
        find=_not_live,
    ),
    Check(
        code="alert-aggregation",
        level=Level.ERROR,
        about="A filter alert takes no aggregate, an aggregate alert needs one.",
        source="LogScale: alert types",
        find=_aggregation,
    ),
    Check(
        code="parameter-without-default",
        level=Level.WARNING,
        about="A query that runs unattended fails on a parameter without value and default.",
        source="LogScale: user parameters",
        find=_parameters,
    ),
    Check(
        code="not-a-condition",
        level=Level.ERROR,
        about="A condition is exactly one filter: comparisons, filter functions, and, or, not.",
        source="this project: a condition is asked of one finding at a time",
        find=_condition,
    ),
    Check(
        code="not-first",
        level=Level.ERROR,
        about="Tables and sources are set up before the main query reads its first event.",
        source="LogScale: defineTable(), readFile(), createEvents()",
        find=_first_only,
    ),
    Check(
        code="link-outside-correlate",
        level=Level.ERROR,
        about="The link operator joins the labelled queries of correlate().",
        source="LogScale: correlate()",
        find=_links,
    ),
)
