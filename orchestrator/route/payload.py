"""A notification as JSON for machines: the webhook's body and a line of the file sink.

Values keep their characters, because JSON escapes them and a program, not a person, reads them;
only lone surrogates (no valid JSON text) are replaced, and each text is cut with a note. The shape
is versioned: fields may be added within a version, never renamed or removed.
"""

from __future__ import annotations

import json
import re
from typing import TypeAlias

from orchestrator.ids import EntryId
from orchestrator.model.notification import Notification, NotificationKind
from orchestrator.route.text import cut
from orchestrator.units import format_instant

PayloadJson: TypeAlias = "str | int | list[PayloadJson] | dict[str, PayloadJson]"

VERSION = 1
TEXT_CHARS = 8_000
_SURROGATE = re.compile(r"[\ud800-\udfff]")
EVENTS = {
    NotificationKind.OPENED: "finding.opened",
    NotificationKind.UPDATED: "finding.updated",
    NotificationKind.OPERATOR: "service.notice",
}


def payload(notification: Notification, *, entry_id: EntryId) -> dict[str, PayloadJson]:
    """Return the message's JSON object; equal notifications give equal objects."""
    n = notification
    return {
        "version": VERSION,
        "event": EVENTS[n.kind],
        "id": entry_id,
        "sequence": n.revision,
        "finding": {
            "id": n.finding_id,
            "rule": _text(n.rule),
            "headline": _text(n.headline),
            "severity": n.severity.value,
            "score": n.score,
            "score_parts": [
                {"source": _text(p.source), "points": p.points, "reason": _text(p.reason)}
                for p in n.score_parts
            ],
            "facts": [{"label": _text(label), "value": _text(value)} for label, value in n.facts],
            "why": _text(n.why),
            "first_seen": format_instant(n.first_seen),
            "last_seen": format_instant(n.last_seen),
            "event_count": n.event_count,
            "questions": [_text(text) for text in n.questions],
            "next_steps": [_text(text) for text in n.next_steps],
            "links": [{"label": _text(link.label), "url": link.url} for link in n.links],
            "labels": [_text(label) for label in n.labels],
        },
    }


def encode(value: dict[str, PayloadJson]) -> bytes:
    """Return one line of ASCII JSON: what is invisible on a screen is escaped in the file."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def _text(text: str) -> str:
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", cut(text, TEXT_CHARS))
