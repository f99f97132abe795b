"""A notification as Slack blocks: pure, and unable to mention, link or format what it quotes.

Values from telemetry stand only in `plain_text` objects, where Slack parses no markup; mrkdwn holds
nothing but our own links, marked verbatim. The three characters that Slack treats as control
(`&`, `<`, `>`) are encoded in every text, and a limit counts the encoded form.
Source: docs.slack.dev, messaging/formatting-message-text and reference/block-kit/blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from orchestrator.model.notification import Notification, NotificationKind
from orchestrator.model.rule import Severity
from orchestrator.route.text import authored, telemetry
from orchestrator.units import format_instant

Block: TypeAlias = "str | bool | list[Block] | dict[str, Block]"

HEADER_CHARS = 150
SECTION_CHARS = 3_000
FIELD_CHARS = 2_000
FIELDS_A_SECTION = 10
TEXT_CHARS = 3_000
"""Below Slack's 4,000, so that an update is never refused for it."""

_SHORT_CHARS = 300
_LONG_CHARS = 1_200
_ENTITY_CHARS = 5
_MARKS = {
    Severity.INFORMATIONAL: "\N{MEDIUM WHITE CIRCLE}",
    Severity.LOW: "\N{LARGE BLUE CIRCLE}",
    Severity.MEDIUM: "\N{LARGE YELLOW CIRCLE}",
    Severity.HIGH: "\N{LARGE ORANGE CIRCLE}",
    Severity.CRITICAL: "\N{LARGE RED CIRCLE}",
}


def escape(text: str) -> str:
    """Return `text` with Slack's three control characters encoded, and no others."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def hostile(text: str, limit: int) -> str:
    """Return text from telemetry, encoded, at most `limit` characters in encoded form."""
    return _fitted(text, limit, telemetry)


def ours(text: str, limit: int) -> str:
    """Return authored text, encoded, at most `limit` characters in encoded form."""
    return _fitted(text, limit, authored)


def _fitted(text: str, limit: int, safe: Callable[[str, int], str]) -> str:
    encoded = escape(safe(text, limit))
    if len(encoded) <= limit:
        return encoded
    # Cut the plain form to what fits even if every character grows: no entity is ever broken.
    return escape(safe(text, max(40, limit // _ENTITY_CHARS)))


def fallback_text(notification: Notification) -> str:
    """Return the text for notifications on phones and for screen readers."""
    n = notification
    return f"[{n.severity.value.upper()}] {hostile(n.headline, TEXT_CHARS - 200)}"


def message_blocks(notification: Notification) -> list[Block]:
    """Return the finding's own message: what happened, the facts, why, what to ask and do."""
    n = notification
    blocks: list[Block] = [_header(n), _context(_status_line(n))]
    short = [(label, value) for label, value in n.facts if len(value) <= _SHORT_CHARS // 3]
    long = [(label, value) for label, value in n.facts if len(value) > _SHORT_CHARS // 3]
    for start in range(0, min(len(short), 20), FIELDS_A_SECTION):
        part = short[start : start + FIELDS_A_SECTION]
        blocks.append(
            {"type": "section", "fields": [_field(label, value) for label, value in part]}
        )
    blocks += [_section(label, hostile(value, _LONG_CHARS)) for label, value in long[:5]]
    blocks.append(_section("Not suppressed because", hostile(n.why, _LONG_CHARS)))
    if n.score_parts:
        lines = [
            f"{part.points:+d} {hostile(f'{part.source}: {part.reason}', 160)}"
            for part in n.score_parts[:8]
        ]
        blocks.append(_section(f"Score {n.score}", "\n".join(lines)))
    for title, texts in (("Ask", n.questions[:3]), ("Next", n.next_steps[:5])):
        if texts:
            lines = [f"{i}. {ours(text, 350)}" for i, text in enumerate(texts, 1)]
            blocks.append(_section(title, "\n".join(lines)))
    return [*blocks, *_links(n)]


def reply_blocks(notification: Notification) -> list[Block]:
    """Return the thread's reply on an update: what changed is what it says first."""
    n = notification
    seen = f"Seen again: {n.event_count:,} events, last {format_instant(n.last_seen)}."
    return [
        _section("Update", f"{seen}\n{hostile(n.headline, _SHORT_CHARS)}"),
        _context(_status_line(n)),
        _section("Not suppressed because", hostile(n.why, _LONG_CHARS)),
    ]


def _header(n: Notification) -> Block:
    # The mark is added here, so the rest has two characters less.
    title = f"{_MARKS[n.severity]} {hostile(n.headline, HEADER_CHARS - 2)}"
    return {"type": "header", "text": _plain(title)}


def _status_line(n: Notification) -> str:
    what = "About the service · " if n.kind is NotificationKind.OPERATOR else ""
    return (
        f"{what}{ours(n.rule, 150)} · {n.severity.value} · score {n.score} · "
        f"{format_instant(n.first_seen)} to {format_instant(n.last_seen)} · "
        f"{n.event_count:,} events · finding {n.finding_id[:12]}"
    )


def _links(n: Notification) -> list[Block]:
    if not n.links:
        return []
    parts: list[str] = []
    size = 0
    for link in n.links[:8]:
        # A pipe or an angle bracket in the URL would end it early; ours are encoded already.
        url = link.url.replace("|", "%7C").replace("<", "%3C").replace(">", "%3E")
        part = f"<{url.replace('&', '&amp;')}|{ours(link.label, 60).replace('|', '/')}>"
        if size + len(part) + 3 > SECTION_CHARS:
            break
        parts.append(part)
        size += len(part) + 3
    text: Block = {"type": "mrkdwn", "text": " · ".join(parts), "verbatim": True}
    return [{"type": "section", "text": text}] if parts else []


def _field(label: str, value: str) -> Block:
    return _plain(f"{ours(label, 60)}\n{hostile(value, _SHORT_CHARS)}")


def _section(label: str, text: str) -> Block:
    return {"type": "section", "text": _plain(f"{ours(label, 60)}\n{text}")}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_plain(text)]}


def _plain(text: str) -> Block:
    # `emoji` off: `:name:` in a value stays what it is.
    return {"type": "plain_text", "text": text, "emoji": False}
