"""Which fields a query reads, and which exist at its end.

`fields_read` errs towards more, so a scan that reads only these misses nothing; `fields_out` errs
towards "open" (None). Free text reads the whole original event: `reads_everything` says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from orchestrator.cql.catalogue import Function, FunctionKind, find
from orchestrator.cql.nodes import (
    Argument,
    Array,
    Assignment,
    Binary,
    Call,
    Case,
    Comparison,
    Expression,
    FieldName,
    FieldOperator,
    FreeText,
    Match,
    Node,
    Parameter,
    Pipeline,
    Query,
    Quoted,
    Regex,
    SavedQuery,
    StatsShorthand,
    Step,
    Subquery,
    Unary,
    Word,
)
from orchestrator.cql.walk import walk

_GROUP = re.compile(r"\(\?P?<([^=!>][^>]*)>")
_FIELD_PARAMETERS = frozenset(
    (
        "field", "fields", "key", "sortby", "include", "collect", "series", "globalConstraints",
        "sequenceBy", "x", "y", "lat", "lon", "lat1", "lon1", "lat2", "lon2", "source", "target",
        "sum", "max", "proto", "sourceip", "destinationip", "sourceport", "destinationport",
        "timezoneField", "timestampfield", "array", "pivot", "header",
    )
)  # fmt: skip
_QUERY_PARAMETERS = frozenset(("function", "query", "where", "condition", "expression"))
_EXPRESSION_FUNCTIONS = frozenset(
    (
        "test", "if", "eval", "coalesce", "setField", "getField", "percentage", "text:contains",
        "text:startsWith", "text:endsWith", "text:substring", "text:length", "text:positionOf",
    )
)  # fmt: skip
_KEYWORDS = frozenset(
    (
        "max", "min", "asc", "desc", "number", "string", "hex", "auto", "true", "false", "inner",
        "left",
    )
)  # fmt: skip
_ROWS_KEEP_FIELDS = frozenset(("sort", "head", "tail"))
_PLAIN_AGGREGATES = frozenset(
    (
        "count", "sum", "avg", "min", "max", "range", "stdDev", "percentile", "stats", "groupBy",
        "bucket", "timeChart", "top", "table", "collect", "selectLast", "selectFromMax",
        "selectFromMin", "sort", "head", "tail",
    )
)  # fmt: skip


def fields_read(query: Query | Pipeline) -> frozenset[str]:
    """Return every field whose value the query looks at, made by it or not.

    Subqueries are included. Field names given by parameters or saved queries are not known here.
    """
    return frozenset(_read(walk(query)))


def reads_everything(query: Query | Pipeline) -> bool:
    """Say whether the query searches whole events (free text other than `*`, a saved query)."""
    for node in walk(query):
        if isinstance(node, SavedQuery):
            return True
        if isinstance(node, FreeText) and not _is_star(node):
            return True
    return False


def fields_out(query: Query | Pipeline) -> frozenset[str] | None:
    """Return the fields that exist at the end; None if any event field may.

    Only aggregates, `table` and `select` close the set; renames, drops and assignments then
    move it.
    """
    pipeline = query.pipeline if isinstance(query, Query) else query
    known: frozenset[str] | None = None
    for step in pipeline.steps:
        known = after_step(step, known)
    return known


def after_step(step: Step, known: frozenset[str] | None) -> frozenset[str] | None:
    """Return the fields that exist after `step`, given those before it (None: any may)."""
    match step:
        case Assignment(value=Call() as call) if is_aggregate(call):
            return produced(call, assigned=step.field.name)
        case StatsShorthand():
            return _outputs(step.functions)
        case Call() if is_aggregate(step):
            if _canonical(step) in _ROWS_KEEP_FIELDS:
                return known
            return produced(step)
        case _ if known is None:
            return _closed_by_select(step)
    return _moved(step, known)


def is_aggregate(call: Call) -> bool:
    """Say whether the call turns events into rows."""
    function = find(call.name)
    return function is not None and function.kind in (
        FunctionKind.AGGREGATE,
        FunctionKind.SEQUENCE,
    )


def argument(call: Call, name: str) -> Expression | None:
    """Return the value of parameter `name`, named or unnamed; None if it is not given."""
    function = find(call.name)
    for item in call.arguments:
        if item.name == name:
            return item.value
    if function is not None and function.unnamed == name:
        return next((item.value for item in call.arguments if item.name is None), None)
    return None


def names(value: Expression | Assignment | None) -> list[str]:
    """Return the field names that a value spells: a word, a string or an array of them."""
    match value:
        case Word():
            return [value.text]
        case Quoted():
            return [value.value]
        case Array():
            return [name for element in value.elements for name in names(element)]
        case _:
            return []


def produced(call: Call, *, assigned: str | None = None) -> frozenset[str] | None:
    """Return the fields that an aggregate produces; None if that is not known."""
    name = _canonical(call)
    if name not in _PLAIN_AGGREGATES or name in _ROWS_KEEP_FIELDS:
        return None
    alias = names(argument(call, "as"))
    match name:
        case "groupBy" | "bucket" | "timeChart" | "stats":
            return _grouped(call, name)
        case "top":
            count = alias or ["_sum" if argument(call, "sum") else "_count"]
            share = ["percent"] if _may_be_true(argument(call, "percent")) else []
            return frozenset((*names(argument(call, "field")), *count, *share))
        case "table" | "collect" | "selectLast":
            return frozenset((*names(argument(call, "fields")), *_loose(call)))
        case "selectFromMax" | "selectFromMin":
            return frozenset(names(argument(call, "include")))
        case "percentile":
            return None
        case _:
            return frozenset(alias or [assigned or f"_{name.lower()}"])


def _may_be_true(value: Expression | None) -> bool:
    return value is not None and [name.lower() for name in names(value)] != ["false"]


def _loose(call: Call) -> list[str]:
    """Return the unnamed fields; several without an array, `collect(a, b)`, are read as meant."""
    return [name for item in call.arguments if item.name is None for name in names(item.value)]


def _grouped(call: Call, name: str) -> frozenset[str] | None:
    function = argument(call, "function")
    inner = frozenset({"_count"}) if function is None else _outputs(function)
    if inner is None:
        return None
    keys = {
        "groupBy": [*names(argument(call, "field")), *_loose(call)],
        "bucket": ["_bucket", *names(argument(call, "field"))],
        "timeChart": ["_bucket", *names(argument(call, "series"))],
        "stats": [],
    }[name]
    return inner | frozenset(keys)


def _outputs(value: Expression | Assignment) -> frozenset[str] | None:
    match value:
        case Array():
            found: frozenset[str] = frozenset()
            for element in value.elements:
                part = _outputs(element)
                if part is None:
                    return None
                found |= part
            return found
        case Assignment(value=Call() as call):
            return produced(call, assigned=value.field.name)
        case Call():
            return produced(value)
        case Subquery():
            return fields_out(value.pipeline)
        case _:
            return None


def _closed_by_select(step: Step) -> frozenset[str] | None:
    if isinstance(step, Call) and _canonical(step) == "select":
        return frozenset(names(argument(step, "fields"))) or None
    return None


def _moved(step: Step, known: frozenset[str]) -> frozenset[str] | None:
    match step:
        case Assignment():
            return known | {step.field.name}
        case Case():
            return _any_branch(step.clauses, known)
        case Match():
            return _any_branch((arm.body for arm in step.arms), known)
        case Call():
            return _moved_by_call(step, known)
        case SavedQuery():
            return None
        case _:
            return None if _holds_saved_query(step) else known | _groups(step)


def _groups(step: Step) -> frozenset[str]:
    """Return the named groups of the regexes of a filter step: they become fields."""
    found: set[str] = set()
    for node in walk(step):
        if isinstance(node, Regex):
            found |= group_names(node.body)
    return frozenset(found)


def group_names(body: str) -> set[str]:
    """Return the names of a regex's named groups."""
    return {match.group(1) for match in _GROUP.finditer(body)}


