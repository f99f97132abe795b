"""The half-open span of time that one run answers for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """`[start, end)` in aware UTC; never empty."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a window's ends must be aware")
        if self.end <= self.start:
            raise ValueError(f"a window must end after it starts: {self.start} to {self.end}")

    @property
    def length(self) -> timedelta:
        """Return end minus start, always positive."""
        return self.end - self.start

    def widened(self, lookback: timedelta) -> Window:
        """Return the span a run reads: this window and `lookback` before it."""
        return Window(self.start - lookback, self.end)

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end
