"""Parquet files of events, slice by slice: the columns that a query reads, as text.

A column of texts or plain values is read as it is; a nested one is flattened event by event, like
JSON, and so is everything where a query wants whole events.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import polars as pl

from orchestrator.engine.events import (
    FDR_NAMES,
    INGEST_MS,
    INGEST_TIMESTAMP,
    RAWSTRING,
    TIME_MS,
    TIMESTAMP,
    frame_of,
    not_a_time,
    parquet_rows,
)
from orchestrator.engine.files import EventFile, Skipped
from orchestrator.engine.scan.lines import LINE, OFFSET, keys_of
from orchestrator.engine.scan.plan import ScanPlan
from orchestrator.engine.values import number_text

SLICE_EVENTS = 250_000


def read_parquet(
    file: EventFile,
    plan: ScanPlan,
    *,
    number: int,
    skipped: Skipped,
    progress: Callable[[int], None] | None,
) -> Iterator[tuple[pl.DataFrame, int]]:
    """Yield a file's events in slices, with how many events each slice was made of.

    A file that is damaged gives what came before the damage and is named.
    """
    try:
        scan = pl.scan_parquet(file.path)
        schema = scan.collect_schema()
        total = int(scan.select(pl.len()).collect().item())
        for at in range(0, total, SLICE_EVENTS):
            part = scan.slice(at, SLICE_EVENTS)
            if plan.keeps_lines or RAWSTRING in plan.columns or _is_nested(plan, schema):
                frame = _row_by_row(part.collect(), plan)
            else:
                frame = part.select(_text_of(field, schema) for field in plan.columns).collect()
            place = (number << 44) + at
            frame = frame.with_columns((pl.int_range(pl.len()) + place).alias(OFFSET))
            yield _timed(frame, file, at, skipped), frame.height
            if progress is not None:
                progress(file.size_bytes * frame.height // total)
    except pl.exceptions.PolarsError as exc:
        reason = str(exc).splitlines()[0][:200]
        skipped.note(file.name, f"the Parquet file cannot be read ({reason})", lines=0)


def _is_nested(plan: ScanPlan, schema: pl.Schema) -> bool:
    """Return whether a field that is read lies inside a nested column."""
    nested = [name for name, kind in schema.items() if kind.is_nested()]
    return any(
        field == name or field.startswith((f"{name}.", f"{name}["))
        for field in plan.columns
        for name in nested
    )


def _text_of(field: str, schema: pl.Schema) -> pl.Expr:
    known = [key for key in keys_of(field) if key in schema]
    if field in FDR_NAMES and FDR_NAMES[field] not in schema:
        known = []
    if not known:
        return pl.lit(None, pl.String).alias(field)
    return pl.coalesce(_as_text(key, schema[key]) for key in known[: 1 if field in FDR_NAMES else 2]).alias(field)


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if kind.is_float():
        return number_text(column.cast(pl.Float64))
    if isinstance(kind, pl.Datetime):
        return column.dt.epoch("ms").cast(pl.String)
    return column.cast(pl.String, strict=False)


def _row_by_row(frame: pl.DataFrame, plan: ScanPlan) -> pl.DataFrame:
    rows = []
    for row in parquet_rows(frame):
        line = json.dumps(row, ensure_ascii=False)
        rows.append({**row, LINE: line, RAWSTRING: row.get(RAWSTRING, line)})
    made = frame_of(rows)
    return made.select(
        pl.col(name) if name in made.columns else pl.lit(None, pl.String).alias(name)
        for name in (*plan.columns, LINE)
    )


def _timed(frame: pl.DataFrame, file: EventFile, at: int, skipped: Skipped) -> pl.DataFrame:
    stamp = pl.col(TIMESTAMP)
    time = stamp.cast(pl.Int64, strict=False)
    bad = frame.with_row_index("\x00row").filter(stamp.is_not_null() & time.is_null())
    for row, text in bad.select("\x00row", TIMESTAMP).iter_rows():
        skipped.note(f"{file.name}:{at + row + 1}", not_a_time(text))
    frame = frame.filter(stamp.is_null() | time.is_not_null())
    frame = frame.with_columns(stamp.fill_null("0"), time.fill_null(0).alias(TIME_MS))
    ingest = pl.col(TIME_MS)
    if INGEST_TIMESTAMP in frame.columns:
        ingest = pl.col(INGEST_TIMESTAMP).cast(pl.Int64, strict=False).fill_null(ingest)
    return frame.with_columns(ingest.alias(INGEST_MS))
