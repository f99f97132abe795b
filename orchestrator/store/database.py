"""`SqlStore`: the store over SQLAlchemy Core, the same for SQLite and PostgreSQL; and its opening.

Each method submits one transaction to a lane. Reads go to a lane of their own, so that a listing
does not wait behind a commit; on SQLite that connection can neither write nor checkpoint.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from orchestrator.clock import Clock
from orchestrator.errors import MigrationError, StoreError
from orchestrator.ids import EntryId, FindingId, Fingerprint, RuleId
from orchestrator.model.finding import Finding, FindingState
from orchestrator.model.notification import Delivery, DeliveryState, OutboxEntry
from orchestrator.model.run import Receipt, Run, RunState
from orchestrator.model.window import Window
from orchestrator.store import findings as findings_sql
from orchestrator.store import health, outbox, runs
from orchestrator.store.connection import Lane, postgres, sqlite_reader, sqlite_writer
from orchestrator.store.dialect import server_now_ms
from orchestrator.store.failures import RECOVERY
from orchestrator.store.interface import Store, StoreInfo
from orchestrator.store.lockfile import LockFile
from orchestrator.store.migrate import current_revision, head_revision, migrate, refuse_newer
from orchestrator.store.recovery import end_leases
from orchestrator.units import from_epoch_ms, to_epoch_ms

T = TypeVar("T")

CHECKED_ON_OPEN_BYTES = 64 * 1024 * 1024
"""Files up to this size are read whole on open to find damage; larger ones by `check` only."""
_SCHEMES = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    """What was opened, for texts and `info`."""

    path: str
    schema: str
    file: Path | None = None


class SqlStore:
    """The store in a database; made by `open_store`.

    Args:
        writer: None where the store was opened for reading.
        server_time: Whether leases are measured by the database server's clock, so that those of
            several replicas need not agree.
    """

    def __init__(
        self,
        *,
        writer: Lane | None,
        reader: Lane,
        clock: Clock,
        origin: _Origin,
        server_time: bool = False,
    ) -> None:
        self._writer, self._reader, self._clock = writer, reader, clock
        self._origin, self._server_time = origin, server_time

    async def watermark(self, rule_id: RuleId) -> datetime | None:
        """See `Store.watermark`."""
        at_ms = await self._read(partial(runs.read_watermark, rule_id=rule_id))
        return None if at_ms is None else from_epoch_ms(at_ms)

    async def start_watermark(self, rule_id: RuleId, at: datetime) -> None:
        """See `Store.start_watermark`."""
        at_ms = to_epoch_ms(at)
        await self._write(lambda c, now: runs.start_watermark(c, now, rule_id=rule_id, at_ms=at_ms))

    async def claim(
        self,
        rule_id: RuleId,
        window: Window,
        *,
        rule_version: str,
        owner: str,
        lease: timedelta,
    ) -> Run | None:
        """See `Store.claim`."""
        return await self._write(
            lambda c, now: runs.claim(
                c,
                now,
                rule_id=rule_id,
                window=window,
                rule_version=rule_version,
                owner=owner,
                lease=lease,
            )
        )

    async def renew(self, run: Run, *, lease: timedelta) -> Run:
        """See `Store.renew`."""
        return await self._write(lambda c, now: runs.renew(c, now, run=run, lease=lease))

    async def release(
        self, run: Run, *, reason: str, retry_at: datetime, count_attempt: bool = True
    ) -> None:
        """See `Store.release`."""
        retry_at_ms = to_epoch_ms(retry_at)
        await self._write(
            lambda c, _: runs.release(
                c, run=run, reason=reason, retry_at_ms=retry_at_ms, count_attempt=count_attempt
            )
        )

    async def give_up(
        self,
        run: Run,
        *,
        reason: str,
        findings: Sequence[Finding] = (),
        entries: Sequence[OutboxEntry] = (),
    ) -> None:
        """See `Store.give_up`."""
        if not reason:
            raise ValueError("a gap needs a reason")

        def work(connection: sa.Connection, now_ms: int) -> None:
            gap = RunState.GAP
            if runs.finish(connection, now_ms, run=run, state=gap, reason=reason):
                findings_sql.save(connection, now_ms, findings=findings)
                outbox.save(connection, entries=entries, findings=findings)

        await self._write(work)

    async def commit(
        self,
        run: Run,
        *,
        findings: Sequence[Finding],
        entries: Sequence[OutboxEntry],
        receipt: Receipt,
    ) -> None:
        """See `Store.commit`."""

        def work(connection: sa.Connection, now_ms: int) -> None:
            done = RunState.DONE
            if runs.finish(connection, now_ms, run=run, state=done, receipt=receipt):
                findings_sql.save(connection, now_ms, findings=findings)
                outbox.save(connection, entries=entries, findings=findings)

        await self._write(work)

    async def latest_findings(
        self, fingerprints: Sequence[Fingerprint]
    ) -> dict[Fingerprint, Finding]:
        """See `Store.latest_findings`."""
        return await self._read(lambda c: findings_sql.latest(c, fingerprints))

    async def findings(
        self,
        *,
        state: FindingState | None = None,
        rule_id: RuleId | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[Finding]:
        """See `Store.findings`."""
        return await self._read(
            lambda c: findings_sql.list_findings(
                c, state=state, rule_id=rule_id, since=since, limit=limit
            )
        )

    async def finding(self, id_prefix: str) -> Finding | None:
        """See `Store.finding`."""
        return await self._read(lambda c: findings_sql.by_prefix(c, id_prefix))

    async def runs(self, *, rule_id: RuleId | None = None, limit: int = 100) -> list[Run]:
        """See `Store.runs`."""
        return await self._read(lambda c: runs.list_runs(c, rule_id=rule_id, limit=limit))

    async def claim_entries(self, *, owner: str, lease: timedelta, limit: int) -> list[OutboxEntry]:
        """See `Store.claim_entries`."""
        return await self._write(
            lambda c, now: outbox.claim(c, now, owner=owner, lease=lease, limit=limit)
        )

    async def mark_sent(self, entry: OutboxEntry, delivery: Delivery) -> None:
        """See `Store.mark_sent`."""
        await self._write(lambda c, _: outbox.mark_sent(c, entry=entry, delivery=delivery))

    async def mark_failed(
        self, entry: OutboxEntry, delivery: Delivery, *, next_attempt_at: datetime | None
    ) -> None:
        """See `Store.mark_failed`."""
        await self._write(
            lambda c, now: outbox.mark_failed(
                c, now, entry=entry, delivery=delivery, next_attempt_at=next_attempt_at
            )
        )

    async def release_entries(self, entries: Sequence[OutboxEntry]) -> None:
        """See `Store.release_entries`."""
        await self._write(lambda c, now: outbox.release(c, now, entries=entries))

    async def reference(self, finding_id: FindingId, receiver: str) -> str:
        """See `Store.reference`."""
        return await self._read(
            lambda c: outbox.reference(c, finding_id=finding_id, receiver=receiver)
        )

    async def entries(
        self,
        *,
        state: DeliveryState | None = None,
        receiver: str | None = None,
        limit: int = 100,
    ) -> list[OutboxEntry]:
        """See `Store.entries`."""
        return await self._read(
            lambda c: outbox.list_entries(c, state=state, receiver=receiver, limit=limit)
        )

    async def entry(self, id_prefix: str) -> OutboxEntry | None:
        """See `Store.entry`."""
        return await self._read(lambda c: outbox.by_prefix(c, id_prefix))

    async def retry_entries(self, ids: Sequence[EntryId] | None = None) -> int:
        """See `Store.retry_entries`."""
        return await self._write(lambda c, now: outbox.retry(c, now, ids=ids))

    async def deliveries(self, entry_id: EntryId) -> list[Delivery]:
        """See `Store.deliveries`."""
        return await self._read(lambda c: outbox.list_deliveries(c, entry_id))

    async def next_attempt_at(self) -> datetime | None:
        """See `Store.next_attempt_at`."""
        return await self._read(outbox.next_attempt_at)

    async def check(self) -> list[str]:
        """See `Store.check`."""
        return await self._read(health.problems)

    async def info(self) -> StoreInfo:
        """See `Store.info`."""
        origin = self._origin

        def work(connection: sa.Connection) -> StoreInfo:
            counts = health.counts(connection)
            if origin.file is None:
                version = connection.exec_driver_sql("SHOW server_version").scalar_one()
                return StoreInfo(
                    path=origin.path, schema=origin.schema, engine=f"PostgreSQL {version}", **counts
                )
            return StoreInfo(
                path=origin.path,
                schema=origin.schema,
                engine=f"SQLite {sqlite3.sqlite_version}",
                sqlite_version=sqlite3.sqlite_version,
                size_bytes=origin.file.stat().st_size,
                warnings=health.sqlite_warnings(sqlite3.sqlite_version_info),
                **counts,
            )

        return await self._read(work)

    async def _read(self, work: Callable[[sa.Connection], T]) -> T:
        return await self._reader.run(work)

    async def _write(self, work: Callable[[sa.Connection, int], T]) -> T:
        if self._writer is None:
            raise StoreError(f"{self._origin.path}: opened for reading only")

        def timed(connection: sa.Connection) -> T:
            now = self._clock.now
            return work(
                connection, server_now_ms(connection) if self._server_time else to_epoch_ms(now())
            )

        return await self._writer.run(timed)


@asynccontextmanager
async def open_store(
    location: Path | str, *, clock: Clock, read_only: bool = False, server_time: bool = True
) -> AsyncIterator[Store]:
    """Open the state database, bring its schema up to date, and close it at the end.

    Args:
        location: A SQLite file (made if it does not exist, mode 0600), or a `postgresql://` URL.
        clock: Measures leases, except where the server does.
        read_only: Only read, beside the process that owns the database; nothing is migrated.
        server_time: PostgreSQL's leases by its own clock; False measures them by `clock`.

    Raises:
        StoreBusy: Another process holds the file.
        MigrationError: The schema is newer than this program, or cannot be brought up to date.
        StoreError: It cannot be opened, or is damaged; it is never made anew over what is there.
    """
    scheme, separator, _ = str(location).partition("://")
    if not separator:
        opened = _open_file(Path(location), clock=clock, read_only=read_only)
    elif scheme.partition("+")[0] in _SCHEMES:
        opened = _open_server(
            str(location), clock=clock, read_only=read_only, server_time=server_time
        )
    else:
        raise StoreError(f"{scheme}: not a known database. Give a file, or a postgresql:// URL")
    async with opened as store:
        yield store


@asynccontextmanager
async def _open_file(path: Path, *, clock: Clock, read_only: bool) -> AsyncIterator[SqlStore]:
    _require_place(path, read_only=read_only)
    if read_only:
        reader = Lane(sqlite_reader(path, mode="ro"), path=str(path), clock=clock)
        async with _closing(reader):
            schema = await reader.run(partial(_known_schema, path=str(path)))
            origin = _Origin(path=str(path), schema=schema, file=path)
            yield SqlStore(writer=None, reader=reader, clock=clock, origin=origin)
        return
    lock = LockFile(path)
    try:
        identity = _make_private(path)
        writer = Lane(
            sqlite_writer(path),
            path=str(path),
            clock=clock,
            before=partial(_require_same_file, path, identity),
        )
        reader = Lane(sqlite_reader(path), path=str(path), clock=clock)
        # The reader first: the connection that closes last checkpoints, and only one may ever.
        async with _closing(writer), _closing(reader):
            await writer.run(partial(_refuse_damaged, path=path))
            schema = await writer.run(partial(_migrate_file, path=path))
            # The lock is ours, so whoever claimed anything is gone.
            await writer.run(partial(end_leases, now_ms=to_epoch_ms(clock.now())))
            origin = _Origin(path=str(path), schema=schema, file=path)
            yield SqlStore(writer=writer, reader=reader, clock=clock, origin=origin)
    finally:
        lock.release()


@asynccontextmanager
async def _open_server(
    location: str, *, clock: Clock, read_only: bool, server_time: bool
) -> AsyncIterator[SqlStore]:
    scheme, _, rest = location.partition("://")
    url = sa.make_url(f"{_SCHEMES[scheme.partition('+')[0]]}://{rest}")
    path = url.render_as_string(hide_password=True)
    writer = None if read_only else Lane(postgres(url), path=path, clock=clock)
    reader = Lane(postgres(url), path=path, clock=clock)
    async with _closing(writer), _closing(reader):
        if writer is None:
            schema = await reader.run(partial(_known_schema, path=path))
        else:
            schema = await writer.run(partial(migrate, path=path))
        origin = _Origin(path=path, schema=schema)
        yield SqlStore(
            writer=writer, reader=reader, clock=clock, origin=origin, server_time=server_time
        )


@asynccontextmanager
async def _closing(lane: Lane | None) -> AsyncIterator[None]:
    try:
        yield
    finally:
        if lane is not None:
            await lane.close()


def _require_place(path: Path, *, read_only: bool) -> None:
    if not path.parent.is_dir():
        raise StoreError(f"{path.parent}: no such folder. Make it, or change store.url")
    if read_only and not path.exists():
        raise StoreError(f"{path}: there is no database yet. Start the service once")


def _make_private(path: Path) -> tuple[int, int]:
    """Make the file if there is none, let only its owner read it, and return its identity."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as exc:
        raise StoreError(f"{path}: cannot be written: {exc.strerror}") from exc
    return status.st_dev, status.st_ino


