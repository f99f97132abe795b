"""What becomes of an outbox entry after an attempt. Pure: no clock, no random, no store.

Three classes of failure. Those of the way there (rate limit, unreachable, …) are retried with full
jitter until the entry is too old, however often: a destination that was down for a day still gets
its messages. Those that may lie in the message (server failed, no answer) are retried a bounded
number of times, so that a poison message ends. Those that a person must mend (token, channel) are
parked and looked at again at a slow pace, so that mending is all it takes. A message that the
receiver calls wrong is dead at once: it would stay wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from orchestrator.model.notification import DeliveryReason, OutboxEntry

_LONGEST_POWER = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long an entry is tried."""

    first: timedelta = timedelta(seconds=5)
    """Upper end of the first delay; it doubles with each attempt."""
    least: timedelta = timedelta(seconds=1)
    cap: timedelta = timedelta(minutes=15)
    parked: timedelta = timedelta(minutes=15)
    """Between two looks at a destination that a person must mend."""
    retry_after_cap: timedelta = timedelta(hours=1)
    """Longest `Retry-After` that is believed."""
    max_attempts: int = 25
    """For failures that may lie in the message itself."""
    max_age: timedelta = timedelta(days=3)
    """From the entry's birth; longer than a weekend with an expired token."""


DEFAULT_POLICY = RetryPolicy()


def next_attempt(
    attempts: int,
    reason: DeliveryReason,
    retry_in: timedelta | None,
    now: datetime,
    *,
    fraction: float,
    created_at: datetime | None = None,
    policy: RetryPolicy = DEFAULT_POLICY,
) -> datetime | None:
    """Return when to try again, None to give up.

    Args:
        attempts: Attempts made, the failed one included; from 1.
        reason: Decides the class of failure.
        retry_in: What the receiver asked for; clamped, and never shortened by the jitter.
        now: When it failed, aware UTC.
        fraction: A random number in [0, 1).
        created_at: Birth of the entry; None leaves its age out.
        policy: Bounds of the delays.
    """
    delay = _delay(attempts, reason, retry_in, fraction, policy)
    if delay is None:
        return None
    at = now + delay
    if created_at is not None and at - created_at > policy.max_age:
        return None
    return at


def _delay(
    attempts: int,
    reason: DeliveryReason,
    retry_in: timedelta | None,
    fraction: float,
    policy: RetryPolicy,
) -> timedelta | None:
    match reason:
        case DeliveryReason.REFUSED:
            return None
        case DeliveryReason.UNAUTHORIZED | DeliveryReason.NOT_FOUND | DeliveryReason.MISCONFIGURED:
            return policy.parked
        case DeliveryReason.SERVER_FAILED | DeliveryReason.UNCERTAIN:
            if attempts >= policy.max_attempts:
                return None
        case DeliveryReason.RATE_LIMITED | DeliveryReason.UNREACHABLE | DeliveryReason.TIMED_OUT:
            pass
        case _:
            assert_never(reason)
    backoff = full_jitter(attempts, fraction=fraction, policy=policy)
    if retry_in is None:
        return backoff
    asked = min(max(retry_in, policy.least), policy.retry_after_cap)
    # A little on top, so that everyone who was told the same second does not come back in it.
    return max(backoff, asked + fraction * policy.least)


def full_jitter(
    attempts: int, *, fraction: float, policy: RetryPolicy = DEFAULT_POLICY
) -> timedelta:
    """Return a delay between `least` and the doubled, capped upper end."""
    power = min(max(attempts, 1) - 1, _LONGEST_POWER)
    upper: timedelta = min(policy.cap, policy.first * 2**power)
    return max(policy.least, fraction * upper)


def closes_lane(reason: DeliveryReason) -> bool:
    """Return whether a failure speaks of the whole destination rather than of one message."""
    return reason not in (DeliveryReason.REFUSED, DeliveryReason.NOT_FOUND)


def lease_suffices(entry: OutboxEntry, *, now: datetime, needed: timedelta) -> bool:
    """Return whether a send that may take `needed` still ends inside the claim."""
    return entry.lease_until is None or entry.lease_until - now >= needed
