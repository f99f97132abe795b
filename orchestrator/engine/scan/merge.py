"""Grouping while reading: a groupBy() whose outputs can be put together out of parts.

Where only filters and assignments stand before it and it asks for counts, sums, minima and maxima
alone, the events that have gathered are grouped at once and only their groups are kept. The query
then goes over the parts, with each function replaced by the one that puts its parts together; both
are CQL, run by the engine itself. Groups keep the order in which they were first seen, since each
part carries its first time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.cql.catalogue import FunctionKind, find
from orchestrator.cql.fields import argument, names
from orchestrator.cql.nodes import (
    And,
    Argument,
    Array,
    Assignment,
    Boolean,
    Call,
    Case,
    Comparison,
    Expression,
    FreeText,
    Not,
    Or,
    Pipeline,
    Query,
    Quoted,
    Step,
    Word,
)
from orchestrator.cql.walk import walk
from orchestrator.engine.events import TIMESTAMP
from orchestrator.engine.scan.plan import ScanPlan, is_row_wise

# What puts the parts of a function's result together.
_TOGETHER = {"count": "sum", "sum": "sum", "min": "min", "max": "max"}
_SEES_THE_WINDOW = ("start", "end", "bucket", "timechart")
FIRST_SEEN = "__first_seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A query cut in two: what makes parts of gathered events, and what goes over the parts."""

    parts: tuple[Step, ...]
    """Ends in a groupBy() that also gives `FIRST_SEEN`."""
    whole: Query


def mergeable(query: Query, plan: ScanPlan, *, use_ingest_time: bool) -> Merge | None:
    """Return how to group while reading; None where the query needs the events themselves."""
    if plan.whole or len(plan.taps) != 1 or plan.taps[0].fields is None or use_ingest_time:
        return None
    calls = [node.name.lower() for node in walk(query) if isinstance(node, Call)]
    if any(name in _SEES_THE_WINDOW for name in calls):
        return None
    steps = query.pipeline.steps
    at = next((n for n, step in enumerate(steps) if _is_group_by(step)), None)
    if at is None or not all(is_row_wise(step) and _is_plain(step) for step in steps[:at]):
        return None
    group_by = steps[at]
    if not isinstance(group_by, Call):
        return None
    functions = _functions(group_by)
    keys = argument(group_by, "field")
    if functions is None or keys is None or not names(keys):
        return None
    parts, together = [], []
    for number, call in enumerate(functions):
        part = f"__part_{number}"
        parts.append(_with(call, **{"as": part}))
        name = (names(argument(call, "as")) or [f"_{call.name.lower()}"])[0]
        together.append(_made(group_by, _TOGETHER[call.name.lower()], part, name))
    parts.append(_made(group_by, "min", TIMESTAMP, FIRST_SEEN))
    first = _grouping(group_by, keys, parts, _text(group_by, "max"))
    last = _grouping(group_by, keys, together, argument(group_by, "limit"))
    pipeline = Pipeline(span=query.pipeline.span, steps=(last, *steps[at + 1 :]))
    return Merge(parts=(*steps[:at], first), whole=replace(query, pipeline=pipeline))


def _is_group_by(step: Step) -> bool:
    return isinstance(step, Call) and step.name.lower() == "groupby"


def _is_plain(step: Step) -> bool:
    """Return whether the step is a filter, or sets a field other than the time."""
    match step:
        case Case(clauses=clauses):
            return all(_is_plain(inner) for clause in clauses for inner in clause.steps)
        case Assignment(field=field):
            return field.name != TIMESTAMP
        case And() | Or() | Not() | Comparison() | FreeText() | Boolean():
            return True
        case Call():
            function = find(step.name)
            return function is not None and function.kind is FunctionKind.FILTER
        case _:
            return False


def _functions(group_by: Call) -> list[Call] | None:
    given = argument(group_by, "function")
    known = {"field", "function", "limit", None}
    if any(item.name not in known for item in group_by.arguments):
        return None
    if given is None:
        return [_call(group_by, "count", ())]
    found = []
    for item in given.elements if isinstance(given, Array) else (given,):
        if not isinstance(item, Call) or item.name.lower() not in _TOGETHER:
            return None
        if any(one.name not in (None, "field", "as") for one in item.arguments):
            return None
        found.append(item)
    return found


def _grouping(
    at: Call, keys: Expression, functions: Sequence[Call], limit: Expression | None
) -> Call:
    array = Array(span=at.span, elements=tuple(functions))
    arguments = [_argument(at, "field", keys), _argument(at, "function", array)]
    if limit is not None:
        arguments.append(_argument(at, "limit", limit))
    return _call(at, "groupBy", arguments)


def _made(at: Call, function: str, field: str, name: str) -> Call:
    return _call(
        at,
        function,
        [_argument(at, "field", _text(at, field)), _argument(at, "as", _text(at, name))],
    )


def _with(call: Call, **texts: str) -> Call:
    kept = [item for item in call.arguments if item.name not in texts]
    added = [_argument(call, name, _text(call, text)) for name, text in texts.items()]
    return replace(call, arguments=(*kept, *added))


def _call(at: Call, name: str, arguments: Sequence[Argument]) -> Call:
    return Call(span=at.span, name=name, name_span=at.name_span, arguments=tuple(arguments))


def _argument(at: Call, name: str, value: Expression) -> Argument:
    return Argument(span=at.span, name=name, name_span=None, value=value)


def _text(at: Call, text: str) -> Quoted | Word:
    return Quoted(span=at.span, value=text, raw=f'"{text}"')
