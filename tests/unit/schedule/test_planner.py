from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from orchestrator.model.rule import Rule, Schedule
from orchestrator.schedule.planner import plan, rules_ahead
from tests.unit.schedule.making import NOON, make_rule

LATE, FRESH, HOURLY = (
    make_rule(1),
    make_rule(2),
    make_rule(3, schedule=Schedule(every=timedelta(hours=1))),
)
NOW = NOON + timedelta(hours=3)
WATERMARKS = {
    LATE.id: NOON,
    FRESH.id: NOW - timedelta(minutes=10),
    HOURLY.id: NOON + timedelta(hours=1),
}


def starts(pairs: list[tuple[Rule, object]]) -> list[str]:
    return [rule.slug for rule, _ in pairs]


def test_plan_goes_round_the_rules_oldest_first() -> None:
    planned = plan([FRESH, HOURLY, LATE], WATERMARKS, now=NOW, budget=5)

    assert starts(list(planned)) == ["rule_1", "rule_3", "rule_2", "rule_1", "rule_1"]


def test_plan_keeps_one_rules_windows_adjacent_and_in_order() -> None:
    windows = [window for _, window in plan([LATE], WATERMARKS, now=NOW, budget=20)]

    assert len(windows) == 20
    assert windows[0].start == NOON
    assert all(one.end == later.start for one, later in pairwise(windows))


def test_plan_gives_a_fresh_rule_its_turn_beside_a_backlog() -> None:
    planned = plan([LATE, FRESH], WATERMARKS, now=NOW, budget=2)

    assert starts(list(planned)) == ["rule_1", "rule_2"]


def test_plan_is_the_same_in_any_order_of_rules() -> None:
    rules = [make_rule(number) for number in range(1, 6)]
    marks = {rule.id: NOON for rule in rules}

    assert plan(rules, marks, now=NOW, budget=7) == plan(rules[::-1], marks, now=NOW, budget=7)


def test_plan_leaves_out_what_has_not_begun_or_is_not_due() -> None:
    up_to_date = {FRESH.id: NOW}

    assert plan([LATE, FRESH], up_to_date, now=NOW, budget=5) == []


def test_plan_with_the_clock_behind_a_watermark_lets_the_others_run() -> None:
    marks = {**WATERMARKS, LATE.id: NOW + timedelta(minutes=1)}

    planned = plan([LATE, FRESH], marks, now=NOW, budget=5)

    assert starts(list(planned)) == ["rule_2"]
    assert rules_ahead([LATE, FRESH], marks, now=NOW) == [LATE]


def test_plan_without_a_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="budget"):
        plan([LATE], WATERMARKS, now=NOW, budget=0)
