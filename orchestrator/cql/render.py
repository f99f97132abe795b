"""A diagnostic as people read it: place, the lines, carets under them, what to write instead.

Columns are those of a terminal: wide and combining characters and tabs are measured, and what
could redraw the reader's screen (control and bidirectional characters) is made visible.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.cql.diagnostics import Diagnostic, Fix, Level
from orchestrator.cql.span import LineIndex, Position
from orchestrator.cql.width import visible, width

_COLOURS = {Level.ERROR: "31", Level.WARNING: "33", Level.HINT: "36"}
_FRAME, _OLD, _NEW = "34", "31", "32"
_MAX_WIDTH = 160
"""Widest piece of a line that is shown, in columns; a longer line is cut around the place."""
_TAB = 4
_MAX_LINES = 6
"""Lines of a span that are shown whole; of more, the first three and the last two."""


def render(diagnostic: Diagnostic, *, text: str, path: str, colour: bool) -> str:
    """Return the caret form of one diagnostic, lines joined by newlines, none at the end.

    Args:
        diagnostic: What to show.
        text: The whole query that the spans point into.
        path: The name to print before the place; empty if there is none.
        colour: Whether to write ANSI colours.
    """
    return "\n".join(_Rendering(diagnostic, text, colour).lines(path))


def render_place(
    *, level: Level, code: str, message: str, help_text: str, path: str, at: Position, colour: bool
) -> str:
    """Return the form of a problem without a text to point into: head, place and help."""
    place = f"{path}:{at.line}:{at.column}"
    lines = [
        _head(level, code, message, colour=colour),
        f" {_paint('-->', _FRAME, colour)} {visible(place)}",
    ]
    if help_text:
        lines.append(f"  {_paint('=', _FRAME, colour)} help: {visible(help_text)}")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A line as it is shown, and where the marked part of it begins and ends, in columns."""

    text: str
    first: int
    last: int


