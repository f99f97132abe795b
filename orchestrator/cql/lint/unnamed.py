"""Checks of arguments without a name: too many of them, or one that is read as something else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.cql.catalogue import Function, ParameterType
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.calls import calls, elements, is_aggregate_call, literal, unnamed
from orchestrator.cql.lint.values import fits
from orchestrator.cql.nodes import Argument, Call, Duration, Expression, Quoted, Word
from orchestrator.cql.span import Span

# In the place of an array of these, published queries write several unnamed arguments.
_LISTS = (ParameterType.FIELD_LIST, ParameterType.QUERY_LIST)
# The unnamed argument of these is not the field, which comes first in other languages.
_FIELD_NOT_FIRST = {
    "default": "value", "replace": "regex", "regex": "regex", "wildcard": "pattern",
}  # fmt: skip
_SHOWN = 60
"""A longer value is not repeated in the help."""
# Functions whose unnamed argument is not the field, and what it is instead.
_FORMAT_FIRST = {"formatTime": "%", "format": "%"}
_REGEX_FIRST = ("regex", "replace")


def _several_unnamed(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        loose = unnamed(call)
        if len(loose) < 2 or function.is_open:
            continue
        if not _takes_list(function) or not _are_names(loose) or _meant(call, function):
            yield _second(call, function, context.query.text)


def _takes_list(function: Function) -> bool:
    parameter = function.parameter(function.unnamed or "")
    return parameter is not None and parameter.type in _LISTS


def _are_names(arguments: list[Argument]) -> bool:
    return all(isinstance(item.value, Word | Quoted) for item in arguments)


def _second(call: Call, function: Function, text: str) -> Found:
    loose = unnamed(call)
    instead = _FIELD_NOT_FIRST.get(function.name)
    given = {item.name for item in call.arguments}
    if instead and "field" not in given and len(loose) == 2 and isinstance(loose[0].value, Word):
        start = loose[0].span.start
        return Found(
            message=f"The unnamed argument of {function.name}() is `{instead}`, not the field.",
            span=loose[1].span,
            help=f"Write `field={loose[0].value.text}`; `{instead}=` may stand before the other.",
            fix=Fix(span=Span(start, start), text="field=", label="name the field"),
        )
    if function.name == "match" and isinstance(loose[0].value, Word) and "file" not in given:
        return Found(
            message="match() looks values up in a file; it tests no regex.",
            span=loose[1].span,
            help=f"Write `{loose[0].value.text} = /…/`.",
        )
    meant = _meant(call, function)
    return Found(
        message=f"Only one argument of {function.name}() may stand without its name.",
        span=loose[1].span,
        help=_second_help(call, function, meant, text),
        fix=_naming(loose[1:], meant, text),
    )


def _second_help(call: Call, function: Function, meant: list[str], text: str) -> str:
    loose = unnamed(call)
    shown = text[loose[1].span.start : loose[1].span.end]
    given = {item.name: item.value for item in call.arguments}
    function_value = given.get("function")
    if function_value is not None and is_aggregate_call(loose[1].value):
        first = [text[item.span.start : item.span.end] for item in elements(function_value)]
        return f"Several functions stand in an array: `function=[{', '.join([*first, shown])}]`."
    if len(meant) == 1 and len(shown) <= _SHOWN:
        return f"Name it: `{meant[0]}={shown}`."
    others = [p.name for p in function.parameters if not p.unnamed and p.name not in given]
    known = meant or others[:4]
    return f"Name it: {', '.join(f'`{name}=`' for name in known)}." if known else ""


def _naming(loose: list[Argument], meant: list[str], text: str) -> Fix | None:
    if len(meant) != len(loose):
        return None
    # What stands between the arguments (commas, line breaks) stays.
    written, place = "", loose[0].span.start
    for item, name in zip(loose, meant, strict=True):
        written += f"{text[place : item.span.start]}{name}="
        written += text[item.span.start : item.span.end]
        place = item.span.end
    span = loose[0].span.to(loose[-1].span)
    return Fix(span=span, text=written, label="name the argument")


def _meant(call: Call, function: Function) -> list[str]:
    """Return which parameters the second and later unnamed arguments are meant for.

    Empty unless that is plain for each of them: by the form of the value, or because the function
    needs just as many more.
    """
    loose = unnamed(call)[1:]
    given = {item.name for item in call.arguments}
    free = [p for p in function.parameters if not p.unnamed and p.name not in given]
    needed = [p.name for p in free if p.required and p.type is not ParameterType.NAME]
    if len(needed) == len(loose):
        return needed
    if function.name == "rename" and len(loose) == 1 and "as" not in given:
        return ["as"]
    # `table(name, number)` names two fields; `sort(name, desc)` hardly does.
    if _takes_list(function) and function.name != "sort" and _are_names(unnamed(call)):
        return []
    if len(loose) > 1:
        return []
    return [p.name for p in free if fits(loose[0].value, p)][:1]


def _lists_unnamed(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        loose = unnamed(call)
        if len(loose) < 2 or function.is_open or _meant(call, function):
            continue
        if _takes_list(function) and _are_names(loose):
            span = loose[0].span.to(loose[-1].span)
            text = context.query.text[span.start : span.end]
            yield Found(
                message="Several fields stand in an array.",
                span=span,
                help=f"Write `[{text}]`.",
                fix=Fix(span=span, text=f"[{text}]", label="write an array"),
            )


def _unnamed_meaning(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        first = unnamed(call)
        if len(first) == 1:
            yield from _misread(function, first[0].value, call)


def _misread(function: Function, value: Expression, call: Call) -> Iterator[Found]:
    given = {item.name for item in call.arguments}
    text = literal(value)
    # Given by name too: told as given twice.
    if text is None or not function.unnamed or function.unnamed in given:
        return
    sign = _FORMAT_FIRST.get(function.name)
    word = isinstance(value, Word) and "field" not in given
    if function.name == "timeChart" and "span" not in given and _is_span(function, value):
        yield Found(
            message="The unnamed argument of timeChart() is the series, not the span.",
            span=value.span,
            help=f"Write `span={text}`.",
            fix=Fix(span=Span(value.span.start, value.span.start), text="span=", label="name it"),
        )
    elif word and (
        (sign is not None and sign not in text)
        or (function.name in _REGEX_FIRST and re.match(r"[@#\w.]+\Z", text))
    ):
        yield Found(
            message=f"The unnamed argument of {function.name}() is `{function.unnamed}`, "
            "not the field.",
            span=value.span,
            help=f"Write `field={text}` and give `{function.unnamed}` in quotes.",
        )


def _is_span(function: Function, value: Expression) -> bool:
    span = function.parameter("span")
    plain = isinstance(value, Duration | Quoted | Word)
    return span is not None and plain and literal(value) != "auto" and fits(value, span)


def _eval_names(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        if function.name != "eval":
            continue
        for item in unnamed(call):
            shown = context.source(item.span)
            yield Found(
                message="eval() assigns to fields, and this value has no field's name.",
                span=item.span,
                help=f"Write `eval(field={shown if len(shown) <= 60 else '…'})`.",
            )


CHECKS = (
    Check(
        code="second-unnamed-argument",
        level=Level.ERROR,
        about="At most one parameter of a function may be given without its name.",
        source="LogScale: function syntax",
        find=_several_unnamed,
    ),
    Check(
        code="fields-without-array",
        level=Level.WARNING,
        about="Several fields for one parameter stand in an array; the loose form is undocumented.",
        source="LogScale: function syntax",
        find=_lists_unnamed,
    ),
    Check(
        code="unnamed-argument",
        level=Level.WARNING,
        about="The one argument that may stand without its name is not the same for all functions: "
        "it is the format of format() and formatTime(), the regex of regex() and replace(), the "
        "value of default(), the series of timeChart(). A field or a span in its place is read as "
        "that.",
        source="LogScale: function syntax, timeChart(), formatTime(), replace()",
        find=_unnamed_meaning,
    ),
    Check(
        code="eval-without-name",
        level=Level.ERROR,
        about="Each argument of eval() is an assignment: the name is the field, the value its "
        "expression. A value alone goes nowhere.",
        source="LogScale: eval()",
        find=_eval_names,
        needs_whole=True,
    ),
)
