"""The Falcon face: tokens that expire, envelopes, correlation rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orchestrator.sandbox.settings import FalconClient

CLIENTS = (FalconClient(client_id="id", client_secret="secret"),)
RULE = {
    "customer_id": "0" * 32,
    "name": "rule",
    "severity": 50,
    "status": "active",
    "template_id": "",
    "search": {
        "filter": "a=b",
        "lookback": "1h",
        "outcome": "detection",
        "trigger_mode": "summary",
        "execution_mode": "scheduled",
    },
    "operation": {"schedule": {"definition": "@every 1h0m"}},
}
RULES = "/correlation-rules/entities/rules/v1"


async def token_of(client: Any) -> str:
    answer = await client.call(
        "POST", "/oauth2/token", token=None, data={"client_id": "id", "client_secret": "secret"}
    )
    assert answer.status_code == 201
    assert (answer.json()["expires_in"], answer.json()["token_type"]) == (1799, "bearer")
    return str(answer.json()["access_token"])


async def test_token_searches_until_it_expires(open_client: Any) -> None:
    async with open_client(falcon_clients=CLIENTS) as client:
        token = await token_of(client)
        path = "/humio/api/v1/repositories/search-all/queryjobs"
        body = {"queryString": "count()", "start": "1h", "end": "now"}

        fresh = await client.call("POST", path, token=token, json=body)
        client.clock.advance(timedelta(minutes=31))
        stale = await client.call("POST", path, token=token, json=body)

    assert fresh.status_code == 200
    assert set(fresh.json()) >= {"id", "hashedQueryOnView"}
    assert stale.status_code == 401
    assert stale.json()["errors"][0]["code"] == 401
    assert stale.json()["resources"] == []


async def test_wrong_secret_gets_an_envelope(open_client: Any) -> None:
    async with open_client(falcon_clients=CLIENTS) as client:
        answer = await client.call(
            "POST", "/oauth2/token", token=None, data={"client_id": "id", "client_secret": "no"}
        )

    assert answer.status_code == 403
    assert answer.json()["errors"][0]["message"]


async def test_search_all_sees_every_repository(open_client: Any) -> None:
    async with open_client(repositories=("falcon", "other")) as client:
        await client.ingest({"a": "1"}, repository="falcon")
        await client.ingest({"a": "1"}, repository="other")

        job = await client.start("count()", repository="search-all")
        found = await client.poll(job, repository="search-all")

    assert found["events"] == [{"_count": "2"}]


async def test_bad_query_through_the_gateway_is_an_envelope(client: Any) -> None:
    answer = await client.call(
        "POST",
        "/humio/api/v1/repositories/search-all/queryjobs",
        json={"queryString": "count("},
    )

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["errors"][0]["message"]


async def test_rule_keeps_its_rule_id_and_changes_its_version(client: Any) -> None:
    made = (await client.call("POST", RULES, json=RULE)).json()["resources"][0]
    patch = [{"id": made["rule_id"], "severity": 90, "search": {"filter": "a=c"}}]
    [after] = (await client.call("PATCH", RULES, json=patch)).json()["resources"]
    listed = (await client.call("GET", "/correlation-rules/combined/rules/v1")).json()

    assert (after["rule_id"], after["version"]) == (made["rule_id"], 2)
    assert after["id"] != made["id"]
    assert after["search"]["lookback"] == "1h"
    assert listed["resources"] == [after]
    assert listed["meta"]["pagination"]["total"] == 1


async def test_deleted_rule_is_gone(client: Any) -> None:
    made = (await client.call("POST", RULES, json=RULE)).json()["resources"][0]

    await client.call("DELETE", RULES, params={"ids": made["rule_id"]})
    answer = await client.call("GET", RULES, params={"ids": made["rule_id"]})

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"severity": 55},
        {"status": "asleep"},
        {"search": {"filter": ""}},
        {"search": {**RULE["search"], "outcome": "party"}},  # type: ignore[dict-item]  # RULE is a plain literal
    ],
)
async def test_wrong_rule_is_refused(client: Any, change: dict[str, Any]) -> None:
    answer = await client.call("POST", RULES, json={**RULE, **change})

    assert answer.status_code == 400


async def test_rule_without_its_members_is_refused(client: Any) -> None:
    answer = await client.call("POST", RULES, json={"name": "x"})

    assert "customer_id" in answer.json()["errors"][0]["message"]


async def test_inactive_together_with_operation_is_refused(client: Any) -> None:
    made = (await client.call("POST", RULES, json=RULE)).json()["resources"][0]
    patch = [{"id": made["rule_id"], "status": "inactive", "operation": RULE["operation"]}]

    answer = await client.call("PATCH", RULES, json=patch)

    assert answer.status_code == 400


async def test_rule_patch_that_is_no_array_is_refused(client: Any) -> None:
    answer = await client.call("PATCH", RULES, json={"id": "x"})

    assert answer.status_code == 400
