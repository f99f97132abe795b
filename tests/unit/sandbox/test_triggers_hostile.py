"""Laws that hold for any text of an event or an action's settings."""

from __future__ import annotations

import email
import email.policy
import ipaddress
import json
from dataclasses import replace

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.sandbox.receivers.slack import _block_problems, _markup_problems, _texts
from orchestrator.sandbox.triggers.delivery import is_loopback, problem_of
from orchestrator.sandbox.triggers.outgoing import Addresses, HttpCall, Mail, Unsendable, prepare
from orchestrator.sandbox.triggers.sending import EXCERPT_CHARS, excerpt
from orchestrator.sandbox.triggers.templates import (
    PLACEHOLDERS,
    Firing,
    Sender,
    escape_html,
    escape_json,
    render,
)

SENDER = Sender(action_id="a", invocation_id="i", public_url="http://127.0.0.1:8080")
FIRING = Firing(
    id="f",
    trigger_id="t",
    trigger_key="k",
    name="n",
    description="",
    domain="d",
    query="*",
    type="alert",
    at_ms=0,
    start_ms=0,
    end_ms=1,
    time_start="1m",
    rows=[],
)
# Halves of surrogate pairs included: a name comes from JSON, which can spell them.
TEXT = st.text(st.characters(), max_size=40)
HOSTS = st.sampled_from(
    ["127.0.0.1", "localhost", "[::1]", "evil.example", "10.0.0.1", "127.1", "0x7f000001", ""]
)
PARTS = st.sampled_from(["@", ":", "/", "\\", "#", "?", "80", "a", "%40", ".", ";", " ", "[", "]"])


@given(value=TEXT, name=TEXT)
@example(value='"},{"', name='{events}"')
def test_body_of_a_webhook_stays_the_json_that_it_was(value: str, name: str) -> None:
    firing = replace(FIRING, rows=[{"x": value}], name=name)
    template = '{"x":"{field:x}","name":"{alert_name}","all":{events},"s":"{events_str}"}'

    body = json.loads(render(template, firing, SENDER, escape=escape_json))

    assert (body["x"], body["name"], body["all"]) == (value, name, [{"x": value}])
    assert set(body) == {"x", "name", "all", "s"}


@given(value=TEXT)
def test_every_placeholder_stays_within_its_string(value: str) -> None:
    firing = replace(
        FIRING, rows=[{value: value}], name=value, description=value, domain=value, query=value
    )
    names = sorted(PLACEHOLDERS - {"events"})
    template = json.dumps({name: f"{{{name}}}" for name in names})

    assert sorted(json.loads(render(template, firing, SENDER, escape=escape_json))) == names


@given(value=TEXT)
def test_html_shows_a_value_and_runs_nothing(value: str) -> None:
    firing = replace(FIRING, rows=[{value: value}])

    shown = render("{field:x}{events_html}{events_str}", firing, SENDER, escape=escape_html)

    rest = shown
    for tag in ("table", "tr", "th", "td"):
        rest = rest.replace(f"<{tag}>", "").replace(f"</{tag}>", "")
    assert "<" not in rest
    assert ">" not in rest


@given(value=st.text(st.characters(), max_size=3000), name=TEXT)
def test_slack_takes_whatever_an_event_holds(value: str, name: str) -> None:
    firing = replace(FIRING, rows=[{"x": value}], name=name)
    action = {
        "typename": "SlackAction",
        "url": "http://127.0.0.1/",
        "fields": [{"fieldName": "f", "value": "{field:x}"}],
    }

    (call,) = prepare(action, firing, SENDER, addresses=Addresses())

    assert isinstance(call, HttpCall)
    body = json.loads(call.body)
    texts = [(body["text"], "text"), *_texts(body["blocks"])]
    assert [problem for text, kind in texts for problem in _markup_problems(text, kind)] == []
    assert list(_block_problems(body["blocks"])) == []


@given(value=TEXT, recipient=st.one_of(TEXT, st.just("a@example.com")))
@example(value="a\r\nBcc: x@example.com\r\n\r\nbody", recipient="a@example.com")
@example(value="", recipient="a@example.com\nCc: b@example.com")
@example(value="", recipient='"')
def test_mail_has_the_headers_it_was_given_and_no_more(value: str, recipient: str) -> None:
    is_address = recipient == "a@example.com"
    firing = replace(FIRING, rows=[{"x": value}], name=value)
    action = {
        "typename": "EmailAction",
        "recipients": [recipient],
        "subjectTemplate": "{alert_name} {field:x}",
        "bodyTemplate": "{field:x}",
    }

    if not is_address:
        with pytest.raises(Unsendable, match="not a plain address"):
            prepare(action, firing, SENDER, addresses=Addresses())
        return
    (mail,) = prepare(action, firing, SENDER, addresses=Addresses())

    assert isinstance(mail, Mail)
    headers = email.message_from_bytes(mail.content, policy=email.policy.compat32)
    assert sorted(name.lower() for name in headers.keys()) == [  # noqa: SIM118 -- a message has no __iter__
        "content-transfer-encoding",
        "content-type",
        "date",
        "from",
        "message-id",
        "mime-version",
        "subject",
        "to",
    ]


@given(parts=st.lists(st.one_of(HOSTS, PARTS), max_size=6))
@example(parts=["evil.example", "\\", "@", "127.0.0.1"])
@example(parts=["127.0.0.1", "@", "evil.example"])
def test_address_that_counts_as_loopback_is_one_for_the_http_library_too(parts: list[str]) -> None:
    url = "http://" + "".join(parts)
    call = HttpCall(method="GET", url=url, headers={}, body=b"", shown="")
    if problem_of(call) or not is_loopback(url):
        return

    try:
        host = httpx.URL(url).host
    except httpx.InvalidURL:
        return

    assert host == "localhost" or ipaddress.ip_address(host).is_loopback


@given(text=st.text(st.characters(), max_size=2 * EXCERPT_CHARS))
def test_excerpt_is_short_and_can_be_written_down(text: str) -> None:
    shown = excerpt(text)

    assert len(shown) <= EXCERPT_CHARS + 1
    assert json.loads(json.dumps(shown)) == shown
