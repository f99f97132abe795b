"""What routing and delivery need from the rest: an outbox to work off, conditions to ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from orchestrator.ids import FindingId
from orchestrator.model.notification import Delivery, OutboxEntry


class RouteCondition(Protocol):
    """A compiled filter over a finding's flat fields."""

    def holds(self, fields: Mapping[str, str]) -> bool:
        """Return whether the filter matches."""
        ...


class OutboxStore(Protocol):
    """The outbox as its worker sees it. A claim counts as an attempt; a release takes it back."""

    async def claim_entries(
        self, *, owner: str, lease: timedelta, limit: int
    ) -> Sequence[OutboxEntry]:
        """Take due entries, oldest first, never two of one finding and receiver at once."""
        ...

    async def mark_sent(self, entry: OutboxEntry, delivery: Delivery) -> None:
        """Record success; raises LeaseLost if the claim is gone."""
        ...

    async def mark_failed(
        self, entry: OutboxEntry, delivery: Delivery, *, next_attempt_at: datetime | None
    ) -> None:
        """Record failure; None for the next attempt gives the entry up."""
        ...

    async def release_entries(self, entries: Sequence[OutboxEntry]) -> None:
        """Give claims back as if they had not been made."""
        ...

    async def reference(self, finding_id: FindingId, receiver: str) -> str:
        """Return the receiver's own id of the finding's message; empty if there is none."""
        ...
