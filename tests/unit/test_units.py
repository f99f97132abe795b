"""Durations and instants: what is read, what is printed, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.units import (
    format_duration,
    format_instant,
    from_epoch_ms,
    parse_duration,
    parse_instant,
    to_epoch_ms,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("5m", timedelta(minutes=5)),
        ("90 seconds", timedelta(seconds=90)),
        ("24h", timedelta(days=1)),
        ("1mon", timedelta(days=30)),
        (" 7d ", timedelta(days=7)),
        ("0s", timedelta(0)),
    ],
)
def test_parse_duration_reads_logscale_spellings(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "5", "m", "5M", "-5m", "1.5h", "5m5s", "5 fortnights"])
def test_parse_duration_refuses_what_logscale_would_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_format_duration_reads_back_exactly(length_ms: int) -> None:
    duration = timedelta(milliseconds=length_ms)

    assert parse_duration(format_duration(duration)) == duration


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1)))  # noqa: DTZ001
def test_epoch_ms_round_trip_keeps_the_millisecond(instant: datetime) -> None:
    back = from_epoch_ms(to_epoch_ms(instant))

    assert timedelta(0) <= instant - back < timedelta(milliseconds=1)


def test_to_epoch_ms_refuses_a_naive_instant() -> None:
    with pytest.raises(ValueError, match="zone"):
        to_epoch_ms(datetime(2026, 3, 10))  # noqa: DTZ001


def test_from_epoch_ms_outside_the_calendar_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="outside the calendar"):
        from_epoch_ms(10**18)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-10T02:00:00Z", datetime(2026, 3, 10, 2, tzinfo=UTC)),
        ("2026-03-10T04:00:00+02:00", datetime(2026, 3, 10, 2, tzinfo=UTC)),
        ("1773108000000", datetime(2026, 3, 10, 2, tzinfo=UTC)),
    ],
)
def test_parse_instant_reads_iso_with_a_zone_and_epoch_ms(text: str, expected: datetime) -> None:
    assert parse_instant(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [("2026-03-10T02:00:00", "has no zone"), ("yesterday", "is not a time")],
)
def test_parse_instant_refuses_with_advice(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_instant(text)


def test_format_instant_prints_utc_with_z() -> None:
    east = timezone(timedelta(hours=2))

    assert format_instant(datetime(2026, 3, 10, 4, tzinfo=east)) == "2026-03-10T02:00:00Z"
    assert (
        format_instant(datetime(2026, 3, 10, 4, 0, 0, 120_000, tzinfo=east))
        == "2026-03-10T02:00:00.120Z"
    )
