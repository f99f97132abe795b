"""The reading head: a text, a place in it, the blanks around it, and what was found wrong so far.

There is no token list. What a character means depends on whether a filter or an expression is
being read, so the parser asks the scanner for exactly the lexeme it can accept. The head moves
forward only, apart from look-ahead of a bounded length, so the work grows with the text.
"""

from __future__ import annotations

from orchestrator.cql.diagnostics import Diagnostic, Fix, Level
from orchestrator.cql.nodes import Comment
from orchestrator.cql.parser.characters import BLANK, NO_BREAK
from orchestrator.cql.span import Span

MAX_NESTING = 50
"""Brackets, calls and clauses inside each other. Published queries stay below 12; the limit keeps
the recursion of everything that reads the tree bounded."""

MAX_ERRORS = 1_000
"""Errors after which reading stops: nobody corrects more in one go."""

_BLANK_OR_SLASH = frozenset(f" \t\r\n\f/{NO_BREAK}")


class StepFailed(Exception):
    """Internal: this step cannot be read on; its diagnostic is recorded already."""


class ParseAborted(Exception):
    """Internal: what is behind this place is not read; its diagnostic is recorded already."""


class Scanner:
    """Text, position, comments and diagnostics; the base of the parser's areas."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.steps_read = 0
        """How often the head was moved: a measure of work that no clock can blur."""
        self.diagnostics: list[Diagnostic] = []
        self._errors = 0
        self.comments: dict[int, Comment] = {}
        self.depth = 0
        self.deepest = 0
        """Most levels of nesting seen so far."""
        self.longest_chain = 0
        """Most operators, prefixes and parentheses of one filter or expression."""
        self.in_clause = False
        self.step_start = 0
        self._gap_start = self._gap_end = 0
        self._holds_no_break = NO_BREAK in text

    # --- saying what is wrong ---------------------------------------------------------------

    def report(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        help: str = "",  # noqa: A002  # the name of the diagnostic's own field
        level: Level = Level.ERROR,
        fix: Fix | None = None,
    ) -> None:
        """Record one diagnostic and go on."""
        self.add(Diagnostic(code=code, level=level, message=message, span=span, help=help, fix=fix))
        if self._errors == MAX_ERRORS and level is Level.ERROR:
            self.report(
                "too-many-errors",
                f"Reading stopped here, after {MAX_ERRORS:,} errors.",
                span,
                help="Correct the first ones; what is behind this place has not been read.",
            )
            raise ParseAborted

    def add(self, found: Diagnostic) -> None:
        """Record a diagnostic that is made already."""
        self.diagnostics.append(found)
        self._errors += found.level is Level.ERROR

    def forget(self, known: int) -> list[Diagnostic]:
        """Take back every diagnostic but the first `known` ones, and return them."""
        taken = self.diagnostics[known:]
        del self.diagnostics[known:]
        self._errors -= sum(found.level is Level.ERROR for found in taken)
        return taken

    def fail(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        help: str = "",  # noqa: A002  # the name of the diagnostic's own field
    ) -> StepFailed:
        """Record an error that ends the step, and return what to raise."""
        self.report(code, message, span, help=help)
        return StepFailed()

    def enter(self, start: int) -> None:
        """Count one more level of nesting; pair with `leave`.

        Raises:
            ParseAborted: The text is nested deeper than `MAX_NESTING`.
        """
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        if self.depth > MAX_NESTING:
            self.report(
                "too-deep",
                f"The query is nested more than {MAX_NESTING} levels deep.",
                Span(start, start + 1),
                help="Split it into steps.",
            )
            raise ParseAborted

    def leave(self) -> None:
        """Undo one `enter`."""
        self.depth -= 1

    # --- moving -----------------------------------------------------------------------------

    def peek(self, length: int = 1) -> str:
        """Return the next `length` characters, fewer at the end."""
        return self.text[self.pos : self.pos + length]

    def at_end(self) -> bool:
        """Say whether nothing is left."""
        return self.pos >= len(self.text)

    @property
    def end(self) -> int:
        """The place behind the last lexeme, before the blanks that the head has passed since."""
        return self._gap_start if self.pos == self._gap_end else self.pos

    def jump(self, place: int) -> None:
        """Move to a place where a lexeme ends."""
        self.pos = self._gap_start = self._gap_end = place

    def skip_blank(self) -> None:
        """Move over white space and comments, keeping the comments."""
        text, start = self.text, self.pos
        if start != self._gap_end:
            self._gap_start = start
        self.steps_read += 1
        while text[self.pos : self.pos + 1] in _BLANK_OR_SLASH:
            blank = BLANK.match(text, self.pos)
            if blank is not None:
                if self._holds_no_break and NO_BREAK in blank.group():
                    self._non_breaking(blank.start(), blank.group())
                self.pos = blank.end()
            if not text.startswith(("//", "/*"), self.pos):
                break
            self._comment()
        self._gap_end = self.pos

    def after_blank(self, pos: int) -> int:
        """Return the first place from `pos` that is neither blank nor comment, without moving."""
        text = self.text
        while text[pos : pos + 1] in _BLANK_OR_SLASH:
            blank = BLANK.match(text, pos)
            pos = pos if blank is None else blank.end()
            if not text.startswith(("//", "/*"), pos):
                break
            pos, _ = self._comment_end(pos)
        return pos

    def _non_breaking(self, start: int, blank: str) -> None:
        # Reserved like every other control. Published queries hold it all the same, where they
        # were copied from a page that shows it.
        first, last = blank.index(NO_BREAK), blank.rindex(NO_BREAK) + 1
        span = Span(start + first, start + last)
        self.report(
            "non-breaking-space",
            "This blank is a non-breaking space, a reserved character that nobody can see.",
            span,
            help="Replace it with an ordinary blank.",
            level=Level.WARNING,
            fix=Fix(
                span=span,
                text=blank[first:last].replace(NO_BREAK, " "),
                label="write ordinary blanks",
            ),
        )

    def _comment_end(self, start: int) -> tuple[int, bool]:
        """Return where the comment at `start` ends, and whether it is closed."""
        closer, length = ("\n", 0) if self.text.startswith("//", start) else ("*/", 2)
        end = self.text.find(closer, start + 2)
        self.steps_read += 1
        if end < 0:
            return len(self.text), not length
        return end + length, True

    def _comment(self) -> None:
        start = self.pos
        self.pos, closed = self._comment_end(start)
        if not closed:
            help_text = "Close it with `*/`."
            if self.text[:start].rstrip(" \t")[-1:] == "=":
                help_text += " A regex cannot start with `*`: any text is `.*`."
            self.report(
                "unterminated-comment",
                "This comment is never closed.",
                Span(start, start + 2),
                help=help_text,
            )
        text = self.text[start : self.pos].rstrip("\r")
        self.comments[start] = Comment(span=Span(start, start + len(text)), text=text)
