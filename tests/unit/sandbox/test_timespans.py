"""Relative times: each spelling once, against dates computed by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.sandbox.timespans import TimeBase, TimeRefused, resolve, zone_of
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


@pytest.mark.parametrize("text", ["now@d", "calendar: 1 month"])
def test_live_query_takes_no_anchor(text: str) -> None:
    with pytest.raises(TimeRefused, match="live"):
        at(text, live=True)


@pytest.mark.parametrize("name", ["Mars/Olympus", "+99:00", "../etc/passwd"])
def test_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(TimeRefused, match="time zone"):
        zone_of(name)
