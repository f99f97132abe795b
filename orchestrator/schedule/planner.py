"""Which windows run now, in what order, under which budget; pure.

Oldest first, so that catching up closes the past in order; and fair, so that one rule's long
backlog does not hold up the others: the budget goes round the rules, each round one window of
each rule that has one, the rule whose window is oldest first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from orchestrator.errors import ClockWrong
from orchestrator.ids import RuleId
from orchestrator.model.rule import Rule
from orchestrator.model.window import Window
from orchestrator.schedule.windows import due_windows
from orchestrator.units import format_instant

EARLIEST = datetime(2024, 1, 1, tzinfo=UTC)
"""Before every release of this program: a clock that says less was not set since the start."""
STEP_BACK = timedelta(hours=1)
"""How far behind what is committed already a clock may be, as after a change of zone by hand."""


def plan(
    rules: Sequence[Rule], watermarks: Mapping[RuleId, datetime], *, now: datetime, budget: int
) -> list[tuple[Rule, Window]]:
    """Return the due windows to start now, at most `budget`, one rule's windows in order.

    Args:
        rules: Those that run, in any order.
        watermarks: Of each rule that has begun; rules without one are left out.
        now: Wall time, aware UTC.
        budget: Most windows altogether, at least 1. What does not fit stays due.

    Returns:
        Pairs in the order to start them. A rule whose watermark lies after `now` has none and
        waits for the clock; `rules_ahead` names it.

    Raises:
        ValueError: `budget` is below 1.
    """
    if budget < 1:
        raise ValueError(f"budget must be at least 1, not {budget}")
    waiting: list[tuple[Rule, deque[Window]]] = []
    for rule in rules:
        watermark = watermarks.get(rule.id)
        if watermark is None or watermark > now:
            continue
        windows = due_windows(rule.schedule, watermark=watermark, now=now, limit=budget)
        if windows:
            waiting.append((rule, deque(windows)))
    # The id breaks ties, so that the same state gives the same plan on every replica.
    waiting.sort(key=lambda pair: (pair[1][0].start, pair[0].id))
    chosen: list[tuple[Rule, Window]] = []
    while waiting and len(chosen) < budget:
        for rule, windows_left in waiting[: budget - len(chosen)]:
            chosen.append((rule, windows_left.popleft()))
        waiting = [(rule, left) for rule, left in waiting if left]
    return chosen


def rules_ahead(
    rules: Sequence[Rule], watermarks: Mapping[RuleId, datetime], *, now: datetime
) -> list[Rule]:
    """Return the rules whose watermark lies after `now`: the clock stepped back, and they wait."""
    return [rule for rule in rules if watermarks.get(rule.id, now) > now]


def require_plausible(now: datetime, committed: Iterable[datetime]) -> None:
    """Check that `now` can be the time, before a window or a rule's beginning is told by it.

    Args:
        now: Wall time, aware UTC.
        committed: Ends of windows that were searched already.

    Raises:
        ClockWrong: It lies before this program was made, or well before what was searched.
    """
    newest = max(committed, default=EARLIEST)
    if now >= EARLIEST and now >= newest - STEP_BACK:
        return
    known = (
        f"everything before {format_instant(newest)} is searched already"
        if newest > EARLIEST
        else "this program is newer"
    )
    raise ClockWrong(
        f"this machine's clock says {format_instant(now)}, and {known}",
        advice="Set the clock, by NTP say; no window is run until it can be right",
    )
