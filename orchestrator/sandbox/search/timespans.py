"""The time values of a query job: epoch ms, `24h`, `now`, and the anchored forms.

Anchored: `1d@d+12h` goes back a day, snaps down to its start in the query's time zone, adds twelve
hours; `calendar:` in front makes days, months and years calendar steps.
Source: library.humio.com, data-analysis/syntax-time-relative.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from orchestrator.units import from_epoch_ms, parse_duration, to_epoch_ms

_DIGITS = re.compile(r"\d{1,20}\Z", re.ASCII)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?\Z")
_STEP = re.compile(r"([+-])\s*(\d+) ?([a-z]+)")
_AMOUNT = re.compile(r"(\d+) ?([a-z]+)\Z")
_CALENDAR_UNITS = {"d": "day", "w": "week", "mon": "month", "q": "quarter", "y": "year"}


LAST_MS = 253_402_300_799_999
"""The end of the year 9999; what lies beyond it is no date."""


class TimeRefused(ValueError):
    """The value names no instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBase:
    """What relative times are relative to."""

    now_ms: int
    zone: tzinfo = UTC
    live: bool = False
    """Live queries take no anchored and no absolute forms: their window moves with the clock."""


def resolve(raw: object, base: TimeBase, *, default_ms: int) -> int:
    """Return the epoch ms that a request's `start`, `end` or the like names.

    Raises:
        TimeRefused: Not a number, not a relative time, beyond the years that there are; or anchored
            or absolute in a live query.
    """
    match raw:
        case None | "":
            return default_ms
        case bool():
            raise TimeRefused(f"{raw} is not a time")
        case int():
            return _absolute(raw, base)
        case float() if raw.is_integer():
            return _absolute(int(raw), base)
        case str():
            return _resolve_text(raw.strip(), base)
        case _:
            raise TimeRefused(f"{raw!r} is not a time")


def _absolute(ms: int, base: TimeBase) -> int:
    if base.live:
        raise TimeRefused("a live query takes relative times such as 24h, since its window moves")
    if not -LAST_MS <= ms <= LAST_MS:
        raise TimeRefused("an epoch time in milliseconds lies before the year 10000")
    return ms


def zone_of(name: str | None, *, offset_minutes: int = 0) -> tzinfo:
    """Return the zone of an IANA name or `+02:00`; without a name, of the offset east of UTC.

    Raises:
        TimeRefused: No such zone.
    """
    try:
        if not name:
            return timezone(timedelta(minutes=offset_minutes))
        if name in {"Z", "UTC", "GMT"}:
            return UTC
        if match := _OFFSET.match(name):
            length = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
            return timezone(length if match[1] == "+" else -length)
        return ZoneInfo(name)
    except (ValueError, OverflowError, OSError, LookupError) as exc:
        raise TimeRefused(f"{name or offset_minutes} is not a time zone") from exc


def _resolve_text(text: str, base: TimeBase) -> int:
    if _DIGITS.match(text):
        return _absolute(int(text), base)
    if text == "now":
        return base.now_ms
    is_calendar = text.startswith("calendar:")
    if base.live and (is_calendar or "@" in text):
        raise TimeRefused(f"{text!r} is anchored, which a live query cannot be")
    body = text.removeprefix("calendar:").strip()
    amount, _, anchor = body.partition("@")
    at = from_epoch_ms(base.now_ms).astimezone(base.zone)
    if amount.strip() != "now":
        at = _stepped(at, amount.strip(), back=True, calendar=is_calendar, whole=text)
    if "@" in body:
        at = _anchored(at, anchor.strip(), calendar=is_calendar, whole=text)
    return to_epoch_ms(at)


def _anchored(at: datetime, anchor: str, *, calendar: bool, whole: str) -> datetime:
    unit = re.match(r"[a-z]+", anchor)
    if unit is None:
        raise TimeRefused(f"{whole!r} names no unit behind @")
    at = _floor(at, _unit(unit[0], whole))
    rest = anchor[unit.end() :].strip()
    while rest:
        step = _STEP.match(rest)
        if step is None:
            raise TimeRefused(f"{whole!r} has something behind its unit that is not +N unit")
        amount = f"{step[2]}{step[3]}"
        at = _stepped(at, amount, back=step[1] == "-", calendar=calendar, whole=whole)
        rest = rest[step.end() :].strip()
    return at


def _unit(word: str, whole: str) -> str:
    """Return the unit's short name by its length, so that every spelling is known."""
    try:
        length = parse_duration(f"1{word}")
    except ValueError as exc:
        raise TimeRefused(f"{whole!r} names no unit that exists") from exc
    days = {1: "d", 7: "w", 30: "mon", 90: "q", 365: "y"}
    seconds = {0: "ms", 1: "s", 60: "m", 3600: "h"}
    return days[length.days] if length.days else seconds[int(length.total_seconds())]


def _stepped(at: datetime, amount: str, *, back: bool, calendar: bool, whole: str) -> datetime:
    try:
        match = _AMOUNT.match(amount)
        if calendar and match and (unit := _unit(match[2], whole)) in _CALENDAR_UNITS:
            count = int(match[1]) * (-1 if back else 1)
            return _calendar_step(at, count, unit)
        length = parse_duration(amount)
        moved = at.astimezone(UTC) + (-length if back else length)
        return moved.astimezone(at.tzinfo)
    except (ValueError, OverflowError) as exc:
        raise TimeRefused(f"{whole!r} is not a relative time such as 15m or 1d@d") from exc


def _calendar_step(at: datetime, count: int, unit: str) -> datetime:
    if unit in {"d", "w"}:
        # Naive arithmetic on the zone's wall clock: midnight stays midnight over a DST change.
        return at + timedelta(days=count * (7 if unit == "w" else 1))
    months = count * {"mon": 1, "q": 3, "y": 12}[unit]
    index = at.year * 12 + at.month - 1 + months
    year, month = index // 12, index % 12 + 1
    day = at.day
    while day > 28:
        try:
            return at.replace(year=year, month=month, day=day)
        except ValueError:
            day -= 1
    return at.replace(year=year, month=month, day=day)


def _floor(at: datetime, unit: str) -> datetime:
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    match unit:
        case "ms":
            return at.replace(microsecond=at.microsecond // 1000 * 1000)
        case "s":
            return at.replace(microsecond=0)
        case "m":
            return at.replace(second=0, microsecond=0)
        case "h":
            return at.replace(minute=0, second=0, microsecond=0)
        case "d":
            return midnight
        case "w":
            return midnight - timedelta(days=midnight.weekday())
        case "mon":
            return midnight.replace(day=1)
        case "q":
            return midnight.replace(month=(at.month - 1) // 3 * 3 + 1, day=1)
        case _:
            return midnight.replace(month=1, day=1)
