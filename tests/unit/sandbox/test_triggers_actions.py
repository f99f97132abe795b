"""What actions send: shapes, escaping, refusals, retries, and what is on record of it."""

from __future__ import annotations

import email
import json
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.sandbox.receivers import Fault, slack_app
from orchestrator.sandbox.triggers.delivery import is_loopback
from tests.unit.sandbox.conftest import NOW_MS, OpenClient
from tests.unit.sandbox.triggers_stage import HOOK, Stage, open_stage

HOSTILE = 'a"b\\c\n{events} </td><script> <!channel> & \u2028 \U0001f600'
RECORD_CHARS = 501
LONGEST_BYTES = 2_000
MINUTE_MS = 60_000

WINDOW_VALUES = {
    "name": "the ScheduledSearch",
    "alert_name": "the ScheduledSearch",
    "description": "why",
    "alert_description": "why",
    "triggered_timestamp": "2026-03-10T02:05:00Z",
    "alert_triggered_timestamp": "2026-03-10T02:05:00Z",
    "query_string": 'n="1"\n| m!=2',
    "event_count": "2",
    "query_time_start": "6m",
    "query_time_end": "1m",
    "query_time_interval": "6m -> 1m",
    "query_start_ms": str(NOW_MS - MINUTE_MS),
    "query_end_ms": str(NOW_MS + 4 * MINUTE_MS),
    "query_start_s": f"{(NOW_MS - MINUTE_MS) // 1000}.000",
    "query_end_s": f"{(NOW_MS + 4 * MINUTE_MS) // 1000}.000",
    "warnings": "",
    "repo_name": "falcon",
    "unknown": "{unknown}",
}
"""What each placeholder stands for in the run at five past two."""


@pytest.fixture
async def stage(open_client: OpenClient) -> Any:
    async with open_stage(open_client) as opened:
        yield opened


async def fire(stage: Stage, action: str, **fields: str) -> None:
    await stage.trigger("FilterAlert", "*", action, name="the alert")
    await stage.client.ingest(fields or {"n": "1"})
    await stage.run()


# --- webhooks -----------------------------------------------------------------------------------


async def test_webhook_sends_method_headers_and_body_as_they_are_set(stage: Stage) -> None:
    headers = [{"header": "Content-Type", "value": "text/x-odd"}, {"header": "X-Key", "value": "k"}]
    hook = await stage.action(method="PUT", headers=headers, bodyTemplate="{alert_name}: {field:n}")

    await fire(stage, hook)

    (got,) = stage.inbox.store
    assert (got.method, got.path, got.body) == ("PUT", "/hook", b"the alert: 1")
    assert (got.headers["content-type"], got.headers["x-key"]) == ("text/x-odd", "k")


async def test_value_of_an_event_cannot_break_out_of_a_json_body(stage: Stage) -> None:
    template = '{"field":"{field:n}","again":"{field:"n"}","all":{events},"text":"{events_str}"}'
    hook = await stage.action(bodyTemplate=template)

    await fire(stage, hook, n=HOSTILE)

    (body,) = stage.bodies()
    assert body["field"] == body["again"] == body["all"][0]["n"] == HOSTILE
    assert HOSTILE in body["text"]


async def test_raw_field_is_the_authors_own_risk(stage: Stage) -> None:
    await fire(stage, await stage.action(bodyTemplate="{field_raw:n}"), n='a"b')

    assert stage.inbox.store[0].body == b'a"b'


async def test_table_of_events_is_escaped_as_html_within_json(stage: Stage) -> None:
    await fire(stage, await stage.action(bodyTemplate='"{events_html}"'), n="<script>\"'")

    (table,) = stage.bodies()
    assert "<td>&lt;script&gt;&quot;&#x27;</td>" in table
    assert "<script>" not in table


async def test_every_placeholder_of_a_scheduled_search_has_its_value(stage: Stage) -> None:
    template = json.dumps({name: f"{{{name}}}" for name in WINDOW_VALUES})
    hook = await stage.action(bodyTemplate=template)
    await stage.trigger(
        "ScheduledSearch", 'n="1"\n| m!=2', hook, description="why", searchIntervalOffsetSeconds=60
    )
    await stage.client.ingest({"n": "1", "ms": MINUTE_MS}, {"n": "1", "ms": MINUTE_MS})

    await stage.run(after=timedelta(minutes=5))

    (body,) = stage.bodies()
    assert body == WINDOW_VALUES


