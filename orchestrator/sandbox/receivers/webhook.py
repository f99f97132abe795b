"""An endpoint that verifies Standard Webhooks signatures and remembers idempotency keys.

Source: github.com/standard-webhooks, spec/standard-webhooks.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orchestrator.clock import Clock, SystemClock
from orchestrator.sandbox.receivers.faults import Receiver

_TOLERANCE_SECONDS = 300
_BODY_BYTES = 262_144
_EVENTS = frozenset({"finding.opened", "finding.updated", "service.notice"})


class WebhookReceiver(Receiver):
    """Plays the endpoint `/hook`.

    Attributes:
        store: Bodies by idempotency key, in order of arrival; a repeated key is stored once.
        repeats: Keys that came again with the same body.
    """

    def __init__(self, *, secret: str, clock: Clock) -> None:
        self.store: dict[str, dict[str, Any]] = {}
        self.repeats: list[str] = []
        self._key, self._clock = secret.encode(), clock
        super().__init__([("POST", "/hook", self._hook), ("HEAD", "/hook", self._head)])

    async def _head(self, request: Request) -> Response:
        del request
        return Response(status_code=405)

    async def _hook(self, request: Request) -> Response:
        body = await request.body()
        problem = self._problem(request, body)
        if problem:
            self.violate(problem)
            return JSONResponse({"error": problem}, 401)
        if len(body) > _BODY_BYTES:
            return JSONResponse({"error": "the body is too long"}, 413)
        value = json.loads(body)
        key = request.headers.get("idempotency-key", "")
        if key != request.headers["webhook-id"] or key != value.get("id"):
            self.violate("Idempotency-Key, webhook-id and the body's id differ")
        if value.get("event") not in _EVENTS:
            self.violate(f"an unknown event {value.get('event')!r}")
        if key in self.store:
            self.repeats.append(key)
            if self.store[key] != value:
                self.violate("the same key with another body")
        self.store.setdefault(key, value)
        return Response(status_code=204)

    def _problem(self, request: Request, body: bytes) -> str:
        stamp = request.headers.get("webhook-timestamp", "")
        if not stamp.isdecimal():
            return "no timestamp"
        if abs(self._clock.now().timestamp() - int(stamp)) > _TOLERANCE_SECONDS:
            return "the timestamp is more than five minutes off"
        signed = f"{request.headers.get('webhook-id', '')}.{stamp}.".encode() + body
        digest = hmac.new(self._key, signed, hashlib.sha256).digest()
        wanted = "v1," + base64.b64encode(digest).decode()
        given = request.headers.get("webhook-signature", "").split(" ")
        if not any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given):
            return "the signature does not fit"
        return ""


def webhook_app(
    *,
    secret: str = "sandbox-signing-key",  # noqa: S107 -- the stand-in's own key, no secret
    clock: Clock | None = None,
) -> WebhookReceiver:
    """Return an endpoint that shares `secret` with the sender."""
    return WebhookReceiver(secret=secret, clock=clock or SystemClock())
