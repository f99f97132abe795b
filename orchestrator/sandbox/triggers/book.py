"""What the triggers did and have still to do, on disk before it counts.

`triggers.json` holds every trigger's state and what is still to be sent, replaced whole, so that an
outcome and its messages are written together or not at all. `invocations.ndjson` is a log of
attempts, appended to, cut when it has grown to twice what is kept. Mails are files in `mail/`.
Without a data directory all of it is in memory.
"""

from __future__ import annotations

import email.policy
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from email.parser import BytesParser
from typing import Any

from orchestrator.sandbox.storage.journal import Journal
from orchestrator.sandbox.storage.states import RunState, state_from_json
from orchestrator.sandbox.triggers.templates import Firing

KEPT_INVOCATIONS = 500
KEPT_MAILS = 500
_STATE, _LOG = "triggers.json", "invocations.ndjson"


@dataclass(slots=True, kw_only=True)
class Pending:
    """One action of one firing that is still to be carried out."""

    id: str
    """Of the invocation: the same for each attempt."""
    firing_id: str
    action_id: str
    attempts: int = 0
    parts_done: int = 0
    """Messages of it that are out, where it is several."""
    not_before_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One attempt at one action."""

    id: str
    at: str
    """ISO 8601."""
    trigger: str
    trigger_id: str
    domain: str
    action: str
    action_id: str
    kind: str
    """`WebhookAction` and so on; `detection` or `case` for a correlation rule."""
    status: str
    """`sent`, `retrying`, or `failed` for good."""
    detail: str
    attempt: int
    event_count: int
    target: str = ""
    excerpt: str = ""
    """The beginning of what was sent, secrets redacted."""


@dataclass(slots=True)
class Book:
    """The triggers' memory; changes become durable with `save`, `log` and `keep_mail`."""

    journal: Journal | None
    states: dict[str, RunState] = field(default_factory=dict)
    firings: dict[str, Firing] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)
    invocations: deque[dict[str, Any]] = field(
        default_factory=lambda: deque(maxlen=KEPT_INVOCATIONS)
    )
    _mails: dict[str, bytes] = field(default_factory=dict)
    _logged: int = 0

    def load(self) -> None:
        """Read back what is on disk."""
        if self.journal is None:
            return
        raw = self.journal.load_json(_STATE)
        if isinstance(raw, dict):
            self.states = {key: state_from_json(s) for key, s in raw["states"].items()}
            self.firings = {key: _firing(f) for key, f in raw["firings"].items()}
            self.pending = [Pending(**entry) for entry in raw["pending"]]
        lines = self.journal.load_lines(_LOG)
        self.invocations.extend(line for line in lines if isinstance(line, dict))
        self._logged = len(lines)

    def save(self) -> None:
        """Write states and what is to be sent.

        Raises:
            StoreFull: The disk is full; what was there stays.
        """
        wanted = {entry.firing_id for entry in self.pending}
        self.firings = {key: f for key, f in self.firings.items() if key in wanted}
        if self.journal is not None:
            self.journal.save_json(
                _STATE,
                {
                    "version": 1,
                    "states": {key: state.to_json() for key, state in self.states.items()},
                    "firings": {key: asdict(firing) for key, firing in self.firings.items()},
                    "pending": [asdict(entry) for entry in self.pending],
                },
            )

    def log(self, invocation: Invocation) -> None:
        """Keep an attempt.

        Raises:
            StoreFull: The disk is full; it is in memory only.
        """
        entry = asdict(invocation)
        self.invocations.append(entry)
        if self.journal is None:
            return
        if self._logged >= 2 * KEPT_INVOCATIONS:
            self.journal.save_lines(_LOG, list(self.invocations))
            self._logged = len(self.invocations)
        else:
            self.journal.append_line(_LOG, entry)
            self._logged += 1

    def keep_mail(self, number: str, content: bytes) -> None:
        """Keep a mail under its number, in place of one that has it; the first numbers go when
        there are too many.

        Raises:
            StoreFull: The disk is full.
        """
        name = f"{number}.eml"
        if self.journal is not None:
            self.journal.save_mail(name, content, keep=KEPT_MAILS)
            return
        self._mails[name] = content
        while len(self._mails) > KEPT_MAILS:
            del self._mails[min(self._mails)]

    def mails(self) -> list[dict[str, str]]:
        """Return the mails that are kept, oldest first: headers, text, file name."""
        kept = self._mails if self.journal is None else self.journal.load_mails()
        return [_mail(name, kept[name]) for name in sorted(kept)]


def _firing(raw: Mapping[str, Any]) -> Firing:
    known = {f.name for f in fields(Firing)}
    return Firing(**{name: value for name, value in raw.items() if name in known})


def _mail(name: str, content: bytes) -> dict[str, str]:
    message = BytesParser(policy=email.policy.default).parsebytes(content)
    body = message.get_body(("plain", "html"))
    return {
        "name": name,
        "to": str(message["To"]),
        "subject": str(message["Subject"]),
        "date": str(message["Date"]),
        "text": body.get_content() if body is not None else "",
    }