async def test_ids_and_link_of_a_message_lead_back(stage: Stage) -> None:
    template = '["{alert_id}","{action_id}","{action_invocation_id}","{url}"]'
    hook = await stage.action(bodyTemplate=template)
    alert = await stage.trigger("FilterAlert", 'n="1 & 2"', hook)
    await stage.client.ingest({"n": "1 & 2"})

    await stage.run()

    ((alert_id, action_id, number, url),) = stage.bodies()
    assert (alert_id, action_id) == (alert, hook)
    assert number == (await stage.invocations())[0]["id"]
    assert url.startswith("http://127.0.0.1:8080/falcon/search?live=false&query=n%3D%221%20%26%202")


@pytest.mark.parametrize(
    "header",
    [
        {"header": "X-A", "value": "1\r\nX-B: 2"},
        {"header": "X-A\r\nX-B", "value": "1"},
        {"header": "X-A", "value": "caf\u00e9"},
        {"header": "Transfer-Encoding", "value": "chunked"},
        {"header": "Host", "value": "example.com"},
    ],
)
async def test_header_that_would_break_out_is_refused(stage: Stage, header: dict[str, str]) -> None:
    await fire(stage, await stage.action(headers=[header]))

    (record,) = await stage.invocations()
    assert (record["status"], record["attempt"]) == ("failed", 1)
    assert "header" in record["detail"]
    assert stage.inbox.store == []


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("http://127.0.0.1:9/x", True),
        ("http://localhost/x", True),
        ("http://[::1]:8080/", True),
        ("http://127.9.9.9/", True),
        ("https://hooks.example.com/", False),
        ("http://127.0.0.1.example.com/", False),
        ("http://10.0.0.1/", False),
        ("http://169.254.169.254/latest", False),
        ("http://0.0.0.0/", False),
        ("http://2130706433/", False),
        ("http:///x", False),
    ],
)
def test_only_the_machine_itself_counts_as_loopback(url: str, inside: bool) -> None:
    assert is_loopback(url) is inside


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ("https://hooks.example.com/T0/secret", "outbound sends are off"),
        ("http://127.0.0.1@hooks.example.com/", "plain host"),
        ("http://hooks.example.com\\@127.0.0.1/", "plain host"),
        ("http://127.0.0.1:99999/", "cannot be read"),
        ("http://127.0.0.1/a b", "plain host"),
    ],
)
async def test_send_to_another_machine_is_refused_and_on_record(
    stage: Stage, url: str, detail: str
) -> None:
    await fire(stage, await stage.action(url=url))

    (record,) = await stage.invocations()
    assert (record["status"], stage.inbox.store) == ("failed", [])
    assert detail in record["detail"]
    assert "secret" not in json.dumps(record)
    assert detail in (await stage.status("FilterAlert"))["lastError"]


async def test_other_machines_are_reached_where_the_settings_let_them(
    open_client: OpenClient,
) -> None:
    async with open_stage(open_client, allow_outbound=True) as stage:
        await fire(stage, await stage.action(url="https://hooks.example.com/x"))

        assert [got.path for got in stage.inbox.store] == ["/x"]


# --- retries and the record ---------------------------------------------------------------------


async def test_failed_send_is_tried_twice_more_under_one_number(stage: Stage) -> None:
    stage.inbox.faults += [Fault(status=503), Fault(status=429)]
    await fire(stage, await stage.action(bodyTemplate="{action_invocation_id}"))

    await stage.run(after=timedelta(seconds=9))
    assert len(stage.inbox.requests) == 1
    await stage.run(after=timedelta(seconds=1))
    await stage.run(after=timedelta(seconds=60))
    await stage.run(after=timedelta(hours=1))

    records = await stage.invocations()
    assert [(r["status"], r["detail"], r["attempt"]) for r in records] == [
        ("sent", "HTTP 200", 3),
        ("retrying", "HTTP 429", 2),
        ("retrying", "HTTP 503", 1),
    ]
    assert {r["id"] for r in records} == {stage.inbox.store[0].body.decode()}
    assert (await stage.status("FilterAlert"))["lastError"] is None


