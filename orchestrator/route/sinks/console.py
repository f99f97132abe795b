"""The message as on-call would see it, on a text stream: the default, and what the demo shows."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import TextIO

from orchestrator.ids import EntryId
from orchestrator.model.notification import DeliveryReason, Notification, NotificationKind
from orchestrator.model.rule import Severity
from orchestrator.route.sinks.base import Failed, Outcome, Sent
from orchestrator.route.text import authored, telemetry
from orchestrator.units import format_instant

_RESET, _BOLD, _DIM = "\x1b[0m", "\x1b[1m", "\x1b[2m"
_COLOURS = {
    Severity.INFORMATIONAL: "\x1b[36m",
    Severity.LOW: "\x1b[36m",
    Severity.MEDIUM: "\x1b[33m",
    Severity.HIGH: "\x1b[31m",
    Severity.CRITICAL: "\x1b[1;31m",
}
_KINDS = {
    NotificationKind.OPENED: "new finding",
    NotificationKind.UPDATED: "update",
    NotificationKind.OPERATOR: "about the service",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """How the console sink prints."""

    colour: bool | None = None
    """None: only where the stream is a terminal."""
    value_chars: int = 600
    """Longest value shown; the note says how long it was."""


class ConsoleSink:
    """Prints to a stream; standard output unless one is given."""

    pace = timedelta(0)

    def __init__(
        self, settings: ConsoleSettings | None = None, *, stream: TextIO | None = None
    ) -> None:
        self._settings, self._stream = settings or ConsoleSettings(), stream

    async def send(
        self, notification: Notification, *, entry_id: EntryId, reference: str, maybe_sent: bool
    ) -> Outcome:
        """Print one message; a closed stream is unreachable."""
        del reference, maybe_sent
        # Looked up late: whoever replaces standard output after start-up is heard.
        stream = self._stream if self._stream is not None else sys.stdout
        colour = self._settings.colour
        try:
            if colour is None:
                colour = stream.isatty()
            text = render(notification, colour=colour, value_chars=self._settings.value_chars)
            encoding = stream.encoding or "utf-8"
            text = text.encode(encoding, "backslashreplace").decode(encoding)
            stream.write(text)
            stream.flush()
        except (OSError, ValueError) as exc:
            return Failed(
                DeliveryReason.UNREACHABLE, f"the stream cannot be written: {type(exc).__name__}"
            )
        return Sent(f"console:{entry_id[:12]}")

    async def check(self) -> str:
        """Say where it prints."""
        return "prints to standard output" if self._stream is None else "prints to a stream"

    async def close(self) -> None:
        """Leave the stream to its owner."""


def render(notification: Notification, *, colour: bool, value_chars: int = 600) -> str:
    """Return the message as lines, the last ended by a line break."""
    n = notification
    tint, bold, dim, reset = (
        (_COLOURS[n.severity], _BOLD, _DIM, _RESET) if colour else ("", "", "", "")
    )
    width = max((len(label) for label, _ in n.facts), default=0) + 1
    about = f"finding {n.finding_id[:12]} revision {n.revision}"
    status = f"{authored(n.rule, 200)} · {_KINDS[n.kind]} · score {n.score} · {about}"
    lines = [
        f"{tint}[{n.severity.value.upper()}]{reset} {bold}{telemetry(n.headline, 300)}{reset}",
        f"{dim}{status}{reset}",
    ]
    for label, value in n.facts:
        name = authored(label, 60)
        lines.append(f"  {name + ':':<{width}} {telemetry(value, value_chars)}")
    seen = f"{format_instant(n.first_seen)} to {format_instant(n.last_seen)}"
    lines.append(f"  {'Seen:':<{width}} {seen}, {n.event_count:,} events")
    lines.append(f"  {bold}Not suppressed:{reset} {telemetry(n.why, value_chars)}")
    for part in n.score_parts:
        reason = telemetry(f"{part.source}: {part.reason}", 200)
        lines.append(f"  {part.points:+d}  {reason}")
    for title, texts in (("Ask", n.questions), ("Next", n.next_steps)):
        if texts:
            lines.append(f"  {bold}{title}{reset}")
            lines.extend(f"    {i}. {authored(text, 400)}" for i, text in enumerate(texts, 1))
    lines.extend(f"  {authored(link.label, 60)}: {link.url}" for link in n.links)
    return "\n".join(lines) + "\n\n"
