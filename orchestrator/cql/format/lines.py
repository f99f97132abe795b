"""Lines in the making: indentation, code and the comment behind it are kept apart.

A bracket or separator that is put behind a line goes behind its code, so no comment ever swallows
it. The last line of a construct always holds code.
"""

from __future__ import annotations

from dataclasses import dataclass, field

INDENT = 2


@dataclass(slots=True)
class Line:
    """One line; `text` may hold line breaks of a string or comment that spans lines."""

    text: str
    indent: int = 0
    comments: list[str] = field(default_factory=list)
    """What stands behind the code, markers included."""

    @property
    def is_closed(self) -> bool:
        """Say whether a `//` comment stands behind the code: nothing can follow it."""
        return bool(self.comments) and self.comments[-1].startswith("//")

    def rendered(self) -> str:
        """Return the line as text, without its line break."""
        parts = [part for part in (self.text, *self.comments) if part]
        return " " * self.indent + " ".join(parts) if parts else ""


def indented(lines: list[Line], columns: int = INDENT) -> list[Line]:
    """Move the lines to the right and return them."""
    for line in lines:
        line.indent += columns
    return lines


def prefixed(lines: list[Line], text: str) -> list[Line]:
    """Put `text` before the first line's code and return the lines."""
    lines[0].text = text + lines[0].text
    return lines


def hanging(lines: list[Line], mark: str) -> list[Line]:
    """Put `mark` before the first line's code and align the other lines behind it."""
    indented(lines[1:], len(mark))
    return prefixed(lines, mark)


def suffixed(lines: list[Line], text: str) -> list[Line]:
    """Put `text` behind the last line's code and return the lines."""
    lines[-1].text += text
    return lines
