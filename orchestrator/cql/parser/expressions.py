"""Expressions: the right of `:=`, and what stands between the parentheses of a call.

Precedence, loosest first: comparison, `+ -`, `* / %`, prefix. There is no `and` and no `or`.
Operators and parentheses wait on a stack rather than in frames, so that their number has no limit
here.
Source: LogScale's syntax grammar guide and its appendix A (quirks).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.cql.catalogue import find
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.nodes import (
    Array,
    Assignment,
    Bad,
    Binary,
    BinaryOperator,
    Duration,
    Expression,
    Number,
    Quoted,
    Unary,
    UnaryOperator,
    Word,
)
from orchestrator.cql.parser.characters import (
    CALL_NAME,
    DURATION,
    FIELD,
    LABEL,
    NUMBER,
    PLACEHOLDER,
    SPACED_CALL_NAME,
    TEMPLATE,
    UNIT_MS,
    WORD,
    quote,
)
from orchestrator.cql.parser.operators import OperatorParser
from orchestrator.cql.parser.scanner import StepFailed
from orchestrator.cql.span import Span

_LEVEL = {
    "==": 1, "!=": 1, "<": 1, "<=": 1, ">": 1, ">=": 1,
    "+": 2, "-": 2,
    "*": 3, "/": 3, "%": 3,
}  # fmt: skip
_PREFIX_LEVEL = 4


@dataclass(slots=True)
class _Read:
    """An operand, with the parentheses around it: they are no part of its node's span."""

    node: Expression
    start: int
    end: int


@dataclass(slots=True)
class _Group:
    """What is read of an expression, or of a part of one in parentheses."""

    opened: int
    """Place of the parenthesis; -1 for the expression as a whole."""
    operands: list[_Read] = field(default_factory=list)
    operators: list[tuple[int, BinaryOperator | UnaryOperator, int]] = field(default_factory=list)
    """Level, operator and place of each operator that waits for its right operand."""


