"""FQL, the gateway's filter language: a text to a predicate over records.

`field:'value'`, `field:!'value'`, `field:>'value'` and its kin, `field:~'text'`,
`field:['a','b']`; `+` is and, `,` is or, parentheses group. `*` in a value is a wildcard; text is
compared without regard to case. Relative times are not known here.
Source: the Falcon API documentation's page on FQL, as gofalcon and falconpy cite it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from orchestrator.engine.patterns.globs import parse_glob

Predicate = Callable[[Mapping[str, Any]], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<sign>[()\[\],+])"
    r"|(?P<field>[A-Za-z_][\w.]*):(?P<operator>!~|>=|<=|[!<>~*])?"
    r"|'(?P<text>[^']*)'|\"(?P<quoted>[^\"]*)\""
    r"|(?P<bare>[^\s()\[\],+'\"]+))"
)


class FqlError(ValueError):
    """The text is not FQL; the message says where."""


def parse_fql(text: str) -> Predicate:
    """Return the predicate of `text`; an empty text lets everything through.

    Raises:
        FqlError: It is not FQL.
    """
    if not text.strip():
        return lambda _record: True
    parser = _Parser(text)
    predicate = parser.any_of()
    parser.end()
    return predicate


class _Parser:
    """Reads left to right; groups may be nested as deep as the text is long, at most 50."""

    _MAX_DEPTH = 50

    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0

    def any_of(self) -> Predicate:
        parts = [self._all_of()]
        while self._skip(","):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else lambda record: any(p(record) for p in parts)

    def end(self) -> None:
        if self._text[self._at :].strip():
            raise self._wrong("the end")

    def _all_of(self) -> Predicate:
        parts = [self._term()]
        while self._skip("+"):
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else lambda record: all(p(record) for p in parts)

    def _term(self) -> Predicate:
        if self._skip("("):
            self._depth += 1
            if self._depth > self._MAX_DEPTH:
                raise self._wrong("fewer parentheses")
            inner = self.any_of()
            if not self._skip(")"):
                raise self._wrong("a closing parenthesis")
            self._depth -= 1
            return inner
        match = self._match()
        if match is None or match["field"] is None:
            raise self._wrong("a field and a colon")
        self._at = match.end()
        return _compare(match["field"], match["operator"] or "", self._values())

    def _values(self) -> list[str]:
        if not self._skip("["):
            return [self._value()]
        values = [self._value()]
        while self._skip(","):
            values.append(self._value())
        if not self._skip("]"):
            raise self._wrong("a closing bracket")
        return values

    def _value(self) -> str:
        match = self._match()
        if match is not None:
            for kind in ("text", "quoted", "bare"):
                if match[kind] is not None:
                    self._at = match.end()
                    return str(match[kind])
        raise self._wrong("a value")

    def _skip(self, sign: str) -> bool:
        match = self._match()
        if match is None or match["sign"] != sign:
            return False
        self._at = match.end()
        return True

    def _match(self) -> re.Match[str] | None:
        return _TOKEN.match(self._text, self._at)

    def _wrong(self, expected: str) -> FqlError:
        return FqlError(f"invalid filter at character {self._at + 1}: {expected} is expected")


def _compare(name: str, operator: str, values: list[str]) -> Predicate:
    if operator in ("<", "<=", ">", ">="):
        (bound,) = values[:1]
        return lambda record: any(_ordered(text, operator, bound) for text in _texts(record, name))
    pad = "*" if operator in ("~", "!~") else ""
    patterns = [parse_glob(f"{pad}{value}{pad}").python(ignore_case=True) for value in values]

    def found(record: Mapping[str, Any]) -> bool:
        return any(p.search(text) for text in _texts(record, name) for p in patterns)

    if operator in ("!", "!~"):
        return lambda record: not found(record)
    return found


def _ordered(text: str, operator: str, bound: str) -> bool:
    left: float | str = text
    right: float | str = bound
    try:
        left, right = float(text), float(bound)
    except ValueError:
        left, right = text, bound
    order = (left > right) - (left < right)  # type: ignore[operator]  # both float or both text
    return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[operator]


def _texts(record: Mapping[str, Any], name: str) -> Iterable[str]:
    """Return the texts under a dotted name; an array has one for each element."""
    value: Any = record
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    items = value if isinstance(value, list) else [value]
    return [
        str(item).lower() if isinstance(item, bool) else str(item)
        for item in items
        if item is not None
    ]
