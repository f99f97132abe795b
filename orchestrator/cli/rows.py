"""A query's rows for people and programs: table, JSON, NDJSON, CSV.

Values come from telemetry, so from whoever wrote a command line or a file name: tables show control
characters as text, and CSV cells that a spreadsheet would run as a formula get a quote in front.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Sequence
from enum import StrEnum

import click

from orchestrator.engine.context import Result
from orchestrator.terminal import console, plain, table

TABLE_ROWS = 200
"""Rows of a table without `--limit`, as the product shows of events."""
TABLE_COLUMNS = 12
_CELL_CHARS = 200
_FIRST_COLUMNS = ("@timestamp", "#event_simpleName", "aid", "ComputerName", "UserName")
_LAST_COLUMNS = ("@id", "@ingesttimestamp", "@rawstring", "@timezone")
"""Shown in a table only if the query leaves hardly anything else."""
_FORMULA = re.compile(r"[=+\-@\t\r]")
_HARMLESS = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?\Z|@[\w.]*\Z", re.ASCII)
"""Numbers, and names such as @timestamp."""


class RowFormat(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


def print_rows(result: Result, *, output_format: str, limit: int | None, exact_csv: bool) -> None:
    """Print a query's rows to standard output.

    Args:
        result: The rows.
        output_format: A value of `RowFormat`.
        limit: Most rows printed, 0 for all; None: all, but `TABLE_ROWS` in a table.
        exact_csv: Leave CSV cells as they are, formulas too.
    """
    default = TABLE_ROWS if output_format == RowFormat.TABLE else 0
    wanted = default if limit is None else limit
    rows = result.rows[:wanted] if wanted else result.rows
    match output_format:
        case RowFormat.JSON:
            click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        case RowFormat.NDJSON:
            for row in rows:
                click.echo(json.dumps(row, ensure_ascii=False))
        case RowFormat.CSV:
            _print_csv(rows, result.fields, exact=exact_csv)
        case _:
            _print_table(rows, result)
    if len(rows) < len(result.rows):
        note = f"the first {len(rows)} of {len(result.rows)} rows are shown; --limit 0 shows all"
        click.echo(note, err=True)


def _print_csv(rows: Sequence[dict[str, str]], fields: Sequence[str], *, exact: bool) -> None:
    shown = (lambda text: text) if exact else defused
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([shown(name) for name in fields])
    for row in rows:
        writer.writerow([shown(row.get(name, "")) for name in fields])


def defused(text: str) -> str:
    """Return a cell that no spreadsheet runs: what begins a formula gets a quote in front."""
    if _FORMULA.match(text) and not _HARMLESS.match(text):
        return f"'{text}"
    return text


def _print_table(rows: Sequence[dict[str, str]], result: Result) -> None:
    if not rows:
        return
    # An aggregate's columns stand as the query has them; an event has no order of its own.
    wanted = list(result.fields)
    if not result.is_aggregate:
        wanted.sort(key=_column_rank)
    if len(wanted) > TABLE_COLUMNS:
        left_out = len(wanted) - TABLE_COLUMNS
        wanted = wanted[:TABLE_COLUMNS]
        click.echo(
            f"{left_out} more fields are not shown; name some with table([...]) or select([...]), "
            "or use --format json",
            err=True,
        )
    cut = [{name: shortened(row.get(name, "")) for name in wanted} for row in rows]
    console().print(table(cut, columns={name: plain(name) for name in wanted}))


def _column_rank(name: str) -> int:
    if name in _FIRST_COLUMNS:
        return _FIRST_COLUMNS.index(name) - len(_FIRST_COLUMNS)
    return int(name in _LAST_COLUMNS)


def shortened(text: str) -> str:
    """Return a text that a person can take in at a glance."""
    return text if len(text) <= _CELL_CHARS else f"{text[:_CELL_CHARS]}…"
