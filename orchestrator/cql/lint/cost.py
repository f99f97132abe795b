"""Checks of what a query costs: work that could come later, be cheaper, or be left out.

All of them are hints: the query is right. They are silent where the cheaper form is a guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from orchestrator.cql.catalogue import FunctionKind, find
from orchestrator.cql.diagnostics import Level
from orchestrator.cql.fields import argument, names
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.branches import matches_all
from orchestrator.cql.lint.kinds import LIVE
from orchestrator.cql.lint.outline import Outline, called
from orchestrator.cql.nodes import (
    And,
    Assignment,
    Call,
    Case,
    Comparison,
    ComparisonOperator,
    FreeText,
    Match,
    Node,
    Not,
    Number,
    Or,
    Parameter,
    Regex,
    Subquery,
    Word,
)
from orchestrator.cql.walk import walk

_EQUALITY = (ComparisonOperator.EQUAL, ComparisonOperator.NOT_EQUAL)
_SOURCES = (FunctionKind.SOURCE, FunctionKind.JOIN)
_PRETTY = frozenset(("format", "formatTime", "formatDuration"))
_FILTERS = (And, Or, Not, Comparison, FreeText)
_CARRIERS = frozenset(("selectLast", "selectFromMax", "selectFromMin"))


def _no_tag(context: Context) -> Iterator[Found]:
    steps = context.steps
    # A query that begins with an aggregate asks about everything on purpose.
    if not steps or not isinstance(steps[0].step, _FILTERS) or context.kind.value == "condition":
        return
    chosen = False
    for outline in steps:
        # A table, a saved query or a stored lookup brings its own choice of events.
        if _brings_events(outline):
            return
        for node in walk(outline.step):
            if isinstance(node, Comparison) and node.field.name.startswith("#"):
                return
            if isinstance(node, Call) and not outline.is_aggregate and _asks_tag(node):
                return
            if isinstance(node, Parameter):
                # What stands for it when the query runs is not known here.
                chosen = True
        if isinstance(outline.step, Match) and outline.step.field.name.startswith("#"):
            return
        if outline.is_aggregate:
            break
    if not chosen and any(outline.is_aggregate for outline in steps):
        yield Found(
            message="No tag chooses the events, so every data source is read.",
            span=steps[0].step.span,
            help="Begin with a tag that holds for them: `#type=…`, `#event_simpleName=…`.",
        )


def _asks_tag(call: Call) -> bool:
    return any(name.startswith("#") for item in call.arguments for name in names(item.value))


def _brings_events(outline: Outline) -> bool:
    step = outline.step
    if isinstance(step, Call):
        function = find(step.name)
        return function is None or function.kind in _SOURCES
    return outline.is_open and not isinstance(step, Assignment | Case | Match)


def _late_filters(context: Context) -> Iterator[Found]:
    """Find a filter of the event's own fields behind work done for every event."""
    made: set[str] = set()
    costly: str | None = None
    for outline in context.steps:
        step = outline.step
        if outline.is_open or outline.is_aggregate:
            return
        if isinstance(step, Case | Match):
            # A clause may end in a filter, and what it then costs to come first is unknown.
            costly = costly or ("case" if isinstance(step, Case) else "match")
        elif isinstance(step, Call):
            function = find(step.name)
            if function is not None and function.name in ("match", "regex", "parseJson"):
                costly = f"{function.name}()"
        elif costly is not None and isinstance(step, Comparison):
            own = step.field.name not in made and not isinstance(step.value, Regex | Parameter)
            tag = step.field.name.startswith("#")
            if own and not tag and step.operator is not ComparisonOperator.NOT_EQUAL:
                yield Found(
                    message=f"This filter could stand before {costly}, which runs for every event.",
                    span=step.span,
                    help="Move it to the front.",
                )
        made |= outline.makes


def _regex_before_filter(context: Context) -> Iterator[Found]:
    steps = context.steps
    for outline, following in pairwise(steps):
        step = outline.step
        if outline.is_behind or not isinstance(step, Comparison) or outline.makes:
            continue
        later = following.step
        if not isinstance(step.value, Regex) or not isinstance(later, Comparison):
            continue
        # Tags choose the data sources wherever they stand.
        if step.field.name.startswith("#"):
            continue
        if not isinstance(later.value, Word | Number) or later.operator not in _EQUALITY:
            continue
        if not later.field.name.startswith("#") and "*" not in context.source(later.value.span):
            yield Found(
                message="A regex is tried on every event here, before a cheaper comparison.",
                span=step.span,
                help="Compare first, and put the regex behind it.",
            )


