"""What a correlation rule raises: events to search, alerts to read and to work on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.clock import FrozenClock
from orchestrator.sandbox.triggers.detections import MOST_OUTCOMES
from tests.unit.sandbox.conftest import NOW, Client, OpenClient
from tests.unit.sandbox.triggers_stage import Stage, open_stage

HOUR = timedelta(hours=1)
CUSTOMER = "0123456789abcdef0123456789abcdef"
RULE: dict[str, Any] = {
    "customer_id": CUSTOMER,
    "name": "bad kind",
    "description": "of events",
    "severity": 70,
    "status": "active",
    "tactic": "TA0006",
    "template_id": "",
    "search": {
        "filter": "kind=bad",
        "lookback": "2h",
        "outcome": "detection",
        "trigger_mode": "summary",
        "execution_mode": "scheduled",
    },
    "operation": {"schedule": {"definition": "@every 1h0m"}},
}
TRIGGERS = 'Ngsiem.event.type="ngsiem-rule-trigger-event"'
MATCHES = 'Ngsiem.event.type="ngsiem-rule-match-event"'


@pytest.fixture
async def stage(open_client: OpenClient) -> AsyncIterator[Stage]:
    async with open_stage(open_client) as opened:
        yield opened


async def make(client: Client, **search: Any) -> str:
    given = {**RULE, "search": {**RULE["search"], **search}}
    made = await client.call("POST", "/correlation-rules/entities/rules/v1", json=given)
    return str(made.json()["resources"][0]["rule_id"])


async def found(client: Client, query: str) -> list[dict[str, Any]]:
    text = f"#repo=xdr_indicatorsrepo | {query}"
    job = await client.start(text, repository="search-all", start="1d", end=TOMORROW_MS)
    events: list[dict[str, Any]] = (await client.poll(job, repository="search-all"))["events"]
    return events


TOMORROW_MS = 1_773_194_400_000


async def alerts(client: Client, **params: str) -> list[dict[str, Any]]:
    ids = await client.call("GET", "/alerts/queries/alerts/v2", params=params)
    if not ids.json()["resources"]:
        return []
    body = {"composite_ids": ids.json()["resources"]}
    read = await client.call("POST", "/alerts/entities/alerts/v2", json=body)
    assert read.status_code == 200
    whole: list[dict[str, Any]] = read.json()["resources"]
    return whole


async def test_run_in_summary_mode_is_one_detection_with_its_matches(stage: Stage) -> None:
    rule_id = await make(stage.client)
    await stage.client.ingest({"kind": "bad", "host": "a"}, {"kind": "bad", "host": "b"})

    await stage.run(after=HOUR)
    (trigger,) = await found(stage.client, TRIGGERS)
    matches = await found(stage.client, f"{MATCHES} | sort(host, type=string, order=asc)")
    (alert,) = await alerts(stage.client, filter="product:'ngsiem'+severity:>=70")

    assert (trigger["rule.name"], trigger["rule.id"]) == ("bad kind", rule_id)
    assert trigger["Ngsiem.event.outcome"] == "correlation-rule-detection"
    assert trigger["Vendor.SeverityName"] == "High"
    assert [event["host"] for event in matches] == ["a", "b"]
    assert {event["Ngsiem.alert.id"] for event in matches} == {trigger["Ngsiem.alert.id"]}
    assert alert["composite_id"] == trigger["Ngsiem.alert.id"]
    assert alert["composite_id"].startswith(f"{CUSTOMER}:ngsiem:{CUSTOMER}:")
    assert (alert["name"], alert["severity_name"], alert["status"]) == ("bad kind", "High", "new")
    assert (alert["tactic"], alert["timestamp"]) == ("TA0006", "2026-03-10T03:00:00Z")
    assert "technique" not in alert
    (invocation,) = await stage.invocations()
    assert (invocation["kind"], invocation["status"]) == ("detection", "sent")
    assert (invocation["event_count"], invocation["target"]) == (2, "xdr_indicatorsrepo")


async def test_match_names_the_event_it_came_from(stage: Stage) -> None:
    await make(stage.client)
    await stage.client.ingest({"kind": "bad"})
    (event,) = (await stage.client.search("kind=bad"))["events"]

    await stage.run(after=HOUR)
    (match,) = await found(stage.client, MATCHES)

    assert match["Ngsiem.event.id"] == event["@id"]
    assert match["@timestamp"] == event["@timestamp"]
    assert match["@id"] != event["@id"]


async def test_run_in_verbose_mode_has_a_detection_for_each_row(stage: Stage) -> None:
    await make(stage.client, trigger_mode="verbose", outcome="case", filter="groupBy(host)")
    await stage.client.ingest({"host": "a"}, {"host": "b"}, {"host": "b"})

    await stage.run(after=HOUR)
    outcomes = await found(stage.client, f"{TRIGGERS} | groupBy(Ngsiem.event.outcome)")
    rows = await found(
        stage.client, f"{MATCHES} | sort(host, type=string, order=asc) | table([host, _count])"
    )

    assert outcomes == [{"Ngsiem.event.outcome": "correlation-rule-case", "_count": "2"}]
    assert rows == [{"host": "a", "_count": "1"}, {"host": "b", "_count": "2"}]
    assert len(await alerts(stage.client)) == 2


async def test_more_rows_than_a_run_may_raise_are_left_out(stage: Stage) -> None:
    await make(stage.client, trigger_mode="verbose")
    await stage.client.ingest(*({"kind": "bad", "n": str(n)} for n in range(MOST_OUTCOMES + 5)))

    await stage.run(after=HOUR)

    assert await found(stage.client, f"{TRIGGERS} | count()") == [{"_count": str(MOST_OUTCOMES)}]


async def test_rule_does_not_find_what_rules_left(stage: Stage) -> None:
    await make(stage.client, filter="*", lookback="24h")
    await stage.client.ingest({"kind": "bad"})

    for _ in range(3):
        await stage.run(after=HOUR)

    counts = await found(stage.client, "groupBy(Ngsiem.event.type, function=count(as=n))")
    assert sorted(row["n"] for row in counts) == ["3", "3"]


async def test_run_without_rows_raises_nothing(stage: Stage) -> None:
    await make(stage.client)

    await stage.run(after=HOUR)

    assert await alerts(stage.client) == []
    assert "xdr_indicatorsrepo" not in stage.client.sandbox.domains


async def test_detection_found_before_a_kill_is_raised_once_after_it(
    open_client: OpenClient, tmp_path: Path
) -> None:
    clock = FrozenClock(NOW)
    async with open_stage(open_client, clock=clock, data_dir=tmp_path) as stage:
        await make(stage.client)
        await stage.client.ingest({"kind": "bad"})
        clock.advance(HOUR)
        await stage.triggers.search_due()
        assert await alerts(stage.client) == []

    async with open_stage(open_client, clock=clock, data_dir=tmp_path) as stage:
        await stage.run()
    async with open_stage(open_client, clock=clock, data_dir=tmp_path) as stage:
        await stage.run()

        assert len(await alerts(stage.client)) == 1
        assert await found(stage.client, "count()") == [{"_count": "2"}]


# --- working on alerts --------------------------------------------------------------------------


async def raised(stage: Stage, count: int) -> list[str]:
    await make(stage.client, trigger_mode="verbose")
    await stage.client.ingest(*({"kind": "bad", "n": str(n)} for n in range(count)))
    await stage.run(after=HOUR)
    ids: list[str] = (await stage.client.call("GET", "/alerts/queries/alerts/v2")).json()[
        "resources"
    ]
    return ids


async def change(stage: Stage, ids: list[str], **actions: str) -> Any:
    parameters = [{"name": name, "value": value} for name, value in actions.items()]
    body = {"composite_ids": ids, "action_parameters": parameters}
    return await stage.client.call("PATCH", "/alerts/entities/alerts/v3", json=body)


async def test_alert_is_worked_on_and_stays_so(stage: Stage) -> None:
    (alert_id,) = await raised(stage, 1)

    changed = await change(
        stage,
        [alert_id, "no"],
        update_status="in_progress",
        add_tag="seen",
        assign_to_uuid="u1",
        append_comment="mine",
    )
    (alert,) = await alerts(stage.client, filter="status:'in_progress'+tags:'seen'")
    await change(stage, [alert_id], remove_tag="seen", unassign="", show_in_ui="false")
    (after,) = await alerts(stage.client)

    assert changed.json()["errors"] == [{"code": 404, "message": "no such alert", "id": "no"}]
    assert changed.json()["meta"]["writes"] == {"resources_affected": 1}
    assert (alert["assigned_to_uuid"], alert["comments"]) == ("u1", [{"value": "mine"}])
    assert (after["tags"], after["assigned_to_uuid"], after["status"]) == ([], "", "in_progress")
    assert await alerts(stage.client, include_hidden="false") == []


async def test_alerts_are_paged_by_a_token(stage: Stage) -> None:
    ids = await raised(stage, 5)

    pages: list[list[str]] = []
    after = ""
    for _ in range(3):
        body = {"limit": 2, "after": after, "sort": "composite_id.asc"}
        answer = (await stage.client.call("POST", "/alerts/combined/alerts/v1", json=body)).json()
        pages.append([alert["composite_id"] for alert in answer["resources"]])
        after = answer["meta"]["pagination"].get("after", "")

    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(ids) == [alert_id for page in pages for alert_id in page]
    assert after == ""


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/alerts/combined/alerts/v1", {"limit": 0}),
        ("POST", "/alerts/combined/alerts/v1", {"limit": "2"}),
        ("POST", "/alerts/combined/alerts/v1", {"after": "LTU="}),
        ("POST", "/alerts/combined/alerts/v1", {"after": "\u00e9"}),
        ("POST", "/alerts/combined/alerts/v1", {"filter": "x"}),
        ("POST", "/alerts/combined/alerts/v1", {"sort": "x|y"}),
        ("POST", "/alerts/entities/alerts/v2", {}),
        ("PATCH", "/alerts/entities/alerts/v3", {"composite_ids": ["a"]}),
        (
            "PATCH",
            "/alerts/entities/alerts/v3",
            {"composite_ids": ["a"], "action_parameters": [{"name": "melt"}]},
        ),
        (
            "PATCH",
            "/alerts/entities/alerts/v3",
            {"composite_ids": ["a"], "action_parameters": [{"name": "update_status"}]},
        ),
    ],
)
async def test_request_that_is_wrong_is_refused(
    client: Client, method: str, path: str, body: Any
) -> None:
    answer = await client.call(method, path, json=body)

    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["code"] == 400
