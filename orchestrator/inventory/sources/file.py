"""Facts from a CSV or NDJSON file, read to its end before any of it counts.

CSV: a header line, then one fact a line; UTF-8, a byte-order mark is tolerated. NDJSON: one object
a line, its values text or lists of text. In both, leading lines that start with `#` are comments,
and `# as_of: 2026-03-10T00:00:00Z` among them says which instant the file describes; without it the
file's modification time does. A writer must write to another name and rename: a file that changes
while it is read is refused.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.inventory.compare import alternatives
from orchestrator.inventory.names import is_placeholder, parse_host
from orchestrator.inventory.sources.base import Problem, SourceRead
from orchestrator.inventory.tables import ALTERNATIVES, VALIDITY_COLUMNS
from orchestrator.model.inventory import Fact, FactTable, MatchMode, Part
from orchestrator.units import parse_instant

MAX_FILE_BYTES = 1 << 30
MAX_PROBLEMS = 100
"""Problems listed for one file; the rest are counted."""
MIN_GLOB_LITERALS = 3
"""Letters and digits that a pattern needs: `*`, `/*` and `*.*` would excuse everything."""
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far `as_of` may lie ahead of our clock."""


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    values: Mapping[str, str]


@dataclass(slots=True)
class _Complaints:
    """Collects the problems of one file."""

    path: Path
    found: list[Problem] = field(default_factory=list)

    def add(self, line: int, message: str, advice: str) -> None:
        self.found.append(Problem(path=self.path, line=line, message=message, help=advice))

    def listed(self) -> tuple[Problem, ...]:
        """Return the first problems, and one that counts what is left out."""
        if len(self.found) <= MAX_PROBLEMS:
            return tuple(self.found)
        rest = Problem(
            path=self.path,
            line=0,
            message=f"{len(self.found) - MAX_PROBLEMS} more problems are not listed",
            help="Put the listed ones right first.",
        )
        return (*self.found[:MAX_PROBLEMS], rest)


def read_facts(path: Path, table: FactTable, *, now: datetime) -> SourceRead:
    """Return the facts of `path`, or every problem that it has; never raises for its content.

    `now` serves to refuse an `as_of` that lies ahead, which would never become stale.
    """
    complaints = _Complaints(path)
    text, modified_at = _read_text(path, complaints)
    if text is None:
        return SourceRead(facts=(), problems=complaints.listed(), as_of=None)
    as_of, start_line, body = _leading_comments(text, complaints)
    if as_of is not None and as_of > now + CLOCK_TOLERANCE:
        complaints.add(1, "as_of lies in the future", "Correct it or the clock that wrote it.")
    rows: Iterable[_Row] = ()
    match path.suffix:
        case ".csv":
            rows = _csv_rows(body, start_line, table, complaints)
        case ".ndjson" | ".jsonl":
            rows = _ndjson_rows(body, start_line, table, complaints)
        case suffix:
            complaints.add(0, f"{suffix or 'no suffix'} is unknown", "Name it .csv or .ndjson.")
    facts = _facts(rows, table, path, complaints)
    problems = complaints.listed()
    return SourceRead(
        facts=() if problems else facts, problems=problems, as_of=as_of or modified_at
    )


def _read_text(path: Path, complaints: _Complaints) -> tuple[str | None, datetime | None]:
    """Return the text and its modification time, or None where it cannot be had."""
    try:
        before = path.stat()
        if not stat.S_ISREG(before.st_mode):
            complaints.add(0, "not a regular file", "Point the setting at a file.")
            return None, None
        if before.st_size > MAX_FILE_BYTES:
            complaints.add(
                0, f"larger than {MAX_FILE_BYTES} bytes", "Split the table or leave out old facts."
            )
            return None, None
        content = path.read_bytes()
        after = path.stat()
    except OSError as exc:
        complaints.add(
            0, f"cannot be read: {exc.strerror or exc}", "Check the path and its permissions."
        )
        return None, None
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        complaints.add(0, "it changed while it was read", "Write to another name, then rename it.")
        return None, None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        complaints.add(line, "not UTF-8", "Export the file as UTF-8.")
        return None, None
    return text, datetime.fromtimestamp(before.st_mtime, UTC)


