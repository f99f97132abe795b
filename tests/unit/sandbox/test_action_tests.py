"""`test…Action`: one real message, on record, and nothing stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.sandbox.conftest import NOW_MS, OpenClient
from tests.unit.sandbox.triggers_stage import HOOK, Stage, open_stage

TEST_WEBHOOK = """mutation($input: TestWebhookAction!) {
  testWebhookAction(input: $input) { success message } }"""


@pytest.fixture
async def stage(open_client: OpenClient) -> Any:
    async with open_stage(open_client) as opened:
        yield opened


def webhook(**changes: Any) -> dict[str, Any]:
    return {
        "viewName": "falcon",
        "name": "hook",
        "url": HOOK,
        "method": "POST",
        "headers": [{"header": "X-Key", "value": "header-canary"}],
        "bodyTemplate": '{"by":"{alert_name}","n":{event_count},"all":{events},"x":"{field:x}"}',
        "ignoreSSL": False,
        "useProxy": False,
        "triggerName": "trying",
        "eventData": json.dumps([{"x": 'a"b', "y": 7}, {"x": None}]),
        **changes,
    }


async def tested(stage: Stage, **changes: Any) -> Any:
    data = await stage.mutate(TEST_WEBHOOK, input=webhook(**changes))
    return data["testWebhookAction"]


async def test_action_is_sent_with_the_given_events_and_not_stored(stage: Stage) -> None:
    result = await tested(stage)

    assert result == {"success": True, "message": "HTTP 200"}
    assert stage.bodies() == [
        {"by": "trying", "n": 2, "all": [{"x": 'a"b', "y": "7"}, {"x": "null"}], "x": 'a"b'}
    ]
    (got,) = stage.inbox.store
    assert (got.method, got.headers["x-key"]) == ("POST", "header-canary")
    listed = await stage.client.graphql('{ searchDomain(name: "falcon") { actions { id } } }')
    assert listed["data"] == {"searchDomain": {"actions": []}}
    (record,) = await stage.invocations()
    assert (record["trigger"], record["action"], record["status"]) == ("trying", "hook", "sent")
    assert "header-canary" not in json.dumps(record)
    assert stage.triggers.book.pending == []


async def test_name_of_a_stored_action_may_be_tested(stage: Stage) -> None:
    await stage.action(name="hook")

    assert (await tested(stage))["success"] is True


async def test_send_that_is_refused_is_told_and_not_repeated(stage: Stage) -> None:
    outside = await tested(stage, url="https://hooks.example.com/secret-path")
    await stage.minutes(2)

    assert outside["success"] is False
    assert outside["message"].startswith("not sent: outbound sends are off")
    assert [record["attempt"] for record in await stage.invocations()] == [1]
    assert stage.bodies() == []


async def test_action_is_tested_while_triggers_do_not_run(open_client: OpenClient) -> None:
    async with open_client() as client:
        given = webhook(url="https://hooks.example.com/x")
        answer = await client.graphql(TEST_WEBHOOK, input=given)

    assert answer["data"]["testWebhookAction"]["success"] is False


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"eventData": "a=b"}, "eventData"),
        ({"eventData": '{"x": 1}'}, "eventData"),
        ({"eventData": "[1]"}, "eventData"),
        ({"eventData": "[" * 100_000}, "eventData"),
        ({"method": "DELETE"}, "method"),
        ({"url": "ftp://x"}, "url"),
    ],
    ids=["text", "object", "number", "deep", "method", "url"],
)
async def test_odd_test_is_refused_and_sends_nothing(
    stage: Stage, changes: dict[str, Any], field: str
) -> None:
    answer = await stage.client.graphql(TEST_WEBHOOK, input=webhook(**changes))

    assert list(answer["errors"][0]["state"]) == [field]
    assert await stage.invocations() == []


async def test_reader_may_test_no_action(stage: Stage) -> None:
    body = {"query": TEST_WEBHOOK, "variables": {"input": webhook()}}
    answer = await stage.client.call("POST", "/graphql", token="reader", json=body)

    assert (answer.status_code, stage.bodies()) == (403, [])


async def test_mail_rows_and_file_of_a_test_are_real(stage: Stage) -> None:
    common = {"viewName": "falcon", "name": "a", "triggerName": "t", "eventData": '[{"x":"1"}]'}
    for kind, own in (
        ("Email", {"recipients": ["a@example.com"], "useProxy": False}),
        ("HumioRepo", {"ingestToken": "sender"}),
        ("UploadFile", {"fileName": "tested.csv"}),
    ):
        text = f"""mutation($input: Test{kind}Action!) {{
          done: test{kind}Action(input: $input) {{ success }} }}"""
        assert await stage.mutate(text, input={**common, **own}) == {"done": {"success": True}}

    (mail,) = stage.triggers.book.mails()
    assert (mail["to"], mail["subject"]) == ("a@example.com", "Alert from LogScale: t")
    found = await stage.client.search("x=1", start=NOW_MS - 1000, end=NOW_MS + 1000)
    assert [row["@trigger.name"] for row in found["events"]] == ["t"]
    assert stage.client.sandbox.domains["falcon"].files["tested.csv"].content == b"x\n1\n"
