"""Actions: secrets go onto the wire and nowhere else."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from orchestrator.client.cassettes.scripted import ScriptedTransport, json_response
from orchestrator.client.graphql.action_kinds import EmailContent, WebhookContent
from orchestrator.client.http.retry import NO_RETRIES
from orchestrator.client.http.transport import Response
from orchestrator.client.logscale import LogScale
from orchestrator.client.types import Action
from orchestrator.clock import FrozenClock
from orchestrator.errors import GraphqlError, RequestRejected
from orchestrator.secret import SecretText


def make_client(*steps: Response) -> tuple[LogScale, ScriptedTransport]:
    transport = ScriptedTransport(*steps)
    client = LogScale(
        "https://logscale.example",
        token=SecretText("token-canary"),
        clock=FrozenClock(datetime(2026, 3, 10, tzinfo=UTC)),
        transport=transport,
        retry=NO_RETRIES,
    )
    return client, transport


def wire(name: str, kind: str) -> dict[str, str]:
    return {"id": f"id-{name}", "name": name, "__typename": kind}


async def test_list_keeps_kinds_it_does_not_know() -> None:
    items = [wire("z", "WebhookAction"), wire("a", "CarrierPigeonAction")]
    client, _ = make_client(json_response({"data": {"searchDomain": {"actions": items}}}))

    assert await client.actions("v").list() == (
        Action(id="id-a", name="a", kind="CarrierPigeonAction"),
        Action(id="id-z", name="z", kind="WebhookAction"),
    )


async def test_create_webhook_sends_address_and_headers() -> None:
    answer = json_response({"data": {"createWebhookAction": wire("w", "WebhookAction")}})
    client, transport = make_client(answer)

    content = WebhookContent(
        url=SecretText("https://hooks.example/canary"),
        body_template="{events}",
        headers={"X-Key": SecretText("k-canary")},
    )
    created = await client.actions("v").create("w", content)

    assert created == Action(id="id-w", name="w", kind="WebhookAction")
    sent = json.loads(transport.requests[0].content)["variables"]["input"]
    assert sent["url"] == "https://hooks.example/canary"
    assert sent["headers"] == [{"header": "X-Key", "value": "k-canary"}]
    assert "canary" not in repr(transport.requests[0])
    assert "canary" not in repr(content)


async def test_create_email_leaves_the_servers_subject() -> None:
    answer = json_response({"data": {"createEmailAction": wire("m", "EmailAction")}})
    client, transport = make_client(answer)

    await client.actions("v").create("m", EmailContent(recipients=["soc@example.com"]))

    content = json.loads(transport.requests[0].content)["variables"]["input"]
    assert content == {
        "viewName": "v",
        "name": "m",
        "recipients": ["soc@example.com"],
        "attachCsv": False,
        "useProxy": False,
    }


async def test_create_of_a_taken_name_is_refused_by_the_server() -> None:
    client, _ = make_client(json_response({"data": None, "errors": [{"message": "taken"}]}))

    with pytest.raises(GraphqlError, match="taken"):
        await client.actions("v").create("m", EmailContent(recipients=[]))


async def test_delete_that_did_nothing_is_rejected() -> None:
    client, _ = make_client(json_response({"data": {"deleteAction": False}}))

    with pytest.raises(RequestRejected, match="action m in v was not deleted"):
        await client.actions("v").delete(Action(id="1", name="m", kind="EmailAction"))
