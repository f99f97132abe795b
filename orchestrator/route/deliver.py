"""The worker that empties the outbox: claim, send, record.

Each receiver has a lane of its own: one message at a time, its own pace, its own rest after a
failure. A lane that hangs or rests holds up no other. A send that ends without an answer is
recorded as uncertain, and the sink looks before it sends again. Nothing is sent on a claim that
could end before the send does.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from orchestrator import killpoints
from orchestrator.clock import Clock
from orchestrator.errors import LeaseLost, StoreError
from orchestrator.model.notification import Delivery, DeliveryReason, NotificationKind, OutboxEntry
from orchestrator.route.outbox import (
    DEFAULT_POLICY,
    RetryPolicy,
    closes_lane,
    lease_suffices,
    next_attempt,
)
from orchestrator.route.ports import OutboxStore
from orchestrator.route.sinks.base import Failed, Outcome, Sent, Sink, detail

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """How the worker paces itself."""

    deadline: timedelta = timedelta(seconds=60)
    """Longest a send may take as a whole, reconciliation included."""
    lease: timedelta = timedelta(minutes=5)
    """How long a crashed worker blocks what it had claimed; several deadlines."""
    margin: timedelta = timedelta(seconds=5)
    """A send starts only if its claim outlives the deadline by this."""
    batch: int = 100
    """Most entries claimed at once."""
    poll: timedelta = timedelta(seconds=2)
    """How often an idle worker looks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """What one round did, in entries."""

    sent: int = 0
    retried: int = 0
    """Failed and to be tried again."""
    dead: int = 0
    held: int = 0
    """Not tried, because their receiver rests after a failure."""
    released: int = 0
    """Given back untried: the worker stops, or the claim was too short."""

    def __add__(self, other: DeliveryReport) -> DeliveryReport:
        return DeliveryReport(
            sent=self.sent + other.sent,
            retried=self.retried + other.retried,
            dead=self.dead + other.dead,
            held=self.held + other.held,
            released=self.released + other.released,
        )


@dataclass(slots=True)
class _Lane:
    """What is remembered of one receiver."""

    failures: int = 0
    """In a row, of the kind that speaks of the whole destination."""
    opens_at: datetime | None = None
    reason: DeliveryReason = DeliveryReason.UNREACHABLE
    last_sent: float | None = None
    """Monotonic seconds."""