def _formatted_early(context: Context) -> Iterator[Found]:
    """Find format() before an aggregate that only carries its result along."""
    formatted: dict[str, Call] = {}
    for outline in context.steps:
        step = outline.step
        if outline.is_aggregate:
            carried = _carried(step)
            for name, call in formatted.items():
                if name in carried:
                    yield Found(
                        message=f"{call.name}() runs for every event, and few of its results are "
                        "shown.",
                        span=call.span,
                        help="Carry the plain field through the aggregate, and format behind it.",
                    )
            return
        for name in outline.reads & formatted.keys():
            del formatted[name]
        maker = step.value if isinstance(step, Assignment) else step
        if isinstance(maker, Call) and called(maker) in _PRETTY:
            alias = names(argument(maker, "as"))
            target = [step.field.name] if isinstance(step, Assignment) else alias
            formatted |= dict.fromkeys(target, maker)


def _carried(step: Node) -> set[str]:
    """Return the fields that selectLast() and its kin carry, and that are not keys."""
    found: set[str] = set()
    for node in walk(step):
        if isinstance(node, Call) and called(node) in _CARRIERS:
            found.update(names(argument(node, "fields")), names(argument(node, "include")))
    return found


def _joins(context: Context) -> Iterator[Found]:
    # In a live query it is an error already.
    negated = _negated(context)
    for call, function in context.calls:
        if function.name == "join" and id(call) not in negated and context.kind not in LIVE:
            yield Found(
                message="A join reads twice, and is cut at 100,000 rows of the subquery.",
                span=call.name_span,
                help="defineTable() with match(), selfJoinFilter() or correlate() do with less.",
            )


def _negated_joins(context: Context) -> Iterator[Found]:
    negated = _negated(context)
    for call, function in context.calls:
        if function.name == "join" and id(call) in negated:
            yield Found(
                message="A negated join keeps the events whose rows were cut off at its limit.",
                span=call.name_span,
                help="Write `defineTable(…)` first, and `!match(…)` here.",
            )


def _negated(context: Context) -> set[int]:
    return {id(node.operand) for node in context.each(Not)}


def _open_subqueries(context: Context) -> Iterator[Found]:
    for call, function in context.calls:
        if function.name not in ("join", "defineTable"):
            continue
        query = argument(call, "query")
        if not isinstance(query, Subquery) or not query.pipeline.steps:
            continue
        first = query.pipeline.steps[0]
        if matches_all(first) or (isinstance(first, Call) and _is_row_maker(first)):
            yield Found(
                message=f"The subquery of {function.name}() reads every event.",
                span=query.span,
                help="Begin it with a filter; what exceeds its limit is cut off.",
            )


def _is_row_maker(call: Call) -> bool:
    function = find(call.name)
    return function is not None and function.kind is FunctionKind.AGGREGATE


CHECKS = (
    Check(
        code="no-tag",
        level=Level.HINT,
        about="Tags (`#type`, `#event_simpleName`, …) choose the data sources before anything is "
        "read. A query that aggregates without one reads every event of the repository. Where the "
        "repository holds one kind of data only, waive it.",
        source="LogScale: best practices, tag filters",
        find=_no_tag,
        needs_whole=True,
    ),
    Check(
        code="late-filter",
        level=Level.HINT,
        about="A filter of the event's own fields behind a case, a lookup or a regex lets all "
        "that work be done for events that are thrown away. Filters come first.",
        source="LogScale: best practices",
        find=_late_filters,
        needs_whole=True,
    ),
    Check(
        code="regex-first",
        level=Level.HINT,
        about="A comparison with a plain value is much cheaper than a regex. With the comparison "
        "in front the regex is tried on fewer events.",
        source="LogScale: best practices",
        find=_regex_before_filter,
    ),
    Check(
        code="formatted-early",
        level=Level.HINT,
        about="format() and formatTime() before an aggregate run for each event, though only the "
        "result of a few is carried through. Format the rows instead.",
        source="LogScale: best practices",
        find=_formatted_early,
    ),
    Check(
        code="join",
        level=Level.HINT,
        about="join() runs its subquery first and keeps at most 100,000 rows of it unless told "
        "otherwise; what is cut off is not found. defineTable() with match() does the same more "
        "cheaply; selfJoinFilter() and correlate() join events of one search.",
        source="LogScale: join(), defineTable(), correlate()",
        find=_joins,
    ),
    Check(
        code="negated-join",
        level=Level.WARNING,
        about="`!join(…)` keeps what the subquery does not know. The subquery's rows are limited, "
        "and events whose rows were cut off are kept as if there were none. The vendor advises "
        "defineTable() with `!match(…)` instead.",
        source="LogScale: join()",
        find=_negated_joins,
    ),
    Check(
        code="open-subquery",
        level=Level.HINT,
        about="The subquery of a join or table runs over everything unless it begins with a "
        "filter, and its rows are limited.",
        source="LogScale: join(), defineTable()",
        find=_open_subqueries,
    ),
)
