"""How old a table is, and what that forbids."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.model.inventory import SourceState, SourceStatus
from orchestrator.units import format_duration, format_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAge:
    """What must be kept to say at any later instant whether a table may still excuse anything."""

    where: str
    """The source, for people."""
    count: int
    as_of: datetime | None
    """None: it was never read."""
    max_age: timedelta
    refusal: str = ""
    """Why the newest reading was refused; empty where it was taken."""

    def status(self, now: datetime) -> SourceStatus:
        """Return the state at `now`; a reading dated ahead of `now` counts as just made."""
        if self.as_of is None:
            return SourceStatus(state=SourceState.MISSING, detail=self.refusal)
        age = max(now - self.as_of, timedelta(0))
        notes = [f"{self.where}, {self.count} facts as of {format_instant(self.as_of)}"]
        state = SourceState.FRESH
        if not self.count:
            state = SourceState.EMPTY
        elif age > self.max_age:
            state = SourceState.STALE
            notes.append(f"older than {format_duration(self.max_age)}")
        if self.refusal:
            notes.append(f"the newest reading was refused: {self.refusal}")
        return SourceStatus(state=state, detail="; ".join(notes), read_at=self.as_of, age=age)


def never_configured(table: str) -> SourceStatus:
    """Return the status of a table without a source."""
    return SourceStatus(state=SourceState.MISSING, detail=f"no source is configured for {table}")
