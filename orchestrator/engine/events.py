"""Events in memory: one frame of text columns, sorted by time, with both timestamps as numbers.

Files are read line by line: a line that is not a JSON object is counted and named, never silently
lost. Nested JSON becomes `a.b` and `a[0]`; FDR records get the names they have in LogScale.
Source: library.humio.com, data-analysis/functions-parsejson.html,
searching-data-event-fields.html.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from orchestrator.cql.nodes import Pipeline
from orchestrator.engine.patterns.globs import format_number
from orchestrator.engine.sources.files import EventFile, Packing, Skipped, find_files, read_chunks
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
MAX_FIELDS = 10_000
"""Fields of one event; LogScale keeps 1,000."""
TOO_LONG = "the line is longer than an event can be"
FDR_NAMES = {"event_simpleName": "#event_simpleName", "timestamp": TIMESTAMP}
"""Falcon Data Replicator's names and LogScale's for the same."""
ALWAYS_THERE = frozenset((TIMESTAMP, INGEST_TIMESTAMP, EVENT_ID, RAWSTRING))
"""Fields that every event has, whether its line spells them or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Events sorted by `@timestamp`, oldest first; equal times keep the order they came in."""

    frame: pl.DataFrame
    problems: tuple[str, ...] = ()
    """What could not be read, the first of it by place and reason."""
    lines_skipped: int = 0

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, str]]) -> Events:
        """Return events from flat rows of text; what LogScale always sets is added if absent."""
        found = list(rows)
        return cls.from_frame(frame_of(found), count=len(found))

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
        """Read event files whole into memory: NDJSON, plain or packed, and Parquet.

        Raises:
            OSError: A file cannot be read.
            CqlSemanticError: A timestamp of a Parquet file is not a number of milliseconds.
        """
        given = [paths] if isinstance(paths, Path | str) else paths
        frames, skipped = [], Skipped()
        for file in find_files(given):
            if file.packing is Packing.PARQUET:
                rows = parquet_rows(pl.read_parquet(file.path))
            else:
                rows = _rows_of(file, skipped)
            frames.append(cls.from_rows(rows).frame)
        frame = pl.concat(frames, how="diagonal") if frames else cls.from_rows(()).frame
        return cls(
            frame=frame.sort(TIME_MS, maintain_order=True),
            problems=tuple(skipped.problems),
            lines_skipped=skipped.lines,
        )

    @classmethod
    def from_times(cls, frame: pl.DataFrame | None, *, fields: Sequence[str] = ()) -> Events:
        """Return events whose fields are text and whose hidden times are known; None: no events.

        Without the hidden ingest time, events were ingested when they happened.
        """
        if frame is None:
            schema = dict.fromkeys(fields or (TIMESTAMP,), pl.String())
            frame = pl.DataFrame(schema=schema | dict.fromkeys((TIME_MS, INGEST_MS), pl.Int64()))
        if not frame.get_column(TIME_MS).is_sorted():
            frame = frame.sort(TIME_MS, maintain_order=True)
        if INGEST_MS not in frame.columns:
            frame = frame.with_columns(pl.col(TIME_MS).alias(INGEST_MS))
        return cls(frame=frame.with_columns(pl.col(TIME_MS).set_sorted()))

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field that some event has."""
        return tuple(name for name in self.frame.columns if not name.startswith(HIDDEN))

    def read(
        self, pipeline: Pipeline, start_ms: int, end_ms: int, *, use_ingest_time: bool
    ) -> pl.DataFrame:
        """Return the events of `[start_ms, end_ms)`, whichever pipeline asks."""
        del pipeline
        return self.between(start_ms, end_ms, use_ingest_time=use_ingest_time)

    def between(self, start_ms: int, end_ms: int, *, use_ingest_time: bool) -> pl.DataFrame:
        """Return the events of `[start_ms, end_ms)`, sorted by `@timestamp`."""
        if use_ingest_time:
            times = self.frame.get_column(INGEST_MS)
            return self.frame.filter((times >= start_ms) & (times < end_ms))
        times = self.frame.get_column(TIME_MS)
        first = int(times.search_sorted(start_ms, side="left"))
        last = int(times.search_sorted(end_ms, side="left"))
        return self.frame.slice(first, max(0, last - first))


