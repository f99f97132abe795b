"""The gate: lanes that do not wait for each other, queues in order, places that are never lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from orchestrator.client.http.limits import Gate, Lane

LONG, SHORT = timedelta(minutes=1), timedelta(milliseconds=1)


async def fill(gate: Gate, *lanes: Lane) -> None:
    for lane in lanes:
        for _ in range(gate.places[lane]):
            await gate.enter(lane, within=SHORT)


async def test_polls_do_not_wait_for_calls_and_uploads() -> None:
    gate = Gate()
    await fill(gate, Lane.CALL, Lane.BULK)

    await gate.enter(Lane.POLL, within=SHORT)

    assert (gate.taken(Lane.CALL), gate.taken(Lane.BULK)) == (16, 8)
    assert gate.taken(Lane.POLL) == 1


@pytest.mark.parametrize("lane", Lane)
async def test_lane_that_is_full_makes_the_next_wait_for_a_place(lane: Lane) -> None:
    gate = Gate({lane: 1})
    await fill(gate, lane)
    waiting = asyncio.create_task(gate.enter(lane, within=LONG))
    await asyncio.sleep(0)

    assert not waiting.done()
    gate.leave(lane)
    await waiting
    assert gate.taken(lane) == 1


async def test_places_are_given_in_the_order_of_the_queue() -> None:
    gate, came = Gate({Lane.CALL: 1}), []

    async def pass_through(number: int) -> None:
        await gate.enter(Lane.CALL, within=LONG)
        came.append(number)
        await asyncio.sleep(0)
        gate.leave(Lane.CALL)

    await asyncio.gather(*(pass_through(number) for number in range(9)))

    assert came == list(range(9))
    assert gate.taken(Lane.CALL) == 0


async def test_wait_that_is_too_long_ends_and_takes_no_place() -> None:
    gate = Gate({Lane.BULK: 1})
    await fill(gate, Lane.BULK)

    with pytest.raises(TimeoutError):
        await gate.enter(Lane.BULK, within=SHORT)

    gate.leave(Lane.BULK)
    await gate.enter(Lane.BULK, within=SHORT)
    assert gate.taken(Lane.BULK) == 1


async def test_caller_who_leaves_the_queue_takes_no_place() -> None:
    gate = Gate({Lane.POLL: 1})
    await fill(gate, Lane.POLL)
    first, second = (asyncio.create_task(gate.enter(Lane.POLL, within=LONG)) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()
    gate.leave(Lane.POLL)
    await second

    assert gate.taken(Lane.POLL) == 1


@pytest.mark.parametrize("count", [0, -1])
def test_lane_without_a_place_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="at least one place"):
        Gate({Lane.POLL: count})
