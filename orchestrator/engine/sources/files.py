"""Event files: which there are, and their bytes in chunks of whole lines, however they are packed.

A file that cannot be read to its end gives what it has and names the place; it never stops the
others. What the bytes mean is for the callers.
"""

from __future__ import annotations

import glob
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import zstandard

CHUNK_BYTES = 8 << 20
"""Large enough to keep two cores busy, small enough that the allocator reuses the memory."""
_PACKED_BYTES = 256 << 10
"""Packed bytes at a time: zstd gives all that is in them at once."""
MAX_LINE_BYTES = 16 << 20
"""Longer lines are skipped and named: an event is at most 1 MB in LogScale."""
NAMED_PROBLEMS = 20
SUFFIXES = (".ndjson", ".jsonl", ".json", ".gz", ".zst", ".parquet")
"""What a folder is searched for; a file that is named itself may be called anything."""
UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Packing(StrEnum):
    """How a file holds its events, told by its first bytes."""

    PLAIN = "plain"
    GZIP = "gzip"
    ZSTD = "zstd"
    PARQUET = "parquet"


_MAGIC = (
    (b"\x1f\x8b", Packing.GZIP),
    (b"\x28\xb5\x2f\xfd", Packing.ZSTD),
    (b"PAR1", Packing.PARQUET),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFile:
    """One file of events."""

    path: Path
    packing: Packing
    size_bytes: int
    is_plain_utf8: bool = False
    """Not packed and not begun by a mark: its bytes are its lines."""

    @property
    def name(self) -> str:
        """Return its name without its folder."""
        return self.path.name


@dataclass(slots=True, kw_only=True)
class Skipped:
    """What could not be read: how many lines, and the first of them by place and reason."""

    lines: int = 0
    problems: list[str] = field(default_factory=list)

    def note(self, place: str, reason: str, *, lines: int = 1) -> None:
        """Count lines that are left out, or name what is wrong with a whole file (`lines=0`)."""
        self.lines += lines
        if len(self.problems) < NAMED_PROBLEMS:
            self.problems.append(f"{place}: {reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Whole lines of one file."""

    data: bytes
    first_line: int
    """The number of its first line in the file, from 0."""
    is_overlong: bool = False
    """One line that is too long to read; `data` is empty."""


def find_files(paths: Iterable[Path | str]) -> list[EventFile]:
    """Return the files that the paths name, each once, in the order given.

    A path is a file, a folder (searched to its depth for `SUFFIXES`, hidden files left out, in
    order of name) or a pattern with `*`, `?` or `[`.

    Raises:
        FileNotFoundError: A path names nothing.
        OSError: A file cannot be opened.
    """
    found: dict[Path, None] = {}
    for given in paths:
        path = Path(given)
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if _is_event_file(p, path))
        elif path.exists():
            inside = [path]
        else:
            inside = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - absolute patterns too
            inside = [p for p in inside if p.is_file()]
        if not inside:
            kind = "folder holds no event files" if path.is_dir() else "file does not exist"
            raise FileNotFoundError(2, f"the {kind}", str(path))
        found.update(dict.fromkeys(inside))
    return [_looked_at(path) for path in found]


def _is_event_file(path: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return not hidden and path.suffix in SUFFIXES and path.is_file()


def _looked_at(path: Path) -> EventFile:
    with path.open("rb") as file:
        first = file.read(4)
    packing = next((kind for magic, kind in _MAGIC if first.startswith(magic)), Packing.PLAIN)
    return EventFile(
        path=path,
        packing=packing,
        size_bytes=path.stat().st_size,
        is_plain_utf8=packing is Packing.PLAIN
        and path.is_file()
        and not first.startswith((UTF8_MARK, *_UTF16_MARKS)),
    )


def read_chunks(
    file: EventFile, *, skipped: Skipped, progress: Callable[[int], None] | None = None
) -> Iterator[Chunk]:
    """Yield the file's lines in chunks of about `CHUNK_BYTES`; only the last may lack its newline.

    Args:
        file: Anything but Parquet.
        skipped: Takes what is wrong with the file as a whole, such as a gzip that breaks off.
        progress: Is told how many bytes of the file have been read since the last call.

    Raises:
        OSError: The file cannot be opened or read.
    """
    with file.path.open("rb", buffering=0) as raw:
        blocks = _unpacked(raw, file, skipped, progress)
        yield from _whole_lines(blocks, file, skipped)


def _whole_lines(blocks: Iterator[bytes], file: EventFile, skipped: Skipped) -> Iterator[Chunk]:
    rest, number, is_first, is_overlong = b"", 0, True, False
    for read in blocks:
        block = read
        if is_first:
            is_first = False
            if block.startswith(_UTF16_MARKS):
                skipped.note(file.name, "UTF-16 text, left out; convert the file to UTF-8", lines=0)
                return
            block = block.removeprefix(UTF8_MARK)
        if is_overlong:
            # The rest of a line whose beginning was given already.
            end = block.find(b"\n") + 1
            if not end:
                continue
            block, is_overlong = block[end:], False
        cut = block.rfind(b"\n") + 1
        if cut:
            data = rest + block[:cut]
            rest = block[cut:]
            yield Chunk(data=data, first_line=number)
            number += data.count(b"\n")
        else:
            rest += block
        if len(rest) > MAX_LINE_BYTES:
            yield Chunk(data=b"", first_line=number, is_overlong=True)
            number, rest, is_overlong = number + 1, b"", True
    if rest:
        yield Chunk(data=rest, first_line=number)


def _unpacked(
    raw: BinaryIO, file: EventFile, skipped: Skipped, progress: Callable[[int], None] | None
) -> Iterator[bytes]:
    def read() -> bytes:
        block = raw.read(CHUNK_BYTES if file.packing is Packing.PLAIN else _PACKED_BYTES)
        if progress is not None and block:
            progress(len(block))
        return block

    match file.packing:
        case Packing.GZIP:
            yield from _gunzipped(read, file, skipped)
        case Packing.ZSTD:
            yield from _unzstd(read, file, skipped)
        case _:
            while block := read():
                yield block


def _gunzipped(read: Callable[[], bytes], file: EventFile, skipped: Skipped) -> Iterator[bytes]:
    """Unpack gzip of one member or more; padding of zeros behind the last is usual and allowed."""
    stream, pending, done = zlib.decompressobj(wbits=31), b"", 0
    while pending or (pending := read()):
        if stream.eof:
            pending = pending.lstrip(b"\0")
            if not pending:
                continue
            stream = zlib.decompressobj(wbits=31)
        try:
            out = stream.decompress(pending, CHUNK_BYTES)
        except zlib.error as exc:
            skipped.note(file.name, f"the gzip data is damaged after {done} bytes ({exc})", lines=0)
            return
        pending = stream.unused_data if stream.eof else stream.unconsumed_tail
        done += len(out)
        if out:
            yield out
    if not stream.eof:
        rest = stream.flush()
        if rest:
            yield rest
        done += len(rest)
        skipped.note(file.name, f"the gzip data breaks off after {done} bytes", lines=0)


def _unzstd(read: Callable[[], bytes], file: EventFile, skipped: Skipped) -> Iterator[bytes]:
    """Unpack zstd of one frame or more."""
    unpacker = zstandard.ZstdDecompressor()
    stream, pending, done = unpacker.decompressobj(), b"", 0
    while pending or (pending := read()):
        if stream.eof:
            stream = unpacker.decompressobj()
        try:
            out = stream.decompress(pending)
        except zstandard.ZstdError as exc:
            skipped.note(file.name, f"the zstd data is damaged after {done} bytes ({exc})", lines=0)
            return
        pending = stream.unused_data if stream.eof else b""
        done += len(out)
        for at in range(0, len(out), CHUNK_BYTES):
            yield out[at : at + CHUNK_BYTES]
    if not stream.eof:
        skipped.note(file.name, f"the zstd data breaks off after {done} bytes", lines=0)
