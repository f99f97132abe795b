"""One rule over one window: its claim, its outcome and the receipt that answers the auditor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orchestrator.ids import RuleId, RunId
from orchestrator.model.window import Window


class RunState(StrEnum):
    """Where a run stands. Only `DONE` moves the watermark."""

    RUNNING = "running"
    """Claimed under a lease; another may take it over once that ended."""
    DUE = "due"
    """An attempt ended without a whole answer; it is tried again at `retry_at`."""
    DONE = "done"
    """Searched wholly, and committed with everything it found."""
    GAP = "gap"
    """Given up, with a reason; itself reported as a finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchStats:
    """What the search read and returned, as the server counted it."""

    job_id: str = ""
    rows: int = 0
    events_matched: int = 0
    bytes_scanned: int = 0
    polls: int = 0
    elapsed_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a finished run did; stored with it in the same transaction."""

    search: SearchStats
    findings_new: int = 0
    findings_seen_again: int = 0
    suppressed: int = 0
    notified: int = 0
    """Outbox entries written, not messages already sent."""
    notes: tuple[str, ...] = ()
    """What a reader must know, such as an inventory that was stale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A claimed or finished run."""

    id: RunId
    rule_id: RuleId
    rule_version: str
    window: Window
    state: RunState
    attempt: int
    """1 for the first try."""
    epoch: int
    """Fencing token: raised by each take-over; every write of an attempt carries it."""
    owner: str
    """Who holds the lease: host, process and a random part."""
    lease_until: datetime
    reason: str = ""
    """Why it is due again or a gap; empty otherwise."""
    retry_at: datetime | None = None
    finished_at: datetime | None = None
    receipt: Receipt | None = None
