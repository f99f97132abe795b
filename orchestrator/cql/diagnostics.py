"""What a check says about a query: a value with a place, never an exception.

The JSON form (`to_json`) is a contract: programs read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.cql.span import LineIndex, Span


class Level(StrEnum):
    """How much it matters."""

    ERROR = "error"
    """LogScale refuses it, or it certainly does not mean what it says."""
    WARNING = "warning"
    """It runs, and probably not as meant."""
    HINT = "hint"
    """It runs as meant; there is a better way, or a limit to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A safe replacement of `span` by `text`; `label` says what it does."""

    span: Span
    text: str
    label: str

    def to_json(self, *, index: LineIndex) -> dict[str, object]:
        """Return the contract object: its label, and its edits with their places and texts."""
        return {"label": self.label, "edits": self.edits(index=index)}

    def edits(self, *, index: LineIndex) -> list[dict[str, object]]:
        """Return the replacements, each with its place and text."""
        return [{**_range(self.span, index), "text": self.text}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One thing that one check says about one place."""

    code: str
    """Stable, kebab-case, such as `infix-in`."""
    level: Level
    message: str
    """What is wrong, in one sentence."""
    span: Span
    help: str = ""
    """What to write instead, where there is something to write."""
    fix: Fix | None = None

    def to_json(self, *, path: str, index: LineIndex) -> dict[str, object]:
        """Return the contract object: path, line, column, ends, level, code, message, fix."""
        return {
            "path": path,
            **_range(self.span, index),
            "level": self.level.value,
            "code": self.code,
            "message": f"{self.message} {self.help}".strip(),
            "fix": None if self.fix is None else self.fix.to_json(index=index),
        }


def _range(span: Span, index: LineIndex) -> dict[str, object]:
    start, end = index.position(span.start), index.position(span.end)
    return {
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
    }
