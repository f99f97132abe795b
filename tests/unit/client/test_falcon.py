"""The gateway: envelope, correlation rules, search under its prefix."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.client.addresses import CLOUDS
from orchestrator.client.auth import ClientCredentials
from orchestrator.client.correlation_rules import format_go_duration, parse_go_duration
from orchestrator.client.falcon import Falcon
from orchestrator.client.retry import NO_RETRIES
from orchestrator.client.scripted import ScriptedTransport, json_response
from orchestrator.client.transport import Response
from orchestrator.client.types import CorrelationRule, SavedQuery
from orchestrator.clock import FrozenClock
from orchestrator.errors import NotFound, QueryRejected, RequestRejected, UnexpectedResponse
from orchestrator.secret import SecretText

NOW = datetime(2026, 3, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def make_falcon(
    *steps: Response, region: str = "us-1", base_url: str = CLOUDS["us-1"]
) -> tuple[Falcon, ScriptedTransport]:
    token = json_response(
        {"access_token": "tok-canary", "expires_in": 1799},
        status=201,
        headers={"x-cs-region": region},
    )
    transport = ScriptedTransport(token, *steps)
    falcon = Falcon(
        base_url,
        credentials=ClientCredentials(client_id="id", client_secret=SecretText("s-canary")),
        clock=FrozenClock(NOW),
        transport=transport,
        retry=NO_RETRIES,
    )
    return falcon, transport


def envelope(*resources: object, total: int | None = None, **more: object) -> Response:
    meta = {"pagination": {"total": len(resources) if total is None else total}}
    return json_response({"meta": meta, "resources": list(resources), "errors": None, **more})


def wire_rule(**changes: object) -> dict[str, object]:
    return {
        "id": "version-7",
        "rule_id": "rule-1",
        "name": "T1528",
        "description": "d",
        "severity": 70,
        "status": "active",
        "tactic": "TA0006",
        "technique": "T1528",
        "search": {
            "filter": "count()",
            "lookback": "1h15m",
            "outcome": "case",
            "trigger_mode": "verbose",
            "execution_mode": "scheduled",
            "use_ingest_time": True,
        },
        "operation": {"schedule": {"definition": "@every 1h0m"}},
        "notifications": [{"type": "slack"}, {"type": "email"}, {"type": "slack"}],
        **changes,
    }


RULE = CorrelationRule(
    id="rule-1",
    name="T1528",
    description="d",
    query="count()",
    enabled=True,
    severity=70,
    tactic="TA0006",
    technique="T1528",
    schedule=HOUR,
    lookback=timedelta(minutes=75),
    actions=("email", "slack"),
)


async def test_list_keeps_the_stable_id_and_reads_durations() -> None:
    falcon, _ = make_falcon(envelope(wire_rule()))

    assert await falcon.assets("ab").list(CorrelationRule) == (RULE,)


async def test_list_follows_pages_until_the_total() -> None:
    falcon, transport = make_falcon(
        envelope(wire_rule(name="b"), total=2), envelope(wire_rule(name="a"), total=2)
    )

    found = await falcon.assets("ab").list(CorrelationRule)

    assert [rule.name for rule in found] == ["a", "b"]
    assert transport.requests[-1].query == (("offset", "1"), ("limit", "100"))


async def test_list_ends_on_an_empty_page_whatever_the_total_says() -> None:
    falcon, transport = make_falcon(envelope(wire_rule(), total=9), envelope(total=9))

    assert len(await falcon.assets("ab").list(CorrelationRule)) == 1
    assert transport.left == 0


async def test_list_of_another_kind_asks_nothing() -> None:
    falcon, transport = make_falcon()

    assert await falcon.assets("ab").list(SavedQuery) == ()
    assert transport.requests == []


async def test_errors_beside_a_200_are_failures() -> None:
    falcon, _ = make_falcon(
        json_response(
            {"resources": [], "errors": [{"code": 5, "message": "shard down"}]},
            headers={"x-cs-traceid": "tr-9"},
        )
    )

    with pytest.raises(RequestRejected, match=r"shard down \(request tr-9\)"):
        await falcon.assets("ab").list(CorrelationRule)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rule_id": None}, "rule_id should be text"),
        ({"operation": {"schedule": {"definition": "daily"}}}, "definition should be @every"),
        ({"operation": {"schedule": {"definition": "@every x"}}}, "should be a duration"),
    ],
)
async def test_list_of_another_shape_names_the_member(
    changes: dict[str, object], problem: str
) -> None:
    falcon, _ = make_falcon(envelope(wire_rule(**changes)))

    with pytest.raises(UnexpectedResponse, match=problem):
        await falcon.assets("ab").list(CorrelationRule)


async def test_create_sends_one_object_with_the_tenant() -> None:
    falcon, transport = make_falcon(envelope(wire_rule()))

    await falcon.assets("ABCD-01").create(replace(RULE, id=""))

    assert transport.requests[-1].method == "POST"
    assert json.loads(transport.requests[-1].content) == {
        "name": "T1528",
        "description": "d",
        "severity": 70,
        "status": "active",
        "tactic": "TA0006",
        "technique": "T1528",
        "search": {
            "filter": "count()",
            "lookback": "1h15m",
            "outcome": "detection",
            "trigger_mode": "summary",
            "use_ingest_time": False,
            "execution_mode": "scheduled",
        },
        "operation": {"schedule": {"definition": "@every 1h0m"}},
        "customer_id": "abcd",
        "template_id": "",
        "trigger_on_create": False,
    }


async def test_update_sends_an_array_and_keeps_what_a_hit_becomes() -> None:
    falcon, transport = make_falcon(envelope(wire_rule()), envelope(wire_rule(severity=90)))

    updated = await falcon.assets("ab").update(replace(RULE, severity=90), expected=RULE)

    assert updated.severity == 90
    (patch,) = json.loads(transport.requests[-1].content)
    assert (patch["id"], patch["severity"]) == ("rule-1", 90)
    assert patch["search"] == {
        "filter": "count()",
        "lookback": "1h15m",
        "outcome": "detection",
        "trigger_mode": "summary",
        "use_ingest_time": False,
    }


async def test_update_of_a_read_rule_keeps_its_outcome() -> None:
    falcon, transport = make_falcon(
        envelope(wire_rule()), envelope(wire_rule()), envelope(wire_rule())
    )
    (current,) = await falcon.assets("ab").list(CorrelationRule)

    await falcon.assets("ab").update(replace(RULE, query="x"), expected=current)

    (patch,) = json.loads(transport.requests[-1].content)
    assert patch["search"]["outcome"] == "case"
    assert patch["search"]["use_ingest_time"] is True


async def test_switching_off_sends_no_operation() -> None:
    falcon, transport = make_falcon(envelope(wire_rule()), envelope(wire_rule(status="inactive")))

    updated = await falcon.assets("ab").update(replace(RULE, enabled=False), expected=RULE)

    (patch,) = json.loads(transport.requests[-1].content)
    assert updated.enabled is False
    assert "operation" not in patch


async def test_switching_off_with_a_new_schedule_takes_two_patches() -> None:
    falcon, transport = make_falcon(
        envelope(wire_rule()), envelope(wire_rule()), envelope(wire_rule(status="inactive"))
    )
    wanted = replace(RULE, enabled=False, schedule=2 * HOUR)

    await falcon.assets("ab").update(wanted, expected=RULE)

    (first,), (second,) = (json.loads(request.content) for request in transport.requests[-2:])
    assert "status" not in first
    assert first["operation"] == {"schedule": {"definition": "@every 2h0m"}}
    assert second == {"id": "rule-1", "status": "inactive"}


async def test_update_of_what_changed_meanwhile_is_refused() -> None:
    falcon, transport = make_falcon(envelope(wire_rule(severity=10)))

    with pytest.raises(RequestRejected, match="T1528 changed since it was read"):
        await falcon.assets("ab").update(RULE, expected=RULE)

    assert len(transport.requests) == 2


async def test_update_of_what_is_gone_is_not_found() -> None:
    falcon, _ = make_falcon(envelope())

    with pytest.raises(NotFound):
        await falcon.assets("ab").update(RULE, expected=RULE)


async def test_delete_names_the_stable_id() -> None:
    falcon, transport = make_falcon(envelope())

    await falcon.assets("ab").delete(RULE)

    assert transport.requests[-1].query == (("ids", "rule-1"),)


async def test_delete_without_an_id_is_our_bug() -> None:
    falcon, _ = make_falcon()

    with pytest.raises(ValueError, match="T1528 has no id"):
        await falcon.assets("ab").delete(replace(RULE, id=""))


async def test_search_goes_under_the_gateways_prefix() -> None:
    refusal = json_response({"errors": [{"code": 400, "message": "bad query"}]}, status=400)
    falcon, transport = make_falcon(refusal)

    with pytest.raises(QueryRejected, match="bad query"):
        await falcon.search(
            "search-all", "x|", start=NOW, end=NOW + HOUR, deadline=timedelta(minutes=1)
        )

    assert transport.requests[-1].path == "humio/api/v1/repositories/search-all/queryjobs"
    assert transport.requests[-1].bearer == SecretText("tok-canary")


async def test_check_names_the_region() -> None:
    falcon, _ = make_falcon()

    assert await falcon.check() == "us-1"


async def test_check_of_a_tenant_in_another_cloud_names_its_address() -> None:
    falcon, _ = make_falcon(region="eu-1")

    with pytest.raises(UnexpectedResponse, match=r"https://api\.eu-1\.crowdstrike\.com"):
        await falcon.check()


async def test_check_behind_a_private_address_does_not_judge_the_region() -> None:
    falcon, _ = make_falcon(region="eu-1", base_url="http://127.0.0.1:8080")

    assert await falcon.check() == "eu-1"


@pytest.mark.parametrize(
    ("text", "length"),
    [("1h15m", timedelta(minutes=75)), ("90s", timedelta(seconds=90)), ("168h", 168 * HOUR)],
)
def test_parse_go_duration(text: str, length: timedelta) -> None:
    assert parse_go_duration(text) == length
    assert parse_go_duration(format_go_duration(length)) == length


@pytest.mark.parametrize("text", ["", "1d", "5", "m", "1m1h", "-1h"])
def test_parse_go_duration_of_another_form_fails(text: str) -> None:
    with pytest.raises(ValueError, match="write 1h15m"):
        parse_go_duration(text)
