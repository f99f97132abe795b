"""unit:convert(): a number with a unit to a plain number, or to another prefix.

Any unit is taken; what is converted are its prefix and, for a rate, the time below the stroke,
which becomes a second.
Source: library.humio.com, data-analysis/functions-unit-convert.html.
"""

from __future__ import annotations

import re

from orchestrator.engine.arguments import Args
from orchestrator.engine.patterns.globs import format_number, parse_number
from orchestrator.engine.rows import Rows
from orchestrator.engine.values import Value, each_distinct

_PREFIXES = {
    **{f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPEZY", start=1)},
    "Y": 1e24, "Z": 1e21, "E": 1e18, "P": 1e15, "T": 1e12, "G": 1e9, "M": 1e6, "K": 1e3, "k": 1e3,
    "da": 1e1, "h": 1e2, "d": 1e-1, "c": 1e-2, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6,
    "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18, "z": 1e-21, "y": 1e-24,
}  # fmt: skip
_BINARY = {letter: 1024.0**power for power, letter in enumerate("KMGTPEZY", start=1)}
_SECONDS = {
    "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "hour": 3600.0, "d": 86_400.0,
    "day": 86_400.0, "w": 604_800.0, "week": 604_800.0,
}  # fmt: skip
# Units that begin with a letter that is also a prefix, and stand alone.
_WHOLE = {
    "min": 60.0, "h": 3600.0, "hour": 3600.0, "hours": 3600.0, "d": 86_400.0, "day": 86_400.0,
    "days": 86_400.0,
}  # fmt: skip
_VALUE = re.compile(r"\s*([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(.*?)\s*\Z", re.DOTALL)


def factor_of(text: str, *, unit: str = "", binary: bool = False) -> tuple[float, str]:
    """Return what a unit is worth in its base unit, and the base unit.

    Args:
        text: Such as `MB`, `ms`, `hits/min` or `k`.
        unit: The base unit, where it is known; else its first letters may be a prefix.
        binary: Decimal prefixes count as powers of 1024.
    """
    above, stroke, below = text.partition("/")
    factor, rest = _prefixed(above.strip(), unit=unit, binary=binary)
    if not stroke:
        return factor, rest
    seconds = _SECONDS.get(below.strip())
    if seconds is None:
        return factor, f"{rest}/{below.strip()}"
    return factor / seconds, f"{rest}/s"


def rate_factor(text: str, *, span_ms: int) -> float:
    """Return what a chart's `from to to` multiplies its values by; 1 where it only labels them.

    Below the stroke `span` and `bucket` are the chart's own bucket.
    """
    source, word, target = text.partition(" to ")
    if not word:
        return 1.0
    factors = []
    for part in (source, target):
        above, _, below = part.strip().partition("/")
        seconds = _SECONDS.get(below.strip().removesuffix("s") or "s", 1.0)
        if below.strip() in ("span", "bucket"):
            seconds = span_ms / 1000
        factors.append(_prefixed(above.strip(), unit="", binary=False)[0] / seconds)
    return factors[0] / factors[1]


def _prefixed(text: str, *, unit: str, binary: bool) -> tuple[float, str]:
    if text == unit:
        return 1.0, text
    # A unit that is known leaves no doubt which letters are the prefix.
    if unit and text.endswith(unit):
        prefix = text.removesuffix(unit)
        return _worth(prefix, binary=binary) or 1.0, unit
    if text in _WHOLE and not unit:
        return 1.0, text
    for length in (2, 1):
        worth = _worth(text[:length], binary=binary)
        # One letter alone is a prefix without a unit, but metres and seconds are units.
        if worth is not None and len(text) >= length and text not in ("m", "s"):
            return worth, text[length:]
    return 1.0, text


def _worth(prefix: str, *, binary: bool) -> float | None:
    if binary and prefix.upper() in _BINARY and prefix not in ("m", "p", "z", "y"):
        return _BINARY[prefix.upper()]
    return _PREFIXES.get(prefix)


def convert(args: Args, rows: Rows) -> Value:
    """Convert the field; what is not a number with a unit gives nothing."""
    unit, binary = args.text("unit", ""), args.flag("binary")
    source = args.text("from", "") if args.has("from") else ""
    target = args.text("to", "") if args.has("to") else ""
    keep = args.flag("keepUnit")

    def compute(cell: str) -> str | None:
        found = _VALUE.match(cell)
        number = None if found is None else parse_number(found[1])
        if found is None or number is None:
            return None
        text = found[2] or source
        if unit and not text.partition("/")[0].rstrip().endswith(unit):
            return None
        worth, base = factor_of(text, unit=unit, binary=binary)
        if target:
            divisor, base = factor_of(target, unit=unit, binary=binary)
            worth, base = worth / divisor, target
        # Twelve digits hide what the division by a power of ten leaves behind.
        value = format_number(float(f"{number * worth:.15g}"))
        return f"{value} {base}" if keep and base else value

    return Value(expr=each_distinct(rows.field(args.text("field")).text(), compute))
