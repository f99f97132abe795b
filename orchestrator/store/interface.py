"""What a store does, whichever keeps it: `SqlStore` (SQLite, PostgreSQL) or `MemoryStore`.

Users above declare the few methods they need as their own protocols; this one is the whole, so
that a command can say "a store" and the contract tests can run over each.

The words: a *claim* is the time-limited right to try (owner, lease); the *epoch* is its fencing
token, raised by each take-over, and every later write carries it. A write whose epoch is no longer
the row's raises LeaseLost and changes nothing. A write that already took effect under the same
epoch returns quietly, so that repeating one whose answer was lost is harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from orchestrator.ids import EntryId, FindingId, Fingerprint, RuleId
from orchestrator.model.finding import Finding, FindingState
from orchestrator.model.notification import Delivery, DeliveryState, OutboxEntry
from orchestrator.model.run import Receipt, Run
from orchestrator.model.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """What `doctor` and `status` say about a store."""

    path: str
    """The file, the server's address without a password, or `memory`."""
    schema: str
    """Revision of the schema."""
    engine: str
    """Name and version, such as `SQLite 3.40.1`."""
    sqlite_version: str = ""
    """Empty where it is not SQLite."""
    size_bytes: int = 0
    """Of the database file; 0 where it is none."""
    runs: int = 0
    findings: int = 0
    entries_waiting: int = 0
    """Outbox entries that are neither sent nor dead."""
    entries_dead: int = 0
    warnings: tuple[str, ...] = ()
    """What an operator should change, each with the reason."""


class Store(Protocol):
    """State that survives: watermarks, runs, findings, the outbox and its deliveries.

    Every method may raise StoreError: the disk, the file or the server fails. StoreFull means that
    nothing was written and that later calls may succeed.
    """

    async def watermark(self, rule_id: RuleId) -> datetime | None:
        """Return the instant before which everything of the rule is committed; None before any."""
        ...

    async def start_watermark(self, rule_id: RuleId, at: datetime) -> None:
        """Set where the rule begins, if it has not begun; else do nothing."""
        ...

    async def claim(
        self,
        rule_id: RuleId,
        window: Window,
        *,
        rule_version: str,
        owner: str,
        lease: timedelta,
    ) -> Run | None:
        """Take the right to run `window`, or return None.

        Only the window that starts at the watermark can be claimed: one before it was searched, one
        after it would leave a hole. A rule without a watermark begins at the window's start. A
        lease that ended is taken over with the next epoch, and so is a stale claim of the rule on
        another window, as after a change of its schedule.

        Returns:
            The running claim; None if it is held, finished, not yet to be retried or not next.
        """
        ...

    async def renew(self, run: Run, *, lease: timedelta) -> Run:
        """Extend the claim to `lease` from now.

        Raises:
            LeaseLost: Someone else has it, or it has ended.
        """
        ...

    async def release(
        self, run: Run, *, reason: str, retry_at: datetime, count_attempt: bool = True
    ) -> None:
        """Give the window back as due at `retry_at`; the watermark stays.

        `count_attempt` is False where the window itself was not to blame (the server was away, the
        process stops): the next claim then has the same attempt number.

        Raises:
            LeaseLost: Someone else has it.
        """
        ...

    async def give_up(
        self,
        run: Run,
        *,
        reason: str,
        findings: Sequence[Finding] = (),
        entries: Sequence[OutboxEntry] = (),
    ) -> None:
        """Record the window as a gap, with its reason and what reports it, and move on past it.

        Raises:
            LeaseLost: Someone else has it.
            StoreConflict: A finding changed since it was read; nothing was written.
        """
        ...

    async def commit(
        self,
        run: Run,
        *,
        findings: Sequence[Finding],
        entries: Sequence[OutboxEntry],
        receipt: Receipt,
    ) -> None:
        """Finish the run in one transaction: run, findings, outbox entries and watermark.

        A finding is the whole new state: revision 1 of one never seen, the stored revision or the
        next one of one that is. Entries that exist stay as they are.

        Raises:
            LeaseLost: Someone else has it; nothing was written.
            StoreConflict: A finding changed since it was read; nothing was written.
            StoreError: An entry's finding is neither stored nor given.
        """
        ...

    async def latest_findings(
        self, fingerprints: Sequence[Fingerprint]
    ) -> dict[Fingerprint, Finding]:
        """Return the newest generation of each fingerprint that was ever seen."""
        ...

    async def findings(
        self,
        *,
        state: FindingState | None = None,
        rule_id: RuleId | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[Finding]:
        """Return findings, last seen first; `since` is the least last-seen time."""
        ...

    async def finding(self, id_prefix: str) -> Finding | None:
        """Return the one finding whose id begins so, or None.

        Raises:
            StoreError: Several do.
        """
        ...

    async def runs(self, *, rule_id: RuleId | None = None, limit: int = 100) -> list[Run]:
        """Return runs, latest window first."""
        ...

    async def claim_entries(self, *, owner: str, lease: timedelta, limit: int) -> list[OutboxEntry]:
        """Take entries that are due, longest due first, as SENDING with `attempts` counted up.

        Of one finding and receiver at most one entry is out at a time, in the order of revisions;
        a dead one does not hold up those after it. An entry whose sender's lease ended comes back
        with `maybe_sent`.
        """
        ...

    async def mark_sent(self, entry: OutboxEntry, delivery: Delivery) -> None:
        """Record success: SENT, with the receiver's reference and the attempt, in one transaction.

        Raises:
            LeaseLost: The entry was taken over.
        """
        ...

    async def mark_failed(
        self, entry: OutboxEntry, delivery: Delivery, *, next_attempt_at: datetime | None
    ) -> None:
        """Record failure: PENDING again at `next_attempt_at`, or DEAD where that is None.

        Raises:
            LeaseLost: The entry was taken over.
        """
        ...

    async def release_entries(self, entries: Sequence[OutboxEntry]) -> None:
        """Give back claimed entries that were not tried; those taken over meanwhile stay taken."""
        ...

    async def reference(self, finding_id: FindingId, receiver: str) -> str:
        """Return the receiver's own id of the finding's latest sent message; empty if none."""
        ...

    async def entries(
        self,
        *,
        state: DeliveryState | None = None,
        receiver: str | None = None,
        limit: int = 100,
    ) -> list[OutboxEntry]:
        """Return outbox entries, newest first."""
        ...

    async def entry(self, id_prefix: str) -> OutboxEntry | None:
        """Return the one entry whose id begins so, or None.

        Raises:
            StoreError: Several do.
        """
        ...

    async def retry_entries(self, ids: Sequence[EntryId] | None = None) -> int:
        """Put dead entries back, due now, attempts counted afresh; None takes all.

        Args:
            ids: Ids, or their beginnings; those that are not dead are left alone.

        Returns:
            How many were put back.
        """
        ...

    async def deliveries(self, entry_id: EntryId) -> list[Delivery]:
        """Return every recorded attempt of an entry, in order."""
        ...

    async def next_attempt_at(self) -> datetime | None:
        """Return when the next entry is due or its lease ends; None with nothing waiting."""
        ...

    async def check(self) -> list[str]:
        """Return what is wrong with what is stored, one sentence each; empty if nothing is."""
        ...

    async def info(self) -> StoreInfo:
        """Return what the store is and how much it holds."""
        ...
