"""Checks of calls: unknown functions, unknown, missing and misplaced arguments."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from orchestrator.cql.catalogue import Function, find, nearest
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.nodes import Array, Assignment, Call, FieldOperator, Match, Quoted, Word

_FOREIGN_FUNCTIONS = {
    "dc": "count(field, distinct=true)",
    "dcount": "count(field, distinct=true)",
    "values": "collect(field)",
    "make_set": "collect(field)",
    "earliest": "min(@timestamp)",
    "latest": "max(@timestamp)",
    "countif": "{ condition | count() } in function=",
    "mvcount": "array:length(field)",
    "strcat": "concat([a, b]) or format()",
    "tolower": "lower(field)",
    "toupper": "upper(field)",
    "len": "length(field)",
    "strlen": "length(field)",
    "substr": "text:substring(field, begin=0, end=1)",
    "abs": "math:abs(field)",
    "ifnull": "coalesce([a, b])",
    "iff": "if(condition, then=a, else=b)",
    "isnull": "the filter field != *",
    "isnotnull": "the filter field = *",
}
# Array parameters in whose place several unnamed arguments are written in published queries.
_LIST_PARAMETERS = frozenset(("field", "fields", "query"))


def _calls(context: Context) -> Iterator[tuple[Call, Function]]:
    for node in context.nodes:
        if isinstance(node, Call):
            function = find(node.name)
            if function is not None:
                yield node, function


def _unknown_functions(context: Context) -> Iterator[Found]:
    for node in context.nodes:
        if not isinstance(node, Call) or find(node.name) or node.name.lower() == "case":
            continue
        foreign = _FOREIGN_FUNCTIONS.get(node.name.lower())
        meant = nearest(node.name)
        fix = None
        help_text = "It may be newer than the catalogue."
        if foreign:
            help_text = f"In CQL: {foreign}."
        elif meant:
            help_text = f"Did you mean `{meant}`?"
            fix = Fix(span=node.name_span, text=meant, label=f"call {meant}")
        yield Found(
            message=f"There is no function `{node.name}` in the catalogue.",
            span=node.name_span,
            help=help_text,
            fix=fix,
        )


def _spelling(context: Context) -> Iterator[Found]:
    for call, function in _calls(context):
        if call.name != function.name and call.name.lower() == function.name.lower():
            yield Found(
                message=f"The documented spelling is `{function.name}`.",
                span=call.name_span,
                help=f"Write `{function.name}`.",
                fix=Fix(span=call.name_span, text=function.name, label="documented spelling"),
            )


def _collect_as(context: Context) -> Iterator[Found]:
    for call, function in _calls(context):
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


def _unknown_parameters(context: Context) -> Iterator[Found]:
    for call, function in _calls(context):
        if function.is_open:
            continue
        for item in call.arguments:
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
            elif close:
                help_text = f"Did you mean `{close[0]}`?"
                fix = Fix(span=item.name_span, text=close[0], label=f"write {close[0]}")
            yield Found(
                message=f"{function.name}() has no parameter `{item.name}`.",
                span=item.name_span,
                help=help_text,
                fix=fix,
            )


def _missing_parameters(context: Context) -> Iterator[Found]:
    implied = _implied_fields(context)
    for call, function in _calls(context):
        given = {item.name for item in call.arguments}
        has_unnamed = None in given
        for parameter in function.parameters:
            if not parameter.required or parameter.name in given:
                continue
            if (parameter.unnamed and has_unnamed) or parameter.name in implied.get(id(call), ()):
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
            yield Found(
                message=f"{function.name}() needs `{parameter.name}`.",
                span=call.name_span,
                help=f"Add `{parameter.name}=…`.",
            )


def _implied_fields(context: Context) -> dict[int, tuple[str, ...]]:
    """Return, by the call, the parameters that stand outside its parentheses."""
    implied: dict[int, tuple[str, ...]] = {}
    for node in context.nodes:
        match node:
            case FieldOperator():
                implied[id(node.call)] = ("field", "array", "input", "string", "ip")
            case Assignment(value=Call() as call):
                implied[id(call)] = ("as", "asArray")
            case Match():
                for arm in node.arms:
                    if isinstance(arm.guard, Call):
                        implied[id(arm.guard)] = ("field", "array", "input", "string")
    return implied


def _drop_without_fields(context: Context) -> Iterator[Found]:
    for call, function in _calls(context):
        if function.name == "drop" and not call.arguments:
            yield Found(
                message="drop() removes fields and needs their names; it cannot drop events.",
                span=call.span,
                help="Leave the default clause out: a case drops what no clause takes. "
                "Elsewhere filter the events away.",
            )


def _several_unnamed(context: Context) -> Iterator[Found]:
    for call, function in _calls(context):
        unnamed = [item for item in call.arguments if item.name is None]
        if len(unnamed) < 2 or function.is_open:
            continue
        is_list = function.unnamed in _LIST_PARAMETERS and function.name not in ("in", "top")
        if not is_list or not all(isinstance(item.value, Word | Quoted) for item in unnamed):
            yield _second(call, function)


def _second(call: Call, function: Function) -> Found:
    second = [item for item in call.arguments if item.name is None][1]
    others = [p.name for p in function.parameters if not p.unnamed]
    return Found(
        message=f"Only one argument of {function.name}() may stand without its name.",
        span=second.span,
        help=f"Name it: {', '.join(f'`{name}=`' for name in others[:4])}." if others else "",
    )


def _lists_unnamed(context: Context) -> Iterator[Found]:
    for call, function in _calls(context):
        unnamed = [item for item in call.arguments if item.name is None]
        wanted = function.unnamed in _LIST_PARAMETERS and function.name not in ("in", "top")
        plain = all(isinstance(item.value, Word | Quoted) for item in unnamed)
        if len(unnamed) > 1 and wanted and plain and not function.is_open:
            span = unnamed[0].span.to(unnamed[-1].span)
            text = context.query.text[span.start : span.end]
            yield Found(
                message="Several fields stand in an array.",
                span=span,
                help=f"Write `[{text}]`.",
                fix=Fix(span=span, text=f"[{text}]", label="write an array"),
            )


def _allowed_values(context: Context) -> Iterator[Found]:
    for call, function in _calls(context):
        for item in call.arguments:
            parameter = function.parameter(item.name) if item.name else None
            if parameter is None or not parameter.allowed or function.name == "sort":
                continue
            values = item.value.elements if isinstance(item.value, Array) else (item.value,)
            for value in values:
                text = value.text if isinstance(value, Word) else None
                text = value.value if isinstance(value, Quoted) else text
                if text is None or text.lower() in (a.lower() for a in parameter.allowed):
                    continue
                if text == parameter.default:
                    continue
                yield Found(
                    message=f"`{parameter.name}` of {function.name}() cannot be `{text}`.",
                    span=value.span,
                    help=f"It may be {', '.join(parameter.allowed)}.",
                )


def _deprecated(context: Context) -> Iterator[Found]:
    for call, function in _calls(context):
        for item in call.arguments:
            parameter = function.parameter(item.name) if item.name else None
            if parameter is not None and parameter.deprecated:
                yield Found(
                    message=f"`{parameter.name}` of {function.name}() is deprecated.",
                    span=item.span,
                    help="Negate with `!` before the call." if parameter.name == "negate" else "",
                )


def _twice(context: Context) -> Iterator[Found]:
    for call, _ in _calls(context):
        seen: set[str] = set()
        for item in call.arguments:
            if item.name is not None and item.name in seen:
                yield Found(message=f"`{item.name}` is given twice.", span=item.span)
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
        code="value-not-allowed",
        level=Level.ERROR,
        about="The parameter takes one of a few words only.",
        source="LogScale: query functions",
        find=_allowed_values,
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
