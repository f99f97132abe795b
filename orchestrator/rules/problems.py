"""What is wrong with a rule, as a value: where, how bad, and what to write instead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cql.diagnostics import Diagnostic, Level
from orchestrator.cql.span import LineIndex, Span

_WORD = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem of one file; lines and columns count from 1."""

    path: Path
    line: int
    column: int
    level: Level
    code: str
    message: str
    help: str = ""
    text: str = ""
    """The query that `diagnostic` points into; empty for other problems."""
    diagnostic: Diagnostic | None = None

    def pointing_into(self, text: str) -> Diagnostic | None:
        """Return the problem as a place in its file's text; None if the text has no such line."""
        if self.diagnostic is not None:
            return self.diagnostic
        lines = text.split("\n")
        if not text or self.line > len(lines):
            return None
        before = sum(len(line) + 1 for line in lines[: self.line - 1])
        start = before + min(self.column - 1, len(lines[self.line - 1]))
        # A missing key has no place of its own: the mapping that lacks it begins here.
        word = None if self.code == "missing-key" else _WORD.match(text, start)
        return Diagnostic(
            code=self.code,
            level=self.level,
            message=self.message,
            span=Span(start, word.end() if word else start),
            help=self.help,
        )

    @property
    def fix_label(self) -> str:
        """Return what the fix does; empty where there is none."""
        fix = self.diagnostic.fix if self.diagnostic else None
        return fix.label if fix else ""

    def edits(self) -> list[dict[str, object]]:
        """Return the fix's edits as in `to_json`; none where there is no fix."""
        fix = self.diagnostic.fix if self.diagnostic else None
        return fix.edits(index=LineIndex(self.text)) if fix else []

    def to_json(self) -> dict[str, object]:
        """Return the contract object of `lint --format json`."""
        if self.diagnostic is not None:
            return self.diagnostic.to_json(path=str(self.path), index=LineIndex(self.text))
        return {
            "path": str(self.path),
            "line": self.line,
            "column": self.column,
            "end_line": self.line,
            "end_column": self.column,
            "level": self.level.value,
            "code": self.code,
            "message": f"{self.message} {self.help}".strip(),
            "fix": None,
        }
