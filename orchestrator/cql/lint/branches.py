"""Checks of case and match: clauses that never run, never match, or take too little."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.outline import is_aggregate_step
from orchestrator.cql.nodes import (
    Arm,
    Assignment,
    Boolean,
    Call,
    Case,
    Comparison,
    ComparisonOperator,
    FreeText,
    Match,
    Node,
    Parameter,
    Pipeline,
    Quoted,
    Step,
    Word,
)
from orchestrator.cql.span import Span


def matches_all(node: Node) -> bool:
    """Say whether the filter lets every event through."""
    match node:
        case Boolean():
            return node.value
        case FreeText(pattern=Word(text=text)):
            return set(text) == {"*"}
        case FreeText(pattern=Quoted(value=value)):
            return value == "*"
        case FreeText(pattern=Parameter(default=default)):
            return default == "*"
        case _:
            return False


def _in_branches(context: Context) -> Iterator[Found]:
    for branch in _branches(context):
        for step in branch.steps:
            if is_aggregate_step(step):
                yield Found(
                    message="An aggregate cannot stand inside a case or match.",
                    span=step.span,
                    help="Set a field in the clauses and aggregate behind the statement.",
                )


def _branches(context: Context) -> Iterator[Pipeline]:
    for case in context.each(Case):
        yield from case.clauses
    for match in context.each(Match):
        yield from (arm.body for arm in match.arms)


def _unreachable(context: Context) -> Iterator[Found]:
    for case in context.each(Case):
        taken: set[tuple[str, str, str]] = set()
        for place, clause in enumerate(case.clauses):
            if place + 1 < len(case.clauses) and _takes_all(clause):
                yield Found(
                    message="This clause takes everything, so the clauses behind it never run.",
                    span=Span(clause.span.start, clause.steps[0].span.end),
                    help="Put it last.",
                )
                break
            guard = _guard(context, clause)
            if guard is not None and guard in taken:
                yield Found(
                    message="An earlier clause with this guard takes these events.",
                    span=clause.steps[0].span,
                    help="Join the two clauses, or narrow the guard of the earlier one.",
                )
            if guard is not None and _only_assigns(clause.steps[1:]):
                taken.add(guard)
    for match in context.each(Match):
        for arm in match.arms[:-1]:
            if _guards_all(arm) and _only_assigns(arm.body.steps):
                yield Found(
                    message="This arm takes everything, so the arms behind it never run.",
                    span=arm.guard.span,
                    help="Put it last.",
                )
                break


def _takes_all(clause: Pipeline) -> bool:
    steps = clause.steps
    return bool(steps) and matches_all(steps[0]) and _only_assigns(steps[1:])


def _only_assigns(steps: Sequence[Step]) -> bool:
    return all(isinstance(step, Assignment) or matches_all(step) for step in steps)


def _guard(context: Context, clause: Pipeline) -> tuple[str, str, str] | None:
    if not clause.steps or not isinstance(clause.steps[0], Comparison):
        return None
    guard = clause.steps[0]
    return guard.field.name, guard.operator.value, context.source(guard.value.span)


def _guards_all(arm: Arm) -> bool:
    match arm.guard:
        case Word(text=text):
            return text == "*"
        case Boolean(value=value):
            return value
        case _:
            return False


def _dropping(context: Context) -> Iterator[Found]:
    for statement in context.each(Case):
        clauses = statement.clauses
        default = max((i for i, clause in enumerate(clauses) if _takes_all(clause)), default=-1)
        for place, clause in enumerate(clauses):
            if not clause.steps or not _drops(clause.steps[-1]):
                continue
            if place < default:
                guard = clause.steps[0]
                meant = "`not (…)`"
                if isinstance(guard, Comparison) and guard.operator is ComparisonOperator.EQUAL:
                    value = context.source(guard.value.span)
                    meant = f"`{context.source(guard.field.span)} != {value}`"
                yield Found(
                    message="A clause that drops the event does not match, so the next clause is "
                    "tried, and the default takes it.",
                    span=clause.steps[-1].span,
                    help=f"Filter before the case: {meant}.",
                )


def _drops(step: Step) -> bool:
    if isinstance(step, Boolean):
        return not step.value
    return isinstance(step, Call) and step.name.lower() == "dropevent"


def _without_default(context: Context) -> Iterator[Found]:
    for outline in context.steps:
        statement = outline.step
        if isinstance(statement, Case):
            bodies = [clause.steps[1:] for clause in statement.clauses]
            has_default = any(_takes_all(clause) for clause in statement.clauses)
            # Over events a case is a usual filter, unless it only translates one field.
            labels = outline.is_behind or _one_field(statement) is not None
            span = Span(statement.span.start, statement.span.start + 4)
        elif isinstance(statement, Match):
            bodies = [arm.body.steps for arm in statement.arms]
            has_default = any(_guards_all(arm) or _exists(arm) for arm in statement.arms)
            # The values of a tag are mostly chosen by the filter before.
            labels = not statement.field.name.startswith("#")
            span = statement.field.span
        else:
            continue
        if labels and not has_default and bodies and all(b and _only_assigns(b) for b in bodies):
            yield Found(
                message="What no clause takes is dropped here.",
                span=span,
                help="Add a default, `; * => …`, or waive it if dropping is meant."
                if isinstance(statement, Match)
                else "Add a default, `; *`, or waive it if dropping is meant.",
            )


def _one_field(statement: Case) -> str | None:
    """Return the field that every guard compares with a value, if there is one."""
    fields: set[str] = set()
    for clause in statement.clauses:
        first = clause.steps[0] if clause.steps else None
        if first is not None and _takes_all(clause):
            continue
        if not isinstance(first, Comparison) or first.operator is not ComparisonOperator.EQUAL:
            return None
        fields.add(first.field.name)
    return fields.pop() if len(fields) == 1 else None


def _exists(arm: Arm) -> bool:
    guard = arm.guard
    stars = isinstance(guard, Quoted) and guard.value == "*"
    return stars or (isinstance(guard, Word) and guard.text == "**")


def _existing_only(context: Context) -> Iterator[Found]:
    for statement in context.each(Match):
        last = statement.arms[-1] if statement.arms else None
        if last is None or not _exists(last) or any(_guards_all(a) for a in statement.arms):
            continue
        yield Found(
            message=f"This default takes only events that have `{statement.field.name}`.",
            span=last.guard.span,
            help="Write `*` to take the others too.",
            fix=Fix(span=last.guard.span, text="*", label="take every event"),
        )


def _same_field(context: Context) -> Iterator[Found]:
    for statement in context.each(Case):
        name = _one_field(statement)
        if name is not None and len(statement.clauses) > 3:
            yield Found(
                message=f"Every guard of this case compares `{name}`.",
                span=Span(statement.span.start, statement.span.start + 4),
                help=f"`{name} match {{ value => … ; * => … }}` says so once, and is faster.",
            )


def _guardless(context: Context) -> Iterator[Found]:
    """Find a clause that begins with something that is no question: it takes every event."""
    for statement in context.each(Case):
        for clause in statement.clauses[:-1]:
            first = clause.steps[0] if clause.steps else None
            if isinstance(first, Assignment) and _only_assigns(clause.steps):
                yield Found(
                    message="This clause asks nothing, so it takes every event.",
                    span=first.span,
                    help="Begin it with a filter: `condition | field := value`.",
                )


CHECKS = (
    Check(
        code="aggregate-in-branch",
        level=Level.ERROR,
        about="A case or match decides about each event on its own; an aggregate needs all of "
        "them. Set a field in the clauses, and aggregate by it behind the statement.",
        source="LogScale: conditional evaluation",
        find=_in_branches,
    ),
    Check(
        code="unreachable-clause",
        level=Level.WARNING,
        about="The first clause that matches wins. Behind one that takes everything (`*`), or "
        "that has the same guard, a clause is never reached.",
        source="LogScale: conditional evaluation",
        find=_unreachable,
    ),
    Check(
        code="clause-without-guard",
        level=Level.WARNING,
        about="A clause begins with the filter that says which events it takes. One that begins "
        "with an assignment takes all of them, and the clauses behind it never run.",
        source="LogScale: conditional evaluation",
        find=_guardless,
    ),
    Check(
        code="dropping-clause",
        level=Level.WARNING,
        about="A clause matches when its whole pipeline lets the event through. One that ends in "
        "`false` or dropEvent() never does, so the event goes on to the next clause and is kept "
        "by the default. Filter such events before the case, or mark them and filter behind it.",
        source="LogScale: conditional evaluation; dropEvent()",
        find=_dropping,
    ),
    Check(
        code="case-without-default",
        level=Level.WARNING,
        about="A case or match drops what no clause takes. With guards of several kinds that is a "
        "usual way to filter events; where one field is only translated, or rows are labelled "
        "behind an aggregate, events vanish that nobody meant to lose. Add a default clause.",
        source="LogScale: conditional evaluation",
        find=_without_default,
    ),
    Check(
        code="default-needs-field",
        level=Level.WARNING,
        about='In a match the guards `"*"` and `**` take events that have the field, whatever its '
        "value; events without it are dropped. The guard for everything is `*`.",
        source="LogScale: conditional evaluation",
        find=_existing_only,
    ),
    Check(
        code="case-as-match",
        level=Level.HINT,
        about="A case whose guards all compare one field with a value is a match statement "
        "written long; match names the field once and is evaluated faster.",
        source="the vendor's query tutorial on case and match",
        find=_same_field,
    ),
)
