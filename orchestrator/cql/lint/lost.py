"""Checks of what an aggregate leaves behind: fields set in vain, and read where they are gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from orchestrator.cql.catalogue import find
from orchestrator.cql.diagnostics import Level
from orchestrator.cql.fields import after_step, argument, is_aggregate, names
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.branches import matches_all
from orchestrator.cql.lint.outline import Outline, is_aggregate_step, outline
from orchestrator.cql.nodes import (
    Array,
    Assignment,
    Call,
    Case,
    Comparison,
    FreeText,
    Match,
    Node,
    Quoted,
    Step,
    Subquery,
    Word,
)
from orchestrator.cql.span import Span
from orchestrator.cql.walk import children, walk

_COMPARED = 30
"""So many names at most are compared for a likely one: comparing letters is slow."""
_ROW_READERS = {"table": "fields", "sort": "field", "groupBy": "field", "select": "fields"}


def _pipelines(context: Context) -> Iterator[Sequence[Outline]]:
    """Yield the pipelines that may hold aggregates: the main one, and those in arguments."""
    yield context.steps
    for subquery in context.each(Subquery):
        if any(is_aggregate_step(step) for step in subquery.pipeline.steps):
            yield outline(subquery.pipeline)


def _assigned(step: Step) -> Iterator[tuple[str, Span]]:
    for node in walk(step):
        if isinstance(node, Assignment) and not (
            isinstance(node.value, Call) and is_aggregate(node.value)
        ):
            yield node.field.name, node.field.span


def _lost_fields(context: Context) -> Iterator[Found]:
    """Find fields that are assigned, never read before an aggregate, and gone behind it."""
    for steps in _pipelines(context):
        known: frozenset[str] | None = None
        since = 0
        for place, step in enumerate(steps):
            after = after_step(step.step, known)
            if step.is_aggregate:
                if after is not None:
                    yield from _lost_at(steps[since : place + 1], after)
                since = place + 1
            known = after


def _lost_at(steps: Sequence[Outline], after: frozenset[str]) -> Iterator[Found]:
    """Yield what is lost by the last of `steps`, an aggregate; read backwards, once."""
    read: set[str] = set(after)
    lost: dict[str, Span] = {}
    for step in reversed(steps):
        # The step itself counts: an expression may read what an earlier clause assigned.
        read |= step.reads
        # Last first, so that the earliest place of a name is what remains.
        assigned = reversed(tuple(_assigned(step.step)))
        lost |= {name: span for name, span in assigned if name not in read}
    for name, span in lost.items():
        yield Found(
            message=f"`{name}` is set here and lost by the aggregate that follows.",
            span=span,
            help="Set it after the aggregate, or add it to the group's fields.",
        )


def _gone_fields(context: Context) -> Iterator[Found]:
    for steps in _pipelines(context):
        known: frozenset[str] | None = None
        for step in steps:
            if step.is_behind and known is not None:
                yield from _unproduced(step.step, known)
            known = after_step(step.step, known)


def _unproduced(step: Step, known: frozenset[str]) -> Iterator[Found]:
    own = known | {name for name, _ in _assigned(step)}
    for branch in _branches(step):
        for name, span in _asked(branch):
            if name not in own:
                yield _absent(name, span, known)


def _absent(name: str, span: Span, known: frozenset[str]) -> Found:
    advice = "Add it to the group's fields, or carry it with collect() or selectLast()."
    close = get_close_matches(name, sorted(known)[:_COMPARED], n=1, cutoff=0.85)
    if close:
        advice = f"Did you mean `{close[0]}`?"
    elif name.startswith("_") and known:
        advice = f"There are {', '.join(f'`{field}`' for field in sorted(known)[:8])}."
    return Found(
        message=f"No aggregate before produces `{name}`; it is absent here.",
        span=span,
        help=advice,
    )


def _asked(branch: Node) -> Iterator[tuple[str, Span]]:
    """Yield the fields that a step behind an aggregate cannot do without."""
    pending = [branch]
    while pending:
        node = pending.pop()
        if node is not branch and isinstance(node, Subquery):
            # The query of a join reads events of its own.
            continue
        pending.extend(reversed(children(node)))
        match node:
            case Comparison() | Match():
                yield node.field.name, node.field.span
            case Call() if node is branch:
                function = find(node.name)
                parameter = _ROW_READERS.get(function.name) if function is not None else None
                value = argument(node, parameter) if parameter is not None else None
                for item in value.elements if isinstance(value, Array) else (value,):
                    if isinstance(item, Word | Quoted):
                        yield names(item)[0], item.span


def _branches(step: Step) -> Iterator[Node]:
    match step:
        case Case():
            yield from step.clauses
        case Match():
            yield from (arm.body for arm in step.arms)
        case _:
            yield step


def _free_text_after(context: Context) -> Iterator[Found]:
    for step in context.steps:
        if not step.is_behind:
            continue
        for node in walk(step.step):
            if not isinstance(node, FreeText) or matches_all(node) or id(node) in context.taken:
                continue
            yield Found(
                message="Free text cannot stand after an aggregate: there are no events.",
                span=node.span,
                help="Name the field: `field = …`.",
            )


CHECKS = (
    Check(
        code="field-lost",
        level=Level.HINT,
        about="Only the fields that an aggregate produces exist behind it; one that was set "
        "before and never read is set in vain. Set it behind the aggregate, or make it a key of "
        "the group.",
        source="LogScale: groupBy()",
        find=_lost_fields,
    ),
    Check(
        code="field-not-produced",
        level=Level.WARNING,
        about="Behind an aggregate a step reads a field that the aggregate does not produce; it "
        "is absent, so a filter never holds (with `!=` always), and a column is empty. Make it a "
        "key of the group, or carry it along with collect() or selectLast().",
        source="LogScale: groupBy()",
        find=_gone_fields,
    ),
    Check(
        code="free-text-after-aggregate",
        level=Level.ERROR,
        about="Free text and a regex without a field search events; behind the first aggregate "
        "there are only rows, and LogScale refuses the query. Name the field.",
        source="LogScale: release notes 1.190",
        find=_free_text_after,
    ),
)
