"""The only reader of the time.

Everything above takes a `Clock`; tests and the demo pass a `FrozenClock` and decide what "now" is.
`now` is wall time for windows and validity, `monotonic` measures spans, `sleep` waits: on a frozen
clock a sleep moves the clock and returns at once, so that no test ever waits.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Return the wall time, aware UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never step back; only differences mean something."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Wait for `duration`; zero or less yields once."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the wall time, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    async def sleep(self, duration: timedelta) -> None:
        """Wait for `duration`; zero or less yields once."""
        await asyncio.sleep(max(0.0, duration.total_seconds()))


class FrozenClock:
    """A clock that moves only when told; for tests, replays and the demo."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("start must be aware")
        self._now = start.astimezone(UTC)
        self._elapsed = 0.0

    def now(self) -> datetime:
        """Return the instant the clock stands at."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds this clock was moved forward since it was made."""
        return self._elapsed

    async def sleep(self, duration: timedelta) -> None:
        """Move the clock forward by `duration` and let other tasks run."""
        if duration > timedelta(0):
            self.advance(duration)
        await asyncio.sleep(0)

    def advance(self, duration: timedelta) -> None:
        """Move forward by `duration`; a negative one steps wall time back, as a bad NTP would."""
        self._now += duration
        self._elapsed += max(0.0, duration.total_seconds())

    def move_to(self, instant: datetime) -> None:
        """Set the wall time to an aware `instant`."""
        self.advance(instant - self._now)
