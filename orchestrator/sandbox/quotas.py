"""Query quotas: how many queries each role may start per minute, ten minutes, hour and day.

Intervals follow one another on the sandbox's monotonic clock, and a new one starts at nought. Costs
are not accounted for: on LogScale they are work points of a cluster. With what status LogScale
refuses is not published; 429 is the sandbox's choice.
Source: library.humio.com, query quotas; the GraphQL type `QueryQuotaUsage`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from orchestrator.clock import Clock
from orchestrator.sandbox.answers import Refusal


class QuotaInterval(StrEnum):
    """How long a quota lasts, by its name in `quotaTotalSpent`."""

    ONE_MINUTE = "oneMinute"
    TEN_MINUTES = "tenMinutes"
    HOUR = "hour"
    DAY = "day"


_SECONDS = {
    QuotaInterval.ONE_MINUTE: 60,
    QuotaInterval.TEN_MINUTES: 600,
    QuotaInterval.HOUR: 3_600,
    QuotaInterval.DAY: 86_400,
}


class QuotaBook:
    """Counts the queries that each role starts, and refuses those beyond `limits`."""

    def __init__(self, limits: Mapping[QuotaInterval, int], *, clock: Clock) -> None:
        self.limits = dict(limits)
        """The most queries of one role in each interval; without an entry there is no limit."""
        self._clock = clock
        self._counts: dict[tuple[str, QuotaInterval], tuple[int, int]] = {}

    def admit(self, owner: str) -> None:
        """Count one query of `owner`.

        Raises:
            Refusal: 429, a quota is used up; Retry-After says when it starts anew.
        """
        for interval, wait in self.used_up(owner).items():
            text = (
                f"The query quota is used up: {self.limits[interval]} queries per "
                f"{_SECONDS[interval]} seconds. It resets in {wait} seconds."
            )
            raise Refusal(429, text, {"Retry-After": str(wait)})
        for interval in QuotaInterval:
            number = self._number(interval)
            self._counts[owner, interval] = (number, self._count(owner, interval) + 1)

    def used_up(self, owner: str) -> dict[QuotaInterval, int]:
        """Return the quotas of `owner` that are used up, and the seconds until each starts anew."""
        now = int(self._clock.monotonic())
        return {
            interval: _SECONDS[interval] - now % _SECONDS[interval]
            for interval, limit in self.limits.items()
            if self._count(owner, interval) >= limit
        }

    def spent(self, owner: str) -> dict[QuotaInterval, int]:
        """Return how many queries `owner` has started in each interval that runs now."""
        return {interval: self._count(owner, interval) for interval in QuotaInterval}

    def _count(self, owner: str, interval: QuotaInterval) -> int:
        number, count = self._counts.get((owner, interval), (0, 0))
        return count if number == self._number(interval) else 0

    def _number(self, interval: QuotaInterval) -> int:
        """Return which interval of its length this is, counted from the clock's beginning."""
        return int(self._clock.monotonic()) // _SECONDS[interval]


def quotas_from_json(raw: object) -> dict[QuotaInterval, int]:
    """Return the limits in an object such as `{"oneMinute": 100}`.

    Raises:
        ValueError: No object, no such interval, or a limit that is no count.
    """
    if not isinstance(raw, Mapping):
        problem = 'quotas are an object such as {"oneMinute": 100}'
        raise ValueError(problem)  # noqa: TRY004 -- a wrong value, like the others here
    limits = {}
    for name, limit in raw.items():
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise ValueError(f"{name} must be a count of queries")
        limits[QuotaInterval(name)] = limit
    return limits
