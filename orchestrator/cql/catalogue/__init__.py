"""What is known of LogScale's functions: packaged tables, one a topic, read on first use.

A function that is missing here may be newer than the tables: that is a warning, never an error.
One more function is one more entry in the table of its topic; `_FunctionRow` says what it holds.
The tables are JSON because every command reads them at its start: they take four milliseconds,
as TOML they took twenty-five. For the same reason a function's object is made when it is asked for.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Required, TypedDict

from orchestrator.cql.catalogue.model import (
    Function,
    FunctionKind,
    FunctionParameter,
    ParameterType,
)

__all__ = [
    "TOPICS",
    "Function",
    "FunctionKind",
    "FunctionParameter",
    "ParameterType",
    "find",
    "foreign",
    "functions",
    "nearest",
]

TOPICS = (
    "aggregates",
    "arrays",
    "fields",
    "filters",
    "math",
    "network",
    "parsing",
    "sources",
    "tables",
    "text",
    "time",
)


class _ParameterRow(TypedDict, total=False):
    name: Required[str]
    type: Required[str]
    about: str
    unnamed: bool
    required: bool
    default: str
    allowed: list[str]
    minimum: int
    maximum: int
    usual_maximum: int
    deprecated: bool


class _FunctionRow(TypedDict, total=False):
    kind: Required[str]
    about: Required[str]
    parameters: list[_ParameterRow]
    outputs: list[str]
    value: bool
    open: bool
    aliases: list[str]
    since: str
    deprecated: str


@cache
def functions() -> dict[str, Function]:
    """Return every function by its name, and its aliases, in lower case."""
    return {spelling: _function(name) for spelling, name in _spellings().items()}


def find(name: str) -> Function | None:
    """Return the function of this name, whatever its case; None if it is not known."""
    canonical = _spellings().get(name.lower())
    return None if canonical is None else _function(canonical)


def foreign(name: str) -> str | None:
    """Return what CQL has instead of a function of SPL, KQL or SQL; None if it is not known.

    It is text for people, mostly a call. A name that LogScale has too is not foreign.
    """
    return None if find(name) else _foreign().get(name.lower())


def nearest(name: str) -> str | None:
    """Return the canonical name that `name` most likely means, if one is close."""
    close = get_close_matches(name.lower(), list(_spellings()), n=1, cutoff=0.75)
    return _spellings()[close[0]] if close else None


@cache
def _foreign() -> dict[str, str]:
    table: dict[str, str] = json.loads(
        files(__package__ or __name__).joinpath("foreign.json").read_bytes()
    )
    return table


@cache
def _rows() -> dict[str, tuple[str, _FunctionRow]]:
    """Return what the tables hold, with its topic, by canonical name."""
    folder = files(__package__ or __name__)
    found: dict[str, tuple[str, _FunctionRow]] = {}
    for topic in TOPICS:
        table: dict[str, _FunctionRow] = json.loads(folder.joinpath(f"{topic}.json").read_bytes())
        found |= {name: (topic, row) for name, row in table.items()}
    return found


@cache
def _spellings() -> dict[str, str]:
    """Return the canonical name by each spelling, names and aliases, in lower case."""
    return {
        spelling.lower(): name
        for name, (_, row) in _rows().items()
        for spelling in (name, *row.get("aliases", ()))
    }


@cache
def _function(name: str) -> Function:
    topic, row = _rows()[name]
    return Function(
        name=name,
        kind=FunctionKind(row["kind"]),
        about=row["about"],
        topic=topic,
        parameters=tuple(_parameter(item) for item in row.get("parameters", ())),
        outputs=tuple(row.get("outputs", ())),
        is_value=row.get("value", False),
        is_open=row.get("open", False),
        aliases=tuple(row.get("aliases", ())),
        since=row.get("since"),
        deprecated=row.get("deprecated"),
    )


def _parameter(row: _ParameterRow) -> FunctionParameter:
    return FunctionParameter(
        name=row["name"],
        type=ParameterType(row["type"]),
        about=row.get("about", ""),
        unnamed=row.get("unnamed", False),
        required=row.get("required", False),
        default=row.get("default"),
        allowed=tuple(row.get("allowed", ())),
        minimum=row.get("minimum"),
        maximum=row.get("maximum"),
        usual_maximum=row.get("usual_maximum"),
        deprecated=row.get("deprecated", False),
    )
