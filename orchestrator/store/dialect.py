"""The few statements that SQLAlchemy spells per database; both databases know all of them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

Insert = postgresql.Insert | sqlite.Insert


def insert(connection: sa.Connection, table: sa.Table) -> Insert:
    """Return an INSERT that can say what to do on conflict."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def server_now_ms(connection: sa.Connection) -> int:
    """Return PostgreSQL's time in epoch ms, which moves inside a transaction unlike `now()`."""
    statement = sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
    return int(connection.execute(statement).scalar_one())
