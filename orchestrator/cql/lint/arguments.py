"""Checks of calls: unknown functions, unknown, missing and misplaced arguments."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from orchestrator.cql.catalogue import (
    Function,
    FunctionParameter,
    ParameterType,
    find,
    foreign,
    nearest,
)
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.calls import calls, given_outside, unnamed
from orchestrator.cql.nodes import Argument, Call, Quoted, Word
from orchestrator.cql.span import Span

# What SPL, KQL and SQL call a parameter, by the name that it has here.
_FOREIGN_PARAMETERS = {
    "agg": "function",
    "alias": "as",
    "by": "field",
    "func": "function",
    "functions": "function",
    "group": "field",
    "interval": "span",
    "n": "limit",
    "on": "field",
    "top": "limit",
}
_QUERIES = (ParameterType.QUERY, ParameterType.QUERY_LIST)
_ORDERS = {"asc": "asc", "ascending": "asc", "desc": "desc", "descending": "desc"}


def _unknown_calls(context: Context) -> Iterator[Call]:
    for node in context.nodes:
        if isinstance(node, Call) and find(node.name) is None and node.name.lower() != "case":
            yield node


def _foreign_functions(context: Context) -> Iterator[Found]:
    for call in _unknown_calls(context):
        advice = foreign(call.name)
        if advice is not None:
            yield Found(
                message=f"LogScale has no function `{call.name}`.",
                span=call.name_span,
                help=f"In CQL: {advice}.",
            )


def _unknown_functions(context: Context) -> Iterator[Found]:
    for call in _unknown_calls(context):
        if foreign(call.name) is not None:
            continue
        meant = nearest(call.name)
        yield Found(
            message=f"There is no function `{call.name}` in the catalogue.",
            span=call.name_span,
            help=f"Did you mean `{meant}`?" if meant else "It may be newer than the catalogue.",
            fix=Fix(span=call.name_span, text=meant, label=f"call {meant}") if meant else None,
        )


def _deprecated_functions(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        alias = call.name.lower() in {name.lower() for name in function.aliases}
        if alias:
            yield Found(
                message=f"{call.name}() is the older name of {function.name}().",
                span=call.name_span,
                help=f"Write `{function.name}`.",
                fix=Fix(span=call.name_span, text=function.name, label="newer name"),
            )
        elif function.deprecated is not None:
            yield Found(
                message=f"{function.name}() will go.",
                span=call.name_span,
                help=f"Use {function.deprecated}.",
            )


def _spelling(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        if call.name != function.name and call.name.lower() == function.name.lower():
            yield Found(
                message=f"The documented spelling is `{function.name}`.",
                span=call.name_span,
                help=f"Write `{function.name}`.",
                fix=Fix(span=call.name_span, text=function.name, label="documented spelling"),
            )


def _collect_as(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        if function.name != "collect":
            continue
        for item in call.arguments:
            if item.name == "as":
                yield Found(
                    message="collect() has no `as`: it keeps the names of its fields.",
                    span=item.span,
                    help="Rename behind the grouping: `rename(field=old, as=new)`; "
                    "or copy the field before it: `new := old`.",
                )


def _meant_parameter(name: str, call: Call, function: Function) -> str | None:
    """Return the parameter that a name of another language stands for, if it is free here."""
    meant = _FOREIGN_PARAMETERS.get(name.lower())
    free = meant is not None and all(item.name != meant for item in call.arguments)
    return meant if free and meant is not None and function.parameter(meant) else None


def _unknown_parameters(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        told = function.is_open
        for item in call.arguments:
            if told:
                break
            if item.name is None or item.name_span is None or function.parameter(item.name):
                continue
            if function.name == "collect" and item.name == "as":
                continue
            known = [parameter.name for parameter in function.parameters]
            close = get_close_matches(item.name, known, n=1, cutoff=0.6)
            fix = None
            help_text = f"It takes {', '.join(known)}." if known else "It takes no arguments."
            if function.name in ("test", "if"):
                help_text = "To compare, write `==`."
            elif advice := _other_form(item, call, function, context):
                help_text = advice
                told = function.name == "rename"
            elif item.name.lower() in _ORDERS and function.parameter("order"):
                help_text = f"Write `order={_ORDERS[item.name.lower()]}`."
            elif meant := _meant_parameter(item.name, call, function) or next(iter(close), None):
                help_text = f"Did you mean `{meant}`?"
                fix = Fix(span=item.name_span, text=meant, label=f"write {meant}")
            yield Found(
                message=f"{function.name}() has no parameter `{item.name}`.",
                span=item.name_span,
                help=help_text,
                fix=fix,
            )


def _other_form(item: Argument, call: Call, function: Function, context: Context) -> str:
    """Return what to write for an argument that is no argument: it is told as one mistake.

    `rename(old=new)` is two arguments, `join(a=b, …)` a query without its braces.
    """
    if item.name is None or function.is_open or function.parameter(item.name):
        return ""
    given = {other.name for other in call.arguments}
    if function.name == "rename" and not given & {None, "field", "as"}:
        pairs = [(i.name or "", context.source(i.value.span)) for i in call.arguments[:3]]
        if len(call.arguments) == 1:
            return f"Write `rename({pairs[0][0]}, as={pairs[0][1]})`."
        return f"Write `rename([{', '.join(f'[{old}, {new}]' for old, new in pairs)}])`."
    query = next((p for p in function.parameters if p.required and p.type in _QUERIES), None)
    if query is not None and not given & {None, query.name}:
        shown = context.source(item.span)
        return f"A query stands in braces: `{{ {shown if len(shown) <= 60 else '…'} }}`."
    return ""


def _missing_parameters(context: Context) -> Iterator[Found]:
    outside = given_outside(context)
    for call, function in calls(context):
        if any(_other_form(item, call, function, context) for item in call.arguments):
            continue
        missing = [
            parameter.name
            for parameter in _missing(call, function)
            if parameter.name not in outside.get(id(call), ())
        ]
        # `if(c, "a", "b")` is told about its second unnamed argument already.
        if len(unnamed(call)) > len(missing) > 0 and len(unnamed(call)) > 1:
            continue
        for name in missing:
            yield Found(
                message=f"{function.name}() needs `{name}`.",
                span=call.name_span,
                help=f"Add `{name}=…`.",
            )


def _missing(call: Call, function: Function) -> Iterator[FunctionParameter]:
    given = {item.name for item in call.arguments}
    # `groupBy(by=[a])` is told about its `by` already.
    given |= {_meant_parameter(name, call, function) or name for name in given if name is not None}
    has_unnamed = None in given
    for parameter in function.parameters:
        required = parameter.required or _renames_nothing(parameter, call, function)
        if not required or parameter.name in given or (parameter.unnamed and has_unnamed):
            continue
        if function.name == "drop" or (function.name == "getField" and has_unnamed):
            continue
        # match() reads a file or a table; test(a = b) is told about its `=` already.
        if function.name == "match" and "table" in given:
            continue
        if function.name in ("test", "if") and any(
            name is not None and function.parameter(name) is None for name in given
        ):
            continue
        yield parameter


def _renames_nothing(parameter: FunctionParameter, call: Call, function: Function) -> bool:
    """Say whether this is the `as` of a rename() of one field."""
    if function.name != "rename" or parameter.name != "as":
        return False
    fields = [i.value for i in call.arguments if i.name in (None, "field")]
    return len(fields) == 1 and isinstance(fields[0], Word | Quoted)


def _drop_without_fields(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        if function.name == "drop" and not call.arguments:
            yield Found(
                message="drop() removes fields and needs their names; it cannot drop events.",
                span=call.span,
                help="Leave the default clause out: a case drops what no clause takes. "
                "Elsewhere filter the events away.",
            )


def _deprecated(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        for item in call.arguments:
            parameter = function.parameter(item.name) if item.name else None
            if parameter is not None and parameter.deprecated:
                yield Found(
                    message=f"`{parameter.name}` of {function.name}() is deprecated.",
                    span=item.span,
                    help="Negate with `!` before the call." if parameter.name == "negate" else "",
                )


def _twice(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        loose = unnamed(call)
        named = {item.name for item in call.arguments}
        if len(loose) == 1 and function.unnamed in named and function.unnamed is not None:
            value = loose[0].value
            # The field comes first in other languages.
            is_field = isinstance(value, Word) and "field" not in named
            can_name = is_field and function.parameter("field") is not None
            yield Found(
                message=f"`{function.unnamed}` is given twice: the argument without a name is "
                "the same parameter.",
                span=value.span,
                help=f"Write `field={context.source(value.span)}`."
                if can_name
                else "Keep one of the two, or name this one.",
                fix=Fix(
                    span=Span(value.span.start, value.span.start),
                    text="field=",
                    label="name the field",
                )
                if can_name
                else None,
            )
        seen: set[str] = set()
        for item in call.arguments:
            if item.name is not None and item.name in seen:
                yield Found(
                    message=f"`{item.name}` is given twice.",
                    span=item.span,
                    help="Keep one of the two.",
                )
            if item.name is not None:
                seen.add(item.name)


CHECKS = (
    Check(
        code="unknown-function",
        level=Level.WARNING,
        about="The function is not in the catalogue: a slip, another language's function, or one "
        "that is newer than the catalogue.",
        source="LogScale: query functions",
        find=_unknown_functions,
    ),
    Check(
        code="foreign-function",
        level=Level.ERROR,
        about="SPL, KQL and SQL call it so; LogScale has another function for it, or a filter.",
        source="LogScale: query functions",
        find=_foreign_functions,
    ),
    Check(
        code="deprecated-function",
        level=Level.WARNING,
        about="The function will be removed, or goes by a newer name.",
        source="LogScale: query functions",
        find=_deprecated_functions,
    ),
    Check(
        code="function-spelling",
        level=Level.HINT,
        about="LogScale reads function names whatever their case; one spelling is easier to find.",
        source="LogScale: query functions",
        find=_spelling,
    ),
    Check(
        code="collect-as",
        level=Level.ERROR,
        about="collect() writes each field under its own name and has no `as`.",
        source="LogScale: collect()",
        find=_collect_as,
    ),
    Check(
        code="unknown-parameter",
        level=Level.ERROR,
        about="LogScale refuses a query whose call names a parameter that the function lacks.",
        source="LogScale: query functions",
        find=_unknown_parameters,
    ),
    Check(
        code="missing-parameter",
        level=Level.ERROR,
        about="A required parameter is not given, neither by name nor as the unnamed argument.",
        source="LogScale: query functions",
        find=_missing_parameters,
    ),
    Check(
        code="drop-without-fields",
        level=Level.ERROR,
        about="drop() takes fields away from events. Events are dropped by filters, and by a case "
        "without a default clause.",
        source="LogScale: drop(), conditional evaluation",
        find=_drop_without_fields,
    ),
    Check(
        code="deprecated-parameter",
        level=Level.WARNING,
        about="The parameter will be removed.",
        source="LogScale: query functions",
        find=_deprecated,
    ),
    Check(
        code="argument-twice",
        level=Level.ERROR,
        about="One parameter is given two values.",
        source="LogScale: function syntax",
        find=_twice,
    ),
)
