"""Facts of one table, found by their scope part and by time without reading them all.

Hosts are found by short name, exact texts by themselves, patterns by their longest literal prefix
or suffix; a pattern with neither is compared with everything, and few are. Within one key, facts
are sorted by the start of their validity, so that a runner with a hundred thousand finished jobs
costs a binary search.

The index proposes, `lookup` decides: a proposal may not match, but a fact that matches and is
valid is always proposed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from orchestrator.inventory.compare import alternatives
from orchestrator.inventory.names import lower_ascii, parse_host
from orchestrator.model.inventory import Fact, FactTable, MatchMode, Part

NEIGHBOURS = 4
"""Facts kept on each side of the instant when asking for the nearest that is not valid."""

_EVER = datetime.min.replace(tzinfo=UTC)
_STILL = datetime.max.replace(tzinfo=UTC)


class Timeline:
    """The facts under one key, by time."""

    __slots__ = ("_facts", "_latest_ends", "_starts")

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._facts = sorted(facts, key=lambda fact: fact.valid_from or _EVER)
        self._starts = [fact.valid_from or _EVER for fact in self._facts]
        # The latest end of all facts up to each place: where a walk backwards may stop.
        self._latest_ends: list[datetime] = []
        latest = _EVER
        for fact in self._facts:
            latest = max(latest, fact.valid_until or _STILL)
            self._latest_ends.append(latest)

    def near(self, first: datetime, last: datetime) -> Iterator[Fact]:
        """Yield every fact valid over `first` to `last`, inclusive, and the nearest others.

        Others are at most `NEIGHBOURS` on each side: enough to explain what is missing.
        """
        begun = bisect_right(self._starts, first)
        yield from self._facts[begun : begun + NEIGHBOURS]
        spare = NEIGHBOURS
        for place in range(begun - 1, -1, -1):
            fact = self._facts[place]
            if covers(fact, first, last):
                yield fact
            elif spare > 0:
                spare -= 1
                yield fact
            elif self._latest_ends[place] <= last:
                return


def covers(fact: Fact, first: datetime, last: datetime) -> bool:
    """Return whether the fact holds from `first` to `last`, both inclusive."""
    return (fact.valid_from or _EVER) <= first and last < (fact.valid_until or _STILL)


class FactIndex:
    """One table's facts by their first scope part."""

    def __init__(self, table: FactTable, facts: Sequence[Fact]) -> None:
        self.table = table
        self.facts = tuple(facts)
        self.scope_part = _scope_part(table)
        """The part that facts are found by."""
        grouped: dict[tuple[str, int, str], list[Fact]] = {}
        for fact in facts:
            for key in set(self._stored_keys(fact)):
                grouped.setdefault(key, []).append(fact)
        self._timelines = {key: Timeline(group) for key, group in grouped.items()}
        self._prefixes = sorted({size for kind, size, _ in grouped if kind == "prefix"})
        self._suffixes = sorted({size for kind, size, _ in grouped if kind == "suffix"})

    def proposals(self, values: Sequence[str], *, first: datetime, last: datetime) -> list[Fact]:
        """Return the facts that may be about `values`, valid ones and the nearest others.

        `values` are those of the scope part's entity; for hosts, the names it goes by.
        """
        found: dict[str, Fact] = {}
        for key in dict.fromkeys(key for value in values for key in self._asked_keys(value)):
            if timeline := self._timelines.get(key):
                for fact in timeline.near(first, last):
                    found[fact.id] = fact
        return list(found.values())

    def _stored_keys(self, fact: Fact) -> Iterator[tuple[str, int, str]]:
        for text in alternatives(fact.values.get(self.scope_part.column, "")):
            match self.scope_part.mode:
                case MatchMode.HOST:
                    if name := parse_host(text):
                        yield ("text", 0, name.short)
                case MatchMode.GLOB | MatchMode.GLOB_CI:
                    yield _pattern_key(lower_ascii(text))
                case _:
                    yield ("text", 0, lower_ascii(text))

    def _asked_keys(self, value: str) -> Iterator[tuple[str, int, str]]:
        if self.scope_part.mode is MatchMode.HOST:
            if name := parse_host(value):
                yield ("text", 0, name.short)
            return
        text = lower_ascii(value)
        yield ("text", 0, text)
        if self.scope_part.mode in (MatchMode.GLOB, MatchMode.GLOB_CI):
            for size in self._prefixes:
                yield ("prefix", size, text[:size])
            for size in self._suffixes:
                yield ("suffix", size, text[-size:])
            yield ("any", 0, "")


def _scope_part(table: FactTable) -> Part:
    return next(part for part in table.parts if part.column in table.scope)


def _pattern_key(pattern: str) -> tuple[str, int, str]:
    """Return the key under which a pattern is found: its longer literal end."""
    if "*" not in pattern:
        return ("text", 0, pattern)
    prefix, suffix = pattern.partition("*")[0], pattern.rpartition("*")[2]
    if len(suffix) > len(prefix):
        return ("suffix", len(suffix), suffix)
    if prefix:
        return ("prefix", len(prefix), prefix)
    return ("any", 0, "")
