r"""A chunk of NDJSON to columns: every value as its line spells it, as fast as the line allows.

Three grades. A line that cannot matter is only looked at from both ends. One that may is parsed by
Polars, which reads texts, whole numbers and truths exactly. What Polars would print anew or cannot
tell apart (1.0, 1e5, null, an object where a field is asked for, half a surrogate pair) goes to the
exact reader of `engine.events`, line by line, and so does every line that Polars refuses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from orchestrator.engine.scan.need import Need, line_regexes
from orchestrator.engine.sources.files import Chunk

LINE, NUMBER, PLACE = "\x00line", "\x00number", "\x00place"
_ODD, _RECORD = "\x00odd", "\x00record"
_LINE_BITS = 40
"""A line's number in its file fits below; the file's number stands above."""
_BLANK = r"[ \t\r]*"
SAMPLE_LINES, _WORTHWHILE = 200, 0.9
"""Where nearly all of the first lines of a chunk may matter, looking for more costs its time."""
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
_LINES = {LINE: pl.String(), NUMBER: pl.UInt32()}
_SHAPED = pl.col(LINE).str.starts_with("{") & pl.col(LINE).str.ends_with("}")
"""Cheap to see: a line that was cut or is no JSON object at all is not."""
_NO_TIME = (
    (pl.col(TIMESTAMP).is_not_null() & pl.col(TIMESTAMP).cast(pl.Int64, strict=False).is_null())
    | (pl.col(TIMESTAMP).str.len_bytes() > 19)
    | pl.col(TIMESTAMP).str.starts_with("+")
).fill_null(value=False)
"""`@timestamp` is there and no number of milliseconds."""
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
    """The wanted fields as text, their hidden times, and where needed `LINE` and `PLACE`."""
    events: int
    """Events, those that cannot matter too."""
    problems: tuple[tuple[int, str], ...]
    """Broken lines by their number in the file, from 0, and why."""


class LineReader:
    """Reads chunks for one query; safe to share between threads."""

    def __init__(self, wanted: Wanted) -> None:
        """Work out what the query's needs mean for a line of text."""
        self.wanted = wanted
        keys = dict.fromkeys(key for field in wanted.fields for key in keys_of(field))
        self._record = pl.Struct(dict.fromkeys(keys, pl.String()))
        self._times = (TIME_MS, INGEST_MS)[: 2 if INGEST_TIMESTAMP in wanted.fields else 1]
        self._need = line_regexes(wanted.need)
        self._exact = _exactness(tuple(keys))

    @property
    def needs_lines(self) -> bool:
        """Return whether the events' own lines or places are wanted beside their fields."""
        return self.wanted.keeps_lines or bool({RAWSTRING, EVENT_ID} & set(self.wanted.fields))

    def may_matter(self) -> pl.Expr:
        """Return whether a line must be looked at: the query may keep it, or it is no event."""
        return pl.all_horizontal(self._tests()) | ~_SHAPED

    def is_selective(self, lines: pl.DataFrame) -> bool:
        """Return whether looking for texts spares enough of lines like these to be worth it."""
        tests = self._tests()
        found = lines.select(pl.all_horizontal(tests)).to_series() if tests else None
        return found is not None and found.sum() < found.len() * _WORTHWHILE

    def decoded(self, lines: pl.LazyFrame) -> pl.LazyFrame:
        """Return the events of lines (`LINE`, `NUMBER`) as `self.columns`; odd lines are marked.

        Computing it fails with a `ComputeError` if a line that looks like an event is none.
        """
        text = pl.col(LINE)
        closer = pl.when(text.str.contains(_SUSPICIOUS)).then(text).str.contains(self._exact)
        odd = closer.fill_null(value=False) | ~_SHAPED
        record = pl.when(~pl.col(_ODD)).then(text).str.json_decode(self._record)
        frame = (
            lines.with_columns(odd.alias(_ODD))
            .with_columns(record.alias(_RECORD))
            .select(LINE, NUMBER, _ODD, pl.col(_RECORD).struct.unnest())
            .select(*self._named(), LINE, NUMBER, _ODD)
            .with_columns(pl.col(_ODD) | _NO_TIME)
        )
        kept = text if self.needs_lines else pl.when(_ODD).then(text).alias(LINE)
        return self._timed(frame).select(*self.wanted.fields, *self._times, kept, NUMBER, _ODD)

    def parse_chunk(self, chunk: Chunk, *, file_number: int) -> Parsed:
        """Return the events of the chunk that may matter."""
        lines = _lines_of(chunk)
        chosen = lines
        if self.is_selective(lines.head(SAMPLE_LINES)):
            chosen = lines.filter(self.may_matter())
        parsed = self.parse(self._decoded(chosen), file_number=file_number)
        if chunk.is_overlong:
            return replace(parsed, problems=((chunk.first_line, TOO_LONG),))
        return replace(parsed, events=parsed.events + lines.height - chosen.height)

    def parse(self, decoded: pl.DataFrame, *, file_number: int) -> Parsed:
        """Return the events of some lines that were `decoded`; odd ones are read exactly."""
        odd = decoded.get_column(_ODD)
        frame, blank = decoded, 0
        problems: list[tuple[int, str]] = []
        if odd.any():
            exact, problems, blank = self._exactly(decoded.filter(odd))
            frame = pl.concat([decoded.filter(~odd).drop(_ODD), exact]).sort(NUMBER)
        return Parsed(
            frame=self._shown(frame, file_number),
            events=decoded.height - blank - len(problems),
            problems=tuple(problems),
        )

    def parse_fields(self, fields: pl.DataFrame, *, file_number: int) -> Parsed:
        """Return the events of `fields`, text already, with `LINE` and `NUMBER` in the file."""
        late = fields.filter(_NO_TIME)
        problems = [(n, not_a_time(t)) for t, n in late.select(TIMESTAMP, NUMBER).iter_rows()]
        frame = self._timed(fields.filter(~_NO_TIME).lazy()).collect()
        return Parsed(
            frame=self._shown(frame, file_number),
            events=frame.height,
            problems=tuple(problems),
        )

    def _shown(self, frame: pl.DataFrame, file_number: int) -> pl.DataFrame:
        if not self.needs_lines and not self.wanted.keeps_lines:
            # Once a batch, while the next one waits: a query for it would cost a tenth of the scan.
            return pl.DataFrame([frame.get_column(n) for n in (*self.wanted.fields, *self._times)])
        hidden: list[pl.Expr | str] = [*self._times]
        if self.needs_lines:
            place = pl.col(NUMBER).cast(pl.Int64) + (file_number << _LINE_BITS)
            hidden.append(place.alias(PLACE))
        if self.wanted.keeps_lines:
            hidden.append(LINE)
        return frame.select(*self.wanted.fields, *hidden)

    def _tests(self) -> list[pl.Expr]:
        return [pl.col(LINE).str.contains(regex) for regex in self._need]

    def _decoded(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Return `decoded` lines; those that fail it are odd."""
        try:
            return self.decoded(lines.lazy()).collect()
        except pl.exceptions.ComputeError:
            if lines.height <= _RETRY_LINES:
                nothing = self.decoded(lines.clear().lazy()).collect()
                marked = lines.with_columns(pl.lit(value=True).alias(_ODD))
                return pl.concat([nothing, marked], how="diagonal")
        # One broken line fails all: halve until it stands alone with a few others.
        half = lines.height // 2
        return pl.concat([self._decoded(lines[:half]), self._decoded(lines[half:])])

    def _named(self) -> list[pl.Expr]:
        """Return the wanted fields under LogScale's names, out of the keys' texts."""
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
        return made

    def _exactly(self, lines: pl.DataFrame) -> tuple[pl.DataFrame, list[tuple[int, str]], int]:
        """Return the lines' events, the broken ones by number, and how many are blank."""
        rows: list[tuple[str | int | None, ...]] = []
        problems: list[tuple[int, str]] = []
        blank = 0
        for line, number in lines.select(LINE, NUMBER).iter_rows():
            if not line.strip():
                blank += 1
                continue
            row = event_from_json(line)
            if isinstance(row, str):
                problems.append((number, row))
            else:
                rows.append((*(row.get(field) for field in self.wanted.fields), line, number))
        return (
            self._timed(self._rows(rows).lazy())
            .select(*self.wanted.fields, *self._times, LINE, NUMBER)
            .collect(),
            problems,
            blank,
        )

    def _rows(self, rows: Sequence[tuple[str | int | None, ...]]) -> pl.DataFrame:
        schema = dict.fromkeys(self.wanted.fields, pl.String()) | _LINES
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _timed(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Return the events with their times; one that has none happened at 0."""
        stamp = pl.col(TIMESTAMP)
        time = stamp.cast(pl.Int64, strict=False).fill_null(0)
        frame = frame.with_columns(stamp.fill_null("0"), time.alias(TIME_MS))
        if INGEST_TIMESTAMP not in self.wanted.fields:
            return frame
        text = pl.col(INGEST_TIMESTAMP)
        ingest = text.cast(pl.Int64, strict=False).fill_null(pl.col(TIME_MS))
        return frame.with_columns(text.fill_null(stamp), ingest.alias(INGEST_MS))


def _lines_of(chunk: Chunk) -> pl.DataFrame:
    """Return the chunk's lines and their numbers; what is not UTF-8 is replaced."""
    data = chunk.data
    try:
        lines = pl.read_lines(data, name=LINE, row_index_name=NUMBER)
    except pl.exceptions.ComputeError:
        data = data.decode("utf-8", "replace").encode()
        lines = pl.read_lines(data, name=LINE, row_index_name=NUMBER)
    return lines.select(LINE, pl.col(NUMBER) + chunk.first_line)


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
    tests = [
        # Polars prints numbers anew, and objects as text; null is a text to LogScale.
        rf"{key}{_BLANK}:{_BLANK}(?:null|[\[{{]|-0|-?[0-9]+[.eE]|-?[0-9]{{19}})",
        r"\\u[dD][89a-fA-F]",
        rf'\\u00[2-7][0-9a-fA-F][^"]*"{_BLANK}:',
    ]
    if any("." in key or "[" in key for key in keys):
        tests.append(rf'"{_BLANK}:{_BLANK}[\[{{]')
    return "|".join(tests)
