"""Checks of what a call gives: results that land elsewhere, share a name, mean something else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.cql.catalogue import Function, find
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.fields import fields_read, names, produced
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.calls import bound, calls, elements, literal, parameter_of
from orchestrator.cql.nodes import (
    Array,
    Assignment,
    Call,
    Expression,
    Pipeline,
    Quoted,
    StatsShorthand,
    Word,
)
from orchestrator.cql.span import Span

# Functions that change a text, so that people expect the field itself to change.
_LOOK_IN_PLACE = frozenset(
    (
        "lower", "upper", "text:trim", "urlDecode", "urlEncode", "base64Decode", "base64Encode",
        "parseHexString", "math:abs", "math:ceil", "math:floor",
    )
)  # fmt: skip
_DISTINCT = re.compile(r"(?i)(uniq|distinct)")
# `%`, the index of a field, `<` for the last one again, flags and widths, the conversion.
_CONVERSION = re.compile(r"%(?:(\d+)\$)?(<?)[-#+ 0,(]*\d*(?:\.\d*)?([tT][a-zA-Z]|[a-zA-Z%])")
# Functions that give rows, and have no name for a result.
_ROWS = frozenset(
    ("groupBy", "bucket", "timeChart", "sort", "head", "tail", "table", "select", "stats")
)
_SEVERAL_FUNCTIONS = ("groupBy", "bucket", "timeChart", "stats")


def _elsewhere(context: Context) -> Iterator[Found]:
    """Find `lower(x)` whose result nobody reads, while `x` is read behind it."""
    for node in context.nodes:
        if not isinstance(node, Pipeline):
            continue
        # Backwards, so that what is read behind a step is gathered once.
        read: set[str] = set()
        for step in reversed(node.steps):
            function = find(step.name) if isinstance(step, Call) else None
            if isinstance(step, Call) and function is not None:
                yield from _unread_result(step, function, read, text=context.query.text)
            read |= fields_read(Pipeline(span=step.span, steps=(step,)))


def _unread_result(call: Call, function: Function, read: set[str], *, text: str) -> Iterator[Found]:
    if function.name not in _LOOK_IN_PLACE or len(call.arguments) != 1:
        return
    field = names(call.arguments[0].value)
    parameter = function.parameter("as")
    result = parameter.default if parameter is not None else None
    if len(field) != 1 or result is None or field[0] not in read or result in text:
        return
    yield Found(
        message=f"{function.name}() writes `{result}`; `{field[0]}` stays as it was.",
        span=call.span,
        help=f"Write `{field[0]} := {function.name}({field[0]})`.",
        fix=_assign(call, field[0]),
    )


def _assign(call: Call, field: str) -> Fix | None:
    value = call.arguments[0].value
    name = field if isinstance(value, Word) else value.raw if isinstance(value, Quoted) else None
    if name is None:
        return None
    return Fix(span=call.name_span, text=f"{name} := {call.name}", label="assign to the field")


def _not_distinct(context: Context) -> Iterator[Found]:
    assigned = {
        id(node.value): node.field.name for node in context.nodes if isinstance(node, Assignment)
    }
    for call, function in calls(context):
        if function.name != "count":
            continue
        given = {parameter.name: value for parameter, value in bound(call, function)}
        name = literal(given["as"]) if "as" in given else assigned.get(id(call))
        if "field" in given and "distinct" not in given and name and _DISTINCT.search(name):
            field = literal(given["field"])
            yield Found(
                message=f"`{name}` counts the events that have `{field}`, not its values.",
                span=call.span,
                help="Add `distinct=true`.",
                fix=_distinct_fix(call),
            )


def _distinct_fix(call: Call) -> Fix:
    last = call.arguments[-1].span.end
    return Fix(span=Span(last, last), text=", distinct=true", label="count values")


def _same_names(context: Context) -> Iterator[Found]:
    for node in context.nodes:
        if isinstance(node, StatsShorthand):
            yield from _collisions(node.functions)
        elif isinstance(node, Call):
            function = find(node.name)
            if function is None or function.name not in _SEVERAL_FUNCTIONS:
                continue
            for item in node.arguments:
                parameter = parameter_of(item, function)
                if parameter is not None and parameter.name == "function":
                    yield from _collisions(item.value)


def _collisions(value: Expression) -> Iterator[Found]:
    seen: set[str] = set()
    for item in elements(value) if isinstance(value, Array) else ():
        call = item.value if isinstance(item, Assignment) else item
        if not isinstance(call, Call):
            continue
        function = find(call.name)
        # collect() and its like keep the names of their fields; only a result's own name counts.
        if function is None or function.parameter("as") is None:
            continue
        target = item.field.name if isinstance(item, Assignment) else None
        outputs = produced(call, assigned=target) or frozenset()
        for name in sorted(outputs & seen):
            yield Found(
                message=f"Two functions of the list write `{name}`.",
                span=item.span,
                help="Give one of them another name with `as=`.",
            )
        seen |= outputs


def _format_fields(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        if function.name != "format":
            continue
        given = {parameter.name: value for parameter, value in bound(call, function)}
        pattern, fields = given.get("format"), given.get("field")
        if not isinstance(pattern, Quoted) or fields is None:
            continue
        texts = [literal(item) for item in elements(fields)]
        wanted = _wanted(pattern.value)
        # A parameter or a saved query may stand for any number of fields.
        if None not in texts and wanted != len(texts):
            less = wanted < len(texts)
            yield Found(
                message=f"The format takes {wanted} of {len(texts)} fields."
                if less
                else f"The format takes {wanted} fields and gets {len(texts)}.",
                span=pattern.span,
                help="Write one `%s` for each field."
                if less
                else "The missing ones print as null.",
            )


def _wanted(pattern: str) -> int:
    """Return how many fields a format takes: the highest that it asks for."""
    place = highest = 0
    for index, reuse, kind in _CONVERSION.findall(pattern):
        if kind in "%n":
            continue
        if index:
            highest = max(highest, int(index))
        elif not reuse:
            place += 1
    return max(highest, place)


def _assigned_rows(context: Context) -> Iterator[Found]:
    """Find `users := groupBy(…)`: what gives rows with names of their own."""
    for node in context.each(Assignment):
        call = node.value
        function = find(call.name) if isinstance(call, Call) else None
        if not isinstance(call, Call) or function is None or function.name not in _ROWS:
            continue
        functions = "in its functions, `function=count(as=n)`"
        yield Found(
            message=f"{function.name}() gives rows and has no `as`: there is no value to assign.",
            span=call.span,
            help=f"Write `{function.name}(…)` as a step of its own; results are named with `as=` "
            f"{functions if function.parameter('function') else 'where they are made'}.",
        )


CHECKS = (
    Check(
        code="result-elsewhere",
        level=Level.WARNING,
        about="lower(), upper(), text:trim() and their like leave the field alone and write one of "
        "their own, `_lower` for lower(). What reads the old field behind them sees the old "
        "value. Assign the result to the field: `x := lower(x)`. round(), replace() and parseInt() "
        "do write over their field.",
        source="LogScale: lower(), upper(), text:trim()",
        find=_elsewhere,
    ),
    Check(
        code="count-not-distinct",
        level=Level.WARNING,
        about="count(field) counts the events that have the field. A result called unique or "
        "distinct promises the number of different values, which is count(field, distinct=true); "
        "that is an estimate above some hundred values.",
        source="LogScale: count()",
        find=_not_distinct,
    ),
    Check(
        code="same-output",
        level=Level.ERROR,
        about="Functions that run side by side must write different fields: count() and count(x) "
        "both write `_count`. LogScale refuses the query until one of them has `as=`.",
        source="LogScale: stats()",
        find=_same_names,
    ),
    Check(
        code="format-fields",
        level=Level.WARNING,
        about="format() fills one field into each conversion of its format, in order. With fewer "
        "fields the rest prints as null; fields without a conversion are not printed at all.",
        source="LogScale: format()",
        find=_format_fields,
    ),
    Check(
        code="rows-assigned",
        level=Level.ERROR,
        about="`name := f()` is short for `f(as=name)`. Functions that give whole rows, such as "
        "groupBy(), sort() and table(), have no `as`: call them as a step of their own, and name "
        "the results where they are made, `groupBy(a, function=count(as=n))`.",
        source="LogScale: function syntax, assignment operator",
        find=_assigned_rows,
    ),
)
