"""Alembic's entry: runs the steps on the connection, and in the transaction, that it is given."""

from __future__ import annotations

from alembic import context


def run() -> None:
    """Apply the steps; the caller commits, so that a failing step leaves nothing behind."""
    context.configure(connection=context.config.attributes["connection"])
    context.run_migrations()


run()
