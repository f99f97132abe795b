"""When a request is sent again, and after how long.

`RetryPolicy.delay` is a pure function; `call_with_retries` is the only user of the retry library.
These are the short retries inside one call (seconds). Long ones belong to the caller's own durable
state, so a server that asks for a longer pause than `cap` ends the call at once.
The list of what is retried is positive: a cancellation or a fault of ours is never caught.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState

from orchestrator.clock import Clock
from orchestrator.errors import (
    ClientError,
    ConnectionFailed,
    RateLimited,
    RequestTimedOut,
    ServerFailed,
)
from orchestrator.units import from_epoch_ms

T = TypeVar("T")
_JITTER = 0.1
# Values of the gateway's header above this are milliseconds, below it seconds: clients in the
# field read seconds, the vendor's description says milliseconds.
_LARGEST_EPOCH_S = 10**11
# What is longer is no time; thousands of digits are not even a number that is read.
_DIGITS, _EPOCH_DIGITS = 9, 18


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long; the defaults stay under ten seconds in all."""

    attempts: int = 3
    """Sends in all, at least 1."""
    base: timedelta = timedelta(milliseconds=500)
    """Upper bound of the first pause; doubles with each attempt."""
    cap: timedelta = timedelta(seconds=5)
    """Longest pause; a longer one asked for by the server stops the call."""
    repeats_late: bool = True
    """Whether an answer that stayed out is asked for again. Never done for an upload or an answer
    that is read as it arrives: what takes long is not begun anew because it took long."""

    def delay(
        self, attempt: int, error: ClientError, *, idempotent: bool, jitter: float
    ) -> timedelta | None:
        """Return the pause before the next attempt, or None to stop.

        Args:
            attempt: Sends so far, from 1.
            error: What the last send raised.
            idempotent: Whether a second send does no harm.
            jitter: From 0 (inclusive) to 1, from the caller's source of randomness.
        """
        if attempt >= self.attempts or not _may_repeat(error, idempotent=idempotent):
            return None
        if isinstance(error, RequestTimedOut) and not self.repeats_late:
            return None
        if isinstance(error, RateLimited) and error.retry_after is not None:
            asked = max(timedelta(0), error.retry_after)
            if asked > self.cap:
                return None
            return timedelta(seconds=asked.total_seconds() * (1 + _JITTER * jitter))
        ceiling = min(self.cap, self.base * int(2 ** (attempt - 1)))
        # Between half and all of the ceiling: spread, and never an instant storm.
        return ceiling * (0.5 + 0.5 * jitter)


NO_RETRIES = RetryPolicy(attempts=1)


def _may_repeat(error: ClientError, *, idempotent: bool) -> bool:
    match error:
        case RateLimited():
            return True
        case ServerFailed(status=503):
            # Refused before any work: ingest back-pressure, a node that starts.
            return True
        case ConnectionFailed(sent=False):
            return True
        case ConnectionFailed() | RequestTimedOut() | ServerFailed():
            return idempotent
        case _:
            return False


def parse_retry_after(headers: Mapping[str, str], *, now: datetime) -> timedelta | None:
    """Return how long the server asks to wait, or None if it does not say or says nonsense.

    Reads `retry-after` (whole seconds or an HTTP date) and the Falcon gateway's
    `x-ratelimit-retryafter` (an instant as epoch seconds or milliseconds). Never negative.
    """
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return timedelta(seconds=int(text) if len(text) < _DIGITS else 10**_DIGITS)
    until: datetime | None = None
    if text:
        until = parse_http_date(text)
    elif (epoch := headers.get("x-ratelimit-retryafter", "").strip()).isdecimal():
        number = int(epoch[:_EPOCH_DIGITS])
        until = _instant(number if number > _LARGEST_EPOCH_S else number * 1000)
    return None if until is None else max(timedelta(0), until - now)


def parse_http_date(text: str) -> datetime | None:
    """Return the aware instant of a date in a header, None for anything else."""
    try:
        parsed = parsedate_to_datetime(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _instant(epoch_ms: int) -> datetime | None:
    try:
        return from_epoch_ms(epoch_ms)
    except ValueError:
        return None


async def call_with_retries(
    call: Callable[[], Awaitable[T]],
    *,
    policy: RetryPolicy,
    idempotent: bool,
    clock: Clock,
    jitter: Callable[[], float],
    within: timedelta | None = None,
) -> T:
    """Return what `call` returns, calling it again as `policy` allows, and not after `within`.

    Pauses run on `clock`. The last error is raised as it is, a cancellation at once.

    Raises:
        ClientError: The last attempt's.
    """
    began = clock.monotonic()
    try:
        return await call()
    except ClientError as exc:
        failed: ClientError | None = exc
    pause = timedelta(0)

    def is_late(delay: timedelta) -> bool:
        return within is not None and timedelta(seconds=clock.monotonic() - began) + delay >= within

    def may_repeat(state: RetryCallState) -> bool:
        nonlocal pause
        error = state.outcome.exception() if state.outcome is not None else None
        if not isinstance(error, ClientError):
            return False
        delay = policy.delay(state.attempt_number, error, idempotent=idempotent, jitter=jitter())
        if delay is None or is_late(delay):
            return False
        pause = delay
        return True

    async def attempt() -> T:
        # The library sees failures alone: its round costs more than all else between a call that
        # succeeds, as nearly all do, and the wire.
        nonlocal failed
        if failed is not None:
            first, failed = failed, None
            raise first
        return await call()

    async def sleep(seconds: float) -> None:
        await clock.sleep(timedelta(seconds=seconds))

    retrying = AsyncRetrying(
        retry=may_repeat, wait=lambda _: pause.total_seconds(), sleep=sleep, reraise=True
    )
    return await retrying(attempt)