async def test_send_that_is_refused_is_not_repeated_and_lifts_the_throttle(stage: Stage) -> None:
    """LogScale does not count a trigger of which no action got through."""
    stage.inbox.faults += [Fault(status=400)]
    hook = await stage.action()
    await stage.trigger("FilterAlert", "*", hook, throttleTimeSeconds=3600, throttleField="n")
    await stage.client.ingest({"n": "1"})
    await stage.run()
    await stage.client.ingest({"n": "1"})
    await stage.run()

    assert [r["detail"] for r in await stage.invocations()] == ["HTTP 200", "HTTP 400"]
    assert (await stage.status("FilterAlert"))["lastError"] == "an action failed: HTTP 400"


async def test_one_action_that_got_through_keeps_the_throttle(stage: Stage) -> None:
    good, bad = await stage.action(), await stage.action(name="bad", url="https://example.com/")
    await stage.trigger("FilterAlert", "*", good, bad, throttleTimeSeconds=3600)

    for _ in range(2):
        await stage.client.ingest({"n": "1"})
        await stage.run()

    assert len(stage.inbox.store) == 1


async def test_redirect_is_not_followed(stage: Stage) -> None:
    stage.inbox.faults += [Fault(status=302, headers={"location": "http://127.0.0.1/other"})]

    await fire(stage, await stage.action())

    assert [path for _, path in stage.inbox.requests] == ["/hook"]
    assert (await stage.invocations())[0]["status"] == "failed"


async def test_action_that_is_gone_is_on_record(stage: Stage) -> None:
    hook = await stage.action()
    await stage.trigger("FilterAlert", "*", hook)
    await stage.client.ingest({"n": "1"})
    await stage.triggers.search_due()
    await stage.mutate(f'mutation {{ deleteAction(input: {{viewName: "falcon", id: "{hook}"}}) }}')

    await stage.run()

    assert [r["detail"] for r in await stage.invocations()] == ["the action no longer exists"]


async def test_record_shows_the_beginning_and_no_secret(stage: Stage) -> None:
    token = "ghp_" + "a1B2" * 9
    headers = [{"header": "Authorization", "value": "Bearer my-own-key"}]
    body = "Bearer my-own-key {field:n} " + "x" * 600
    hook = await stage.action(url=f"{HOOK}/T0/path-key", headers=headers, bodyTemplate=body)

    await fire(stage, hook, n=token)

    (record,) = await stage.invocations()
    text = json.dumps(record)
    assert all(secret not in text for secret in (token, "my-own-key", "path-key"))
    assert (record["target"], record["trigger"]) == ("http://127.0.0.1:9", "the alert")
    assert len(record["excerpt"]) == RECORD_CHARS


async def test_record_can_be_asked_for_by_trigger_and_number(stage: Stage) -> None:
    await fire(stage, await stage.action())

    asked = [
        (await stage.client.call("GET", f"/_sandbox/invocations?{query}")).json()["invocations"]
        for query in ("trigger=the+alert&limit=9", "trigger=other", "limit=0")
    ]
    denied = await stage.client.call("GET", "/_sandbox/invocations", token="reader")

    assert [len(found) for found in asked] == [1, 0, 0]
    assert denied.status_code == 403


# --- the other kinds ----------------------------------------------------------------------------


async def test_email_becomes_a_mail_and_leaves_no_machine(stage: Stage) -> None:
    mail = await stage.action(
        "Email",
        recipients=["soc@example.com", "x@example.com"],
        subjectTemplate="{alert_name}: {field:n}",
        bodyTemplate="n is {field:n}",
        useProxy=False,
        attachCsv=True,
    )

    await fire(stage, mail, n="a\r\nBcc: evil@example.com")

    answer = await stage.client.call("GET", "/_sandbox/mail")
    (found,) = answer.json()["mail"]
    assert found["subject"] == "the alert: a Bcc: evil@example.com"
    assert found["to"] == "soc@example.com, x@example.com"
    assert found["text"].startswith("n is a")
    raw = next(iter(stage.triggers.book._mails.values()))
    assert email.message_from_bytes(raw)["Bcc"] is None
    assert b"result.csv" in raw
    assert stage.inbox.store == []


