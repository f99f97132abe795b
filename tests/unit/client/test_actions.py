"""Actions: secrets go onto the wire and nowhere else."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orchestrator.client.cassettes.scripted import ScriptedTransport, json_response
from orchestrator.client.http.retry import NO_RETRIES
from orchestrator.client.http.transport import Response
from orchestrator.client.logscale import LogScale
from orchestrator.client.types import (
    Action,
    EmailContent,
    WebhookContent,
)
from orchestrator.clock import FrozenClock
from orchestrator.errors import GraphqlError, RequestRejected, UnexpectedResponse
from orchestrator.secret import SecretText


def make_client(*steps: Response) -> tuple[LogScale, ScriptedTransport]:
    """Return a client of a server that is asked for its version where that matters."""
    transport = ScriptedTransport(*steps)
    client = LogScale(
        "https://logscale.example",
        token=SecretText("token-canary"),
        clock=FrozenClock(datetime(2026, 3, 10, tzinfo=UTC)),
        transport=transport,
        retry=NO_RETRIES,
    )
    return client, transport


VERSION = json_response({"status": "OK", "version": "1.204.0"})
WEBHOOK: dict[str, object] = {
    "method": "PUT",
    "url": "https://hooks.example/canary",
    "headers": [{"header": "X-Key", "value": "k-canary"}],
    "webhookBodyTemplate": "{events}",
    "ignoreSSL": True,
    "useProxy": True,
}
HELD = WebhookContent(
    url=SecretText("https://hooks.example/canary"),
    body_template="{events}",
    method="PUT",
    headers={"X-Key": SecretText("k-canary")},
    ignore_tls=True,
    use_proxy=True,
)


def wire(name: str, kind: str, **members: object) -> dict[str, object]:
    return {
        "id": f"id-{name}",
        "name": name,
        "displayName": name,
        "__typename": kind,
        **members,
    }


def listed(*items: object) -> Response:
    return json_response({"data": {"searchDomain": {"actions": list(items)}}})


async def test_list_keeps_kinds_it_does_not_know() -> None:
    items = (wire("z", "WebhookAction", **WEBHOOK), wire("a", "CarrierPigeonAction"))
    client, _ = make_client(VERSION, listed(*items))

    found = await client.actions("v").list()

    assert found == (
        Action(id="id-a", name="a", kind="CarrierPigeonAction"),
        Action(id="id-z", name="z", kind="WebhookAction", content=HELD),
    )
    assert "canary" not in repr(found)


async def test_action_that_lacks_a_member_is_told_without_what_it_holds() -> None:
    broken = wire("z", "WebhookAction", **{**WEBHOOK, "useProxy": None})
    client, _ = make_client(VERSION, listed(broken))

    with pytest.raises(UnexpectedResponse, match="useProxy should be true or false") as caught:
        await client.actions("v").list()

    assert "canary" not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("WebhookAction", {**WEBHOOK, "headers": [{"header": "A", "value": "1"}] * 2}),
        (
            "SlackAction",
            {
                "url": "https://h.example",
                "fields": [{"fieldName": "A", "value": v} for v in "xy"],
                "useProxy": False,
            },
        ),
    ],
)
async def test_content_that_would_lose_a_twin_is_not_read(
    kind: str, members: dict[str, object]
) -> None:
    client, _ = make_client(VERSION, listed(wire("z", kind, **members)))

    assert await client.actions("v").list() == (Action(id="id-z", name="z", kind=kind),)


async def test_update_sends_the_flags_and_labels_that_it_read() -> None:
    there = wire("z", "WebhookAction", **WEBHOOK, labels=["l"], modifiedInfo={"modifiedAt": 5})
    answer = json_response({"data": {"updateWebhookAction": wire("z", "WebhookAction", **WEBHOOK)}})
    client, transport = make_client(VERSION, listed(there), listed(there), answer)
    actions = client.actions("v")
    (found,) = await actions.list()
    assert isinstance(found.content, WebhookContent)

    await actions.update(found, replace(found.content, body_template="{url}"))

    assert json.loads(transport.requests[-1].content)["variables"]["input"] == {
        "viewName": "v",
        "id": "id-z",
        "name": "z",
        "url": "https://hooks.example/canary",
        "method": "PUT",
        "headers": [{"header": "X-Key", "value": "k-canary"}],
        "bodyTemplate": "{url}",
        "ignoreSSL": True,
        "useProxy": True,
        "labels": ["l"],
    }
    assert found.modified_at == datetime(1970, 1, 1, microsecond=5000, tzinfo=UTC)


async def test_update_of_what_was_changed_and_changed_back_is_refused() -> None:
    there = wire("z", "WebhookAction", **WEBHOOK, labels=[], modifiedInfo={"modifiedAt": 5})
    later = {**there, "modifiedInfo": {"modifiedAt": 6}}
    client, transport = make_client(VERSION, listed(there), listed(later))
    actions = client.actions("v")
    (found,) = await actions.list()

    with pytest.raises(RequestRejected, match="action z in v changed since it was read"):
        await actions.update(found, HELD)

    assert len(transport.requests) == 3


async def test_create_webhook_sends_address_and_headers() -> None:
    held = wire("w", "WebhookAction", **WEBHOOK)
    answer = json_response({"data": {"createWebhookAction": held}})
    client, transport = make_client(answer)

    content = WebhookContent(
        url=SecretText("https://hooks.example/canary"),
        body_template="{events}",
        headers={"X-Key": SecretText("k-canary")},
    )
    created = await client.actions("v").create("w", content)

    # As the server has it, which here is not as it was given.
    assert created == Action(id="id-w", name="w", kind="WebhookAction", content=HELD)
    sent = json.loads(transport.requests[0].content)["variables"]["input"]
    assert sent["url"] == "https://hooks.example/canary"
    assert sent["headers"] == [{"header": "X-Key", "value": "k-canary"}]
    assert "canary" not in repr(transport.requests[0])
    assert "canary" not in repr(content)


async def test_create_email_leaves_the_servers_subject() -> None:
    held = wire("m", "EmailAction", recipients=["soc@example.com"], attachCsv=False, useProxy=True)
    answer = json_response({"data": {"createEmailAction": held}})
    client, transport = make_client(answer)

    mail = EmailContent(recipients=("soc@example.com",))
    created = await client.actions("v").create("m", mail)

    assert created.content == replace(mail, use_proxy=True)
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
