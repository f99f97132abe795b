"""Statements of other languages at the start of a step or behind one: `if`, `let`, `+=`, `else`.

Each is one mistake, told where it begins; what belongs to it is moved over.
"""

from __future__ import annotations

import re

from orchestrator.cql.diagnostics import Fix
from orchestrator.cql.nodes import (
    Assignment,
    Bad,
    Case,
    Comparison,
    FieldName,
    FreeText,
    Match,
    Step,
)
from orchestrator.cql.parser.characters import FIELD
from orchestrator.cql.parser.clauses import CASE, MATCH, ClauseParser
from orchestrator.cql.span import Span

_IF = re.compile(r"if[ \t\r\n\f]*\(", re.IGNORECASE)
_THEN = re.compile(r"\{|then\b", re.IGNORECASE)
_ASSIGNING = re.compile(
    rf"(?:(let|set|var|const|local|def)[ \t]+(?={FIELD.pattern}[ \t]*:=)"
    rf"|(set|var|const)[ \t]+(?={FIELD.pattern}[ \t]*=(?![=~>])))",
    re.IGNORECASE,
)
_COMPOUND = re.compile(r"([-+*])=(?![=~>])")
_CASE_WHEN = re.compile(r"case[ \t\r\n\f]+(?=[\w\"@#])", re.IGNORECASE)
_BEHIND_BRACE = re.compile(
    r"(?:(end|endcase|esac)|(else|default|otherwise))(?![\w=(])", re.IGNORECASE
)


class ForeignParser(ClauseParser):
    """Reads what looks like a statement of another language."""

    def refuse_if(self) -> None:
        """Refuse `if (condition) { … }`; the function `if()` is left alone.

        Raises:
            StepFailed: Such a statement stands here.
        """
        start = self.pos
        match = _IF.match(self.text, start)
        closed = None if match is None else self.partner(match.end() - 1)
        if closed is not None and _THEN.match(self.text, self.after_blank(closed + 1)):
            raise self.fail(
                "if-statement",
                "`if` is a function in CQL, and no statement.",
                Span(start, start + len("if")),
                help='Write `case { condition | field := "a" ; * | field := "b" }`, '
                'or `field := if(condition, then="a", else="b")`.',
            )

    def assigning_word(self) -> Step | None:
        """Read `let field := value` and `set field = value` as the assignment behind the word."""
        match = _ASSIGNING.match(self.text, self.pos)
        if match is None:
            return None
        start = self.pos
        self.jump(match.end())
        name = FIELD.match(self.text, self.pos)
        if name is None:
            return None
        field = FieldName(span=Span(name.start(), name.end()), name=name.group())
        word = Span(start, start + len(match.group().rstrip()))
        is_signed = match.group(1) is not None
        self.pos = self.after_blank(name.end())
        sign = Span(self.pos, self.pos + (2 if is_signed else 1))
        advice, fix = "Delete it", None
        if is_signed:
            fix = Fix(span=Span(start, match.end()), text="", label="delete the word")
        else:
            written = Span(start, sign.end)
            advice = "Delete it, and assign with `:=`"
            fix = Fix(span=written, text=f"{field.name} :=", label="write an assignment")
        self.report(
            "assignment-word",
            f"`{self.text[word.start : word.end]}` begins no assignment: it is a text to search.",
            word,
            help=f"{advice}: `{field.name} := …`.",
            fix=fix,
        )
        self.pos = sign.end
        return self.assignment(field)

    def compound_assignment(self, field: FieldName) -> Step | None:
        """Read `field += value`."""
        self.skip_blank()
        start = self.pos
        match = _COMPOUND.match(self.text, start)
        if match is None:
            return None
        self.pos = match.end()
        value = self.expression()
        span = Span(field.span.start, self.end)
        name = self.text[field.span.start : field.span.end]
        shown = self.text[match.end() : span.end].strip()
        meant = f"{name} := {name} {match.group(1)} {shown}"
        self.report(
            "compound-assignment",
            f"CQL has no `{match.group()}`.",
            Span(start, match.end()),
            help=f"Write `{meant}`." if len(meant) <= 80 else f"Write `{name} := {name} …`.",
            fix=Fix(span=span, text=meant, label="write it out") if value.span.end else None,
        )
        return Assignment(span=span, field=field, value=value)

    def assignment(self, field: FieldName) -> Step:
        """Read what is right of `:=`."""
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
        when = _CASE_WHEN.match(self.text, self.pos)
        if (
            when is not None
            or self.brace_behind(CASE, self.pos)
            or self.brace_behind(MATCH, self.pos)
        ):
            skipped = self._statement_as_value()
            return Assignment(span=field.span.to(skipped.span), field=field, value=skipped)
        value = self.expression()
        end = self.end
        if self.brace_behind(MATCH, self.pos):
            end = self._statement_as_value().span.end
        return Assignment(span=Span(field.span.start, end), field=field, value=value)

    def _statement_as_value(self) -> Bad:
        """Report a case or match statement right of `:=`, and move over it."""
        start = self.pos
        if self.brace_behind(CASE, start):
            self.report_case_call(Span(start, start + len("case")))
            self.case()
        elif _CASE_WHEN.match(self.text, start):
            self.report_case_call(Span(start, start + len("case")))
            self.skip_to("|;)]}")
        else:
            self.report(
                "match-as-value",
                "`match` is a statement and has no value.",
                Span(start, start + len("match")),
                help='Write `field match { "a" => x := 1 ; * => x := 2 }` as its own step.',
            )
            name = FieldName(span=Span(start, start), name="")
            self.match(name)
        return self.bad(start)

    def foreign_behind(self, before: Step) -> bool:
        """Report `end` or `else` behind a statement, `then` or a colon behind a filter."""
        if isinstance(before, Case | Match):
            return self._behind_brace()
        if not isinstance(before, Comparison | FreeText) and not self._then_before(before):
            return False
        end = before.span.end
        if self._then_before(before):
            span = Span(end - len("then"), end)
            self._missing_pipe_for(span, f"`{self.text[span.start : end]}` is no word of CQL")
            return True
        if self.in_clause and self.text[end - 1] == ":":
            self._missing_pipe_for(Span(end - 1, end), "A `:` does not end a condition")
            return True
        return False

    def _then_before(self, before: Step) -> bool:
        end = before.span.end
        words = self.text[max(before.span.start, end - 5) : end].lower()
        return words in ("then", " then", "\nthen", "\tthen", ")then")

    def _missing_pipe_for(self, written: Span, problem: str) -> None:
        touches = self.text[written.start - 1 : written.start].strip()
        self.report(
            "missing-pipe",
            f"{problem}; a `|` is missing here.",
            written,
            help="A clause is `condition | field := value`, with a pipe.",
            fix=Fix(span=written, text=" |" if touches else "|", label="write a pipe for it"),
        )

    def _behind_brace(self) -> bool:
        match = _BEHIND_BRACE.match(self.text, self.pos)
        if match is None:
            return False
        span = Span(match.start(), match.end())
        word = match.group()
        self.report(
            "missing-pipe",
            f"A statement ends with its brace; a `|` is missing before `{word}`.",
            span,
            help="Delete it."
            if match.group(1)
            else "The default is the last clause inside the braces: `case { … ; * | … }`.",
            fix=Fix(span=span, text="", label="delete the word") if match.group(1) else None,
        )
        self.jump(span.end)
        if match.group(2):
            self.skip_to("|;}")
        self.skip_blank()
        if self.peek() == "|":
            self.pos += 1
            self.skip_blank()
        return True
