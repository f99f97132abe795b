"""Events in memory: one frame of text columns, sorted by time, with both timestamps as numbers.

Files are read line by line: a line that is not a JSON object is counted and named, never silently
lost. Nested JSON becomes `a.b` and `a[0]`; FDR records get the names they have in LogScale.
Source: library.humio.com, data-analysis/functions-parsejson.html,
searching-data-event-fields.html.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import polars as pl
import zstandard

from orchestrator.errors import CqlSemanticError

TIMESTAMP, INGEST_TIMESTAMP, EVENT_ID, RAWSTRING = (
    "@timestamp",
    "@ingesttimestamp",
    "@id",
    "@rawstring",
)
TIME_MS, INGEST_MS = "\x00time", "\x00ingest"
"""Hidden columns: the two timestamps as Int64 milliseconds."""
HIDDEN = "\x00"
NAMED_PROBLEMS = 20
_FDR_NAMES = {"event_simpleName": "#event_simpleName", "timestamp": TIMESTAMP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Events sorted by `@timestamp`, oldest first; equal times keep the order they came in."""

    frame: pl.DataFrame
    problems: tuple[str, ...] = ()
    """Lines that were left out, the first `NAMED_PROBLEMS` by place."""
    lines_skipped: int = 0

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, str]]) -> Events:
        """Return events from flat rows of text; what LogScale always sets is added if absent."""
        columns: dict[str, list[str | None]] = {}
        count = 0
        for row in rows:
            for name, text in row.items():
                if name not in columns:
                    columns[name] = [None] * count
                columns[name].append(text)
            count += 1
            for cells in columns.values():
                if len(cells) < count:
                    cells.append(None)
        schema = dict.fromkeys(columns, pl.String)
        return cls.from_frame(pl.DataFrame(columns, schema=schema, strict=False), count=count)

    @classmethod
    def from_frame(cls, frame: pl.DataFrame, *, count: int | None = None) -> Events:
        """Return the events of a frame; every column becomes text, null is absent.

        Raises:
            CqlSemanticError: A `@timestamp` is not a number of milliseconds.
        """
        names = [name for name in frame.columns if not name.startswith(HIDDEN)]
        frame = frame.select(pl.col(name).cast(pl.String) for name in names)
        height = frame.height if names else (count or 0)
        if TIMESTAMP not in frame.columns:
            stamps = pl.Series(TIMESTAMP, ["0"] * height, dtype=pl.String)
            frame = frame.with_columns(stamps) if names else pl.DataFrame([stamps])
        frame = _with_metadata(frame)
        return cls(frame=_with_times(frame))

    @classmethod
    def scan(cls, paths: Path | str | Sequence[Path | str]) -> Events:
        """Read event files by their suffix: NDJSON (`.gz`, `.zst` packed) or Parquet.

        Raises:
            OSError: A file cannot be read.
            CqlSemanticError: A timestamp is not a number of milliseconds.
        """
        files = [Path(paths)] if isinstance(paths, Path | str) else [Path(path) for path in paths]
        frames, reading = [], _Reading()
        for path in files:
            if path.suffix == ".parquet":
                frame = pl.read_parquet(path)
                renames = {k: v for k, v in _FDR_NAMES.items() if k in frame.columns}
                frames.append(cls.from_frame(frame.rename(renames)).frame)
            else:
                frames.append(cls.from_rows(reading.rows(path)).frame)
        frame = pl.concat(frames, how="diagonal") if frames else cls.from_rows(()).frame
        return cls(
            frame=frame.sort(TIME_MS, maintain_order=True),
            problems=tuple(reading.problems),
            lines_skipped=reading.skipped,
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field that some event has."""
        return tuple(name for name in self.frame.columns if not name.startswith(HIDDEN))

    def between(self, start_ms: int, end_ms: int, *, use_ingest_time: bool) -> pl.DataFrame:
        """Return the events of `[start_ms, end_ms)`, sorted by `@timestamp`."""
        if use_ingest_time:
            times = self.frame.get_column(INGEST_MS)
            return self.frame.filter((times >= start_ms) & (times < end_ms))
        times = self.frame.get_column(TIME_MS)
        first = int(times.search_sorted(start_ms, side="left"))
        last = int(times.search_sorted(end_ms, side="left"))
        return self.frame.slice(first, max(0, last - first))


@dataclass(slots=True, kw_only=True)
class _Reading:
    """Reads NDJSON files and keeps count of what it could not read."""

    problems: list[str] = field(default_factory=list)
    skipped: int = 0

    def rows(self, path: Path) -> Iterator[dict[str, str]]:
        with _open(path) as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                row = event_from_json(line)
                if isinstance(row, dict):
                    yield row
                    continue
                self.skipped += 1
                if len(self.problems) < NAMED_PROBLEMS:
                    self.problems.append(f"{path.name}:{number}: {row}")


def event_from_json(line: str) -> dict[str, str] | str:
    """Return the flat event of one JSON line in LogScale's names, or what is wrong with it."""
    try:
        record = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError) as exc:
        return f"not JSON: {exc}"
    if not isinstance(record, dict):
        return "not a JSON object"
    row = flatten(record)
    for old, new in _FDR_NAMES.items():
        if old in row and new not in row:
            row[new] = row.pop(old)
    row.setdefault(RAWSTRING, line.strip())
    stamp = row.get(TIMESTAMP)
    if stamp is not None and not stamp.removeprefix("-").isdecimal():
        return f"{TIMESTAMP} is not a number of milliseconds: {stamp[:40]!r}"
    return row


