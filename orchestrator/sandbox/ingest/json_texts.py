"""The texts that parts of a JSON text were written as: an event is kept as its sender wrote it.

Whatever comes in here was read as JSON before, so nothing is checked a second time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_read = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode
_OPENING = re.compile(r"\s*[\[{]\s*")
_BEFORE_VALUE = re.compile(r"\s*:\s*")
_BEFORE_NEXT = re.compile(r"\s*,?\s*")


def element_texts(array: str) -> Iterator[str]:
    """Yield the text of each element of an array, in order."""
    position = _end(_OPENING, array, 0)
    while array[position] != "]":
        _, end = _read(array, position)
        yield array[position:end]
        position = _end(_BEFORE_NEXT, array, end)


def member_text(member: str, of: str) -> str:
    """Return the text of an object's member, the last one of this name.

    Raises:
        KeyError: It has none.
    """
    key = f'"{member}"'
    # The common case first: named once, and no other name is spelled by escapes.
    if of.count(key) == 1 and "\\u00" not in of:
        start = _end(_BEFORE_VALUE, of, of.index(key) + len(key))
        return of[start : _read(of, start)[1]]
    found: dict[str, str] = {}
    position = _end(_OPENING, of, 0)
    while of[position] != "}":
        name, end = _read(of, position)
        start = _end(_BEFORE_VALUE, of, end)
        _, end = _read(of, start)
        if name == member:
            found[name] = of[start:end]
        position = _end(_BEFORE_NEXT, of, end)
    return found[member]


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return position if match is None else match.end()
