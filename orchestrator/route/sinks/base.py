"""What a sink is, and the two ways an attempt ends.

A refused message is a value (`Failed` with a closed reason), never an exception: the worker
decides what becomes of the entry. Exceptions are for `check`, which a person runs.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit

from orchestrator.errors import ConfigError
from orchestrator.ids import EntryId
from orchestrator.model.notification import DeliveryReason, Notification
from orchestrator.route.text import cut, visible

DETAIL_CHARS = 256


@dataclass(frozen=True, slots=True)
class Sent:
    """The receiver has it; `reference` is its own id for the finding's message or ticket."""

    reference: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The receiver does not have it, or we cannot know; `detail` holds no secret."""

    reason: DeliveryReason
    detail: str = ""
    retry_in: timedelta | None = None


Outcome: TypeAlias = Sent | Failed


class Sink(Protocol):
    """A kind of destination, set up for one receiver."""

    @property
    def pace(self) -> timedelta:
        """Return the least time between two messages; zero for no limit."""
        ...

    async def send(
        self, notification: Notification, *, entry_id: EntryId, reference: str, maybe_sent: bool
    ) -> Outcome:
        """Deliver one message.

        Args:
            notification: What to say, in plain text.
            entry_id: Idempotency key, the same for every attempt.
            reference: The receiver's id from an earlier message on this finding; empty if none.
            maybe_sent: An earlier attempt may have arrived: look before sending again.
        """
        ...

    async def check(self) -> str:
        """Say what and who this destination is; raises DeliveryError when it cannot be used."""
        ...

    async def close(self) -> None:
        """Give up connections; a sink that was never used has none."""
        ...


def detail(text: str) -> str:
    """Return what a receiver said as one short visible line."""
    return cut(visible(text), DETAIL_CHARS)


def parse_retry_after(text: str | None, *, now: datetime | None = None) -> timedelta | None:
    """Return a `Retry-After` of seconds or an HTTP date; None if absent or unreadable.

    Negative values come back as zero; the outbox clamps the rest.
    """
    if not text:
        return None
    text = text.strip()
    try:
        return timedelta(seconds=min(max(float(text), 0.0), 1e6))
    except (ValueError, OverflowError):
        pass
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(timedelta(0), at - now) if now is not None else None


def checked_url(url: str, *, allow_http: bool, key: str) -> str:
    """Return `url` without its last slash, if a secret may be sent there.

    Raises:
        ConfigError: Not HTTPS (nor loopback, nor allowed), no host, or a password inside. The
            text holds no part of the URL but its scheme: a webhook's path is a secret.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018 -- reading it checks it
    except ValueError as exc:
        raise ConfigError("the URL cannot be read", key=key) from exc
    if parts.scheme not in ("https", "http") or not host:
        raise ConfigError("the URL must be https:// and name a host", key=key)
    if parts.username or parts.password:
        raise ConfigError("the URL holds a user or password; use the settings for those", key=key)
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        raise ConfigError(
            "the URL is http://, so secrets would cross the network in the clear",
            key=key,
            advice="Use https://, or set allow_http where the network is trusted",
        )
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
