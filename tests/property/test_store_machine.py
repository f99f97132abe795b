"""Random interleavings of claim, crash, stall, commit and delivery against a model of the books.

The model knows who holds what. Whatever the order: no window is lost or done twice, the watermark
only moves forward, a fenced zombie writes nothing, and a message exists only with its finding.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.clock import FrozenClock
from orchestrator.errors import LeaseLost
from orchestrator.ids import EntryId
from orchestrator.model.finding import Finding
from orchestrator.model.notification import DeliveryReason, DeliveryState, OutboxEntry
from orchestrator.model.run import Run, RunState
from orchestrator.store import MemoryStore, Store, open_store
from tests.unit.store.making import (
    LEASE,
    NOON,
    RECEIPT,
    RULE,
    claim,
    make_delivery,
    make_entry,
    make_finding,
    window,
)

T = TypeVar("T")

WORKERS = st.sampled_from(["a", "b", "c"])
KEYS = st.lists(st.sampled_from(["ci-1", "ci-2", "ci-3"]), unique=True)


@dataclass
class Claimed:
    """The one claim that counts, as the model sees it."""

    epoch: int
    until: datetime


class StoreMachine(RuleBasedStateMachine):
    """Three workers of one rule over one store."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.clock = FrozenClock(NOON)
        self.store = self.wait(self.open())
        self.next = 0
        self.epochs = 0
        self.holder: Claimed | None = None
        self.retry_at: datetime | None = None
        self.finished: list[RunState] = []
        self.runs: dict[str, Run] = {}
        self.found: dict[str, Finding] = {}
        self.told: set[EntryId] = set()
        self.sending: dict[EntryId, OutboxEntry] = {}
        self.unsure: set[EntryId] = set()
        self.wait(self.store.start_watermark(RULE, window(0).start))

    async def open(self) -> Store:
        return MemoryStore(self.clock)

    def wait(self, work: Awaitable[T]) -> T:
        async def run() -> T:
            return await work

        return self.loop.run(run())

    def teardown(self) -> None:
        self.wait(self.stack.aclose())
        self.loop.close()

    @rule(worker=WORKERS, offset=st.sampled_from([0, 0, 0, -1, 1]))
    def claims(self, worker: str, offset: int) -> None:
        run = self.wait(claim(self.store, self.next + offset, owner=worker))
        now = self.clock.now()
        is_free = self.holder is None or self.holder.until <= now
        is_due = self.retry_at is None or self.retry_at <= now
        assert (run is not None) == (offset == 0 and is_free and is_due)
        if run is not None:
            self.epochs += 1
            assert run.epoch == self.epochs
            self.holder, self.retry_at = Claimed(run.epoch, now + LEASE), None
            self.runs[worker] = run

    @rule(worker=WORKERS)
    def crashes(self, worker: str) -> None:
        self.runs.pop(worker, None)

    @rule(seconds=st.integers(1, 90))
    def advances(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    def owns(self, run: Run) -> bool:
        same = self.holder is not None and self.holder.epoch == run.epoch
        return same and run.window == window(self.next)

    @rule(worker=WORKERS)
    def renews(self, worker: str) -> None:
        run = self.runs.get(worker)
        if run is None:
            return
        if not self.owns(run):
            with pytest.raises(LeaseLost):
                self.wait(self.store.renew(run, lease=LEASE))
            return
        self.wait(self.store.renew(run, lease=LEASE))
        self.holder = Claimed(run.epoch, self.clock.now() + LEASE)

    @rule(worker=WORKERS, seconds=st.integers(0, 60))
    def releases(self, worker: str, seconds: int) -> None:
        run = self.runs.pop(worker, None)
        if run is None:
            return
        retry_at = self.clock.now() + timedelta(seconds=seconds)
        work = self.store.release(run, reason="away", retry_at=retry_at)
        if not self.owns(run):
            with pytest.raises(LeaseLost):
                self.wait(work)
            return
        self.wait(work)
        self.holder, self.retry_at = None, retry_at

    def judged(self, keys: list[str]) -> tuple[list[Finding], list[OutboxEntry]]:
        findings = []
        for key in keys:
            before = self.found.get(key)
            revision = before.revision + 1 if before else 1
            findings.append(make_finding(key, revision=revision, event_count=revision))
        return findings, [make_entry(finding) for finding in findings]

    @rule(worker=WORKERS, keys=KEYS, is_gap=st.booleans(), again=st.booleans())
    def finishes(self, worker: str, keys: list[str], is_gap: bool, again: bool) -> None:
        run = self.runs.pop(worker, None)
        if run is None:
            return
        findings, entries = self.judged(keys)

        async def finish() -> None:
            if is_gap:
                await self.store.give_up(run, reason="cut", findings=findings, entries=entries)
            else:
                await self.store.commit(run, findings=findings, entries=entries, receipt=RECEIPT)

        if not self.owns(run):
            with pytest.raises(LeaseLost):
                self.wait(finish())
            return
        for _ in range(1 + again):
            self.wait(finish())
        self.finished.append(RunState.GAP if is_gap else RunState.DONE)
        self.found.update(zip(keys, findings, strict=True))
        self.told.update(entry.id for entry in entries)
        self.next, self.epochs, self.holder, self.retry_at = self.next + 1, 0, None, None

    @rule(limit=st.integers(1, 4))
    def takes_entries(self, limit: int) -> None:
        now = self.clock.now()
        out = {
            entry.notification.finding_id
            for entry in self.sending.values()
            if entry.lease_until is not None and entry.lease_until > now
        }
        taken = self.wait(self.store.claim_entries(owner="a", lease=LEASE, limit=limit))
        findings = [entry.notification.finding_id for entry in taken]
        assert len(taken) <= limit
        assert len(set(findings)) == len(findings)
        assert not out & set(findings)
        for entry in taken:
            if entry.id in self.sending:
                # Nobody knows what became of the last try, nor will a later failure tell.
                self.unsure.add(entry.id)
            assert entry.maybe_sent == (entry.id in self.unsure)
            self.sending[entry.id] = entry

    @rule(is_sent=st.booleans())
    def records_one(self, is_sent: bool) -> None:
        if not self.sending:
            return
        entry = self.sending.pop(min(self.sending))
        if is_sent:
            self.wait(self.store.mark_sent(entry, make_delivery(entry)))
        else:
            failed = make_delivery(entry, reason=DeliveryReason.SERVER_FAILED)
            work = self.store.mark_failed(entry, failed, next_attempt_at=self.clock.now())
            self.wait(work)

    @invariant()
    def books_agree_with_the_model(self) -> None:
        assert self.wait(self.store.watermark(RULE)) == window(self.next).start
        runs = self.wait(self.store.runs(limit=1_000))
        ended = [run for run in reversed(runs) if run.state in (RunState.DONE, RunState.GAP)]
        assert [run.state for run in ended] == self.finished
        assert [run.window for run in ended] == [window(index) for index in range(self.next)]
        assert self.wait(self.store.check()) == []

    @invariant()
    def messages_have_their_findings(self) -> None:
        findings = self.wait(self.store.findings(limit=1_000))
        entries = self.wait(self.store.entries(limit=1_000))
        assert {f.id: f for f in findings} == {f.id: f for f in self.found.values()}
        assert {entry.id for entry in entries} == self.told
        assert {entry.notification.finding_id for entry in entries} <= {f.id for f in findings}
        sending = {e.id for e in entries if e.state is DeliveryState.SENDING}
        assert sending == set(self.sending)


class FileStoreMachine(StoreMachine):
    """The same over SQLite."""

    async def open(self) -> Store:
        folder = Path(tempfile.mkdtemp(prefix="store-machine-"))
        self.stack.callback(shutil.rmtree, folder)
        return await self.stack.enter_async_context(
            open_store(folder / "state.db", clock=self.clock)
        )


TestMemoryStore = StoreMachine.TestCase
TestMemoryStore.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)

TestFileStore = FileStoreMachine.TestCase
TestFileStore.settings = settings(
    max_examples=12,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
