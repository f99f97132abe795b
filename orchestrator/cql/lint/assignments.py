"""Checks of assignments and expressions: words that are no text, sums of text, mixed units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.branches import matches_all
from orchestrator.cql.nodes import (
    Assignment,
    Binary,
    Call,
    Case,
    Comparison,
    ComparisonOperator,
    Expression,
    Match,
    Number,
    Pipeline,
    Quoted,
    Step,
    Word,
)
from orchestrator.cql.parser.characters import quote

VERDICTS = frozenset(
    (
        "critical", "high", "medium", "low", "info", "informational", "none", "unknown", "other",
        "yes", "no", "malicious", "suspicious", "benign", "success", "successful", "failure",
        "failed", "error", "warning", "warn", "allowed", "blocked", "denied", "internal",
        "external", "public", "private", "windows", "linux",
    )
)  # fmt: skip
"""Words that people write for a verdict; as names of fields they are rare."""


def _bare_values(context: Context) -> Iterator[Found]:
    known: set[str] = {node.field.name for node in context.each(Comparison)}
    for outline in context.steps:
        known |= outline.makes
    known |= {assignment.field.name for assignment in context.each(Assignment)}
    compared = {
        (node.field.name, node.value.text if isinstance(node.value, Word) else node.value.value)
        for node in context.each(Comparison)
        if isinstance(node.value, Word | Quoted)
    }
    quoted: dict[str, int] = {}
    for node in context.each(Assignment):
        if isinstance(node.value, Quoted):
            quoted[node.field.name] = quoted.get(node.field.name, 0) + 1
    for node in context.each(Assignment):
        value = node.value
        if not isinstance(value, Word) or value.text in known:
            continue
        text = value.text
        # Boolean contexts read these two words.
        if text.lower() in ("true", "false"):
            continue
        name = node.field.name
        if not text.isascii() or not text.replace("_", "").isalpha():
            continue
        beside_text = name in quoted and text.isupper()
        if text.lower() in VERDICTS or (name, text) in compared or beside_text:
            yield Found(
                message=f"`{text}` is a field here, and nothing sets it.",
                span=value.span,
                help=f'For the text write `"{text}"`.',
                fix=Fix(span=value.span, text=quote(text), label="quote the text"),
            )


def _lost_values(context: Context) -> Iterator[Found]:
    for pipeline in context.each(Pipeline):
        pending: dict[str, Assignment] = {}
        for step in pipeline.steps:
            if not isinstance(step, Assignment):
                # Whatever it is, it may read what was set.
                pending.clear()
                continue
            read = set(_words(step.value))
            for name in read & pending.keys():
                del pending[name]
            earlier = pending.get(step.field.name)
            # A right side that may be null leaves the field as it was: a chain of sources.
            if earlier is not None and isinstance(step.value, Quoted | Number):
                yield Found(
                    message=f"This value of `{step.field.name}` is never used.",
                    span=earlier.span,
                    help="The assignment that follows always replaces it; delete one of the two.",
                )
            pending[step.field.name] = step


def _words(value: Expression) -> Iterator[str]:
    pending: list[object] = [value]
    while pending:
        node = pending.pop()
        match node:
            case Word(text=text):
                yield text
            case Quoted(value=text):
                # As an argument a string may be the name of a field.
                yield text
            case Binary():
                pending += (node.left, node.right)
            case Call():
                pending += (item.value for item in node.arguments)
            case _:
                pending += getattr(node, "elements", ())


def _labels_as_filters(context: Context) -> Iterator[Found]:
    """Find `guard | label = "High"` beside a clause with `label := …`."""
    first_made: dict[str, int] = {}
    for outline in context.steps:
        for name in outline.makes:
            first_made.setdefault(name, outline.step.span.end)
    found: list[Case | Match] = [*context.each(Case), *context.each(Match)]
    for statement in found:
        branches = _branches(statement)
        assigned = _asked_by_default(statement)
        for branch in branches:
            assigned |= {s.field.name for s in branch.steps if isinstance(s, Assignment)}
        for branch in branches:
            own: set[str] = set()
            first = 1 if isinstance(statement, Case) else 0
            for place, step in enumerate(branch.steps):
                if isinstance(step, Assignment):
                    own.add(step.field.name)
                if place < first or not isinstance(step, Comparison):
                    continue
                name = step.field.name
                # Set before, or read on from an event that has such a field: a filter indeed.
                is_set = first_made.get(name, statement.span.end) < statement.span.start
                if name in assigned and name not in own and not is_set:
                    yield from _label(context, step)


def _asked_by_default(statement: Case | Match) -> set[str]:
    """Return the fields that a default clause asks for: to filter there makes little sense."""
    found: set[str] = set()
    for guard, steps in _guarded(statement):
        if guard and len(steps) == 1 and isinstance(steps[0], Comparison):
            found.add(steps[0].field.name)
    return found


def _guarded(statement: Case | Match) -> Iterator[tuple[bool, Sequence[Step]]]:
    """Yield whether each clause takes everything, and the steps behind its guard."""
    if isinstance(statement, Case):
        for clause in statement.clauses:
            yield bool(clause.steps) and matches_all(clause.steps[0]), clause.steps[1:]
    else:
        for arm in statement.arms:
            yield isinstance(arm.guard, Word) and arm.guard.text == "*", arm.body.steps


def _label(context: Context, step: Comparison) -> Iterator[Found]:
    value = step.value
    if step.operator is not ComparisonOperator.EQUAL or not isinstance(value, Word | Quoted):
        return
    if isinstance(value, Word) and "*" in value.text:
        return
    text = value.raw if isinstance(value, Quoted) else quote(value.text)
    yield Found(
        message=f"`{step.field.name} = …` is a filter; nothing has set the field, so the clause "
        "never matches.",
        span=step.span,
        help="To set a field write `:=`.",
        fix=Fix(
            span=step.span,
            text=f"{context.source(step.field.span)} := {text}",
            label="assign the value",
        ),
    )


def _branches(statement: Case | Match) -> Sequence[Pipeline]:
    return statement.clauses if isinstance(statement, Case) else [a.body for a in statement.arms]


CHECKS = (
    Check(
        code="bare-word-value",
        level=Level.WARNING,
        about="On the right of `:=` a word without quotes is a field. `level := High` copies a "
        "field called High, and where there is none it does nothing at all: level is not set. "
        "Text needs quotes. Told for words that are verdicts, that the query compares the field "
        "with, or that stand beside quoted values of the same field.",
        source="LogScale: eval(); expressions",
        find=_bare_values,
    ),
    Check(
        code="value-lost",
        level=Level.WARNING,
        about="The field is set, and set again before anything reads it, to a value that is never "
        "null. Setting it from one source after the other (`a := b | a := c`) is another matter: "
        "a source that is absent leaves the field as it is.",
        source="LogScale: expressions",
        find=_lost_values,
    ),
    Check(
        code="label-as-filter",
        level=Level.WARNING,
        about='Inside a clause `label = "x"` asks, and `label := "x"` sets. Where other clauses '
        "set the field and nothing has set it before, asking fails and with it the whole clause: "
        "the event goes on to the next one.",
        source="LogScale: conditional evaluation",
        find=_labels_as_filters,
    ),
)
