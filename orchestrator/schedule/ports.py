"""What running a window needs of others: something that searches, something that remembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from orchestrator.client.types import QueryResult
from orchestrator.ids import RuleId
from orchestrator.model.finding import Finding
from orchestrator.model.notification import OutboxEntry
from orchestrator.model.rule import Rule
from orchestrator.model.run import Receipt, Run, SearchStats
from orchestrator.model.window import Window


class Searcher(Protocol):
    """Runs a rule's query."""

    async def search(self, rule: Rule, window: Window) -> QueryResult:
        """Run the query over `window` and the rule's lookback before it.

        Raises:
            ClientError: There is no result; an incomplete one says so itself.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Everything that a finished window leaves behind, written in one transaction."""

    findings: Sequence[Finding] = ()
    entries: Sequence[OutboxEntry] = ()
    receipt: Receipt = field(default_factory=lambda: Receipt(search=SearchStats()))


class Process(Protocol):
    """Turns a complete result into what is kept; called again if the store changed meanwhile."""

    async def __call__(self, run: Run, result: QueryResult, /) -> Commit:
        """Return the findings, messages and receipt of `run`."""
        ...


class GapReport(Protocol):
    """Says to operators that a window was given up."""

    async def __call__(self, rule: Rule, run: Run, reason: str, /) -> Commit:
        """Return the finding and messages that report it; the receipt is not used."""
        ...


class RunStore(Protocol):
    """The claims of windows; see the store for each method's meaning and errors."""

    async def claim(
        self,
        rule_id: RuleId,
        window: Window,
        *,
        rule_version: str,
        owner: str,
        lease: timedelta,
    ) -> Run | None:
        """Take the right to run the window; None if it is held, done, waiting or not next."""
        ...

    async def renew(self, run: Run, *, lease: timedelta) -> Run:
        """Extend the claim; raises LeaseLost."""
        ...

    async def release(
        self, run: Run, *, reason: str, retry_at: datetime, count_attempt: bool = True
    ) -> None:
        """Give the window back, due at `retry_at`; raises LeaseLost."""
        ...

    async def give_up(
        self,
        run: Run,
        *,
        reason: str,
        findings: Sequence[Finding] = (),
        entries: Sequence[OutboxEntry] = (),
    ) -> None:
        """Record a gap and move on; raises LeaseLost or StoreConflict."""
        ...

    async def commit(
        self,
        run: Run,
        *,
        findings: Sequence[Finding],
        entries: Sequence[OutboxEntry],
        receipt: Receipt,
    ) -> None:
        """Finish the window in one transaction; raises LeaseLost or StoreConflict."""
        ...
