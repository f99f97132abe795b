"""Two ways to read a file of lines, the faster first.

Polars streams a plain file from the disk itself, looks for what the query needs and parses what may
matter, in one plan; a single line that looks like an event and is none makes it give up. Packed
files and those that Polars gives up go through chunks of bytes, parsed in threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from itertools import islice

import polars as pl

from orchestrator.engine.scan.lines import LINE, NUMBER, SAMPLE_LINES, LineReader, Parsed
from orchestrator.engine.sources.files import EventFile, Skipped, read_chunks

BATCH_EVENTS = 20_000
AHEAD = 3
"""Chunks that are parsed while earlier ones are gathered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the files of one scan have in common."""

    reader: LineReader
    skipped: Skipped
    progress: Callable[[int], None] | None

    def advance(self, size_bytes: int) -> None:
        """Tell how many bytes of a file were read."""
        if self.progress is not None and size_bytes:
            self.progress(size_bytes)


class AnotherWay(Exception):
    """The file cannot be read in this way; what the way gave does not count."""


def ways_to_read(
    file: EventFile, number: int, reading: Reading, pool: Executor
) -> Iterator[Iterator[Parsed]]:
    """Yield ways to read the file, to be tried in turn; the last always applies."""
    if file.is_plain_utf8:
        yield _streamed(file, number, reading)
    yield _chunks(file, number, reading, pool)


def _sample(file: EventFile) -> pl.DataFrame:
    with file.path.open("rb") as opened:
        lines = [line.decode("utf-8", "replace") for line in islice(opened, SAMPLE_LINES)]
    return pl.DataFrame({LINE: lines}, schema={LINE: pl.String})


def _streamed(file: EventFile, number: int, reading: Reading) -> Iterator[Parsed]:
    reader = reading.reader
    scan = pl.scan_lines(file.path, name=LINE, row_index_name=NUMBER, glob=False)
    if reader.is_selective(_sample(file)):
        # The last line comes in any case: its number says how many there are.
        scan = scan.filter(reader.may_matter() | (pl.col(LINE) == _last_line(file)))
    seen = 0
    try:
        for batch in reader.decoded(scan).collect_batches(
            chunk_size=BATCH_EVENTS, maintain_order=True, engine="streaming"
        ):
            parsed = reader.parse(batch, file_number=number)
            # Lines between the chosen ones are events that cannot matter.
            last = batch.get_column(NUMBER).max()
            between = last + 1 - seen - batch.height if isinstance(last, int) else 0
            seen += between + batch.height
            yield replace(parsed, events=parsed.events + between)
    except pl.exceptions.ComputeError as exc:
        raise AnotherWay from exc
    reading.advance(file.size_bytes)


def _chunks(file: EventFile, number: int, reading: Reading, pool: Executor) -> Iterator[Parsed]:
    """Parse a file's chunks in threads, a few ahead, and give them back in order."""
    pending: deque[Future[Parsed]] = deque()
    try:
        for chunk in read_chunks(file, skipped=reading.skipped, progress=reading.progress):
            pending.append(pool.submit(reading.reader.parse_chunk, chunk, file_number=number))
            if len(pending) > AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


def _last_line(file: EventFile) -> str:
    """Return the end of the file as a line; only one that is whole is ever found again."""
    with file.path.open("rb") as opened:
        opened.seek(max(0, file.size_bytes - (1 << 20)))
        lines = opened.read().rstrip(b"\r\n").rsplit(b"\n", 1)
    return lines[-1].removesuffix(b"\r").decode("utf-8", "replace")
