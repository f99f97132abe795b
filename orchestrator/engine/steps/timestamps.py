"""parseTimestamp() and findTimestamp(): text to epoch milliseconds.

Patterns are Java's DateTimeFormatter, the letters people use. A text without a zone needs one, a
text without a year gets the one that the documentation says: the current, or the last where the
date would lie more than eight days ahead.
Source: library.humio.com, data-analysis/functions-parsetimestamp.html,
functions-findtimestamp.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from orchestrator.engine.arguments import Args, semantic
from orchestrator.engine.events import TIME_MS
from orchestrator.engine.flow import Flow
from orchestrator.engine.steps.parsing import ERROR, ERROR_TEXT, add_fields
from orchestrator.engine.values import each_row
from orchestrator.units import from_epoch_ms, to_epoch_ms

DEFAULT_FORMAT = "yyyy-MM-dd'T'HH:mm:ss[.SSSSSSSSS]XXXXX"
_EPOCHS = {
    "millis": 1.0, "milliseconds": 1.0, "unixtimemillis": 1.0, "seconds": 1000.0,
    "unixtime": 1000.0, "unixtimeseconds": 1000.0, "nanos": 1e-6,
}  # fmt: skip
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?(?::?(\d{2}))?\Z")
_FAR_AHEAD = timedelta(days=8)
_SEARCHED_CHARS = 128
Parts = Mapping[str, str]
Parse = Callable[[str, str | None], tuple[int, str] | None]
"""A text and the zone to assume, to epoch milliseconds and the zone's name."""


def zone_named(text: str) -> tzinfo | None:
    """Return the zone of an IANA name or an offset, None if there is none."""
    if text in ("Z", "UTC", "GMT", "UT"):
        return UTC
    offset = _OFFSET.match(text)
    if offset:
        length = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        if length > timedelta(hours=18):
            return None
        return timezone(-length if offset[1] == "-" else length)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


# --- patterns -------------------------------------------------------------------------------

_NAMES = "[A-Za-z]{3,9}"
_ZONE = r"(?:Z|UTC|GMT)?(?:[+-]\d{1,2}:?(?:\d{2})?(?::?\d{2})?)?|[A-Za-z]+(?:/[A-Za-z_+-]+)*\d*"


def _letter(letter: str, count: int) -> tuple[str, str]:
    """Return the part of the time that a pattern's letters mean, and the regex they read."""
    digits = rf"\d{{{count}}}" if count > 1 else r"\d{1,2}"
    match letter:
        case "y" | "u":
            return ("year2", r"\d{2}") if count == 2 else ("year", r"\d{4}")
        case "M" | "L":
            return ("month_name", _NAMES) if count >= 3 else ("month", digits)
        case "d":
            return "day", digits
        case "D":
            return "day_of_year", r"\d{1,3}"
        case "H" | "k":
            return "hour", digits
        case "h" | "K":
            return "hour12", digits
        case "m":
            return "minute", digits
        case "s":
            return "second", digits
        case "S" | "n":
            # The fraction's length in the text may be shorter: the default pattern says nine.
            return "fraction", rf"\d{{1,{count}}}"
        case "a":
            return "half", "[AaPp][Mm]"
        case "E" | "e":
            return "", _NAMES
        case "X" | "x" | "Z" | "z" | "V" | "O":
            return "zone", _ZONE
        case _:
            raise ValueError(f"the pattern letter {letter} is not known")


def compile_pattern(pattern: str, *, case_sensitive: bool = True) -> re.Pattern[str]:
    """Return a regex that reads what a pattern of DateTimeFormatter does.

    Raises:
        ValueError: A letter that is not known, or brackets or quotes that do not close.
    """
    pieces, at, seen = [], 0, set()
    while at < len(pattern):
        char = pattern[at]
        if char == "'":
            end = pattern.find("'", at + 1)
            if end < 0:
                raise ValueError("a quote does not close")
            pieces.append(re.escape(pattern[at + 1 : end] or "'"))
            at = end + 1
        elif char in "[]":
            pieces.append("(?:" if char == "[" else ")?")
            at += 1
        elif char.isascii() and char.isalpha():
            end = at
            while pattern[end : end + 1] == char:
                end += 1
            name, body = _letter(char, end - at)
            capture = name and name not in seen
            seen.add(name)
            pieces.append(f"(?P<{name}>{body})" if capture else f"(?:{body})")
            at = end
        else:
            pieces.append(re.escape(char))
            at += 1
    flags = re.ASCII if case_sensitive else re.ASCII | re.IGNORECASE
    try:
        return re.compile("".join(pieces) + r"\Z", flags)
    except re.error as exc:
        raise ValueError(f"the pattern is broken: {exc}") from exc


