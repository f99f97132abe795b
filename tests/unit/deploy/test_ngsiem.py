"""What a deployment to NG-SIEM changes of a correlation rule, and what it leaves to people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.client.types import CorrelationRule, RuleNotification, RuleSuppression
from orchestrator.deploy.apply import apply_plan
from orchestrator.deploy.desired import desired_asset, marker
from orchestrator.deploy.plan import ChangeKind, Plan, make_plan
from orchestrator.model.rule import RuleStatus
from orchestrator.units import parse_duration
from tests.unit.deploy.making import MemoryAssets, make_rule

SLACK = RuleNotification(kind="slack", config_id="c-1")
TOLD = (RuleNotification(kind="a"), RuleNotification(kind="b"))
"""Of the actions that a made rule names."""
BY_HAND: dict[str, Any] = {
    "outcome": "case",
    "trigger_mode": "verbose",
    "comment": "tuned",
    "guardrail_notifications": (SLACK,),
    "suppression": RuleSuppression(period=parse_duration("2h"), field="host"),
}


async def planned(assets: MemoryAssets, **changes: Any) -> Plan:
    return await make_plan([make_rule(**changes)], assets, None, lookups={}, on_ngsiem=True)


async def deployed(**by_hand: Any) -> tuple[MemoryAssets, CorrelationRule]:
    """Return a far side with one deployed rule that tells by its actions, changed by hand."""
    ours = desired_asset(make_rule(), on_ngsiem=True)
    assert isinstance(ours, CorrelationRule)
    changed = replace(ours, **{"id": "id-1", "notifications": TOLD, **by_hand})
    return MemoryAssets(changed), changed


async def test_what_a_file_does_not_set_is_no_drift_and_outlives_an_update() -> None:
    assets, changed = await deployed(**BY_HAND)

    plan = await planned(assets)
    await apply_plan(await planned(assets, query="count(x)"), assets, None)
    (after,) = await assets.list(CorrelationRule)

    assert plan.pending == ()
    assert replace(after, query=changed.query, description=changed.description) == changed


async def test_action_that_a_file_does_not_name_goes_with_its_notification() -> None:
    assets, _ = await deployed(notifications=(SLACK, *TOLD))

    plan = await planned(assets)
    await apply_plan(plan, assets, None)
    (after,) = await assets.list(CorrelationRule)

    (change,) = plan.pending
    assert (change.kind, change.lines) == (
        ChangeKind.UPDATE,
        ("  actions:", "     a", "     b", "    -slack"),
    )
    assert (after.actions, after.notifications) == (("a", "b"), TOLD)


async def test_plan_names_every_action_that_no_notification_tells() -> None:
    rules = [make_rule(number=number, name=f"r{number}") for number in (1, 2)]
    assets = MemoryAssets()

    plan = await make_plan(
        [*rules, make_rule(number=3, name="r3", actions=())],
        assets,
        None,
        lookups={},
        on_ngsiem=True,
    )
    await apply_plan(plan, assets, None)

    why = ("no notification of it: a, b; make one in NG-SIEM, or take it off",)
    assert [(change.what, change.kind, change.lines) for change in plan.refused] == [
        ("correlation rule 'r1'", ChangeKind.UNTOLD, why),
        ("correlation rule 'r2'", ChangeKind.UNTOLD, why),
    ]
    assert assets.calls == ["create r3"]


async def test_action_that_a_deployed_rule_does_not_tell_yet_is_named() -> None:
    assets, _ = await deployed()

    plan = await planned(assets, actions=("a", "slack"))

    (change,) = plan.refused
    assert change.lines == ("no notification of it: slack; make one in NG-SIEM, or take it off",)
    assert plan.pending == ()


async def test_deprecated_rule_is_deleted_whatever_its_actions() -> None:
    assets, _ = await deployed()

    plan = await planned(assets, status=RuleStatus.DEPRECATED, actions=("pager",))

    assert [change.kind for change in plan.changes] == [ChangeKind.DELETE]


def test_marker_vouches_for_what_a_file_sets_alone() -> None:
    wanted = desired_asset(make_rule(), on_ngsiem=True)
    assert isinstance(wanted, CorrelationRule)

    assert marker(make_rule(), replace(wanted, **BY_HAND)) == marker(make_rule(), wanted)
    assert marker(make_rule(), replace(wanted, severity=10)) != marker(make_rule(), wanted)


@pytest.mark.parametrize("member", ["outcome", "state", "raw"])
async def test_diff_shows_no_member_that_a_file_does_not_set(member: str) -> None:
    (change,) = (await planned(MemoryAssets(), actions=())).pending

    assert f"  {member}:" not in change.lines
    assert "  severity:" in change.lines