def _any_branch(branches: Iterable[Pipeline], known: frozenset[str]) -> frozenset[str] | None:
    every = set(known)
    for branch in branches:
        after: frozenset[str] | None = known
        for step in branch.steps:
            after = after_step(step, after)
        if after is None:
            return None
        every |= after
    return frozenset(every)


def _moved_by_call(call: Call, known: frozenset[str]) -> frozenset[str] | None:
    function = find(call.name)
    if function is None:
        return None
    match function.name:
        case "rename":
            return _renamed(call, known)
        case "drop":
            return known - frozenset(names(argument(call, "fields")))
        case "select":
            return known & frozenset(names(argument(call, "fields")))
        case "eval":
            return known | {item.name for item in call.arguments if item.name}
        case "default":
            return known | frozenset(names(argument(call, "field")))
        case "format" | "formatTime" | "concat" | "coalesce" | "if" | "lower" | "upper" | "length":
            return known | frozenset(names(argument(call, "as")) or [f"_{function.name.lower()}"])
    return known if function.kind is FunctionKind.FILTER else None


def _renamed(call: Call, known: frozenset[str]) -> frozenset[str]:
    old, new = argument(call, "field"), names(argument(call, "as"))
    if new:
        return (known - frozenset(names(old))) | frozenset(new)
    if isinstance(old, Array):
        for pair in old.elements:
            both = names(pair)
            if len(both) == 2:
                known = (known - {both[0]}) | {both[1]}
    return known


