"""The reading head: a text, a place in it, and what was found wrong so far.

There is no token list. What a character means depends on whether a filter or an expression is
being read, so the parser asks the scanner for exactly the lexeme it can accept. The head moves
forward only, apart from look-ahead of a bounded length, so the work grows with the text.
"""

from __future__ import annotations

from orchestrator.cql.diagnostics import Diagnostic, Fix, Level
from orchestrator.cql.nodes import Comment, Quoted, Regex
from orchestrator.cql.parser.characters import REGEX_FLAGS, WHITESPACE
from orchestrator.cql.span import Span

MAX_NESTING = 50
"""Brackets, calls and clauses inside each other. Published queries stay below 12; the limit keeps
the recursion of everything that reads the tree bounded."""

_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
_CLOSERS = {"(": ")", "[": "]", "{": "}"}


class StepFailed(Exception):
    """Internal: this step cannot be read on; its diagnostic is recorded already."""


class ParseAborted(Exception):
    """Internal: nothing after this place can be read; its diagnostic is recorded already."""


class Scanner:
    """Text, position, comments and diagnostics; the base of the parser's areas."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.steps_read = 0
        """How often the head was moved: a measure of work that no clock can blur."""
        self.diagnostics: list[Diagnostic] = []
        self.comments: dict[int, Comment] = {}
        self.depth = 0
        self.in_clause = False
        self._strings_end_with_line = False

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
        self.diagnostics.append(
            Diagnostic(code=code, level=level, message=message, span=span, help=help, fix=fix)
        )

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
        if self.depth > MAX_NESTING:
            self.report(
                "too-deep",
                f"The query is nested more than {MAX_NESTING} levels deep.",
                Span(start, start + 1),
                help="Split it into steps, or take redundant parentheses away.",
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

    def skip_blank(self) -> None:
        """Move over white space and comments, keeping the comments."""
        text, length = self.text, len(self.text)
        self.steps_read += 1
        while self.pos < length:
            char = text[self.pos]
            if char in " \t\r\n\f":
                match = WHITESPACE.match(text, self.pos)
                self.pos = match.end() if match else self.pos + 1
            elif char == "\u00a0":
                # Reserved like every other control; worth its own words since nobody can see it.
                self.report(
                    "non-breaking-space",
                    "This is a non-breaking space, which LogScale refuses.",
                    Span(self.pos, self.pos + 1),
                    help="Replace it with an ordinary blank.",
                    fix=Fix(span=Span(self.pos, self.pos + 1), text=" ", label="write a blank"),
                )
                self.pos += 1
            elif text.startswith(("//", "/*"), self.pos):
                self._comment()
            else:
                return

    def _comment(self) -> None:
        start = self.pos
        if self.text.startswith("//", start):
            end = self.text.find("\n", start)
            self.pos = len(self.text) if end < 0 else end
        else:
            end = self.text.find("*/", start + 2)
            if end < 0:
                self.report(
                    "unterminated-comment",
                    "This comment is never closed.",
                    Span(start, start + 2),
                    help="Close it with `*/`.",
                )
            self.pos = len(self.text) if end < 0 else end + 2
        span = Span(start, self.pos)
        self.comments[start] = Comment(span=span, text=self.text[start : self.pos].rstrip("\r"))

    def after_blank(self, pos: int) -> int:
        """Return the first place from `pos` that is neither blank nor comment, without moving."""
        kept, self.pos = self.pos, pos
        known, found = len(self.diagnostics), dict[int, Comment]()
        comments, self.comments = self.comments, found
        self.skip_blank()
        place, self.pos = self.pos, kept
        # What the look-ahead saw is recorded once, when the head itself passes.
        del self.diagnostics[known:]
        self.comments = comments
        return place

    # --- lexemes that mean the same in both modes -----------------------------------------------

    def quoted(self) -> Quoted:
        """Read a `"string"` from its opening quote."""
        text, start = self.text, self.pos
        line_end = text.find("\n", start)
        limit = line_end if self._strings_end_with_line and line_end >= 0 else len(text)
        place, value, run = start + 1, list[str](), start + 1
        while place < limit and text[place] != '"':
            if text[place] == "\\" and place + 1 < limit:
                known = _ESCAPES.get(text[place + 1])
                # An escape that the grammar does not name keeps its backslash: strings feed
                # regexes, and published queries write "\S+" for it.
                value += (text[run:place], known if known is not None else text[place : place + 2])
                run = place = place + 2
            else:
                place += 1
        if place >= limit:
            return self._unterminated_string(start, line_end)
        value.append(text[run:place])
        self.pos = place + 1
        raw = text[start : self.pos]
        if "\n" in raw:
            self.report(
                "multi-line-string",
                "This string spans lines, which the grammar guide does not allow.",
                Span(start, self.pos),
                help="Write `\\n` for the line break, or check for a missing quote.",
                level=Level.HINT,
            )
        return Quoted(span=Span(start, self.pos), value="".join(value), raw=raw)

    def _unterminated_string(self, start: int, line_end: int) -> Quoted:
        end = line_end if line_end >= 0 else len(self.text)
        self._strings_end_with_line = True
        self.report(
            "unterminated-string",
            "This string is never closed.",
            Span(start, end),
            help='Close it with `"`; a quote inside is written `\\"`.',
        )
        self.pos = end
        value = self.text[start + 1 : end]
        return Quoted(span=Span(start, end), value=value, raw=_quote(value))

    def single_quoted(self) -> Quoted:
        """Read `'text'`, say that it is no string, and go on as if it were one."""
        start = self.pos
        line_end = self.text.find("\n", start)
        limit = line_end if line_end >= 0 else len(self.text)
        close = self.text.find("'", start + 1, limit)
        self.pos = close + 1 if close >= 0 else limit
        value = self.text[start + 1 : close if close >= 0 else limit]
        span = Span(start, self.pos)
        self.report(
            "single-quotes",
            "CQL has no single-quoted strings.",
            span,
            help=f"Write {_quote(value)}.",
            fix=Fix(span=span, text=_quote(value), label="use double quotes"),
        )
        return Quoted(span=span, value=value, raw=_quote(value))

    def regex(self) -> Regex:
        """Read a `/regex/flags` literal from its opening slash.

        A slash inside a character class does not close it: published packages rely on that.
        """
        text, start = self.text, self.pos
        line_end = text.find("\n", start)
        limit = line_end if line_end >= 0 else len(text)
        place, in_class, loose = start + 1, False, -1
        while place < limit:
            char = text[place]
            if char == "\\":
                place += 1
            elif char == "[":
                in_class = True
            elif char == "]":
                in_class = False
            elif char == "/":
                if not in_class:
                    break
                loose = place
            place += 1
        if place >= limit:
            self.pos = limit
            self.report(
                "unterminated-regex",
                "This regex is not closed on its line.",
                Span(start, limit),
                help="Close it with `/`; a slash inside is written `\\/`."
                + (" A `[` in it is still open." if in_class else ""),
            )
            return Regex(span=Span(start, limit), body=text[start + 1 : limit], flags="")
        if loose >= 0:
            self.report(
                "unescaped-slash",
                "A slash inside a character class is better escaped.",
                Span(loose, loose + 1),
                help="Write `\\/`.",
                level=Level.HINT,
                fix=Fix(span=Span(loose, loose + 1), text="\\/", label="escape the slash"),
            )
        return self._regex_flags(start, place)

    def _regex_flags(self, start: int, slash: int) -> Regex:
        text, end = self.text, slash + 1
        while end < len(text) and text[end].isascii() and text[end].isalnum():
            end += 1
        flags = text[slash + 1 : end]
        self.pos = end
        for index, flag in enumerate(flags):
            if flag not in REGEX_FLAGS:
                place = Span(slash + 1 + index, slash + 2 + index)
                self.report(
                    "unknown-regex-flag",
                    f"`{flag}` is not a regex flag; there are i, m, d, g and F.",
                    place,
                    help="Dot matches newline is `d`." if flag == "s" else "",
                )
                break
        return Regex(span=Span(start, end), body=text[start + 1 : slash], flags=flags)

    # --- recovery -------------------------------------------------------------------------------

    def skip_to(self, stops: str) -> None:
        """Move to the next character of `stops` outside brackets and strings, or to the end."""
        open_brackets: list[str] = []
        kept = len(self.diagnostics)
        while True:
            self.skip_blank()
            char = self.peek()
            if not char or (not open_brackets and char in stops):
                break
            if char == '"':
                self.quoted()
            elif char == "/" and self._looks_like_regex():
                self.regex()
            elif char in _CLOSERS:
                open_brackets.append(_CLOSERS[char])
                self.pos += 1
            elif open_brackets and char == open_brackets[-1]:
                open_brackets.pop()
                self.pos += 1
            else:
                self.pos += 1
        # Skipped text is already reported once; what is wrong inside it would be noise.
        del self.diagnostics[kept:]

    def _looks_like_regex(self) -> bool:
        before = self.text[max(0, self.pos - 1) : self.pos]
        return before in ("", "=", " ", "(", "\n", "!")


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
