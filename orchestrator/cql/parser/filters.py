"""Filters: comparisons, free text and what joins them.

`not` binds tighter than `or`, `or` tighter than `and`, and two operands side by side are an `and`.
Source: LogScale's syntax grammar guide, appendix A.
"""

from __future__ import annotations

import re

from orchestrator.cql.catalogue import find
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.nodes import (
    And,
    Boolean,
    FieldName,
    Filter,
    FreeText,
    Not,
    Or,
    Word,
)
from orchestrator.cql.parser.characters import (
    CALL_NAME,
    FIELD,
    KEYWORD,
    OPERATOR,
    SPACED_CALL_NAME,
    WORD,
)
from orchestrator.cql.parser.comparisons import ComparisonParser
from orchestrator.cql.span import Span

_INFIX_IN = re.compile(r"(not[ \t\r\n\f]+)?in[ \t\r\n\f]*(?=[(\[])", re.IGNORECASE)
_LIKE = re.compile(r"like(?=[ \t\r\n\f\"?])", re.IGNORECASE)
_STATEMENT = re.compile(r"(?:case|match)[ \t\r\n\f]*\{", re.IGNORECASE)
_RESERVED = frozenset({"case", "like", "match", "in"})
_FILTER_ENDS = frozenset("|;)}],")


