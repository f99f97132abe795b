"""Watermarks and runs in SQL: claim, renew, release, and the one commit that moves the watermark.

Functions of an open transaction: the caller commits. A rule's windows tile its time line without
hole or overlap because only the window that starts at the watermark can be claimed, and only the
holder of its newest epoch can move the watermark past it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from orchestrator.errors import LeaseLost
from orchestrator.ids import RuleId, derive_run_id
from orchestrator.model.run import Receipt, Run, RunState
from orchestrator.model.window import Window
from orchestrator.store.dialect import insert
from orchestrator.store.rows import receipt_to_document, run_from_row
from orchestrator.store.schema import run as runs_table
from orchestrator.store.schema import watermark as watermarks
from orchestrator.store.storable import storable
from orchestrator.units import to_epoch_ms

_ms = timedelta(milliseconds=1)


def read_watermark(connection: sa.Connection, rule_id: RuleId, *, lock: bool = False) -> int | None:
    """Return the watermark in epoch ms; `lock` keeps other claims of the rule out until the end."""
    query = sa.select(watermarks.c.at_ms).where(watermarks.c.rule_id == rule_id)
    # SQLite has no row locks and needs none: its one writer is alone already.
    return connection.execute(query.with_for_update() if lock else query).scalar()


def start_watermark(connection: sa.Connection, now_ms: int, *, rule_id: RuleId, at_ms: int) -> None:
    """Insert the watermark unless there is one."""
    connection.execute(
        insert(connection, watermarks)
        .values(rule_id=rule_id, at_ms=at_ms, updated_at_ms=now_ms)
        .on_conflict_do_nothing()
    )


def claim(
    connection: sa.Connection,
    now_ms: int,
    *,
    rule_id: RuleId,
    window: Window,
    rule_version: str,
    owner: str,
    lease: timedelta,
) -> Run | None:
    """Insert the run, or take it over if its lease ended or its retry is due; else None."""
    start_ms, end_ms = to_epoch_ms(window.start), to_epoch_ms(window.end)
    start_watermark(connection, now_ms, rule_id=rule_id, at_ms=start_ms)
    if read_watermark(connection, rule_id, lock=True) != start_ms:
        return None
    run_id = derive_run_id(rule_id, start_ms=start_ms, end_ms=end_ms)
    _fence_stale(connection, now_ms, rule_id=rule_id, except_id=run_id)
    if _is_other_running(connection, rule_id=rule_id, except_id=run_id):
        return None
    held = {
        "rule_version": rule_version,
        "state": RunState.RUNNING.value,
        "owner": owner,
        "lease_until_ms": now_ms + lease // _ms,
        "reason": "",
        "retry_at_ms": None,
    }
    table = runs_table.c
    lease_over = sa.and_(table.state == RunState.RUNNING.value, table.lease_until_ms <= now_ms)
    retry_due = sa.and_(
        table.state == RunState.DUE.value,
        sa.or_(table.retry_at_ms.is_(None), table.retry_at_ms <= now_ms),
    )
    statement = (
        insert(connection, runs_table)
        .values(
            id=run_id,
            rule_id=rule_id,
            start_ms=start_ms,
            end_ms=end_ms,
            attempt=1,
            epoch=1,
            **held,
        )
        .on_conflict_do_update(
            index_elements=[table.id],
            set_={"attempt": table.attempt + 1, "epoch": table.epoch + 1, **held},
            where=sa.or_(lease_over, retry_due),
        )
        .returning(*runs_table.c)
    )
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else run_from_row(row)


def _fence_stale(
    connection: sa.Connection, now_ms: int, *, rule_id: RuleId, except_id: str
) -> None:
    """Raise the epoch of claims on other windows whose lease ended: the grid has changed."""
    connection.execute(
        sa.update(runs_table)
        .where(
            runs_table.c.rule_id == rule_id,
            runs_table.c.id != except_id,
            runs_table.c.state == RunState.RUNNING.value,
            runs_table.c.lease_until_ms <= now_ms,
        )
        .values(
            state=RunState.DUE.value,
            epoch=runs_table.c.epoch + 1,
            reason="the lease ended and another window took its place",
        )
    )


def _is_other_running(connection: sa.Connection, *, rule_id: RuleId, except_id: str) -> bool:
    other = sa.select(runs_table.c.id).where(
        runs_table.c.rule_id == rule_id,
        runs_table.c.id != except_id,
        runs_table.c.state == RunState.RUNNING.value,
    )
    return connection.execute(other.limit(1)).first() is not None


def renew(connection: sa.Connection, now_ms: int, *, run: Run, lease: timedelta) -> Run:
    """Move the lease's end; raises LeaseLost if the claim is gone."""
    row = _write_claimed(connection, run, {"lease_until_ms": now_ms + lease // _ms})
    if row is None:
        raise lease_lost(run)
    return run_from_row(row)


def release(
    connection: sa.Connection, *, run: Run, reason: str, retry_at_ms: int, count_attempt: bool
) -> None:
    """Make the run due again; raises LeaseLost if the claim is gone."""
    attempt = runs_table.c.attempt if count_attempt else runs_table.c.attempt - 1
    values = {
        "state": RunState.DUE.value,
        "reason": storable(reason),
        "retry_at_ms": retry_at_ms,
        "attempt": attempt,
    }
    if _write_claimed(connection, run, values) is None:
        require_repeat(connection, run, RunState.DUE)


def finish(
    connection: sa.Connection,
    now_ms: int,
    *,
    run: Run,
    state: RunState,
    reason: str = "",
    receipt: Receipt | None = None,
) -> bool:
    """End the run as DONE or GAP and move the watermark to its window's end.

    Returns:
        False if this very claim had finished it already: there is nothing more to write.

    Raises:
        LeaseLost: Someone else took it over.
    """
    values = {
        "state": state.value,
        "reason": storable(reason),
        "finished_at_ms": now_ms,
        "receipt": None if receipt is None else receipt_to_document(receipt),
    }
    # The watermark's row first, as every claim does: one order of locks, no deadlock.
    read_watermark(connection, run.rule_id, lock=True)
    if _write_claimed(connection, run, values) is None:
        require_repeat(connection, run, state)
        return False
    end_ms = to_epoch_ms(run.window.end)
    connection.execute(
        sa.update(watermarks)
        .where(watermarks.c.rule_id == run.rule_id, watermarks.c.at_ms < end_ms)
        .values(at_ms=end_ms, updated_at_ms=now_ms)
    )
    # Attempts under an older schedule whose time is now answered for; they never finished.
    connection.execute(
        sa.delete(runs_table).where(
            runs_table.c.rule_id == run.rule_id,
            runs_table.c.state == RunState.DUE.value,
            runs_table.c.end_ms <= end_ms,
        )
    )
    return True


def _write_claimed(
    connection: sa.Connection, run: Run, values: dict[str, Any]
) -> sa.RowMapping | None:
    """Update the run's row if the claim still stands, and return it; None if it does not."""
    statement = (
        sa.update(runs_table)
        .where(
            runs_table.c.id == run.id,
            runs_table.c.epoch == run.epoch,
            runs_table.c.state == RunState.RUNNING.value,
        )
        .values(values)
        .returning(*runs_table.c)
    )
    return connection.execute(statement).mappings().one_or_none()


def require_repeat(connection: sa.Connection, run: Run, state: RunState) -> None:
    """Return if this claim brought the run to `state` before; else raise LeaseLost."""
    query = sa.select(runs_table.c.id).where(
        runs_table.c.id == run.id,
        runs_table.c.epoch == run.epoch,
        runs_table.c.state == state.value,
    )
    if connection.execute(query).first() is None:
        raise lease_lost(run)


def lease_lost(run: Run) -> LeaseLost:
    """Return the error that says which claim is gone."""
    return LeaseLost(
        f"run {run.id[:12]} of rule {run.rule_id}: the claim of {run.owner} (epoch {run.epoch}) "
        "was taken over or has ended"
    )


def list_runs(connection: sa.Connection, *, rule_id: RuleId | None, limit: int) -> list[Run]:
    """Return runs, latest window first."""
    query = sa.select(runs_table).order_by(runs_table.c.end_ms.desc(), runs_table.c.id)
    if rule_id is not None:
        query = query.where(runs_table.c.rule_id == rule_id)
    rows = connection.execute(query.limit(limit)).mappings()
    return [run_from_row(row) for row in rows]
