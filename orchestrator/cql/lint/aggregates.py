"""Checks of aggregates: limits nobody named, fields that do not survive, forbidden places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cql.catalogue import FunctionKind, find
from orchestrator.cql.diagnostics import Level
from orchestrator.cql.fields import after_step, argument, fields_read, is_aggregate
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.nodes import (
    And,
    Assignment,
    Boolean,
    Call,
    Case,
    Comparison,
    FreeText,
    Match,
    Node,
    Not,
    Or,
    Parameter,
    Pipeline,
    Quoted,
    StatsShorthand,
    Step,
    Word,
)
from orchestrator.cql.span import Span
from orchestrator.cql.walk import walk

_ROW_LIMITED = {"sort": 200, "table": 200, "head": 200, "tail": 200}


def _row_limits(context: Context) -> Iterator[Found]:
    for node in context.nodes:
        if not isinstance(node, Call):
            continue
        function = find(node.name)
        if function is None or argument(node, "limit") is not None:
            continue
        rows = _ROW_LIMITED.get(function.name)
        if rows is not None:
            yield Found(
                message=f"{function.name}() keeps {rows} rows unless told otherwise.",
                span=node.name_span,
                help="Add `limit=max` or a number.",
            )
        elif function.name == "groupBy":
            yield Found(
                message="groupBy() keeps 20,000 groups unless told otherwise.",
                span=node.name_span,
                help="Add `limit=max` or a number.",
            )


def _pipelines(context: Context) -> Iterator[Pipeline]:
    for node in context.nodes:
        if isinstance(node, Pipeline):
            yield node


def _assigned(step: Step) -> Iterator[tuple[str, Span]]:
    for node in walk(step):
        if isinstance(node, Assignment) and not _is_aggregate_assignment(node):
            yield node.field.name, node.field.span


def _is_aggregate_assignment(node: Assignment) -> bool:
    return isinstance(node.value, Call) and is_aggregate(node.value)


def _lost_fields(context: Context) -> Iterator[Found]:
    """Find fields that are assigned, never read before an aggregate, and gone behind it."""
    for pipeline in _pipelines(context):
        known: frozenset[str] | None = None
        since = 0
        for place, step in enumerate(pipeline.steps):
            after = after_step(step, known)
            if _closes(step):
                if after is not None:
                    yield from _lost_at(pipeline.steps[since : place + 1], after)
                since = place + 1
            known = after


def _closes(step: Step) -> bool:
    if isinstance(step, Assignment):
        return _is_aggregate_assignment(step)
    if isinstance(step, StatsShorthand):
        return True
    return isinstance(step, Call) and is_aggregate(step)


def _lost_at(steps: Sequence[Step], after: frozenset[str]) -> Iterator[Found]:
    """Yield what is lost by the last of `steps`, an aggregate; read backwards, once."""
    read: set[str] = set(after)
    lost: dict[str, Span] = {}
    for step in reversed(steps):
        # The step itself counts: an expression may read what an earlier clause assigned.
        read |= fields_read(Pipeline(span=step.span, steps=(step,)))
        # Last first, so that the earliest place of a name is what remains.
        assigned = reversed(tuple(_assigned(step)))
        lost |= {name: span for name, span in assigned if name not in read}
    for name, span in lost.items():
        yield Found(
            message=f"`{name}` is set here and lost by the aggregate that follows.",
            span=span,
            help="Set it after the aggregate, or add it to the group's fields.",
        )


def _gone_fields(context: Context) -> Iterator[Found]:
    for pipeline in _pipelines(context):
        known: frozenset[str] | None = None
        behind = False
        for step in pipeline.steps:
            if behind and known is not None:
                yield from _unproduced(step, known)
            known = after_step(step, known)
            behind = behind or _closes(step)


def _unproduced(step: Step, known: frozenset[str]) -> Iterator[Found]:
    for branch in _branches(step):
        own = known | {name for name, _ in _assigned(step)}
        for node in walk(branch):
            if isinstance(node, Comparison) and node.field.name not in own:
                yield Found(
                    message=f"No aggregate before produces `{node.field.name}`; it is absent here.",
                    span=node.field.span,
                    help="Add it to the group's fields, or carry it with collect() "
                    "or selectLast().",
                )


def _branches(step: Step) -> Iterator[Node]:
    match step:
        case Case():
            yield from step.clauses
        case Match():
            yield from (arm.body for arm in step.arms)
        case _:
            yield step


def _free_text_after(context: Context) -> Iterator[Found]:
    pipeline = context.query.pipeline
    behind = False
    for step in pipeline.steps:
        if behind:
            for node in walk(step):
                if isinstance(node, FreeText) and not _matches_all(node):
                    yield Found(
                        message="Free text cannot stand after an aggregate: there are no events.",
                        span=node.span,
                        help="Name the field: `field = …`.",
                    )
        behind = behind or _closes(step)


def _matches_all(node: FreeText) -> bool:
    match node.pattern:
        case Word(text=text):
            return set(text) == {"*"}
        case Quoted(value=value):
            return value == "*"
        case Parameter(default=default):
            return default is not None
        case _:
            return False


def _misplaced(context: Context) -> Iterator[Found]:
    for node in context.nodes:
        match node:
            case And() | Or():
                operands: tuple[Node, ...] = node.operands
            case Not():
                operands = (node.operand,)
            case _:
                continue
        for operand in operands:
            if isinstance(operand, Call) and is_aggregate(operand):
                yield Found(
                    message=f"{operand.name}() turns events into rows and cannot be a filter.",
                    span=operand.name_span,
                    help="Make it a step of its own: put `|` before it.",
                )


def _in_branches(context: Context) -> Iterator[Found]:
    for node in context.nodes:
        branches: list[Pipeline] = []
        if isinstance(node, Case):
            branches = list(node.clauses)
        elif isinstance(node, Match):
            branches = [arm.body for arm in node.arms]
        for branch in branches:
            for step in branch.steps:
                if _closes(step):
                    yield Found(
                        message="An aggregate cannot stand inside a case or match.",
                        span=step.span,
                        help="Set a field in the clauses and aggregate behind the statement.",
                    )


def _unreachable(context: Context) -> Iterator[Found]:
    for node in context.nodes:
        if not isinstance(node, Case):
            continue
        for clause, following in zip(node.clauses, node.clauses[1:], strict=False):
            first = clause.steps[0] if clause.steps else None
            only = len(clause.steps) == 1 or all(
                isinstance(s, Assignment) for s in clause.steps[1:]
            )
            star = isinstance(first, FreeText) and _matches_all(first)
            if only and (star or (isinstance(first, Boolean) and first.value)):
                yield Found(
                    message="This clause takes everything, so the clauses behind it never run.",
                    span=Span(clause.span.start, clause.steps[0].span.end),
                    help="Put it last.",
                )
                del following
                break


def _sequence_first(context: Context) -> Iterator[Found]:
    pipeline = context.query.pipeline
    behind = False
    for step in pipeline.steps:
        if isinstance(step, Call):
            function = find(step.name)
            if function is not None and function.kind is FunctionKind.SEQUENCE and not behind:
                yield Found(
                    message=f"{function.name}() needs rows in order.",
                    span=step.name_span,
                    help="Put `sort(…)` or `head(…)` before it.",
                )
        behind = behind or _closes(step)


CHECKS = (
    Check(
        code="default-limit",
        level=Level.HINT,
        about="sort, table, head and tail keep 200 rows and groupBy 20,000 groups unless `limit=` "
        "says otherwise; the rest is cut without an error.",
        source="LogScale: sort(), table(), head(), tail(), groupBy()",
        find=_row_limits,
    ),
    Check(
        code="field-lost",
        level=Level.HINT,
        about="Only the fields that an aggregate produces exist behind it; one that was set before "
        "and never read is set in vain.",
        source="LogScale: groupBy()",
        find=_lost_fields,
    ),
    Check(
        code="field-not-produced",
        level=Level.WARNING,
        about="Behind an aggregate a filter reads a field that the aggregate does not produce; it "
        "is absent, so the filter never holds (or with `!=` always).",
        source="LogScale: groupBy()",
        find=_gone_fields,
    ),
    Check(
        code="free-text-after-aggregate",
        level=Level.ERROR,
        about="Free text searches events; behind the first aggregate there are only rows.",
        source="LogScale: release notes 1.190",
        find=_free_text_after,
    ),
    Check(
        code="aggregate-as-filter",
        level=Level.ERROR,
        about="An aggregate stands as a step, never joined with filters; mostly a pipe is missing.",
        source="LogScale: grammar guide, appendix A",
        find=_misplaced,
    ),
    Check(
        code="aggregate-in-branch",
        level=Level.ERROR,
        about="A case or match decides about each event on its own; an aggregate needs all.",
        source="LogScale: conditional evaluation",
        find=_in_branches,
    ),
    Check(
        code="unreachable-clause",
        level=Level.HINT,
        about="The first clause that matches wins; behind one that takes everything none is tried.",
        source="LogScale: conditional evaluation",
        find=_unreachable,
    ),
    Check(
        code="sequence-without-order",
        level=Level.ERROR,
        about="Sequence functions look at neighbouring rows, which have an order only behind an "
        "aggregate such as sort() or head().",
        source="LogScale: sequence functions",
        find=_sequence_first,
    ),
)
