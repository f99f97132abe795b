"""What a deployment to NG-SIEM changes of a correlation rule, and what it leaves to people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.client.types import CorrelationRule, RuleNotification, RuleSuppression
from orchestrator.deploy.apply import apply_plan
from orchestrator.deploy.desired import desired_asset, marker
from orchestrator.deploy.plan import ChangeKind, Plan, make_plan
from orchestrator.units import parse_duration
from tests.unit.deploy.making import MemoryAssets, make_rule

SLACK = RuleNotification(kind="slack", config_id="c-1")
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
    """Return a far side with one deployed rule, and the rule after a change by hand."""
    assets = MemoryAssets()
    await apply_plan(await planned(assets), assets, None)
    (ours,) = await assets.list(CorrelationRule)
    changed = replace(ours, **by_hand)
    await assets.update(changed, expected=ours)
    return assets, changed


async def test_what_a_file_does_not_set_is_no_drift_and_outlives_an_update() -> None:
    assets, changed = await deployed(**BY_HAND)

    plan = await planned(assets)
    await apply_plan(await planned(assets, query="count(x)"), assets, None)
    (after,) = await assets.list(CorrelationRule)

    assert plan.pending == ()
    assert replace(after, query=changed.query, description=changed.description) == changed


async def test_action_that_a_file_does_not_name_goes_with_its_notification() -> None:
    assets, _ = await deployed(notifications=(SLACK,))

    plan = await planned(assets)
    await apply_plan(plan, assets, None)
    (after,) = await assets.list(CorrelationRule)

    (change,) = plan.pending
    assert (change.kind, change.lines) == (
        ChangeKind.UPDATE,
        ("  actions:", "     a", "     b", "    -slack"),
    )
    assert (after.actions, after.notifications) == (("a", "b"), ())


def test_marker_vouches_for_what_a_file_sets_alone() -> None:
    wanted = desired_asset(make_rule(), on_ngsiem=True)
    assert isinstance(wanted, CorrelationRule)

    assert marker(make_rule(), replace(wanted, **BY_HAND)) == marker(make_rule(), wanted)
    assert marker(make_rule(), replace(wanted, severity=10)) != marker(make_rule(), wanted)


@pytest.mark.parametrize("member", ["outcome", "state", "raw"])
async def test_diff_shows_no_member_that_a_file_does_not_set(member: str) -> None:
    (change,) = (await planned(MemoryAssets())).pending

    assert f"  {member}:" not in change.lines
    assert "  severity:" in change.lines
