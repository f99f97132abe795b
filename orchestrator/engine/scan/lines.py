r"""A chunk of NDJSON to columns: every value as its line spells it, as fast as the line allows.

Three grades. A line that cannot matter is only looked at from both ends. One that may is parsed by
Polars, which reads texts, whole numbers and truths exactly. What Polars would print anew or cannot
tell apart (1.0, 1e5, null, an object where a field is asked for, half a surrogate pair) goes to the
exact reader of `engine.events`, line by line, and so does every line that Polars refuses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from orchestrator.engine.events import (
    EVENT_ID,
    FDR_NAMES,
    INGEST_MS,
    INGEST_TIMESTAMP,
    RAWSTRING,
    TIME_MS,
    TIMESTAMP,
    TOO_LONG,
    event_from_json,
    not_a_time,
)
from orchestrator.engine.files import Chunk
from orchestrator.engine.scan.need import Need, line_regexes

LINE, OFFSET = "\x00line", "\x00offset"
_NUMBER, _SHAPED, _MATTERS = "\x00number", "\x00shaped", "\x00matters"
_FILE_BITS = 44
"""Offsets within one file fit below; the file's number stands above."""
_BLANK = r"[ \t\r]*"
_OPENS, _CLOSES = rf'^{_BLANK}\{{{_BLANK}["}}]', rf'["0-9}}\]el{{]{_BLANK}\}}{_BLANK}$'
_RETRY_LINES = 32
_NEEDED_KEYS = 24
"""With more keys than this the exact test looks at the value of any key."""
# A value that is no text and not surely a whole number or a truth, blanks before a colon, and
# escapes that may spell a surrogate or a key. Plain texts alone, which Rust looks for many times
# faster than for a class; `_exactness` looks closer.
_SUSPICIOUS = "|".join(
    re.escape(text)
    for text in (
        *(f'":{character}' for character in "-0123456789n \t\r[{"),
        '" :', '"\t:', "\\ud", "\\uD", "\\u00",
    )
)  # fmt: skip
_BY_OTHER_NAME = {new: old for old, new in FDR_NAMES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to read of each line."""

    fields: tuple[str, ...]
    """`@timestamp` among them."""
    need: Need
    keeps_lines: bool = False
    """Keep each line whole beside its fields, in `LINE`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """One chunk's events that may matter, in the order of the file."""

    frame: pl.DataFrame
    """The wanted fields as text, the hidden times, and where asked for `LINE` and `OFFSET`."""
    lines: int
    """All lines, blank and broken ones too."""
    events: int
    """Events, those that cannot matter too."""
    problems: tuple[tuple[int, str], ...]
    """Broken lines by their number in the chunk, from 0, and why."""


class LineReader:
    """Reads chunks for one query; safe to share between threads."""

    def __init__(self, wanted: Wanted) -> None:
        """Work out what the query's needs mean for a line of text."""
        self.wanted = wanted
        keys = dict.fromkeys(key for field in wanted.fields for key in keys_of(field))
        self._schema = {key: pl.String() for key in keys}
        self._need = line_regexes(wanted.need)
        self._exact = _exactness(tuple(keys))
        self._has_offset = wanted.keeps_lines or EVENT_ID in wanted.fields
        self._has_line = wanted.keeps_lines or RAWSTRING in wanted.fields

    def parse(self, chunk: Chunk, *, file_number: int = 0) -> Parsed:
        """Return the events of the chunk that may matter."""
        if chunk.oversized:
            nothing = self._timed(self._rows([]))[0]
            return Parsed(
                frame=self._shown(nothing), lines=1, events=0, problems=((0, TOO_LONG),)
            )
        data, lines = _lines_of(chunk.data)
        text = pl.col(LINE)
        matters = pl.all_horizontal(pl.lit(value=True), *(text.str.contains(r) for r in self._need))
        lines = lines.with_columns(
            pl.int_range(pl.len(), dtype=pl.Int64).alias(_NUMBER),
            (text.str.contains(_OPENS) & text.str.contains(_CLOSES)).alias(_SHAPED),
            matters.alias(_MATTERS),
        )
        chosen = lines.filter(pl.col(_SHAPED) & pl.col(_MATTERS)).select(LINE, _NUMBER)
        odd = lines.filter(~pl.col(_SHAPED)).select(LINE, _NUMBER)
        whole = data if chosen.height == lines.height else None
        fast, refused = self._fast(chosen, whole)
        exact, problems, blank = self._exactly(pl.concat([odd, refused]))
        frame = pl.concat([fast, exact]).sort(_NUMBER) if exact.height else fast
        frame, late = self._timed(frame)
        if self._has_offset:
            frame = _with_offsets(frame, lines, (file_number << _FILE_BITS) + chunk.offset)
        problems += late
        return Parsed(
            frame=self._shown(frame),
            lines=lines.height,
            events=lines.height - blank - len(problems),
            problems=tuple(sorted(problems)),
        )

    def _fast(
        self, lines: pl.DataFrame, whole: bytes | None
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return what Polars reads exactly of the lines, and the lines left over."""
        text = pl.col(LINE)
        closer = pl.when(text.str.contains(_SUSPICIOUS)).then(text).str.contains(self._exact)
        odd = lines.select(closer.fill_null(value=False)).to_series()
        refused = lines.clear()
        if odd.any():
            lines, refused, whole = lines.filter(~odd), lines.filter(odd), None
        frame, unread = self._decoded(lines, whole)
        # An object or an array is printed as text: its members are fields, it is none itself.
        nested = pl.any_horizontal(
            pl.lit(value=False),
            *(pl.col(key).str.contains(r"^[\[{]").fill_null(value=False) for key in self._schema),
        )
        is_nested = frame.select(nested).to_series()
        if is_nested.len() == frame.height and is_nested.any():
            unread = pl.concat([unread, frame.filter(is_nested).select(LINE, _NUMBER)])
            frame = frame.filter(~is_nested)
        if unread.height:
            refused = pl.concat([refused, unread])
        return self._named(frame), refused

    def _decoded(
        self, lines: pl.DataFrame, whole: bytes | None
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the keys' texts beside the lines, and the lines that Polars refuses."""
        if not lines.height:
            return lines.with_columns(pl.lit(None, pl.String).alias(k) for k in self._schema), lines
        data = whole
        if data is None:
            data = lines.get_column(LINE).str.join("\n").item().encode()
        try:
            frame = pl.read_ndjson(data, schema=self._schema)
        except pl.exceptions.PolarsError:
            frame = None
        if frame is not None and frame.height == lines.height:
            return lines.hstack(frame), lines.clear()
        if lines.height <= _RETRY_LINES:
            return self._decoded(lines.clear(), None)[0], lines
        # One broken line fails all: halve until it stands alone with a few others.
        half = lines.height // 2
        first, first_left = self._decoded(lines.slice(0, half), None)
        second, second_left = self._decoded(lines.slice(half), None)
        return pl.concat([first, second]), pl.concat([first_left, second_left])

    def _named(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the wanted fields under LogScale's names."""
        made = []
        for field in self.wanted.fields:
            old = _BY_OTHER_NAME.get(field)
            found = pl.col(field)
            if old is not None:
                found = pl.coalesce(field, old)
            elif field in FDR_NAMES:
                found = pl.when(pl.col(FDR_NAMES[field]).is_not_null()).then(field)
            elif field == RAWSTRING:
                found = pl.coalesce(found, pl.col(LINE).str.strip_chars())
            made.append(found.alias(field))
        return frame.select(*made, LINE, _NUMBER)

    def _exactly(
        self, lines: pl.DataFrame
    ) -> tuple[pl.DataFrame, list[tuple[int, str]], int]:
        """Return the lines' events, the broken ones by number, and how many are blank."""
        rows: list[tuple[str | int | None, ...]] = []
        problems: list[tuple[int, str]] = []
        blank = 0
        for line, number in lines.iter_rows():
            if not line.strip():
                blank += 1
                continue
            row = event_from_json(line)
            if isinstance(row, str):
                problems.append((number, row))
            else:
                rows.append((*(row.get(field) for field in self.wanted.fields), line, number))
        return self._rows(rows), problems, blank

    def _rows(self, rows: Sequence[tuple[str | int | None, ...]]) -> pl.DataFrame:
        schema = dict.fromkeys((*self.wanted.fields, LINE), pl.String()) | {_NUMBER: pl.Int64()}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _timed(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
        """Return the events with their times, and those whose time is none."""
        stamp = pl.col(TIMESTAMP)
        time = stamp.cast(pl.Int64, strict=False)
        bad = frame.filter(
            (stamp.is_not_null() & time.is_null())
            | (stamp.str.len_bytes() > 19)
            | stamp.str.starts_with("+")
        )
        problems: list[tuple[int, str]] = []
        if bad.height:
            problems = [(n, not_a_time(t)) for t, n in bad.select(TIMESTAMP, _NUMBER).iter_rows()]
            frame = frame.join(bad.select(_NUMBER), on=_NUMBER, how="anti", maintain_order="left")
        frame = frame.with_columns(stamp.fill_null("0"), time.fill_null(0).alias(TIME_MS))
        ingest = pl.col(TIME_MS)
        if INGEST_TIMESTAMP in self.wanted.fields:
            text = pl.col(INGEST_TIMESTAMP).fill_null(stamp)
            frame = frame.with_columns(text)
            ingest = pl.col(INGEST_TIMESTAMP).cast(pl.Int64, strict=False).fill_null(ingest)
        return frame.with_columns(ingest.alias(INGEST_MS)), problems

    def _shown(self, frame: pl.DataFrame) -> pl.DataFrame:
        hidden = [TIME_MS, INGEST_MS]
        hidden += [LINE] if self.wanted.keeps_lines else []
        hidden += [OFFSET] if OFFSET in frame.columns else []
        return frame.select(*self.wanted.fields, *hidden)


def _lines_of(data: bytes) -> tuple[bytes, pl.DataFrame]:
    """Return the bytes as UTF-8, whatever they were, and their lines."""
    try:
        return data, pl.read_lines(data, name=LINE)
    except pl.exceptions.ComputeError:
        mended = data.decode("utf-8", "replace").encode()
        return mended, pl.read_lines(mended, name=LINE)


def _with_offsets(frame: pl.DataFrame, lines: pl.DataFrame, start: int) -> pl.DataFrame:
    ends = lines.select((pl.col(LINE).str.len_bytes().cast(pl.Int64) + 1).cum_sum()).to_series()
    starts = ends.shift(1, fill_value=0) + start
    return frame.with_columns(starts.gather(frame.get_column(_NUMBER)).alias(OFFSET))


def keys_of(field: str) -> tuple[str, ...]:
    """Return the keys of a line that the field depends on."""
    other = _BY_OTHER_NAME.get(field) or FDR_NAMES.get(field)
    return (field,) if other is None else (field, other)


def _exactness(keys: Sequence[str]) -> str:
    """Return a regex for what Polars does not read as it is written, among the keys' values."""
    plain = all(re.fullmatch(r'[^"\\/\x00-\x1f]+', key) for key in keys)
    key = '"'
    if plain and len(keys) <= _NEEDED_KEYS:
        key = f'"(?:{"|".join(re.escape(key) for key in keys)})"'
    number = r"null|-0|-?[0-9]+[.eE]|-?[0-9]{19}"
    tests = [
        rf"{key}{_BLANK}:{_BLANK}(?:{number})",
        r"\\u[dD][89a-fA-F]",
        rf'\\u00[2-7][0-9a-fA-F][^"]*"{_BLANK}:',
    ]
    if any("." in key or "[" in key for key in keys):
        tests.append(rf'"{_BLANK}:{_BLANK}[\[{{]')
    return "|".join(tests)
