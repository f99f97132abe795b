"""Host names: what they normalise to, and how strongly two of them say "the same host".

Only ASCII letters are folded: `casefold` and compatibility forms turn look-alikes into each other
and are never used. A domain is never cut off to make two full names equal: `db1.prod.example` and
`db1.dev.example` are different hosts. Names that many hosts have or that mean "unknown" are
refused, so that a blank on both sides never matches. Addresses are not names: they are reused.

A NetBIOS name cut to 15 characters is another name here. Such an equality could only annotate
(see `Strength.NAME_ONLY`), and it is not looked up.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_BLANKS = " \t\r\n\v\f"

PLACEHOLDERS = frozenset({"", "-", "unresolved"})
"""What a query writes where a value is absent; such a value matches nothing."""

_REFUSED = PLACEHOLDERS | frozenset(
    {
        "unknown",
        "localhost",
        "localhost.localdomain",
        "localhost6",
        "localhost6.localdomain6",
        "null",
        "none",
        "nil",
        "nan",
        "n/a",
        "na",
        "undefined",
        "(null)",
        "*",
    }
)


class Strength(IntEnum):
    """How sure an equality of hosts is, in rising order; the letters are those of the docs."""

    NONE = 0
    NAME_ONLY = 1
    """D: the short name and nothing else. Annotates, never excuses."""
    NAME_AND_FACT = 2
    """C: the short name, unique, and a second agreeing part of the same fact."""
    FULL_NAME = 3
    """B: name and domain equal."""
    AGENT_ID = 4
    """A: the sensor's own id, through the host table."""


@dataclass(frozen=True, slots=True)
class HostName:
    """A normalised name: `short` up to the first dot, `domain` after it, empty where none."""

    short: str
    domain: str

    @property
    def text(self) -> str:
        """Return the whole normalised name."""
        return f"{self.short}.{self.domain}" if self.domain else self.short


def lower_ascii(text: str) -> str:
    """Return `text` with `A` to `Z` lowered and everything else as it is."""
    return text.translate(_LOWER)


def is_placeholder(text: str) -> bool:
    """Return whether `text` stands for "no value"."""
    return lower_ascii(text.strip(_BLANKS)) in PLACEHOLDERS


@lru_cache(maxsize=1 << 16)
def parse_host(text: str) -> HostName | None:
    """Return the normalised name, or None for what cannot name one host.

    Refused are blanks, placeholders, `localhost` and its kin, and IP addresses.
    """
    name = lower_ascii(text.strip(_BLANKS)).removesuffix(".")
    if name in _REFUSED or _is_address(name):
        return None
    short, _, domain = name.partition(".")
    has_letter_or_digit = any(character.isalnum() for character in short)
    return HostName(short, domain) if has_letter_or_digit else None


def compare(left: HostName, right: HostName) -> Strength:
    """Return how far two names alone go: `FULL_NAME`, `NAME_ONLY` or `NONE`; symmetric."""
    if left.short != right.short:
        return Strength.NONE
    if left.domain and right.domain:
        return Strength.FULL_NAME if left.domain == right.domain else Strength.NONE
    return Strength.NAME_ONLY


def _is_address(name: str) -> bool:
    if ":" not in name and not name.replace(".", "").isdigit():
        return False
    try:
        ipaddress.ip_address(name.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True
