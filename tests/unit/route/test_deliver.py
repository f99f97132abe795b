from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.clock import FrozenClock
from orchestrator.errors import LeaseLost
from orchestrator.ids import EntryId, FindingId
from orchestrator.model.notification import (
    Delivery,
    DeliveryReason,
    DeliveryState,
    Notification,
    OutboxEntry,
)
from orchestrator.route.deliver import Deliverer, DeliveryReport, DeliverySettings
from orchestrator.route.sinks.base import Failed, Outcome, Sent
from tests.unit.route.making import NOW, make_entry


class Outbox:
    """A few entries in a dict, with the worker's six methods."""

    def __init__(self, *entries: OutboxEntry, clock: FrozenClock) -> None:
        self.clock = clock
        self.entries = {
            e.id: replace(e, state=DeliveryState.PENDING, attempts=e.attempts - 1) for e in entries
        }
        self.deliveries: list[Delivery] = []
        self.lost: set[EntryId] = set()

    async def claim_entries(
        self, *, owner: str, lease: timedelta, limit: int
    ) -> Sequence[OutboxEntry]:
        due = [
            e
            for e in self.entries.values()
            if e.state is DeliveryState.PENDING and e.next_attempt_at <= self.clock.now()
        ][:limit]
        for e in due:
            self.entries[e.id] = replace(
                e,
                state=DeliveryState.SENDING,
                attempts=e.attempts + 1,
                lease_until=self.clock.now() + lease,
            )
        return [self.entries[e.id] for e in due]

    async def mark_sent(self, entry: OutboxEntry, delivery: Delivery) -> None:
        self._record(entry, delivery, state=DeliveryState.SENT)

    async def mark_failed(
        self, entry: OutboxEntry, delivery: Delivery, *, next_attempt_at: datetime | None
    ) -> None:
        dead = next_attempt_at is None
        self._record(
            entry,
            delivery,
            state=DeliveryState.DEAD if dead else DeliveryState.PENDING,
            next_attempt_at=next_attempt_at or self.clock.now(),
            maybe_sent=entry.maybe_sent,
        )

    def _record(self, entry: OutboxEntry, delivery: Delivery, **changes: object) -> None:
        if entry.id in self.lost:
            raise LeaseLost("taken over")
        self.deliveries.append(delivery)
        self.entries[entry.id] = replace(self.entries[entry.id], **changes)  # type: ignore[arg-type]  # checked at run time

    async def release_entries(self, entries: Sequence[OutboxEntry]) -> None:
        for e in entries:
            self.entries[e.id] = replace(
                self.entries[e.id], state=DeliveryState.PENDING, attempts=e.attempts - 1
            )

    async def reference(self, finding_id: FindingId, receiver: str) -> str:
        return f"{receiver}:1"

    def states(self) -> list[DeliveryState]:
        return [e.state for e in self.entries.values()]


class Scripted:
    """A sink that answers from a list, then with success."""

    pace = timedelta(0)

    def __init__(self, *outcomes: Outcome | Exception, gate: asyncio.Event | None = None) -> None:
        self.outcomes, self.gate = list(outcomes), gate
        self.calls: list[tuple[EntryId, str, bool]] = []
        self.began = asyncio.Event()

    async def send(
        self, notification: Notification, *, entry_id: EntryId, reference: str, maybe_sent: bool
    ) -> Outcome:
        self.calls.append((entry_id, reference, maybe_sent))
        self.began.set()
        if self.gate is not None:
            await self.gate.wait()
        outcome = self.outcomes.pop(0) if self.outcomes else Sent("ref")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def check(self) -> str:
        return "scripted"

    async def close(self) -> None:
        pass


def make_worker(outbox: Outbox, *, deadline: float = 60.0, **sinks: Scripted) -> Deliverer:
    return Deliverer(
        outbox,
        {name.replace("_", "-"): sink for name, sink in sinks.items()},
        clock=outbox.clock,
        owner="test",
        settings=DeliverySettings(deadline=timedelta(seconds=deadline)),
        fraction=lambda: 1.0,
    )


async def test_due_entries_are_sent_and_recorded_with_the_reference() -> None:
    outbox = Outbox(make_entry(), clock=FrozenClock(NOW))

    report = await make_worker(outbox, on_call=Scripted(Sent("C1:9"))).deliver_due()

    assert report == DeliveryReport(sent=1)
    assert [(d.attempt, d.reason, d.reference) for d in outbox.deliveries] == [(1, None, "C1:9")]


async def test_only_an_update_carries_the_reference() -> None:
    first, second = make_entry(), make_entry(finding="b" * 32, revision=2)
    sink = Scripted()
    outbox = Outbox(first, second, clock=FrozenClock(NOW))

    await make_worker(outbox, on_call=sink).deliver_due()

    assert [reference for _, reference, _ in sink.calls] == ["", "on-call:1"]


