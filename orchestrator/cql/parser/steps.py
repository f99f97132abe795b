"""Steps and what holds them: pipelines, assignments, case and match, saved queries.

Recovery happens here: a step that cannot be read is reported, skipped to the next `|`, `;` or
closing brace, and left in the tree as `Bad`, so that one run reports every step's error.
"""

from __future__ import annotations

import re

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.nodes import (
    Arm,
    Assignment,
    Bad,
    Boolean,
    Call,
    Case,
    FieldName,
    Match,
    Pattern,
    Pipeline,
    StatsShorthand,
    Step,
    Word,
)
from orchestrator.cql.parser.characters import CALL_NAME, FIELD, WORD
from orchestrator.cql.parser.filters import FilterParser
from orchestrator.cql.parser.scanner import StepFailed
from orchestrator.cql.span import Span

_CASE = re.compile(r"case(?=[ \t\r\n\f]*(?:\{|//|/\*))", re.IGNORECASE)
_MATCH = re.compile(r"match(?=[ \t\r\n\f]*(?:\{|//|/\*))", re.IGNORECASE)


class StepParser(FilterParser):
    """Reads pipelines; the whole grammar is within reach from here."""

    def query(self) -> Pipeline:
        """Read the whole text as one pipeline; what is left over is reported and skipped."""
        steps: list[Step] = []
        start = self.pos
        self.skip_blank()
        if self.peek() == "|":
            self.pos += 1
        while True:
            part = self.pipeline(stops="")
            steps += part.steps
            self.skip_blank()
            if self.at_end():
                break
            self._stray()
        return Pipeline(span=Span(start, len(self.text)), steps=tuple(steps))

    def _stray(self) -> None:
        """Report one character that belongs to nothing, and move over it."""
        char, span = self.peek(), Span(self.pos, self.pos + 1)
        message, help_text = f"`{char}` closes nothing here.", "Delete it."
        if char == ";":
            message = "`;` separates clauses of a case or match."
            help_text = "Separate steps with `|`."
        elif char == ",":
            message = "`,` separates arguments and cannot stand between filters."
            help_text = "Join filters with `and`, or quote the text that holds the comma."
        elif char == "=":
            message, help_text = "`=>` belongs to a match statement.", "Separate steps with `|`."
            span = Span(self.pos, self.pos + 2)
        self.report("stray-character", message, span, help=help_text)
        self.pos = span.end
        self.skip_blank()
        if self.peek() == "|":
            self.pos += 1

    def pipeline(self, *, stops: str) -> Pipeline:
        """Read steps up to one of `stops`, a closing bracket or the end."""
        self.skip_blank()
        start = self.pos
        steps: list[Step] = []
        while not self._at_pipeline_end():
            if self.peek() == "|":
                self._empty_step()
                continue
            steps.append(self._recovered_step(stops))
            self.skip_blank()
            if self._at_pipeline_end():
                break
            if self.peek() == "|":
                self.pos += 1
                self.skip_blank()
            else:
                self._missing_pipe(steps[-1])
        return Pipeline(span=Span(start, max(start, self.pos)), steps=tuple(steps))

    def _at_pipeline_end(self) -> bool:
        return self.at_end() or self.peek() in ";})]," or self.peek(2) == "=>"

    def _empty_step(self) -> None:
        start = self.pos
        self.pos += 1
        adjacent = start > 0 and self.text[start - 1] == "|"
        span = Span(start - 1 if adjacent else start, start + 1)
        if adjacent:
            self.report(
                "double-pipe",
                "CQL has no `||`: these are two pipes with nothing between them.",
                span,
                help="Write `or`.",
            )
        else:
            self.report(
                "empty-step",
                "There is nothing between these two pipes.",
                span,
                help="Delete one of them.",
                level=Level.WARNING,
                fix=Fix(span=span, text="", label="delete the pipe"),
            )
        self.skip_blank()

    def _missing_pipe(self, before: Step) -> None:
        """Report that two steps touch; reading goes on as if a pipe stood between them."""
        place = before.span.end
        after = {
            Assignment: "An assignment ends with its expression",
            Case: "A case statement ends with its brace",
            Match: "A match statement ends with its brace",
            StatsShorthand: "This step ends with its bracket",
        }.get(type(before))
        message = f"A `|` is missing before {self.found_here()}."
        if after:
            message = f"{after}; a `|` is missing before {self.found_here()}."
        help_text = "Inside a case, the next clause starts after `;`." if self.in_clause else ""
        self.report(
            "missing-pipe",
            message,
            self.place(self.pos),
            help=help_text,
            fix=Fix(span=Span(place, place), text=" |", label="add the pipe"),
        )

    def _recovered_step(self, stops: str) -> Step:
        start, depth, in_clause = self.pos, self.depth, self.in_clause
        try:
            return self._step()
        except StepFailed:
            self.depth, self.in_clause = depth, in_clause
            # Outside braces a stray closer must not hide the steps behind it.
            self.skip_to("|;}" if stops else "|")
            if self.pos == start and not self.at_end() and self.peek() not in "|;}":
                self.pos += 1
            return self.bad(start)

    # --- one step ---------------------------------------------------------------------------

    def _step(self) -> Step:
        start = self.pos
        if _CASE.match(self.text, start):
            brace = self.after_blank(start + len("case"))
            if self.text.startswith("{", brace):
                return self._case()
        match self.peek():
            case "[":
                array = self.array()
                return StatsShorthand(span=array.span, functions=array)
            case '"':
                statement = self._quoted_statement()
            case _:
                statement = self._named_statement()
        return statement if statement is not None else self.filter()

    def _quoted_statement(self) -> Step | None:
        start, known = self.pos, len(self.diagnostics)
        string = self.quoted()
        field = FieldName(span=string.span, name=string.value, quoted=True)
        statement = self._statement_of(field)
        if statement is None:
            self.pos = start
            self.forget(known)
        return statement

    def _named_statement(self) -> Step | None:
        match = FIELD.match(self.text, self.pos)
        if match is None:
            return None
        start = self.pos
        word = WORD.match(self.text, start)
        if word is not None and word.end() > match.end():
            place = self.after_blank(word.end())
            if not self.text.startswith(":=", place):
                return None
            field = self._unquoted_field(word.group(), start)
            self.pos = word.end()
        else:
            field = FieldName(span=Span(start, match.end()), name=match.group())
            self.pos = match.end()
        statement = self._statement_of(field)
        if statement is None:
            self.pos = start
        return statement

    def _statement_of(self, field: FieldName) -> Step | None:
        """Read `:= …` or `match { … }` behind a field's name; None if neither follows."""
        place = self.after_blank(self.pos)
        if self.text.startswith(":=", place):
            self.skip_blank()
            self.pos += 2
            return self._assignment(field)
        if _MATCH.match(self.text, place):
            brace = self.after_blank(place + len("match"))
            if self.text.startswith("{", brace):
                self.skip_blank()
                return self._match(field)
        return None

    def _assignment(self, field: FieldName) -> Step:
        self.skip_blank()
        sign = self.pos
        if self.peek() == "=" and self.peek(2) != "==":
            span = Span(sign, sign + 1)
            self.report(
                "assignment-sign",
                "The sign of assignment is `:=`.",
                span,
                help="Delete this `=`.",
                fix=Fix(span=span, text="", label="delete the ="),
            )
            self.pos += 1
            self.skip_blank()
        if _CASE.match(self.text, self.pos):
            brace = self.after_blank(self.pos + len("case"))
            if self.text.startswith("{", brace):
                self.report_case_call(Span(self.pos, self.pos + len("case")))
                skipped = self._skipped_case()
                return Assignment(span=field.span.to(skipped.span), field=field, value=skipped)
        value = self.expression()
        return Assignment(span=Span(field.span.start, self.end), field=field, value=value)

    def _skipped_case(self) -> Bad:
        start = self.pos
        self._case()
        return self.bad(start)

    # --- case and match ---------------------------------------------------------------------

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

    def _case(self) -> Case:
        start = self.pos
        self._keyword_case(start, "case")
        opened = self.pos
        self.enter(opened)
        outside, self.in_clause = self.in_clause, True
        self.pos += 1
        clauses: list[Pipeline] = []
        while True:
            self.skip_blank()
            if self.peek() == ";":
                self.pos += 1
                continue
            if self.peek() in ("}", ""):
                break
            clauses.append(self._clause())
            self.skip_blank()
            if self.peek() not in (";", "}", ""):
                self._stray_in_clause()
        self.in_clause = outside
        self._close(opened, "}", "unclosed-brace")
        self.leave()
        return Case(span=Span(start, self.pos), clauses=tuple(clauses))

    def _clause(self) -> Pipeline:
        if self.peek() == "|":
            self.pos += 1
        return self.pipeline(stops=";}")

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

    def _match(self, field: FieldName) -> Match:
        self._keyword_case(self.pos, "match")
        opened = self.pos
        self.enter(opened)
        outside, self.in_clause = self.in_clause, True
        self.pos += 1
        arms: list[Arm] = []
        while True:
            self.skip_blank()
            if self.peek() == ";":
                self.pos += 1
                continue
            if self.peek() in ("}", ""):
                break
            arm = self._recovered_arm()
            if arm is not None:
                arms.append(arm)
        self.in_clause = outside
        self._close(opened, "}", "unclosed-brace")
        self.leave()
        return Match(span=Span(field.span.start, self.pos), field=field, arms=tuple(arms))

    def _recovered_arm(self) -> Arm | None:
        start, depth = self.pos, self.depth
        try:
            return self._arm()
        except StepFailed:
            self.depth = depth
            self.skip_to(";}")
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
        body = self.pipeline(stops=";}")
        self.skip_blank()
        if self.peek() not in (";", "}", ""):
            self._stray_in_clause()
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
            case "=":
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
                f"`{self.peek()}` cannot start a guard.",
                self.place(start),
                help="A guard is text, a regex, `*`, a parameter or a filter function.",
            )
        self.pos = word.end()
        span = Span(start, self.pos)
        if word.group() in ("true", "false"):
            return Boolean(span=span, value=word.group() == "true")
        return Word(span=span, text=word.group())
