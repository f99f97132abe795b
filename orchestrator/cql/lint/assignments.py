"""Checks of assignments and expressions: words that are no text, sums of text, mixed units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.branches import matches_all
from orchestrator.cql.nodes import (
    Assignment,
    Binary,
    BinaryOperator,
    Call,
    Case,
    Comparison,
    ComparisonOperator,
    Expression,
    FieldName,
    Match,
    Number,
    Pipeline,
    Quoted,
    Step,
    Word,
)
from orchestrator.cql.printer import quote

_VERDICTS = frozenset(
    (
        "critical", "high", "medium", "low", "info", "informational", "none", "unknown", "other",
        "yes", "no", "malicious", "suspicious", "benign", "success", "successful", "failure",
        "failed", "error", "warning", "warn", "allowed", "blocked", "denied", "internal",
        "external", "public", "private", "windows", "linux",
    )
)  # fmt: skip
"""Words that people write for a verdict; as names of fields they are rare."""
_ARITHMETIC = (
    BinaryOperator.ADD,
    BinaryOperator.SUBTRACT,
    BinaryOperator.MULTIPLY,
    BinaryOperator.DIVIDE,
    BinaryOperator.MODULO,
)
_DIFFERENCES = (
    BinaryOperator.SUBTRACT,
    BinaryOperator.LESS,
    BinaryOperator.LESS_OR_EQUAL,
    BinaryOperator.GREATER,
    BinaryOperator.GREATER_OR_EQUAL,
)
_MILLISECOND_FIELDS = frozenset(("@timestamp", "@ingesttimestamp", "_bucket", "_now"))
_MILLISECOND_CALLS = frozenset(("now", "start", "end"))
_SECOND_FIELDS = frozenset(
    ("ProcessStartTime", "ProcessEndTime", "ContextTimeStamp", "LogonTime", "LogoffTime")
)
"""Times of the Falcon sensor, in seconds with decimals."""
_SECONDS = frozenset(
    (60, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 172800, 259200, 604800, 2592000)
)
"""Lengths that are round in seconds, from a minute to 30 days."""


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
        if text.lower() in _VERDICTS or (name, text) in compared or beside_text:
            yield Found(
                message=f"`{text}` is a field here, and nothing sets it.",
                span=value.span,
                help=f'For the text write `"{text}"`.',
                fix=Fix(span=value.span, text=quote(text), label="quote the text"),
            )


def _compared_words(context: Context) -> Iterator[Found]:
    """Find `test(level == WARN)`: in an expression a word is a field."""
    made = {name for outline in context.steps for name in outline.makes}
    for node in context.each(Binary):
        if node.operator not in (BinaryOperator.EQUAL, BinaryOperator.NOT_EQUAL):
            continue
        value = node.right
        if not isinstance(value, Word) or not isinstance(node.left, Word) or value.text in made:
            continue
        text = value.text
        shouted = text.isupper() and text.isalpha() and len(text) > 2
        if text.isascii() and (shouted or text.lower() in _VERDICTS):
            yield Found(
                message=f"In an expression `{text}` is a field, and nothing sets it.",
                span=value.span,
                help=f'For the text write `"{text}"`.',
                fix=Fix(span=value.span, text=quote(text), label="quote the text"),
            )


def _text_arithmetic(context: Context) -> Iterator[Found]:
    for node in context.each(Binary):
        if node.operator not in _ARITHMETIC:
            continue
        for side in (node.left, node.right):
            if isinstance(side, Quoted) and not _is_number(side.value):
                yield Found(
                    message=f"`{node.operator.value}` calculates; with text its result is null.",
                    span=side.span,
                    help='Join texts with `format("%s%s", field=[a, b])` or `concat([a, b])`.',
                )
                break


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _hyphens(context: Context) -> Iterator[Found]:
    """Find `a-b` where the query knows a field of that name."""
    known = {node.name for node in context.each(FieldName) if "-" in node.name}
    known |= {node.value for node in context.each(Quoted) if "-" in node.value}
    if not known:
        return
    for node in context.each(Binary):
        if node.operator is not BinaryOperator.SUBTRACT:
            continue
        left, right = node.left, node.right
        while isinstance(left, Binary):
            left = left.right
        while isinstance(right, Binary):
            right = right.left
        span = left.span.to(right.span)
        name = context.source(span)
        if isinstance(left, Word) and isinstance(right, Word) and name in known:
            text = f'getField("{name}")'
            yield Found(
                message=f"This subtracts; the field `{name}` is not read.",
                span=span,
                help=f"Write `{text}`.",
                fix=Fix(span=span, text=text, label="read the field"),
            )


def _time_units(context: Context) -> Iterator[Found]:
    for node in context.each(Binary):
        left, right = node.left, node.right
        if node.operator in _DIFFERENCES and (
            (_is_milliseconds(left) and _is_seconds(right))
            or (_is_seconds(left) and _is_milliseconds(right))
        ):
            seconds = right if _is_seconds(right) else left
            text = context.source(seconds.span)
            yield Found(
                message=f"`{text}` is in seconds, the other side in milliseconds.",
                span=node.span,
                help=f"Multiply it: `{text} * 1000`.",
                fix=Fix(
                    span=seconds.span, text=f"({text} * 1000)", label="make milliseconds of it"
                ),
            )
        elif node.operator in (BinaryOperator.ADD, BinaryOperator.SUBTRACT):
            for time, length in ((left, right), (right, left)):
                if _is_milliseconds(time) and isinstance(length, Number) and _is_round(length.text):
                    yield Found(
                        message=f"Times are in milliseconds; {length.text} looks like seconds.",
                        span=length.span,
                        help=f'Write `{length.text}000`, or `duration("…")`.',
                    )


def _is_milliseconds(value: Expression) -> bool:
    match value:
        case Word(text=text):
            return text in _MILLISECOND_FIELDS
        case Call():
            return value.name.lower() in _MILLISECOND_CALLS
        case _:
            return False


def _is_seconds(value: Expression) -> bool:
    return isinstance(value, Word) and value.text in _SECOND_FIELDS


def _is_round(text: str) -> bool:
    return text.isdecimal() and len(text) < 9 and int(text) in _SECONDS


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
        about="On the right of `:=` a word without quotes is a field. `level := High` copies a field "
        "called High, and where there is none it does nothing at all: level is not set. Text needs "
        "quotes. Told for words that are verdicts, that the query compares the field with, or that "
        "stand beside quoted values of the same field.",
        source="LogScale: eval(); expressions",
        find=_bare_values,
    ),
    Check(
        code="bare-word-compared",
        level=Level.WARNING,
        about="In an expression a word without quotes is a field: `test(level == WARN)` compares two "
        "fields, and where the second is absent the result is null and the event is dropped. Quote "
        "the text, or use a filter, `level = WARN`.",
        source="LogScale: eval(); expressions",
        find=_compared_words,
    ),
    Check(
        code="text-arithmetic",
        level=Level.ERROR,
        about="The operators of expressions calculate. With a text that is no number the result is "
        "null, and nothing is assigned. Texts are joined with format() or concat().",
        source="LogScale: expressions",
        find=_text_arithmetic,
    ),
    Check(
        code="name-as-subtraction",
        level=Level.WARNING,
        about="A hyphen is no letter of a field's name: in an expression `bytes-in` is bytes minus in. "
        "A field whose name holds one is quoted in filters, and read with getField() in "
        "expressions.",
        source="LogScale: expressions; getField()",
        find=_hyphens,
    ),
    Check(
        code="time-units",
        level=Level.WARNING,
        about="LogScale's own times (@timestamp, now(), _bucket) are in milliseconds, several of the "
        "Falcon sensor's (ProcessStartTime, ContextTimeStamp) in seconds. A difference between the two "
        "is off by a factor of a thousand; multiply the seconds.",
        source="LogScale: event fields, now(); the vendor's Falcon tutorial on times",
        find=_time_units,
    ),
    Check(
        code="value-lost",
        level=Level.WARNING,
        about="The field is set, and set again before anything reads it, to a value that is never "
        "null. Setting it from one source after the other (`a := b | a := c`) is another matter: a "
        "source that is absent leaves the field as it is.",
        source="LogScale: expressions",
        find=_lost_values,
    ),
    Check(
        code="label-as-filter",
        level=Level.WARNING,
        about='Inside a clause `label = "x"` asks, and `label := "x"` sets. Where other clauses '
        "set the field and nothing has set it before, asking fails and with it the whole clause: the "
        "event goes on to the next one.",
        source="LogScale: conditional evaluation",
        find=_labels_as_filters,
    ),
)
