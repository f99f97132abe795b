"""Parquet files of events, slice by slice: the columns that a query reads, as text.

A column of texts or plain values is read as it is; a nested one is flattened event by event, like
JSON, and so is everything where a query wants whole events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import polars as pl

from orchestrator.engine.events import (
    FDR_NAMES,
    RAWSTRING,
    frame_of,
    parquet_rows,
)
from orchestrator.engine.scan.lines import LINE, NUMBER, Parsed, keys_of
from orchestrator.engine.scan.plan import ScanPlan
from orchestrator.engine.scan.ways import Reading
from orchestrator.engine.sources.files import EventFile
from orchestrator.engine.values import number_text

SLICE_EVENTS = 250_000


def read_parquet(
    file: EventFile, plan: ScanPlan, *, number: int, reading: Reading
) -> Iterator[Parsed]:
    """Yield a file's events in slices.

    A file that is damaged gives what came before the damage and is named.
    """
    try:
        scan = pl.scan_parquet(file.path, glob=False)
        schema = scan.collect_schema()
        total = int(scan.select(pl.len()).collect().item())
        for at in range(0, total, SLICE_EVENTS):
            part = scan.slice(at, SLICE_EVENTS)
            if reading.reader.needs_lines or _is_nested(plan, schema):
                frame = _row_by_row(part.collect(), plan)
            else:
                texts = (_text_of(field, schema) for field in plan.columns)
                frame = part.select(*texts, pl.lit("").alias(LINE)).collect()
            place = pl.int_range(pl.len(), dtype=pl.Int64) + at
            parsed = reading.reader.parse_fields(
                frame.with_columns(place.alias(NUMBER)), file_number=number
            )
            for row, reason in parsed.problems:
                reading.skipped.note(f"{file.name}:{row + 1}", reason)
            yield parsed
            reading.advance(file.size_bytes * frame.height // total)
    except pl.exceptions.PolarsError as exc:
        reason = str(exc).splitlines()[0][:200]
        reading.skipped.note(file.name, f"the Parquet file cannot be read ({reason})", lines=0)


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
    if field in FDR_NAMES:
        known = known[:1]
    return pl.coalesce(_as_text(key, schema[key]) for key in known).alias(field)


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