async def test_a_failure_is_retried_when_it_is_due_again() -> None:
    outbox = Outbox(make_entry(), clock=FrozenClock(NOW))
    worker = make_worker(outbox, on_call=Scripted(Failed(DeliveryReason.UNREACHABLE, "refused")))

    first = await worker.deliver_due()
    outbox.clock.advance(timedelta(seconds=5))
    second = await worker.deliver_due()

    assert (first, second) == (DeliveryReport(retried=1), DeliveryReport(sent=1))
    assert [d.reason for d in outbox.deliveries] == [DeliveryReason.UNREACHABLE, None]


async def test_an_uncertain_end_is_remembered_for_the_next_attempt() -> None:
    outbox = Outbox(make_entry(), clock=FrozenClock(NOW))
    sink = Scripted(Failed(DeliveryReason.UNCERTAIN, "no answer"))
    worker = make_worker(outbox, on_call=sink)

    await worker.deliver_due()
    outbox.clock.advance(timedelta(seconds=5))
    await worker.deliver_due()

    assert [maybe_sent for _, _, maybe_sent in sink.calls] == [False, True]


async def test_a_send_beyond_the_deadline_is_uncertain() -> None:
    outbox = Outbox(make_entry(), clock=FrozenClock(NOW))

    await make_worker(outbox, deadline=0.02, on_call=Scripted(gate=asyncio.Event())).deliver_due()

    assert [d.reason for d in outbox.deliveries] == [DeliveryReason.UNCERTAIN]


async def test_a_sink_that_raises_is_uncertain_and_its_text_is_not_kept() -> None:
    outbox = Outbox(make_entry(), clock=FrozenClock(NOW))

    await make_worker(outbox, on_call=Scripted(RuntimeError("xoxb-canary"))).deliver_due()

    assert [(d.reason, d.detail) for d in outbox.deliveries] == [
        (DeliveryReason.UNCERTAIN, "the sink failed with RuntimeError")
    ]


async def test_a_hanging_destination_delays_no_other() -> None:
    slow = Scripted(gate=asyncio.Event())
    entries = [make_entry(receiver="slow"), *(make_entry(finding=f"{i:032x}") for i in range(5))]
    outbox = Outbox(*entries, clock=FrozenClock(NOW))
    stop = asyncio.Event()
    quick = Scripted()

    worker = make_worker(outbox, slow=slow, on_call=quick)
    running = asyncio.create_task(worker.run(stop))
    await slow.began.wait()
    while outbox.states().count(DeliveryState.SENT) < 5:  # noqa: ASYNC110 -- yields, never waits
        await asyncio.sleep(0)
    stop.set()
    assert slow.gate is not None
    slow.gate.set()

    assert await running == DeliveryReport(sent=6)


async def test_a_resting_destination_holds_the_rest_without_calling() -> None:
    entries = [make_entry(finding=f"{i:032x}") for i in range(3)]
    outbox = Outbox(*entries, clock=FrozenClock(NOW))
    sink = Scripted(Failed(DeliveryReason.RATE_LIMITED, "", timedelta(seconds=30)))
    worker = make_worker(outbox, on_call=sink)

    first = await worker.deliver_due()
    outbox.clock.advance(timedelta(seconds=31))
    second = await worker.deliver_due()

    assert first == DeliveryReport(retried=1, held=2)
    assert second == DeliveryReport(sent=3)
    assert len(sink.calls) == 4


async def test_poison_does_not_stop_those_behind_it() -> None:
    entries = [make_entry(finding=f"{i:032x}") for i in range(3)]
    outbox = Outbox(*entries, clock=FrozenClock(NOW))

    report = await make_worker(
        outbox, on_call=Scripted(Failed(DeliveryReason.REFUSED, "invalid_blocks"))
    ).deliver_due()

    assert report == DeliveryReport(sent=2, dead=1)


async def test_an_unknown_receiver_is_parked_with_the_reason() -> None:
    outbox = Outbox(make_entry(receiver="gone"), clock=FrozenClock(NOW))

    report = await make_worker(outbox).deliver_due()

    assert report == DeliveryReport(retried=1)
    assert outbox.deliveries[0].detail == "no receiver 'gone' is configured"


async def test_a_lost_lease_is_nobodys_failure() -> None:
    entry = make_entry()
    outbox = Outbox(entry, clock=FrozenClock(NOW))
    outbox.lost.add(entry.id)

    assert await make_worker(outbox, on_call=Scripted()).deliver_due() == DeliveryReport()


async def test_stop_finishes_the_send_in_hand_and_releases_the_rest() -> None:
    entries = [make_entry(finding=f"{i:032x}") for i in range(3)]
    outbox = Outbox(*entries, clock=FrozenClock(NOW))
    sink = Scripted(gate=asyncio.Event())
    stop = asyncio.Event()

    running = asyncio.create_task(make_worker(outbox, on_call=sink).run(stop))
    await sink.began.wait()
    stop.set()
    assert sink.gate is not None
    sink.gate.set()

    assert await running == DeliveryReport(sent=1, released=2)
    assert outbox.states() == [
        DeliveryState.SENT,
        DeliveryState.PENDING,
        DeliveryState.PENDING,
    ]
