"""What every sink must do, seen from the receiver's side."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ConfigError, DeliveryError
from orchestrator.ids import EntryId
from orchestrator.model.notification import DeliveryReason, NotificationKind
from orchestrator.route.sinks import build_sinks
from orchestrator.route.sinks.base import Failed, Outcome, Sent, Sink
from orchestrator.route.sinks.console import ConsoleSettings, ConsoleSink
from orchestrator.route.sinks.file import FileSettings, FileSink
from orchestrator.route.sinks.jira import JiraSettings, JiraSink
from orchestrator.route.sinks.slack import SlackSettings, SlackSink, WhenUnsure
from orchestrator.route.sinks.webhook import WebhookSettings, WebhookSink
from orchestrator.sandbox.receivers import (
    Fault,
    JiraReceiver,
    SlackReceiver,
    WebhookReceiver,
    jira_app,
    serve_on_loopback,
    slack_app,
    webhook_app,
)
from orchestrator.secret import SecretText
from tests.unit.route.making import ENTRY, FINDING, make_notification

CANARY = "canary-0f9d8c7b6a5e"
CHANNEL = "C0123456789"
HOSTILE = (
    "<!channel> <@U1> <http://evil.example|login> & *b* _i_ `c`\n> quote\x1b[2J\u202e\0\ud800 "
)
MEGABYTE = HOSTILE * 20_000


@asynccontextmanager
async def slack(
    receiver: SlackReceiver | None = None, **changes: Any
) -> AsyncIterator[tuple[SlackSink, SlackReceiver]]:
    receiver = receiver or slack_app(token=CANARY)
    async with serve_on_loopback(receiver) as url:
        settings = {"token": SecretText(CANARY), "channel": CHANNEL, "base_url": url, **changes}
        sink = SlackSink(SlackSettings(**settings))
        try:
            yield sink, receiver
        finally:
            await sink.close()


@asynccontextmanager
async def jira(
    receiver: JiraReceiver | None = None, **changes: Any
) -> AsyncIterator[tuple[JiraSink, JiraReceiver]]:
    receiver = receiver or jira_app(token=CANARY)
    settings = {
        "url": "http://localhost",
        "email": "bot@example.com",
        "token": SecretText(CANARY),
        "project": "SEC",
        **changes,
    }
    sink = JiraSink(JiraSettings(**settings), app=receiver)
    try:
        yield sink, receiver
    finally:
        await sink.close()


@asynccontextmanager
async def webhook(**changes: Any) -> AsyncIterator[tuple[WebhookSink, WebhookReceiver]]:
    receiver = webhook_app(secret=CANARY)
    settings = {
        "url": SecretText(f"http://localhost/hook?key={CANARY}"),
        "secret": SecretText(CANARY),
        **changes,
    }
    sink = WebhookSink(WebhookSettings(**settings), app=receiver)
    try:
        yield sink, receiver
    finally:
        await sink.close()


NETWORK: dict[str, Any] = {"slack": slack, "jira": jira, "webhook": webhook}


async def send(
    sink: Sink,
    *,
    entry: str = ENTRY,
    reference: str = "",
    maybe_sent: bool = False,
    **changes: object,
) -> Outcome:
    return await sink.send(
        make_notification(**changes),
        entry_id=EntryId(entry),
        reference=reference,
        maybe_sent=maybe_sent,
    )


S = DeliveryReason
STATUSES = [
    # status, slack, jira, webhook
    (302, S.MISCONFIGURED, S.MISCONFIGURED, S.MISCONFIGURED),
    (400, S.REFUSED, S.REFUSED, S.REFUSED),
    (401, S.UNAUTHORIZED, S.UNAUTHORIZED, S.UNAUTHORIZED),
    (403, S.UNAUTHORIZED, S.UNAUTHORIZED, S.UNAUTHORIZED),
    (404, S.NOT_FOUND, S.NOT_FOUND, S.NOT_FOUND),
    (408, S.TIMED_OUT, S.TIMED_OUT, S.TIMED_OUT),
    (410, S.NOT_FOUND, S.NOT_FOUND, S.NOT_FOUND),
    (413, S.REFUSED, S.REFUSED, S.REFUSED),
    (429, S.RATE_LIMITED, S.RATE_LIMITED, S.RATE_LIMITED),
    (500, S.UNCERTAIN, S.UNCERTAIN, S.SERVER_FAILED),
    (502, S.UNCERTAIN, S.UNCERTAIN, S.SERVER_FAILED),
    (503, S.UNCERTAIN, S.UNCERTAIN, S.SERVER_FAILED),
]


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        (kind, status, reason)
        for status, *reasons in STATUSES
        for kind, reason in zip(NETWORK, reasons, strict=True)
    ],
)
async def test_status_becomes_the_reason(kind: str, status: int, reason: DeliveryReason) -> None:
    async with NETWORK[kind]() as (sink, receiver):
        # Twice: Slack content that is refused goes once more as plain text.
        receiver.faults += [Fault(status=status), Fault(status=status)]

        outcome = await send(sink)

    assert isinstance(outcome, Failed)
    assert outcome.reason is reason


@pytest.mark.parametrize("kind", NETWORK)
async def test_retry_after_is_handed_on(kind: str) -> None:
    async with NETWORK[kind]() as (sink, receiver):
        receiver.faults.append(Fault(status=429, headers={"Retry-After": "30"}))

        outcome = await send(sink)

    assert isinstance(outcome, Failed)
    assert outcome.retry_in == timedelta(seconds=30)


@pytest.mark.parametrize("kind", NETWORK)
async def test_no_answer_in_time_is_uncertain(kind: str) -> None:
    timeout = timedelta(milliseconds=80)
    async with NETWORK[kind](timeout=timeout) as (sink, receiver):
        receiver.faults.append(Fault(delay_seconds=0.2))

        outcome = await send(sink)

    assert isinstance(outcome, Failed)
    assert outcome.reason is DeliveryReason.UNCERTAIN


@pytest.mark.parametrize("kind", NETWORK)
async def test_a_hostile_megabyte_is_delivered_within_all_limits(kind: str) -> None:
    async with NETWORK[kind]() as (sink, receiver):
        outcome = await send(
            sink,
            headline=MEGABYTE,
            why=MEGABYTE,
            facts=tuple((f"Fact {i}", MEGABYTE) for i in range(12)),
        )

    assert isinstance(outcome, Sent)
    assert receiver.violations == []
    assert len(receiver.store) == 1


@pytest.mark.parametrize("kind", NETWORK)
async def test_an_ordinary_message_breaks_no_rule(kind: str) -> None:
    async with NETWORK[kind]() as (sink, receiver):
        await send(sink)

    assert receiver.violations == []
    assert len(receiver.store) == 1


@pytest.mark.parametrize("kind", NETWORK)
async def test_stored_then_500_is_one_message_after_the_second_attempt(kind: str) -> None:
    async with NETWORK[kind]() as (sink, receiver):
        receiver.faults.append(Fault(status=500, after_storing=True))

        first = await send(sink)
        second = await send(sink, maybe_sent=True)

    assert isinstance(first, Failed)
    assert isinstance(second, Sent)
    assert len(receiver.store) == 1
    assert receiver.violations == []


@pytest.mark.parametrize("kind", ["slack", "jira"])
async def test_uncertain_but_not_stored_is_sent_again(kind: str) -> None:
    async with NETWORK[kind]() as (sink, receiver):
        receiver.faults.append(Fault(status=500))

        await send(sink)
        second = await send(sink, maybe_sent=True)

    assert isinstance(second, Sent)
    assert len(receiver.store) == 1


@pytest.mark.parametrize("kind", NETWORK)
@pytest.mark.parametrize("status", [401, 429, 500])
async def test_no_secret_in_outcome_repr_or_log(
    kind: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with NETWORK[kind]() as (sink, receiver):
        receiver.faults.append(Fault(status=status, body=f"you sent {CANARY}"))

        outcome = await send(sink)
        settings = repr(vars(sink).get("_settings", ""))

    assert CANARY not in f"{outcome!r} {sink!r} {settings}"
    assert CANARY not in caplog.text


@pytest.mark.parametrize("kind", NETWORK)
async def test_check_names_the_destination_without_secrets(kind: str) -> None:
    async with NETWORK[kind]() as (sink, _):
        said = await sink.check()

    assert CANARY not in said
    assert said.split()[0] in {"Slack", "Jira", "posts"}


async def test_check_of_a_refused_token_raises() -> None:
    async with slack(token=SecretText("wrong")) as (sink, _):
        with pytest.raises(DeliveryError, match="invalid_auth"):
            await sink.check()
    async with jira(token=SecretText("wrong")) as (jira_sink, _):
        with pytest.raises(DeliveryError, match="401"):
            await jira_sink.check()


async def test_nobody_listening_is_unreachable() -> None:
    async with serve_on_loopback(slack_app()) as url:
        gone = url
    slack_sink = SlackSink(SlackSettings(token=SecretText("t"), channel=CHANNEL, base_url=gone))
    hook = WebhookSink(WebhookSettings(url=SecretText(gone), secret=SecretText("k" * 16)))

    outcomes = [await send(slack_sink), await send(hook)]
    await slack_sink.close()
    await hook.close()

    assert [o.reason for o in outcomes if isinstance(o, Failed)] == [S.UNREACHABLE] * 2


# Slack: threads, updates, reconciliation


async def test_slack_update_replies_in_the_thread_and_renews_the_parent() -> None:
    async with slack() as (sink, receiver):
        opened = await send(sink)
        assert isinstance(opened, Sent)
        updated = await send(
            sink,
            entry="f" * 32,
            reference=opened.reference,
            kind=NotificationKind.UPDATED,
            revision=2,
            headline="Worse on gh-runner-04",
        )

    assert updated == opened
    parent, reply = receiver.store
    assert (parent["edits"], "Worse" in json.dumps(parent["blocks"])) == (1, True)
    assert reply["thread_ts"] == parent["ts"]
    assert receiver.violations == []


async def test_slack_reply_stored_then_500_is_not_repeated() -> None:
    async with slack() as (sink, receiver):
        opened = await send(sink)
        assert isinstance(opened, Sent)
        again: dict[str, Any] = {
            "entry": "f" * 32,
            "reference": opened.reference,
            "kind": NotificationKind.UPDATED,
        }
        receiver.faults.append(Fault(after_storing=True, path="chat.postMessage"))
        first = await send(sink, **again)
        second = await send(sink, maybe_sent=True, **again)

    assert isinstance(first, Failed)
    assert second == opened
    assert len(receiver.store) == 2


async def test_slack_update_of_a_deleted_message_becomes_a_new_one() -> None:
    async with slack() as (sink, receiver):
        outcome = await send(sink, reference=f"{CHANNEL}:1.000100", kind=NotificationKind.UPDATED)

    assert isinstance(outcome, Sent)
    assert [message["ts"] for message in receiver.parents()] == [outcome.reference.split(":")[1]]


@pytest.mark.parametrize(("policy", "messages"), [(WhenUnsure.RESEND, 2), (WhenUnsure.HOLD, 1)])
async def test_slack_without_a_history_scope_follows_the_policy(
    policy: WhenUnsure, messages: int
) -> None:
    receiver = slack_app(token=CANARY, scopes=("chat:write",))
    async with slack(receiver, when_unsure=policy) as (sink, _):
        receiver.faults.append(Fault(status=500, after_storing=True))
        await send(sink)
        await send(sink, maybe_sent=True)

    assert len(receiver.store) == messages


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("ratelimited", S.RATE_LIMITED),
        ("internal_error", S.UNCERTAIN),
        ("token_revoked", S.UNAUTHORIZED),
        ("is_archived", S.NOT_FOUND),
        ("service_unavailable", S.SERVER_FAILED),
        ("a_code_of_tomorrow", S.SERVER_FAILED),
    ],
)
async def test_slack_code_becomes_the_reason(error: str, reason: DeliveryReason) -> None:
    body = json.dumps({"ok": False, "error": error})
    async with slack() as (sink, receiver):
        receiver.faults.append(Fault(status=200, body=body, media_type="application/json"))

        outcome = await send(sink)

    assert isinstance(outcome, Failed)
    assert outcome.reason is reason


async def test_slack_content_that_is_refused_goes_once_more_as_plain_text() -> None:
    body = json.dumps({"ok": False, "error": "invalid_blocks"})
    async with slack() as (sink, receiver):
        receiver.faults.append(Fault(status=200, body=body, media_type="application/json"))

        outcome = await send(sink)

    assert isinstance(outcome, Sent)
    assert "blocks" not in receiver.store[0]


async def test_slack_golden_payload_of_a_hostile_command_line() -> None:
    async with slack() as (sink, receiver):
        await send(sink, facts=(("Command line", "<!here> & http://evil.example"),))

    fields = receiver.store[0]["blocks"][2]["fields"]
    assert fields == [
        {
            "type": "plain_text",
            "text": "Command line\n&lt;!here&gt; &amp; hxxp://evil[.]example",
            "emoji": False,
        }
    ]


# Jira


async def test_jira_update_is_a_comment_and_deduplicated() -> None:
    async with jira() as (sink, receiver):
        opened = await send(sink)
        assert opened == Sent("SEC-1")
        again: dict[str, Any] = {
            "entry": "f" * 32,
            "reference": "SEC-1",
            "kind": NotificationKind.UPDATED,
        }
        receiver.faults.append(Fault(after_storing=True))
        first = await send(sink, **again)
        second = await send(sink, maybe_sent=True, **again)

    assert isinstance(first, Failed)
    assert second == Sent("SEC-1")
    assert len(receiver.store["SEC-1"]["comments"]) == 1


async def test_jira_uncertain_create_waits_for_the_index() -> None:
    async with jira() as (sink, receiver):
        receiver.faults.append(Fault(after_storing=True))

        outcome = await send(sink)

    assert isinstance(outcome, Failed)
    assert outcome.retry_in == timedelta(minutes=2)


async def test_jira_names_the_field_that_is_missing() -> None:
    receiver = jira_app(token=CANARY, required=("customfield_10010",))
    async with jira(receiver) as (sink, _):
        refused = await send(sink)
    async with jira(receiver, fields={"customfield_10010": "x"}) as (sink, _):
        accepted = await send(sink)

    assert isinstance(refused, Failed)
    assert refused.reason is DeliveryReason.REFUSED
    assert "customfield_10010 is required" in refused.detail
    assert accepted == Sent("SEC-1")


async def test_jira_issue_that_was_deleted_is_replaced() -> None:
    async with jira() as (sink, receiver):
        outcome = await send(sink, reference="SEC-99", kind=NotificationKind.UPDATED)

    assert outcome == Sent("SEC-1")
    assert f"orchestrator-{FINDING}" in receiver.store["SEC-1"]["fields"]["labels"]


# Webhook


async def test_webhook_repeats_with_the_same_key_and_body() -> None:
    async with webhook() as (sink, receiver):
        await send(sink)
        await send(sink, maybe_sent=True)

    assert receiver.repeats == [ENTRY]
    assert receiver.violations == []


async def test_webhook_with_the_wrong_key_is_unauthorized() -> None:
    async with webhook(secret=SecretText("another-signing-key")) as (sink, receiver):
        outcome = await send(sink)

    assert isinstance(outcome, Failed)
    assert outcome.reason is DeliveryReason.UNAUTHORIZED
    assert receiver.violations == ["the signature does not fit"]


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example/x", "ftp://hooks.example", "https://u:p@hooks.example", "https://", "x"],
)
def test_webhook_url_that_leaks_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        WebhookSink(WebhookSettings(url=SecretText(url), secret=SecretText("k" * 16)))

    assert "hooks.example" not in str(caught.value)


# Console and file


async def test_console_shows_what_on_call_needs_without_colour_or_escapes() -> None:
    stream = io.StringIO()

    outcome = await send(ConsoleSink(stream=stream), headline=f"a{HOSTILE}")

    text = stream.getvalue()
    assert isinstance(outcome, Sent)
    assert text.startswith("[HIGH] a<!channel>")
    assert "\x1b" not in text
    assert "Owner:        platform@example.com" in text


async def test_console_colour_is_asked_for() -> None:
    stream = io.StringIO()

    await send(ConsoleSink(ConsoleSettings(colour=True), stream=stream))

    assert stream.getvalue().startswith("\x1b[31m[HIGH]\x1b[0m")


async def test_console_that_is_closed_is_unreachable() -> None:
    stream = io.StringIO()
    stream.close()

    outcome = await send(ConsoleSink(stream=stream))

    assert isinstance(outcome, Failed)
    assert outcome.reason is DeliveryReason.UNREACHABLE


async def test_file_appends_one_line_each_and_mends_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    path.write_text('{"torn', encoding="utf-8")

    await send(FileSink(FileSettings(path=path)), headline=HOSTILE)

    torn, line = path.read_text(encoding="utf-8").splitlines()
    assert torn == '{"torn'
    assert json.loads(line)["id"] == ENTRY


async def test_file_looks_before_it_writes_again(tmp_path: Path) -> None:
    sink = FileSink(FileSettings(path=tmp_path / "out.ndjson"))

    await send(sink)
    await send(sink, maybe_sent=True)

    assert len((tmp_path / "out.ndjson").read_bytes().splitlines()) == 1


async def test_file_in_no_folder_is_misconfigured(tmp_path: Path) -> None:
    sink = FileSink(FileSettings(path=tmp_path / "no" / "out.ndjson"))

    outcome = await send(sink)

    assert isinstance(outcome, Failed)
    assert outcome.reason is DeliveryReason.MISCONFIGURED
    with pytest.raises(DeliveryError):
        await sink.check()


# Building from a table


def test_build_reads_secrets_by_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_TOKEN", CANARY)

    sinks = build_sinks(
        {"on-call": {"kind": "slack", "token": "env:SLACK_TOKEN", "channel": CHANNEL, "pace": "2s"}}
    )

    assert sinks["on-call"].pace == timedelta(seconds=2)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"kind": "slak"}, "Did you mean 'slack'?"),
        ({"kind": "console", "color": True}, "Did you mean 'colour'?"),
        ({"kind": "file"}, "receivers.x.path: this setting is needed"),
        ({"kind": "console", "value_chars": "many"}, "must be a number"),
        ({"kind": "webhook", "url": "https://a.example", "secret": CANARY}, "as a reference"),
    ],
)
def test_build_refuses_what_it_does_not_know(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_sinks({"x": table})

    assert says in str(caught.value)
    assert CANARY not in str(caught.value)
