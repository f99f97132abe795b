"""One process a database file: an exclusive lock on `<file>.lock`, gone when the process is.

Two processes that write or checkpoint one WAL database can damage it (SQLite 3.7.0 to 3.51.2), and
two services on one file would only fight. The kernel drops the lock however the process ends; the
lock file itself stays, since removing it would let two processes lock two different files.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from orchestrator.errors import StoreBusy, StoreError


class LockFile:
    """Holds the lock from construction to `release`.

    Raises:
        StoreBusy: Another process holds it; the text names it.
        StoreError: The file cannot be made.
    """

    def __init__(self, database: Path) -> None:
        path = database.with_name(f"{database.name}.lock")
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise StoreError(f"{path}: cannot make the lock file: {exc.strerror}") from exc
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            holder = os.read(self._descriptor, 32).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            who = f"process {holder}" if holder else "another process"
            raise StoreBusy(
                f"{database}: {who} holds this database. Stop it, or give this one another "
                "store.url; several replicas need PostgreSQL"
            ) from exc
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Let others in."""
        os.close(self._descriptor)
