"""Whatever an endpoint writes, no sink's message is broken, mentions anybody or links anywhere."""

from __future__ import annotations

import io
import json
import re
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.ids import EntryId
from orchestrator.route.payload import encode, payload
from orchestrator.route.sinks.console import render
from orchestrator.route.sinks.jira import description, summary
from orchestrator.route.sinks.slack_blocks import fallback_text, message_blocks, reply_blocks
from orchestrator.route.text import telemetry, visible
from orchestrator.sandbox.receivers.jira import document_problems
from tests.unit.route.making import ENTRY, make_notification

GRAMMAR = st.sampled_from(
    [
        "<!channel>", "<@U0123>", "<#C1|x>", "<http://a.b|c>", "&lt;", "&amp;",
        "@here", "<", ">", "&",
        "*", "_", "`", "~", ">quote",
        "\n", "\r\n", "\x1b[31m", "\u202e", "\u200b", "\0", "\ud800",
        "{code}", "[~user]", "!x.png!", "h1. ", "http://a.b", "169.254.169.254", ":smile:", "|",
        "x" * 500, "&" * 400,
    ]
)  # fmt: skip
TEXT = st.lists(st.one_of(GRAMMAR, st.text(max_size=20)), max_size=30).map("".join)
LINK = re.compile(r"<https://[^\s<>|]+\|[^<>|]+>")


def texts(node: Any) -> list[tuple[str, str]]:
    if isinstance(node, list):
        return [found for item in node for found in texts(item)]
    if isinstance(node, dict):
        if isinstance(node.get("text"), str):
            return [(node["type"], node["text"])]
        return [found for item in node.values() for found in texts(item)]
    return []


@given(text=TEXT)
@settings(deadline=None)
def test_slack_has_no_bracket_but_those_of_its_own_links(text: str) -> None:
    n = make_notification(headline=text, why=text, facts=((text, text), ("Host", text * 5)))

    everything = [
        ("plain_text", fallback_text(n)),
        *texts(message_blocks(n)),
        *texts(reply_blocks(n)),
    ]
    for kind, shown in everything:
        rest = LINK.sub("", shown) if kind == "mrkdwn" else shown
        assert not set(rest) & {"<", ">"}
        assert not re.search(r"&(?!amp;|lt;|gt;)", shown)
        assert len(shown) <= 3_000


@given(text=TEXT)
@settings(deadline=None)
def test_slack_quotes_telemetry_in_plain_text_only(text: str) -> None:
    plain, hostile = make_notification(), make_notification(headline=text, why=text)

    live = [shown for kind, shown in texts(message_blocks(hostile)) if kind == "mrkdwn"]
    assert live == [shown for kind, shown in texts(message_blocks(plain)) if kind == "mrkdwn"]


@given(text=TEXT)
@example(text="\x1f" * 200 + '"\\' * 2_000)
@settings(deadline=None)
def test_jira_document_stays_a_document(text: str) -> None:
    n = make_notification(headline=text, why=text, facts=((text, text),) * 20)

    assert list(document_problems(description(n, entry_id=ENTRY))) == []
    assert len(summary(n)) <= 255


@given(text=TEXT)
@settings(deadline=None)
def test_console_prints_one_line_a_fact(text: str) -> None:
    shown = render(make_notification(facts=(("Host", text),)), colour=False)

    assert shown.count("\n") == render(
        make_notification(facts=(("Host", "x"),)), colour=False
    ).count("\n")
    assert shown.replace("\n", "").isprintable()
    io.StringIO().write(shown)


@given(text=TEXT)
def test_payload_is_one_line_of_json_that_reads_back(text: str) -> None:
    line = encode(payload(make_notification(why=text), entry_id=EntryId(ENTRY)))

    assert b"\n" not in line
    assert isinstance(json.loads(line)["finding"]["why"], str)


@given(text=TEXT, limit=st.integers(min_value=50, max_value=500))
@example(text="0http://a.b", limit=50)
def test_telemetry_fits_and_hides_nothing(text: str, limit: int) -> None:
    shown = telemetry(text, limit)

    assert len(shown) <= limit
    assert visible(shown) == shown
    assert "://" not in shown.replace("hxxp://", "").replace("hxxps://", "").lower().replace(
        "hxxp://", ""
    ).replace("hxxps://", "")
