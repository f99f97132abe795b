"""Cron text -> fire times in UTC, pure. Five fields, as in the deployed scheduled searches.

The arithmetic is cronsim's: it skips and doubles nothing, and in UTC there is no clock change that
could. Six fields (seconds) and expressions that never fire are refused when they are read, since
a rule that never runs must not look like one that does.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

_FIELDS = 5
# A leap day: the first fire after it of any date that exists lies within cronsim's 50 years.
_PROBE = datetime(2024, 2, 29, tzinfo=UTC)


def validate_cron(expression: str) -> None:
    """Check that `expression` is five-field cron and fires at all.

    Raises:
        ValueError: It is not, or it names a date that does not exist, such as 31 February.
    """
    next(fires_after(expression, _PROBE))


def fires_after(expression: str, instant: datetime) -> Iterator[datetime]:
    """Yield fire times strictly after `instant`, rising, aware UTC, for ever.

    Raises:
        ValueError: As `validate_cron`; on the first step.
    """
    count = len(expression.split())
    if count != _FIELDS:
        raise ValueError(
            f"cron {expression!r} has {count} fields; write five: minute hour day month weekday"
        )
    try:
        fires = CronSim(expression, instant.astimezone(UTC))
    except CronSimError as exc:
        raise ValueError(f"cron {expression!r} cannot be read: {exc}") from exc
    is_first = True
    for fire in fires:
        is_first = False
        yield fire.astimezone(UTC)
    if is_first:
        raise ValueError(f"cron {expression!r} never fires: no such date exists")