def _require_same_file(path: Path, identity: tuple[int, int]) -> None:
    """Raise StoreError if the file was moved, deleted or replaced while it is open."""
    try:
        status = path.stat()
    except OSError as exc:
        raise StoreError(f"{path}: the open database is gone: {exc.strerror}. Stop") from exc
    if (status.st_dev, status.st_ino) != identity:
        raise StoreError(f"{path}: the open database was replaced by another file. Stop and look")


def _refuse_damaged(connection: sa.Connection, *, path: Path) -> None:
    if path.stat().st_size > CHECKED_ON_OPEN_BYTES:
        return
    verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if verdict != "ok":
        raise StoreError(f"{path}: the database is damaged. {RECOVERY.format(path=path)}")


def _migrate_file(connection: sa.Connection, *, path: Path) -> str:
    before = current_revision(connection)
    refuse_newer(before, path=str(path))
    if before is not None and before != head_revision():
        _back_up(path, path.with_name(f"{path.name}.{before}.backup"))
    return migrate(connection, path=str(path))


def _back_up(path: Path, target: Path) -> None:
    """Copy the committed state beside the file before its schema changes."""
    source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    copy = sqlite3.connect(target)
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()
    target.chmod(0o600)


def _known_schema(connection: sa.Connection, *, path: str) -> str:
    """Return the revision; raises MigrationError unless it is the one this program knows."""
    current = current_revision(connection)
    refuse_newer(current, path=path)
    if current is None or current != head_revision():
        raise MigrationError(f"{path}: its schema is older than this program. Start the service")
    return current
