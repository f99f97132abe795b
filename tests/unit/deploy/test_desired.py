"""The asset that a rule should be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.client.types import (
    AggregateAlert,
    CorrelationRule,
    FilterAlert,
    SavedQuery,
    ScheduledSearch,
    TimestampType,
)
from orchestrator.deploy.desired import cron_of, desired_asset, rule_of
from orchestrator.model.rule import DeployKind, Rule, RuleStatus, Schedule, TimestampField
from tests.unit.deploy.making import RULE_ID, make_rule

KINDS = [kind for kind in DeployKind if kind is not DeployKind.NONE]


@pytest.mark.parametrize(
    ("schedule", "cron"),
    [
        (Schedule(every=timedelta(seconds=30)), "* * * * *"),
        (Schedule(every=timedelta(minutes=1)), "* * * * *"),
        (Schedule(every=timedelta(minutes=7)), "*/6 * * * *"),
        (Schedule(every=timedelta(minutes=15)), "*/15 * * * *"),
        (Schedule(every=timedelta(minutes=59)), "*/30 * * * *"),
        (Schedule(every=timedelta(hours=1)), "0 * * * *"),
        (Schedule(every=timedelta(minutes=90)), "0 * * * *"),
        (Schedule(every=timedelta(hours=5)), "0 */4 * * *"),
        (Schedule(every=timedelta(hours=24)), "0 0 * * *"),
        (Schedule(every=timedelta(days=2)), "0 0 * * *"),
        # Once a week, on the day that the grid's weeks begin: not daily over a week each.
        (Schedule(every=timedelta(days=7)), "0 0 * * 4"),
        (Schedule(cron="5 8 * * 1-5"), "5 8 * * 1-5"),
    ],
)
def test_cron_fires_at_least_as_often_as_the_period(schedule: Schedule, cron: str) -> None:
    assert cron_of(schedule) == cron


@pytest.mark.parametrize(
    ("schedule", "interval"),
    [
        (Schedule(every=timedelta(seconds=30)), timedelta(minutes=1)),
        (Schedule(every=timedelta(minutes=15)), timedelta(minutes=15)),
        (Schedule(cron="0 * * * *"), timedelta(hours=1)),
        (Schedule(cron="* * * * *"), timedelta(minutes=1)),
        (Schedule(cron="*/5 * * * *"), timedelta(minutes=5)),
        (Schedule(cron="*/7 * * * *"), timedelta(minutes=7)),
        (Schedule(cron="0 8 * * 1-5"), timedelta(days=3)),
        (Schedule(cron="*/5 8-17 * * 1-5"), timedelta(hours=62, minutes=5)),
        (Schedule(cron="0 0 31 * *"), timedelta(days=61)),
        (Schedule(cron="0 0 1 1 *"), timedelta(days=366)),
    ],
)
def test_interval_is_no_shorter_than_the_longest_pause_of_the_schedule(
    schedule: Schedule, interval: timedelta
) -> None:
    assert _search(make_rule(schedule=schedule)).search_interval == interval


def test_search_by_event_time_has_offset_and_backfill_and_no_maximum_wait() -> None:
    made = _search(
        make_rule(
            schedule=Schedule(
                every=timedelta(minutes=15),
                delay=timedelta(minutes=3),
                lookback=timedelta(hours=1),
                timestamp=TimestampField.EVENT,
            )
        )
    )

    assert made.timestamp_type is TimestampType.EVENT
    assert (made.search_interval_offset, made.backfill_limit_runs) == (timedelta(minutes=3), 5)
    assert made.max_wait is None
    assert made.search_interval == timedelta(minutes=75)


def test_search_by_ingest_time_has_a_maximum_wait_and_no_offset_and_no_backfill() -> None:
    made = _search(
        make_rule(schedule=Schedule(every=timedelta(minutes=15), delay=timedelta(minutes=3)))
    )

    assert made.timestamp_type is TimestampType.INGEST
    assert made.max_wait == timedelta(minutes=3)
    assert (made.search_interval_offset, made.backfill_limit_runs) == (None, None)


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        (DeployKind.SAVED_SEARCH, SavedQuery),
        (DeployKind.SCHEDULED_SEARCH, ScheduledSearch),
        (DeployKind.AGGREGATE_ALERT, AggregateAlert),
        (DeployKind.FILTER_ALERT, FilterAlert),
        (DeployKind.CORRELATION_RULE, CorrelationRule),
    ],
)
def test_kind_of_the_rule_decides_the_asset(kind: DeployKind, made: type) -> None:
    assert type(desired_asset(make_rule(kind=kind))) is made


def test_rule_that_deploys_none_has_no_asset() -> None:
    assert desired_asset(make_rule(kind=DeployKind.NONE)) is None


@pytest.mark.parametrize("kind", KINDS)
def test_marker_leads_back_to_the_rule(kind: DeployKind) -> None:
    asset = desired_asset(make_rule(kind=kind))

    assert asset is not None
    assert rule_of(asset) == RULE_ID


def test_marker_changes_with_what_is_set() -> None:
    before, after = _search(make_rule()), _search(make_rule(query="a=2"))

    assert before.description.splitlines()[-1] != after.description.splitlines()[-1]
    assert before.description.startswith("What it finds.\n\norchestrator:")


def test_description_that_quotes_a_marker_does_not_hide_the_real_one() -> None:
    rule = make_rule()
    fake = "orchestrator:22222222-2222-4222-8222-222222222222:000000000000"

    assert rule_of(_search(replace(rule, description=f"See\n{fake}\n"))) == rule.id


def test_asset_without_our_label_is_not_ours() -> None:
    """Taking the label off is how a person takes an asset over."""
    assert rule_of(replace(_search(make_rule()), labels=("t1528",))) is None


def test_asset_without_a_marker_is_not_ours() -> None:
    assert rule_of(replace(_search(make_rule()), description="mine")) is None


def _search(rule: Rule) -> ScheduledSearch:
    made = desired_asset(rule)
    assert isinstance(made, ScheduledSearch)
    return made


@pytest.mark.parametrize(
    ("every", "read"),
    [
        (timedelta(minutes=7), timedelta(minutes=6)),
        (timedelta(hours=5), timedelta(hours=4)),
        (timedelta(days=2), timedelta(days=1)),
        (timedelta(days=7), timedelta(days=7)),
    ],
)
def test_each_run_reads_exactly_what_lies_between_two_runs(
    every: timedelta, read: timedelta
) -> None:
    made = desired_asset(make_rule(schedule=Schedule(every=every)))

    assert isinstance(made, ScheduledSearch)
    assert made.search_interval == read


@pytest.mark.parametrize("status", [RuleStatus.SHADOW, RuleStatus.DRAFT])
def test_rule_that_tells_nobody_has_no_asset_that_runs(status: RuleStatus) -> None:
    made = desired_asset(make_rule(status=status))

    assert isinstance(made, ScheduledSearch)
    assert made.enabled is False
