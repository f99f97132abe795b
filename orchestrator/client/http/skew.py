"""How far this machine's clock is from a server's, by the `Date` that every answer carries.

Windows are instants of this machine's clock and events carry the server's, so a difference of
minutes makes a search look where nothing is yet, or leave the newest out. `Date` is cut to whole
seconds and the answer is some time on its way: what those two explain is no difference.
Source: RFC 9110, section 6.6.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.client.http.retry import parse_http_date
from orchestrator.client.http.transport import Request, Transport
from orchestrator.clock import Clock
from orchestrator.errors import ClockSkewed
from orchestrator.units import format_duration, format_instant

TOLERANCE = timedelta(seconds=30)
"""A difference that is told: the delay behind a window's end covers less than this."""
_SECOND = timedelta(seconds=1)
_UNITS = (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """One look at both clocks."""

    server: datetime
    """As `Date` gave it, cut to the second."""
    asked_at: datetime
    answered_at: datetime
    """This machine's clock around the exchange."""

    @property
    def ahead(self) -> timedelta:
        """Return how far this machine is surely ahead of the server; negative if it is behind."""
        zero = timedelta(0)
        least, most = self.asked_at - (self.server + _SECOND), self.answered_at - self.server
        return least if least > zero else min(most, zero)

    def check(self, *, tolerance: timedelta = TOLERANCE) -> None:
        """Check that the clocks agree.

        Raises:
            ClockSkewed: They differ by more than `tolerance`.
        """
        ahead = self.ahead
        if abs(ahead) <= tolerance:
            return
        direction = "ahead of" if ahead > timedelta(0) else "behind"
        by = _roughly(abs(ahead))
        raise ClockSkewed(
            f"this machine's clock is {by} {direction} the server's: here it is "
            f"{format_instant(self.answered_at.replace(microsecond=0))}, "
            f"there {format_instant(self.server)}",
            ahead=ahead,
            advice="Set the clock by NTP on the machine that is wrong; windows are searched "
            + (
                "before their events are there" if ahead > timedelta(0) else "later than they could"
            ),
        )


def _roughly(span: timedelta) -> str:
    """Return a span in the largest unit of which it holds two."""
    unit = next((unit for unit in _UNITS if span >= 2 * unit), _SECOND)
    return format_duration(round(span / unit) * unit)


async def read_clock(transport: Transport, path: str, *, clock: Clock) -> ClockReading | None:
    """Return both clocks' times, None if the server names none; any status will do.

    Raises:
        ClientError: The server could not be reached.
    """
    asked_at = clock.now()
    response = await transport.send(Request(method="GET", path=path, idempotent=True))
    server = parse_http_date(response.headers.get("date", ""))
    if server is None:
        return None
    return ClockReading(server=server, asked_at=asked_at, answered_at=clock.now())
