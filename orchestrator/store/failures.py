"""What the drivers' exceptions become: decided here once, by code, never by text.

SQLite carries its extended result code, PostgreSQL its five-letter SQLSTATE.
Source: sqlite.org/rescode.html; PostgreSQL manual, appendix "Error Codes".
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError

from orchestrator.errors import StoreBusy, StoreConflict, StoreError, StoreFull

_RETRYABLE_STATES = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, deadlock, lock not available: the same transaction may succeed now."""
_CONNECTION_CLASSES = ("08", "57P")
"""Connection exceptions; the server is stopping, or someone ended the session."""
_FULL_STATES = frozenset({"53100"})
# A full disk shows as SQLITE_FULL, but as an I/O error where a quota or a file size limit stops
# the write, or where the shared-memory file cannot grow.
_FULL_CODES = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
)
_CORRUPT_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

RECOVERY = (
    "It was left as it is. Stop the service, copy the file away, then restore the newest backup, "
    "or rescue what is readable with `sqlite3 {path} .recover`. A window after the restored state "
    "is searched again by itself"
)


def is_retryable(exc: DBAPIError) -> bool:
    """Return whether the whole transaction should be tried again on a fresh connection."""
    state = _sqlstate(exc)
    lost = exc.connection_invalidated or (state or "").startswith(_CONNECTION_CLASSES)
    return state in _RETRYABLE_STATES or lost


def is_duplicate(exc: DBAPIError) -> bool:
    """Return whether a unique key refused the row."""
    code = getattr(exc.orig, "sqlite_errorcode", None)
    return _sqlstate(exc) == "23505" or code in {
        sqlite3.SQLITE_CONSTRAINT_UNIQUE,
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    }


def translate(exc: DBAPIError, *, path: str) -> StoreError:
    """Return our error for a driver's; the caller raises it `from exc`."""
    if is_duplicate(exc):
        return StoreConflict(f"{path}: another writer stored the same row first")
    if isinstance(exc, IntegrityError):
        return StoreError(f"{path}: the row breaks a rule of the schema: {exc.orig}")
    code = getattr(exc.orig, "sqlite_errorcode", None)
    if code is not None:
        return _from_sqlite(code, exc, path=path)
    if _sqlstate(exc) in _FULL_STATES:
        return StoreFull(f"{path}: the server's disk is full. Free space; nothing was written")
    # The first line only: the driver appends hints and the statement's place below it.
    problem = str(exc.orig).partition("\n")[0]
    return StoreError(f"{path}: the database server failed: {problem}")


def _from_sqlite(code: int, exc: DBAPIError, *, path: str) -> StoreError:
    if code in _FULL_CODES:
        return StoreFull(f"{path}: the disk is full. Free space; nothing was written")
    primary = code & 0xFF
    if primary in _CORRUPT_CODES:
        return StoreError(f"{path}: the database is damaged. {RECOVERY.format(path=path)}")
    if primary == sqlite3.SQLITE_BUSY:
        return StoreBusy(
            f"{path}: another program holds the database locked. Close it, or wait for its end"
        )
    if primary == sqlite3.SQLITE_READONLY:
        return StoreError(f"{path}: the database cannot be written. Check the file system's mode")
    return StoreError(f"{path}: the database failed: {exc.orig}")


def _sqlstate(exc: DBAPIError) -> str | None:
    state: str | None = getattr(exc.orig, "sqlstate", None)
    return state
