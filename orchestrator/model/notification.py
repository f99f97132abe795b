"""The message about a finding, its durable row and each attempt to deliver it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orchestrator.ids import EntryId, FindingId
from orchestrator.model.finding import ScorePart
from orchestrator.model.rule import Severity


class NotificationKind(StrEnum):
    """What the receiver must do with it."""

    OPENED = "opened"
    """The first word on a finding: a new thread, a new ticket."""
    UPDATED = "updated"
    """Seen again or worse: a reply, a comment."""
    OPERATOR = "operator"
    """About the service itself, such as a gap that cannot be closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A named link; the URL is built from ids and settings only, never from telemetry text."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Everything a sink may say about one revision of a finding.

    Plain text throughout: redacted already, not yet escaped; each sink escapes and cuts for its
    own format. Rendering is a pure function of this value, so that a second send is byte-equal.
    """

    finding_id: FindingId
    revision: int
    kind: NotificationKind
    rule: str
    """The rule's name for people."""
    headline: str
    """What happened, in one line."""
    severity: Severity
    score: int
    score_parts: tuple[ScorePart, ...]
    facts: tuple[tuple[str, str], ...]
    """Label and value, in the order to show: host, owner, user, process, command line, …"""
    why: str
    """Why it was not suppressed."""
    first_seen: datetime
    last_seen: datetime
    event_count: int
    questions: tuple[str, ...]
    """At most three triage questions from the runbook."""
    next_steps: tuple[str, ...]
    links: tuple[Link, ...]
    labels: tuple[str, ...] = ()


class DeliveryReason(StrEnum):
    """Why an attempt did not deliver; closed, and each is retryable or not for good."""

    RATE_LIMITED = "rate-limited"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed-out"
    SERVER_FAILED = "server-failed"
    UNCERTAIN = "uncertain"
    """The message may have arrived: ask before sending again."""
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not-found"
    """The channel, project or address does not exist, or we may not see it."""
    REFUSED = "refused"
    """The receiver calls the content wrong."""
    MISCONFIGURED = "misconfigured"

    @property
    def is_retryable(self) -> bool:
        """Return whether the same message may succeed later without anyone's help."""
        return self in _RETRYABLE


_RETRYABLE = frozenset(
    {
        DeliveryReason.RATE_LIMITED,
        DeliveryReason.UNREACHABLE,
        DeliveryReason.TIMED_OUT,
        DeliveryReason.SERVER_FAILED,
        DeliveryReason.UNCERTAIN,
    }
)


class DeliveryState(StrEnum):
    """Where an outbox entry stands."""

    PENDING = "pending"
    SENDING = "sending"
    """Claimed under a lease."""
    SENT = "sent"
    DEAD = "dead"
    """Given up, with the reason; `outbox retry` puts it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """One notification for one receiver, written in the run's own transaction."""

    id: EntryId
    """Also the idempotency key, where the receiver takes one."""
    receiver: str
    notification: Notification
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime
    epoch: int = 0
    """Fencing token of the claim."""
    lease_until: datetime | None = None
    reason: str = ""
    """Why the last attempt failed; empty before the first and after success."""
    maybe_sent: bool = False
    """An attempt ended without an answer: reconcile before sending again."""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The record of one attempt."""

    entry_id: EntryId
    attempt: int
    at: datetime
    reason: DeliveryReason | None
    """None for success."""
    detail: str = ""
    """What the receiver said, without secrets."""
    reference: str = ""
    """The receiver's own id: a Slack `channel:ts`, an issue key."""
