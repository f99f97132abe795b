"""The outbox in SQL: entries are written with their finding, claimed for sending, and recorded.

An entry is due once `due_at_ms` has passed: its next attempt while it is PENDING, the end of its
sender's lease while it is SENDING. One partial index serves both, however many sent rows lie
beside them. Of one finding and receiver, at most one entry is out at a time; the database refuses
a second one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from orchestrator.errors import LeaseLost, StoreError
from orchestrator.ids import EntryId, FindingId
from orchestrator.model.finding import Finding
from orchestrator.model.notification import Delivery, DeliveryReason, DeliveryState, OutboxEntry
from orchestrator.store.dialect import insert
from orchestrator.store.findings import batches, begins, refuse_several
from orchestrator.store.rows import (
    delivery_from_row,
    delivery_to_row,
    entry_from_row,
    entry_to_row,
)
from orchestrator.store.schema import delivery as deliveries_table
from orchestrator.store.schema import finding as findings_table
from orchestrator.store.schema import is_waiting
from orchestrator.store.schema import outbox as outbox_table
from orchestrator.store.storable import storable
from orchestrator.units import from_epoch_ms, to_epoch_ms

_PENDING, _SENDING = DeliveryState.PENDING.value, DeliveryState.SENDING.value
_SENT, _DEAD = DeliveryState.SENT.value, DeliveryState.DEAD.value


def save(
    connection: sa.Connection, *, entries: Sequence[OutboxEntry], findings: Sequence[Finding]
) -> None:
    """Insert new entries; those that exist stay as they are.

    Raises:
        StoreError: An entry speaks of a finding that is neither stored nor in `findings`.
    """
    known = {finding.id for finding in findings}
    foreign = list({entry.notification.finding_id for entry in entries} - known)
    for batch in batches(foreign):
        query = sa.select(findings_table.c.id).where(findings_table.c.id.in_(batch))
        known.update(FindingId(found) for found in connection.execute(query).scalars())
    require_findings(entries, known=known)
    statement = insert(connection, outbox_table).on_conflict_do_nothing()
    for group in batches(entries):
        connection.execute(statement, [entry_to_row(entry) for entry in group])


def require_findings(entries: Sequence[OutboxEntry], *, known: set[FindingId]) -> None:
    """Raise StoreError for the first entry whose finding is not in `known`."""
    for entry in entries:
        if entry.notification.finding_id not in known:
            raise StoreError(
                f"outbox entry {entry.id[:12]} speaks of finding "
                f"{entry.notification.finding_id[:12]}, which is not stored"
            )


def claim(
    connection: sa.Connection, now_ms: int, *, owner: str, lease: timedelta, limit: int
) -> list[OutboxEntry]:
    """Take due entries as SENDING; see the interface for which."""
    entry, other = outbox_table.alias("entry"), outbox_table.alias("other")
    blocking = sa.select(sa.literal(1)).where(
        other.c.finding_id == entry.c.finding_id,
        other.c.receiver == entry.c.receiver,
        other.c.id != entry.c.id,
        sa.or_(
            other.c.state == _SENDING,
            sa.and_(
                other.c.state == _PENDING,
                other.c.revision < entry.c.revision,
                entry.c.state == _PENDING,
            ),
        ),
    )
    due = (
        sa.select(entry.c.id)
        .where(
            is_waiting(entry.c.state),
            entry.c.due_at_ms <= now_ms,
            ~sa.exists(blocking),
        )
        .order_by(entry.c.due_at_ms, entry.c.created_at_ms, entry.c.revision, entry.c.id)
        .limit(limit)
    )
    if connection.dialect.name == "postgresql":
        due = due.with_for_update(skip_locked=True, of=entry)
    # A common table expression is evaluated once; a subquery under IN may be run again for each
    # row by PostgreSQL, and then skip what it has just locked.
    chosen = due.cte("due")
    table = outbox_table.c
    statement = (
        sa.update(outbox_table)
        .where(table.id.in_(sa.select(chosen.c.id)))
        .values(
            state=_SENDING,
            owner=owner,
            epoch=table.epoch + 1,
            attempts=table.attempts + 1,
            maybe_sent=sa.or_(table.maybe_sent, table.state == _SENDING),
            due_at_ms=now_ms + lease // timedelta(milliseconds=1),
        )
        .returning(*table)
    )
    entries = [entry_from_row(row) for row in connection.execute(statement).mappings()]
    return sorted(entries, key=lambda e: (e.created_at, e.notification.revision, e.id))


def mark_sent(connection: sa.Connection, *, entry: OutboxEntry, delivery: Delivery) -> None:
    """Record success and the attempt; raises LeaseLost if the claim is gone."""
    values = {
        "state": _SENT,
        "reason": "",
        "maybe_sent": False,
        "reference": storable(delivery.reference),
    }
    _record(connection, entry, delivery, values)


def mark_failed(
    connection: sa.Connection,
    now_ms: int,
    *,
    entry: OutboxEntry,
    delivery: Delivery,
    next_attempt_at: datetime | None,
) -> None:
    """Record failure and the attempt; raises LeaseLost if the claim is gone."""
    values = {
        "state": _DEAD if next_attempt_at is None else _PENDING,
        "reason": failure_text(delivery),
        "maybe_sent": entry.maybe_sent or delivery.reason is DeliveryReason.UNCERTAIN,
        "due_at_ms": now_ms if next_attempt_at is None else to_epoch_ms(next_attempt_at),
    }
    _record(connection, entry, delivery, values)


def failure_text(delivery: Delivery) -> str:
    """Return the reason an entry keeps of a failed attempt; never empty."""
    reason = "failed" if delivery.reason is None else delivery.reason.value
    return storable(f"{reason}: {delivery.detail}" if delivery.detail else reason)


def _record(
    connection: sa.Connection, entry: OutboxEntry, delivery: Delivery, values: dict[str, Any]
) -> None:
    if _write_claimed(connection, entry, values):
        connection.execute(sa.insert(deliveries_table), delivery_to_row(delivery))
        return
    table = outbox_table.c
    repeated = sa.select(table.id).where(
        table.id == entry.id, table.epoch == entry.epoch, table.state == values["state"]
    )
    if connection.execute(repeated).first() is None:
        raise lease_lost(entry)


def lease_lost(entry: OutboxEntry) -> LeaseLost:
    """Return the error that says which claim is gone."""
    return LeaseLost(
        f"outbox entry {entry.id[:12]} for {entry.receiver}: the claim (epoch {entry.epoch}) was "
        "taken over or has ended"
    )


def release(connection: sa.Connection, now_ms: int, *, entries: Sequence[OutboxEntry]) -> None:
    """Make claimed entries pending again, due now, as if not claimed."""
    for entry in entries:
        values = {
            "state": _PENDING,
            "attempts": outbox_table.c.attempts - 1,
            "maybe_sent": entry.maybe_sent,
            "due_at_ms": now_ms,
        }
        _write_claimed(connection, entry, values)


def _write_claimed(connection: sa.Connection, entry: OutboxEntry, values: dict[str, Any]) -> bool:
    table = outbox_table.c
    statement = (
        sa.update(outbox_table)
        .where(table.id == entry.id, table.epoch == entry.epoch, table.state == _SENDING)
        .values(values)
    )
    return connection.execute(statement).rowcount == 1


def reference(connection: sa.Connection, *, finding_id: FindingId, receiver: str) -> str:
    """Return the receiver's id of the finding's latest sent message; empty if none."""
    table = outbox_table.c
    query = (
        sa.select(table.reference)
        .where(
            table.finding_id == finding_id,
            table.receiver == receiver,
            table.state == _SENT,
            table.reference != "",
        )
        .order_by(table.revision.desc())
        .limit(1)
    )
    return connection.execute(query).scalar() or ""


def list_entries(
    connection: sa.Connection, *, state: DeliveryState | None, receiver: str | None, limit: int
) -> list[OutboxEntry]:
    """Return entries, newest first."""
    table = outbox_table.c
    query = sa.select(outbox_table).order_by(
        table.created_at_ms.desc(), table.revision.desc(), table.id
    )
    if state is not None:
        query = query.where(table.state == state.value)
    if receiver is not None:
        query = query.where(table.receiver == receiver)
    return [entry_from_row(row) for row in connection.execute(query.limit(limit)).mappings()]


def by_prefix(connection: sa.Connection, id_prefix: str) -> OutboxEntry | None:
    """Return the one entry whose id begins so; raises StoreError if several do."""
    query = sa.select(outbox_table).where(begins(outbox_table.c.id, id_prefix))
    rows = connection.execute(query.limit(2)).mappings().all()
    refuse_several(len(rows), "outbox entries", id_prefix)
    return entry_from_row(rows[0]) if rows else None


def retry(connection: sa.Connection, now_ms: int, *, ids: Sequence[EntryId] | None) -> int:
    """Put dead entries back, all or those whose ids begin so; return how many."""
    table = outbox_table.c
    statement = (
        sa.update(outbox_table)
        .where(table.state == _DEAD)
        .values(state=_PENDING, attempts=0, due_at_ms=now_ms)
    )
    if ids is not None:
        statement = statement.where(sa.or_(sa.false(), *(begins(table.id, text) for text in ids)))
    return connection.execute(statement).rowcount


def list_deliveries(connection: sa.Connection, entry_id: EntryId) -> list[Delivery]:
    """Return every attempt of an entry, in order."""
    query = (
        sa.select(deliveries_table)
        .where(deliveries_table.c.entry_id == entry_id)
        .order_by(deliveries_table.c.serial)
    )
    return [delivery_from_row(row) for row in connection.execute(query).mappings()]


def next_attempt_at(connection: sa.Connection) -> datetime | None:
    """Return the earliest time at which an entry is due."""
    table = outbox_table.c
    query = sa.select(sa.func.min(table.due_at_ms)).where(is_waiting(table.state))
    due_at_ms = connection.execute(query).scalar()
    return None if due_at_ms is None else from_epoch_ms(due_at_ms)
