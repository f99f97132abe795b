"""The retry table, and the one driver of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.client.http.retry import RetryPolicy, call_with_retries, parse_retry_after
from orchestrator.clock import FrozenClock
from orchestrator.errors import (
    ClientError,
    ConnectionFailed,
    Forbidden,
    GraphqlError,
    NotFound,
    QueryIncomplete,
    RateLimited,
    RequestRejected,
    RequestTimedOut,
    ServerFailed,
    Unauthorized,
    UnexpectedResponse,
)

NOW = datetime(2026, 3, 10, tzinfo=UTC)
UNSENT, SENT = ConnectionFailed("x", sent=False), ConnectionFailed("x", sent=True)
BUSY = ServerFailed("x", status=503)
HALF = timedelta(milliseconds=250)


@pytest.mark.parametrize(
    ("error", "idempotent", "other"),
    [
        (UNSENT, HALF, HALF),
        (SENT, HALF, None),
        (RequestTimedOut("x"), HALF, None),
        (ServerFailed("x", status=500), HALF, None),
        (ServerFailed("x", status=502), HALF, None),
        (BUSY, HALF, HALF),
        (RateLimited("x"), HALF, HALF),
        (
            RateLimited("x", retry_after=timedelta(seconds=2)),
            timedelta(seconds=2),
            timedelta(seconds=2),
        ),
        (RateLimited("x", retry_after=timedelta(minutes=5)), None, None),
        (Unauthorized("x"), None, None),
        (Forbidden("x"), None, None),
        (NotFound("x"), None, None),
        (RequestRejected("x"), None, None),
        (UnexpectedResponse("x"), None, None),
        (GraphqlError("x"), None, None),
        (QueryIncomplete(("x",)), None, None),
    ],
)
def test_delay_by_error_and_idempotency(
    error: ClientError, idempotent: timedelta | None, other: timedelta | None
) -> None:
    policy = RetryPolicy()

    assert policy.delay(1, error, idempotent=True, jitter=0.0) == idempotent
    assert policy.delay(1, error, idempotent=False, jitter=0.0) == other


def test_delay_doubles_up_to_the_cap_and_stops_after_the_last_attempt() -> None:
    policy = RetryPolicy(attempts=6)
    delays = [policy.delay(n, BUSY, idempotent=True, jitter=1.0) for n in range(1, 7)]

    assert delays == [
        *(timedelta(seconds=count) for count in (0.5, 1, 2, 4, 5)),
        None,
    ]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, timedelta(seconds=7)),
        ({"retry-after": "Tue, 10 Mar 2026 00:00:09 GMT"}, timedelta(seconds=9)),
        ({"retry-after": "Mon, 09 Mar 2026 00:00:00 GMT"}, timedelta(0)),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"x-ratelimit-retryafter": "1773100805"}, timedelta(seconds=5)),
        ({"x-ratelimit-retryafter": "1773100805000"}, timedelta(seconds=5)),
        ({"x-ratelimit-retryafter": "9" * 30}, None),
        ({}, None),
    ],
)
def test_parse_retry_after(headers: dict[str, str], expected: timedelta | None) -> None:
    assert parse_retry_after(headers, now=NOW) == expected


def test_delay_of_an_answer_that_stayed_out_may_be_none() -> None:
    impatient = RetryPolicy(repeats_late=False)

    delays = [
        impatient.delay(1, error, idempotent=True, jitter=0.0)
        for error in (RequestTimedOut("x"), BUSY, SENT)
    ]

    assert delays == [None, HALF, HALF]


async def call(
    *errors: BaseException,
    idempotent: bool = True,
    attempts: int = 3,
    within: timedelta | None = None,
) -> tuple[str, FrozenClock, int]:
    clock, left, calls = FrozenClock(NOW), list(errors), 0

    async def once() -> str:
        nonlocal calls
        calls += 1
        if left:
            raise left.pop(0)
        return "answer"

    answer = await call_with_retries(
        once,
        policy=RetryPolicy(attempts=attempts),
        idempotent=idempotent,
        clock=clock,
        jitter=lambda: 0.0,
        within=within,
    )
    return answer, clock, calls


async def test_call_after_two_failures_returns_the_answer_and_slept_between() -> None:
    answer, clock, calls = await call(BUSY, UNSENT)

    assert (answer, calls) == ("answer", 3)
    assert clock.monotonic() == pytest.approx(0.25 + 0.5)


async def test_call_raises_the_last_error_itself() -> None:
    last = ServerFailed("third", status=500)

    with pytest.raises(ServerFailed) as caught:
        await call(BUSY, BUSY, last)

    assert caught.value is last


async def test_call_is_not_repeated_once_its_time_is_over() -> None:
    _, clock, calls = await call(BUSY, BUSY, within=timedelta(seconds=0.76))

    assert clock.monotonic() == pytest.approx(0.75)
    assert calls == 3
    with pytest.raises(ServerFailed):
        await call(BUSY, BUSY, within=timedelta(seconds=0.75))


async def test_call_that_is_not_idempotent_is_not_repeated_when_uncertain() -> None:
    with pytest.raises(ConnectionFailed):
        await call(SENT, idempotent=False)


@pytest.mark.parametrize("error", [ValueError("ours"), asyncio.CancelledError()])
async def test_call_never_repeats_what_is_not_listed(error: BaseException) -> None:
    with pytest.raises(type(error)):
        await call(error)


async def test_call_cancelled_while_it_waits_ends_at_once() -> None:
    entered = asyncio.Event()

    async def hang() -> str:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.create_task(
        call_with_retries(
            hang,
            policy=RetryPolicy(),
            idempotent=True,
            clock=FrozenClock(NOW),
            jitter=lambda: 0.0,
        )
    )
    await entered.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
