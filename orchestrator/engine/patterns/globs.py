"""Patterns with `*`, LogScale's only wildcard, and when a text equals a pattern.

Both evaluators (Polars and row at a time) ask here, so they cannot disagree.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal

NUMERIC_EQUALITY = True
"""`f=1` also keeps `1.0`. The documentation says numbers are compared as numbers and not how far;
off means text alone. Source: library.humio.com, data-analysis/syntax-operators.html."""

EXACT_INTEGERS = 2.0**53
_PLAIN_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?\Z", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glob:
    """A pattern cut at its stars; one part means no star."""

    parts: tuple[str, ...]

    @property
    def is_exact(self) -> bool:
        """Whether there is no star."""
        return len(self.parts) == 1

    @property
    def is_any(self) -> bool:
        """Whether it is `*` (or `**`), which asks for presence alone."""
        return len(self.parts) > 1 and not any(self.parts)

    @property
    def number(self) -> float | None:
        """The number to compare with besides the text, or None."""
        if not NUMERIC_EQUALITY or not self.is_exact:
            return None
        # Ids longer than a double is exact are told apart by their text alone.
        return float(self.parts[0]) if _PLAIN_NUMBER.match(self.parts[0]) else None

    def rust(self, *, anchored: bool = True) -> str:
        """Return the pattern as a regex for Polars."""
        body = ".*".join(_literal(part) for part in self.parts)
        return f"(?s)^{body}\\z" if anchored else f"(?s){body}"

    def python(self, *, anchored: bool = True, ignore_case: bool = False) -> re.Pattern[str]:
        """Return the pattern for Python's `search`, which says whether and not where it matches.

        Each part is taken where it comes first and never looked for again, since a later place
        could only leave less for the parts behind it: many stars cost no more than one.
        """
        first, *rest = (_literal(part) for part in self.parts)
        last = rest.pop() if rest and anchored else None
        body = "".join(f"(?>.*?{part})" for part in rest if part)
        body = f"{first}{body}" if anchored else f"(?>.*?{first}){body}"
        end = "" if not anchored else "\\Z" if last is None else f".*{last}\\Z"
        flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
        return re.compile(f"\\A{body}{end}", flags)


def parse_glob(text: str) -> Glob:
    """Return the pattern of `text`; runs of stars count as one."""
    parts = re.sub(r"\*+", "*", text).split("*")
    return Glob(parts=tuple(parts))


def parse_number(text: str) -> float | None:
    """Return the finite number that the whole text spells, or None."""
    if not _NUMBER.match(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def format_number(number: float) -> str:
    """Return the text LogScale prints: no `.0`, else the shortest round trip.

    An exponent stands only below 0.00001 and from 1e16, as in what Polars prints.
    """
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    text = repr(number).removesuffix(".0")
    if "e" in text and 1e-5 <= abs(number) < 1e16:
        return f"{Decimal(text):f}"
    return re.sub(r"e([+-])0", r"e\1", text)


def _literal(text: str) -> str:
    return "".join(c if c.isalnum() or ord(c) > 127 else f"\\x{ord(c):02x}" for c in text)