class FilterParser(ComparisonParser):
    """Reads filters."""

    def filter(self) -> Filter:
        """Read a filter up to `|`, `;`, a closing bracket or the end.

        An operand that looks like the start of another step (`field :=`, `case {`) ends the filter
        too: the pipeline reports the missing pipe.
        """
        operands, explicit = [self._or()], list[bool]()
        while True:
            self.skip_blank()
            if self.at_filter_end() or self.at_statement():
                break
            joined = self._keyword("and")
            if joined:
                self.skip_blank()
            operands.append(self._or())
            explicit.append(joined)
        if len(operands) == 1:
            return operands[0]
        span = operands[0].span.to(operands[-1].span)
        return And(span=span, operands=tuple(operands), explicit=tuple(explicit))

    def at_filter_end(self) -> bool:
        """Say whether what stands here cannot belong to a filter any more."""
        return self.at_end() or self.peek() in _FILTER_ENDS or self.peek(2) == "=>"

    def at_statement(self) -> bool:
        """Say whether an assignment, a case or a match statement begins here."""
        if _STATEMENT.match(self.text, self.pos):
            return True
        match = FIELD.match(self.text, self.pos)
        if match is None:
            return False
        place = self.after_blank(match.end())
        if self.text.startswith(":=", place):
            return True
        statement = _STATEMENT.match(self.text, place)
        return statement is not None and statement.group().lower().startswith("match")

    def _or(self) -> Filter:
        operands = [self._not()]
        while True:
            self.skip_blank()
            if not self._keyword("or"):
                break
            operands.append(self._not())
        if len(operands) == 1:
            return operands[0]
        return Or(span=operands[0].span.to(operands[-1].span), operands=tuple(operands))

    def _keyword(self, word: str) -> bool:
        """Read `word` if it stands here as an operator rather than as a field's name."""
        match = KEYWORD.match(self.text, self.pos)
        if match is None or match.group(1).lower() != word:
            return False
        operator = OPERATOR.match(self.text, self.after_blank(match.end()))
        if operator is not None and operator.group() != "=>":
            return False
        self.pos = match.end()
        return True

    def _not(self) -> Filter:
        prefixes: list[tuple[int, bool]] = []
        while True:
            self.skip_blank()
            start = self.pos
            if self._keyword("not"):
                prefixes.append((start, False))
            elif self.peek() == "!" and self.peek(2) != "!=":
                self.pos += 1
                prefixes.append((start, True))
            else:
                break
        node = self._primary()
        for start, bang in reversed(prefixes):
            node = Not(span=Span(start, node.span.end), operand=node, bang=bang)
        return node

    # --- operands ---------------------------------------------------------------------------

    def _primary(self) -> Filter:
        start, char = self.pos, self.peek()
        match char:
            case "(":
                return self._group()
            case "/":
                regex = self.regex()
                return FreeText(span=regex.span, pattern=regex)
            case "?":
                parameter = self.parameter(in_filter=True)
                return FreeText(span=parameter.span, pattern=parameter)
            case "$":
                return self.saved_query()
            case '"':
                return self._quoted_operand()
            case "'":
                string = self.single_quoted()
                return FreeText(span=string.span, pattern=string)
            case "" | "|" | ";" | ")" | "}" | "]" | ",":
                raise self.fail(
                    "missing-filter",
                    f"A filter is missing before {self.found_here()}.",
                    self.place(start),
                )
            case "[":
                raise self.fail(
                    "unexpected-character",
                    "`[` can only stand as a step of its own, or inside a call.",
                    Span(start, start + 1),
                    help="To compare with one of several values write `in(field, values=[…])`.",
                )
            case "`":
                raise self.fail(
                    "unexpected-character",
                    "Back-quotes are reserved.",
                    Span(start, start + 1),
                    help='Quote with `"`; setField() assigns to a field whose name is computed.',
                )
            case _:
                return self._word_operand_of_filter()

    def _group(self) -> Filter:
        start = self.pos
        self.enter(start)
        self.pos += 1
        self.skip_blank()
        inner = self.filter()
        self._close(start, ")", "unclosed-parenthesis")
        self.leave()
        return inner

    def _quoted_operand(self) -> Filter:
        string = self.quoted()
        if not self._operator_follows(self.pos):
            return FreeText(span=string.span, pattern=string)
        field = FieldName(span=string.span, name=string.value, quoted=True)
        return self._after_field(field)

    def _word_operand_of_filter(self) -> Filter:
        text, start = self.text, self.pos
        called = CALL_NAME.match(text, start)
        if called is not None and not KEYWORD.match(text, start):
            return self.call()
        field, word = FIELD.match(text, start), WORD.match(text, start)
        if word is None:
            return self._no_operand(start)
        if field is not None and field.end() >= word.end():
            if self._operator_follows(field.end()):
                self.pos = field.end()
                name = FieldName(span=Span(start, field.end()), name=field.group())
                return self._after_field(name)
        elif self._operator_follows(word.end()) and not word.group().endswith(":"):
            self.pos = word.end()
            return self._after_field(self._unquoted_field(word.group(), start))
        return self._free_word(word.group(), start)

    def _no_operand(self, start: int) -> Filter:
        if OPERATOR.match(self.text, start):
            raise self.fail(
                "missing-field",
                f"A field's name is missing before {self.found_here()}.",
                self.place(start),
            )
        raise self.fail(
            "unexpected-character",
            f"`{self.text[start]}` is reserved and cannot stand in a filter.",
            Span(start, start + 1),
            help="Quote the text that holds it.",
        )

    def _unquoted_field(self, name: str, start: int) -> FieldName:
        span = Span(start, start + len(name))
        self.report(
            "field-needs-quotes",
            f"`{name}` is not a field name without quotes.",
            span,
            help=f'Write `"{name}"`.',
            fix=Fix(span=span, text=f'"{name}"', label="quote the name"),
        )
        return FieldName(span=span, name=name, quoted=True)

    def _operator_follows(self, end: int) -> bool:
        operator = OPERATOR.match(self.text, self.after_blank(end))
        if operator is not None:
            return operator.group() != "=>"
        return self._like_follows(end)

    def _like_follows(self, end: int) -> bool:
        return _LIKE.match(self.text, self.after_blank(end)) is not None

    def _free_word(self, word: str, start: int) -> Filter:
        """Read a word that no operator follows: free text, or another language's operator."""
        text = self.text
        end = start + len(word)
        infix = _INFIX_IN.match(text, self.after_blank(end))
        if infix is not None and word.lower() not in ("and", "or", "not"):
            found = self._infix_in(word, start, infix)
            if found is not None:
                return found
        spaced = SPACED_CALL_NAME.match(text, start)
        if spaced is not None and self._is_call_with_space(spaced.group(1)):
            span = Span(start, spaced.end())
            self.report(
                "space-before-parenthesis",
                "A blank between a function and its parenthesis may be refused.",
                span,
                help=f"Write `{spaced.group(1)}(`.",
                level=Level.WARNING,
                fix=Fix(span=span, text=f"{spaced.group(1)}(", label="join them"),
            )
            return self.call()
        self.pos = end
        span = Span(start, end)
        if word in ("true", "false"):
            return Boolean(span=span, value=word == "true")
        if word.endswith("//"):
            self.report(
                "word-ends-in-slashes",
                "A word cannot end in `//`.",
                span,
                help="Quote it.",
                fix=Fix(span=span, text=f'"{word}"', label="quote it"),
            )
        self._refuse_reserved(word, span)
        return FreeText(span=span, pattern=Word(span=span, text=word))

    def _is_call_with_space(self, name: str) -> bool:
        function = find(name)
        return name == "case" or (function is not None and function.name == name)

    def _refuse_reserved(self, word: str, span: Span) -> None:
        if word.lower() in ("and", "or", "not"):
            self.report(
                "missing-filter",
                f"`{word}` joins two filters; one is missing.",
                span,
            )
            return
        function = find(word)
        known = function is not None and word in (function.name, *function.aliases)
        if word in _RESERVED or known:
            self.report(
                "reserved-word",
                f"`{word}` is a reserved word and cannot stand alone.",
                span,
                help=f"Write `{word}(…)` to call the function, "
                f'or `"{word}"` to search for the text.'
                if known
                else f'Write `"{word}"` to search for the text.',
            )
