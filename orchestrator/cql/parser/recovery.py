"""Recovery: where reading goes on behind a step, an argument or a clause that cannot be read.

What closes which bracket is found once for a text, and only for a text with an error. So a bracket
that nobody closes is reported where it opens, and does not hide the steps behind it.
"""

from __future__ import annotations

import re

from orchestrator.cql.parser.characters import FLAGS, NO_BREAK, REGEX_BODY, WORD
from orchestrator.cql.parser.literals import LiteralScanner

_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_LEXEME = re.compile(
    rf"""[ \t\r\n\f{NO_BREAK}]++|"(?:[^"\\]|\\.)*+"|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?+"""
    rf"|{WORD.pattern}|.",
    re.DOTALL,
)
_BEFORE_REGEX = frozenset("=|({;!, \t\r\n") | {""}


class RecoveringScanner(LiteralScanner):
    """Skips what cannot be read, and knows which bracket closes which."""

    _partners: dict[int, int] | None = None

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._regexes = _Regexes(text)
        self._last_loose: dict[str, int] = {}

    def partner(self, opened: int) -> int | None:
        """Return the place of the bracket that closes the one at `opened`; None if none does."""
        return self._paired().get(opened)

    def closes_for_other(self, opened: int) -> bool:
        """Say whether the closing bracket here is a slip for the one that `opened` needs.

        It is one where nothing closes `opened`, and the text holds one like it too many behind.
        """
        if self.peek() not in (")", "]") or self.partner(opened) is not None:
            return False
        return self._last_loose.get(self.peek(), -1) > self.pos

    def _paired(self) -> dict[int, int]:
        if self._partners is None:
            self._partners, self._last_loose = _pairs(self.text)
            self.steps_read += len(self.text)
        return self._partners

    def skip_to(self, stops: str, *, least: int = 0) -> None:
        """Move to the next character of `stops` outside brackets and strings, or to the end.

        Nothing before the place `least` stops it. Comments on the way are kept.
        """
        kept = len(self.diagnostics)
        inside = max(self.pos, least)
        while True:
            self.skip_blank()
            char = self.peek()
            if not char or (self.pos >= inside and char in stops):
                break
            if char == '"':
                self.quoted()
            elif char == "/":
                self.pos = self._regexes.end(self.pos) or self.pos + 1
            else:
                if char in _CLOSERS:
                    inside = max(inside, (self.partner(self.pos) or 0) + 1)
                # A word is passed whole: `//` inside it is no comment.
                word = WORD.match(self.text, self.pos)
                self.pos = self.pos + 1 if word is None else word.end()
            # Skipped text is already reported once; what is wrong inside it would be noise.
            self.forget(kept)
        self.forget(kept)


class _Regexes:
    """Finds regexes in text that is skipped, from what is next to their slashes alone."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._none_before = 0
        """Up to here no regex is closed: found once, so that no line is scanned twice."""

    def end(self, slash: int) -> int | None:
        """Return where the regex that starts at a slash ends; None if the slash is a division."""
        text = self._text
        before, behind = text[max(0, slash - 1) : slash], text[slash + 1 : slash + 2]
        if slash < self._none_before or before not in _BEFORE_REGEX or behind.isspace():
            return None
        body = REGEX_BODY.match(text, slash + 1)
        closed = slash if body is None else body.end()
        if not text.startswith("/", closed):
            self._none_before = closed
            return None
        flags = FLAGS.match(text, closed + 1)
        return closed + 1 if flags is None else flags.end()


def _pairs(text: str) -> tuple[dict[int, int], dict[str, int]]:
    """Return the place of the closing bracket by the place of the opening one.

    With them the place of the last bracket of each kind that closes nothing.

    An inner bracket that is not closed gives way to the one around it, a brace to nothing.
    """
    found: dict[int, int] = {}
    loose: dict[str, int] = {}
    opened: list[tuple[str, int]] = []
    braces, pos = 0, 0
    regexes = _Regexes(text)
    while (match := _LEXEME.match(text, pos)) is not None:
        lexeme = match.group()
        pos = match.end()
        if lexeme in _CLOSERS:
            opened.append((_CLOSERS[lexeme], match.start()))
            braces += lexeme == "{"
        elif lexeme in (")", "]", "}"):
            if lexeme == "}" and braces:
                while opened[-1][0] != "}":
                    opened.pop()
            elif len(opened) > 1 and opened[-2][0] == lexeme != opened[-1][0] != "}":
                opened.pop()
            if opened and opened[-1][0] == lexeme:
                found[opened.pop()[1]] = match.start()
                braces -= lexeme == "}"
            else:
                loose[lexeme] = match.start()
        elif lexeme == "/":
            pos = regexes.end(match.start()) or pos
    return found, loose
