"""What is due at an instant: every kind's arithmetic, without a sandbox."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sandbox.storage.states import RunState, state_from_json
from orchestrator.sandbox.triggers.kinds import (
    AggregateAlert,
    CorrelationRule,
    ScheduledSearch,
    Throttle,
    go_duration_ms,
)
from orchestrator.sandbox.triggers.planner import CATCH_UP_MS, Moment, Window, plan

MINUTE, HOUR = 60_000, 3_600_000
T0 = 1_773_108_000_000
"""2026-03-10T02:00:00Z."""
NAMES: dict[str, Any] = {
    "key": "k",
    "id": "i",
    "name": "n",
    "description": "",
    "domain": "d",
    "query": "*",
}
SEARCH = ScheduledSearch(
    **NAMES, schedule="*/5 * * * *", zone="UTC", interval_ms=5 * MINUTE, by_ingest=False
)
ALERT = AggregateAlert(
    **NAMES,
    interval_ms=5 * MINUTE,
    by_ingest=True,
    is_immediate=False,
    throttle=Throttle(length_ms=5 * MINUTE),
)
RULE = CorrelationRule(
    **NAMES,
    every_ms=HOUR,
    base_ms=T0 + HOUR,
    lookback_ms=2 * HOUR,
    by_ingest=False,
    outcome="detection",
    is_verbose=False,
)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def spans(windows: tuple[Window, ...]) -> list[tuple[int, int]]:
    """Return the windows' bounds in minutes from T0."""
    return [((w.start_ms - T0) // MINUTE, (w.end_ms - T0) // MINUTE) for w in windows]


@pytest.mark.parametrize(
    ("change", "minutes", "expected", "next_minute"),
    [
        ({}, 4, [], 5),
        ({}, 5, [(0, 5)], 10),
        ({"offset_ms": 2 * MINUTE}, 5, [(-2, 3)], 10),
        ({"interval_ms": 20 * MINUTE}, 5, [(-15, 5)], 10),
        ({}, 12, [(5, 10)], 15),
        ({"backfill_runs": 1}, 12, [(0, 5), (5, 10)], 15),
        (
            {"backfill_runs": 2},
            60 * 24 * 90,
            [(129_585 + 5 * n, 129_590 + 5 * n) for n in range(3)],
            129_605,
        ),
        ({"backfill_runs": 99}, 47, [(5 * n, 5 * n + 5) for n in range(3, 9)], 50),
        ({"by_ingest": True}, 12, [(0, 10)], 15),
        ({"by_ingest": True, "interval_ms": 8 * MINUTE}, 12, [(-3, 10)], 15),
    ],
)
def test_scheduled_search_is_due_for(
    change: dict[str, int], minutes: int, expected: list[tuple[int, int]], next_minute: int
) -> None:
    search = replace(SEARCH, **change)  # type: ignore[arg-type]  # the members differ in type

    found = plan(search, RunState(done_ms=T0), Moment(now_ms=T0 + minutes * MINUTE))

    assert spans(found.windows) == expected
    assert found.next_ms == T0 + next_minute * MINUTE


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", "2026-03-11T00:30"),
        ("UTC+12:45", "2026-03-10T11:45"),
        ("UTC-01", "2026-03-11T01:30"),
    ],
)
def test_scheduled_search_keeps_its_zone(zone: str, expected: str) -> None:
    search = replace(SEARCH, schedule="30 0 * * *", zone=zone)

    assert plan(search, RunState(done_ms=T0), Moment(now_ms=T0)).next_ms == at(expected)


@given(steps=st.lists(st.integers(1, 40 * MINUTE), min_size=1, max_size=20))
def test_windows_by_ingest_time_tile_the_time_whatever_the_driver_misses(steps: list[int]) -> None:
    search, state, now_ms = replace(SEARCH, by_ingest=True), RunState(done_ms=T0), T0
    end_ms = T0
    for step in steps:
        now_ms += step
        for window in plan(search, state, Moment(now_ms=now_ms)).windows:
            assert window.start_ms == end_ms
            end_ms = window.end_ms
            state.done_ms = window.planned_ms

    assert end_ms == now_ms // (5 * MINUTE) * 5 * MINUTE


