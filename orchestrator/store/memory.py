"""The store in dictionaries: the same interface and outcomes, gone with the process.

For tests, trials and whoever wants the pipeline without a database. Values pass through the same
documents as in SQL, so that what comes back is what a database would give back. One event loop
only; nothing awaits inside a method, which makes each of them one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from orchestrator.clock import Clock
from orchestrator.ids import EntryId, FindingId, Fingerprint, RuleId, RunId, derive_run_id
from orchestrator.model.finding import Finding, FindingState
from orchestrator.model.notification import Delivery, DeliveryReason, DeliveryState, OutboxEntry
from orchestrator.model.run import Receipt, Run, RunState
from orchestrator.model.window import Window
from orchestrator.store import rows
from orchestrator.store.findings import ID_CHARS, check_revisions, refuse_several
from orchestrator.store.health import tiling_problems
from orchestrator.store.interface import StoreInfo
from orchestrator.store.outbox import failure_text, require_findings
from orchestrator.store.outbox import lease_lost as entry_lease_lost
from orchestrator.store.runs import lease_lost
from orchestrator.store.storable import storable
from orchestrator.units import from_epoch_ms, to_epoch_ms

T = TypeVar("T")

_WAITING = (DeliveryState.PENDING, DeliveryState.SENDING)


@dataclass(frozen=True, slots=True)
class _Message:
    """An entry and what its row holds besides."""

    entry: OutboxEntry
    reference: str = ""


class MemoryStore:
    """The store in dictionaries."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watermarks: dict[RuleId, datetime] = {}
        self._runs: dict[RunId, Run] = {}
        self._findings: dict[FindingId, str] = {}
        self._outbox: dict[EntryId, _Message] = {}
        self._deliveries: dict[EntryId, list[Delivery]] = {}

    async def watermark(self, rule_id: RuleId) -> datetime | None:
        """See `Store.watermark`."""
        return self._watermarks.get(rule_id)

    async def start_watermark(self, rule_id: RuleId, at: datetime) -> None:
        """See `Store.start_watermark`."""
        self._watermarks.setdefault(rule_id, _milliseconds(at))

    async def claim(
        self,
        rule_id: RuleId,
        window: Window,
        *,
        rule_version: str,
        owner: str,
        lease: timedelta,
    ) -> Run | None:
        """See `Store.claim`."""
        now = self._now()
        window = Window(_milliseconds(window.start), _milliseconds(window.end))
        if self._watermarks.setdefault(rule_id, window.start) != window.start:
            return None
        run_id = derive_run_id(
            rule_id, start_ms=to_epoch_ms(window.start), end_ms=to_epoch_ms(window.end)
        )
        for other in self._running(rule_id, except_id=run_id):
            if other.lease_until > now:
                return None
            reason = "the lease ended and another window took its place"
            self._runs[other.id] = replace(
                other, state=RunState.DUE, epoch=other.epoch + 1, reason=reason
            )
        before = self._runs.get(run_id)
        if before is not None and not _is_claimable(before, now=now):
            return None
        self._runs[run_id] = Run(
            id=run_id,
            rule_id=rule_id,
            rule_version=rule_version,
            window=window,
            state=RunState.RUNNING,
            attempt=before.attempt + 1 if before else 1,
            epoch=before.epoch + 1 if before else 1,
            owner=owner,
            lease_until=_milliseconds(now + lease),
        )
        return self._runs[run_id]

    def _running(self, rule_id: RuleId, *, except_id: RunId) -> list[Run]:
        return [
            run
            for run in self._runs.values()
            if run.rule_id == rule_id and run.state is RunState.RUNNING and run.id != except_id
        ]

    async def renew(self, run: Run, *, lease: timedelta) -> Run:
        """See `Store.renew`."""
        held = self._held(run)
        if held is None:
            raise lease_lost(run)
        self._runs[run.id] = replace(held, lease_until=_milliseconds(self._now() + lease))
        return self._runs[run.id]

    async def release(
        self, run: Run, *, reason: str, retry_at: datetime, count_attempt: bool = True
    ) -> None:
        """See `Store.release`."""
        held = self._held(run)
        if held is None:
            self._require_repeat(run, RunState.DUE)
            return
        self._runs[run.id] = replace(
            held,
            state=RunState.DUE,
            reason=storable(reason),
            retry_at=_milliseconds(retry_at),
            attempt=held.attempt if count_attempt else held.attempt - 1,
        )

    async def give_up(
        self,
        run: Run,
        *,
        reason: str,
        findings: Sequence[Finding] = (),
        entries: Sequence[OutboxEntry] = (),
    ) -> None:
        """See `Store.give_up`."""
        if not reason:
            raise ValueError("a gap needs a reason")
        ended = replace(run, state=RunState.GAP, reason=storable(reason))
        self._finish(ended, findings=findings, entries=entries)

    async def commit(
        self,
        run: Run,
        *,
        findings: Sequence[Finding],
        entries: Sequence[OutboxEntry],
        receipt: Receipt,
    ) -> None:
        """See `Store.commit`."""
        stored = rows.receipt_from_document(rows.receipt_to_document(receipt))
        ended = replace(run, state=RunState.DONE, receipt=stored)
        self._finish(ended, findings=findings, entries=entries)

    def _finish(
        self, ended: Run, *, findings: Sequence[Finding], entries: Sequence[OutboxEntry]
    ) -> None:
        held = self._held(ended)
        if held is None:
            self._require_repeat(ended, ended.state)
            return
        stored = {id_: rows.finding_from_document(text) for id_, text in self._findings.items()}
        check_revisions(findings, stored={id_: one.revision for id_, one in stored.items()})
        require_findings(entries, known=set(stored) | {finding.id for finding in findings})
        # Everything that can refuse has spoken: from here on nothing fails half way.
        self._runs[ended.id] = replace(
            held,
            state=ended.state,
            reason=ended.reason,
            receipt=ended.receipt,
            finished_at=_milliseconds(self._now()),
        )
        mark = max(self._watermarks[ended.rule_id], ended.window.end)
        self._watermarks[ended.rule_id] = mark
        for other in list(self._runs.values()):
            is_due = other.rule_id == ended.rule_id and other.state is RunState.DUE
            if is_due and other.window.end <= ended.window.end:
                del self._runs[other.id]
        for finding in findings:
            self._findings[finding.id] = rows.finding_to_document(finding)
        for entry in entries:
            row = rows.entry_to_row(entry)
            self._outbox.setdefault(entry.id, _Message(rows.entry_from_row(row)))

    def _held(self, run: Run) -> Run | None:
        held = self._runs.get(run.id)
        if held is None or held.epoch != run.epoch or held.state is not RunState.RUNNING:
            return None
        return held

    def _require_repeat(self, run: Run, state: RunState) -> None:
        held = self._runs.get(run.id)
        if held is None or held.epoch != run.epoch or held.state is not state:
            raise lease_lost(run)

    async def latest_findings(
        self, fingerprints: Sequence[Fingerprint]
    ) -> dict[Fingerprint, Finding]:
        """See `Store.latest_findings`."""
        wanted = set(fingerprints)
        found = [one for one in self._all_findings() if one.fingerprint in wanted]
        found.sort(key=lambda finding: finding.generation)
        return {finding.fingerprint: finding for finding in found}

    async def findings(
        self,
        *,
        state: FindingState | None = None,
        rule_id: RuleId | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[Finding]:
        """See `Store.findings`."""
        found = [
            one
            for one in self._all_findings()
            if (state is None or one.state is state)
            and (rule_id is None or one.rule_id == rule_id)
            and (since is None or one.last_seen >= since)
        ]
        found.sort(key=lambda finding: finding.id)
        found.sort(key=lambda finding: finding.last_seen, reverse=True)
        return found[:limit]

    async def finding(self, id_prefix: str) -> Finding | None:
        """See `Store.finding`."""
        document = _only(self._findings.items(), id_prefix, noun="findings")
        return None if document is None else rows.finding_from_document(document)

    def _all_findings(self) -> list[Finding]:
        return [rows.finding_from_document(text) for text in self._findings.values()]

    async def runs(self, *, rule_id: RuleId | None = None, limit: int = 100) -> list[Run]:
        """See `Store.runs`."""
        found = [run for run in self._runs.values() if rule_id is None or run.rule_id == rule_id]
        found.sort(key=lambda run: run.id)
        found.sort(key=lambda run: run.window.end, reverse=True)
        return found[:limit]

    async def claim_entries(self, *, owner: str, lease: timedelta, limit: int) -> list[OutboxEntry]:
        """See `Store.claim_entries`."""
        del owner  # Kept by databases for people; nothing here reads it.
        now = self._now()
        due = [
            message.entry
            for message in self._outbox.values()
            if message.entry.state in _WAITING
            and message.entry.next_attempt_at <= now
            and not self._is_blocked(message.entry)
        ]
        due.sort(key=lambda e: (e.next_attempt_at, e.created_at, e.notification.revision, e.id))
        until = _milliseconds(now + lease)
        taken = [
            replace(
                entry,
                state=DeliveryState.SENDING,
                epoch=entry.epoch + 1,
                attempts=entry.attempts + 1,
                maybe_sent=entry.maybe_sent or entry.state is DeliveryState.SENDING,
                next_attempt_at=until,
                lease_until=until,
            )
            for entry in due[:limit]
        ]
        for entry in taken:
            self._outbox[entry.id] = replace(self._outbox[entry.id], entry=entry)
        return sorted(taken, key=lambda e: (e.created_at, e.notification.revision, e.id))

    def _is_blocked(self, entry: OutboxEntry) -> bool:
        for message in self._outbox.values():
            other = message.entry
            same = (
                other.notification.finding_id == entry.notification.finding_id
                and other.receiver == entry.receiver
                and other.id != entry.id
            )
            is_earlier = (
                other.state is DeliveryState.PENDING
                and entry.state is DeliveryState.PENDING
                and other.notification.revision < entry.notification.revision
            )
            if same and (other.state is DeliveryState.SENDING or is_earlier):
                return True
        return False

    async def mark_sent(self, entry: OutboxEntry, delivery: Delivery) -> None:
        """See `Store.mark_sent`."""
        sent = replace(entry, state=DeliveryState.SENT, reason="", maybe_sent=False)
        self._record(sent, delivery, reference=storable(delivery.reference))

    async def mark_failed(
        self, entry: OutboxEntry, delivery: Delivery, *, next_attempt_at: datetime | None
    ) -> None:
        """See `Store.mark_failed`."""
        failed = replace(
            entry,
            state=DeliveryState.DEAD if next_attempt_at is None else DeliveryState.PENDING,
            reason=failure_text(delivery),
            maybe_sent=entry.maybe_sent or delivery.reason is DeliveryReason.UNCERTAIN,
            next_attempt_at=_milliseconds(next_attempt_at or self._now()),
        )
        self._record(failed, delivery)

    def _record(self, marked: OutboxEntry, delivery: Delivery, *, reference: str = "") -> None:
        held = self._outbox[marked.id].entry if marked.id in self._outbox else None
        if held is None or held.epoch != marked.epoch:
            raise entry_lease_lost(marked)
        if held.state is not DeliveryState.SENDING:
            if held.state is marked.state:
                return
            raise entry_lease_lost(marked)
        self._outbox[marked.id] = _Message(replace(marked, lease_until=None), reference)
        stored = rows.delivery_from_row(rows.delivery_to_row(delivery))
        self._deliveries.setdefault(marked.id, []).append(stored)

    async def release_entries(self, entries: Sequence[OutboxEntry]) -> None:
        """See `Store.release_entries`."""
        for entry in entries:
            held = self._outbox[entry.id].entry
            if held.epoch == entry.epoch and held.state is DeliveryState.SENDING:
                given_back = replace(
                    held,
                    state=DeliveryState.PENDING,
                    attempts=held.attempts - 1,
                    next_attempt_at=self._now(),
                    lease_until=None,
                )
                self._outbox[entry.id] = replace(self._outbox[entry.id], entry=given_back)

    async def reference(self, finding_id: FindingId, receiver: str) -> str:
        """See `Store.reference`."""
        sent = [
            message
            for message in self._outbox.values()
            if message.entry.state is DeliveryState.SENT
            and message.reference
            and message.entry.receiver == receiver
            and message.entry.notification.finding_id == finding_id
        ]
        latest = max(sent, key=lambda m: m.entry.notification.revision, default=None)
        return "" if latest is None else latest.reference

    async def entries(
        self,
        *,
        state: DeliveryState | None = None,
        receiver: str | None = None,
        limit: int = 100,
    ) -> list[OutboxEntry]:
        """See `Store.entries`."""
        found = [
            message.entry
            for message in self._outbox.values()
            if (state is None or message.entry.state is state)
            and (receiver is None or message.entry.receiver == receiver)
        ]
        found.sort(key=lambda entry: entry.id)
        found.sort(key=lambda e: (e.created_at, e.notification.revision), reverse=True)
        return found[:limit]

    async def entry(self, id_prefix: str) -> OutboxEntry | None:
        """See `Store.entry`."""
        message = _only(self._outbox.items(), id_prefix, noun="outbox entries")
        return None if message is None else message.entry

    async def retry_entries(self, ids: Sequence[EntryId] | None = None) -> int:
        """See `Store.retry_entries`."""
        chosen = [
            message
            for id_, message in self._outbox.items()
            if message.entry.state is DeliveryState.DEAD
            and (ids is None or any(_begins(id_, prefix) for prefix in ids))
        ]
        for message in chosen:
            entry = replace(
                message.entry,
                state=DeliveryState.PENDING,
                attempts=0,
                next_attempt_at=self._now(),
            )
            self._outbox[entry.id] = replace(message, entry=entry)
        return len(chosen)

    async def deliveries(self, entry_id: EntryId) -> list[Delivery]:
        """See `Store.deliveries`."""
        return list(self._deliveries.get(entry_id, ()))

    async def next_attempt_at(self) -> datetime | None:
        """See `Store.next_attempt_at`."""
        waiting = (m.entry for m in self._outbox.values() if m.entry.state in _WAITING)
        return min((entry.next_attempt_at for entry in waiting), default=None)

    async def check(self) -> list[str]:
        """See `Store.check`."""
        marks = {rule_id: to_epoch_ms(at) for rule_id, at in self._watermarks.items()}
        runs = sorted(self._runs.values(), key=lambda run: (run.rule_id, run.window))
        return tiling_problems(runs, watermarks_ms=marks)

    async def info(self) -> StoreInfo:
        """See `Store.info`."""
        states = [message.entry.state for message in self._outbox.values()]
        return StoreInfo(
            path="memory",
            schema="",
            engine="memory",
            runs=len(self._runs),
            findings=len(self._findings),
            entries_waiting=sum(state in _WAITING for state in states),
            entries_dead=states.count(DeliveryState.DEAD),
        )

    def _now(self) -> datetime:
        return _milliseconds(self._clock.now())


def _milliseconds(instant: datetime) -> datetime:
    """Return `instant` as a row holds it: UTC, whole milliseconds."""
    return from_epoch_ms(to_epoch_ms(instant))


def _is_claimable(run: Run, *, now: datetime) -> bool:
    if run.state is RunState.RUNNING:
        return run.lease_until <= now
    return run.state is RunState.DUE and (run.retry_at is None or run.retry_at <= now)


def _begins(id_: str, prefix: str) -> bool:
    return id_ == prefix if len(prefix) >= ID_CHARS else bool(prefix) and id_.startswith(prefix)


def _only(items: Iterable[tuple[str, T]], prefix: str, *, noun: str) -> T | None:
    """Return the one value whose id begins so, None for none; raises StoreError for several."""
    found = [value for id_, value in items if _begins(id_, prefix)]
    refuse_several(len(found), noun, prefix)
    return found[0] if found else None
