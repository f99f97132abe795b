"""A diagnostic as people read it: place, the line, carets under it, what to write instead."""

from __future__ import annotations

from orchestrator.cql.diagnostics import Diagnostic, Level
from orchestrator.cql.span import LineIndex

_COLOURS = {Level.ERROR: "31", Level.WARNING: "33", Level.HINT: "36"}
_MAX_WIDTH = 160
"""Longest piece of a line that is shown; a longer line is cut around the place."""


def render(diagnostic: Diagnostic, *, text: str, path: str, colour: bool) -> str:
    """Return the caret form of one diagnostic, lines joined by newlines, none at the end.

    Args:
        diagnostic: What to show.
        text: The whole query that the spans point into.
        path: The name to print before the place; empty if there is none.
        colour: Whether to write ANSI colours.
    """
    index = LineIndex(text)
    start, end = (
        index.position(diagnostic.span.start),
        index.position(max(diagnostic.span.end - 1, diagnostic.span.start)),
    )
    lines = text.split("\n")
    tone = _COLOURS[diagnostic.level]
    gutter = " " * len(str(end.line))
    place = ":".join(part for part in (path, f"{start.line}:{start.column}") if part)
    head = _paint(f"{diagnostic.level.value}[{diagnostic.code}]", f"1;{tone}", colour)
    bar = _paint("|", "34", colour)
    shown = [f"{head}: {diagnostic.message}", f"{gutter} {_paint('-->', '34', colour)} {place}"]
    shown.append(f"{gutter} {bar}")
    line = lines[start.line - 1].rstrip("\r")
    last = end.column if end.line == start.line else len(line)
    line, first, last = _cut(line, start.column, max(last, start.column))
    number = _paint(f"{start.line:>{len(gutter)}}", "34", colour)
    shown.append(f"{number} {bar} {line}")
    pad = "".join("\t" if char == "\t" else " " for char in line[: first - 1])
    carets = _paint("^" * max(1, last - first + 1), tone, colour)
    more = f" … to {end.line}:{end.column}" if end.line != start.line else ""
    shown.append(f"{gutter} {bar} {pad}{carets}{more}")
    if diagnostic.help:
        shown.append(f"{gutter} {_paint('=', '34', colour)} help: {diagnostic.help}")
    return "\n".join(shown)


def _cut(line: str, first: int, last: int) -> tuple[str, int, int]:
    """Return a piece of `line` around columns `first` to `last`, and the columns in the piece."""
    if len(line) <= _MAX_WIDTH:
        return line, first, last
    begin = max(0, first - 1 - _MAX_WIDTH // 3)
    piece = line[begin : begin + _MAX_WIDTH]
    lead = "…" if begin else ""
    tail = "…" if begin + _MAX_WIDTH < len(line) else ""
    shift = len(lead) - begin
    return f"{lead}{piece}{tail}", first + shift, min(last + shift, len(lead) + len(piece))


def _paint(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text
