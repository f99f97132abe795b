"""How a database is reached: SQLite through one connection that writes, PostgreSQL through a pool.

A `Lane` is an engine with one thread: whatever is submitted runs there in turn, each piece in one
transaction, so that the event loop never waits for a disk and SQLite never sees two writers. A
network call cannot happen inside a transaction, since work on a lane is plain synchronous code.

SQLite's WAL with `synchronous=FULL`: a commit that returned survives a power cut. Every writing
transaction begins IMMEDIATE: one that starts by reading would fail at once, without waiting, if
another connection wrote in between.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from orchestrator.clock import Clock
from orchestrator.errors import StoreError
from orchestrator.store.failures import is_retryable, translate

T = TypeVar("T")

BUSY_TIMEOUT_S = 10.0
"""How long SQLite waits for a foreign program's lock, such as a backup."""
_TRIES = 3
_PAUSE = timedelta(milliseconds=100)
# Per transaction rather than per session, so that a transaction-mode pooler may sit in between.
_POSTGRES_LIMITS = (
    "SET LOCAL statement_timeout = '30s'; SET LOCAL lock_timeout = '10s'; "
    "SET LOCAL idle_in_transaction_session_timeout = '60s'"
)


class Lane:
    """One thread that runs transactions on one engine, in the order they were submitted.

    Args:
        before: Called in the thread ahead of each transaction; raises StoreError to refuse it.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        path: str,
        clock: Clock,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine, self._path, self._clock, self._before = engine, path, clock, before
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def run(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` in a transaction of its own: committed if it returns, else rolled back.

        A deadlock or a lost connection is tried again up to three times, so `work` must be
        harmless to repeat after a commit whose answer was lost.

        Raises:
            StoreError: Whatever the driver raised, translated.
        """
        loop = asyncio.get_running_loop()
        for attempt in range(1, _TRIES + 1):
            try:
                return await loop.run_in_executor(self._thread, self._transact, work)
            except DBAPIError as exc:
                if attempt == _TRIES or not is_retryable(exc):
                    raise translate(exc, path=self._path) from exc
            await self._clock.sleep(_PAUSE * attempt)
        raise AssertionError("the last try returns or raises")

    async def close(self) -> None:
        """Wait for what was submitted, then close the connections."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown(wait=False)

    def _transact(self, work: Callable[[sa.Connection], T]) -> T:
        self._before()
        with self._engine.begin() as connection:
            return work(connection)


def sqlite_writer(path: Path) -> sa.Engine:
    """Return the engine of the one connection that writes and checkpoints."""
    engine = _sqlite_engine(partial(_open_sqlite, path, mode="rwc"), begin="BEGIN IMMEDIATE")

    @sa.event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    return engine


def sqlite_reader(path: Path, *, mode: str = "rw") -> sa.Engine:
    """Return the engine of a connection that can only read and never checkpoints.

    The mode is `ro` where another process owns the database, so that closing cannot checkpoint.
    """
    engine = _sqlite_engine(partial(_open_sqlite, path, mode=mode), begin="BEGIN")

    @sa.event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 0")

    return engine


def _sqlite_engine(opener: Callable[[], sqlite3.Connection], *, begin: str) -> sa.Engine:
    engine = sa.create_engine("sqlite+pysqlite://", creator=opener, poolclass=StaticPool)

    @sa.event.listens_for(engine, "begin")
    def begin_transaction(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _open_sqlite(path: Path, *, mode: str) -> sqlite3.Connection:
    # No implicit transactions: the driver's own would begin deferred.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_TIMEOUT_S,
        cached_statements=256,
    )
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA mmap_size = 0")
    return connection


def postgres(url: sa.URL) -> sa.Engine:
    """Return an engine of one connection, made again when it breaks.

    Raises:
        StoreError: The driver is not installed.
    """
    try:
        engine = sa.create_engine(
            url,
            pool_size=1,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={
                "application_name": "orchestrator",
                "connect_timeout": 10,
                "keepalives": 1,
                "keepalives_idle": 30,
                # Prepared statements live in the session, which a pooler may change.
                "prepare_threshold": None,
            },
        )
    except ModuleNotFoundError as exc:
        raise StoreError(
            "PostgreSQL needs its driver. Install it with `pip install 'orchestrator[postgres]'`"
        ) from exc

    @sa.event.listens_for(engine, "begin")
    def limit(connection: sa.Connection) -> None:
        connection.exec_driver_sql(_POSTGRES_LIMITS)

    return engine
