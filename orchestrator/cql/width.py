"""How a text looks on a terminal: its columns, and what must be written out to be seen."""

from __future__ import annotations

import unicodedata

_WIDE = frozenset("WF")
_NO_COLUMN = frozenset(("Mn", "Me", "Cf"))
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


def width(text: str) -> int:
    """Return the columns of `text`: two for wide characters, none for combining ones.

    A tab counts as one; who prints tabs expands them first.
    """
    return len(text) if text.isascii() else sum(map(char_width, text))


def char_width(char: str) -> int:
    """Return the columns of one character: 0, 1 or 2."""
    if char.isascii():
        return 1
    if unicodedata.category(char) in _NO_COLUMN:
        return 0
    return 2 if unicodedata.east_asian_width(char) in _WIDE else 1


def visible(text: str) -> str:
    """Return `text` with each control and format character written out as its code."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        f"\\u{ord(char):04x}" if unicodedata.category(char) in _INVISIBLE else char for char in text
    )
