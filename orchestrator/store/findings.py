"""Findings in SQL: the whole new state replaces the old one, guarded by the revision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa

from orchestrator.errors import StoreConflict, StoreError
from orchestrator.ids import Fingerprint, RuleId
from orchestrator.model.finding import Finding, FindingState
from orchestrator.store.dialect import insert
from orchestrator.store.rows import finding_from_document, finding_to_row
from orchestrator.store.schema import finding as findings_table
from orchestrator.units import from_epoch_ms, to_epoch_ms

T = TypeVar("T")

ID_CHARS = 32
_BATCH = 500
"""Parameters a statement; SQLite allows 32,766, older builds 999."""


def batches(items: Sequence[T], size: int = _BATCH) -> Iterator[Sequence[T]]:
    """Yield `items` in order, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def save(connection: sa.Connection, now_ms: int, *, findings: Sequence[Finding]) -> None:
    """Insert or replace findings.

    Raises:
        StoreConflict: One of them is not based on what is stored.
    """
    if not findings:
        return
    revisions: dict[str, int] = {}
    for ids in batches([finding.id for finding in findings]):
        query = sa.select(findings_table.c.id, findings_table.c.revision).where(
            findings_table.c.id.in_(ids)
        )
        revisions.update((row.id, row.revision) for row in connection.execute(query))
    check_revisions(findings, stored=revisions)
    statement = insert(connection, findings_table)
    new = {
        name: statement.excluded[name]
        for name in findings_table.c.keys()  # noqa: SIM118 -- a column collection, not a mapping
        if name != "id"
    }
    statement = statement.on_conflict_do_update(index_elements=[findings_table.c.id], set_=new)
    updated_at = from_epoch_ms(now_ms)
    for batch in batches(findings):
        rows = [finding_to_row(finding, updated_at=updated_at) for finding in batch]
        connection.execute(statement, rows)


def check_revisions(findings: Sequence[Finding], *, stored: Mapping[str, int]) -> None:
    """Raise StoreConflict for the first finding that is not the stored revision or the next one."""
    known = dict(stored)
    for finding in findings:
        before = known.get(finding.id)
        allowed = {1} if before is None else {before, before + 1}
        if finding.revision not in allowed:
            raise StoreConflict(
                f"finding {finding.id[:12]} has revision {before or 0} in the store; revision "
                f"{finding.revision} is not made from it"
            )
        known[finding.id] = finding.revision


def latest(
    connection: sa.Connection, fingerprints: Sequence[Fingerprint]
) -> dict[Fingerprint, Finding]:
    """Return the newest generation of each fingerprint."""
    found: dict[Fingerprint, Finding] = {}
    for batch in batches(list(dict.fromkeys(fingerprints))):
        query = (
            sa.select(findings_table.c.document)
            .where(findings_table.c.fingerprint.in_(batch))
            .order_by(findings_table.c.generation)
        )
        for document in connection.execute(query).scalars():
            finding = finding_from_document(document)
            found[finding.fingerprint] = finding
    return found


def list_findings(
    connection: sa.Connection,
    *,
    state: FindingState | None,
    rule_id: RuleId | None,
    since: datetime | None,
    limit: int,
) -> list[Finding]:
    """Return findings, last seen first."""
    table = findings_table.c
    query = sa.select(table.document).order_by(table.last_seen_ms.desc(), table.id)
    if state is not None:
        query = query.where(table.state == state.value)
    if rule_id is not None:
        query = query.where(table.rule_id == rule_id)
    if since is not None:
        query = query.where(table.last_seen_ms >= to_epoch_ms(since))
    return [
        finding_from_document(text) for text in connection.execute(query.limit(limit)).scalars()
    ]


def by_prefix(connection: sa.Connection, id_prefix: str) -> Finding | None:
    """Return the one finding whose id begins so; raises StoreError if several do."""
    query = sa.select(findings_table.c.document).where(begins(findings_table.c.id, id_prefix))
    documents = connection.execute(query.limit(2)).scalars().all()
    refuse_several(len(documents), "findings", id_prefix)
    return finding_from_document(documents[0]) if documents else None


def begins(column: sa.Column[str], prefix: str) -> sa.ColumnElement[bool]:
    """Return the condition that an id is, or begins with, `prefix`; an empty one fits nothing."""
    if len(prefix) >= ID_CHARS:
        return column == prefix
    if not prefix:
        return sa.false()
    return sa.func.substr(column, 1, len(prefix)) == prefix


def refuse_several(count: int, noun: str, prefix: str) -> None:
    """Raise StoreError if a prefix fits more than one id."""
    if count > 1:
        raise StoreError(f"several {noun} have an id that begins with {prefix!r}. Write more of it")
