"""Checks of where the query will run: each kind of search refuses some constructs.

| kind             | runs                                 | takes                             |
| ---------------- | ------------------------------------ | --------------------------------- |
| search           | once, by hand or by our own schedule | everything                        |
| scheduled search | once a window, unattended            | everything but anchored times     |
| filter alert     | live, each event on its own          | filters and transforms            |
| aggregate alert  | live, over a sliding window          | one aggregate at least, no tables |
| correlation rule | once a window, unattended            | everything                        |
| condition        | here, on one finding                 | one filter                        |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cql.catalogue import FunctionKind, find
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.fields import argument, names
from orchestrator.cql.lint.base import Check, Context, Found, QueryKind
from orchestrator.cql.lint.outline import called
from orchestrator.cql.nodes import (
    And,
    Assignment,
    Call,
    Case,
    Duration,
    FieldOperator,
    Match,
    Node,
    Not,
    Or,
    Parameter,
    Quoted,
    SavedQuery,
    StatsShorthand,
    Step,
    Word,
)
from orchestrator.cql.parser.characters import quote
from orchestrator.cql.span import Span

LIVE = (QueryKind.FILTER_ALERT, QueryKind.AGGREGATE_ALERT)
_PLANNED = (QueryKind.SCHEDULED_SEARCH, QueryKind.CORRELATION_RULE)
_NOT_LIVE = frozenset(
    (
        "join", "selfJoin", "selfJoinFilter", "defineTable", "correlate", "remoteTable",
        "readFile", "createEvents", "setTimeInterval",
    )
)  # fmt: skip
_FIRST_ONLY = frozenset(("readFile", "createEvents", "setTimeInterval", "defineTable"))
_JOINS = frozenset(("join", "selfJoin", "selfJoinFilter"))
_ALERT_FIELDS = ("@id", "@ingesttimestamp")
"""A filter alert finds its events again by these."""


def _not_live(context: Context) -> Iterator[Found]:
    if context.kind not in LIVE:
        return
    for call, function in context.calls:
        if function.name in _NOT_LIVE:
            yield Found(
                message=f"{function.name}() cannot run in a {_shown(context.kind)}.",
                span=call.name_span,
                help="Use a scheduled search.",
            )


def _shown(kind: QueryKind) -> str:
    return kind.value.replace("-", " ")


def _aggregation(context: Context) -> Iterator[Found]:
    aggregates = [outline.step for outline in context.steps if outline.is_aggregate]
    steps = context.query.pipeline.steps
    if context.kind is QueryKind.FILTER_ALERT:
        for step in aggregates:
            function = find(step.name) if isinstance(step, Call) else None
            if function is not None and function.name in _NOT_LIVE:
                continue
            advice = "Use an aggregate alert or a scheduled search."
            if function is not None and function.name == "table":
                advice = "To pick columns write `select([…])`."
            yield Found(
                message="A filter alert looks at each event on its own and takes no aggregate.",
                span=step.span,
                help=advice,
            )
    # The step that nobody could read, or a saved query, may hold the aggregate.
    may_hold = context.is_broken or context.each(SavedQuery)
    needs = context.kind is QueryKind.AGGREGATE_ALERT and steps
    if needs and not aggregates and not may_hold:
        yield Found(
            message="An aggregate alert needs an aggregate.",
            span=Span(steps[0].span.start, steps[-1].span.end),
            help="Add groupBy(…), or use a filter alert.",
        )


def _kept_fields(context: Context) -> Iterator[Found]:
    if context.kind is not QueryKind.FILTER_ALERT:
        return
    for outline in context.steps:
        call = outline.step
        # Behind an aggregate, which is told itself, there are no events to keep track of.
        if outline.is_behind or not isinstance(call, Call):
            continue
        fields = names(argument(call, "fields"))
        match called(call):
            case "select":
                missing = [name for name in _ALERT_FIELDS if name not in fields]
            case "drop":
                missing = [name for name in _ALERT_FIELDS if name in fields]
            case _:
                continue
        if missing and fields:
            yield Found(
                message=f"A filter alert needs `{missing[0]}`, and it is gone behind this.",
                span=call.span,
                help=f"Keep {' and '.join(f'`{name}`' for name in _ALERT_FIELDS)}.",
            )


def _anchored_times(context: Context) -> Iterator[Found]:
    if context.kind is not QueryKind.SCHEDULED_SEARCH and context.kind not in LIVE:
        return
    for call, function in context.calls:
        if function.name in _NOT_LIVE and context.kind in LIVE:
            continue
        for item in call.arguments:
            if item.name not in ("start", "end"):
                continue
            value = item.value
            text = value.value if isinstance(value, Quoted) else ""
            text = value.text if isinstance(value, Word | Duration) else text
            if "@" in text or text.startswith("calendar:"):
                yield Found(
                    message=f"`{text}` is anchored to the calendar, which a {_shown(context.kind)} "
                    "does not take.",
                    span=value.span,
                    help="Write a plain length, such as `1d`.",
                )


def _own_window(context: Context) -> Iterator[Found]:
    if context.kind not in _PLANNED:
        return
    for call, function in context.calls:
        if function.name == "setTimeInterval":
            yield Found(
                message="This window replaces the one that the schedule asks for.",
                span=call.name_span,
                help="Leave it out, and give the window with the schedule.",
            )


def _repeating(context: Context) -> Iterator[Found]:
    if context.kind in LIVE:
        return
    for call, function in context.calls:
        if function.name == "beta:repeating":
            yield Found(
                message=f"beta:repeating() does nothing in a {_shown(context.kind)}.",
                span=call.name_span,
                help="Leave it out.",
            )


def _parameters(context: Context) -> Iterator[Found]:
    if context.kind in (QueryKind.SEARCH, QueryKind.CONDITION):
        return
    declared = {node.name for node in context.each(Parameter) if node.default is not None}
    for node in context.each(Parameter):
        if node.default is None and node.name not in declared:
            yield Found(
                message=f"Nobody is there to fill in `?{node.name}`.",
                span=node.span,
                help=f"Give it a default: `?{{{node.name}=…}}`.",
                fix=Fix(
                    span=node.span,
                    text=f"?{{{context.source(node.span)[1:]}={quote('*')}}}",
                    label="let it stand for everything",
                ),
            )
            declared.add(node.name)


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
            yield Found(
                message="A condition is a filter, not a statement.",
                span=step.span,
                help="Write comparisons, joined with `and`, `or` and parentheses.",
            )
    for node in (*context.each(Parameter), *context.each(SavedQuery)):
        what = "parameter" if isinstance(node, Parameter) else "saved query"
        yield Found(
            message=f"A condition takes no {what}: there is nobody to give its value.",
            span=node.span,
            help="Write the filter out.",
        )
    for call in _filter_calls(steps[:1]):
        function = find(call.name)
        if function is None or function.kind is FunctionKind.FILTER or function.name == "regex":
            continue
        yield Found(
            message=f"{function.name}() is not a filter.",
            span=call.name_span,
            help="A condition takes comparisons and filter functions only.",
        )


def _filter_calls(steps: Sequence[Step]) -> Iterator[Call]:
    """Yield the calls that stand as filters, not those inside of expressions."""
    pending: list[Node] = list(reversed(steps))
    while pending:
        node = pending.pop()
        match node:
            case Call():
                yield node
            case And() | Or():
                pending.extend(reversed(node.operands))
            case Not():
                pending.append(node.operand)
            case FieldOperator():
                pending.append(node.call)
            case Assignment(value=Call() as call):
                yield call


def _first_only(context: Context) -> Iterator[Found]:
    prepared = True
    for step in context.query.pipeline.steps:
        function = find(step.name) if isinstance(step, Call) else None
        name = function.name if function is not None else ""
        if isinstance(step, Call) and name in _FIRST_ONLY and not prepared:
            yield Found(
                message=f"{name}() must stand before the query's other steps.",
                span=step.name_span,
                help="Move it to the front.",
            )
        prepared = prepared and name in ("defineTable", "setTimeInterval", "remoteTable")


def _tables_and_joins(context: Context) -> Iterator[Found]:
    if not any(function.name == "defineTable" for _, function in context.calls):
        return
    for call, function in context.calls:
        if function.name in _JOINS:
            yield Found(
                message=f"defineTable() and {function.name}() cannot be used in one query.",
                span=call.name_span,
                help="Define a second table, and look it up with match().",
            )


CHECKS = (
    Check(
        code="not-in-live-alert",
        level=Level.ERROR,
        about="Filter and aggregate alerts are live queries: functions that read a second time, "
        "set the time or make events cannot run in them. A scheduled search can.",
        source="LogScale: join(), defineTable(), alert types",
        find=_not_live,
    ),
    Check(
        code="alert-aggregation",
        level=Level.ERROR,
        about="A filter alert looks at one event at a time and takes no aggregate; an aggregate "
        "alert watches a window and needs one.",
        source="LogScale: alert types",
        find=_aggregation,
    ),
    Check(
        code="alert-fields",
        level=Level.ERROR,
        about="A filter alert keeps track of its events by `@id` and `@ingesttimestamp`; a query "
        "that removes them with select() or drop() is refused.",
        source="LogScale: filter alerts",
        find=_kept_fields,
    ),
    Check(
        code="anchored-time",
        level=Level.ERROR,
        about="Times that are anchored (`1d@d`) or follow the calendar are for searches by hand. "
        "Live queries and scheduled searches take plain lengths only.",
        source="LogScale: relative time syntax",
        find=_anchored_times,
    ),
    Check(
        code="own-window",
        level=Level.WARNING,
        about="setTimeInterval() overrides the window a planned search is run for, so runs "
        "overlap or leave gaps. The schedule says which window to search.",
        source="LogScale: setTimeInterval()",
        find=_own_window,
    ),
    Check(
        code="repeating-static",
        level=Level.HINT,
        about="beta:repeating() turns a live query into one that is repeated; where the query is "
        "not live it has no effect.",
        source="LogScale: beta:repeating()",
        find=_repeating,
    ),
    Check(
        code="parameter-without-default",
        level=Level.WARNING,
        about="A query that runs unattended fails on a parameter without value and default. Give "
        "it a default once, `?{name=value}`, or write the value.",
        source="LogScale: user parameters",
        find=_parameters,
    ),
    Check(
        code="not-a-condition",
        level=Level.ERROR,
        about="A condition is exactly one filter: comparisons, filter functions, and, or, not. It "
        "is asked of one finding at a time, where there is nothing to aggregate or look up.",
        source="this project: a condition is asked of one finding at a time",
        find=_condition,
    ),
    Check(
        code="not-first",
        level=Level.ERROR,
        about="Tables, sources and the search's own time are set up before the main query reads "
        "its first event, so the functions for them stand before all other steps.",
        source="LogScale: defineTable(), readFile(), createEvents()",
        find=_first_only,
    ),
    Check(
        code="table-with-join",
        level=Level.ERROR,
        about="LogScale refuses a query that uses both defineTable() and one of join(), "
        "selfJoin() and selfJoinFilter(). A second table does what the join was for.",
        source="LogScale: defineTable()",
        find=_tables_and_joins,
    ),
)
