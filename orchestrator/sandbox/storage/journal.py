"""What survives a crash: events as append-only NDJSON, everything else as small JSON files.

An append returns only once its bytes are on disk. A kill in the middle leaves a torn last line,
which the next start cuts off: its batch was never acknowledged. A JSON file is replaced whole, so
it is the old or the new one. One process holds a data directory at a time.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from orchestrator.errors import StoreBusy, StoreFull

_BLOCK_BYTES = 1 << 20
_READ_BYTES = 64 << 20


class Journal:
    """A data directory, locked for as long as this object is open."""

    def __init__(self, directory: Path) -> None:
        """Lock `directory`, made if absent.

        Raises:
            StoreBusy: Another process holds it.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._lock = (directory / "lock").open("w", encoding="ascii")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            self._lock.close()
            raise StoreBusy(f"another process holds {directory}") from exc

    def close(self) -> None:
        """Release the directory."""
        self._lock.close()

    def append(self, repository: str, frame: pl.DataFrame) -> None:
        """Write the events of `frame` and wait until the disk has them.

        Raises:
            StoreFull: The disk took only a part; the file is as it was before.
        """
        self._append(self._events(repository), frame.write_ndjson().encode())

    def _append(self, path: Path, content: bytes) -> None:
        rest = memoryview(content)
        is_new = not path.exists()
        # Unbuffered: a buffer would be flushed once more on close, behind the truncation.
        with path.open("ab", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            try:
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError as exc:
                file.truncate(before)
                raise StoreFull(f"{path.name} cannot grow: {exc.strerror}") from exc
        if is_new:
            _sync_directory(path.parent)

    def load(self, repository: str) -> Iterator[pl.DataFrame]:
        """Yield the repository's events in file order; a torn last line is cut off first."""
        path = self._events(repository)
        if not path.exists():
            return
        _cut_torn_line(path)
        for block in _line_blocks(path):
            frame = pl.read_ndjson(io.BytesIO(block), infer_schema_length=None)
            # A column without any value has no type of its own.
            yield frame.cast(pl.String)

    def forget(self, repository: str) -> None:
        """Remove the repository's events for good."""
        self._events(repository).unlink(missing_ok=True)

    def save_json(self, name: str, value: object) -> None:
        """Replace the file `name` by `value` as JSON, atomically.

        Raises:
            StoreFull: The disk is full; the old file stays.
        """
        self._replace(name, json.dumps(value, indent=1).encode())

    def load_json(self, name: str) -> object:
        """Return what `save_json` wrote last, None before the first time."""
        path = self._directory / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def append_line(self, name: str, value: object) -> None:
        """Append one line of JSON to the log `name` and wait until the disk has it.

        Raises:
            StoreFull: The disk took only a part; the file is as it was before.
        """
        self._append(self._directory / name, json.dumps(value).encode() + b"\n")

    def save_lines(self, name: str, values: Sequence[object]) -> None:
        """Replace the log `name` by these lines, atomically.

        Raises:
            StoreFull: The disk is full; the old file stays.
        """
        self._replace(name, "".join(json.dumps(value) + "\n" for value in values).encode())

    def load_lines(self, name: str) -> list[object]:
        """Return the lines of the log `name`; a torn last one is cut off first."""
        path = self._directory / name
        if not path.exists():
            return []
        _cut_torn_line(path)
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def save_mail(self, name: str, content: bytes, *, keep: int) -> None:
        """Keep a mail; beyond `keep` of them the first by name go.

        Raises:
            StoreFull: The disk is full.
        """
        folder = self._directory / "mail"
        folder.mkdir(exist_ok=True)
        self._replace(f"mail/{name}", content)
        for path in sorted(folder.glob("*.eml"))[:-keep]:
            path.unlink()

    def load_mails(self) -> dict[str, bytes]:
        """Return the mails that are kept, by name."""
        return {path.name: path.read_bytes() for path in (self._directory / "mail").glob("*.eml")}

    def save_blob(self, name: str, content: bytes) -> None:
        """Keep `content` under its hash `name`, once.

        Raises:
            StoreFull: The disk is full.
        """
        path = self._directory / "files" / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            self._replace(f"files/{name}", content)

    def load_blob(self, name: str) -> bytes:
        """Return the content that was kept under `name`."""
        return (self._directory / "files" / name).read_bytes()

    def _replace(self, name: str, content: bytes) -> None:
        path = self._directory / name
        draft = path.with_name(f"{path.name}.new")
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as exc:
            raise StoreFull(f"{path.name} cannot be written: {exc.strerror}") from exc
        _sync_directory(path.parent)

    def _events(self, repository: str) -> Path:
        # A repository's name may hold what a file's may not.
        name = "".join(c if c.isalnum() or c in "-_" else f"%{ord(c):x}" for c in repository)
        return self._directory / f"{name}.events.ndjson"


def _line_blocks(path: Path) -> Iterator[bytes]:
    """Yield whole lines, about `_READ_BYTES` at a time, so that loading needs little memory."""
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            yield block if block.endswith(b"\n") else block + file.readline()


def _cut_torn_line(path: Path) -> None:
    """Truncate the file behind its last whole line."""
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        position = end
        while position > 0:
            start = max(0, position - _BLOCK_BYTES)
            file.seek(start)
            newline = file.read(position - start).rfind(b"\n")
            if newline >= 0:
                position = start + newline + 1
                break
            position = start
        if position < end:
            file.truncate(position)
            os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    """Make a new name durable: fsync of the file alone does not cover its directory entry."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
