"""FQL, the gateway's filter language: a text to a predicate over records.

`field:'value'`, `field:!'value'`, `field:>'value'` and its kin, `field:~'text'`, `field:*'a*'`,
`field:['a','b']`, `field:null`; `+` is and, `,` is or, parentheses group. `*` in a value is a
wildcard, a backslash keeps a quote; text is compared without regard to case. Where both sides of a
range are instants they are compared as such: ISO 8601, a date alone, or relative, `now-7d`.
Source: the Falcon API documentation's page on FQL, as gofalcon and falconpy cite it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.engine.patterns.globs import parse_glob
from orchestrator.sandbox.storage.domains import Record

Predicate = Callable[[Mapping[str, Any]], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<sign>[()\[\],+])"
    r"|(?P<field>[A-Za-z_][\w.-]*):(?P<operator>!~|!\*|>=|<=|[!<>~*])?"
    r"|'(?P<text>(?:[^'\\]|\\.)*)'|\"(?P<quoted>(?:[^\"\\]|\\.)*)\""
    r"|(?P<bare>[^\s()\[\],+'\"]+))",
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\(['\"\\])")
_RELATIVE = re.compile(r"now(?:([+-])(\d{1,6})([smhdw]))?\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DIRECTIONS = ("asc", "desc")


class FqlError(ValueError):
    """The text is not FQL; the message says where."""


def parse_fql(text: str, *, now: datetime) -> Predicate:
    """Return the predicate of `text`; an empty text lets everything through.

    Args:
        text: The filter.
        now: What relative times are relative to.

    Raises:
        FqlError: It is not FQL.
    """
    if not text.strip():
        return lambda _record: True
    parser = _Parser(text, now)
    predicate = parser.any_of()
    parser.end()
    return predicate


def sorted_by(records: Sequence[Record], sort: str) -> list[Record]:
    """Return the records in the order of `field`, `field|desc`, or `field.asc`; empty keeps theirs.

    Those without the field come last, whichever the direction.

    Raises:
        FqlError: No field, or a direction that is none.
    """
    if not sort:
        return list(records)
    name, mark, direction = sort.rpartition("|")
    if not mark:
        name, _, direction = sort.rpartition(".")
        if direction not in _DIRECTIONS:
            name, direction = sort, "asc"
    if not name or direction not in _DIRECTIONS:
        raise FqlError(f"invalid sort {sort[:80]!r}: write field|asc or field|desc")
    keyed = [(next(iter(texts_of(record, name)), None), record) for record in records]
    found = [pair for pair in keyed if pair[0] is not None]
    found.sort(key=lambda pair: _rank(pair[0] or ""), reverse=direction == "desc")
    return [record for _, record in found] + [record for text, record in keyed if text is None]


class _Parser:
    """Reads left to right; groups may be nested as deep as the text is long, at most 50."""

    _MAX_DEPTH = 50

    def __init__(self, text: str, now: datetime) -> None:
        self._text, self._at, self._depth, self._now = text, 0, 0, now

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
        name, operator = match["field"], match["operator"] or ""
        if self._skip_null():
            if operator not in ("", "!"):
                raise self._wrong("a value, not null,")
            return lambda record: bool(texts_of(record, name)) is (operator == "!")
        values = self._values()
        if operator in ("<", "<=", ">", ">="):
            if len(values) > 1:
                raise self._wrong("one value for a range")
            return _range(name, operator, values[0], self._now)
        return _equality(name, operator, values)

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
                    return _ESCAPED.sub(r"\1", match[kind])
        raise self._wrong("a value")

    def _skip(self, sign: str) -> bool:
        match = self._match()
        if match is None or match["sign"] != sign:
            return False
        self._at = match.end()
        return True

    def _skip_null(self) -> bool:
        match = self._match()
        if match is None or match["bare"] != "null":
            return False
        self._at = match.end()
        return True

    def _match(self) -> re.Match[str] | None:
        return _TOKEN.match(self._text, self._at)

    def _wrong(self, expected: str) -> FqlError:
        return FqlError(f"invalid filter at character {self._at + 1}: {expected} is expected")


def _equality(name: str, operator: str, values: list[str]) -> Predicate:
    pad = "*" if operator in ("~", "!~") else ""
    patterns = [parse_glob(f"{pad}{value}{pad}".casefold()).parts for value in values]

    def found(record: Mapping[str, Any]) -> bool:
        texts = [text.casefold() for text in texts_of(record, name)]
        return any(_fits(text, parts) for text in texts for parts in patterns)

    if operator.startswith("!"):
        return lambda record: not found(record)
    return found


def _fits(text: str, parts: Sequence[str]) -> bool:
    """Return whether the text is the parts with anything between them.

    Part after part, each as early as it can be: a regex would try them all against one another.
    """
    first, *between = parts
    if not between:
        return text == first
    last = between.pop()
    at, end = len(first), len(text) - len(last)
    if at > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for part in between:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _range(name: str, operator: str, bound: str, now: datetime) -> Predicate:
    instant = _instant(bound, now)

    def found(record: Mapping[str, Any]) -> bool:
        return any(
            _holds(_order(text, bound, instant, now), operator) for text in texts_of(record, name)
        )

    return found


def _order(text: str, bound: str, instant: datetime | None, now: datetime) -> int:
    """Return how `text` stands to `bound`: as instants, else as numbers, else as text."""
    if instant is not None:
        given = _instant(text, now)
        if given is not None:
            return (given > instant) - (given < instant)
    left, right = _rank(text), _rank(bound)
    return (left > right) - (left < right)


def _holds(order: int, operator: str) -> bool:
    return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[operator]


def _rank(text: str) -> tuple[int, float, str]:
    """Return what orders texts: numbers by value, and before all that is none."""
    try:
        number = float(text)
    except ValueError:
        return 1, 0.0, text.casefold()
    # What is not a number in spite of its name has no place among them.
    return (0, number, "") if number == number else (1, 0.0, text.casefold())  # noqa: PLR0124


def _instant(text: str, now: datetime) -> datetime | None:
    relative = _RELATIVE.match(text)
    try:
        if relative is None:
            found = datetime.fromisoformat(text)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        if relative[2] is None:
            return now
        span = timedelta(**{_UNITS[relative[3]]: int(relative[2])})
        return now + span if relative[1] == "+" else now - span
    except (ValueError, OverflowError):
        return None


def texts_of(record: Mapping[str, Any], name: str) -> list[str]:
    """Return the texts under a dotted name; an array has one for each element."""
    found: Iterable[Any] = [record]
    for part in name.split("."):
        steps = (item.get(part) for item in found if isinstance(item, Mapping))
        found = [one for step in steps for one in (step if isinstance(step, list) else [step])]
    return [
        str(item).lower() if isinstance(item, bool) else str(item)
        for item in found
        if item is not None
    ]
