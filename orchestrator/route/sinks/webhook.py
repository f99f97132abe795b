"""JSON to any HTTPS endpoint, signed after the Standard Webhooks scheme.

`webhook-signature` is `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body` over the exact bytes
sent; `webhook-id` and `Idempotency-Key` are the entry's id on every attempt, so a receiver that
remembers keys sees each message once.
Source: github.com/standard-webhooks, spec/standard-webhooks.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.clock import Clock, SystemClock
from orchestrator.errors import ConfigError, DeliveryError
from orchestrator.ids import EntryId
from orchestrator.model.notification import Notification
from orchestrator.route.payload import encode, payload
from orchestrator.route.sinks.base import (
    Failed,
    Outcome,
    Sent,
    checked_url,
    parse_retry_after,
)
from orchestrator.route.sinks.http import AsgiApp, HttpSeam, reason_for_status
from orchestrator.secret import SecretText

_SECRET_PREFIX = "whsec_"  # noqa: S105 -- how such secrets begin, not one of them


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """One endpoint."""

    url: SecretText
    """Often a secret itself: whoever knows it may post."""
    secret: SecretText
    """Signing key: `whsec_` and base64, or any text of at least 16 characters."""
    allow_http: bool = False
    timeout: timedelta = timedelta(seconds=10)
    """Longer than the slowest healthy receiver we know."""
    pace: timedelta = timedelta(0)
    ca_file: Path | None = None


class WebhookSink:
    """Posts signed JSON.

    Args:
        app: An ASGI app to call in process instead of the network.

    Raises:
        ConfigError: The URL may not carry a secret, or the signing key is too short.
    """

    def __init__(
        self, settings: WebhookSettings, *, clock: Clock | None = None, app: AsgiApp | None = None
    ) -> None:
        self._url = SecretText(
            checked_url(settings.url.reveal(), allow_http=settings.allow_http, key="url")
        )
        self._key = _key(settings.secret)
        self._clock = clock or SystemClock()
        self.pace = settings.pace
        self._http = HttpSeam(deadline=settings.timeout, ca_file=settings.ca_file, app=app)

    async def send(
        self, notification: Notification, *, entry_id: EntryId, reference: str, maybe_sent: bool
    ) -> Outcome:
        """Post one message; after an uncertain attempt the same key simply goes again."""
        del reference, maybe_sent
        body = encode(payload(notification, entry_id=entry_id))
        now = self._clock.now()
        stamp = str(int(now.timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "orchestrator",
            "Idempotency-Key": entry_id,
            "webhook-id": entry_id,
            "webhook-timestamp": stamp,
            "webhook-signature": sign(self._key, entry_id=entry_id, stamp=stamp, body=body),
        }
        answer = await self._http.request("POST", self._url.reveal(), headers=headers, body=body)
        if isinstance(answer, Failed):
            return answer
        reason = reason_for_status(answer.status, is_idempotent=True)
        if reason is None:
            return Sent(f"webhook:{entry_id[:12]}")
        wait = parse_retry_after(answer.headers.get("retry-after"), now=now)
        # The answer's text stays out: an echo of the request would carry the URL.
        return Failed(reason, f"the endpoint answered {answer.status}", wait)

    async def check(self) -> str:
        """Say which host it posts to; raises DeliveryError if that gives no answer at all."""
        host = urlsplit(self._url.reveal()).hostname
        answer = await self._http.request("HEAD", self._url.reveal(), headers={})
        if isinstance(answer, Failed):
            raise DeliveryError(f"the webhook's host {host} gives no answer: {answer.detail}")
        return f"posts to {host}, which answers; a signed message was not tried"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def sign(key: bytes, *, entry_id: str, stamp: str, body: bytes) -> str:
    """Return the value of `webhook-signature` for one body."""
    signed = f"{entry_id}.{stamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode("ascii")


def _key(secret: SecretText) -> bytes:
    text = secret.reveal()
    if text.startswith(_SECRET_PREFIX):
        try:
            key = base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise ConfigError("after whsec_ comes base64", key="secret") from None
    else:
        key = text.encode()
    if len(key) < 16:
        raise ConfigError("the signing key is shorter than 16 bytes", key="secret")
    return key