def _read(nodes: Iterable[Node]) -> Iterable[str]:
    for node in nodes:
        match node:
            case Comparison():
                yield node.field.name
                if isinstance(node.value, FieldName):
                    yield node.value.name
            case FieldOperator():
                yield node.field.name
                yield from _read_by_call(node.call)
            case Match():
                yield node.field.name
            case Assignment():
                yield from _expression(node.value)
            case Call():
                yield from _read_by_call(node)


def _read_by_call(call: Call) -> Iterable[str]:
    function = find(call.name)
    for item in call.arguments:
        name = item.name or (function.unnamed if function else None)
        yield from _read_argument(item, name, call=call, function=function)
    if function is not None:
        given = {item.name for item in call.arguments}
        for parameter in function.parameters:
            unnamed = parameter.unnamed and any(i.name is None for i in call.arguments)
            reads = parameter.name in _FIELD_PARAMETERS and parameter.default is not None
            if reads and parameter.name not in given and not unnamed:
                default = parameter.default or ""
                if default.startswith("@") or default in ("ip", "url", "ip.lat", "ip.lon"):
                    yield default
        if function.name in _ROWS_KEEP_FIELDS or function.name == "selectLast":
            yield "@timestamp"


def _read_argument(
    item: Argument, name: str | None, *, call: Call, function: Function | None
) -> Iterable[str]:
    if (
        function is None
        or name in _QUERY_PARAMETERS
        or function.is_open
        or (function.name in _EXPRESSION_FUNCTIONS and name != "as")
    ):
        yield from _expression(item.value)
    elif name in _FIELD_PARAMETERS or name is None:
        if function.name == "rename" and isinstance(item.value, Array):
            yield from (both[0] for pair in item.value.elements if (both := names(pair)))
        else:
            yield from names(item.value)


def _expression(value: Expression | Assignment) -> Iterable[str]:
    """Yield the fields that an expression reads itself; calls and subqueries are walked anyway."""
    pending: list[Expression | Assignment] = [value]
    while pending:
        node = pending.pop()
        match node:
            case Word() if node.text not in _KEYWORDS and "*" not in node.text:
                yield node.text
            case Binary():
                pending += (node.left, node.right)
            case Unary():
                pending.append(node.operand)
            case Array():
                pending += node.elements
            case Assignment():
                pending.append(node.value)


def _canonical(call: Call) -> str:
    function = find(call.name)
    return function.name if function is not None else call.name


def _is_star(node: FreeText) -> bool:
    match node.pattern:
        case Word(text=text):
            return set(text) == {"*"}
        case Quoted(value=value):
            return value == "*"
        case Parameter(default=default):
            return default == "*"
        case _:
            return False


def _holds_saved_query(step: Step) -> bool:
    return any(isinstance(node, SavedQuery) for node in walk(step))
