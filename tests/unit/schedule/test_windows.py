from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.model.rule import Schedule
from orchestrator.schedule.windows import due_windows, first_watermark

DELAY = timedelta(minutes=2)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def every(minutes: float) -> Schedule:
    return Schedule(every=timedelta(minutes=minutes), delay=DELAY)


def cron(expression: str) -> Schedule:
    return Schedule(cron=expression, delay=DELAY)


def ends(schedule: Schedule, watermark: str, now: str, limit: int = 3) -> list[str]:
    """Return the windows as `start/end` texts, to the minute."""
    windows = due_windows(schedule, watermark=at(watermark), now=at(now), limit=limit)
    return [f"{window.start:%m-%dT%H:%M}/{window.end:%m-%dT%H:%M}" for window in windows]


@pytest.mark.parametrize(
    ("schedule", "watermark", "now", "expected"),
    [
        # Due exactly when its end plus the delay is reached, not a moment before.
        (every(5), "2026-03-10T12:00", "2026-03-10T12:06:59.999", []),
        (every(5), "2026-03-10T12:00", "2026-03-10T12:07", ["03-10T12:00/03-10T12:05"]),
        (every(5), "2026-03-10T12:00", "2026-03-10T12:00", []),
        # A watermark off the grid, as after a change of `every`: the next window ends on the grid.
        (every(15), "2026-03-10T12:05", "2026-03-10T12:17", ["03-10T12:05/03-10T12:15"]),
        (every(7), "2026-03-10T12:00", "2026-03-10T12:07", ["03-10T12:00/03-10T12:04"]),
        # Month end, leap day, year end.
        (every(1440), "2026-02-28T00:00", "2026-03-01T00:02", ["02-28T00:00/03-01T00:00"]),
        (every(1440), "2028-02-29T00:00", "2028-03-01T00:02", ["02-29T00:00/03-01T00:00"]),
        (every(60), "2026-12-31T23:00", "2027-01-01T00:02", ["12-31T23:00/01-01T00:00"]),
        # From one fire to the next.
        (cron("0 * * * *"), "2026-03-10T12:00", "2026-03-10T13:01", []),
        (cron("0 * * * *"), "2026-03-10T12:00", "2026-03-10T13:02", ["03-10T12:00/03-10T13:00"]),
        (cron("0 6 * * *"), "2026-03-10T12:00", "2026-03-11T06:02", ["03-10T12:00/03-11T06:00"]),
        (
            cron("0 0 31 * *"),
            "2026-03-31T00:00",
            "2026-07-31T00:02",
            ["03-31T00:00/05-31T00:00", "05-31T00:00/07-31T00:00"],
        ),
        (cron("0 0 29 2 *"), "2028-02-29T00:00", "2032-02-29T00:02", ["02-29T00:00/02-29T00:00"]),
    ],
)
def test_due_windows_are(schedule: Schedule, watermark: str, now: str, expected: list[str]) -> None:
    assert ends(schedule, watermark, now) == expected


def test_due_windows_after_downtime_are_the_oldest_first_up_to_the_limit() -> None:
    assert ends(every(5), "2026-03-10T12:00", "2026-03-11T12:00", limit=2) == [
        "03-10T12:00/03-10T12:05",
        "03-10T12:05/03-10T12:10",
    ]


def test_due_windows_of_a_day_of_downtime_are_all_of_them() -> None:
    windows = due_windows(
        every(5), watermark=at("2026-03-10T12:00"), now=at("2026-03-11T12:02"), limit=1_000
    )

    assert len(windows) == 288
    assert windows[-1].end == at("2026-03-11T12:00")


def test_due_windows_with_the_watermark_in_the_future_are_refused() -> None:
    with pytest.raises(ValueError, match=r"clock moved backwards.*2026-03-10T11:00:00Z"):
        due_windows(every(5), watermark=at("2026-03-10T12:00"), now=at("2026-03-10T11:00"), limit=1)


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(),
        Schedule(every=timedelta(minutes=5), cron="* * * * *"),
        Schedule(every=timedelta(0)),
        Schedule(every=timedelta(minutes=-5)),
        Schedule(cron="0 0 31 2 *"),
    ],
)
def test_due_windows_of_an_impossible_schedule_are_refused(schedule: Schedule) -> None:
    with pytest.raises(ValueError, match=r"exactly one|positive|never|cannot be read"):
        due_windows(schedule, watermark=at("2026-03-10T12:00"), now=at("2026-03-10T13:00"), limit=1)


def test_due_windows_with_no_budget_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        due_windows(every(5), watermark=at("2026-03-10T12:00"), now=at("2026-03-10T13:00"), limit=0)


@pytest.mark.parametrize(
    ("schedule", "now", "expected"),
    [
        (every(5), "2026-03-10T12:07", "2026-03-10T12:00"),
        (every(5), "2026-03-10T12:06:59", "2026-03-10T11:55"),
        (every(1440), "2026-03-10T12:00", "2026-03-09T00:00"),
        (cron("0 * * * *"), "2026-03-10T12:30", "2026-03-10T11:00"),
        (cron("0 * * * *"), "2026-03-10T12:01", "2026-03-10T10:00"),
        (cron("0 6 * * mon"), "2026-03-10T12:00", "2026-03-02T06:00"),
        (cron("0 0 29 2 *"), "2026-03-10T12:00", "2020-02-29T00:00"),
    ],
)
def test_first_watermark_is_where_the_newest_due_window_starts(
    schedule: Schedule, now: str, expected: str
) -> None:
    watermark = first_watermark(schedule, at(now))

    assert watermark == at(expected)
    assert len(due_windows(schedule, watermark=watermark, now=at(now), limit=5)) == 1


def test_first_watermark_of_an_impossible_cron_is_refused() -> None:
    with pytest.raises(ValueError, match=r"never|cannot be read"):
        first_watermark(cron("0 0 30 2 *"), at("2026-03-10T12:00"))