class Deliverer:
    """Works off the outbox of one store for a set of receivers.

    Args:
        sinks: Receiver name to its sink.
        owner: Who holds the claims: host, process and a random part.
        fraction: Returns a random number in [0, 1) for the jitter.
    """

    def __init__(
        self,
        store: OutboxStore,
        sinks: Mapping[str, Sink],
        *,
        clock: Clock,
        owner: str,
        settings: DeliverySettings | None = None,
        policy: RetryPolicy = DEFAULT_POLICY,
        fraction: Callable[[], float] = random.random,
    ) -> None:
        self._store, self._sinks, self._clock, self._owner = store, dict(sinks), clock, owner
        self._settings = settings or DeliverySettings()
        self._policy, self._fraction = policy, fraction
        self._lanes: dict[str, _Lane] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Make an idle `run` look at once: something was committed."""
        self._wake.set()

    async def deliver_due(self) -> DeliveryReport:
        """Send what is due now and return when nothing more can go now.

        Raises:
            StoreError: The outbox cannot be read or written.
        """
        return await self._work(asyncio.Event(), until_idle=True)

    async def run(self, stop: asyncio.Event) -> DeliveryReport:
        """Deliver until `stop` is set; then claim nothing, finish sends in hand, release the rest.

        A store that fails is reported in the log and asked again: what was sent and could not be
        recorded comes back once its claim has ended, marked as maybe sent.
        """
        total = DeliveryReport()
        while not stop.is_set():
            try:
                total += await self._work(stop, until_idle=False)
            except StoreError as exc:
                logger.warning("delivery.store_failed", extra={"reason": str(exc)})
                await self._idle({}, stop)
        return total

    async def _work(self, stop: asyncio.Event, *, until_idle: bool) -> DeliveryReport:
        total = DeliveryReport()
        busy: dict[str, asyncio.Task[DeliveryReport]] = {}
        try:
            while True:
                claimed: Sequence[OutboxEntry] = ()
                if not stop.is_set():
                    claimed = await self._claim()
                for receiver, entries in _by_receiver(claimed).items():
                    work = self._drive(receiver, entries, after=busy.get(receiver), stop=stop)
                    busy[receiver] = asyncio.create_task(work)
                if not busy and (until_idle or stop.is_set()):
                    return total
                if until_idle and busy:
                    await asyncio.wait(busy.values(), return_when=asyncio.FIRST_COMPLETED)
                elif not claimed:
                    await self._idle(busy, stop)
                for receiver in [name for name, task in busy.items() if task.done()]:
                    total += busy.pop(receiver).result()
        finally:
            # Only after an error or a cancellation: what is cut off here stays claimed, and is
            # maybe sent for whoever takes it over.
            await _abandon(busy.values())

    async def _claim(self) -> Sequence[OutboxEntry]:
        settings = self._settings
        entries = await self._store.claim_entries(
            owner=self._owner, lease=settings.lease, limit=settings.batch
        )
        if entries:
            killpoints.reach("after-outbox-claim")
        return entries

    async def _idle(
        self, busy: Mapping[str, asyncio.Task[DeliveryReport]], stop: asyncio.Event
    ) -> None:
        """Wait for a lane to end, a wake-up, a stop or the next look."""
        self._wake.clear()
        waits: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._wake.wait()),
            asyncio.create_task(self._clock.sleep(self._settings.poll)),
        ]
        if not stop.is_set():
            waits.append(asyncio.create_task(stop.wait()))
        try:
            await asyncio.wait([*waits, *busy.values()], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _abandon(waits)

    async def _drive(
        self,
        receiver: str,
        entries: Sequence[OutboxEntry],
        *,
        after: asyncio.Task[DeliveryReport] | None,
        stop: asyncio.Event,
    ) -> DeliveryReport:
        """Send `entries` to one receiver in order, once `after`, its earlier batch, has ended."""
        report = await after if after is not None else DeliveryReport()
        lane = self._lanes.setdefault(receiver, _Lane())
        sink = self._sinks.get(receiver)
        for position, entry in enumerate(entries):
            now = self._clock.now()
            if lane.opens_at is not None and now < lane.opens_at:
                report += await self._hold(lane, entries[position:])
                break
            if sink is not None:
                await self._keep_pace(lane, sink)
            needed = self._settings.deadline + self._settings.margin
            if stop.is_set() or not lease_suffices(entry, now=self._clock.now(), needed=needed):
                rest = entries[position:]
                await self._store.release_entries(rest)
                report += DeliveryReport(released=len(rest))
                break
            outcome = await self._attempt(sink, entry)
            lane.last_sent = self._clock.monotonic()
            killpoints.reach("after-send")
            report += await self._record(lane, entry, outcome)
            killpoints.reach("after-mark")
        return report

    async def _keep_pace(self, lane: _Lane, sink: Sink) -> None:
        if lane.last_sent is not None and sink.pace > timedelta(0):
            since = timedelta(seconds=self._clock.monotonic() - lane.last_sent)
            if since < sink.pace:
                await self._clock.sleep(sink.pace - since)

    async def _attempt(self, sink: Sink | None, entry: OutboxEntry) -> Outcome:
        if sink is None:
            return Failed(
                DeliveryReason.MISCONFIGURED, f"no receiver {entry.receiver!r} is configured"
            )
        notification = entry.notification
        reference = ""
        if notification.kind is NotificationKind.UPDATED:
            reference = await self._store.reference(notification.finding_id, entry.receiver)
        try:
            async with asyncio.timeout(self._settings.deadline.total_seconds()):
                return await sink.send(
                    notification,
                    entry_id=entry.id,
                    reference=reference,
                    maybe_sent=entry.maybe_sent,
                )
        except TimeoutError:
            return Failed(DeliveryReason.UNCERTAIN, "no answer within the deadline")
        # The outer edge of the worker: one sink's defect must not stop the others. Its text may
        # hold anything, so only the kind is kept.
        except Exception as exc:  # noqa: BLE001
            return Failed(DeliveryReason.UNCERTAIN, f"the sink failed with {type(exc).__name__}")

    async def _record(self, lane: _Lane, entry: OutboxEntry, outcome: Outcome) -> DeliveryReport:
        now = self._clock.now()
        delivery = Delivery(entry_id=entry.id, attempt=entry.attempts, at=now, reason=None)
        extra: dict[str, object] = {
            "entry_id": entry.id,
            "finding_id": entry.notification.finding_id,
            "receiver": entry.receiver,
        }
        try:
            if isinstance(outcome, Sent):
                lane.failures, lane.opens_at = 0, None
                await self._store.mark_sent(entry, replace(delivery, reference=outcome.reference))
                logger.info("delivery.sent", extra=extra)
                return DeliveryReport(sent=1)
            at = next_attempt(
                entry.attempts,
                outcome.reason,
                outcome.retry_in,
                now,
                fraction=self._fraction(),
                created_at=entry.created_at,
                policy=self._policy,
            )
            self._rest(lane, outcome, now=now)
            failed = replace(delivery, reason=outcome.reason, detail=detail(outcome.detail))
            uncertain = entry.maybe_sent or outcome.reason is DeliveryReason.UNCERTAIN
            await self._store.mark_failed(
                replace(entry, maybe_sent=uncertain), failed, next_attempt_at=at
            )
            extra |= {"reason": outcome.reason.value, "detail": failed.detail}
            logger.warning("delivery.dead" if at is None else "delivery.failed", extra=extra)
            return DeliveryReport(dead=1) if at is None else DeliveryReport(retried=1)
        except LeaseLost:
            logger.warning("delivery.lease_lost", extra=extra)
            return DeliveryReport()

    def _rest(self, lane: _Lane, outcome: Failed, *, now: datetime) -> None:
        """Close the lane for a while if the failure speaks of the whole destination."""
        if not closes_lane(outcome.reason):
            return
        lane.failures, lane.reason = lane.failures + 1, outcome.reason
        at = next_attempt(
            # The lane never gives up, whatever the entry does.
            min(lane.failures, self._policy.max_attempts - 1),
            outcome.reason,
            # A wait that a sink asks for after an uncertain send concerns that one message.
            None if outcome.reason is DeliveryReason.UNCERTAIN else outcome.retry_in,
            now,
            fraction=self._fraction(),
            policy=self._policy,
        )
        lane.opens_at = at

    async def _hold(self, lane: _Lane, entries: Sequence[OutboxEntry]) -> DeliveryReport:
        """Put entries off until their lane opens, so that they do not crowd out other receivers."""
        for entry in entries:
            delivery = Delivery(
                entry_id=entry.id,
                attempt=entry.attempts,
                at=self._clock.now(),
                reason=lane.reason,
                detail="not tried: the receiver rests after a failure",
            )
            try:
                await self._store.mark_failed(entry, delivery, next_attempt_at=lane.opens_at)
            except LeaseLost:
                logger.warning("delivery.lease_lost", extra={"entry_id": entry.id})
        return DeliveryReport(held=len(entries))


def _by_receiver(entries: Sequence[OutboxEntry]) -> dict[str, list[OutboxEntry]]:
    grouped: dict[str, list[OutboxEntry]] = {}
    for entry in entries:
        grouped.setdefault(entry.receiver, []).append(entry)
    return grouped


async def _abandon(tasks: Iterable[asyncio.Task[Any]]) -> None:
    pending = list(tasks)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
