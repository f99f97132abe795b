"""The Falcon gateway's request quota: read from every answer, and kept before it is used up.

The gateway counts the requests of a customer by the minute and says with each answer how many there
may be and how many are left. Others draw on the same number, so only what it says counts, not what
was sent from here. `Quota` decides, without I/O; `PacedTransport` waits.
Source: CrowdStrike gofalcon and falconpy (`X-Ratelimit-Limit`, `-Remaining`, `-Retryafter`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from orchestrator.client.http.retry import parse_retry_after
from orchestrator.client.http.transport import OpenResponse, Request, Response, Transport
from orchestrator.clock import Clock
from orchestrator.errors import RateLimited

_MINUTE = timedelta(minutes=1)
_NOW = timedelta(0)
_LIMIT, _REMAINING = "x-ratelimit-limit", "x-ratelimit-remaining"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaPolicy:
    """When requests slow down, and how far."""

    reserve: float = 0.2
    """Part of the quota that is not spent at full speed, 0 to 1: room for whoever else draws."""
    longest: timedelta = timedelta(seconds=5)
    """Longest time between two requests; a longer one that is asked for refuses at once."""

    def spacing(self, limit: int, remaining: int) -> timedelta:
        """Return the time between two requests while `remaining` of `limit` a minute are left.

        Nobody says when the minute began. What is left is spread over a whole one, which holds
        even if it began just now.
        """
        if remaining >= limit * self.reserve:
            return _NOW
        return min(_MINUTE / max(remaining, 1), self.longest)


class Quota:
    """What the gateway said last; time comes in as monotonic seconds."""

    def __init__(self, policy: QuotaPolicy | None = None) -> None:
        self._policy = policy or QuotaPolicy()
        self._spacing = _NOW
        self._sent_at: float | None = None
        self._closed_until = 0.0

    def wait(self, now: float) -> timedelta:
        """Return how long the next request has to wait; zero or less lets it go."""
        free_at = self._closed_until
        if self._sent_at is not None:
            free_at = max(free_at, self._sent_at + self._spacing.total_seconds())
        return timedelta(seconds=free_at - now)

    def sent(self, now: float) -> None:
        """Note that a request goes out."""
        self._sent_at = now

    def told(self, headers: Mapping[str, str]) -> None:
        """Take what an answer says is left; one that says nothing changes nothing.

        Args:
            headers: Of the answer, names in lower case.
        """
        limit, remaining = (headers.get(name, "") for name in (_LIMIT, _REMAINING))
        if limit.isdecimal() and remaining.isdecimal():
            self._spacing = self._policy.spacing(int(limit), int(remaining))

    def refused(self, now: float, wait: timedelta) -> None:
        """Take a 429: nobody needs to ask before `wait`, or a new minute, is there."""
        rest = min(wait, _MINUTE).total_seconds()
        self._closed_until = max(self._closed_until, now + rest)

    def is_patient(self, wait: timedelta) -> bool:
        """Return whether a wait is short enough to be sat out."""
        return wait <= self._policy.longest


class PacedTransport:
    """A transport that slows down before the gateway refuses; whoever comes first goes first."""

    def __init__(self, inner: Transport, *, clock: Clock, quota: Quota | None = None) -> None:
        self._inner, self._clock, self._quota = inner, clock, quota or Quota()
        self._line = asyncio.Lock()

    async def send(self, request: Request) -> Response:
        """Return the answer.

        Raises:
            RateLimited: The gateway was not asked, since it refuses for a while.
            ClientError: As the transport inside.
        """
        await self._turn(request)
        response = await self._inner.send(request)
        self._told(response.status, response.headers)
        return response

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[OpenResponse]:
        """Yield the answer while it arrives.

        Raises:
            RateLimited: The gateway was not asked, since it refuses for a while.
            ClientError: As the transport inside.
        """
        await self._turn(request)
        async with self._inner.open(request) as response:
            self._told(response.status, response.headers)
            yield response

    async def close(self) -> None:
        """Close the transport inside."""
        await self._inner.close()

    async def _turn(self, request: Request) -> None:
        async with self._line:
            wait = self._quota.wait(self._clock.monotonic())
            if not self._quota.is_patient(wait):
                raise RateLimited(
                    "the gateway's quota is used up",
                    retry_after=wait,
                    method=request.method,
                    path=request.path,
                )
            if wait > _NOW:
                await self._clock.sleep(wait)
            self._quota.sent(self._clock.monotonic())

    def _told(self, status: int, headers: Mapping[str, str]) -> None:
        self._quota.told(headers)
        if status == 429:
            wait = parse_retry_after(headers, now=self._clock.now())
            if wait is not None:
                self._quota.refused(self._clock.monotonic(), wait)
