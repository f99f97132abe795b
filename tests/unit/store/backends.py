"""Every kind of store that can be had here; PostgreSQL only where a server is named.

`ORCHESTRATOR_TEST_POSTGRES` holds a `postgresql://` URL of a database in which schemas may be made.
Without it the parameter does not exist.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import sqlalchemy as sa

from orchestrator.clock import Clock
from orchestrator.store import MemoryStore, Store, open_store

POSTGRES = os.environ.get("ORCHESTRATOR_TEST_POSTGRES", "")
KINDS = ["memory", "sqlite", *(["postgres"] if POSTGRES else [])]


@asynccontextmanager
async def opened(kind: str, *, clock: Clock, folder: Path) -> AsyncIterator[Store]:
    """Open a new, empty store."""
    if kind == "memory":
        yield MemoryStore(clock)
    elif kind == "sqlite":
        async with open_store(folder / "state.db", clock=clock) as store:
            yield store
    else:
        with postgres_schema() as url:
            async with open_store(url, clock=clock, server_time=False) as store:
                yield store


@contextmanager
def postgres_schema() -> Iterator[str]:
    """Make a schema of its own on the test server and yield a URL that leads into it."""
    name = f"test_{secrets.token_hex(6)}"
    admin = sa.create_engine(sa.make_url(POSTGRES).set(drivername="postgresql+psycopg"))
    with admin.begin() as connection:
        connection.execute(sa.schema.CreateSchema(name))
    mark = "&" if "?" in POSTGRES else "?"
    try:
        yield f"{POSTGRES}{mark}options=-csearch_path%3D{name}"
    finally:
        with admin.begin() as connection:
            connection.execute(sa.schema.DropSchema(name, cascade=True))
        admin.dispose()
