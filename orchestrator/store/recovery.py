"""What a process that ended without a word left claimed: ended at once where it must be dead.

Only for a database that one process owns. Whoever opens it holds the exclusive lock, so every claim
that still stands in it belongs to a process that is gone, and nobody need wait for its lease. The
epochs stay: the next claim raises them, as it does after a lease that ran out by itself.
"""

from __future__ import annotations

import sqlalchemy as sa

from orchestrator.model.notification import DeliveryState
from orchestrator.model.run import RunState
from orchestrator.store.schema import outbox, run


def end_leases(connection: sa.Connection, now_ms: int) -> None:
    """End every lease now: running windows may be taken over, entries come back as maybe sent."""
    connection.execute(
        sa.update(run)
        .where(run.c.state == RunState.RUNNING.value, run.c.lease_until_ms > now_ms)
        .values(lease_until_ms=now_ms)
    )
    connection.execute(
        sa.update(outbox)
        .where(outbox.c.state == DeliveryState.SENDING.value, outbox.c.due_at_ms > now_ms)
        .values(due_at_ms=now_ms)
    )
