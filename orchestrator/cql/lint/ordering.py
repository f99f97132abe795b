"""Checks of the order of rows: sorting for nothing, and taking from rows that have no order."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cql.catalogue import Function, FunctionKind, find
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.fields import argument, names
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.nodes import Assignment, Call, Quoted, StatsShorthand
from orchestrator.cql.span import Span
from orchestrator.cql.walk import walk

_UNORDERED = frozenset(("groupBy", "stats", "count", "top", "collect"))
_TEXT_MAKERS = frozenset(("format", "concat", "lower", "upper"))


def _sequence_first(context: Context) -> Iterator[Found]:
    for outline in context.steps:
        step = outline.step
        call = step.value if isinstance(step, Assignment) else step
        if outline.is_behind or not isinstance(call, Call):
            continue
        function = find(call.name)
        if function is not None and function.kind is FunctionKind.SEQUENCE:
            yield Found(
                message=f"{function.name}() needs rows in order.",
                span=call.name_span,
                help="Put `sort(…)` or `head(…)` before it.",
            )


def _text_sorts(context: Context) -> Iterator[Found]:
    texts: set[str] = set()
    for call, function in context.calls:
        if _makes_text(call, function):
            texts.update(names(argument(call, "as")))
    for node in context.each(Assignment):
        maker = find(node.value.name) if isinstance(node.value, Call) else None
        if isinstance(node.value, Call) and maker is not None and _makes_text(node.value, maker):
            texts.add(node.field.name)
    for call, function in context.calls:
        if function.name != "sort" or argument(call, "type") is not None:
            continue
        for name in names(argument(call, "field"))[:1]:
            if name in texts:
                end = call.span.end - 1
                yield Found(
                    message=f"sort() compares numbers, and `{name}` is text.",
                    span=call.span,
                    help="Add `type=string`.",
                    fix=Fix(span=Span(end, end), text=", type=string", label="sort as text"),
                )


def _makes_text(call: Call, function: Function) -> bool:
    shape = argument(call, "format")
    if isinstance(shape, Quoted) and "%" in shape.value and "%s" not in shape.value:
        # Numbers and times in digits, which sort well enough.
        return False
    return function.name in _TEXT_MAKERS


def _unordered_heads(context: Context) -> Iterator[Found]:
    ordered_by = ""
    for outline in context.steps:
        step = outline.step
        call = step.value if isinstance(step, Assignment) else step
        function = find(call.name) if isinstance(call, Call) else None
        if isinstance(step, StatsShorthand):
            ordered_by = "stats"
        if function is None or not isinstance(call, Call):
            continue
        if function.name in ("head", "tail") and ordered_by == "groupBy":
            yield Found(
                message=f"groupBy() gives its rows in no order, so {function.name}() takes any.",
                span=call.name_span,
                help="Sort first: `sort(field, limit=10)` also cuts.",
            )
        if outline.is_aggregate:
            ordered_by = function.name


def _needs_order(call: Call) -> bool:
    """Say whether a function of the list looks at neighbouring rows."""
    for node in walk(call):
        function = find(node.name) if isinstance(node, Call) and node is not call else None
        if function is not None and function.name in ("series", "session", "head", "tail"):
            return True
        if function is not None and function.kind is FunctionKind.SEQUENCE:
            return True
    return False


def _sorted_for_nothing(context: Context) -> Iterator[Found]:
    """Find sort() or table() whose rows are counted or grouped right after."""
    cut: Call | None = None
    for outline in context.steps:
        step = outline.step
        if not outline.is_aggregate:
            continue
        call = step.value if isinstance(step, Assignment) else step
        function = find(call.name) if isinstance(call, Call) else None
        if cut is not None and isinstance(call, Call) and function is not None:
            # Who names a limit knows what the rest of the query sees.
            unlimited = argument(cut, "limit") is None
            if unlimited and function.name in _UNORDERED and not _needs_order(call):
                yield Found(
                    message=f"{cut.name}() hands on 200 rows, and {function.name}() forgets their "
                    "order.",
                    span=cut.name_span,
                    help="Put it last, or leave it out.",
                )
        is_cut = function is not None and function.name in ("sort", "table")
        cut = call if is_cut and isinstance(call, Call) else None


CHECKS = (
    Check(
        code="sequence-without-order",
        level=Level.ERROR,
        about="Sequence functions look at neighbouring rows, which have an order only behind an "
        "aggregate such as sort() or head().",
        source="LogScale: sequence functions",
        find=_sequence_first,
    ),
    Check(
        code="text-sorted-as-number",
        level=Level.HINT,
        about="sort() compares numbers unless `type=string` is given. Fields that format() or "
        "concat() made hold text, and texts that are no numbers have no order then.",
        source="LogScale: sort()",
        find=_text_sorts,
    ),
    Check(
        code="rows-without-order",
        level=Level.WARNING,
        about="head() and tail() take from one end, and the groups of groupBy() come in no order "
        "that is promised. Which groups remain is chance. sort() orders and cuts in one step.",
        source="LogScale: groupBy(), head()",
        find=_unordered_heads,
    ),
    Check(
        code="sort-before-aggregate",
        level=Level.WARNING,
        about="sort() and table() keep 200 rows unless told otherwise. What counts or groups "
        "behind them sees only those, and gives its own rows in an order of its own. Sort last.",
        source="LogScale: sort(), table(); best practices",
        find=_sorted_for_nothing,
    ),
)
