"""Checks of what a value may be: the range of a number, the words of a keyword, equal lengths."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cql.catalogue import Function, FunctionParameter
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.calls import bound, calls, elements, literal
from orchestrator.cql.lint.values import is_integer, is_number
from orchestrator.cql.nodes import Array, Assignment, Expression, Number, Unary

# Servers take more words than the documentation of these has.
_LENIENT = ("sort", "table")
_LONG_ORDERS = {"ascending": "asc", "descending": "desc"}


def _ranges(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        for parameter, value in bound(call, function):
            for item in elements(value):
                text = literal(item)
                if text is None or not is_number(text):
                    continue
                bounds = _outside(float(text), parameter)
                if bounds:
                    yield Found(
                        message=f"`{parameter.name}` of {function.name}() must be {bounds}.",
                        span=item.span,
                    )


def _outside(number: float, parameter: FunctionParameter) -> str | None:
    low, high = parameter.minimum, parameter.maximum
    if (low is None or number >= low) and (high is None or number <= high):
        return None
    if low is not None and high is not None:
        return f"from {low:,} to {high:,}"
    return f"at least {low:,}" if low is not None else f"at most {high:,}"


def _usual_limits(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        for parameter, value in bound(call, function):
            text = literal(value)
            most = parameter.usual_maximum
            if most is not None and text is not None and is_integer(text) and int(text) > most:
                yield Found(
                    message=f"{function.name}() takes `{parameter.name}` up to {most:,} unless the "
                    "server is set otherwise.",
                    span=value.span,
                    help="Write `limit=max` for as many as the server allows.",
                )


def _allowed(context: Context) -> Iterator[Found]:
    for parameter, function, item, text in _keywords(context):
        if function.name not in _LENIENT:
            yield Found(
                message=f"`{parameter.name}` of {function.name}() cannot be `{text}`.",
                span=item.span,
                help=f"It may be {', '.join(parameter.allowed)}.",
            )


def _undocumented(context: Context) -> Iterator[Found]:
    for parameter, function, item, text in _keywords(context):
        if function.name in _LENIENT:
            short = _LONG_ORDERS.get(text.lower())
            yield Found(
                message=f"`{text}` is not documented for `{parameter.name}` of {function.name}().",
                span=item.span,
                help=f"It may be {', '.join(parameter.allowed)}.",
                fix=Fix(span=item.span, text=short, label="documented word") if short else None,
            )


def _keywords(
    context: Context,
) -> Iterator[tuple[FunctionParameter, Function, Expression | Assignment, str]]:
    """Yield each word that is none of those its parameter allows."""
    for call, function in calls(context):
        for parameter, value in bound(call, function):
            for item in elements(value) if parameter.allowed else ():
                text = literal(item)
                if text is None or isinstance(item, Number | Unary):
                    continue
                if text.lower() not in {word.lower() for word in parameter.allowed}:
                    yield parameter, function, item, text


def _lengths(context: Context) -> Iterator[Found]:
    """Find arrays that go together and do not have the same length."""
    for call, function in calls(context):
        given = {parameter.name: value for parameter, value in bound(call, function)}
        field = given.get("field")
        if not isinstance(field, Array):
            continue
        for name in _PARALLEL.get(function.name, ()):
            other = given.get(name)
            if not isinstance(other, Array):
                continue
            one_for_all = len(other.elements) == 1 and name in ("order", "type")
            if len(other.elements) != len(field.elements) and not one_for_all:
                yield Found(
                    message=f"`{name}` of {function.name}() has {len(other.elements)} elements, "
                    f"`field` has {len(field.elements)}.",
                    span=other.span,
                    help="Write one for each field, in the same order.",
                )


_PARALLEL = {
    "sort": ("order", "type"),
    "join": ("key",),
    "match": ("column",),
    "matchAsArray": ("column",),
}

CHECKS = (
    Check(
        code="value-out-of-range",
        level=Level.ERROR,
        about="The parameter takes numbers of a range only, the same on every server: at most 500 "
        "series in bucket() and timeChart(), at most 200,000 rows read by join(), at most 10 "
        "rounds of correlate(), percentages from 0 to 100.",
        source="LogScale: query functions",
        find=_ranges,
    ),
    Check(
        code="limit-above-usual",
        level=Level.WARNING,
        about="Servers bound how many rows or groups a query may keep: 200,000 for sort(), "
        "table(), head() and tail(), 1,000,000 for groupBy(), unless their settings say otherwise. "
        "`limit=max` takes what the server allows.",
        source="LogScale: sort(), groupBy()",
        find=_usual_limits,
    ),
    Check(
        code="value-not-allowed",
        level=Level.ERROR,
        about="The parameter takes one of a few words only.",
        source="LogScale: query functions",
        find=_allowed,
    ),
    Check(
        code="value-undocumented",
        level=Level.WARNING,
        about="Servers take more words for the order and type of sort() and table() than the "
        "documentation has, `ascending` and `descending` among them; the type `any` went with "
        "release 1.142. What an unknown word does is not said.",
        source="LogScale: sort(), table()",
        find=_undocumented,
    ),
    Check(
        code="array-lengths",
        level=Level.ERROR,
        about="Arrays that go together (fields and their orders in sort(), fields and their "
        "columns in match(), fields and their keys in join()) must be of one length.",
        source="LogScale: sort(), match(), join()",
        find=_lengths,
    ),
)