class _Rendering:
    def __init__(self, diagnostic: Diagnostic, text: str, colour: bool) -> None:
        self._diagnostic, self._text, self._colour = diagnostic, text, colour
        self._index = LineIndex(text)
        self._lines = [line.rstrip("\r") for line in text.split("\n")]
        span = diagnostic.span
        self._start = self._index.position(span.start)
        self._end = self._index.position(max(span.end - 1, span.start))
        last = max(self._end.line, self._fix_line())
        self._digits = len(str(last))

    def lines(self, path: str) -> list[str]:
        found, gutter = self._diagnostic, " " * self._digits
        place = f"{self._start.line}:{self._start.column}"
        place = f"{visible(path)}:{place}" if path else place
        shown = [
            _head(found.level, found.code, found.message, colour=self._colour),
            f"{gutter} {self._frame('-->')} {place}",
            f"{gutter} {self._frame('|')}",
        ]
        is_long = self._end.line > self._start.line
        shown += self._several_lines() if is_long else self._one_line()
        if found.help:
            shown.append(f"{gutter} {self._frame('=')} help: {visible(found.help)}")
        if found.fix is not None:
            shown += self._fix_lines(found.fix)
        return shown

    # --- the place ------------------------------------------------------------------------------

    def _one_line(self) -> list[str]:
        piece = self._piece(self._start.line, self._start.column, self._end.column)
        marks = " " * piece.first + self._mark("^" * max(1, piece.last - piece.first))
        return [self._numbered(self._start.line, piece.text), self._blank(marks)]

    def _several_lines(self) -> list[str]:
        """Return the lines of a long span with a bar beside them, from its start to its end."""
        first, last = self._start.line, self._end.line
        numbers = list(range(first, last + 1))
        begin = self._piece(first, self._start.column, self._start.column)
        shown = [
            self._numbered(first, f"  {begin.text}"),
            self._blank(self._mark(f" {'_' * (begin.first + 1)}^")),
        ]
        skipped = len(numbers) > _MAX_LINES
        shown += [self._barred(number) for number in numbers[1 : 3 if skipped else -1]]
        if skipped:
            shown.append(f"{'.' * 3:<{self._digits}} {self._mark('|')}".rstrip())
            shown.append(self._barred(last - 1))
        end = self._piece(last, self._end.column, self._end.column)
        shown.append(self._numbered(last, f"{self._mark('|')} {end.text}"))
        shown.append(self._blank(self._mark(f"|{'_' * (end.last)}^")))
        return shown

    def _barred(self, number: int) -> str:
        return self._numbered(number, f"{self._mark('|')} {self._piece(number, 1, 1).text}")

    # --- the fix --------------------------------------------------------------------------------

    def _fix_line(self) -> int:
        fix = self._diagnostic.fix
        return 0 if fix is None else self._index.position(fix.span.end).line

    def _fix_lines(self, fix: Fix) -> list[str]:
        """Return what the fix does, and its line before and after where it is one line."""
        gutter = " " * self._digits
        shown = [f"{gutter} {self._frame('=')} fix: {visible(fix.label)}"]
        start, end = self._index.position(fix.span.start), self._index.position(fix.span.end)
        if start.line != end.line or "\n" in fix.text:
            return shown
        line = self._lines[start.line - 1]
        new = line[: start.column - 1] + fix.text + line[end.column - 1 :]
        for sign, text, tone, stop in (
            ("-", line, _OLD, end.column - 1),
            ("+", new, _NEW, start.column - 1 + len(fix.text)),
        ):
            piece = _cut(text, start.column, max(stop, start.column))
            number = self._frame(f"{start.line:>{self._digits}}")
            shown.append(f"{number} {_paint(f'{sign} {piece.text}'.rstrip(), tone, self._colour)}")
        return shown

    # --- small things ---------------------------------------------------------------------------

    def _piece(self, number: int, first: int, last: int) -> _Piece:
        return _cut(self._lines[number - 1], first, last)

    def _numbered(self, number: int, text: str) -> str:
        return f"{self._frame(f'{number:>{self._digits}} |')} {text}".rstrip()

    def _blank(self, text: str) -> str:
        return f"{' ' * self._digits} {self._frame('|')} {text}"

    def _frame(self, text: str) -> str:
        return _paint(text, _FRAME, self._colour)

    def _mark(self, text: str) -> str:
        return _paint(text, _COLOURS[self._diagnostic.level], self._colour)


def _head(level: Level, code: str, message: str, *, colour: bool) -> str:
    return f"{_paint(f'{level.value}[{code}]', f'1;{_COLOURS[level]}', colour)}: {visible(message)}"


def _cut(line: str, first: int, last: int) -> _Piece:
    """Return the part of `line` around the characters `first` to `last`, counted from 1."""
    cells: list[str] = []
    column = 0
    for char in line:
        cells.append(" " * (_TAB - column % _TAB) if char == "\t" else visible(char))
        column += width(cells[-1])
    begin, end = 0, len(cells)
    if column > _MAX_WIDTH:
        begin = _back(cells, first - 1, _MAX_WIDTH // 3)
        end = _forward(cells, begin, _MAX_WIDTH)
    lead, tail = "…" if begin else "", "…" if end < len(cells) else ""
    before = width(lead) + width("".join(cells[begin : first - 1]))
    marked = width("".join(cells[first - 1 : min(last, end)]))
    return _Piece(f"{lead}{''.join(cells[begin:end])}{tail}", before, before + marked)


def _back(cells: list[str], place: int, columns: int) -> int:
    """Return the first cell that is at most `columns` before `place`."""
    used = 0
    while place > 0 and used + width(cells[place - 1]) <= columns:
        place -= 1
        used += width(cells[place])
    return place


def _forward(cells: list[str], place: int, columns: int) -> int:
    """Return the cell behind the last that fits into `columns` from `place`."""
    used = 0
    while place < len(cells) and used + width(cells[place]) <= columns:
        used += width(cells[place])
        place += 1
    return place


def _paint(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text
