"""Checks of aggregates: limits nobody named, colliding outputs, rows without an order."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cql.catalogue import find
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.fields import argument, is_aggregate, names
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.nodes import (
    And,
    Array,
    Assignment,
    Call,
    Comparison,
    ComparisonOperator,
    Not,
    Or,
    StatsShorthand,
    Word,
)
from orchestrator.cql.span import Span

_ROW_LIMITED = {"sort": 200, "table": 200, "head": 200, "tail": 200}
_MANY_ROWS = frozenset(("top", "groupBy", "bucket", "timeChart", "table", "sort", "head", "tail"))


def _row_limits(context: Context) -> Iterator[Found]:
    for node, function in context.calls:
        if argument(node, "limit") is not None:
            continue
        rows = _ROW_LIMITED.get(function.name)
        if rows is not None:
            advice = "Add `limit=max` or a number."
            if function.name == "table":
                advice = "Add `limit=max` or a number; select() picks columns and keeps every row."
            yield Found(
                message=f"{function.name}() keeps {rows} rows unless told otherwise.",
                span=node.name_span,
                help=advice,
            )
        elif function.name == "groupBy":
            yield Found(
                message="groupBy() keeps 20,000 groups unless told otherwise.",
                span=node.name_span,
                help="Add `limit=max` or a number.",
            )


def _misplaced(context: Context) -> Iterator[Found]:
    joined: list[And | Or | Not] = [
        *context.each(And),
        *context.each(Or),
        *context.each(Not),
    ]
    for node in joined:
        operands = (node.operand,) if isinstance(node, Not) else node.operands
        for place, operand in enumerate(operands):
            # `count() as n` is told as the foreign word.
            if not isinstance(operand, Call) or id(operand) in context.taken:
                continue
            if is_aggregate(operand):
                yield Found(
                    message=f"{operand.name}() turns events into rows and cannot be a filter.",
                    span=operand.name_span,
                    help="Make it a step of its own: put `|` before it.",
                    fix=_piped(node, place, operand),
                )


def _piped(node: And | Or | Not, place: int, operand: Call) -> Fix | None:
    last = isinstance(node, And) and place > 0 and place + 1 == len(node.operands)
    if not isinstance(node, And) or not last or node.explicit[place - 1]:
        return None
    start = operand.span.start
    return Fix(span=Span(start, start), text="| ", label="put a pipe before it")


def _function_lists(context: Context) -> Iterator[list[Call]]:
    """Yield the functions of each list, which share their rows."""
    arrays = [node.functions for node in context.each(StatsShorthand)]
    for call, function in context.calls:
        value = argument(call, "function") if function.parameter("function") else None
        if isinstance(value, Array):
            arrays.append(value)
    for array in arrays:
        values = (item.value if isinstance(item, Assignment) else item for item in array.elements)
        yield [value for value in values if isinstance(value, Call)]


def _many_rows(context: Context) -> Iterator[Found]:
    for functions in _function_lists(context):
        several = [call for call in functions if _gives_rows(call)]
        for call in several[1:]:
            yield Found(
                message=f"{several[0].name}() and {call.name}() both give several rows: the result "
                "is every pair of them.",
                span=call.name_span,
                help="Ask in two queries, or gather one of the two with collect().",
            )


def _gives_rows(call: Call) -> bool:
    function = find(call.name)
    if function is None:
        return False
    if function.name == "collect":
        multival = argument(call, "multival")
        return isinstance(multival, Word) and multival.text == "false"
    return function.name in _MANY_ROWS


def _timestamps_collected(context: Context) -> Iterator[Found]:
    for call, function in context.calls:
        value = argument(call, "fields") if function.name == "collect" else None
        for item in value.elements if isinstance(value, Array) else (value,):
            if item is not None and names(item) == ["@timestamp"]:
                yield Found(
                    message="collect() of `@timestamp` does not give the events' times reliably.",
                    span=item.span,
                    help="Copy it first: `time := @timestamp`, and collect `time`.",
                )


def _exact_estimates(context: Context) -> Iterator[Found]:
    estimated: dict[str, str] = {}
    for call, function in context.calls:
        distinct = argument(call, "distinct")
        if function.name == "count" and isinstance(distinct, Word) and distinct.text == "true":
            for name in names(argument(call, "as")) or ["_count"]:
                estimated[name] = "count(distinct=true)"
    for node in context.each(Comparison):
        value = node.value
        is_exact = node.operator in (ComparisonOperator.EQUAL, ComparisonOperator.NOT_EQUAL)
        if node.field.name not in estimated or not is_exact or not isinstance(value, Word):
            continue
        if value.text.isdecimal() and (len(value.text) > 3 or int(value.text) > 100):
            yield Found(
                message=f"{estimated[node.field.name]} estimates; it is rarely exactly "
                f"{value.text}.",
                span=node.span,
                help="Compare with `>` or `<`.",
            )


CHECKS = (
    Check(
        code="default-limit",
        level=Level.HINT,
        about="sort, table, head and tail keep 200 rows and groupBy 20,000 groups unless `limit=` "
        "says otherwise; the rest is cut without an error. A detection that must not miss a group "
        "names its limit; `limit=max` gives 200,000 rows or 1,000,000 groups.",
        source="LogScale: sort(), table(), head(), tail(), groupBy()",
        find=_row_limits,
    ),
    Check(
        code="aggregate-as-filter",
        level=Level.ERROR,
        about="An aggregate stands as a step, never joined with filters; mostly a pipe is missing "
        "before it.",
        source="LogScale: grammar guide, appendix A",
        find=_misplaced,
    ),
    Check(
        code="rows-multiply",
        level=Level.WARNING,
        about="Where two functions of a list give several rows each, the result is every "
        "combination of them: ten rows of one and ten of the other make a hundred, and the "
        "numbers in them no longer add up.",
        source="LogScale: stats()",
        find=_many_rows,
    ),
    Check(
        code="timestamp-collected",
        level=Level.WARNING,
        about="collect() and `@timestamp` do not go together: what comes out need not be the "
        "times of the group's events. Copy it to another field, or use min() and max().",
        source="LogScale: collect()",
        find=_timestamps_collected,
    ),
    Check(
        code="estimate-compared",
        level=Level.HINT,
        about="count(distinct=true) is an estimate, off by some two percent beyond about a "
        "hundred values. Whether it equals a larger number is chance; ask whether it is above or "
        "below.",
        source="LogScale: count()",
        find=_exact_estimates,
    ),
)
