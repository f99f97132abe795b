"""A mapping of a file read key by key: each read takes a key, what is left over is unknown.

Every problem is noted with its place and reading goes on, so that one run reports them all.
"""

from __future__ import annotations

import difflib
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from orchestrator.cql.diagnostics import Level
from orchestrator.rules.problems import Problem
from orchestrator.rules.yaml import Place, Value
from orchestrator.units import parse_duration

E = TypeVar("E", bound=StrEnum)
Default = TypeVar("Default", timedelta, None)


class Problems:
    """Where the problems of one file are gathered."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[Problem] = []

    def add(self, place: Place, code: str, message: str, advice: str = "") -> None:
        """Note an error."""
        self.found.append(
            Problem(
                path=self.path,
                line=place.line,
                column=place.column,
                level=Level.ERROR,
                code=code,
                message=message,
                help=advice,
            )
        )


class Section:
    """One mapping, read by key; `close` reports what nobody asked for."""

    def __init__(self, value: Value, name: str, problems: Problems) -> None:
        self.problems, self.name, self.place = problems, name, value.place
        self._places = value.key_places
        self._data: dict[str, Value] = {}
        self._asked: list[str] = []
        if isinstance(value.data, dict):
            self._data = value.data
        elif value.data is not None:
            problems.add(value.place, "not-a-mapping", f"{name or 'the file'} must be a mapping.")

    def take(self, key: str) -> Value | None:
        """Return the key's node; None where absent."""
        self._asked.append(key)
        return self._data.get(key)

    def wrong(self, key: str, message: str, advice: str = "", code: str = "bad-value") -> None:
        """Note an error at the key's value, else at the section."""
        value = self._data.get(key)
        self.problems.add(value.place if value else self.place, code, message, advice)

    def text(self, key: str, *, default: str | None = None) -> str:
        """Return a text as written; a missing or blank one without default is an error."""
        value = self.take(key)
        if value is None or value.data is None:
            if default is None:
                self._missing(key)
                return ""
            return default
        if isinstance(value.data, dict | list):
            self.wrong(key, f"{key} must be text.")
            return ""
        if default is None and not value.written.strip():
            self._missing(key)
        return value.written

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value.data, bool):
            self.wrong(key, f"{key} must be true or false.")
            return default
        return value.data

    def choice(self, key: str, kind: type[E], *, default: E | None = None) -> E:
        """Return a member of `kind`; the error names the nearest."""
        first = next(iter(kind))
        text = self.text(key, default=None if default is None else default.value)
        if not text:
            return default or first
        try:
            return kind(text)
        except ValueError:
            known = [member.value for member in kind]
            self.wrong(key, f"{key} cannot be {text!r}.", _nearest(text, known))
            return default or first

    def duration(self, key: str, *, default: Default) -> timedelta | Default:
        """Return a length such as 5m, `default` where absent; no length at all is a length too."""
        value = self.take(key)
        if value is None or value.data is None:
            return default
        try:
            return parse_duration(value.written)
        except ValueError as exc:
            self.wrong(key, f"{key}: {exc}.")
            return default

    def day(self, key: str) -> date | None:
        """Return a date such as 2026-12-31, None where absent."""
        text = self.text(key, default="")
        if not text:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            self.wrong(key, f"{key} must be a day such as 2026-12-31, not {text!r}.")
            return None

    def texts(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        """Return a list of texts; a single text is a list of one."""
        value = self.take(key)
        if value is None or value.data is None:
            if required:
                self._missing(key)
            return ()
        if isinstance(value.data, str):
            return (value.data,)
        if not isinstance(value.data, list) or any(
            not isinstance(item.data, str) for item in value.data
        ):
            self.wrong(key, f"{key} must be a list of texts.")
            return ()
        return tuple(str(item.data) for item in value.data)

    def section(self, key: str) -> Section:
        """Return the mapping under the key, empty where absent."""
        value = self.take(key) or Value(data={}, place=self.place)
        return Section(value, key, self.problems)

    def sections(self, key: str) -> list[Section]:
        """Return the mappings of a list, empty where absent."""
        value = self.take(key)
        if value is None or value.data is None:
            return []
        if not isinstance(value.data, list):
            self.wrong(key, f"{key} must be a list.")
            return []
        return [Section(item, key, self.problems) for item in value.data]

    def mapping(self, key: str) -> dict[str, str]:
        """Return a mapping of texts, empty where absent."""
        inner = self.section(key)
        return {name: inner.text(name, default="") for name in inner.given}

    @property
    def given(self) -> tuple[str, ...]:
        """Return the keys that are there, as written."""
        return tuple(self._data)

    def has(self, key: str) -> bool:
        """Return whether the key is there."""
        return key in self._data

    def close(self) -> None:
        """Report every key that was not asked for, with the nearest that exists."""
        for key in self._data:
            if key not in self._asked:
                place = self._places.get(key, self.place)
                where = f" under {self.name}" if self.name else ""
                self.problems.add(
                    place,
                    "unknown-key",
                    f"there is no key {key!r}{where}.",
                    _nearest(key, self._asked),
                )

    def _missing(self, key: str) -> None:
        where = f"{self.name}.{key}" if self.name else key
        self.problems.add(self.place, "missing-key", f"{where} is missing.")


def _nearest(text: str, known: list[str]) -> str:
    near = difflib.get_close_matches(text, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(dict.fromkeys(known))}."