def instant_of(parts: Parts, zone: tzinfo, *, now: datetime, far: timedelta = _FAR_AHEAD) -> int:
    """Return the epoch milliseconds of a time cut into parts.

    Raises:
        ValueError: The parts are no time.
    """
    local = now.astimezone(zone)
    year = parts.get("year")
    if parts.get("year2"):
        # Java's reduced years run from 2000.
        year = f"20{parts['year2']}"
    month = parts.get("month")
    if parts.get("month_name"):
        month = str(_MONTHS.index(parts["month_name"][:3].lower()) + 1)
    hour = int(parts.get("hour") or 0) % 24
    if parts.get("hour12"):
        hour = int(parts["hour12"]) % 12 + (12 if (parts.get("half") or "").lower() == "pm" else 0)
    fraction = (parts.get("fraction") or "0").ljust(9, "0")[:9]
    second = min(int(parts.get("second") or 0), 59)
    clock = {"hour": hour, "minute": int(parts.get("minute") or 0), "second": second}
    micros = int(fraction) // 1000
    if month is None and parts.get("day_of_year"):
        start = datetime(int(year or local.year), 1, 1, tzinfo=zone, **clock, microsecond=micros)
        return to_epoch_ms(start + timedelta(days=int(parts["day_of_year"]) - 1))
    if month is None:
        found = local.replace(
            hour=hour, minute=clock["minute"], second=clock["second"], microsecond=micros
        )
        return to_epoch_ms(found - timedelta(days=1) if found - local > far else found)
    day = int(parts.get("day") or 1)
    whole = datetime(int(year or local.year), int(month), day, tzinfo=zone, **clock,
                     microsecond=micros)  # fmt: skip
    if year is None and whole - local > far:
        whole = whole.replace(year=whole.year - 1)
    return to_epoch_ms(whole)


def _by_pattern(args: Args, now: datetime) -> Parse:
    text = args.text("format", DEFAULT_FORMAT) if args.has("format") else DEFAULT_FORMAT
    scale = _EPOCHS.get(text.lower())
    if scale is not None:
        return lambda cell, _zone: _epoch(cell, scale)
    try:
        pattern = compile_pattern(text, case_sensitive=args.flag("caseSensitive", default=True))
    except ValueError as exc:
        raise semantic(args.call, f"parseTimestamp(): {exc}") from exc
    given = args.text("timezone") if args.has("timezone") else None
    return lambda cell, fallback: _read(pattern.match(cell), given, fallback, now)


def _epoch(cell: str, scale: float) -> tuple[int, str] | None:
    whole, dot, rest = cell.strip().partition(".")
    if not whole.removeprefix("-").isdecimal() or (dot and not rest.isdecimal()):
        return None
    if scale == 1e-6:
        return int(whole) // 1_000_000, "Z"
    fraction = int((rest + "000")[:3]) if scale == 1000.0 else 0
    return int(whole) * int(scale) + fraction, "Z"


def _read(
    found: re.Match[str] | None, given: str | None, fallback: str | None, now: datetime
) -> tuple[int, str] | None:
    if found is None:
        return None
    parts = {name: cell for name, cell in found.groupdict().items() if cell}
    # A zone that is given overrides the text's own.
    name = given or parts.get("zone") or fallback
    zone = None if name is None else zone_named(name)
    if zone is None or name is None:
        return None
    try:
        return instant_of(parts, zone, now=now), name
    except (ValueError, OverflowError):
        return None


# --- finding --------------------------------------------------------------------------------

