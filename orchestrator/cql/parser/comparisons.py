"""Comparisons: what stands behind a field's name in a filter, and `in` where it cannot stand."""

from __future__ import annotations

import re

from orchestrator.cql.catalogue import find
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.nodes import (
    Argument,
    Array,
    Assignment,
    Call,
    Comparison,
    ComparisonOperator,
    Expression,
    FieldName,
    FieldOperator,
    Filter,
    Not,
    Number,
    Pattern,
    Quoted,
    Word,
)
from orchestrator.cql.parser.characters import (
    CALL_NAME,
    FIELD,
    KEYWORD,
    OPERATOR,
    PLACEHOLDER,
    SIGNED_NUMBER,
    WORD,
)
from orchestrator.cql.parser.expressions import ExpressionParser
from orchestrator.cql.parser.scanner import StepFailed
from orchestrator.cql.span import Span

_NUMERIC = frozenset({"<", "<=", ">", ">="})


class ComparisonParser(ExpressionParser):
    """Reads an operator and its value."""

    # --- infix in ---------------------------------------------------------------------------

    def _infix_in(self, word: str, start: int, infix: re.Match[str]) -> Filter | None:
        """Read `field in (…)` as the in() it means; None if it is a text beside a real in()."""
        text, opened = self.text, infix.end()
        self.pos = opened
        known = len(self.diagnostics)
        if text[opened] == "[":
            values: tuple[Expression | Assignment, ...] = self.array().elements
        else:
            arguments = self.arguments()
            if any(argument.name is not None for argument in arguments):
                # A call of in() beside a text. It is read here once: the operand that follows
                # takes it over, so that calls inside calls are not read twice each.
                self.arguments_ahead[opened] = (arguments, self.pos)
                self.pos = start
                return None
            values = _listed(arguments)
        self.forget(known)
        span = Span(start, self.pos)
        shown = ", ".join(text[value.span.start : value.span.end] for value in values)
        negated = "!" if infix.group(1) else ""
        case = ", ignoreCase=true" if infix.group(2) else ""
        fixed = f"{negated}in({_as_field(word)}, values=[{shown}]{case})"
        self.report(
            "infix-in",
            "CQL has no operator between a field and a list; `in` is a function.",
            span,
            help=f"Write `{fixed}`.",
            fix=Fix(span=span, text=fixed, label="call in()"),
        )
        call = _call_of_in(word, Span(start, start + len(word)), values, span)
        return Not(span=span, operand=call, bang=True) if negated else call

    # --- comparisons ------------------------------------------------------------------------

    def _after_field(self, field: FieldName) -> Filter:
        """Read the operator and the value behind a field's name."""
        self.skip_blank()
        start = self.pos
        operator = OPERATOR.match(self.text, start)
        if operator is None:
            return self._like(field)
        text = operator.group()
        self.pos = operator.end()
        match text:
            case "=~":
                return self._field_operator(field, Span(start, self.pos))
            case ":=":
                raise self.fail(
                    "assignment-in-filter",
                    "An assignment is a step of its own.",
                    Span(start, self.pos),
                    help="Put `|` before the field, outside parentheses and `and`/`or`.",
                )
            case "==":
                self._double_equals(Span(start, self.pos))
                return self._compare(field, ComparisonOperator.EQUAL)
            case "<=>":
                return self._link(field)
            case "!~":
                self._not_tilde(Span(start, self.pos))
                return self._compare(field, ComparisonOperator.NOT_EQUAL)
            case "<>":
                self._unequal(Span(start, self.pos))
                return self._compare(field, ComparisonOperator.NOT_EQUAL)
            case _:
                return self._compare(field, ComparisonOperator(text))

    def _double_equals(self, span: Span) -> None:
        self.report(
            "double-equals",
            "A filter compares with a single `=`; `==` is an expression's.",
            span,
            help="Write `=`, or `test(a == b)` to compare two fields.",
            fix=Fix(span=span, text="=", label="compare with ="),
        )

    def _not_tilde(self, span: Span) -> None:
        self.report(
            "not-tilde",
            "CQL has no `!~`.",
            span,
            help="Write `!=`, with text or a regex.",
            fix=Fix(span=span, text="!=", label="write !="),
        )

    def _unequal(self, span: Span) -> None:
        # The vendor's comparison with SQL names it; the grammar guide does not.
        self.report(
            "unequal-sign",
            "`<>` is documented on one page only; the operator is `!=`.",
            span,
            help="Write `!=`.",
            level=Level.WARNING,
            fix=Fix(span=span, text="!=", label="write !="),
        )

    def _like(self, field: FieldName) -> Filter:
        start = self.pos
        self.pos += len("like")
        if self.text[start : self.pos] != "like":
            self.report(
                "keyword-case",
                "Keywords are documented in lower case only.",
                Span(start, self.pos),
                help="Write `like`.",
                level=Level.WARNING,
                fix=Fix(span=Span(start, self.pos), text="like", label="lower case"),
            )
        return self._compare(field, ComparisonOperator.LIKE)

    def _link(self, field: FieldName) -> Filter:
        self.skip_blank()
        start = self.pos
        if self.peek() == '"':
            string = self.quoted()
            other = FieldName(span=string.span, name=string.value, quoted=True)
        else:
            match = FIELD.match(self.text, start)
            if match is None:
                raise self.fail("missing-field", "`<=>` links two fields.", self.place(start))
            self.pos = match.end()
            other = FieldName(span=Span(start, self.pos), name=match.group())
        return Comparison(
            span=field.span.to(other.span),
            field=field,
            operator=ComparisonOperator.LINK,
            value=other,
        )

    def _compare(self, field: FieldName, operator: ComparisonOperator) -> Filter:
        self.skip_blank()
        start = self.pos
        called = CALL_NAME.match(self.text, start)
        if called is not None and find(called.group(1)) is not None:
            return self._call_as_value(field, operator)
        if operator.value in _NUMERIC:
            value: Pattern | Number = self._number(operator)
        else:
            value = self._pattern(field, operator)
        return Comparison(
            span=field.span.to(value.span), field=field, operator=operator, value=value
        )

    def _call_as_value(self, field: FieldName, operator: ComparisonOperator) -> Filter:
        start = self.pos
        call = self.call()
        name = call.name
        self.report(
            "call-as-value",
            "A filter compares with text, not with a function's result.",
            Span(start, self.pos),
            help=f"Write `{field.name} := {name}(…)` to assign, `{field.name} =~ {name}(…)` to "
            f"pass the field to the function, or `test({field.name} == {name}(…))` to compare.",
        )
        negated = operator is ComparisonOperator.NOT_EQUAL
        return FieldOperator(span=field.span.to(call.span), field=field, negated=negated, call=call)

    def _number(self, operator: ComparisonOperator) -> Pattern | Number:
        start = self.pos
        if self.peek() == "?":
            return self.parameter(in_filter=True)
        word = WORD.match(self.text, start)
        if word is not None and SIGNED_NUMBER.match(word.group()):
            self.pos = word.end()
            return Number(span=Span(start, self.pos), text=word.group())
        value: Pattern
        if self.peek() == '"':
            string = self.quoted()
            if SIGNED_NUMBER.match(string.value):
                return self._quoted_number(string)
            value = string
        elif (placeholder := PLACEHOLDER.match(self.text, start)) is not None:
            return self.placeholder(placeholder)
        elif word is not None:
            self.pos = word.end()
            value = Word(span=Span(start, self.pos), text=word.group())
        else:
            raise self._no_value(operator)
        self.report(
            "number-expected",
            f"Right of `{operator.value}` a filter takes a number.",
            value.span,
            help="Compare two fields with `test(a < b)`.",
        )
        return value

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

    def _pattern(self, field: FieldName, operator: ComparisonOperator) -> Pattern:
        start = self.pos
        match self.peek():
            case "/":
                regex = self.regex()
                if operator is ComparisonOperator.LIKE:
                    self.report(
                        "regex-after-like",
                        "`like` is documented for text; with a regex, on one page only.",
                        regex.span,
                        help="Write `=` with the regex.",
                        level=Level.WARNING,
                    )
                return regex
            case '"':
                return self.quoted()
            case "'":
                return self.single_quoted()
            case "?":
                return self.parameter(in_filter=True)
        word = WORD.match(self.text, start)
        if word is None:
            return self._no_pattern(field, operator)
        self.pos = word.end()
        if word.group().endswith("//"):
            self.report(
                "word-ends-in-slashes",
                "A word cannot end in `//`.",
                Span(start, self.pos),
                help="Quote it.",
            )
        elif self.peek() == "?":
            self.question_mark(start)
        return Word(span=Span(start, self.pos), text=word.group())

    def _no_pattern(self, field: FieldName, operator: ComparisonOperator) -> Pattern:
        start, name = self.pos, field.name
        if self.peek() in ("(", "["):
            raise self.fail(
                "list-as-value",
                "A filter compares with one value.",
                Span(start, start + 1),
                help=f"Write `in({_as_field(name)}, values=[…])` or `{name} = /^(a|b)$/`.",
            )
        placeholder = PLACEHOLDER.match(self.text, start)
        if placeholder is not None:
            return self.placeholder(placeholder)
        if self.peek() in ("$", "<", ">", "`"):
            raise self.fail(
                "unexpected-character",
                f"`{self.peek()}` is reserved.",
                Span(start, start + 1),
                help="Quote the text that holds it.",
            )
        raise self._no_value(operator)

    def _no_value(self, operator: ComparisonOperator) -> StepFailed:
        is_number = operator.value in _NUMERIC
        if (
            self.at_end()
            and self.diagnostics
            and (self.diagnostics[-1].code == "unterminated-comment")
        ):
            # The comment took the value, and is told.
            return StepFailed()
        return self.fail(
            "missing-value",
            f"A value is missing after `{operator.value}`, before {self.found_here()}.",
            self.place(self.pos),
            help="Write a number." if is_number else 'Write `""` for the empty text.',
        )

    def _field_operator(self, field: FieldName, sign: Span) -> Filter:
        self.skip_blank()
        negated = self.peek() == "!"
        if negated:
            self.pos += 1
            self.skip_blank()
        word = KEYWORD.match(self.text, self.pos)
        if word is not None and word.group(1).lower() == "not":
            self._not_before_call(Span(word.start(), word.end()))
            negated = True
        if CALL_NAME.match(self.text, self.pos) is None:
            return self._no_call(field, sign)
        call = self.call()
        return FieldOperator(span=field.span.to(call.span), field=field, negated=negated, call=call)

    def _not_before_call(self, span: Span) -> None:
        self.report(
            "not-before-call",
            "Behind `=~` a call is negated with `!`.",
            span,
            help="Write `=~ !function(…)`.",
            fix=Fix(span=Span(span.start, self.after_blank(span.end)), text="!", label="write !"),
        )
        self.pos = span.end
        self.skip_blank()

    def _no_call(self, field: FieldName, sign: Span) -> Filter:
        start = self.pos
        is_pattern = self.peek() in ("/", '"') and self.peek() != ""
        self.report(
            "field-operator-value",
            "`=~` passes the field to a function; it does not compare.",
            sign,
            help="Write `=`." if is_pattern else "Write `field =~ function(…)`.",
            fix=Fix(span=sign, text="=", label="compare with =") if is_pattern else None,
        )
        if is_pattern or WORD.match(self.text, start):
            return self._compare(field, ComparisonOperator.EQUAL)
        raise self._no_value(ComparisonOperator.EQUAL)


def _as_field(name: str) -> str:
    return name if FIELD.fullmatch(name) else f'"{name}"'


def _listed(arguments: tuple[Argument, ...]) -> tuple[Expression | Assignment, ...]:
    """Return the values of `(a, b)` or of `([a, b])`."""
    if len(arguments) == 1 and isinstance(arguments[0].value, Array):
        return arguments[0].value.elements
    return tuple(argument.value for argument in arguments)


def _call_of_in(
    field: str, at: Span, values: tuple[Expression | Assignment, ...], span: Span
) -> Call:
    name = Quoted(span=at, value=field, raw=f'"{field}"')
    array = Array(span=span, elements=values)
    return Call(
        span=span,
        name="in",
        name_span=span,
        arguments=(
            Argument(span=at, name="field", name_span=at, value=name),
            Argument(span=span, name="values", name_span=span, value=array),
        ),
    )
