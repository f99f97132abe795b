"""Checks of expressions: words that are no text, sums of text, mixed units."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.fields import is_aggregate
from orchestrator.cql.lint.assignments import VERDICTS
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.nodes import (
    Assignment,
    Binary,
    BinaryOperator,
    Call,
    Expression,
    FieldName,
    Number,
    Quoted,
    Subquery,
    Word,
)
from orchestrator.cql.parser.characters import quote

_CONDITIONS = frozenset(("test", "if", "coalesce"))
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
        if text.isascii() and (shouted or text.lower() in VERDICTS):
            yield Found(
                message=f"In an expression `{text}` is a field, and nothing sets it.",
                span=value.span,
                help=f'For the text write `"{text}"`.',
                fix=Fix(span=value.span, text=quote(text), label="quote the text"),
            )


def _aggregates(context: Context) -> Iterator[Found]:
    """Find `test(count() > 5)` and `x := sum(y) / 2`: an aggregate is a step, and no value."""
    inside: list[Expression] = [
        side for node in context.each(Binary) for side in (node.left, node.right)
    ]
    for call, function in context.calls:
        if function.name in _CONDITIONS:
            inside += (item.value for item in call.arguments)
    told: set[int] = set()
    for value in inside:
        if isinstance(value, Call) and is_aggregate(value) and id(value) not in told:
            told.add(id(value))
            yield Found(
                message=f"{value.name}() turns events into rows and has no value here.",
                span=value.name_span,
                help="Aggregate in a step before, and calculate with the field that it gives.",
            )


def _stars(context: Context) -> Iterator[Found]:
    """Find `test(name == cmd*)` and `x := cmd*`."""
    for node in context.each(Binary):
        for value, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(value, Word) and "*" in value.text:
                name = other.text if isinstance(other, Word) else "field"
                yield _star(value, f"Compare with a pattern in a filter: `{name} = {value.text}`.")
    for assignment in context.each(Assignment):
        text = assignment.value
        if isinstance(text, Word) and "*" in text.text:
            yield _star(text, f'For the text write `"{text.text}"`.')
        elif isinstance(assignment.value, Subquery):
            yield Found(
                message="A filter has no value that could be assigned.",
                span=assignment.value.span,
                help="Write `case { filter | field := true ; * | field := false }`.",
            )


def _star(value: Word, advice: str) -> Found:
    return Found(
        message="There are no patterns in expressions; `*` multiplies.",
        span=value.span,
        help=advice,
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
    told: set[int] = set()
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
        if {id(left), id(right)} & told:
            continue
        if isinstance(left, Word) and isinstance(right, Word) and name in known:
            told |= {id(left), id(right)}
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


CHECKS = (
    Check(
        code="bare-word-compared",
        level=Level.WARNING,
        about="In an expression a word without quotes is a field: `test(level == WARN)` compares "
        "two fields, and where the second is absent the result is null and the event is dropped. "
        "Quote the text, or use a filter, `level = WARN`.",
        source="LogScale: eval(); expressions",
        find=_compared_words,
    ),
    Check(
        code="aggregate-in-expression",
        level=Level.ERROR,
        about="An aggregate makes rows out of all events; it has no value for one of them. "
        "Aggregate in a step of its own, and calculate or compare with the field that it gives.",
        source="LogScale: expressions, aggregate functions",
        find=_aggregates,
    ),
    Check(
        code="pattern-in-expression",
        level=Level.ERROR,
        about="Patterns and filters belong to filter steps. In an expression `*` multiplies, a "
        "word is a field, and a filter in braces has no value. Filter in a step or a case clause, "
        "and assign there.",
        source="LogScale: expressions; grammar guide",
        find=_stars,
    ),
    Check(
        code="text-arithmetic",
        level=Level.ERROR,
        about="The operators of expressions calculate. With a text that is no number the result "
        "is null, and nothing is assigned. Texts are joined with format() or concat().",
        source="LogScale: expressions",
        find=_text_arithmetic,
    ),
    Check(
        code="name-as-subtraction",
        level=Level.WARNING,
        about="A hyphen is no letter of a field's name: in an expression `bytes-in` is bytes "
        "minus in. A field whose name holds one is quoted in filters, and read with getField() in "
        "expressions.",
        source="LogScale: expressions; getField()",
        find=_hyphens,
    ),
    Check(
        code="time-units",
        level=Level.WARNING,
        about="LogScale's own times (@timestamp, now(), _bucket) are in milliseconds, several of "
        "the Falcon sensor's (ProcessStartTime, ContextTimeStamp) in seconds. A difference "
        "between the two is off by a factor of a thousand; multiply the seconds.",
        source="LogScale: event fields, now(); the vendor's Falcon tutorial on times",
        find=_time_units,
    ),
)
