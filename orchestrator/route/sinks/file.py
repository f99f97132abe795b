"""Appends each message as one JSON line, on disk before it counts as sent.

A line that a crash cut short is closed by the next write, and a message whose record was lost is
looked for before it is written again. Readers that want to be sure deduplicate by `id`.
"""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from orchestrator.errors import DeliveryError
from orchestrator.ids import EntryId
from orchestrator.model.notification import DeliveryReason, Notification
from orchestrator.route.payload import encode, payload
from orchestrator.route.sinks.base import Failed, Outcome, Sent

_TAIL_BYTES = 4_194_304


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettings:
    """Where the lines go."""

    path: Path
    """Created with mode 0600 if it is not there; its folder must be."""


class FileSink:
    """Appends NDJSON to one regular file."""

    pace = timedelta(0)

    def __init__(self, settings: FileSettings) -> None:
        self._path = settings.path

    async def send(
        self, notification: Notification, *, entry_id: EntryId, reference: str, maybe_sent: bool
    ) -> Outcome:
        """Append one line and flush it to the disk."""
        del reference
        line = encode(payload(notification, entry_id=entry_id))
        return await asyncio.to_thread(self._append, line, entry_id, maybe_sent)

    async def check(self) -> str:
        """Say where it writes; raises DeliveryError if that cannot be written."""
        folder = self._path.parent
        if self._path.exists():
            usable = self._path.is_file() and os.access(self._path, os.W_OK)
        else:
            usable = folder.is_dir() and os.access(folder, os.W_OK)
        if not usable:
            raise DeliveryError(f"{self._path} cannot be written: check the folder and its rights")
        return f"appends to {self._path}"

    async def close(self) -> None:
        """Hold nothing open between two messages."""

    def _append(self, line: bytes, entry_id: EntryId, maybe_sent: bool) -> Outcome:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            handle = os.open(self._path, flags, 0o600)
        except OSError as exc:
            return Failed(DeliveryReason.MISCONFIGURED, f"cannot open the file: {exc.strerror}")
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return Failed(DeliveryReason.MISCONFIGURED, "the path is not a regular file")
            return _write(handle, line, entry_id, maybe_sent)
        finally:
            os.close(handle)


def _write(handle: int, line: bytes, entry_id: EntryId, maybe_sent: bool) -> Outcome:
    size = os.fstat(handle).st_size
    if maybe_sent:
        tail = os.pread(handle, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        marker = f'"id":"{entry_id}","sequence":'.encode()
        # Whole lines only: a torn one was not delivered.
        if any(marker in known for known in tail.split(b"\n")[:-1]):
            return Sent(f"file:{entry_id[:12]}")
    torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
    data = (b"\n" if torn else b"") + line + b"\n"
    try:
        written = 0
        while written < len(data):
            written += os.write(handle, data[written:])
        os.fsync(handle)
    except OSError as exc:
        os.ftruncate(handle, size)
        return Failed(DeliveryReason.SERVER_FAILED, f"cannot write the file: {exc.strerror}")
    return Sent(f"file:{entry_id[:12]}")
