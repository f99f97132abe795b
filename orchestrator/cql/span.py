"""Where something stands in a query: character offsets, and lines and columns from them."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

_LINE_END = re.compile("\n")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """`[start, end)` in characters from the start of the text."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        """Return the span from this one's start to the other's end."""
        return Span(self.start, other.end)


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column, both from 1, columns in characters."""

    line: int
    column: int


class LineIndex:
    """Line starts of one text, found once; each lookup is a binary search."""

    def __init__(self, text: str) -> None:
        self._length = len(text)
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    def position(self, offset: int) -> Position:
        """Return the line and column of `offset`, cut to the text's length."""
        offset = max(0, min(offset, self._length))
        line = bisect_right(self._starts, offset)
        return Position(line, offset - self._starts[line - 1] + 1)
