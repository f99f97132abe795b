"""Instants as LogScale prints, cuts and names them; epoch milliseconds in, text or numbers out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from orchestrator.cql.nodes import Node
from orchestrator.engine.arguments import semantic, unsupported
from orchestrator.engine.values import Kind, Value

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?\Z")
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000

# Java's short names that the zone database does not have.
_SHORT_NAMES: Mapping[str, str] = {
    "PST": "America/Los_Angeles", "PDT": "America/Los_Angeles", "CST": "America/Chicago",
    "CDT": "America/Chicago", "EDT": "America/New_York", "MDT": "America/Denver",
    "IST": "Asia/Kolkata", "JST": "Asia/Tokyo",
}  # fmt: skip

# LogScale's letters (Java's Formatter) in the words of Polars' strftime.
_LETTERS: Mapping[str, str] = {
    "H": "%H", "I": "%I", "k": "%-H", "l": "%-I", "M": "%M", "S": "%S", "L": "%3f", "N": "%9f",
    "p": "%P", "z": "%z", "Z": "%Z", "s": "%s", "Y": "%Y", "y": "%y", "j": "%j", "m": "%m",
    "d": "%d", "e": "%-d", "a": "%a", "A": "%A", "b": "%b", "B": "%B", "h": "%b", "C": "%C",
    "R": "%H:%M", "T": "%H:%M:%S", "r": "%I:%M:%S %p", "D": "%m/%d/%y", "F": "%Y-%m-%d",
    "c": "%a %b %d %H:%M:%S %Z %Y", "n": "\n", "%": "%%", "Q": "%s%3f",
}  # fmt: skip


def zone_of(text: str, *, node: Node) -> str:
    """Return the zone's name for Polars: an IANA name, `Z`, or a whole-hour offset.

    Raises:
        CqlSemanticError: There is no such zone.
        CqlUnsupported: An offset with minutes.
    """
    if text in ("Z", "UTC", "GMT", ""):
        return "UTC"
    text = _SHORT_NAMES.get(text, text)
    offset = _OFFSET.match(text)
    if offset:
        if offset[3] not in (None, "00"):
            raise unsupported(node, f"timezone={text}", "offsets of whole hours alone")
        # POSIX turns the sign: Etc/GMT-2 lies two hours east.
        sign = "-" if offset[1] == "+" else "+"
        return f"Etc/GMT{sign}{int(offset[2])}" if int(offset[2]) else "UTC"
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise semantic(node, f"there is no time zone {text!r}") from exc
    return text


def local(number: pl.Expr, zone: str) -> pl.Expr:
    """Return epoch milliseconds as a local time of the zone."""
    instant = number.floor().cast(pl.Int64, strict=False).cast(pl.Datetime("ms", "UTC"))
    return instant if zone == "UTC" else instant.dt.convert_time_zone(zone)


def format_times(number: pl.Expr, template: str, *, zone: str, call: Node) -> pl.Expr:
    """Return the times as text by LogScale's letters.

    Raises:
        CqlSemanticError: A letter that LogScale does not have.
    """
    pieces, at = [], 0
    while at < len(template):
        if template[at] != "%":
            pieces.append(template[at])
            at += 1
            continue
        letter = template[at + 1 : at + 2]
        if letter not in _LETTERS or letter == "":
            raise semantic(call, f"formatTime() has no %{letter}")
        pieces.append(_LETTERS[letter])
        at += 2
    return local(number, zone).dt.strftime("".join(pieces))


def time_part(number: pl.Expr, part: str, *, zone: str) -> Value:
    """Return one part of the times, by the name behind `time:`."""
    moment = local(number, zone)
    match part:
        case "dayOfWeekName":
            return Value(expr=moment.dt.strftime("%A"))
        case "monthName":
            return Value(expr=moment.dt.strftime("%B"))
        case _:
            parts = {
                "dayOfMonth": moment.dt.day,
                "dayOfWeek": moment.dt.weekday,
                "dayOfYear": moment.dt.ordinal_day,
                "hour": moment.dt.hour,
                "millisecond": moment.dt.millisecond,
                "minute": moment.dt.minute,
                "month": moment.dt.month,
                "second": moment.dt.second,
                "weekOfYear": moment.dt.week,
                "year": moment.dt.year,
            }
            return Value(expr=parts[part]().cast(pl.Float64), kind=Kind.NUMBER)


def bucket_start(number: pl.Expr, span_ms: int, *, zone: str) -> pl.Expr:
    """Return the start of each time's bucket in ms, aligned to the zone's natural boundaries."""
    if zone == "UTC":
        # In whole numbers: a quotient of floats may fall short of the boundary it stands on.
        whole = number.floor().cast(pl.Int64, strict=False)
        return (whole // span_ms * span_ms).cast(pl.Float64)
    if span_ms % _DAY_MS == 0:
        every = f"{span_ms // _DAY_MS}d"
    elif span_ms % _HOUR_MS == 0:
        every = f"{span_ms // _HOUR_MS}h"
    else:
        every = f"{span_ms}ms"
    return local(number, zone).dt.truncate(every).dt.epoch("ms").cast(pl.Float64)
