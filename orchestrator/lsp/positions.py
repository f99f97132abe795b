"""Offsets to the protocol's lines and columns, and back, exact in every unit of columns.

The protocol counts from 0, ends a line at a line feed, a carriage return or both together, and
counts columns in code units of an encoding that client and server agree on: UTF-16 unless the
client offers another. Our spans count characters.
Source: Language Server Protocol 3.17, text documents, position.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum

_LINE_BREAK = re.compile(r"\r\n|\n|\r")


class Units(StrEnum):
    """What a column counts."""

    UTF_8 = "utf-8"
    UTF_16 = "utf-16"
    UTF_32 = "utf-32"

    def length(self, text: str) -> int:
        """Return how many units `text` takes."""
        if self is Units.UTF_32 or text.isascii():
            return len(text)
        if self is Units.UTF_8:
            return len(text.encode("utf-8", "surrogatepass"))
        return len(text) + sum(char > "\uffff" for char in text)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Line and column, both from 0; columns in the units agreed on."""

    line: int
    column: int


class Positions:
    """The lines of one text, found once."""

    def __init__(self, text: str, units: Units) -> None:
        self._text, self._units = text, units
        self._starts, self._ends = [0], list[int]()
        for found in _LINE_BREAK.finditer(text):
            self._ends.append(found.start())
            self._starts.append(found.end())
        self._ends.append(len(text))

    def place(self, offset: int) -> Place:
        """Return where `offset` is; inside a line break or behind the text, the end before it."""
        offset = max(0, min(offset, len(self._text)))
        line = bisect_right(self._starts, offset) - 1
        start = self._starts[line]
        cut = min(offset, self._ends[line])
        return Place(line, self._units.length(self._text[start:cut]))

    def offset(self, place: Place) -> int:
        """Return the offset of a place.

        A column behind its line is the line's end, a line behind the text is the text's end, and a
        column inside a character is that character's start: clients do send all three.
        """
        if place.line < 0:
            return 0
        if place.line >= len(self._starts):
            return len(self._text)
        start, end = self._starts[place.line], self._ends[place.line]
        line = self._text[start:end]
        if place.column <= 0:
            return start
        if self._units is Units.UTF_32 or line.isascii():
            return min(start + place.column, end)
        taken = 0
        for index, char in enumerate(line):
            taken += self._units.length(char)
            if taken > place.column:
                return start + index
        return end

    def line_start(self, offset: int) -> int:
        """Return where the line of `offset` begins."""
        return self._starts[bisect_right(self._starts, max(0, offset)) - 1]

    def lines(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the pieces of `[start, end)` line by line, without line breaks, none empty."""
        first = bisect_right(self._starts, start) - 1
        pieces: list[tuple[int, int]] = []
        for line in range(first, len(self._starts)):
            if self._starts[line] >= end:
                break
            piece = max(start, self._starts[line]), min(end, self._ends[line])
            if piece[0] < piece[1]:
                pieces.append(piece)
        return pieces
