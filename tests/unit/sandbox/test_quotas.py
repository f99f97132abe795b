"""Quotas: what a role may start in an interval, how it is told, and when it starts anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orchestrator.sandbox.quotas import QuotaInterval

PATH = "/api/v1/repositories/falcon/queryjobs"


async def start(client: Any, *, token: str = "admin") -> Any:
    return await client.call("POST", PATH, token=token, json={"queryString": "*"})


async def test_query_beyond_the_quota_is_refused_until_the_interval_ends(open_client: Any) -> None:
    async with open_client(query_quotas={QuotaInterval.ONE_MINUTE: 2}) as client:
        answers = [await start(client) for _ in range(3)]
        other = await start(client, token="reader")
        client.clock.advance(timedelta(seconds=int(answers[2].headers["retry-after"])))
        later = await start(client)

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["content-type"] == "text/plain; charset=UTF-8"
    assert "2 queries per 60 seconds" in answers[2].text
    assert (other.status_code, later.status_code) == (200, 200)


async def test_poll_tells_what_the_role_has_spent(client: Any) -> None:
    for _ in range(3):
        found = await client.search("*")
    client.clock.advance(timedelta(minutes=1))
    later = await client.search("*")

    spent = found["metaData"]["quotaTotalSpent"]
    assert spent["oneMinute"] == {"queryCount": 3, "staticCost": 0, "liveCost": 0}
    assert later["metaData"]["quotaTotalSpent"]["oneMinute"]["queryCount"] == 1
    assert later["metaData"]["quotaTotalSpent"]["day"]["queryCount"] == 4


async def test_jobs_alive_at_once_are_bounded(open_client: Any) -> None:
    async with open_client(most_jobs=2) as client:
        first, _, third = [await start(client) for _ in range(3)]
        await client.call("DELETE", f"{PATH}/{first.json()['id']}")
        again = await start(client)

    assert (third.status_code, again.status_code) == (429, 200)


async def test_control_route_sets_and_lifts_quotas(client: Any) -> None:
    answer = await client.call("PUT", "/_sandbox/quotas", json={"hour": 0})
    refused = await start(client)
    await client.call("PUT", "/_sandbox/quotas", json={})

    assert answer.json() == {"quotas": {"hour": 0}}
    assert (refused.status_code, (await start(client)).status_code) == (429, 200)


@pytest.mark.parametrize("body", [{"week": 1}, {"hour": -1}, {"hour": "1"}, {"hour": True}])
async def test_wrong_quota_is_refused(client: Any, body: dict[str, Any]) -> None:
    answer = await client.call("PUT", "/_sandbox/quotas", json=body)

    assert answer.status_code == 400
    assert (await start(client)).status_code == 200


async def test_quotas_need_the_right_to_administer(client: Any) -> None:
    answer = await client.call("PUT", "/_sandbox/quotas", token="reader", json={})

    assert answer.status_code == 403


async def test_streamed_query_counts_as_one(open_client: Any) -> None:
    async with open_client(query_quotas={QuotaInterval.DAY: 1}) as client:
        path = "/api/v1/repositories/falcon/query"
        answers = [await client.call("POST", path, json={"queryString": "*"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
