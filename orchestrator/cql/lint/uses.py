"""Where a query reads fields of events, with the kinds of events that may come there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.cql.catalogue import FunctionKind, find
from orchestrator.cql.fields import argument, fields_read, is_aggregate
from orchestrator.cql.lint.base import Context
from orchestrator.cql.lint.calls import literal
from orchestrator.cql.lint.scopes import Events, made_by, narrowed, passed
from orchestrator.cql.nodes import (
    And,
    Assignment,
    Call,
    Case,
    Comparison,
    FieldOperator,
    Match,
    Node,
    Not,
    Or,
    Pipeline,
    Quoted,
    StatsShorthand,
    Step,
    Subquery,
    Word,
)
from orchestrator.cql.schema import EVENT_TAG
from orchestrator.cql.span import Span
from orchestrator.cql.walk import children

# To show or default a field that may be absent does no harm.
_SHOW = frozenset(
    ("select", "drop", "table", "collect", "default", "coalesce", "rename", "selectLast")
)


@dataclass(frozen=True, slots=True)
class Use:
    """A field that is read, where, and what is known there."""

    name: str
    span: Span
    events: frozenset[str]
    """Which kinds of events may come here."""
    made: frozenset[str]
    """The fields that earlier steps made."""


def uses(context: Context) -> Iterator[Use]:
    """Yield every use of a field where only certain kinds of events can come."""
    if EVENT_TAG not in context.query.text:
        return
    yield from _in_pipeline(context.query.pipeline, None, frozenset())
    for node in context.nodes:
        # A subquery of its own; it sees no field of the query around it.
        for item in node.arguments if isinstance(node, Call) and _looks_elsewhere(node) else ():
            if isinstance(item.value, Subquery):
                yield from _in_pipeline(item.value.pipeline, None, frozenset())


def _looks_elsewhere(call: Call) -> bool:
    function = find(call.name)
    return function is not None and (
        function.kind is FunctionKind.JOIN or function.name == "correlate"
    )


def _in_pipeline(pipeline: Pipeline, scope: Events, made: frozenset[str]) -> Iterator[Use]:
    for step in pipeline.steps:
        yield from _in_step(step, scope, made)
        more = made_by(step)
        if more is None or _is_aggregate_step(step):
            return
        scope, made = passed(scope, step), made | more


def _is_aggregate_step(step: Step) -> bool:
    call = step.value if isinstance(step, Assignment) else step
    return isinstance(call, StatsShorthand) or (isinstance(call, Call) and is_aggregate(call))


def _in_step(step: Step, scope: Events, made: frozenset[str]) -> Iterator[Use]:
    match step:
        case And():
            # All operands see the same event, so each may build on what the others name.
            inner = passed(scope, step)
            for operand in step.operands:
                yield from _in_step(operand, inner, made)
        case Or():
            for operand in step.operands:
                yield from _in_step(operand, passed(scope, operand), made)
        case Not():
            yield from _in_step(step.operand, scope, made)
        case Case():
            for clause in step.clauses:
                yield from _in_pipeline(clause, scope, made)
        case Match():
            yield from _use(step.field.name, step.field.span, scope, made)
            for arm in step.arms:
                yield from _in_pipeline(arm.body, _guarded(step, arm.guard, scope), made)
        case Comparison() | FieldOperator():
            inner = passed(scope, step)
            yield from _use(step.field.name, step.field.span, inner, made)
        case _:
            yield from _in_call(step, scope, made)


def _use(name: str, span: Span, scope: Events, made: frozenset[str]) -> Iterator[Use]:
    if scope is not None:
        yield Use(name, span, scope, made)


def _guarded(step: Match, guard: Node, scope: Events) -> Events:
    if step.field.name != EVENT_TAG or not isinstance(guard, Word | Quoted):
        return scope
    text = literal(guard) or "*"
    return scope if "*" in text else narrowed(scope, frozenset((text,)))


def _in_call(step: Step, scope: Events, made: frozenset[str]) -> Iterator[Use]:
    function = find(step.name) if isinstance(step, Call) else None
    if scope is None or (function is not None and function.name in _SHOW):
        return
    read = fields_read(Pipeline(span=step.span, steps=(step,)))
    pending: list[Node] = [step]
    if isinstance(step, Call) and function is not None and function.topic == "tables":
        # The rest of what join() and match() name are columns of the other side.
        own = argument(step, "field")
        pending = [] if own is None else [own]
    while pending:
        node = pending.pop()
        if isinstance(node, Word | Quoted) and (name := literal(node)) in read and name:
            yield Use(name, node.span, scope, made)
        if not isinstance(node, Subquery) and not _only_shows(node):
            pending.extend(reversed(children(node)))


def _only_shows(node: Node) -> bool:
    return isinstance(node, Call) and (f := find(node.name)) is not None and f.name in _SHOW
