"""What the engine does with each function of the catalogue: runs it, or refuses it and why.

The answers are read off the tables that the engine dispatches on. The tier is the order in which
the functions matter for the queries people write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.cql.catalogue import find, functions
from orchestrator.engine.arguments import REFUSED
from orchestrator.engine.frames.aggregates import AGGREGATES
from orchestrator.engine.frames.stages import FILTER_STAGES, STAGES
from orchestrator.engine.functions.filters import FILTERS
from orchestrator.engine.functions.values import VALUES
from orchestrator.engine.steps.transforms import TRANSFORMS

_TIERS = (
    (
        "groupBy", "count", "rename", "in", "wildcard", "sort", "regex", "top", "table",
        "collect", "format", "default", "formatTime", "drop", "select", "test", "selectLast",
        "cidr", "avg", "sum", "max", "min", "lower", "upper", "replace", "round", "if", "now",
        "head", "tail", "eval", "coalesce", "stats", "length", "concat", "splitString",
        "selectFromMax", "selectFromMin", "timeChart", "bucket", "match", "split",
    ),
    (
        "join", "defineTable", "selfJoinFilter", "parseJson", "createEvents", "readFile",
        "kvParse", "parseTimestamp", "concatArray", "array:contains", "array:reduceAll",
        "unit:convert", "text:contains", "formatDuration", "percentile", "transpose", "stdDev",
        "range", "parseInt", "getField", "setField", "duration", "start", "end", "fieldset",
        "time:hour", "time:dayOfWeek", "time:dayOfWeekName", "sankey", "worldMap",
    ),
    (
        "ipLocation", "asn", "ioc:lookup", "reverseDns", "geohash", "geography:distance",
    ),
)  # fmt: skip
NEEDS: Mapping[str, str] = {
    "ipLocation": "a MaxMind City or Country file",
    "asn": "a MaxMind ASN file",
    "ioc:lookup": "a table of indicators",
    "reverseDns": "a table of host names",
    "worldMap": "with ip=, a MaxMind City file",
    "hashMatch": "the salt",
    "hashRewrite": "the salt",
}
"""What the caller must give before a function runs; without it the function is refused by name."""
DIFFERS: Mapping[str, str] = {
    "count": "distinct=true is exact; LogScale estimates",
    "percentile": "exact, the nearest value; LogScale estimates",
    "top": "exact; LogScale estimates above some ten thousand values",
    "selfJoin": "exact; LogScale may let other keys through",
    "selfJoinFilter": "exact; LogScale may let other keys through",
    "hash": "the number itself is another than LogScale's",
    "tokenHash": "the number itself is another than LogScale's",
    "sample": "which events are chosen differs",
    "hashMatch": "the hash is HMAC; LogScale's own construction is not published",
    "hashRewrite": "the hash is HMAC; LogScale's own construction is not published",
    "eventSize": "bytes of the values; LogScale counts what its storage takes",
    "beta:repeating": "ignored, as in every search that is not live",
}
"""Where a result may be another than LogScale's, by design."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """The engine's answer for one function."""

    name: str
    supported: bool
    tier: int
    """1 to 3 for what queries use most, 4 for the rest."""
    why: str
    """Why it is refused; for one that runs what it needs or where it differs, or the empty text."""


def support() -> tuple[Support, ...]:
    """Return the answer for every known function, sorted by name."""
    names = {function.name for function in functions().values()}
    return tuple(_support(name) for name in sorted(names, key=str.lower))


def support_of(name: str) -> Support:
    """Return the answer for one function, whatever the name's case; a stranger is refused."""
    function = find(name)
    if function is None:
        return Support(name=name, supported=False, tier=4, why="the function is not known here")
    return _support(function.name)


def _support(name: str) -> Support:
    tier = next((number for number, names in enumerate(_TIERS, start=1) if name in names), 4)
    if name in supported():
        notes = [text for text in (_need(name), DIFFERS.get(name, "")) if text]
        return Support(name=name, supported=True, tier=tier, why="; ".join(notes))
    why = REFUSED.get(name, "it is newer than this engine")
    return Support(name=name, supported=False, tier=tier, why=why)


def _need(name: str) -> str:
    return f"needs {NEEDS[name]}" if name in NEEDS else ""


def supported() -> frozenset[str]:
    """Return the canonical names of the functions that the engine runs.

    Some of them refuse one or the other argument by name, when they meet it.
    """
    tables = (FILTERS, VALUES, TRANSFORMS, AGGREGATES, STAGES, FILTER_STAGES)
    return frozenset(name for table in tables for name in table)


def unsupported() -> frozenset[str]:
    """Return the known functions that the engine refuses with `CqlUnsupported`."""
    return frozenset(function.name for function in functions().values()) - supported()
