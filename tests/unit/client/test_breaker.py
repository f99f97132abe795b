"""The circuit breaker: when a failing server is left alone, and when it is asked again."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.client.cassettes.scripted import ScriptedTransport, Step, text_response
from orchestrator.client.http.breaker import Breaker, BreakerPolicy, GuardedTransport
from orchestrator.client.http.transport import OpenResponse, Request, Response
from orchestrator.clock import FrozenClock
from orchestrator.errors import (
    ClientError,
    ConnectionFailed,
    RequestTimedOut,
    ServerFailed,
    UnexpectedResponse,
)

REQUEST = Request(method="GET", path="x")
POLICY = BreakerPolicy(failures=3, shortest=timedelta(seconds=5), longest=timedelta(seconds=12))
REFUSED = ConnectionFailed("refused", sent=False)
SILENT = RequestTimedOut("silent")
BROKEN = text_response("broken", status=500)
FINE, MISSING = text_response("fine"), text_response("none", status=404)


def guarded(*steps: Step) -> tuple[GuardedTransport, ScriptedTransport, FrozenClock]:
    clock = FrozenClock(datetime(2026, 3, 10, tzinfo=UTC))
    inner = ScriptedTransport(*steps)
    return GuardedTransport(inner, clock=clock, breaker=Breaker(POLICY)), inner, clock


async def send(transport: GuardedTransport, count: int) -> list[str]:
    """Return what came of `count` requests: the status, or the error's problem."""
    found = []
    for _ in range(count):
        try:
            found.append(str((await transport.send(REQUEST)).status))
        except ClientError as exc:
            found.append(exc.problem)
    return found


async def test_server_that_keeps_failing_is_left_alone() -> None:
    transport, inner, _ = guarded(REFUSED, SILENT, BROKEN)

    outcomes = await send(transport, 5)

    assert outcomes[:3] == ["refused", "silent", "500"]
    assert outcomes[3:] == ["the server failed repeatedly and is left alone for 5 s"] * 2
    assert len(inner.requests) == 3


async def test_failures_that_are_not_in_a_row_do_not_count() -> None:
    transport, inner, _ = guarded(REFUSED, SILENT, FINE, REFUSED, SILENT, MISSING, REFUSED, FINE)

    await send(transport, 8)

    assert inner.left == 0


async def test_after_the_rest_one_request_probes() -> None:
    transport, inner, clock = guarded(REFUSED, REFUSED, REFUSED, FINE, FINE)
    await send(transport, 3)

    clock.advance(timedelta(seconds=5))

    assert await send(transport, 2) == ["200", "200"]
    assert inner.left == 0


async def test_each_failed_probe_doubles_the_rest_up_to_a_limit() -> None:
    transport, inner, clock = guarded(*[REFUSED] * 9)
    await send(transport, 3)

    rests = []
    for _ in range(3):
        clock.advance(timedelta(seconds=30))
        assert await send(transport, 1) == ["refused"]
        (told,) = await send(transport, 1)
        rests.append(told.rpartition("for ")[2])

    assert rests == ["10 s", "12 s", "12 s"]
    assert inner.left == 3


def test_while_a_probe_is_under_way_the_others_wait() -> None:
    breaker = Breaker(POLICY)
    for _ in range(3):
        breaker.failed(0.0)

    assert breaker.wait(6.0) is None
    assert breaker.wait(6.0) == timedelta(seconds=5)
    breaker.gave_up()
    assert breaker.wait(6.0) is None
    breaker.succeeded()
    assert breaker.wait(6.0) is None
    assert breaker.wait(6.0) is None


async def test_error_of_ours_says_nothing_about_the_server() -> None:
    ours = UnexpectedResponse("too large")
    transport, inner, _ = guarded(ours, ours, ours, ours, FINE)

    assert (await send(transport, 5))[-1] == "200"
    assert inner.left == 0


async def test_opened_answers_are_watched_too() -> None:
    transport, inner, _ = guarded(REFUSED, BROKEN, SILENT)
    for _ in range(3):
        try:
            async with transport.open(REQUEST) as response:
                # As a session does with what is no success.
                raise ServerFailed("broken", status=response.status)
        except ClientError:
            continue

    with pytest.raises(ConnectionFailed, match="left alone"):
        async with transport.open(REQUEST):
            pass
    assert len(inner.requests) == 3


async def test_answer_that_is_still_read_has_proved_that_the_server_is_there() -> None:
    transport, inner, clock = guarded(REFUSED, REFUSED, REFUSED, FINE, FINE)
    await send(transport, 3)
    clock.advance(timedelta(seconds=5))

    async with transport.open(REQUEST):
        assert await send(transport, 1) == ["200"]

    assert inner.left == 0


class Cut:
    """A transport whose connections all break at once, `times` in all, and then work."""

    def __init__(self, times: int) -> None:
        self.left, self.sent = times, 0
        self._event = asyncio.Event()
        self._waiting = 0

    async def send(self, request: Request) -> Response:
        self.sent += 1
        if not self.left:
            return FINE
        self._waiting += 1
        event = self._event
        if self._waiting == TOGETHER:
            self.left, self._waiting, self._event = self.left - 1, 0, asyncio.Event()
            event.set()
        await event.wait()
        raise ConnectionFailed("reset", sent=True)

    def open(self, request: Request) -> AbstractAsyncContextManager[OpenResponse]:
        raise NotImplementedError

    async def close(self) -> None:
        return None


TOGETHER = 90


async def test_connections_that_break_together_are_one_failure() -> None:
    inner = Cut(times=POLICY.failures - 1)
    transport = GuardedTransport(
        inner, clock=FrozenClock(datetime(2026, 3, 10, tzinfo=UTC)), breaker=Breaker(POLICY)
    )

    for _ in range(POLICY.failures - 1):
        broken = await asyncio.gather(*(send(transport, 1) for _ in range(TOGETHER)))
        assert broken == [["reset"]] * TOGETHER
    after = await asyncio.gather(*(send(transport, 1) for _ in range(TOGETHER)))

    assert after == [["200"]] * TOGETHER


async def test_connections_that_break_time_after_time_open_the_circuit() -> None:
    inner = Cut(times=POLICY.failures)
    transport = GuardedTransport(
        inner, clock=FrozenClock(datetime(2026, 3, 10, tzinfo=UTC)), breaker=Breaker(POLICY)
    )

    for _ in range(POLICY.failures):
        await asyncio.gather(*(send(transport, 1) for _ in range(TOGETHER)))
    (left_alone,) = await send(transport, 1)

    assert left_alone == "the server failed repeatedly and is left alone for 5 s"
    assert inner.sent == TOGETHER * POLICY.failures


async def test_answers_that_fail_together_are_as_many_failures() -> None:
    transport, inner, _ = guarded(*[BROKEN] * 3)

    await asyncio.gather(*(send(transport, 1) for _ in range(3)))

    assert await send(transport, 1) == ["the server failed repeatedly and is left alone for 5 s"]
    assert inner.left == 0
