"""Numbers right of `<` and its kin, and what people write there that is none.

A filter compares with a number alone: no field, no duration, no date and no thousands.
"""

from __future__ import annotations

import re
from dataclasses import replace

from orchestrator.cql.catalogue import find
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.nodes import (
    And,
    Comparison,
    ComparisonOperator,
    FieldName,
    Filter,
    Number,
    Pattern,
    Quoted,
    Word,
)
from orchestrator.cql.parser.characters import (
    CALL_NAME,
    DURATION,
    FIELD,
    OPERATOR,
    PLACEHOLDER,
    SIGNED_NUMBER,
    UNIT_MS,
    WORD,
)
from orchestrator.cql.parser.infix import InfixParser
from orchestrator.cql.parser.scanner import StepFailed
from orchestrator.cql.span import Span

NUMERIC = frozenset({"<", "<=", ">", ">="})
_TURNED = {
    "<": ComparisonOperator.GREATER,
    "<=": ComparisonOperator.GREATER_OR_EQUAL,
    ">": ComparisonOperator.LESS,
    ">=": ComparisonOperator.LESS_OR_EQUAL,
}
_THOUSANDS = re.compile(r"(?:,[0-9]{3})+(?![0-9A-Za-z_,])")
_SCALED = re.compile(r"([0-9]+)([kKMG])b?", re.IGNORECASE)
_SCALES = {"k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIMES = frozenset({"ago", "datetime", "todatetime", "date", "relative_time", "timestamp"})
_INTERVAL = (
    "The time interval is chosen beside the query, or with "
    "`setTimeInterval(start=…)`; a field of time holds milliseconds."
)


class NumberParser(InfixParser):
    """Reads the number of a comparison."""

    def _number(self, operator: ComparisonOperator) -> Pattern | Number:
        start = self.pos
        if self.peek() == "?":
            return self.parameter(in_filter=True)
        called = CALL_NAME.match(self.text, start)
        if called is not None:
            return self._unknown_call(called.group(1), operator)
        word = WORD.match(self.text, start)
        if word is not None and SIGNED_NUMBER.match(word.group()):
            self.pos = word.end()
            return Number(span=Span(start, self.pos), text=self._with_thousands(word))
        value: Pattern
        if self.peek() == '"':
            string = self.quoted()
            if SIGNED_NUMBER.match(string.value):
                return self._quoted_number(string)
            value, text = string, string.value
        elif (placeholder := PLACEHOLDER.match(self.text, start)) is not None:
            return self.placeholder(placeholder)
        elif word is not None:
            self.pos = word.end()
            text = word.group()
            value = Word(span=Span(start, self.pos), text=text)
        else:
            raise self._no_value(operator)
        self._number_expected(operator, value.span, text)
        return value

    def _number_expected(self, operator: ComparisonOperator, span: Span, text: str) -> None:
        number = _as_number(text)
        advice = "Compare two fields with `test(a < b)`."
        if _DATE.match(text):
            advice = _INTERVAL
        elif number is not None:
            advice = f"Write `{number}`."
            if DURATION.fullmatch(text):
                advice = f"Write `{number}`, milliseconds, or in the unit of the field."
        self.report(
            "number-expected",
            f"Right of `{operator.value}` a filter takes a number.",
            span,
            help=advice,
        )

    def _unknown_call(self, name: str, operator: ComparisonOperator) -> Word:
        """Report a call of another language where a number is due, and move over it."""
        start, known = self.pos, len(self.diagnostics)
        self.call()
        self.forget(known)
        span = Span(start, self.pos)
        shown = self.text[start : self.pos]
        self.report(
            "number-expected",
            f"Right of `{operator.value}` a filter takes a number, not what a call returns.",
            span,
            help=_INTERVAL
            if name.lower() in _TIMES
            else f"Compare with what a function returns in `test(a {operator.value} f(b))`.",
        )
        return Word(span=span, text=shown)

    def _with_thousands(self, word: re.Match[str]) -> str:
        """Return the number just read, with the thousands behind its comma, if any."""
        groups = _THOUSANDS.match(self.text, self.pos)
        if groups is None:
            return word.group()
        meant = word.group() + groups.group().replace(",", "")
        self.pos = groups.end()
        self.report(
            "comma-in-number",
            "A number holds no comma.",
            Span(groups.start(), groups.start() + 1),
            help=f"Write `{meant}`.",
            fix=Fix(span=Span(word.start(), self.pos), text=meant, label="write it without comma"),
        )
        return meant

    def _quoted_number(self, string: Quoted) -> Number:
        # The vendor's own dashboards hold it, and mean the number.
        self.report(
            "quoted-number",
            "A number is compared without quotes.",
            string.span,
            help=f"Write `{string.value}`.",
            level=Level.WARNING,
            fix=Fix(span=string.span, text=string.value, label="take the quotes away"),
        )
        return Number(span=string.span, text=string.value)

    def _number_first(self, field: FieldName, sign: re.Match[str]) -> Filter | None:
        """Read `1 < field` and `1 < field < 5`; None if no field stands behind the sign."""
        written = Span(sign.start(), sign.end())
        start = self.after_blank(written.end)
        name = FIELD.match(self.text, start)
        numeric = SIGNED_NUMBER.match(field.name) and sign.group() in NUMERIC and not field.quoted
        if not numeric or name is None or SIGNED_NUMBER.match(name.group()):
            return None
        self.jump(name.end())
        right = FieldName(span=Span(start, name.end()), name=name.group())
        number = Number(span=field.span, text=field.name)
        low = Comparison(
            span=field.span.to(right.span),
            field=right,
            operator=_TURNED[sign.group()],
            value=number,
        )
        advice = f"{right.name} {low.operator.value} {number.text}"
        found: Filter = low
        second = OPERATOR.match(self.text, self.after_blank(self.pos))
        if second is not None and second.group() in NUMERIC:
            self.jump(second.end())
            self.skip_blank()
            operator = ComparisonOperator(second.group())
            value = self._number(operator)
            high = replace(low, span=right.span.to(value.span), operator=operator, value=value)
            advice += f" {right.name} {operator.value} {self.text[value.span.start : self.pos]}"
            whole = low.span.to(high.span)
            found = And(span=whole, operands=(low, high), explicit=(False,))
        self.report(
            "number-before-field",
            "A comparison has its field on the left and one number on the right.",
            written,
            help=f"Write `{advice}`.",
            fix=Fix(span=found.span, text=advice, label="name the field first"),
        )
        return found

    def _no_value(self, operator: ComparisonOperator) -> StepFailed:
        is_number = operator.value in NUMERIC
        return self.fail(
            "missing-value",
            f"A value is missing after `{operator.value}`, before {self.found_here()}.",
            self.place(self.pos),
            help="Write a number." if is_number else 'Write `""` for the empty text.',
        )

    def _is_known_call(self) -> bool:
        called = CALL_NAME.match(self.text, self.pos)
        return called is not None and find(called.group(1)) is not None


def _as_number(text: str) -> str | None:
    """Return the number that a duration or an abbreviated number stands for."""
    if (duration := DURATION.fullmatch(text)) is not None:
        return str(int(duration.group(1)) * UNIT_MS[duration.group(2)])
    if (scaled := _SCALED.fullmatch(text)) is not None:
        return str(int(scaled.group(1)) * _SCALES[scaled.group(2).lower()])
    return None
