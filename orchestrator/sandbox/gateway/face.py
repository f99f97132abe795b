"""What every exchange with the gateway has, whichever route it meets, and faults too.

A trace id, the rate limit and what is left of it; and refusals that are envelopes, also where the
refusal comes from before the routes. Plain ASGI, since it must see what has no response object.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.clock import Clock
from orchestrator.sandbox.answers import INVALID_TOKEN, NOT_AUTHORIZED, Refusal
from orchestrator.sandbox.gateway.envelope import TRACE_HEADER, envelope_answer, new_trace_id
from orchestrator.units import to_epoch_ms

PREFIXES = (
    "/humio/",
    "/oauth2/",
    "/alerts/",
    "/correlation-rules/",
    "/devices/",
    "/loggingapi/",
    "/ngsiem/",
    "/ngsiem-content/",
)
"""Paths of the gateway."""
KINDS = ("aggregates", "combined", "entities", "queries")
"""What the second part of any other of its paths is, such as `/policy/combined/…`."""
_OTHERS = re.compile(rf"/[a-z0-9-]+/({'|'.join(KINDS)})/")
_LIMIT, _REMAINING = "X-Ratelimit-Limit", "X-Ratelimit-Remaining"
_RETRY_AFTER = "X-Ratelimit-Retryafter"
_CASED = (b"x-cs-traceid", b"x-ratelimit-")
_MINUTE_S = 60.0
# The gateway's own words. Source: github.com/CrowdStrike/falconpy/issues/130, psfalcon/issues/254.
_TEXTS = {
    INVALID_TOKEN: "access denied, invalid bearer token",
    NOT_AUTHORIZED: "access denied, authorization failed",
}


@dataclass(slots=True)
class _Minute:
    """The requests of one minute."""

    started_s: float
    count: int = 0


class GatewayFace:
    """Wraps the app; only the gateway's paths are touched.

    Args:
        app: What answers.
        clock: Measures the minutes of the limit.
        per_minute: Requests that are answered in one minute; more of them get a 429.
    """

    def __init__(self, app: ASGIApp, *, clock: Clock, per_minute: int) -> None:
        self._app, self._clock, self._per_minute = app, clock, per_minute
        self._minute = _Minute(started_s=clock.monotonic())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and dress its answer."""
        if scope["type"] != "http" or not _is_gateway(scope["path"]):
            await self._app(scope, receive, send)
            return
        remaining = self._count()
        headers = {_LIMIT: str(self._per_minute), _REMAINING: str(max(remaining, 0))}
        dressed = _Dressed(send, headers, in_epoch_s=self._in_epoch_s)
        if remaining < 0:
            left_s = self._minute.started_s + _MINUTE_S - self._clock.monotonic()
            wait = {_RETRY_AFTER: self._in_epoch_s(left_s)}
            refusal = Refusal(429, "API rate limit exceeded", wait)
            await envelope_answer(refusal)(scope, receive, dressed)
            return
        try:
            await self._app(scope, receive, dressed)
        except Exception:
            # The sandbox's own fault, which whoever serves it is to see.
            if not dressed.has_begun:
                refusal = Refusal(500, "the sandbox failed; its log says why")
                await envelope_answer(refusal)(scope, receive, dressed)
            raise

    def _count(self) -> int:
        """Count a request, and return how many more the minute has; negative is too many."""
        now_s = self._clock.monotonic()
        if now_s - self._minute.started_s >= _MINUTE_S:
            self._minute = _Minute(started_s=now_s)
        self._minute.count += 1
        return self._per_minute - self._minute.count

    def _in_epoch_s(self, delay_s: float) -> str:
        # Rounded up: who comes at that second must not come too early.
        return str(math.ceil(to_epoch_ms(self._clock.now()) / 1000 + delay_s))


class _Dressed:
    """Sends one answer with the gateway's headers; a refusal in plain text becomes an envelope.

    Attributes:
        has_begun: Whether an answer was begun.
    """

    def __init__(
        self, send: Send, headers: dict[str, str], *, in_epoch_s: Callable[[float], str]
    ) -> None:
        self._send, self._headers, self._in_epoch_s = send, headers, in_epoch_s
        self.has_begun = False
        self._refused: Message | None = None
        self._text = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            kind = Headers(raw=message["headers"]).get("content-type", "")
            if message["status"] >= 400 and kind.startswith("text/plain"):
                self._refused = message
                return
            await self._send(self._dressed(message))
        elif self._refused is None:
            await self._send(message)
        else:
            self._text += message.get("body", b"")
            if not message.get("more_body", False):
                await self._refuse(self._refused)

    async def _refuse(self, start: Message) -> None:
        text = self._text.decode("utf-8", "replace")
        headers = Headers(raw=start["headers"])
        delay, kept = headers.get("retry-after", ""), {}
        if delay.isdecimal():
            # The gateway names the instant, and has no header for the delay.
            kept[_RETRY_AFTER] = self._in_epoch_s(int(delay))
        response = envelope_answer(Refusal(start["status"], _TEXTS.get(text, text), kept))
        await self._send(
            self._dressed(
                {
                    "type": "http.response.start",
                    "status": response.status_code,
                    "headers": response.raw_headers,
                }
            )
        )
        await self._send({"type": "http.response.body", "body": response.body})

    def _dressed(self, message: Message) -> Message:
        headers = MutableHeaders(raw=list(message["headers"]))
        headers.update(self._headers)
        headers.setdefault(TRACE_HEADER, new_trace_id())
        return {**message, "headers": [(_cased(name), value) for name, value in headers.raw]}


def _is_gateway(path: str) -> bool:
    return path.startswith(PREFIXES) or _OTHERS.match(path) is not None


def _cased(name: bytes) -> bytes:
    # As the gateway writes them: falconpy looks them up in a dictionary that minds the case.
    # X-Cs-Region stays as it is: falconpy would follow it out of the sandbox, to the real cloud.
    return name.title() if name.startswith(_CASED) else name
