"""(schedule, watermark, now) -> due windows, pure.

Windows tile the time line: each starts where the previous one ended, the first at the watermark.
Their ends lie on the schedule's grid: multiples of `every` since the epoch in UTC, or cron fire
times. A changed schedule therefore just ends the next window on its own grid; there is no hole
and no overlap. Overlap for late events is `lookback`, a matter of what a run reads, never of the
windows themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from orchestrator.cron import fires_after
from orchestrator.model.rule import Schedule
from orchestrator.model.window import Window
from orchestrator.units import format_instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_PERIOD = timedelta(days=366 * 8 + 1)
"""Longest time between two fires of a cron: 29 February over a century without its leap year."""


def due_windows(
    schedule: Schedule, *, watermark: datetime, now: datetime, limit: int
) -> list[Window]:
    """Return the windows that may run now, oldest first.

    A window is due once `now` has reached its end plus `schedule.delay`.

    Args:
        schedule: Its period, and the delay behind a window's end.
        watermark: End of the last committed window, aware UTC.
        now: Wall time, aware UTC.
        limit: Most windows to return, at least 1. Excess stays due; nothing is skipped.

    Returns:
        Zero to `limit` adjacent half-open windows. Empty means not yet due, which is normal.

    Raises:
        ValueError: `watermark` is after `now` (a clock moved backwards), or the schedule has not
            exactly one usable period.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    if watermark > now:
        raise ValueError(
            f"the clock moved backwards: it says {format_instant(now)}, and everything before "
            f"{format_instant(watermark)} is committed already"
        )
    windows: list[Window] = []
    start = watermark
    for end in _ends_after(schedule, watermark):
        if end + schedule.delay > now:
            break
        windows.append(Window(start, end))
        if len(windows) == limit:
            break
        start = end
    return windows


def first_watermark(schedule: Schedule, now: datetime) -> datetime:
    """Return where a rule that never ran begins: the start of the newest window that is due.

    So a new rule has a result at once, and covers no past that nobody asked for.

    Raises:
        ValueError: The schedule has not exactly one usable period.
    """
    settled = now.astimezone(UTC) - schedule.delay
    if schedule.every is not None:
        period = _period(schedule)
        return settled - (settled - _EPOCH) % period - period
    return _second_last_fire(schedule, settled)


def _second_last_fire(schedule: Schedule, settled: datetime) -> datetime:
    """Return the last but one cron fire at or before `settled`."""
    # Look back over growing spans: most crons fire within hours, a leap day's takes years.
    span = timedelta(hours=2)
    while True:
        fires: list[datetime] = []
        for fire in _ends_after(schedule, settled - span):
            if fire > settled:
                break
            fires = [*fires[-1:], fire]
        if len(fires) == 2:
            return fires[0]
        if span > 2 * _MAX_PERIOD:
            raise ValueError(f"cron {schedule.cron!r} fires too rarely to make a window of")
        span *= 4


def _ends_after(schedule: Schedule, instant: datetime) -> Iterator[datetime]:
    """Yield the grid's points strictly after `instant`, rising, aware UTC."""
    if schedule.cron is not None and schedule.every is None:
        yield from fires_after(schedule.cron, instant)
        return
    period = _period(schedule)
    utc = instant.astimezone(UTC)
    end = utc - (utc - _EPOCH) % period
    while True:
        end += period
        yield end


def _period(schedule: Schedule) -> timedelta:
    if schedule.every is None or schedule.cron is not None:
        raise ValueError("a schedule needs exactly one of every and cron")
    if schedule.every <= timedelta(0):
        raise ValueError(f"every must be positive, not {schedule.every}")
    return schedule.every
