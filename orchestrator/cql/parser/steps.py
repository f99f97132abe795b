"""Steps and what holds them: pipelines, assignments, case and match, saved queries.

Recovery happens here: a step that cannot be read is reported, skipped to the next `|`, `;` or
closing brace, and left in the tree as `Bad`, so that one run reports every step's error.
"""

from __future__ import annotations

import re

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.nodes import (
    Argument,
    Assignment,
    Call,
    Case,
    FieldName,
    Match,
    Pipeline,
    StatsShorthand,
    Step,
    Word,
)
from orchestrator.cql.parser.characters import CALL_NAME, FIELD, STRING_ON_LINE, WORD
from orchestrator.cql.parser.clauses import CASE, CLAUSE_ENDS, MATCH
from orchestrator.cql.parser.foreign import ForeignParser
from orchestrator.cql.parser.scanner import StepFailed
from orchestrator.cql.span import Span

_GUARD = re.compile(rf"(?:{WORD.pattern}|{STRING_ON_LINE.pattern})[ \t\r\n\f]*=>")
_BACK_QUOTED = re.compile(r"`([^`\n]+)`")


class StepParser(ForeignParser):
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
            help_text = 'Separate steps with `|`, or quote the text that holds it: `"a;b"`.'
        elif char == ",":
            message = "`,` separates arguments and cannot stand between filters."
            help_text = (
                "For one of several values write `in(field, values=[a, b])`; join filters with "
                "`and`, or quote the text that holds the comma."
            )
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
                self._empty_step(steps[-1] if steps else None)
                continue
            steps.append(self._recovered_step(stops))
            self.skip_blank()
            if self._at_pipeline_end():
                break
            if self.peek() == "|":
                self._pipe()
            elif self._is_next_clause(steps[-1], stops):
                break
            else:
                self._missing_pipe(steps[-1])
        end = self.end
        return Pipeline(span=Span(min(start, end), end), steps=tuple(steps))

    def _pipe(self) -> None:
        start = self.pos
        self.pos += 1
        if self.peek() == ">":
            self.pos += 1
            span = Span(start, self.pos)
            self.report(
                "stray-character",
                "`|>` is another language's pipe.",
                span,
                help="Write `|`.",
                fix=Fix(span=span, text="|", label="write a pipe"),
            )
        self.skip_blank()

    def _at_pipeline_end(self) -> bool:
        return self.at_end() or self.peek() in ";})]," or self.peek(2) == "=>"

    def _empty_step(self, before: Step | None) -> None:
        start = self.pos
        self.pos += 1
        adjacent = start > 0 and self.text[start - 1] == "|"
        span = Span(start - 1 if adjacent else start, start + 1)
        if adjacent:
            self.report(
                "double-pipe",
                "CQL has no `||`: these are two pipes with nothing between them.",
                span,
                help="To join texts write `concat([a, b])`."
                if isinstance(before, Assignment)
                else "Write `or`.",
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

    def _is_next_clause(self, before: Step, stops: str) -> bool:
        """Report a missing `;` if what stands here on a line of its own looks like a clause."""
        place = before.span.end
        in_clause = stops == CLAUSE_ENDS
        is_arm = in_clause and self._at_arm()
        if not is_arm and (
            not in_clause
            or "\n" not in self.text[place : self.pos]
            or self.peek(2) == ":="
            or self.at_statement()
        ):
            return False
        self.report(
            "missing-semicolon",
            f"A `;` is missing before {self.found_here()}: it ends a clause.",
            self.place(self.pos),
            help="If the clause goes on, write `|` instead.",
            fix=Fix(span=Span(place, place), text=" ;", label="add the semicolon"),
        )
        self.clause_ended = True
        return True

    def _at_arm(self) -> bool:
        """Say whether a guard stands here, and behind it `=>`."""
        called = CALL_NAME.match(self.text, self.pos)
        if called is None:
            return _GUARD.match(self.text, self.pos) is not None
        closed = self.partner(called.end() - 1)
        return closed is not None and self.text.startswith("=>", self.after_blank(closed + 1))

    def _missing_pipe(self, before: Step) -> None:
        """Report that two steps touch; reading goes on as if a pipe stood between them."""
        if self.peek(2) == ":=":
            self._second_assignment()
            return
        if self.foreign_behind(before):
            return
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

    def _second_assignment(self) -> None:
        self.report(
            "assignment-in-expression",
            "`:=` cannot stand in an expression: a step assigns to one field.",
            Span(self.pos, self.pos + 2),
            help="Write each assignment as a step of its own.",
        )
        self.skip_to("|;}" if self.in_clause else "|")

    def _take_back_pipe(self, start: int) -> None:
        """Forget that a pipe is missing at `start` if no step can begin there anyway."""
        last = self.diagnostics[-2:]
        if [found.span.start for found in last] == [start, start] and (
            last[0].code == "missing-pipe"
        ):
            self.forget(len(self.diagnostics) - 2)
            self.add(last[1])

    def _recovered_step(self, stops: str) -> Step:
        start, depth, in_clause = self.pos, self.depth, self.in_clause
        try:
            return self._step()
        except StepFailed:
            self.depth, self.in_clause = depth, in_clause
            self._take_back_pipe(start)
            # Outside braces a stray closer must not hide the steps behind it.
            self.skip_to("|;}" if stops else "|")
            if self.pos == start and not self.at_end() and self.peek() not in "|;}":
                self.pos += 1
            return self.bad(start)

    # --- one step ---------------------------------------------------------------------------

    def _step(self) -> Step:
        start = self.pos
        self.step_start = start
        if self.brace_behind(CASE, start):
            return self.case()
        match self.peek():
            case "[":
                array = self.array()
                return StatsShorthand(span=array.span, functions=array)
            case '"':
                statement = self._quoted_statement()
            case "`":
                statement = self._back_quoted_statement()
            case _:
                self.refuse_if()
                statement = self.assigning_word() or self._named_statement()
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
            return self.assignment(field)
        if self.brace_behind(MATCH, place):
            self.skip_blank()
            return self.match(field)
        if self.text.startswith("=", place + 1):
            return self.compound_assignment(field)
        return None

    def _back_quoted_statement(self) -> Step | None:
        """Read `` `field` := value ``: what `setField()` is written for today."""
        start = self.pos
        name = _BACK_QUOTED.match(self.text, start)
        sign = -1 if name is None else self.after_blank(name.end())
        if name is None or not self.text.startswith(":=", sign):
            return None
        self.pos = sign + 2
        value = self.expression()
        span = Span(start, self.end)
        shown = self.text[value.span.start : span.end]
        fixed = f"setField(target={name.group(1)}, value={shown})"
        self.report(
            "back-quoted-field",
            "Back-quotes are an old way to assign to the field that another field names.",
            Span(start, name.end()),
            help=f"Write `{fixed}`."
            if len(fixed) <= 80
            else "Write `setField(target=…, value=…)`.",
            level=Level.WARNING,
        )
        at = Span(start, name.end())
        target = Word(span=at, text=name.group(1))
        return Call(
            span=span,
            name="setField",
            name_span=at,
            arguments=(
                Argument(span=at, name="target", name_span=at, value=target),
                Argument(span=Span(sign, span.end), name="value", name_span=at, value=value),
            ),
        )
