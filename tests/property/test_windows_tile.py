"""Laws of windows: whatever the schedule and however often it changes, they tile the time line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.rule import Schedule
from orchestrator.schedule.windows import due_windows, first_watermark

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANTS = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 -- the strategy adds the zone
    max_value=datetime(2090, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
DELAYS = st.integers(0, 3_600).map(lambda seconds: timedelta(seconds=seconds))
INTERVALS = st.builds(
    lambda seconds, delay: Schedule(every=timedelta(seconds=seconds), delay=delay),
    st.integers(1, 2 * 86_400),
    DELAYS,
)
CRONS = st.builds(
    lambda text, delay: Schedule(cron=text, delay=delay),
    st.sampled_from(
        ["* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *", "0 0 31 * *", "15 6 * * 1-5"]
    ),
    DELAYS,
)
SCHEDULES = st.one_of(INTERVALS, CRONS)
SPANS = st.integers(0, 40 * 86_400).map(lambda seconds: timedelta(seconds=seconds))


@given(schedule=SCHEDULES, watermark=INSTANTS, span=SPANS, limit=st.integers(1, 50))
def test_due_windows_are_adjacent_due_and_begin_at_the_watermark(
    schedule: Schedule, watermark: datetime, span: timedelta, limit: int
) -> None:
    now = watermark + span

    windows = due_windows(schedule, watermark=watermark, now=now, limit=limit)

    assert len(windows) <= limit
    assert [window.start for window in windows[:1]] == [watermark][: len(windows)]
    assert all(one.end == later.start for one, later in pairwise(windows))
    assert all(window.end + schedule.delay <= now for window in windows)


@given(schedule=INTERVALS, watermark=INSTANTS, span=SPANS)
def test_interval_windows_end_on_the_grid(
    schedule: Schedule, watermark: datetime, span: timedelta
) -> None:
    assert schedule.every is not None

    for window in due_windows(schedule, watermark=watermark, now=watermark + span, limit=20):
        assert (window.end - EPOCH) % schedule.every == timedelta(0)
        assert window.length <= schedule.every


@given(schedules=st.lists(SCHEDULES, min_size=2, max_size=6), watermark=INSTANTS, step=SPANS)
def test_windows_tile_over_changes_of_the_schedule(
    schedules: list[Schedule], watermark: datetime, step: timedelta
) -> None:
    """The new grid starts at the watermark: no hole, no overlap."""
    start, now, done = watermark, watermark, []
    for schedule in schedules:
        now += step
        windows = due_windows(schedule, watermark=watermark, now=now, limit=5)
        done += windows
        watermark = windows[-1].end if windows else watermark

    assert sum((window.length for window in done), timedelta(0)) == watermark - start


@given(schedule=SCHEDULES, watermark=INSTANTS, first=st.integers(1, 10), rest=st.integers(1, 10))
def test_due_windows_by_parts_are_the_same_as_at_once(
    schedule: Schedule, watermark: datetime, first: int, rest: int
) -> None:
    """A restart between two budgets changes nothing."""
    now = watermark + timedelta(days=400)
    at_once = due_windows(schedule, watermark=watermark, now=now, limit=first + rest)

    part = due_windows(schedule, watermark=watermark, now=now, limit=first)
    other = due_windows(schedule, watermark=part[-1].end, now=now, limit=rest)

    assert part + other == at_once[: len(part) + len(other)]


@given(schedule=SCHEDULES, now=INSTANTS)
def test_a_new_rule_has_exactly_one_window_due(schedule: Schedule, now: datetime) -> None:
    watermark = first_watermark(schedule, now)

    assert len(due_windows(schedule, watermark=watermark, now=now, limit=3)) == 1
