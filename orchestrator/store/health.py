"""What `doctor` asks of a database: is the file sound, do the invariants hold, what is it?"""

from __future__ import annotations

from itertools import pairwise
from typing import TypedDict

import sqlalchemy as sa

from orchestrator.ids import RuleId
from orchestrator.model.notification import DeliveryState
from orchestrator.model.run import Run, RunState
from orchestrator.store.rows import run_from_row
from orchestrator.store.schema import finding, outbox, run, watermark
from orchestrator.units import format_instant, from_epoch_ms

FIRST_SOUND_SQLITE = (3, 51, 3)
"""Older ones can, rarely, damage a WAL database that two connections write at once."""
_FINISHED = (RunState.DONE, RunState.GAP)


def problems(connection: sa.Connection) -> list[str]:
    """Return everything that is wrong with the file and with what it says."""
    found: list[str] = []
    if connection.dialect.name == "sqlite":
        verdicts = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars()
        found += [f"the file is damaged: {text}" for text in verdicts if text != "ok"]
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        found += [f"table {row[0]}, row {row[1]} points at nothing in {row[2]}" for row in orphans]
    marks = {RuleId(row.rule_id): row.at_ms for row in connection.execute(sa.select(watermark))}
    rows = connection.execute(sa.select(run).order_by(run.c.rule_id, run.c.start_ms)).mappings()
    return found + tiling_problems([run_from_row(row) for row in rows], watermarks_ms=marks)


def tiling_problems(runs: list[Run], *, watermarks_ms: dict[RuleId, int]) -> list[str]:
    """Return each hole or overlap between finished windows, and each watermark out of step.

    Args:
        runs: Every run, by rule and start.
        watermarks_ms: Each rule's watermark in epoch ms.
    """
    found: list[str] = []
    by_rule: dict[RuleId, list[Run]] = {}
    for one in runs:
        if one.state in _FINISHED:
            by_rule.setdefault(one.rule_id, []).append(one)
    for rule_id, finished in by_rule.items():
        for earlier, later in pairwise(finished):
            if earlier.window.end != later.window.start:
                kind = "hole" if earlier.window.end < later.window.start else "overlap"
                found.append(
                    f"rule {rule_id}: {kind} between {format_instant(earlier.window.end)} and "
                    f"{format_instant(later.window.start)}"
                )
        mark = from_epoch_ms(watermarks_ms[rule_id])
        if mark != finished[-1].window.end:
            found.append(
                f"rule {rule_id}: the watermark {format_instant(mark)} is not the end of its last "
                f"window, {format_instant(finished[-1].window.end)}"
            )
    return found


class Counts(TypedDict):
    """How much is stored."""

    runs: int
    findings: int
    entries_waiting: int
    entries_dead: int


def counts(connection: sa.Connection) -> Counts:
    """Return how much there is, by the names of StoreInfo's members."""
    states = (DeliveryState.PENDING.value, DeliveryState.SENDING.value)
    return {
        "runs": _count(connection, sa.select(sa.func.count()).select_from(run)),
        "findings": _count(connection, sa.select(sa.func.count()).select_from(finding)),
        "entries_waiting": _count(
            connection, sa.select(sa.func.count()).where(outbox.c.state.in_(states))
        ),
        "entries_dead": _count(
            connection,
            sa.select(sa.func.count()).where(outbox.c.state == DeliveryState.DEAD.value),
        ),
    }


def _count(connection: sa.Connection, query: sa.Select[int]) -> int:
    return connection.execute(query).scalar_one()


def sqlite_warnings(version: tuple[int, ...]) -> tuple[str, ...]:
    """Return what an operator should know about this SQLite."""
    if version >= FIRST_SOUND_SQLITE:
        return ()
    text = ".".join(str(part) for part in version)
    warning = (
        f"SQLite {text} is older than 3.51.3 and can, rarely, damage a database that two "
        "connections write at once. This program uses one writer and a lock file, so do not "
        "write to the file with other tools while it runs"
    )
    return (warning,)