async def test_email_in_html_shows_values_as_text(stage: Stage) -> None:
    mail = await stage.action(
        "Email",
        recipients=["soc@example.com"],
        bodyTemplate="<html><p>{field:n}</p>{events_html}</html>",
        useProxy=False,
    )

    await fire(stage, mail, n="<img src=x>")

    (found,) = (await stage.client.call("GET", "/_sandbox/mail")).json()["mail"]
    assert found["text"].count("&lt;img src=x&gt;") >= 2
    assert "<img" not in found["text"]


async def test_email_without_templates_says_what_happened(stage: Stage) -> None:
    await fire(stage, await stage.action("Email", recipients=["a@example.com"], useProxy=False))

    (found,) = (await stage.client.call("GET", "/_sandbox/mail")).json()["mail"]
    assert found["subject"] == "Alert from LogScale: the alert"
    assert "the alert found 1 events in falcon." in found["text"]


async def test_slack_gets_fields_that_mention_nobody(open_client: OpenClient) -> None:
    slack = slack_app(token="xoxb-key-of-slack", channels=("C1", "C2"))
    fields = [{"fieldName": "Host <b>", "value": "<http://x|link> {field:n}"}]
    async with open_stage(open_client, app=slack, slack_api_url="http://127.0.0.1:9/") as stage:
        post = await stage.action(
            "SlackPostMessage",
            apiToken="xoxb-key-of-slack",
            channels=["C1", "C2"],
            fields=fields,
            useProxy=False,
        )
        await fire(stage, post, n="<!channel> & \u202eevil " + "&" * 3000)

        (record,) = await stage.invocations()
        assert record["status"] == "sent"
        assert "xoxb" not in json.dumps(record)
    assert slack.violations == []
    assert [message["channel"] for message in slack.store] == ["C1", "C2"]
    assert slack.store[0]["text"] == "the alert: 1 events"
    text = slack.store[0]["blocks"][1]["fields"][0]["text"]
    assert text.startswith("*Host &lt;b&gt;*\n<http://x|link> &lt;!channel&gt; &amp;")


async def test_slack_that_refuses_one_channel_does_not_get_the_other_twice(
    open_client: OpenClient,
) -> None:
    slack = slack_app(token="t0ken", channels=("C1", "C2"))
    slack.faults.append(Fault(status=500, path="never"))
    async with open_stage(open_client, app=slack, slack_api_url="http://127.0.0.1:9/") as stage:
        post = await stage.action(
            "SlackPostMessage", apiToken="t0ken", channels=["C1", "C2"], fields=[], useProxy=False
        )
        await stage.trigger("FilterAlert", "*", post)
        await stage.client.ingest({"n": "1"})
        await stage.triggers.search_due()
        stage.triggers.book.pending[0].parts_done = 1
        await stage.run()
        await stage.run(after=timedelta(minutes=2))

    assert [message["channel"] for message in slack.store] == ["C2"]


async def test_slack_error_in_a_good_answer_is_a_failure(open_client: OpenClient) -> None:
    slack = slack_app(token="other", channels=("C1",))
    async with open_stage(open_client, app=slack, slack_api_url="http://127.0.0.1:9/") as stage:
        post = await stage.action(
            "SlackPostMessage", apiToken="wrong", channels=["C1"], fields=[], useProxy=False
        )
        await fire(stage, post)

        assert [(r["status"], r["detail"]) for r in await stage.invocations()] == [
            ("failed", "HTTP 200: invalid_auth")
        ]


async def test_slack_webhook_is_posted_to_its_address(open_client: OpenClient) -> None:
    slack = slack_app()
    async with open_stage(open_client, app=slack) as stage:
        url = "http://127.0.0.1:9/services/T0/B0/key"
        await fire(stage, await stage.action("Slack", url=url, fields=[], useProxy=False))

        assert [message["text"] for message in slack.store] == ["the alert: 1 events"]


