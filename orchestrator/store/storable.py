"""Text that both databases can hold: what they refuse is replaced by something visible.

Hostile telemetry holds NUL (PostgreSQL's text refuses it, SQLite's functions cut at it) and lone
surrogates (they cannot be encoded as UTF-8). Every string passes here on its way into a row.
"""

from __future__ import annotations

import re
from typing import TypeAlias

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

_NUL_SEEN = "\N{SYMBOL FOR NULL}"
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def storable(text: str) -> str:
    """Return `text` with NUL as U+2400 and each lone surrogate as U+FFFD; else unchanged."""
    if "\0" in text:
        text = text.replace("\0", _NUL_SEEN)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(_REPLACEMENT, text)
    return text


def storable_json(value: Json) -> Json:
    """Return `value` with every string in it, keys included, made storable."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [storable_json(item) for item in value]
    if isinstance(value, dict):
        return {storable(key): storable_json(item) for key, item in value.items()}
    return value