@given(steps=st.lists(st.integers(1, 40 * MINUTE), min_size=1, max_size=20))
def test_alert_that_never_fires_leaves_no_instant_out(steps: list[int]) -> None:
    state, now_ms = RunState(done_ms=T0), T0
    for step in steps:
        now_ms += step
        moment = Moment(now_ms=now_ms, has_new=True)
        while windows := plan(ALERT, state, moment).windows:
            (window,) = windows
            assert window.start_ms <= state.done_ms < window.end_ms <= now_ms
            state.done_ms = window.planned_ms
            state.last_poll_ms, moment = now_ms, replace(moment, has_new=False)

        assert now_ms - state.done_ms < MINUTE


@pytest.mark.parametrize(
    ("state", "moment", "due", "next_ms"),
    [
        (RunState(done_ms=T0), Moment(now_ms=T0 + 1), False, T0 + MINUTE),
        (RunState(done_ms=T0), Moment(now_ms=T0 + 1, has_new=True), True, T0 + MINUTE),
        (RunState(done_ms=T0), Moment(now_ms=T0 + MINUTE), True, T0 + 2 * MINUTE),
        (
            RunState(done_ms=T0, last_poll_ms=T0),
            Moment(now_ms=T0 + 1, has_new=True),
            False,
            T0 + 5_000,
        ),
        (
            RunState(done_ms=T0, throttled_ms=T0 + HOUR),
            Moment(now_ms=T0 + MINUTE, has_new=True),
            False,
            T0 + HOUR,
        ),
        (
            RunState(done_ms=T0),
            Moment(now_ms=T0 + 9, has_new=True, newest_ms=T0 + 9),
            False,
            T0 + 10,
        ),
        (
            RunState(done_ms=T0),
            Moment(now_ms=T0 + 9, has_new=True, ingesting_ms=T0 + 3),
            False,
            T0 + 9 + 20 * MINUTE,
        ),
        (
            RunState(done_ms=T0, retry_ms=T0 + MINUTE),
            Moment(now_ms=T0 + 9, has_new=True),
            False,
            T0 + MINUTE,
        ),
    ],
)
def test_aggregate_alert_is_due(state: RunState, moment: Moment, due: bool, next_ms: int) -> None:
    found = plan(ALERT, state, moment)

    assert (bool(found.windows), found.next_ms) == (due, next_ms)


def test_immediate_alert_does_not_wait_for_what_is_being_stored() -> None:
    moment = Moment(now_ms=T0 + 9, has_new=True, ingesting_ms=T0 + 3)

    found = plan(replace(ALERT, is_immediate=True), RunState(done_ms=T0), moment)

    assert len(found.windows) == 1


def test_alert_looks_back_no_further_than_a_day() -> None:
    now_ms = T0 + 30 * CATCH_UP_MS

    (window,) = plan(ALERT, RunState(done_ms=T0), Moment(now_ms=now_ms)).windows

    assert window.start_ms == now_ms - CATCH_UP_MS


@pytest.mark.parametrize(
    ("change", "hours", "expected", "next_hour"),
    [
        ({}, 0.5, [], 1),
        ({}, 1, [(-60, 60)], 2),
        ({}, 3.5, [(60, 180)], 4),
        ({"stop_ms": T0 + 2 * HOUR}, 2.5, [(0, 120)], None),
        ({"stop_ms": T0 + 2 * HOUR}, 3.5, [], None),
    ],
)
def test_correlation_rule_is_due(
    change: dict[str, int],
    hours: float,
    expected: list[tuple[int, int]],
    next_hour: int | None,
) -> None:
    rule = replace(RULE, **change)  # type: ignore[arg-type]  # the members differ in type

    found = plan(rule, RunState(done_ms=T0), Moment(now_ms=T0 + int(hours * HOUR)))

    assert spans(found.windows) == expected
    assert found.next_ms == (0 if next_hour is None else T0 + next_hour * HOUR)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1h15m", 75 * MINUTE),
        ("1h0m", HOUR),
        ("1.5h", 90 * MINUTE),
        ("250ms", 250),
        ("24h0m0s", 24 * HOUR),
    ],
)
def test_go_duration_reads(text: str, expected: int) -> None:
    assert go_duration_ms(text) == expected


@pytest.mark.parametrize("text", ["", "1", "h", "1h ", "1d", "-1h", "1h15"])
def test_text_that_is_no_go_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        go_duration_ms(text)


def test_state_of_another_version_is_read_for_what_is_known() -> None:
    state = RunState(done_ms=5, cursors={"a": 1}, error="x")

    assert state_from_json(state.to_json() | {"later": 1}) == state
