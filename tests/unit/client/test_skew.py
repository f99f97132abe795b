"""Two clocks compared through a `Date` that is cut to seconds and an answer that took its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.client.http.skew import ClockReading
from orchestrator.errors import ClockSkewed

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def reading(*, asked_s: float, answered_s: float) -> ClockReading:
    """Return one of a server at noon; ours is so many seconds past it when asked and answered."""
    return ClockReading(
        server=NOON,
        asked_at=NOON + timedelta(seconds=asked_s),
        answered_at=NOON + timedelta(seconds=answered_s),
    )


@pytest.mark.parametrize(
    ("asked_s", "answered_s", "ahead_s"),
    [
        (0.2, 0.3, 0),
        # The server's second had just begun when it was asked, and the answer came after it.
        (0.9, 1.4, 0),
        (-0.5, 0.1, 0),
        # A slow answer explains as much as it took.
        (-40, 2, 0),
        (31.5, 31.7, 30.5),
        (601, 602, 600),
        (-31, -30.5, -30.5),
        (-700, -600, -600),
    ],
)
def test_difference_is_what_neither_the_cut_nor_the_way_explains(
    asked_s: float, answered_s: float, ahead_s: float
) -> None:
    found = reading(asked_s=asked_s, answered_s=answered_s).ahead

    assert found == timedelta(seconds=ahead_s)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (45, "44s ahead of the server's"),
        (-45, "45s behind the server's"),
        (-119, "119s behind"),
        (-600, "10m behind"),
        (-7_300, "2h behind"),
        (-56 * 365 * 86_400, "20440d behind"),
    ],
)
def test_difference_is_told_in_the_largest_unit_that_fits(seconds: int, told: str) -> None:
    with pytest.raises(ClockSkewed, match=told):
        reading(asked_s=seconds, answered_s=seconds).check()


def test_difference_within_the_tolerance_is_none() -> None:
    reading(asked_s=31, answered_s=31).check()
    reading(asked_s=-30, answered_s=-30).check()
    with pytest.raises(ClockSkewed):
        reading(asked_s=31, answered_s=31).check(tolerance=10 * SECOND)
