"""Which host a finding is about, and whether a name in a fact means that host.

The agent id decides where the host table knows it: the names of that record are then the host's
names, whatever the finding says. Otherwise the finding's own name counts, and only as far as names
go (`names.Strength`). What is known may always *narrow*: a host table that knows the name under
another agent id, or knows two hosts by one short name, stops a match even where it is stale. Only
a fresh host table may *widen* a match to a record's aliases.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.inventory.compare import alternatives
from orchestrator.inventory.index import Timeline, covers
from orchestrator.inventory.names import (
    HostName,
    Strength,
    compare,
    is_placeholder,
    lower_ascii,
    parse_host,
)
from orchestrator.model.inventory import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class HostIdentity:
    """Who the finding's host is, as far as can be said."""

    names: tuple[HostName, ...]
    """By agent id: all names of the record. Else the finding's own name. Empty: nobody."""
    by_agent_id: bool = False
    impostor_of: Fact | None = None
    """A host record with this name and another agent id; then `names` is empty."""
    ambiguous: bool = False
    """Several hosts answer to the agent id or to the name."""


NOBODY = HostIdentity(names=())
_NONE = Strength.NONE


class HostDirectory:
    """The host table, by agent id and by name."""

    def __init__(self, records: Iterable[Fact]) -> None:
        by_aid: dict[str, list[Fact]] = {}
        by_alias: dict[str, list[Fact]] = {}
        for fact in records:
            if aid := lower_ascii(fact.values.get("aid", "")):
                by_aid.setdefault(aid, []).append(fact)
            for name in record_names(fact):
                by_alias.setdefault(name.short, []).append(fact)
        self._by_aid = {aid: Timeline(facts) for aid, facts in by_aid.items()}
        self._by_alias = {short: Timeline(facts) for short, facts in by_alias.items()}

    def identify(
        self,
        hosts: Sequence[str],
        aids: Sequence[str],
        *,
        first: datetime,
        last: datetime,
        is_fresh: bool,
    ) -> HostIdentity:
        """Return who is meant by the finding's host names and agent ids.

        A finding over several hosts is about nobody in particular: one host's fact cannot excuse
        it. `is_fresh` says whether the host table may widen, that is, turn an id into names.
        """
        if len(hosts) > 1 or len(aids) > 1:
            return NOBODY
        aid = lower_ascii(aids[0]) if aids and not is_placeholder(aids[0]) else ""
        if aid and is_fresh and (records := self.by_agent_id(aid, first=first, last=last)):
            return HostIdentity(
                names=tuple({name: None for fact in records for name in record_names(fact)}),
                by_agent_id=True,
                ambiguous=len({_main_name(fact) for fact in records}) > 1,
            )
        name = parse_host(hosts[0]) if hosts else None
        if name is None:
            return NOBODY
        records = self.by_name(name, first=first, last=last)
        others = [fact for fact in records if _has_other_aid(fact, aid)]
        if others and len(others) == len(records):
            return HostIdentity(names=(), impostor_of=others[0])
        rest = [fact for fact in records if fact not in others]
        return HostIdentity(names=(name,), ambiguous=_count_hosts(rest) > 1)

    def by_agent_id(self, aid: str, *, first: datetime, last: datetime) -> list[Fact]:
        """Return the records of an agent id that are valid over the span."""
        timeline = self._by_aid.get(lower_ascii(aid))
        return _valid(timeline.near(first, last), first, last) if timeline else []

    def by_name(self, name: HostName, *, first: datetime, last: datetime) -> list[Fact]:
        """Return the valid records that `name` may mean; those of the full name where there are."""
        timeline = self._by_alias.get(name.short)
        if timeline is None:
            return []
        found = [
            (max(compare(name, own) for own in record_names(fact)), fact)
            for fact in _valid(timeline.near(first, last), first, last)
        ]
        best = max((strength for strength, _ in found), default=Strength.NONE)
        return [fact for strength, fact in found if strength == best != Strength.NONE]

    def names_several(self, name: HostName, *, first: datetime, last: datetime) -> bool:
        """Return whether the table knows more than one host that `name` may mean."""
        return _count_hosts(self.by_name(name, first=first, last=last)) > 1


def record_names(fact: Fact) -> list[HostName]:
    """Return the name and aliases of a host record."""
    return [*cell_names(fact.values["host"]), *cell_names(fact.values.get("aliases", ""))]


def name_strength(cell: str, names: Sequence[HostName]) -> Strength:
    """Return how strongly, by name alone, one of the cell's names is one of `names`."""
    return max((compare(own, name) for own in names for name in cell_names(cell)), default=_NONE)


def cell_names(cell: str) -> list[HostName]:
    """Return the host names that a cell holds."""
    return [name for text in alternatives(cell) if (name := parse_host(text))]


def _valid(facts: Iterable[Fact], first: datetime, last: datetime) -> list[Fact]:
    return [fact for fact in facts if covers(fact, first, last)]


def _main_name(fact: Fact) -> str:
    return cell_names(fact.values["host"])[0].text


def _has_other_aid(fact: Fact, aid: str) -> bool:
    own = lower_ascii(fact.values.get("aid", ""))
    return bool(aid and own and own != aid)


def _count_hosts(facts: Sequence[Fact]) -> int:
    """Count hosts by name, or by agent id where one name has several."""
    aids = {lower_ascii(fact.values["aid"]) for fact in facts if "aid" in fact.values}
    return max(len({_main_name(fact) for fact in facts}), len(aids))
