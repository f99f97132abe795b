"""Parameters, saved queries and the small things that every area shares.

Nothing here depends on whether a filter or an expression is being read, but for the characters of
a parameter's name.
"""

from __future__ import annotations

import re

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.nodes import (
    Bad,
    Parameter,
    Quoted,
    SavedArgument,
    SavedQuery,
    Word,
)
from orchestrator.cql.parser.characters import (
    FIELD,
    WORD,
    quote,
)
from orchestrator.cql.parser.recovery import RecoveringScanner
from orchestrator.cql.parser.scanner import StepFailed
from orchestrator.cql.span import Span

_PARAMETER_NAME = re.compile(rf"{FIELD.pattern}")
_FILTER_PARAMETER_NAME = re.compile(rf"(?:{FIELD.pattern})(?:-(?:{FIELD.pattern}))*")
# What goes on behind a `?`, and whether it holds what no parameter can be followed by.
_REST = re.compile(r"\?[^\s|;,(){}\[\]\"=<>!]*+([=<>!][^\s|;(){}\[\]\"]*+)?")
_SHOWN = 60
_SAVED_NAME = re.compile(r"[A-Za-z0-9_.@&~+\-*%#\\^/:\u00a1-\U0010ffff]+")


class LeafParser(RecoveringScanner):
    """Reads what holds no expression and no filter."""

    def question_mark(self, start: int) -> None:
        """Report a `?` that touches the value from `start`; pass a text that goes on behind it."""
        place = self.pos
        rest = _REST.match(self.text, place)
        end = place + 1 if rest is None else rest.end()
        whole = self.text[start:end]
        if rest is None or not rest.group(1):
            if end == place + 1 and self.text[end : end + 1] not in ("{", '"'):
                # A parameter without its name is told where it is read.
                return
            self.report(
                "question-mark",
                "`?` starts a parameter, which is a filter of its own; it stands for no character.",
                Span(place, place + 1),
                help=f"Quote a text that holds it, `{quote(whole)}`; any one character is the dot "
                "of a regex, `/a.b/`.",
                level=Level.WARNING,
            )
            return
        self.pos = end
        self.report(
            "question-mark-in-value",
            "`?` starts a parameter, and cannot stand in a text without quotes.",
            Span(place, end),
            help=f"Write `{quote(whole)}`." if len(whole) <= _SHOWN else "Quote the text.",
            fix=Fix(span=Span(start, end), text=quote(whole), label="quote the text"),
        )

    # --- parameters and saved queries -------------------------------------------------------

    def parameter(self, *, in_filter: bool) -> Parameter:
        """Read `?name` or `?{name=default}`."""
        start = self.pos
        self.pos += 1
        if self.peek() == "{":
            return self._parameter_with_default(start)
        if self.peek() == '"':
            return self._parameter(start, self.quoted().value)
        pattern = _FILTER_PARAMETER_NAME if in_filter else _PARAMETER_NAME
        match = pattern.match(self.text, self.pos)
        if match is None:
            raise self.fail(
                "parameter-name",
                "`?` starts a parameter and needs its name.",
                Span(start, start + 1),
                help="Quote the text if a question mark is meant; "
                "the single-character wildcard is a regex `.`.",
            )
        self.pos = match.end()
        return self._parameter(start, match.group())

    def _parameter(self, start: int, name: str) -> Parameter:
        return Parameter(span=Span(start, self.pos), name=name, default=None)

    def _parameter_with_default(self, start: int) -> Parameter:
        self.pos += 1
        name = self._plain_text("a parameter's name")
        self.skip_blank()
        if self.peek() != "=":
            raise self.fail(
                "parameter-default",
                "`=` and a default are expected here.",
                self.place(self.pos),
                help=f"Write `?{{{name}=default}}`, or `?{name}` without one.",
            )
        self.pos += 1
        default = self._plain_text("the default")
        self._close(start + 1, "}", "unclosed-brace")
        return Parameter(span=Span(start, self.pos), name=name, default=default)

    def _plain_text(self, what: str) -> str:
        """Read a quoted string or an unquoted word as plain text."""
        self.skip_blank()
        if self.peek() == '"':
            return self.quoted().value
        match = WORD.match(self.text, self.pos)
        if match is None:
            raise self.fail(
                "missing-value",
                f"{what[0].upper()}{what[1:]} is missing before {self.found_here()}.",
                self.place(self.pos),
                help="Quote it if it holds reserved characters.",
            )
        self.pos = match.end()
        return match.group()

    def saved_query(self) -> SavedQuery:
        """Read `$name(arg="text")`; the parentheses are mandatory."""
        start = self.pos
        self.pos += 1
        if self.peek() == '"':
            name = self.quoted().value
        else:
            match = _SAVED_NAME.match(self.text, self.pos)
            if match is None:
                raise self.fail(
                    "saved-query-name",
                    "`$` starts a saved query and needs its name.",
                    Span(start, start + 1),
                    help="Quote the text if a dollar sign is meant.",
                )
            name = match.group()
            self.pos = match.end()
        if self.peek() != "(":
            span = Span(start, self.pos)
            self.report(
                "saved-query-parentheses",
                "A saved query is called with parentheses.",
                span,
                help=f"Write `{self.text[start : self.pos]}()`.",
                fix=Fix(span=Span(self.pos, self.pos), text="()", label="add ()"),
            )
            return SavedQuery(span=span, name=name, arguments=())
        opened = self.pos
        self.pos += 1
        arguments: list[SavedArgument] = []
        self.skip_blank()
        while self.peek() not in (")", ""):
            arguments.append(self._saved_argument())
            self.skip_blank()
            if self.peek() != ",":
                break
            self._comma(")")
            self.skip_blank()
        self._close(opened, ")", "unclosed-parenthesis")
        return SavedQuery(span=Span(start, self.pos), name=name, arguments=tuple(arguments))

    def _saved_argument(self) -> SavedArgument:
        start = self.pos
        name = self._plain_text("an argument's name")
        self.skip_blank()
        if self.peek() != "=":
            raise self.fail(
                "unexpected-text",
                "Arguments of a saved query are named: `name=text`.",
                self.place(self.pos),
            )
        self.pos += 1
        self.skip_blank()
        value: str | Parameter
        if self.peek() == "?":
            value = self.parameter(in_filter=False)
        else:
            value = self._plain_text("the argument's text")
        return SavedArgument(span=Span(start, self.pos), name=name, value=value)

    def placeholder(self, found: re.Match[str]) -> Word:
        """Report a template's `<placeholder>`, and read it as a word."""
        span = Span(found.start(), found.end())
        self.pos = span.end
        self.report(
            "placeholder",
            f"`{found.group()}` is a placeholder; CQL has no such value.",
            span,
            help="Put a value in its place.",
        )
        return Word(span=span, text=found.group())

    def template(self, found: re.Match[str]) -> Word:
        """Report `{{name}}` or `${name}`, and read it as a word."""
        span = Span(found.start(), found.end())
        self.pos = span.end
        name = (found.group(1) or found.group(2) or found.group(3)).replace("-", "_")
        self.report(
            "placeholder",
            f"`{found.group()[:40]}` is another tool's placeholder; CQL has no such value.",
            span,
            help=f"A parameter is written `?{name}`.",
            fix=Fix(span=span, text=f"?{name}", label="make it a parameter"),
        )
        return Word(span=span, text=found.group())

    def verbatim(self, found: re.Match[str]) -> Quoted:
        """Report `@"text"`, another language's string without escapes, and read what it means."""
        span = Span(found.start(), found.end())
        self.pos = span.end
        self.steps_read += span.end - span.start
        value = found.group(1)[1:-1].replace('""', '"')
        shown = quote(value)
        self.report(
            "verbatim-string",
            '`@"…"` is no string of CQL: `@` is a value of its own, and the text a search.',
            span,
            help=f"Write `{shown}`." if len(shown) <= 80 else 'Write `"…"`, each `\\` twice.',
            level=Level.WARNING,
            fix=Fix(span=span, text=shown, label="write a string"),
        )
        return Quoted(span=span, value=value, raw=shown)

    # --- shared small things ----------------------------------------------------------------

    def _comma(self, closer: str) -> None:
        start = self.pos
        self.pos += 1
        self.skip_blank()
        if self.peek() == closer:
            span = Span(start, start + 1)
            self.report(
                "trailing-comma",
                "A comma before the closing bracket may be refused.",
                span,
                help="Delete it.",
                level=Level.WARNING,
                fix=Fix(span=span, text="", label="delete the comma"),
            )

    def _close(self, opened: int, closer: str, code: str) -> None:
        """Read `closer`, or say what stands in its place.

        Raises:
            StepFailed: Nothing in the text closes what was opened.
        """
        self.skip_blank()
        if self.peek() == closer:
            self.pos += 1
            return
        partner = self.partner(opened)
        if partner is None or partner < self.pos:
            raise self.unclosed(opened, closer, code)
        self._not_inside(opened, closer)
        self.skip_to(closer, least=partner)
        self.jump(partner + 1)

    def _not_inside(self, opened: int, closer: str) -> None:
        """Report what stands here although its bracket, closed further on, cannot hold it."""
        opener, found = self.text[opened], self.found_here()
        if self.peek() == "|":
            self.report(
                "pipe-in-brackets",
                f"`|` separates steps and cannot stand between `{opener}` and `{closer}`.",
                self.place(self.pos),
                help="Write `or`, or close the bracket before it.",
            )
        else:
            self.report(
                "stray-character",
                f"{found} cannot stand between `{opener}` and `{closer}`.",
                self.place(self.pos),
                help=f"Delete it, or write `{closer}` before it.",
            )

    def unclosed(self, opened: int, closer: str, code: str) -> StepFailed:
        """Report that a bracket is never closed, and return what to raise."""
        help_text = f"`{closer}` is expected before {self.found_here()}."
        for start, comment in reversed(self.comments.items()):
            if start < opened:
                break
            if comment.text.startswith("//") and closer in comment.text:
                help_text = (
                    f"A `//` comment reaches to the end of its line and takes a `{closer}` with "
                    "it: break the line behind the comment, or write `/* … */`."
                )
                break
        return self.fail(
            code,
            f"This `{self.text[opened]}` is never closed.",
            Span(opened, opened + 1),
            help=help_text,
        )

    def found_here(self) -> str:
        """Name what stands here, short, for a message."""
        if self.at_end():
            return "the end of the query"
        word = WORD.match(self.text, self.pos)
        shown = word.group() if word else self.peek()
        if not shown.isprintable():
            # Nobody can see it, and a terminal may obey it.
            return f"the character U+{ord(shown[0]):04X}" if len(shown) == 1 else "a word"
        return f"`{shown[:20]}…`" if len(shown) > 20 else f"`{shown}`"

    def place(self, start: int) -> Span:
        """Return the span of the one lexeme at `start`, empty at the end."""
        if start >= len(self.text):
            return Span(len(self.text), len(self.text))
        word = WORD.match(self.text, start)
        return Span(start, word.end() if word else start + 1)

    def bad(self, start: int) -> Bad:
        """Return what was skipped from `start` to here as a node."""
        return Bad(span=Span(start, max(start, self.end)), text=self.text[start : self.end])
