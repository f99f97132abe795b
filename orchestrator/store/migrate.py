"""Brings a database to the schema that this program knows, inside the caller's transaction.

Forward only. A schema that this program does not know is newer than it and refused: an old program
must not write into tables whose meaning it cannot know.
"""

from __future__ import annotations

import threading
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.errors import MigrationError

SCRIPTS = Path(__file__).parent / "migrations"

# Alembic keeps the running step in module-level proxies, so that only one may run at a time.
_ONE_AT_A_TIME = threading.Lock()
_ADVISORY_KEY = 0x6F72_6368
"""Any number, the same for every replica: they migrate one after the other."""


def current_revision(connection: sa.Connection) -> str | None:
    """Return the database's revision; None for an empty database."""
    return MigrationContext.configure(connection).get_current_revision()


def head_revision(scripts: Path = SCRIPTS) -> str:
    """Return the revision that this program writes."""
    head = ScriptDirectory(str(scripts)).get_current_head()
    if head is None:
        raise MigrationError(f"{scripts}: the program was installed without its schema")
    return head


def migrate(connection: sa.Connection, *, path: str, scripts: Path = SCRIPTS) -> str:
    """Apply the missing steps and return the revision reached; the caller commits.

    Raises:
        MigrationError: The schema is newer than this program, or a step failed.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_KEY)))
    head = head_revision(scripts)
    current = current_revision(connection)
    refuse_newer(current, path=path, scripts=scripts)
    if current == head:
        return head
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    try:
        with _ONE_AT_A_TIME:
            command.upgrade(config, "head")
    except (CommandError, SQLAlchemyError) as exc:
        raise MigrationError(
            f"{path}: the change of schema from {current or 'nothing'} to {head} failed and was "
            f"rolled back: {exc}"
        ) from exc
    return head


def refuse_newer(current: str | None, *, path: str, scripts: Path = SCRIPTS) -> None:
    """Raise MigrationError if `current` is a revision that this program does not know."""
    known = {step.revision for step in ScriptDirectory(str(scripts)).walk_revisions()}
    if current is not None and current not in known:
        raise MigrationError(
            f"{path}: its schema {current} is newer than this program, which knows up to "
            f"{head_revision(scripts)}. Install the newer version, or restore the backup from "
            "before the upgrade"
        )
