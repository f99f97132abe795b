"""A circuit breaker: a server that keeps failing is left alone for a while, then asked once.

`Breaker` is the state machine, without I/O; `GuardedTransport` asks it before each request. What
counts as a failure is that the server could not be reached, fell silent or answered 5xx; a refusal
is an answer. Connections that break together, as when a balancer is restarted, are one failure: not
every job that was under way shall meet a closed circuit for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from orchestrator.client.http.transport import OpenResponse, Request, Response, Transport
from orchestrator.clock import Clock
from orchestrator.errors import ConnectionFailed, RequestTimedOut


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a server is left alone, and for how long."""

    failures: int = 8
    """Failures in a row, of all callers, that open the circuit: more than one call's retries."""
    shortest: timedelta = timedelta(seconds=5)
    """The first rest; it doubles with each probe that fails."""
    longest: timedelta = timedelta(seconds=60)


class Breaker:
    """Counts what came of the requests to one server; time comes in as monotonic seconds."""

    def __init__(self, policy: BreakerPolicy | None = None) -> None:
        self._policy = policy or BreakerPolicy()
        self._failures = 0
        self._rest = self._policy.shortest
        self._closed_until = 0.0
        self._is_probing = False
        self.broken = 0
        """How often connections broke so far; those that break together count once."""

    def wait(self, now: float) -> timedelta | None:
        """Return how long the server is still left alone; None lets this request through.

        After the rest a single request goes through as a probe; the others wait for what comes of
        it.
        """
        if self._failures < self._policy.failures:
            return None
        if now < self._closed_until:
            return timedelta(seconds=self._closed_until - now)
        if self._is_probing:
            return self._policy.shortest
        self._is_probing = True
        return None

    def succeeded(self) -> None:
        """Note an answer, whatever it says: the server is there."""
        self._failures, self._is_probing = 0, False
        self._rest = self._policy.shortest

    def failed(self, now: float) -> None:
        """Note that the server could not be reached, fell silent or failed."""
        was_probing, self._is_probing = self._is_probing, False
        self._failures += 1
        if self._failures < self._policy.failures:
            return
        if was_probing:
            self._rest = min(self._rest * 2, self._policy.longest)
        self._closed_until = now + self._rest.total_seconds()

    def lost(self, now: float, *, broken: int) -> None:
        """Note that the connection of a request broke.

        Args:
            now: Monotonic seconds.
            broken: What `broken` was when the request began: another that was under way then may
                have told of the same event.
        """
        if broken == self.broken:
            self.broken += 1
            self.failed(now)
        else:
            self._is_probing = False

    def gave_up(self) -> None:
        """Note that a caller left before it was known: a probe may be made again."""
        self._is_probing = False


class GuardedTransport:
    """A transport that does not ask a server which keeps failing."""

    def __init__(self, inner: Transport, *, clock: Clock, breaker: Breaker | None = None) -> None:
        self._inner, self._clock = inner, clock
        self._breaker = breaker or Breaker()

    async def send(self, request: Request) -> Response:
        """Return the answer.

        Raises:
            ConnectionFailed: The server was not asked, since it keeps failing.
            ClientError: As the transport inside.
        """
        broken = self._let_through(request)
        try:
            response = await self._inner.send(request)
        except BaseException as exc:
            self._broke(exc, broken)
            raise
        self._answered(response.status)
        return response

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[OpenResponse]:
        """Yield the answer while it arrives.

        Raises:
            ConnectionFailed: The server was not asked, since it keeps failing.
            ClientError: As the transport inside.
        """
        broken = self._let_through(request)
        try:
            async with self._inner.open(request) as response:
                # Noted at once: it may be read for hours, and a refusal is raised in the block.
                self._answered(response.status)
                yield response
        except BaseException as exc:
            self._broke(exc, broken)
            raise

    async def close(self) -> None:
        """Close the transport inside."""
        await self._inner.close()

    def _let_through(self, request: Request) -> int:
        """Return how often connections broke before this request."""
        wait = self._breaker.wait(self._clock.monotonic())
        if wait is not None:
            raise ConnectionFailed(
                f"the server failed repeatedly and is left alone for {wait.total_seconds():.0f} s",
                sent=False,
                method=request.method,
                path=request.path,
                advice="Check that the server runs; it is asked again by itself",
            )
        return self._breaker.broken

    def _broke(self, exc: BaseException, broken: int) -> None:
        if isinstance(exc, ConnectionFailed):
            self._breaker.lost(self._clock.monotonic(), broken=broken)
        elif isinstance(exc, RequestTimedOut):
            self._breaker.failed(self._clock.monotonic())
        else:
            # A cancellation or another error says nothing about the server.
            self._breaker.gave_up()

    def _answered(self, status: int) -> None:
        if status >= 500:
            self._breaker.failed(self._clock.monotonic())
        else:
            self._breaker.succeeded()