_TIME = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2}):(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?"
    r"(?: ?(?P<half>[AaPp][Mm]))?"
    r"(?: ?(?P<zone>Z|(?:UTC|GMT)?[+-]\d{2}:?\d{2}|UTC|GMT|[A-Z][a-z]+/[A-Z][A-Za-z_]+))?"
)
_MONTH = rf"(?:(?P<month_name>(?:{'|'.join(_MONTHS)})[a-z]*)|(?P<month>\d{{1,2}}))"
_NAMED_MONTH = rf"(?P<month_name>(?:{'|'.join(_MONTHS)})[a-z]*)"
_SHAPES = tuple(
    re.compile(shape, re.ASCII | re.IGNORECASE)
    for shape in (
        rf"\b(?P<year>\d{{4}})[-/. ]{_MONTH}[-/. ](?P<day>\d{{1,2}})[T ,:]+{_TIME}",
        rf"\b(?P<day>\d{{1,2}})[-/. ]{_NAMED_MONTH}[-/. ]?(?P<year>\d{{4}})?[T ,:]+{_TIME}",
        rf"\b{_MONTH}[-/. ]+(?P<day>\d{{1,2}})[-/. ,]+(?P<year>\d{{4}})[T ,:]+{_TIME}",
        rf"\b{_MONTH}[-/. ]+(?P<day>\d{{1,2}})[T ,:]+{_TIME}(?: (?P<year>\d{{4}}))?",
        rf"\b{_TIME}",
    )
)
_EPOCH_SECONDS = re.compile(r"(?<!\d)(\d{10})(?:[.,]?(\d{9}|\d{6}|\d{3}))?(?!\d)", re.ASCII)


def _by_search(args: Args, now: datetime) -> Parse:
    given = args.text("timezone") if args.has("timezone") else None

    def parse(cell: str, fallback: str | None) -> tuple[int, str] | None:
        for shape in _SHAPES:
            found = shape.search(cell)
            if found is not None and found.start() < _SEARCHED_CHARS:
                # Here the text's own zone comes first.
                own = found.groupdict().get("zone")
                return _read(found, None if own else given, fallback, now)
        epoch = _EPOCH_SECONDS.search(cell)
        if epoch is not None and epoch.start() < _SEARCHED_CHARS:
            return int(epoch[1]) * 1000 + int(((epoch[2] or "") + "000")[:3]), "Z"
        return None

    return parse


# --- stages ---------------------------------------------------------------------------------


def parse_timestamp(args: Args, flow: Flow) -> Flow:
    """Read the time in a field by a pattern."""
    now = from_epoch_ms(args.execution.context.now_ms)
    return _timestamps(args, flow, args.text("field"), _by_pattern(args, now))


def find_timestamp(args: Args, flow: Flow) -> Flow:
    """Read the first time that stands in a field's first 128 characters."""
    now = from_epoch_ms(args.execution.context.now_ms)
    return _timestamps(args, flow, args.text("field", "@rawstring"), _by_search(args, now))


def _timestamps(args: Args, flow: Flow, field: str, parse: Parse) -> Flow:
    target, zone_target = args.text("as", "@timestamp"), args.text("timezoneAs", "@timezone")
    add_errors, rows = args.flag("addErrors", default=True), flow.rows()
    zone_field = args.text("timezoneField", "@timezone")
    # The text and the zone to assume travel together, so that equal ones are read once.
    joined = each_row(
        [rows.field(field).text(), rows.field(zone_field).text()],
        lambda cells: None if cells[0] is None else f"{cells[1] or ''}\x00{cells[0]}",
    )

    def read(cell: str) -> Mapping[str, str]:
        fallback, _, text = cell.partition("\x00")
        found = parse(text.strip(), fallback or None)
        if found is None:
            problem = f"{args.function.name}() found no time in {field}"
            return {ERROR: "true", ERROR_TEXT: problem} if add_errors else {}
        return {target: str(found[0]), zone_target: found[1]}

    found_flow = add_fields(flow, joined, read)
    if target == "@timestamp" and flow.has_times:
        return _retimed(found_flow)
    return found_flow


def _retimed(flow: Flow) -> Flow:
    """Return the events in order of the times they have now."""
    number = pl.col("@timestamp").cast(pl.Int64, strict=False).fill_null(0)
    frame = flow.frame.with_columns(number.alias(TIME_MS))
    return flow.with_frame(frame.sort([*flow.outer(), TIME_MS], maintain_order=True))