def flatten(record: Mapping[str, object]) -> dict[str, str]:
    """Return nested JSON as flat text: members `a.b`, elements `a[0]`, null as the text `null`."""
    row: dict[str, str] = {}
    pending: list[tuple[str, object]] = list(reversed(list(record.items())))
    while pending:
        name, value = pending.pop()
        if isinstance(value, dict):
            pending.extend(reversed([(f"{name}.{key}", item) for key, item in value.items()]))
        elif isinstance(value, list):
            pending.extend(reversed([(f"{name}[{i}]", item) for i, item in enumerate(value)]))
        elif value is None:
            row[name] = "null"
        elif isinstance(value, bool):
            row[name] = "true" if value else "false"
        else:
            row[name] = str(value)
    return row


def _open(path: Path) -> IO[str]:
    match path.suffix:
        case ".gz":
            return io.TextIOWrapper(gzip.open(path, "rb"), encoding="utf-8", errors="replace")
        case ".zst":
            stream = zstandard.ZstdDecompressor().stream_reader(
                path.open("rb"), read_across_frames=True, closefd=True
            )
            return io.TextIOWrapper(stream, encoding="utf-8", errors="replace")
        case _:
            return path.open(encoding="utf-8", errors="replace")


def _with_metadata(frame: pl.DataFrame) -> pl.DataFrame:
    """Add what each event has in LogScale: ingest time, raw text and an id."""
    stamp = pl.col(TIMESTAMP)
    ingest = pl.col(INGEST_TIMESTAMP) if INGEST_TIMESTAMP in frame.columns else None
    frame = frame.with_columns(
        (stamp if ingest is None else ingest.fill_null(stamp)).alias(INGEST_TIMESTAMP)
    )
    frame = _fill(frame, RAWSTRING, lambda rows: [json.dumps(row) for row in rows])
    return _fill(frame, EVENT_ID, lambda rows: [_derived_id(i, row) for i, row in enumerate(rows)])


def _fill(
    frame: pl.DataFrame, name: str, make: Callable[[list[dict[str, str]]], list[str]]
) -> pl.DataFrame:
    """Fill the absent cells of one column from the rows that lack it."""
    if name not in frame.columns:
        frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(name))
    lacking = frame.get_column(name).is_null()
    if not lacking.any():
        return frame
    rows = frame.filter(lacking).iter_rows(named=True)
    made = make([{k: v for k, v in row.items() if v is not None} for row in rows])
    cells = frame.get_column(name).to_list()
    fresh = iter(made)
    filled = [next(fresh) if cell is None else cell for cell in cells]
    return frame.with_columns(pl.Series(name, filled, dtype=pl.String))


def _derived_id(index: int, row: Mapping[str, str]) -> str:
    text = f"{index}\x00{row.get(TIMESTAMP)}\x00{row.get(RAWSTRING)}"
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _with_times(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the hidden times and sort; already sorted frames are left as they are."""
    try:
        frame = frame.with_columns(
            pl.col(TIMESTAMP).cast(pl.Int64).fill_null(0).alias(TIME_MS),
            pl.col(INGEST_TIMESTAMP).cast(pl.Int64).fill_null(0).alias(INGEST_MS),
        )
    except pl.exceptions.InvalidOperationError as exc:
        raise CqlSemanticError("a timestamp is not a number of milliseconds") from exc
    if not frame.get_column(TIME_MS).is_sorted():
        frame = frame.sort(TIME_MS, maintain_order=True)
    return frame.with_columns(pl.col(TIME_MS).set_sorted())
