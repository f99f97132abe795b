"""Expressions, calls and their arguments: the right of `:=` and what stands between parentheses.

Precedence, loosest first: comparison, `+ -`, `* / %`, prefix. There is no `and` and no `or`.
Binary levels are climbed in one function, so redundant parentheses cost few frames.
Source: LogScale's syntax grammar guide and its appendix A (quirks).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

from orchestrator.cql.diagnostics import Fix
from orchestrator.cql.nodes import (
    Argument,
    Array,
    Assignment,
    Attribute,
    Bad,
    Binary,
    BinaryOperator,
    Call,
    Duration,
    Expression,
    FieldName,
    Number,
    Pipeline,
    Quoted,
    Subquery,
    Unary,
    UnaryOperator,
    Word,
)
from orchestrator.cql.parser.characters import (
    CALL_NAME,
    DURATION,
    FIELD,
    KEYWORD,
    LABEL,
    NUMBER,
    UNIT_MS,
    WORD,
)
from orchestrator.cql.parser.leaves import LeafParser
from orchestrator.cql.parser.scanner import StepFailed
from orchestrator.cql.span import Span

_BINARY = re.compile(r"==|!=|<=(?!>)|>=|<(?!=)|>|[-+*/%]")
_LEVEL = {
    "==": 1, "!=": 1, "<": 1, "<=": 1, ">": 1, ">=": 1,
    "+": 2, "-": 2,
    "*": 3, "/": 3, "%": 3,
}  # fmt: skip
_TOLD_INSIDE_CASE = ("case-call", "regex-in-expression")


class ExpressionParser(LeafParser, ABC):
    """Reads expressions; `pipeline` comes from the area that knows steps."""

    @abstractmethod
    def pipeline(self, *, stops: str) -> Pipeline:
        """Read steps up to one of `stops` or the end of the text."""

    # --- levels -----------------------------------------------------------------------------

    def expression(self, level: int = 1) -> Expression:
        """Read an expression whose binary operators bind at least as tightly as `level`."""
        left = self._prefixed()
        while True:
            self.skip_blank()
            operator = self._binary_operator(level)
            if operator is None:
                return left
            right = self.expression(_LEVEL[operator.value] + 1)
            left = Binary(span=left.span.to(right.span), operator=operator, left=left, right=right)

    def _binary_operator(self, level: int) -> BinaryOperator | None:
        """Read the next operator if it binds at least as tightly as `level`."""
        start = self.pos
        match = _BINARY.match(self.text, start)
        if match is not None:
            text = match.group()
            if _LEVEL[text] < level:
                return None
            self.pos = match.end()
            return BinaryOperator(text)
        if level == 1:
            return self._mistaken_operator()
        return None

    def _mistaken_operator(self) -> BinaryOperator | None:
        """Report an operator that expressions do not have, and read on past it."""
        start = self.pos
        if self.peek() == "=" and self.peek(2) != "=>":
            span = Span(start, start + (2 if self.peek(2) == "=~" else 1))
            self.pos = span.end
            self.report(
                "single-equals",
                "An expression compares with `==`; a single `=` is a filter's.",
                span,
                help="Write `==`.",
                fix=Fix(span=span, text="==", label="compare with =="),
            )
            return BinaryOperator.EQUAL
        keyword = KEYWORD.match(self.text, start)
        length = keyword.end() - start if keyword else 2
        if (keyword and keyword.group(1).lower() != "not") or self.peek(2) == "&&":
            span = Span(start, start + length)
            self.pos = span.end
            self.report(
                "logic-in-expression",
                f"Expressions have no `{self.text[start : span.end]}`.",
                span,
                help="Use two steps, nested if() or a case { … }.",
            )
            return BinaryOperator.EQUAL
        return None

    def _prefixed(self) -> Expression:
        prefixes: list[tuple[int, UnaryOperator]] = []
        self.skip_blank()
        while self.peek() in ("-", "!") and self.peek(2) != "!=":
            prefixes.append((self.pos, UnaryOperator(self.peek())))
            self.pos += 1
            self.skip_blank()
        node = self._operand()
        for start, operator in reversed(prefixes):
            node = Unary(span=Span(start, node.span.end), operator=operator, operand=node)
        return node

    # --- operands ---------------------------------------------------------------------------

    def _operand(self) -> Expression:
        start, char = self.pos, self.peek()
        match char:
            case "(":
                return self._grouped()
            case "{":
                return self._subquery(label=None, start=start)
            case "[":
                return self.array()
            case "?":
                return self.parameter(in_filter=False)
            case '"':
                string = self.quoted()
                colon = self.after_blank(self.pos)
                if self.text.startswith(":", colon) and not self.text.startswith(":=", colon):
                    self.pos = colon + 1
                    self.skip_blank()
                    return self._subquery(label=string.value, start=start)
                return string
            case "'":
                return self.single_quoted()
            case "$":
                return self.saved_query()
            case "/":
                return self._regex_operand()
            case "" | "," | ")" | "]" | "}" | "|" | ";":
                found = f"`{char}`" if char else "the end of the query"
                raise self.fail(
                    "missing-value",
                    f"A value is missing before {found}.",
                    self.place(start),
                )
            case _:
                return self._word_operand()

    def _grouped(self) -> Expression:
        start = self.pos
        self.enter(start)
        self.pos += 1
        inner = self.expression()
        self.skip_blank()
        if self.peek() != ")":
            raise self.fail(
                "unclosed-parenthesis",
                "This parenthesis is never closed.",
                Span(start, start + 1),
                help=f"`)` is expected before {self.found_here()}.",
            )
        self.pos += 1
        self.leave()
        return inner

    def _regex_operand(self) -> Expression:
        start = self.pos
        regex = self.regex()
        self.report(
            "regex-in-expression",
            "A regex literal cannot stand in an expression.",
            regex.span,
            help='Use a filter step (`field = /…/`), or regex="…" where a function takes one.',
        )
        return Bad(span=regex.span, text=self.text[start : self.pos])

    def _word_operand(self) -> Expression:
        text, start = self.text, self.pos
        call = CALL_NAME.match(text, start)
        if call is not None:
            return self.call()
        label = LABEL.match(text, start)
        if label is not None and text.startswith("{", label.end()):
            self.pos = label.end()
            return self._subquery(label=label.group(1), start=start)
        duration = DURATION.match(text, start)
        # `1 y=2` is a missing pipe rather than a year: behind a blank only whole words count.
        if duration and (" " not in duration.group() or len(duration.group(2)) > 2):
            self.pos = duration.end()
            length_ms = int(duration.group(1)) * UNIT_MS[duration.group(2)]
            return Duration(span=Span(start, self.pos), text=duration.group(), length_ms=length_ms)
        number = NUMBER.match(text, start)
        if number is not None:
            self.pos = number.end()
            return Number(span=Span(start, self.pos), text=number.group())
        pattern = self._pattern_operand()
        if pattern is not None:
            return pattern
        field = FIELD.match(text, start)
        if field is None:
            raise self.fail(
                "unexpected-character",
                f"`{text[start]}` cannot start a value.",
                self.place(start),
                help="Quote the text if it is meant as text.",
            )
        self.pos = field.end()
        return Word(span=Span(start, self.pos), text=field.group())

    def _pattern_operand(self) -> Word | None:
        """Read `*`, `*text` or `text*` where it can only be a pattern, as in `values=[a*]`."""
        word = WORD.match(self.text, self.pos)
        if word is None or "*" not in word.group():
            return None
        start, end = self.pos, word.end()
        follows = self.after_blank(end)
        if self.text[end - 1] == "*" or self.text[start] == "*":
            closes = follows >= len(self.text) or self.text[follows] in ",)]}|;"
            if closes:
                self.pos = end
                return Word(span=Span(start, end), text=word.group())
        return None

    # --- calls ------------------------------------------------------------------------------

    def call(self) -> Call:
        """Read `name(arguments)` from its name; white space before `(` is the caller's to judge."""
        start = self.pos
        name_end = start
        text = self.text
        while text[name_end].isascii() and (text[name_end].isalnum() or text[name_end] in "_:"):
            name_end += 1
        name = text[start:name_end]
        known = len(self.diagnostics)
        self.pos = self.after_blank(name_end)
        arguments = self.arguments()
        if name.lower() == "case":
            # Its arguments are another language's; only the regex literals are worth a word.
            inside = self.diagnostics[known:]
            del self.diagnostics[known:]
            self.diagnostics += [d for d in inside if d.code in _TOLD_INSIDE_CASE]
            self.report_case_call(Span(start, name_end))
        return Call(
            span=Span(start, self.pos),
            name=name,
            name_span=Span(start, name_end),
            arguments=arguments,
        )

    def report_case_call(self, span: Span) -> None:
        """Say that `case` is a statement, not a function."""
        self.report(
            "case-call",
            "`case` is a statement, not a function, and has no value.",
            span,
            help='Write `case { condition | field := "a" ; * | field := "b" }` as its own step, '
            'or `field := if(condition, then="a", else="b")`.',
        )

    def arguments(self) -> tuple[Argument, ...]:
        """Read `( … )`; each argument that fails is reported, skipped and left out."""
        opened = self.pos
        self.enter(opened)
        self.pos += 1
        found: list[Argument] = []
        while True:
            self.skip_blank()
            if self.peek() in (")", ""):
                break
            depth = self.depth
            try:
                found.append(self._argument())
                self.skip_blank()
                if self.peek() not in (",", ")", ""):
                    self._unexpected_in_arguments()
            except StepFailed:
                self.depth = depth
                self.skip_to(",)]}")
                if self.peek() in ("]", "}"):
                    break
            if self.peek() != ",":
                break
            self._comma(")")
        self._close(opened, ")", "unclosed-parenthesis")
        self.leave()
        return tuple(found)

    def _unexpected_in_arguments(self) -> None:
        start = self.pos
        help_text = ""
        if self.peek() == "|":
            help_text = "A pipeline as an argument stands in braces: `{ … | … }`."
        elif WORD.match(self.text, start):
            help_text = "Separate arguments with `,`, or quote text that holds blanks."
        raise self.fail(
            "unexpected-text",
            f"`,` or `)` is expected here, not {self.found_here()}.",
            self.place(start),
            help=help_text,
        )

    def _argument(self) -> Argument:
        start = self.pos
        name, name_span = self._argument_name()
        value = self.expression()
        return Argument(
            span=Span(start, value.span.end), name=name, name_span=name_span, value=value
        )

    def _argument_name(self) -> tuple[str | None, Span | None]:
        """Read `name =` if it is there; `==` and `=~` belong to an expression."""
        start = self.pos
        if self.peek() == '"':
            return self._quoted_argument_name()
        match = FIELD.match(self.text, start)
        if match is None:
            return None, None
        equals = self.after_blank(match.end())
        if not self._is_single_equals(equals):
            return None, None
        self.pos = equals + 1
        return match.group(), Span(start, match.end())

    def _quoted_argument_name(self) -> tuple[str | None, Span | None]:
        start, known = self.pos, len(self.diagnostics)
        string = self.quoted()
        end, equals = self.pos, self.after_blank(self.pos)
        if self._is_single_equals(equals):
            self.pos = equals + 1
            return string.value, Span(start, end)
        self.pos = start
        del self.diagnostics[known:]
        return None, None

    def _is_single_equals(self, place: int) -> bool:
        text = self.text
        return text.startswith("=", place) and not text.startswith(("==", "=~", "=>"), place)

    # --- arrays and subqueries --------------------------------------------------------------

    def array(self) -> Array:
        """Read `[ … ]` from its bracket."""
        opened = self.pos
        self.enter(opened)
        self.pos += 1
        elements: list[Expression | Assignment] = []
        while True:
            self.skip_blank()
            if self.peek() in ("]", ""):
                break
            depth = self.depth
            try:
                elements.append(self._element())
                self.skip_blank()
                if self.peek() not in (",", "]", ""):
                    raise self.fail(
                        "unexpected-text",
                        f"`,` or `]` is expected here, not {self.found_here()}.",
                        self.place(self.pos),
                    )
            except StepFailed:
                self.depth = depth
                self.skip_to(",])}")
                if self.peek() in (")", "}"):
                    break
            if self.peek() != ",":
                break
            self._comma("]")
        self._close(opened, "]", "unclosed-bracket")
        self.leave()
        return Array(span=Span(opened, self.pos), elements=tuple(elements))

    def _element(self) -> Expression | Assignment:
        start = self.pos
        match = FIELD.match(self.text, start)
        if match is not None:
            sign = self.after_blank(match.end())
            if self.text.startswith(":=", sign):
                self.pos = sign + 2
                field = FieldName(span=Span(start, match.end()), name=match.group())
                value = self.expression()
                return Assignment(span=Span(start, value.span.end), field=field, value=value)
        node = self.expression()
        if isinstance(node, Quoted) and self.peek(2) == ":=":
            self.pos += 2
            value = self.expression()
            field = FieldName(span=node.span, name=node.value, quoted=True)
            return Assignment(span=Span(start, value.span.end), field=field, value=value)
        return node

    def _subquery(self, *, label: str | None, start: int) -> Expression:
        if self.peek() != "{":
            raise self.fail(
                "unexpected-text",
                "`{` is expected after a label.",
                self.place(self.pos),
            )
        opened = self.pos
        self.enter(opened)
        self.pos += 1
        pipeline = self.pipeline(stops="}")
        self._close(opened, "}", "unclosed-brace")
        self.leave()
        attributes: list[Attribute] = []
        end = self.pos
        while label is not None:
            at = self.after_blank(self.pos)
            match = LABEL.match(self.text, at)
            if match is None or self.text.startswith("{", match.end()):
                break
            self.pos = match.end()
            value = self.expression()
            end = value.span.end
            attributes.append(Attribute(span=Span(at, end), name=match.group(1), value=value))
        return Subquery(
            span=Span(start, end), pipeline=pipeline, label=label, attributes=tuple(attributes)
        )
