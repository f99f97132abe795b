"""What a new owner of a SQLite file finds: the old one is dead, so its leases are over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.clock import FrozenClock
from orchestrator.errors import LeaseLost
from orchestrator.model.run import RunState
from orchestrator.store import Store, open_store
from tests.unit.store.making import (
    LEASE,
    NOON,
    RECEIPT,
    RULE,
    claim,
    commit,
    make_delivery,
    make_finding,
    must_claim,
)

Opener = Callable[[], AbstractAsyncContextManager[Store]]


@pytest.fixture
def start(tmp_path: Path) -> Opener:
    """Return what opens the same file again, at a time that stands still."""
    clock = FrozenClock(NOON + timedelta(hours=1))
    return lambda: open_store(tmp_path / "state.db", clock=clock)


async def test_running_window_may_be_taken_over_at_once(start: Opener) -> None:
    async with start() as store:
        left = await must_claim(store)
    async with start() as store:
        taken = await must_claim(store, owner="b")

        assert (taken.state, taken.owner) == (RunState.RUNNING, "b")
        assert (taken.attempt, taken.epoch) == (left.attempt + 1, left.epoch + 1)


async def test_the_dead_owner_of_a_taken_window_is_fenced(start: Opener) -> None:
    async with start() as store:
        left = await must_claim(store)
    async with start() as store:
        await must_claim(store, owner="b")

        with pytest.raises(LeaseLost):
            await store.commit(left, findings=[], entries=[], receipt=RECEIPT)


async def test_entry_that_was_being_sent_comes_back_as_maybe_sent(start: Opener) -> None:
    async with start() as store:
        await commit(store, await must_claim(store), make_finding(), receivers=("slack",))
        (left,) = await store.claim_entries(owner="a", lease=LEASE, limit=10)
    async with start() as store:
        (taken,) = await store.claim_entries(owner="b", lease=LEASE, limit=10)

        assert (left.maybe_sent, taken.maybe_sent) == (False, True)
        assert (taken.id, taken.attempts, taken.epoch) == (left.id, 2, left.epoch + 1)
        with pytest.raises(LeaseLost):
            await store.mark_sent(left, make_delivery(left))


async def test_finished_and_waiting_work_stays_as_it_was(start: Opener) -> None:
    async with start() as store:
        await commit(store, await must_claim(store), make_finding(), receivers=("slack", "jira"))
        sent, failed = await store.claim_entries(owner="a", lease=LEASE, limit=10)
        await store.mark_sent(sent, make_delivery(sent))
        at = NOON + timedelta(hours=2)
        await store.mark_failed(failed, make_delivery(failed), next_attempt_at=at)
        before = (await store.runs(), await store.entries())
    async with start() as store:
        assert (await store.runs(), await store.entries()) == before
        assert await claim(store) is None
        assert await store.claim_entries(owner="b", lease=LEASE, limit=10) == []


async def test_opening_for_reading_ends_no_lease(start: Opener, tmp_path: Path) -> None:
    """The owner may well be alive beside it."""
    clock = FrozenClock(NOON + timedelta(hours=1))
    async with start() as store:
        await must_claim(store)
        async with open_store(tmp_path / "state.db", clock=clock, read_only=True) as beside:
            (seen,) = await beside.runs(rule_id=RULE)

        assert seen.lease_until == clock.now() + LEASE
        assert await claim(store, owner="b") is None
