from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from orchestrator.cron import fires_after, validate_cron


def fires(expression: str, after: str, count: int) -> list[str]:
    instant = datetime.fromisoformat(after).replace(tzinfo=UTC)
    return [f"{fire:%Y-%m-%dT%H:%M}" for fire in islice(fires_after(expression, instant), count)]


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("*/15 * * * *", "2026-03-10T12:00", ["2026-03-10T12:15", "2026-03-10T12:30"]),
        ("*/15 * * * *", "2026-03-10T12:59:59", ["2026-03-10T13:00", "2026-03-10T13:15"]),
        ("0 2 * * *", "2026-03-08T01:00", ["2026-03-08T02:00", "2026-03-09T02:00"]),
        # The days on which zones change their clocks have nothing special in UTC.
        ("30 2 * * *", "2026-03-28T12:00", ["2026-03-29T02:30", "2026-03-30T02:30"]),
        ("30 0 * * *", "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T00:30"]),
        ("0 0 29 2 *", "2026-01-01T00:00", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("0 0 31 * *", "2026-03-01T00:00", ["2026-03-31T00:00", "2026-05-31T00:00"]),
        ("0 0 L * *", "2026-02-01T00:00", ["2026-02-28T00:00", "2026-03-31T00:00"]),
        ("0 0 1 1 *", "2026-12-31T23:59", ["2027-01-01T00:00", "2028-01-01T00:00"]),
        # Sunday is 0 and 7, Monday 1, as everywhere but in some schedulers.
        ("0 0 * * 0", "2026-03-10T00:00", ["2026-03-15T00:00", "2026-03-22T00:00"]),
        ("0 0 * * 7", "2026-03-10T00:00", ["2026-03-15T00:00", "2026-03-22T00:00"]),
        ("0 0 * * 1", "2026-12-28T00:00", ["2027-01-04T00:00", "2027-01-11T00:00"]),
    ],
)
def test_fires_after_gives_the_next_ones(expression: str, after: str, expected: list[str]) -> None:
    assert fires(expression, after, 2) == expected


def test_fires_after_an_instant_in_another_zone_is_the_same_instant() -> None:
    berlin = datetime.fromisoformat("2026-03-10T13:00+01:00")

    assert next(fires_after("0 * * * *", berlin)) == datetime(2026, 3, 10, 13, tzinfo=UTC)


@pytest.mark.parametrize("expression", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *"])
def test_validate_cron_of_a_date_that_does_not_exist_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"never|cannot be read"):
        validate_cron(expression)


@pytest.mark.parametrize(
    "expression", ["", "* * * *", "* * * * * *", "@daily", "61 * * * *", "* * * * 8", "a b c d e"]
)
def test_validate_cron_of_no_cron_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="cron"):
        validate_cron(expression)


@pytest.mark.parametrize("expression", ["*/5 * * * *", "0 0 29 2 *", "0 9 * * mon-fri"])
def test_validate_cron_takes_what_fires(expression: str) -> None:
    validate_cron(expression)
