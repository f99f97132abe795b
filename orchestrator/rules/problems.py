"""What is wrong with a rule, as a value: where, how bad, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.cql.diagnostics import Diagnostic, Level
from orchestrator.cql.span import LineIndex


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
