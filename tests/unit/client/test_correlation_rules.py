"""Correlation rules: what a new one is made of, what a change sends, rules of an odd form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.client import (
    AttackMapping,
    ClientCredentials,
    CorrelationRule,
    Falcon,
    RuleNotification,
    RuleSuppression,
    ScriptedTransport,
    json_response,
)
from orchestrator.client.http.retry import NO_RETRIES
from orchestrator.clock import FrozenClock
from orchestrator.errors import RequestRejected
from orchestrator.secret import SecretText

NOW = datetime(2026, 3, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
TENANT = "ab" * 16
EMAIL = RuleNotification(kind="email", recipients=("soc@mail.example",))
SLACK = RuleNotification(kind="slack", plugin_id="slack.incoming_webhook", config_id="c-1")
FULL = CorrelationRule(
    name="T1528",
    query="count()",
    enabled=True,
    severity=70,
    schedule=HOUR,
    lookback=HOUR,
    outcome="case",
    trigger_mode="verbose",
    use_ingest_time=True,
    case_template_id="case-1",
    template_id="template-1",
    comment="first",
    mitre_attack=(
        AttackMapping(tactic_id="TA0006", technique_id="T1528"),
        AttackMapping(tactic_id="TA0001"),
    ),
    notifications=(EMAIL,),
    guardrail_notifications=(SLACK,),
    suppression=RuleSuppression(period=2 * HOUR, field="host"),
    start_on=NOW + HOUR,
    stop_on=NOW + 24 * HOUR,
)


def wire(**changes: object) -> dict[str, Any]:
    """Return `FULL` as a gateway answers with it, and a member that nobody here knows."""
    return {
        "id": "version-1",
        "rule_id": "rule-1",
        "name": "T1528",
        "severity": 70,
        "status": "active",
        "template_id": "template-1",
        "comment": "first",
        "search": {
            "filter": "count()",
            "lookback": "1h0m",
            "outcome": "case",
            "trigger_mode": "verbose",
            "execution_mode": "scheduled",
            "use_ingest_time": True,
            "case_template_id": "case-1",
        },
        "operation": {
            "schedule": {"definition": "@every 1h0m"},
            "start_on": "2026-03-10T01:00:00Z",
            "stop_on": "2026-03-11T00:00:00Z",
            "suppression": {
                "suppression_period": "2h0m",
                "filter": {"field_based": {"field": "host"}},
            },
        },
        "mitre_attack": [
            {"tactic_id": "TA0006", "technique_id": "T1528"},
            {"tactic_id": "TA0001"},
        ],
        "notifications": [
            {
                "type": "email",
                "options": {"send_on_success": "never", "send_on_failure": "always"},
                "config": {
                    "cid": TENANT,
                    "config_id": "",
                    "plugin_id": "",
                    "recipients": ["soc@mail.example"],
                    "severity": "",
                },
            }
        ],
        "guardrail_notifications": [
            {
                "type": "slack",
                "config": {
                    "cid": TENANT,
                    "config_id": "c-1",
                    "plugin_id": "slack.incoming_webhook",
                    "recipients": [],
                    "severity": "",
                },
            }
        ],
        "new_member": {"kept": True},
        **changes,
    }


def make_falcon(*rules: Mapping[str, object]) -> tuple[Falcon, ScriptedTransport]:
    token = json_response({"access_token": "t", "expires_in": 1799}, status=201)
    answers = [json_response({"meta": {}, "resources": [rule]}) for rule in rules]
    transport = ScriptedTransport(token, *answers)
    falcon = Falcon(
        "https://api.crowdstrike.com",
        credentials=ClientCredentials(client_id="id", client_secret=SecretText("s")),
        clock=FrozenClock(NOW),
        transport=transport,
        retry=NO_RETRIES,
    )
    return falcon, transport


async def patch_for(rule: Mapping[str, object], **changes: Any) -> list[dict[str, Any]]:
    """Return the patches that are sent to change a rule that was read."""
    falcon, transport = make_falcon(rule, rule, rule, rule)
    rules = falcon.assets(TENANT)
    known = await rules.get("rule-1")
    await rules.update(replace(known, **changes), expected=known)
    sent = [r for r in transport.requests if r.method == "PATCH"]
    return [member for request in sent for member in json.loads(request.content)]


async def test_new_rule_is_made_of_all_its_members() -> None:
    falcon, transport = make_falcon(wire())

    made = await falcon.assets(TENANT).create(FULL, trigger_on_create=True)

    own = ("id", "rule_id", "new_member")
    assert json.loads(transport.requests[-1].content) == {
        **{name: value for name, value in wire().items() if name not in own},
        "description": "",
        "tactic": "",
        "technique": "",
        "customer_id": TENANT,
        "trigger_on_create": True,
    }
    assert made == replace(FULL, id="rule-1")


async def test_rule_without_a_schedule_cannot_be_made() -> None:
    falcon, _ = make_falcon()

    with pytest.raises(ValueError, match="T1528 has no schedule or no lookback"):
        await falcon.assets(TENANT).create(replace(FULL, schedule=None))


@pytest.mark.parametrize("verb", ["create", "update"])
async def test_action_without_a_notification_is_refused_by_name(verb: str) -> None:
    falcon, transport = make_falcon(wire(), wire())
    rules = falcon.assets(TENANT)
    known = await rules.get("rule-1")
    wanted = replace(known, actions=("page-ops", "email"))

    with pytest.raises(RequestRejected, match="T1528: no notification is given for page-ops"):
        await (rules.create(wanted) if verb == "create" else rules.update(wanted, expected=known))

    assert {request.method for request in transport.requests[1:]} == {"GET"}


def test_actions_name_every_kind_of_notification() -> None:
    assert replace(FULL, notifications=(SLACK, EMAIL, SLACK)).actions == ("email", "slack")


CHANGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"severity": 90}, {"severity": 90}),
    ({"comment": ""}, {"comment": ""}),
    ({"mitre_attack": ()}, {"mitre_attack": []}),
    ({"notifications": ()}, {"notifications": []}),
    ({"stop_on": NOW + 48 * HOUR}, {"operation": {"stop_on": "2026-03-12T00:00:00Z"}}),
    ({"start_on": None}, {}),
    ({"suppression": None}, {"operation": {"suppression": {"suppression_period": ""}}}),
    (
        {"suppression": RuleSuppression(period=HOUR)},
        {"operation": {"suppression": {"suppression_period": "1h0m"}}},
    ),
    (
        {"guardrail_notifications": (replace(SLACK, channel_id="ch", raw={}),)},
        {
            "guardrail_notifications": [
                {
                    "type": "slack",
                    "config": {
                        "cid": TENANT,
                        "config_id": "c-1",
                        "plugin_id": "slack.incoming_webhook",
                        "recipients": [],
                        "severity": "",
                        "channel_id": "ch",
                    },
                }
            ]
        },
    ),
    (
        {"case_template_id": "", "use_ingest_time": False},
        {
            "search": {
                "filter": "count()",
                "lookback": "1h0m",
                "outcome": "case",
                "trigger_mode": "verbose",
                "use_ingest_time": False,
                "case_template_id": "",
            }
        },
    ),
]


@pytest.mark.parametrize(("changes", "patch"), CHANGES, ids=",".join)
async def test_update_sends_what_differs_alone(
    changes: dict[str, Any], patch: dict[str, Any]
) -> None:
    sent = await patch_for(wire(), **changes)

    assert sent == ([{"id": "rule-1", **patch}] if patch else [])


async def test_end_of_a_rule_is_not_taken_away_in_silence() -> None:
    falcon, _ = make_falcon(wire(), wire())
    rules = falcon.assets(TENANT)
    known = await rules.get("rule-1")

    with pytest.raises(RequestRejected, match="the end of T1528 cannot be taken away"):
        await rules.update(replace(known, stop_on=None), expected=known)


ODD: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"operation": {}}, ("operation.schedule",)),
    ({"operation": {"schedule": {"definition": "daily"}}}, ("operation.schedule",)),
    ({"operation": {"schedule": {"definition": "@every x"}}}, ("operation.schedule",)),
    ({"operation": "none"}, ("operation", "operation.schedule")),
    ({"severity": "high"}, ("severity",)),
    ({"notifications": ["email"]}, ("notifications",)),
    ({"last_execution": {"errors": [{"code": 1}]}}, ("last_execution",)),
]


@pytest.mark.parametrize(("changes", "unread"), ODD, ids=",".join)
async def test_member_of_an_odd_form_is_named_and_left_alone(
    changes: dict[str, Any], unread: tuple[str, ...]
) -> None:
    rule = wire(**changes)
    falcon, _ = make_falcon(rule)

    known = await falcon.assets(TENANT).get("rule-1")
    sent = await patch_for(rule, query="x")

    assert (known.name, known.unread) == ("T1528", unread)
    assert known.raw == rule
    assert [sorted(patch) for patch in sent] == [["id", "search"]]


async def test_lookback_of_an_odd_form_is_not_written_over() -> None:
    rule = wire(search={"filter": "count()", "lookback": "1.5h"})

    (patch,) = await patch_for(rule, query="x")

    assert patch["search"] == {
        "filter": "x",
        "outcome": "detection",
        "trigger_mode": "summary",
        "use_ingest_time": False,
    }
