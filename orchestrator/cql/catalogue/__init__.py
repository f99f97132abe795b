"""What is known of LogScale's functions: a packaged table, read on first use.

A function that is missing here may be newer than the table: that is a warning, never an error.
One more function is one more table in `functions.toml`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from importlib.resources import files


class FunctionKind(StrEnum):
    """What a function does to the events, which says where it may stand."""

    FILTER = "filter"
    """Keeps or drops each event; may be negated and joined."""
    TRANSFORM = "transform"
    """Adds, changes or removes fields."""
    AGGREGATE = "aggregate"
    """Turns many events into rows; only the fields it produces exist afterwards."""
    SEQUENCE = "sequence"
    """Like an aggregate, over rows that are in order already."""
    SOURCE = "source"
    """Produces events; stands first."""
    JOIN = "join"
    """Reads a second time: joins, tables and settings of the search."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionParameter:
    """One parameter of a function."""

    name: str
    unnamed: bool = False
    """May be given without its name."""
    required: bool = False
    default: str | None = None
    allowed: tuple[str, ...] = ()
    """The only values it takes; empty if open."""
    deprecated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function of LogScale."""

    name: str
    """In its canonical spelling."""
    kind: FunctionKind
    parameters: tuple[FunctionParameter, ...] = ()
    is_value: bool = False
    """Gives one value, so it may stand inside an expression."""
    is_open: bool = False
    """Takes arguments of any name (eval, correlate)."""
    aliases: tuple[str, ...] = ()

    @property
    def unnamed(self) -> str | None:
        """Return the name of the parameter that may be given without it, if there is one."""
        return next((p.name for p in self.parameters if p.unnamed), None)

    def parameter(self, name: str) -> FunctionParameter | None:
        """Return the parameter of this name, compared exactly."""
        return next((p for p in self.parameters if p.name == name), None)


@cache
def functions() -> dict[str, Function]:
    """Return every function by its name in lower case; read from the package once."""
    text = files(__package__ or __name__).joinpath("functions.toml").read_text("utf-8")
    found: dict[str, Function] = {}
    for name, row in tomllib.loads(text).items():
        function = Function(
            name=name,
            kind=FunctionKind(row["kind"]),
            parameters=tuple(_parameter(item) for item in row.get("parameters", ())),
            is_value=row.get("value", False),
            is_open=row.get("open", False),
            aliases=tuple(row.get("aliases", ())),
        )
        for spelling in (name, *function.aliases):
            found[spelling.lower()] = function
    return found


def find(name: str) -> Function | None:
    """Return the function of this name, whatever its case; None if it is not known."""
    return functions().get(name.lower())


def nearest(name: str) -> str | None:
    """Return the canonical name that `name` most likely means, if one is close."""
    close = get_close_matches(name.lower(), list(functions()), n=1, cutoff=0.75)
    return functions()[close[0]].name if close else None


def _parameter(row: dict[str, object]) -> FunctionParameter:
    allowed = row.get("allowed", ())
    default = row.get("default")
    return FunctionParameter(
        name=str(row["name"]),
        unnamed=row.get("unnamed") is True,
        required=row.get("required") is True,
        default=None if default is None else str(default),
        allowed=tuple(str(value) for value in allowed) if isinstance(allowed, list) else (),
        deprecated=row.get("deprecated") is True,
    )
