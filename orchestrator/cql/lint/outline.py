"""The steps of a pipeline with what each one does to fields, worked out once for all checks.

`makes` and `reads` err towards more, `is_open` towards true: a check that says "nobody sets this
field" must be right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.cql.catalogue import Function, FunctionKind, find
from orchestrator.cql.fields import argument, fields_read, group_names, is_aggregate, names
from orchestrator.cql.nodes import (
    Array,
    Assignment,
    Bad,
    Call,
    Node,
    Pipeline,
    Quoted,
    Regex,
    SavedQuery,
    StatsShorthand,
    Step,
)
from orchestrator.cql.walk import walk

# Transforms whose output fields are named by the data and not by the query.
_OPEN_TRANSFORMS = frozenset(
    (
        "parseJson", "parseCsv", "parseCEF", "parseLEEF", "parseXml", "parseFixedWidth", "kvParse",
        "parseUri", "parseUrl", "parseTimestamp", "findTimestamp", "split", "ipLocation", "asn",
        "transpose", "bitfield:extractFlags", "callFunction", "ioc:lookup", "matchAsArray",
        "setField", "explain:asTable",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One step of a pipeline."""

    step: Step
    is_aggregate: bool
    is_behind: bool
    """An aggregate stands before it, so it sees rows and not events."""
    makes: frozenset[str]
    """Fields that it sets, or may set."""
    reads: frozenset[str]
    """Fields whose value it looks at."""
    is_open: bool
    """It may set fields that the query does not name."""


def outline(pipeline: Pipeline) -> tuple[Outline, ...]:
    """Return the steps of `pipeline`, in order."""
    found: list[Outline] = []
    behind = False
    for step in pipeline.steps:
        aggregate = is_aggregate_step(step)
        makes: set[str] = set()
        is_open = False
        for node in walk(step):
            makes.update(made_by(node))
            is_open = is_open or _names_unknown(node)
        found.append(
            Outline(
                step=step,
                is_aggregate=aggregate,
                is_behind=behind,
                makes=frozenset(makes),
                reads=step_reads(step),
                is_open=is_open,
            )
        )
        behind = behind or aggregate
    return tuple(found)


def is_aggregate_step(step: Step) -> bool:
    """Say whether the step turns events into rows."""
    if isinstance(step, Assignment):
        return isinstance(step.value, Call) and is_aggregate(step.value)
    return isinstance(step, StatsShorthand) or (isinstance(step, Call) and is_aggregate(step))


def called(call: Call) -> str:
    """Return the function's name in its documented spelling; as written if it is not known."""
    function = find(call.name)
    return function.name if function is not None else call.name


def step_reads(step: Step) -> frozenset[str]:
    """Return the fields whose value `step` looks at."""
    return fields_read(Pipeline(span=step.span, steps=(step,)))


def made_by(node: Node) -> Iterator[str]:
    """Yield the fields that this node itself sets, not what is below it."""
    match node:
        case Assignment():
            yield node.field.name
        case Regex() if "(?" in node.body:
            yield from group_names(node.body)
        case Call():
            function = find(node.name)
            if function is not None:
                yield from _made_by_call(node, function)


def _made_by_call(call: Call, function: Function) -> Iterator[str]:
    match function.name:
        case "eval":
            yield from (item.name for item in call.arguments if item.name)
        case "rename":
            yield from names(argument(call, "as")) or _new_names(call)
        case "regex":
            pattern = argument(call, "regex")
            yield from group_names(pattern.raw) if isinstance(pattern, Quoted) else ()
        case "default" | "replace" | "round":
            yield from names(argument(call, "field"))
        case "match":
            yield from names(argument(call, "include"))
        case _:
            alias = names(argument(call, "as"))
            given = function.parameter("as")
            if alias:
                yield from alias
            elif given is not None and given.default is not None:
                yield given.default


def _new_names(call: Call) -> Iterator[str]:
    pairs = argument(call, "field")
    if isinstance(pairs, Array):
        for pair in pairs.elements:
            yield from names(pair)[1:]


def _names_unknown(node: Node) -> bool:
    if isinstance(node, SavedQuery | Bad):
        return True
    if not isinstance(node, Call):
        return False
    function = find(node.name)
    if function is None or function.name in _OPEN_TRANSFORMS:
        return True
    if function.name.startswith(("array:", "objectArray:")):
        return function.kind is FunctionKind.TRANSFORM
    if function.name == "match":
        return argument(node, "include") is None
    if function.kind is FunctionKind.JOIN:
        return function.name != "defineTable"
    return function.kind is FunctionKind.SOURCE