def _leading_comments(text: str, complaints: _Complaints) -> tuple[datetime | None, int, str]:
    """Return `as_of`, the number of the first line that is no comment, and the text from there."""
    as_of: datetime | None = None
    line = 1
    while text.startswith("#"):
        comment, _, text = text.partition("\n")
        key, colon, value = comment.lstrip("# ").partition(":")
        if colon and key.strip() == "as_of":
            try:
                as_of = parse_instant(value)
            except ValueError as exc:
                complaints.add(line, f"as_of: {exc}", "Write # as_of: 2026-03-10T00:00:00Z.")
        line += 1
    return as_of, line, text


def _csv_rows(
    body: str, start_line: int, table: FactTable, complaints: _Complaints
) -> Iterator[_Row]:
    """Yield each data line under the header's names; a wrong header ends it at once."""
    reader = csv.reader(io.StringIO(body, newline=""), strict=True)
    line = start_line
    try:
        header = [name.strip() for name in next(reader, [])]
        if not header:
            return
        if not _header_fits(header, line, table, complaints):
            return
        line = start_line + reader.line_num
        for cells in reader:
            if cells and len(cells) != len(header):
                complaints.add(
                    line,
                    f"{len(cells)} cells under {len(header)} columns",
                    "Quote cells that hold a comma.",
                )
            elif cells:
                yield _Row(line, dict(zip(header, cells, strict=True)))
            line = start_line + reader.line_num
    except csv.Error as exc:
        complaints.add(line, f"not CSV: {exc}", "Quote cells and double the quotes in them.")


def _header_fits(header: list[str], line: int, table: FactTable, complaints: _Complaints) -> bool:
    known = _columns(table)
    before = len(complaints.found)
    for name in header:
        if name not in known:
            _unknown_column(name, line, table, complaints)
    for name in sorted({name for name in header if header.count(name) > 1}):
        complaints.add(line, f"column {name} comes twice", "Keep one of the two.")
    for part in table.parts:
        if not part.optional and part.column not in header:
            complaints.add(
                line,
                f"column {part.column} is missing",
                f"Table {table.name} needs {', '.join(p.column for p in _required(table))}.",
            )
    return len(complaints.found) == before


def _ndjson_rows(
    body: str, start_line: int, table: FactTable, complaints: _Complaints
) -> Iterator[_Row]:
    known = _columns(table)
    for line, text in enumerate(body.split("\n"), start_line):
        if not text.strip():
            continue
        try:
            record = json.loads(text, object_pairs_hook=_no_duplicate_keys)
        except (ValueError, RecursionError) as exc:
            complaints.add(line, f"not JSON: {exc}", "Write one object a line.")
            continue
        if not isinstance(record, dict):
            complaints.add(line, "not an object", "Write one object a line.")
            continue
        values: dict[str, str] = {}
        for name, value in record.items():
            if name not in known:
                _unknown_column(name, line, table, complaints)
            elif (cell := _json_cell(value)) is None:
                complaints.add(
                    line, f"{name} is neither text nor a list of text", "Quote the value."
                )
            else:
                values[name] = cell
        yield _Row(line, values)


def _no_duplicate_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key comes twice")
    return record


def _json_cell(value: object) -> str | None:
    match value:
        case None:
            return ""
        case str():
            return value
        case list() if all(isinstance(item, str) for item in value):
            return "\n".join(value)
        case _:
            return None