class ExpressionParser(OperatorParser):
    """Reads expressions."""

    # --- levels -----------------------------------------------------------------------------

    def expression(self) -> Expression:
        """Read an expression up to what cannot belong to it.

        The head stands behind the blanks that follow; `end` is the place before them.
        """
        outer: list[_Group] = []
        group, chain = _Group(opened=-1), 0
        while True:
            chain += 1 + self._prefixes(group)
            if self.peek() == "(":
                outer.append(group)
                group = _Group(opened=self.pos)
                self.pos += 1
                continue
            start = self.pos
            node = self._operand()
            group.operands.append(_Read(node, start, self.end))
            self.skip_blank()
            self.skip_ternary()
            while outer and self._ends_group(group):
                opened = group.opened
                if self.peek() == ",":
                    inner: Expression = self._array_in_parentheses(group)
                else:
                    inner = _reduced(group, 0).node
                    self.pos += 1
                group = outer.pop()
                group.operands.append(_Read(inner, opened, self.pos))
                self.skip_blank()
                self.skip_ternary()
            operator, place = self.binary_operator(), self.pos
            if operator is None:
                break
            _reduced(group, _LEVEL[operator.value])
            group.operators.append((_LEVEL[operator.value], operator, place))
        if outer:
            raise self._left_open(group.opened)
        self.longest_chain = max(self.longest_chain, chain)
        return _reduced(group, 0).node

    def _left_open(self, opened: int) -> StepFailed:
        """Report what stands where a parenthesis of an expression should be closed."""
        if self.partner(opened) is None:
            return self.unclosed(opened, ")", "unclosed-parenthesis")
        return self.fail(
            "unexpected-text",
            f"`)` or an operator is expected here, not {self.found_here()}.",
            self.place(self.pos),
        )

    def _ends_group(self, group: _Group) -> bool:
        """Say whether its parenthesis is closed here, or a comma shows that it is an array."""
        if self.peek() == ",":
            return self.partner(group.opened) is not None
        return self.peek() == ")"

    def _array_in_parentheses(self, group: _Group) -> Array:
        """Report `(a, b)`, whose comma stands here, and read it as the array that it means."""
        self.report(
            "unexpected-text",
            "`)` or an operator is expected here, not `,`.",
            self.place(self.pos),
            help="An array stands in brackets: `[a, b]`.",
        )
        elements: list[Expression | Assignment] = [_reduced(group, 0).node]
        self.enter(group.opened)
        while self.peek() == ",":
            self._comma(")")
            if self.peek() == ")":
                break
            elements.append(self._element())
            self.skip_blank()
        self._close(group.opened, ")", "unclosed-parenthesis")
        self.leave()
        return Array(span=Span(group.opened, self.pos), elements=tuple(elements))

    def _prefixes(self, group: _Group) -> int:
        """Read `-` and `!`, and return their number."""
        waiting = len(group.operators)
        self.skip_blank()
        while True:
            start = self.pos
            if self.not_word():
                group.operators.append((_PREFIX_LEVEL, UnaryOperator.NOT, start))
                continue
            if self.peek() not in ("-", "!") or self.peek(2) == "!=":
                break
            group.operators.append((_PREFIX_LEVEL, UnaryOperator(self.peek()), self.pos))
            self.pos += 1
            self.skip_blank()
        return len(group.operators) - waiting

    # --- operands ---------------------------------------------------------------------------

    def _operand(self) -> Expression:
        start, char = self.pos, self.peek()
        match char:
            case "$" | "{" if (template := TEMPLATE.match(self.text, start)) is not None:
                return self.template(template)
            case "{":
                return self.subquery(label=None, start=start)
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
                    return self.subquery(label=string.value, start=start)
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
        if CALL_NAME.match(text, start) or self._spaced_call():
            return self.call()
        label = LABEL.match(text, start)
        if label is not None and text.startswith("{", label.end()):
            self.pos = label.end()
            return self.subquery(label=label.group(1), start=start)
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
        name = FIELD.match(text, start)
        if name is None:
            placeholder = PLACEHOLDER.match(text, start)
            if placeholder is not None:
                return self.placeholder(placeholder)
            raise self.fail(
                "unexpected-character",
                f"A value cannot start with {self.found_here()}.",
                self.place(start),
                help="Quote the text if it is meant as text.",
            )
        self.pos = name.end()
        if text.startswith("[]", self.pos):
            return self._array_name(start)
        if self.peek() == "(":
            raise self.fail(
                "call-name",
                f"`{name.group()}` cannot be the name of a function.",
                Span(start, self.pos),
                help="Names of functions are letters and digits, with a `:` behind a namespace.",
            )
        return Word(span=Span(start, self.pos), text=name.group())

    def _array_name(self, start: int) -> Quoted:
        self.pos += len("[]")
        span = Span(start, self.pos)
        shown = quote(self.text[start : self.pos])
        self.report(
            "array-needs-quotes",
            "The name of a whole array stands in quotes: brackets are reserved.",
            span,
            help=f"Write {shown}.",
            fix=Fix(span=span, text=shown, label="quote the name"),
        )
        return Quoted(span=span, value=self.text[start : self.pos], raw=shown)

    def _spaced_call(self) -> bool:
        """Say whether a function's name and, behind blanks, its parenthesis stand here."""
        match = SPACED_CALL_NAME.match(self.text, self.pos)
        function = None if match is None else find(match.group(1))
        if match is None or function is None or function.name != match.group(1):
            return False
        self.report_space(Span(match.start(), match.end()), match.group(1))
        return True

    def report_space(self, span: Span, name: str) -> None:
        """Say that a blank stands between a function's name and its parenthesis."""
        self.report(
            "space-before-parenthesis",
            "A blank between a function and its parenthesis may be refused.",
            span,
            help=f"Write `{name}(`.",
            level=Level.WARNING,
            fix=Fix(span=span, text=f"{name}(", label="join them"),
        )

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


def _reduced(group: _Group, level: int) -> _Read:
    """Give each waiting operator that binds at least as tightly as `level` its right operand."""
    operands, operators = group.operands, group.operators
    while operators and operators[-1][0] >= level:
        _, operator, start = operators.pop()
        right = operands.pop()
        node: Expression
        if isinstance(operator, UnaryOperator):
            span = Span(start, right.end)
            node = Unary(span=span, operator=operator, operand=right.node)
        else:
            left = operands.pop()
            span = Span(left.start, right.end)
            node = Binary(span=span, operator=operator, left=left.node, right=right.node)
        operands.append(_Read(node, span.start, span.end))
    return operands[-1]
