"""Lookup files: tables of text that match(), readFile() and cidr() read.

Every cell is text, as LogScale keeps them; an empty cell is the empty text, not absent. A column
that a query needs and the file lacks is an error that names the columns there are.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from orchestrator.errors import CqlSemanticError

KEY = "\x00key"
"""The column without a name of a JSON object of objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """One table; all columns are text."""

    frame: pl.DataFrame
    is_open: bool = False
    """Stands for a table that is not known yet: it has no rows and any column."""
    _lasts: dict[tuple[str, ...], pl.DataFrame] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def open(cls) -> Lookup:
        """Return a table of no rows that has any column."""
        return cls(frame=pl.DataFrame(), is_open=True)

    @classmethod
    def from_file(cls, path: Path) -> Lookup:
        """Return the table of a file, read as JSON where its name ends in `.json`, else as CSV.

        Raises:
            OSError: It cannot be read.
            CqlSemanticError: As for `from_csv` and `from_json`.
        """
        content = path.read_bytes()
        is_json = path.suffix.lower() == ".json"
        return cls.from_json(content) if is_json else cls.from_csv(content)

    @classmethod
    def from_json(cls, content: bytes) -> Lookup:
        """Return the table of a JSON array of objects, UTF-8; a member that is missing is absent.

        An object of objects is one too: its names stand in a column without a name, which is the
        one that a query looks up and the table does not have.

        Raises:
            CqlSemanticError: Not UTF-8, not JSON, or something other than flat objects.
        """
        try:
            found = json.loads(_text(content), parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError) as exc:
            raise CqlSemanticError(f"the lookup file is not JSON: {exc}") from exc
        if isinstance(found, dict) and all(isinstance(item, dict) for item in found.values()):
            found = [{KEY: name, **item} for name, item in found.items()]
        if not isinstance(found, list) or not found:
            raise CqlSemanticError("the lookup file must be an array of at least one object")
        rows = []
        for number, item in enumerate(found, start=1):
            if not isinstance(item, dict):
                raise CqlSemanticError(f"entry {number} of the lookup file is not an object")
            rows.append({name: _cell(value, number) for name, value in item.items()})
        columns = dict.fromkeys(name for row in rows for name in row)
        known = [{n: text for n, text in row.items() if text is not None} for row in rows]
        return cls.from_rows(known, columns=list(columns))

    @classmethod
    def from_csv(cls, source: str | bytes | Path) -> Lookup:
        """Return the table of a CSV file with a header line.

        Args:
            source: A path, or the file's own content as text or bytes (UTF-8).

        Raises:
            CqlSemanticError: Not UTF-8, no header, a column twice, or a line of another length.
        """
        content = source.read_bytes() if isinstance(source, Path) else source
        if isinstance(content, bytes):
            content = _text(content)
        reader = csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline=""), strict=True)
        try:
            lines = [(reader.line_num, line) for line in reader if line]
        except csv.Error as exc:
            raise CqlSemanticError(f"line {reader.line_num} of the lookup file: {exc}") from exc
        if not lines:
            raise CqlSemanticError("the lookup file is empty; its first line must name the columns")
        header = [name.strip() for name in lines[0][1]]
        twice = next((name for name in header if header.count(name) > 1), None)
        if twice is not None:
            raise CqlSemanticError(f"the lookup file names the column {twice!r} twice")
        for number, line in lines[1:]:
            if len(line) != len(header):
                raise CqlSemanticError(
                    f"line {number} of the lookup file has {len(line)} cells, not {len(header)}"
                )
        columns = {name: [line[i] for _, line in lines[1:]] for i, name in enumerate(header)}
        return cls(frame=pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String)))

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, str]], *, columns: Sequence[str]) -> Lookup:
        """Return a table of these columns; a row that lacks one has it absent."""
        cells = list(rows)
        data = {name: [row.get(name) for row in cells] for name in columns}
        return cls(frame=pl.DataFrame(data, schema=dict.fromkeys(columns, pl.String)))

    def lasts(self, columns: Sequence[str]) -> pl.DataFrame:
        """Return the last row of each combination of the columns' values; found once."""
        key = tuple(columns)
        if key not in self._lasts:
            self._lasts[key] = self.frame.unique(
                subset=list(dict.fromkeys(columns)), keep="last", maintain_order=True
            )
        return self._lasts[key]

    def need(self, columns: Iterable[str], *, file: str) -> Lookup:
        """Return the table, which has the columns.

        Raises:
            CqlSemanticError: It lacks one.
        """
        if self.is_open:
            return Lookup(frame=pl.DataFrame(schema=dict.fromkeys(columns, pl.String)))
        wanted, frame = list(columns), self.frame
        if KEY in frame.columns and wanted and wanted[0] not in frame.columns:
            frame = frame.rename({KEY: wanted[0]})
        for column in wanted:
            if column not in frame.columns:
                there = ", ".join(name for name in frame.columns if name != KEY)
                raise CqlSemanticError(f"{file} has no column {column!r}; it has {there}")
        return self if frame is self.frame else Lookup(frame=frame)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise CqlSemanticError(f"the lookup file is not UTF-8: {exc.reason}") from exc


def _cell(value: object, number: int) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case _:
            raise CqlSemanticError(f"entry {number} of the lookup file holds more than texts")
