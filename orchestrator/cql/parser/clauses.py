"""Case and match: clauses and arms, each with a pipeline of its own."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable
from typing import TypeVar

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.nodes import (
    Arm,
    Boolean,
    Call,
    Case,
    FieldName,
    Match,
    Pattern,
    Pipeline,
    Word,
)
from orchestrator.cql.parser.characters import CALL_NAME, WORD
from orchestrator.cql.parser.filters import FilterParser
from orchestrator.cql.parser.scanner import StepFailed
from orchestrator.cql.span import Span

CASE = re.compile(r"case(?=[ \t\r\n\f]*(?:\{|//|/\*))", re.IGNORECASE)
MATCH = re.compile(r"match(?=[ \t\r\n\f]*(?:\{|//|/\*))", re.IGNORECASE)

CLAUSE_ENDS = ";}"
_Part = TypeVar("_Part", Pipeline, Arm)


class ClauseParser(FilterParser):
    """Reads case and match statements; `pipeline` comes from the area above."""

    clause_ended = False
    """Whether the clause just read ended without its `;`, which has been reported."""

    @abstractmethod
    def pipeline(self, *, stops: str) -> Pipeline:
        """Read steps up to one of `stops` or the end of the text."""

    def brace_behind(self, keyword: re.Pattern[str], start: int) -> bool:
        """Say whether `keyword` stands at `start`, and behind it a brace."""
        match = keyword.match(self.text, start)
        return match is not None and self.text.startswith("{", self.after_blank(match.end()))

    def _keyword_case(self, start: int, word: str) -> None:
        written = self.text[start : start + len(word)]
        if written != word:
            span = Span(start, start + len(word))
            self.report(
                "keyword-case",
                "Keywords are documented in lower case only.",
                span,
                help=f"Write `{word}`.",
                level=Level.WARNING,
                fix=Fix(span=span, text=word, label="lower case"),
            )
        self.pos = start + len(word)
        self.skip_blank()

    def case(self) -> Case:
        """Read `case { … }` from its keyword."""
        start = self.pos
        clauses = self._in_braces("case", self._recovered_clause)
        return Case(span=Span(start, self.pos), clauses=clauses)

    def _in_braces(self, keyword: str, read: Callable[[], _Part | None]) -> tuple[_Part, ...]:
        """Read a keyword and the parts in its braces, between which `;` may stand."""
        self._keyword_case(self.pos, keyword)
        opened = self.pos
        self.enter(opened)
        outside, self.in_clause = self.in_clause, True
        self.pos += 1
        parts: list[_Part] = []
        while True:
            self.skip_blank()
            if self.peek() == ";":
                self.pos += 1
                continue
            if self.peek() in ("}", ""):
                break
            part = read()
            if part is not None:
                parts.append(part)
        self.in_clause = outside
        self._close(opened, "}", "unclosed-brace")
        self.leave()
        return tuple(parts)

    def _recovered_clause(self) -> Pipeline:
        clause = self._clause()
        if not self._at_clause_end():
            self._stray_in_clause()
        return clause

    def _clause(self) -> Pipeline:
        if self.peek() == "|":
            self.pos += 1
        return self.pipeline(stops=CLAUSE_ENDS)

    def _at_clause_end(self) -> bool:
        """Say whether the clause just read ends here; what follows without `;` is reported."""
        self.skip_blank()
        told, self.clause_ended = self.clause_ended, False
        return told or self.peek() in (";", "}", "")

    def _stray_in_clause(self) -> None:
        span = Span(self.pos, self.pos + (2 if self.peek() == "=" else 1))
        char = self.text[span.start : span.end]
        self.report(
            "stray-character",
            f"`{char}` cannot stand in a clause.",
            span,
            help="Steps of a clause are separated by `|`, clauses by `;`.",
        )
        self.pos = span.end

    def match(self, field: FieldName) -> Match:
        """Read `match { … }` from its keyword, behind its field."""
        arms = self._in_braces("match", self._recovered_arm)
        return Match(span=Span(field.span.start, self.pos), field=field, arms=arms)

    def _recovered_arm(self) -> Arm | None:
        start, depth = self.pos, self.depth
        try:
            return self._arm()
        except StepFailed:
            self.depth = depth
            self.skip_to(CLAUSE_ENDS)
            if self.pos == start:
                self.pos += 1
            return None

    def _arm(self) -> Arm:
        start = self.pos
        guard = self._guard()
        self.skip_blank()
        if self.peek(2) != "=>":
            raise self.fail(
                "missing-arrow",
                f"`=>` is expected after a guard, not {self.found_here()}.",
                self.place(self.pos),
                help="An arm is `guard => steps`; arms are separated by `;`.",
            )
        self.pos += 2
        body = self.pipeline(stops=CLAUSE_ENDS)
        if not self._at_clause_end():
            self._stray_in_clause()
            self.skip_to(CLAUSE_ENDS)
        return Arm(span=Span(start, body.span.end), guard=guard, body=body)

    def _guard(self) -> Pattern | Call | Boolean:
        start = self.pos
        match self.peek():
            case '"':
                return self.quoted()
            case "'":
                return self.single_quoted()
            case "/":
                return self.regex()
            case "?":
                return self.parameter(in_filter=True)
            case "=" if self.peek(2) == "=>":
                span = Span(start, start)
                self.report(
                    "empty-guard",
                    "An arm needs a guard.",
                    Span(start, start + 2),
                    help="Write `* =>` to take everything.",
                    fix=Fix(span=span, text="* ", label="take everything"),
                )
                return Word(span=span, text="*")
        if CALL_NAME.match(self.text, start):
            return self.call()
        word = WORD.match(self.text, start)
        if word is None:
            raise self.fail(
                "unexpected-character",
                f"A guard cannot start with {self.found_here()}.",
                self.place(start),
                help="A guard is text, a regex, `*`, a parameter or a filter function.",
            )
        self.pos = word.end()
        span = Span(start, self.pos)
        if word.group() in ("true", "false"):
            return Boolean(span=span, value=word.group() == "true")
        return Word(span=span, text=word.group())