def _facts(
    rows: Iterable[_Row], table: FactTable, path: Path, complaints: _Complaints
) -> tuple[Fact, ...]:
    facts: list[Fact] = []
    seen: dict[tuple[object, ...], int] = {}
    accepted: dict[tuple[str, str], str] = {}
    for row in rows:
        valid_from, valid_until = _validity(row, complaints)
        values = _cells(row, table, complaints, accepted=accepted)
        identity = (
            *(values.get(part.column, "") for part in table.parts),
            valid_from,
            valid_until,
        )
        if identity in seen:
            complaints.add(
                row.line, f"the same fact as line {seen[identity]}", "Remove one of the two."
            )
        seen.setdefault(identity, row.line)
        facts.append(
            Fact(
                id=f"{path.name}:{row.line}",
                table=table.name,
                values=values,
                valid_from=valid_from,
                valid_until=valid_until,
                source=path.name,
            )
        )
    return tuple(facts)


def _cells(
    row: _Row,
    table: FactTable,
    complaints: _Complaints,
    *,
    accepted: dict[tuple[str, str], str],
) -> dict[str, str]:
    """Return the row's own columns, trimmed; empty cells are left out.

    `accepted` holds what was found good before: the same few texts fill most of a large table.
    """
    values: dict[str, str] = {}
    for part in table.parts:
        key = (part.column, row.values.get(part.column, ""))
        cell = accepted.get(key)
        if cell is None:
            before = len(complaints.found)
            cell = _part_cell(part, key[1], row.line, complaints)
            if len(complaints.found) == before:
                accepted[key] = cell
        if cell:
            values[part.column] = cell
    for name in table.attributes:
        cell = row.values.get(name, "").strip()
        if "\n" in cell and name not in ALTERNATIVES:
            complaints.add(row.line, f"{name} has several lines", "Keep it to one.")
        if cell:
            values[name] = cell
    return values


def _part_cell(part: Part, text: str, line: int, complaints: _Complaints) -> str:
    cell = "\n".join(alternatives(text))
    if cell:
        _check_part(part, cell, line, complaints)
    elif not part.optional:
        complaints.add(
            line, f"{part.column} is empty", "Fill it in: an empty cell would match everything."
        )
    return cell


def _check_part(part: Part, cell: str, line: int, complaints: _Complaints) -> None:
    for text in alternatives(cell):
        if part.mode is MatchMode.HOST and parse_host(text) is None:
            complaints.add(
                line, f"{text} names no single host", "Write a host name, not an address."
            )
        elif is_placeholder(text):
            complaints.add(line, f"{part.column} is a placeholder", "Write the value itself.")
        elif _is_too_broad(text, part.mode):
            complaints.add(line, f"{text} matches nearly everything", "Write more of the path.")


def _is_too_broad(text: str, mode: MatchMode) -> bool:
    is_pattern = mode in (MatchMode.GLOB, MatchMode.GLOB_CI) and "*" in text
    return is_pattern and sum(character.isalnum() for character in text) < MIN_GLOB_LITERALS


def _validity(row: _Row, complaints: _Complaints) -> tuple[datetime | None, datetime | None]:
    ends: list[datetime | None] = []
    for name in VALIDITY_COLUMNS:
        text = row.values.get(name, "").strip()
        instant: datetime | None = None
        if text:
            try:
                instant = parse_instant(text)
            except ValueError as exc:
                complaints.add(row.line, f"{name}: {exc}", "Leave it empty for an open end.")
        ends.append(instant)
    valid_from, valid_until = ends
    if valid_from and valid_until and valid_until <= valid_from:
        complaints.add(
            row.line, "valid_until is not after valid_from", "The end is exclusive; swap them?"
        )
    return valid_from, valid_until


def _unknown_column(name: str, line: int, table: FactTable, complaints: _Complaints) -> None:
    known = _columns(table)
    near = difflib.get_close_matches(name, known, n=1)
    advice = f"Did you mean {near[0]}?" if near else f"Table {table.name} has {', '.join(known)}."
    complaints.add(line, f"unknown column {name!r}", advice)


def _columns(table: FactTable) -> tuple[str, ...]:
    return (*(part.column for part in table.parts), *table.attributes, *VALIDITY_COLUMNS)


def _required(table: FactTable) -> list[Part]:
    return [part for part in table.parts if not part.optional]
