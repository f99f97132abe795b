"""Durations and epoch milliseconds: parse, print, convert.

A duration is a `timedelta`, an instant an aware UTC `datetime`. Numbers with a unit exist only at
the edges (wire, rows, files) and are turned here. LogScale's relative-time spellings are accepted
in rule files and config: `5m`, `24h`, `7 days`.
Source: library.humio.com, data-analysis/syntax-time-relative.html.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_MS = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION = re.compile(r"(\d+) ?([a-z]+)\Z")
_UNITS: dict[str, timedelta] = {
    spelling: timedelta(milliseconds=length_ms)
    for length_ms, spellings in (
        (1, "ms millis millisecond milliseconds"),
        (1_000, "s sec secs second seconds"),
        (60_000, "m min minute minutes"),
        (3_600_000, "h hr hrs hour hours"),
        (86_400_000, "d day days"),
        (604_800_000, "w week weeks"),
        (2_592_000_000, "mon month months"),
        (7_776_000_000, "q qtr qtrs quarter quarters"),
        (31_536_000_000, "y yr yrs year years"),
    )
    for spelling in spellings.split()
}
_PRINT_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))


def parse_duration(text: str) -> timedelta:
    """Return the length of a relative time such as `5m`, `90 seconds` or `7d`.

    Raises:
        ValueError: The text is not `<whole number><unit>`; the message lists what is accepted.
    """
    match = _DURATION.match(text.strip())
    unit = _UNITS.get(match[2]) if match else None
    if match is None or unit is None:
        raise ValueError(
            f"{text!r} is not a duration; write a whole number and ms, s, m, h, d or w"
        )
    try:
        return int(match[1]) * unit
    except OverflowError as exc:
        raise ValueError(f"{text!r} is longer than the calendar") from exc


def format_duration(duration: timedelta) -> str:
    """Return the shortest exact spelling that `parse_duration` reads, such as `15m` or `250ms`."""
    length_ms = duration // _MS
    for unit, size in _PRINT_UNITS:
        if length_ms and length_ms % size == 0:
            return f"{length_ms // size}{unit}"
    return f"{length_ms}ms"


def to_epoch_ms(instant: datetime) -> int:
    """Return milliseconds since 1970-01-01 UTC, rounded down; `instant` must be aware."""
    if instant.tzinfo is None:
        raise ValueError("an instant must carry its zone")
    return (instant - _EPOCH) // _MS


def from_epoch_ms(epoch_ms: int) -> datetime:
    """Return the aware UTC instant of `epoch_ms`.

    Raises:
        ValueError: The number lies outside the years 1 to 9999.
    """
    try:
        return _EPOCH + epoch_ms * _MS
    except OverflowError as exc:
        raise ValueError(f"{epoch_ms} ms is outside the calendar") from exc


def parse_instant(text: str) -> datetime:
    """Return the aware UTC instant of an ISO 8601 text with a zone, or of epoch milliseconds.

    Raises:
        ValueError: Neither form, or no zone given.
    """
    text = text.strip()
    if text.isdecimal():
        return from_epoch_ms(int(text))
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ValueError(f"{text!r} is not a time; write 2026-03-10T02:00:00Z") from exc
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no zone; end it with Z for UTC")
    return instant.astimezone(UTC)


def format_instant(instant: datetime) -> str:
    """Return ISO 8601 in UTC with `Z`, milliseconds only where they are not zero."""
    utc = instant.astimezone(UTC)
    precision = "milliseconds" if utc.microsecond else "seconds"
    return utc.replace(tzinfo=None).isoformat(timespec=precision) + "Z"