def _rows_of(file: EventFile, skipped: Skipped) -> Iterator[dict[str, str]]:
    for chunk in read_chunks(file, skipped=skipped):
        lines = chunk.data.removesuffix(b"\n").split(b"\n")
        for number, data in enumerate(lines, start=chunk.first_line + 1):
            row = TOO_LONG if chunk.is_overlong else event_of_bytes(data)
            if isinstance(row, dict):
                yield row
            elif row is not None:
                skipped.note(f"{file.name}:{number}", row)


def event_of_bytes(data: bytes) -> dict[str, str] | str | None:
    """Return the event of one line of a file, what is wrong with it, or None for a blank line."""
    line = data.decode("utf-8", "replace").strip()
    return event_from_json(line) if line else None


def parquet_rows(frame: pl.DataFrame) -> Iterator[dict[str, str]]:
    """Yield the events of a Parquet file: nested columns flat, null absent, instants in ms."""
    frame = frame.with_columns(
        pl.selectors.datetime().dt.epoch("ms"), pl.selectors.float().cast(pl.Float64)
    )
    for record in frame.iter_rows(named=True):
        row = flatten(_without_absent(record))
        for old, new in FDR_NAMES.items():
            if old in row and new not in row:
                row[new] = row.pop(old)
        yield row


def _without_absent(value: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, item in value.items():
        if isinstance(item, float):
            found[name] = format_number(item)
        elif isinstance(item, bytes):
            found[name] = item.decode("utf-8", "replace")
        elif isinstance(item, Mapping):
            found[name] = _without_absent(item)
        elif isinstance(item, list):
            numbered = {str(place): element for place, element in enumerate(item)}
            found[name] = list(_without_absent(numbered).values())
        elif item is not None:
            found[name] = item
    return found


def frame_of(rows: Iterable[Mapping[str, str]]) -> pl.DataFrame:
    """Return rows as columns of text in order of first appearance; absent fields are null."""
    columns: dict[str, list[str | None]] = {}
    count = 0
    for row in rows:
        for name, text in row.items():
            cells = columns.setdefault(name, [])
            # Absent cells are made up for when the next one comes, not row by row.
            if len(cells) < count:
                cells.extend([None] * (count - len(cells)))
            cells.append(text)
        count += 1
    for cells in columns.values():
        cells.extend([None] * (count - len(cells)))
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String), strict=False)


def event_from_json(line: str) -> dict[str, str] | str:
    """Return the flat event of one JSON line in LogScale's names, or what is wrong with it.

    Of two members of one name the first counts.
    """
    try:
        record = _DECODER.decode(line)
    except json.JSONDecodeError as exc:
        return f"not JSON: {exc.msg} at character {exc.pos + 1}"
    except (ValueError, RecursionError) as exc:
        return f"not JSON: {exc}"
    if not isinstance(record, dict):
        return "not a JSON object"
    row = flatten(record)
    if len(row) > MAX_FIELDS:
        return f"more than {MAX_FIELDS} fields"
    for old, new in FDR_NAMES.items():
        if old in row and new not in row:
            row[new] = row.pop(old)
    row.setdefault(RAWSTRING, line.strip())
    if "\\u" in line:
        # JSON can spell half a surrogate pair, which no UTF-8 text can hold.
        row = {_encodable(name): _encodable(text) for name, text in row.items()}
    stamp = row.get(TIMESTAMP)
    if stamp is not None and not _WHOLE_NUMBER.match(stamp):
        return not_a_time(stamp)
    return row


def not_a_time(text: str) -> str:
    """Return what is wrong with an event whose `@timestamp` is this text."""
    return f"{TIMESTAMP} is not a number of milliseconds: {text[:40]!r}"


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else dict(reversed(pairs))


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not a JSON value")


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}\Z")
_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=str, parse_float=str, parse_constant=_no_constant
)


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


def _with_metadata(frame: pl.DataFrame) -> pl.DataFrame:
    """Add what each event has in LogScale: ingest time, raw text and an id."""
    stamp = pl.col(TIMESTAMP)
    ingest = pl.col(INGEST_TIMESTAMP) if INGEST_TIMESTAMP in frame.columns else None
    frame = frame.with_columns(stamp.fill_null("0"))
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
