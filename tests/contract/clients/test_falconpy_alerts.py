"""falconpy's Alerts, unmodified: what a correlation rule raised is found, read and worked on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from falconpy import NGSIEM, Alerts

from orchestrator.clock import FrozenClock
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.gateway.rules import first_version
from orchestrator.sandbox.settings import sandbox_settings
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.events import frame_of
from tests.contract.clients.conftest import (
    NOW,
    NOW_MS,
    TOKEN,
    body_of,
    message_of,
    resources,
    served,
)
from tests.contract.clients.test_falconpy_rules import RULE


async def fire(sandbox: Sandbox, clock: FrozenClock) -> None:
    """Let a rule find an event, an hour before the clients come."""
    search = {**RULE["search"], "filter": "kind=bad"}
    sandbox.keep_rule(first_version(sandbox, {**RULE, "search": search}))
    await sandbox.ingest("falcon", frame_of([{"@timestamp": str(NOW_MS), "kind": "bad"}]))
    clock.advance(timedelta(hours=1))
    await sandbox.triggers.run_due()


@pytest.fixture
def url() -> Iterator[str]:
    settings = replace(sandbox_settings(token=TOKEN), run_triggers=True)
    clock = FrozenClock(NOW)
    app = create_app(settings, clock=clock)
    asyncio.run(fire(app.state.sandbox, clock))
    with served(app) as address:
        yield address


def test_detection_is_found_read_and_closed(url: str) -> None:
    alerts: Any = Alerts(client_id="sandbox", client_secret=TOKEN, base_url=url)

    ids = resources(alerts.query_alerts_v2(filter="product:'ngsiem'+status:'new'"))
    (alert,) = resources(alerts.get_alerts_v2(composite_ids=ids))
    page = body_of(alerts.get_alerts_combined(filter="severity:>=50", limit=10))
    closed = alerts.update_alerts_v3(composite_ids=ids, update_status="closed", add_tag="done")
    (after,) = resources(alerts.get_alerts_v2(composite_ids=ids))
    odd = alerts.update_alerts_v3(composite_ids=ids, update_status="gone")

    assert (alert["name"], alert["severity"]) == (RULE["name"], 50)
    assert (alert["type"], alert["cid"]) == ("ngsiem-rule-trigger-event", RULE["customer_id"])
    assert page["resources"] == [alert]
    assert "after" not in page["meta"]["pagination"]
    assert body_of(closed)["meta"]["writes"] == {"resources_affected": 1}
    assert (after["status"], after["tags"]) == ("closed", ["done"])
    assert "update_status must be one of" in message_of(odd, status=400)


@pytest.mark.parametrize("named_by", ["id", "composite_id"])
def test_deprecated_versions_take_either_id(url: str, named_by: str) -> None:
    alerts: Any = Alerts(client_id="sandbox", client_secret=TOKEN, base_url=url)
    (listed,) = resources(alerts.query_alerts_v1(filter="status:'new'"))
    (alert,) = resources(alerts.get_alerts_v1(ids=[listed]))
    ids = [alert[named_by]]

    added = alerts.update_alerts_v2(ids=ids, add_tag="one")
    body = {
        "ids": ids,
        "action_parameters": [
            {"name": "add_tag", "value": "two"},
            {"name": "remove_tags_by_prefix", "value": "t"},
            {"name": "update_status", "value": "in_progress"},
        ],
    }
    changed = alerts.update_alerts_v2(body=body)
    unknown = alerts.update_alerts_v2(ids=["no"], add_tag="x")
    (after,) = resources(alerts.get_alerts_v1(ids=ids))

    assert alert["id"] == listed
    assert body_of(added)["meta"]["writes"] == {"resources_affected": 1}
    assert body_of(changed)["meta"]["writes"] == {"resources_affected": 1}
    # What is taken away goes before what is added comes.
    assert (after["tags"], after["status"]) == (["one", "two"], "in_progress")
    assert [(e["code"], e["id"]) for e in body_of(unknown)["errors"]] == [(404, "no")]


def test_events_behind_a_detection_are_searched_by_its_id(url: str) -> None:
    alerts: Any = Alerts(client_id="sandbox", client_secret=TOKEN, base_url=url)
    siem: Any = NGSIEM(auth_object=alerts.auth_object)
    (alert_id,) = resources(alerts.query_alerts_v2())
    query = f'#repo=xdr_indicatorsrepo Ngsiem.alert.id="{alert_id}" kind=bad'

    job = siem.start_search(repository="search-all", query_string=query, start="1d")
    (event,) = body_of(siem.get_search_status(repository="search-all", id=job["resources"]["id"]))[
        "events"
    ]

    assert int(event["@timestamp"]) == NOW_MS
    assert event["Ngsiem.event.type"] == "ngsiem-rule-match-event"
    assert event["rule.name"] == RULE["name"]
