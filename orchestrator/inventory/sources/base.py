"""What every source of facts answers: its facts, or every reason why it has none.

A source is taken as a whole or not at all: one wrong row could be the one that hides a finding, so
any problem refuses the source, and its table is then missing rather than incomplete.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator.model.inventory import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """Where one table is read from."""

    path: Path
    """A `.csv` or `.ndjson` file."""
    max_age: timedelta = timedelta(hours=24)
    """Older than this, the table excuses nothing. A day: most inventories are exported nightly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something in a source that must be put right; `line` counts from 1, 0 is the whole file."""

    path: Path
    line: int
    message: str
    """What is wrong, in one sentence without a full stop."""
    help: str
    """What to do."""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else f"{self.path}"
        return f"{place}: {self.message}. {self.help}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRead:
    """The answer of one source."""

    facts: tuple[Fact, ...]
    """Empty if there is any problem."""
    problems: tuple[Problem, ...]
    as_of: datetime | None
    """The instant that the facts describe; None where the source could not be opened."""
