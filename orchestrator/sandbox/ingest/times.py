"""Times of events as senders write them, turned into `@timestamp` and `@timestamp.nanos`.

The first is in whole milliseconds, the second what is left below one, in nanoseconds.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

from orchestrator.sandbox.ingest.refusals import BodyRefused
from orchestrator.sandbox.storage.events import NANOS, TIMESTAMP
from orchestrator.units import to_epoch_ms

MS_DIGITS = 15
FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999
"""The years 1 to 9999, which are all that a calendar here can name."""
_MAX_SHOWN = 60
_NANOS_PER_MS = 1_000_000
_FRACTION = re.compile(r"[.,]([0-9]+)")


def event_times(raw: object) -> dict[str, str]:
    """Return the times of an event: epoch ms, with a fraction or not, or ISO 8601 (no zone: UTC).

    Raises:
        BodyRefused: Neither, or a time that no calendar names.
    """
    text = str(raw)
    # The common case first: this runs once per event.
    if text.isdecimal() and len(text) <= MS_DIGITS and int(text) <= LAST_MS:
        return {TIMESTAMP: str(int(text))}
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return _times(text, raw)
    ms = to_epoch_ms(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
    fraction = _FRACTION.search(text)
    digits = "" if fraction is None else fraction[1].ljust(9, "0")[3:9]
    return _times(str(ms), raw) | _below_ms(int(digits or 0))


def hec_times(raw: object) -> dict[str, str]:
    """Return the times of HEC's seconds, with a fraction or not.

    Raises:
        BodyRefused: Not a number, or a time that no calendar names.
    """
    return _times(str(raw), raw, ms_per_unit=1000)


def nano_times(nanos: int) -> dict[str, str]:
    """Return the times of epoch nanoseconds; nothing where no calendar names them."""
    ms, below = divmod(nanos, _NANOS_PER_MS)
    return {TIMESTAMP: str(ms)} | _below_ms(below) if is_time(ms) else {}


def is_time(ms: int | Decimal) -> bool:
    """Return whether an event may have this time, in epoch ms."""
    return FIRST_MS <= ms <= LAST_MS


def _times(text: str, raw: object, *, ms_per_unit: int = 1) -> dict[str, str]:
    """Return the times of a number.

    Raises:
        BodyRefused: Not a number, or a time that no calendar names.
    """
    try:
        exact = Decimal(text) * ms_per_unit
        if is_time(exact):
            ms = int(exact)
            return {TIMESTAMP: str(ms)} | _below_ms(int((exact - ms) * _NANOS_PER_MS))
    except (ArithmeticError, ValueError) as exc:
        raise BodyRefused(f"{_short(raw)} is not a timestamp") from exc
    raise BodyRefused(f"{_short(raw)} is a time before the year 1 or after the year 9999")


def _below_ms(nanos: int) -> dict[str, str]:
    # Before 1970 a fraction is cut off towards it, and nothing is left below.
    return {NANOS: str(nanos)} if nanos > 0 else {}


def _short(raw: object) -> str:
    text = repr(raw)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
