"""Checks of an argument's value: its type, its range, the words it may be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from orchestrator.cql.catalogue import FunctionParameter, ParameterType, find
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.calls import bound, calls, elements, is_aggregate_call, literal
from orchestrator.cql.nodes import (
    Array,
    Assignment,
    Binary,
    Call,
    Duration,
    Expression,
    Number,
    Quoted,
    Subquery,
    Unary,
    Word,
)
from orchestrator.units import parse_duration

_INTEGER = re.compile(r"-?\d+\Z")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?\Z")
_FIELDS = (ParameterType.FIELD, ParameterType.FIELD_LIST, ParameterType.NAME)
_QUERIES = (ParameterType.QUERY, ParameterType.QUERY_LIST)
_FUNCTIONS = (ParameterType.FUNCTION, ParameterType.FUNCTION_LIST)


def is_integer(text: str) -> bool:
    """Say whether a text is a whole number."""
    return _INTEGER.match(text) is not None


def _is_limit(text: str) -> bool:
    return text.lower() == "max" or is_integer(text)


def is_number(text: str) -> bool:
    """Say whether a text is a number."""
    return _NUMBER.match(text) is not None


def _is_boolean(text: str) -> bool:
    return text.lower() in ("true", "false")


def _is_duration(text: str) -> bool:
    try:
        parse_duration(text)
    except ValueError:
        return False
    return True


def _is_span(text: str) -> bool:
    return text.lower() == "auto" or _is_duration(text)


_READERS: dict[ParameterType, tuple[Callable[[str], bool], str]] = {
    ParameterType.INTEGER: (is_integer, "a whole number"),
    ParameterType.LIMIT: (_is_limit, "a whole number or `max`"),
    ParameterType.NUMBER: (is_number, "a number"),
    ParameterType.NUMBER_LIST: (is_number, "numbers"),
    ParameterType.BOOLEAN: (_is_boolean, "`true` or `false`"),
    ParameterType.DURATION: (_is_duration, "a length of time such as `15m`"),
    ParameterType.SPAN: (_is_span, "a length of time such as `1h`, or `auto`"),
}


def fits(value: Expression, parameter: FunctionParameter) -> bool:
    """Say whether a value is clearly meant for this parameter, by its form alone."""
    text = literal(value)
    if parameter.type in _FUNCTIONS:
        return all(is_aggregate_call(item) is True for item in elements(value))
    if parameter.allowed:
        return text is not None and text.lower() in {word.lower() for word in parameter.allowed}
    if parameter.type in _READERS:
        return text is not None and _READERS[parameter.type][0](text)
    return False


def _types(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        for parameter, value in bound(call, function):
            what = _wrong_type(value, parameter)
            if what is None:
                continue
            text = literal(value) or ""
            yield Found(
                message=f"`{parameter.name}` of {function.name}() takes {what}.",
                span=value.span,
                help=_type_help(text, parameter),
                fix=_type_fix(value, parameter),
            )


def _wrong_type(value: Expression, parameter: FunctionParameter) -> str | None:
    """Return what the parameter takes if the value is certainly something else."""
    if parameter.type in _READERS and not parameter.allowed:
        reads, what = _READERS[parameter.type]
        texts = [literal(item) for item in elements(value)]
        wrong = any(text is not None and not reads(text) for text in texts)
        return what if wrong else None
    plain = isinstance(value, Word | Quoted | Number)
    if parameter.type in _FUNCTIONS and plain:
        return "a function, with its parentheses"
    if parameter.type in _QUERIES and plain:
        return "a query in braces"
    return None


def _type_help(text: str, parameter: FunctionParameter) -> str:
    called = re.match(r"([A-Za-z_]\w*(?::[A-Za-z_]\w*)?)(\(.*\))?\Z", text)
    if parameter.type in _FUNCTIONS and called is not None and find(called.group(1)):
        return f"Write `{called.group(1)}{called.group(2) or '()'}`."
    if parameter.type not in (ParameterType.SPAN, ParameterType.DURATION):
        return ""
    if re.match(r"\d+ ?(M|mo|mos|Mon|month?s?)\Z", text):
        return "A month is `mon` and counts 30 days; `m` is a minute."
    if "@" in text or text.startswith("calendar"):
        return "Anchored and calendar times set the interval of a search, never a length."
    if is_integer(text):
        return "Add the unit: ms, s, m, h, d or w."
    if re.match(r"\d+\.\d+ ?[a-z]+\Z", text) or re.match(r"(\d+[a-z]+){2,}\Z", text):
        return "Write a whole number of one unit, such as `90m`."
    return "The units are ms, s, m, h, d, w, mon, q and y."


def _type_fix(value: Expression, parameter: FunctionParameter) -> Fix | None:
    if parameter.type in _FUNCTIONS and isinstance(value, Word) and value.text.lower() == "count":
        return Fix(span=value.span, text="count()", label="call it")
    return None


def _expressions(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        for parameter, value in bound(call, function):
            if parameter.type not in _FIELDS or function.is_open:
                continue
            for item in elements(value):
                if isinstance(item, Binary | Unary | Call | Subquery):
                    yield Found(
                        message=f"`{parameter.name}` of {function.name}() takes the name of a "
                        "field and no expression.",
                        span=item.span,
                        help=_expression_help(item, function.name),
                    )


def _expression_help(value: Expression, function: str) -> str:
    if function == "sort" and isinstance(value, Unary) and isinstance(value.operand, Word):
        return f"Write `sort({value.operand.text}, order=desc)`."
    if isinstance(value, Binary) and isinstance(value.left, Word) and isinstance(value.right, Word):
        name = f"{value.left.text}{value.operator}{value.right.text}"
        return f'Assign it to a field first: `x := …`. If it is one name, quote it: `"{name}"`.'
    return "Assign it to a field first, `x := …`, and pass `x`."


def _functions(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        for parameter, value in bound(call, function):
            if parameter.type not in _FUNCTIONS:
                continue
            for item in elements(value):
                called = item.value if isinstance(item, Assignment) else item
                if isinstance(called, Call) and is_aggregate_call(called) is False:
                    yield Found(
                        message=f"`{parameter.name}` of {function.name}() takes aggregates; "
                        f"{called.name}() is none.",
                        span=called.span,
                        help="Call it before or behind, or in braces with an aggregate: "
                        f"`{{ {called.name}(…) | count() }}`.",
                    )


def _arrays(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        for parameter, value in bound(call, function):
            if parameter.type is not ParameterType.ARRAY or parameter.name != "array":
                continue
            text = literal(value)
            if text is not None and not text.endswith("[]"):
                yield Found(
                    message=f"{function.name}() takes a whole array, written with brackets.",
                    span=value.span,
                    help=f'Write `"{text}[]"`.',
                    fix=Fix(span=value.span, text=f'"{text}[]"', label="write an array"),
                )


def _pairs(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        renames_one = function.name == "rename" and any(i.name == "as" for i in call.arguments)
        for parameter, value in bound(call, function):
            if parameter.type is not ParameterType.PAIR_LIST or not isinstance(value, Array):
                continue
            for item in value.elements:
                if isinstance(item, Array) and len(item.elements) == 2 and not renames_one:
                    continue
                if renames_one and len(value.elements) == 1:
                    continue
                if isinstance(item, Word | Quoted | Number | Array | Duration):
                    yield Found(
                        message=f"`{parameter.name}` of {function.name}() takes pairs.",
                        span=item.span,
                        help="Write `[[old, new], [old2, new2]]`, each pair in its own brackets.",
                    )
                    break


CHECKS = (
    Check(
        code="value-type",
        level=Level.ERROR,
        about="The value is of a kind that the parameter does not take: text for a number, a word "
        "for true or false, a length of time that LogScale cannot read. Lengths are a whole number "
        "and one unit; a month is `mon`, since `m` is a minute, and neither anchored times "
        "(`now@d`) nor calendar units are lengths.",
        source="LogScale: query functions, relative time syntax",
        find=_types,
    ),
    Check(
        code="expression-for-field",
        level=Level.ERROR,
        about="Most functions take the name of a field, not an expression: `math:abs(a - b)` does "
        "not compute the difference. Assign the expression to a field first and pass that. Only "
        "test(), if(), eval(), coalesce() and the text: functions compute their arguments.",
        source="LogScale: expressions in function arguments",
        find=_expressions,
    ),
    Check(
        code="not-an-aggregate",
        level=Level.ERROR,
        about="The functions that groupBy(), bucket(), timeChart(), stats() and their kin run for "
        "each group must be aggregates. A function that changes single events goes before the "
        "grouping, behind it, or into a pipeline in braces that ends with an aggregate.",
        source="LogScale: groupBy(), composite function calls",
        find=_functions,
    ),
    Check(
        code="array-brackets",
        level=Level.ERROR,
        about="The array: functions work on whole arrays, which are written with empty brackets "
        'and in quotes: `"name[]"`. Without the brackets the name is that of a single field.',
        source="LogScale: array syntax",
        find=_arrays,
    ),
    Check(
        code="pairs-expected",
        level=Level.ERROR,
        about="rename() of several fields, and the bitfield: functions, take an array of pairs. A "
        "flat array does not say what belongs together.",
        source="LogScale: rename(), bitfield:extractFlags()",
        find=_pairs,
    ),
)
