"""Comparisons: what stands behind a field's name in a filter."""

from __future__ import annotations

import re

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.nodes import (
    Comparison,
    ComparisonOperator,
    FieldName,
    FieldOperator,
    Filter,
    Not,
    Number,
    Pattern,
    Word,
)
from orchestrator.cql.parser.characters import (
    CALL_NAME,
    FIELD,
    KEYWORD,
    OPERATOR,
    PLACEHOLDER,
    TEMPLATE,
    VERBATIM,
    WORD,
)
from orchestrator.cql.parser.infix import MISTAKEN, NOT_LIKE, as_field, meant
from orchestrator.cql.parser.numbers import NUMERIC, NumberParser
from orchestrator.cql.parser.scanner import StepFailed
from orchestrator.cql.span import Span


class ComparisonParser(NumberParser):
    """Reads an operator and its value."""

    # --- comparisons ------------------------------------------------------------------------

    def _after_field(self, field: FieldName) -> Filter:
        """Read the operator and the value behind a field's name."""
        self.skip_blank()
        start = self.pos
        mistaken = MISTAKEN.match(self.text, start)
        if mistaken is not None:
            return self._mistaken_comparison(field, mistaken)
        operator = OPERATOR.match(self.text, start)
        if operator is None:
            return self._like(field)
        text = operator.group()
        turned = self._number_first(field, operator)
        if turned is not None:
            return turned
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
            case "<>":
                self._unequal(Span(start, self.pos))
                return self._compare(field, ComparisonOperator.NOT_EQUAL)
            case "=>":
                self._mistaken(Span(start, self.pos), ">=")
                return self._compare(field, ComparisonOperator.GREATER_OR_EQUAL)
            case _:
                return self._compare(field, ComparisonOperator(text))

    def _mistaken_comparison(self, field: FieldName, found: re.Match[str]) -> Filter:
        written = Span(found.start(), found.end())
        self.pos = written.end
        sign = meant(found.group())
        if found.group() == "===":
            self._double_equals(written)
            return self._compare(field, ComparisonOperator.EQUAL)
        if "~" in found.group() and CALL_NAME.match(self.text, self.after_blank(self.pos)):
            self.report(
                "mistaken-operator",
                f"CQL has no operator `{found.group()}`.",
                written,
                help="Behind `=~` a call is negated: write `=~ !function(…)`.",
            )
            self.skip_blank()
            call = self.call()
            return FieldOperator(
                span=field.span.to(call.span), field=field, negated=True, call=call
            )
        self._mistaken(written, sign)
        return self._compare(field, ComparisonOperator(sign))

    def _double_equals(self, span: Span) -> None:
        self.report(
            "double-equals",
            "A filter compares with a single `=`; `==` is an expression's.",
            span,
            help="Write `=`, or `test(a == b)` to compare two fields.",
            fix=Fix(span=span, text="=", label="compare with ="),
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
        negation = NOT_LIKE.match(self.text, start)
        if negation is not None:
            return self._not_like(field, negation)
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

    def _not_like(self, field: FieldName, found: re.Match[str]) -> Filter:
        self.pos = found.end()
        compared = self._compare(field, ComparisonOperator.LIKE)
        span = Span(found.start(), found.end())
        end = compared.span.end
        meant_text = f"not {as_field(field.name)} like{self.text[span.end : end]}"
        self.report(
            "infix-not-like",
            "`not` stands before the field, not before `like`.",
            span,
            help=f"Write `{meant_text}`.",
            fix=Fix(span=Span(field.span.start, end), text=meant_text, label="put not first"),
        )
        return Not(span=compared.span, operand=compared, bang=False)

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
        if self._is_known_call():
            return self._call_as_value(field, operator)
        if operator.value in NUMERIC:
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
        verbatim = VERBATIM.match(self.text, start)
        if verbatim is not None:
            return self.verbatim(verbatim)
        word = WORD.match(self.text, start)
        if word is None:
            return self._no_pattern(field, operator)
        self.pos = word.end()
        if word.group().isdigit():
            return Word(span=Span(start, self.pos), text=self._with_thousands(word))
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
                help=f"Write `in({as_field(name)}, values=[…])` or `{name} = /^(a|b)$/`.",
            )
        placeholder = PLACEHOLDER.match(self.text, start)
        if placeholder is not None:
            return self.placeholder(placeholder)
        template = TEMPLATE.match(self.text, start)
        if template is not None:
            return self.template(template)
        if self.peek() in ("$", "<", ">", "`"):
            raise self.fail(
                "unexpected-character",
                f"`{self.peek()}` is reserved.",
                Span(start, start + 1),
                help="Quote the text that holds it.",
            )
        raise self._no_value(operator)

    def _no_value(self, operator: ComparisonOperator) -> StepFailed:
        is_number = operator.value in NUMERIC
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
            help="Write `=`; to ignore case, `= /…/i`."
            if is_pattern
            else "Write `field =~ function(…)`.",
            fix=Fix(span=sign, text="=", label="compare with =") if is_pattern else None,
        )
        if is_pattern or WORD.match(self.text, start):
            return self._compare(field, ComparisonOperator.EQUAL)
        raise self._no_value(ComparisonOperator.EQUAL)