async def test_pagers_get_their_own_shapes_and_keys(open_client: OpenClient) -> None:
    async with open_stage(open_client, pagerduty_url="http://127.0.0.1:9/v2/enqueue") as stage:
        pager = await stage.action(
            "PagerDuty", severity="critical", routingKey="routing-key-1", useProxy=False
        )
        genie = await stage.action(
            "OpsGenie", apiUrl="http://127.0.0.1:9", genieKey="genie-key-1", useProxy=False
        )
        victor = await stage.action(
            "VictorOps", messageType="warning", notifyUrl="http://127.0.0.1:9/v", useProxy=False
        )
        await stage.trigger("FilterAlert", "*", pager, genie, victor, name="the alert")
        await stage.client.ingest({"n": HOSTILE})
        await stage.run()

        pagerduty, opsgenie, victorops = stage.bodies()
        assert [got.path for got in stage.inbox.store] == ["/v2/enqueue", "/v2/alerts", "/v"]
        assert stage.inbox.store[1].headers["authorization"] == "GenieKey genie-key-1"
        assert pagerduty["routing_key"] == "routing-key-1"
        assert pagerduty["payload"]["summary"] == opsgenie["message"] == "the alert"
        assert (pagerduty["payload"]["severity"], victorops["message_type"]) == (
            "critical",
            "WARNING",
        )
        assert HOSTILE in victorops["state_message"]
        assert "key-1" not in json.dumps(await stage.invocations())


async def test_pager_of_the_outside_world_is_left_alone(stage: Stage) -> None:
    pager = await stage.action(
        "PagerDuty", severity="info", routingKey="routing-key-1", useProxy=False
    )

    await fire(stage, pager)

    (record,) = await stage.invocations()
    assert (record["status"], record["target"]) == ("failed", "https://events.pagerduty.com")


async def test_repository_action_stores_the_events_again(open_client: OpenClient) -> None:
    async with open_stage(open_client, repositories=("falcon", "found")) as stage:
        token = (
            await stage.mutate(
                """mutation { addIngestTokenV3(input: {repositoryName: "found", name: "in"})
                { token } }"""
            )
        )["addIngestTokenV3"]["token"]
        again = await stage.action("HumioRepo", ingestToken=token)
        await fire(stage, again, n="1", **{"@rawstring": "as sent"})

        job = await stage.client.start("*", repository="found")
        events = (await stage.client.poll(job, repository="found"))["events"]
        (record,) = await stage.invocations()

    (event,) = events
    assert (event["n"], event["@timestamp"], event["#repo"]) == ("1", NOW_MS - 1000, "found")
    assert event["@trigger.name"] == "the alert"
    assert event["@trigger.type"] == "alert"
    assert event["@trigger.invocation.uuid"] == record["id"]
    assert json.loads(event["@rawstring"])["@tag.repo"] == "falcon"
    assert (record["status"], record["detail"], record["target"]) == ("sent", "1 events", "found")


async def test_repository_action_with_a_token_that_is_gone_fails(stage: Stage) -> None:
    await fire(stage, await stage.action("HumioRepo", ingestToken="nobody-knows-it"))

    (record,) = await stage.invocations()
    assert (record["status"], record["detail"]) == ("failed", "the ingest token is not known")


async def test_repository_action_into_its_own_repository_ends_at_the_limit_of_a_minute(
    stage: Stage,
) -> None:
    token = (
        await stage.mutate(
            """mutation { addIngestTokenV3(input: {repositoryName: "falcon", name: "in"})
            { token } }"""
        )
    )["addIngestTokenV3"]["token"]
    await fire(stage, await stage.action("HumioRepo", ingestToken=token))

    for _ in range(120):
        await stage.run()

    log = stage.client.sandbox.domain("falcon").log
    assert log.count == 101
    longest = log.snapshot().frame().get_column("@rawstring").str.len_bytes().max()
    assert isinstance(longest, int)
    assert longest < LONGEST_BYTES


async def test_upload_action_writes_a_lookup_file(stage: Stage) -> None:
    upload = await stage.action("UploadFile", fileName="found.csv")
    await stage.trigger("ScheduledSearch", "groupBy(n) | sort(n, order=asc)", upload)
    await stage.client.ingest({"n": 'a,"b', "ms": 1}, {"n": "c", "ms": 1})

    await stage.run(after=timedelta(minutes=5))

    file = await stage.client.call("GET", "/api/v1/repositories/falcon/files/found.csv")
    assert file.text == 'n,_count\n"a,""b",1\nc,1\n'


async def test_upload_of_a_result_without_fields_fails(stage: Stage) -> None:
    upload = await stage.action("UploadFile", fileName="found.csv")
    await stage.trigger("ScheduledSearch", "n=nothing", upload, triggerOnEmptyResult=True)

    await stage.run(after=timedelta(minutes=5))

    (record,) = await stage.invocations()
    assert record["detail"] == "the result has no fields, so there is no table to store"
