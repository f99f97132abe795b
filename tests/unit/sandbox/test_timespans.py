"""Relative times: each spelling once, against dates computed by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.sandbox.search.timespans import TimeBase, TimeRefused, resolve, zone_of
from orchestrator.units import parse_instant, to_epoch_ms

# A Wednesday.
NOW = datetime(2026, 3, 11, 14, 35, 20, tzinfo=UTC)


def at(raw: Any, *, zone: str = "UTC", live: bool = False) -> int:
    base = TimeBase(now_ms=to_epoch_ms(NOW), zone=zone_of(zone), live=live)
    return resolve(raw, base, default_ms=42)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-03-11T14:35:20Z"),
        ("15m", "2026-03-11T14:20:20Z"),
        ("1 hour", "2026-03-11T13:35:20Z"),
        ("2d", "2026-03-09T14:35:20Z"),
        ("1mon", "2026-02-09T14:35:20Z"),
        ("now@d", "2026-03-11T00:00:00Z"),
        ("1d@d", "2026-03-10T00:00:00Z"),
        ("1d@d+12h", "2026-03-10T12:00:00Z"),
        ("now@w", "2026-03-09T00:00:00Z"),
        ("6h@h+30min", "2026-03-11T08:30:00Z"),
        ("now@mon-1d", "2026-02-28T00:00:00Z"),
        ("now@q", "2026-01-01T00:00:00Z"),
        ("now@y", "2026-01-01T00:00:00Z"),
        ("calendar: 2months", "2026-01-11T14:35:20Z"),
        ("calendar:1y", "2025-03-11T14:35:20Z"),
    ],
)
def test_relative_time_counts_back_from_now(text: str, expected: str) -> None:
    assert at(text) == to_epoch_ms(parse_instant(expected))


def test_anchor_snaps_in_the_query_s_zone() -> None:
    assert at("now@d", zone="+09:00") == to_epoch_ms(parse_instant("2026-03-10T15:00:00Z"))


def test_calendar_month_ends_on_the_last_day_there_is() -> None:
    base = TimeBase(now_ms=to_epoch_ms(datetime(2026, 3, 31, tzinfo=UTC)))

    found = resolve("calendar: 1 month", base, default_ms=0)

    assert found == to_epoch_ms(datetime(2026, 2, 28, tzinfo=UTC))


def test_number_is_epoch_milliseconds() -> None:
    assert at(1_700_000_000_000) == at("1700000000000") == 1_700_000_000_000


@pytest.mark.parametrize("raw", [None, ""])
def test_absent_time_takes_the_default(raw: Any) -> None:
    assert at(raw) == 42


@pytest.mark.parametrize(
    "raw", ["soon", "-5m", "5 fortnights", "1d@", "1d@x", "now@d+x", True, 1.5, [], "1.5h"]
)
def test_other_text_is_refused(raw: Any) -> None:
    with pytest.raises(TimeRefused):
        at(raw)


@pytest.mark.parametrize(
    "raw", ["now@d", "calendar: 1 month", 1_700_000_000_000, "1700000000000", 1.7e12]
)
def test_live_query_takes_no_anchor_and_no_fixed_time(raw: Any) -> None:
    with pytest.raises(TimeRefused, match="live"):
        at(raw, live=True)


@pytest.mark.parametrize("raw", [10**30, -(10**30), "9" * 20, "9" * 5_000, f"{'9' * 30}y"])
def test_time_beyond_all_years_is_refused(raw: Any) -> None:
    with pytest.raises(TimeRefused):
        at(raw)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Copenhagen leaves winter time on 29 March 2026 at 01:00 UTC: that day has 23 hours.
        ("calendar: 1d", "2026-03-28T11:00:00Z"),
        ("1d", "2026-03-28T10:00:00Z"),
        ("now@d", "2026-03-28T23:00:00Z"),
        ("calendar: now@d+1d", "2026-03-29T22:00:00Z"),
        ("now@d+1d", "2026-03-29T23:00:00Z"),
        ("calendar: 1w@w", "2026-03-15T23:00:00Z"),
    ],
)
def test_calendar_steps_keep_the_wall_clock_when_it_changes(text: str, expected: str) -> None:
    base = TimeBase(
        now_ms=to_epoch_ms(parse_instant("2026-03-29T10:00:00Z")), zone=zone_of("Europe/Copenhagen")
    )

    assert resolve(text, base, default_ms=0) == to_epoch_ms(parse_instant(expected))


@pytest.mark.parametrize(
    "text",
    [
        "3600000ms", "3600000 millis", "3600000milliseconds", "3600s", "3600sec", "3600 secs",
        "3600seconds", "60m", "60min", "60 minutes", "1h", "1hr", "1hrs", "1 hour",
    ],
)  # fmt: skip
def test_every_spelling_of_an_hour_is_one(text: str) -> None:
    assert at(text) == at("now") - 3_600_000


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (("7d", "7 days", "1w", "1week"), 7),
        (("30d", "1mon", "1 month", "1months"), 30),
        (("90d", "1q", "1qtr", "1qtrs", "1 quarter"), 90),
        (("365d", "1y", "1yr", "1yrs", "1year"), 365),
    ],
)
def test_long_units_are_fixed_numbers_of_days(texts: tuple[str, ...], days: int) -> None:
    assert {at("now") - at(text) for text in texts} == {days * 86_400_000}


@pytest.mark.parametrize("name", ["Mars/Olympus", "+99:00", "../etc/passwd"])
def test_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(TimeRefused, match="time zone"):
        zone_of(name)
