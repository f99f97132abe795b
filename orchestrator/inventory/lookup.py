"""The inventory as a whole: does a fact of this table hold for this finding, and which is nearest?

A fact holds only if its source is fresh, its validity covers the finding from first to last event,
and every one of its parts matches, the host at least as strongly as `Strength.NAME_AND_FACT`. What
nearly matches is returned too, with the parts that are missing, to be explained and never to
excuse. A loaded inventory does not change: a finding is judged by one consistent set of facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.inventory.compare import cell_matches
from orchestrator.inventory.freshness import SourceAge, never_configured
from orchestrator.inventory.identity import (
    HostDirectory,
    HostIdentity,
    cell_names,
    name_strength,
    record_names,
)
from orchestrator.inventory.index import FactIndex, covers
from orchestrator.inventory.names import Strength, parse_host
from orchestrator.inventory.sources.base import Problem
from orchestrator.inventory.tables import find_table
from orchestrator.model.inventory import (
    Fact,
    FactMatch,
    FactTable,
    MatchMode,
    Part,
    SourceState,
    SourceStatus,
    Subject,
)

VALIDITY = "validity"
"""Stands for the time among a match's parts."""
_HOST_TABLE = "host"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judgement:
    """One fact against one subject."""

    fact: Fact
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    in_scope: bool
    """Whether the fact is about this subject at all, at whatever time."""
    by_name_only: bool
    """Whether the host rests on a short name, so that it must be unique."""
    distance: timedelta
    """How far outside its validity the finding lies; zero inside."""

    @property
    def rank(self) -> tuple[bool, int, timedelta]:
        return bool(self.missing), -len(self.matched), self.distance


class Inventory:
    """Facts of every table at one reading, judged as of one instant."""

    def __init__(
        self,
        indexes: Mapping[str, FactIndex],
        *,
        ages: Mapping[str, SourceAge],
        problems: Sequence[Problem],
        now: datetime,
        directory: HostDirectory | None = None,
    ) -> None:
        self._indexes = dict(indexes)
        self._ages = dict(ages)
        self.problems = tuple(problems)
        """Everything that was wrong with the sources, for the operator."""
        self._now = now
        self._directory = directory or HostDirectory(self.facts(_HOST_TABLE))

    def as_of(self, now: datetime) -> Inventory:
        """Return the same facts with their freshness judged at `now`; costs nothing."""
        return Inventory(
            self._indexes,
            ages=self._ages,
            problems=self.problems,
            now=now,
            directory=self._directory,
        )

    def table(self, name: str) -> FactTable | None:
        """Return the definition of a table, or None where the name is unknown."""
        return find_table(name)

    def facts(self, table: str) -> tuple[Fact, ...]:
        """Return all facts of a table in file order; empty where it was not read."""
        index = self._indexes.get(table)
        return index.facts if index else ()

    def reading(self, table: str) -> tuple[FactIndex, SourceAge] | None:
        """Return a table's index and age as they were read, for the next load to fall back to."""
        index, age = self._indexes.get(table), self._ages.get(table)
        return (index, age) if index and age else None

    def status(self, table: str) -> SourceStatus:
        """Return how much a table can be trusted now."""
        age = self._ages.get(table)
        return age.status(self._now) if age else never_configured(table)

    def match(self, table: str, subject: Subject) -> FactMatch:
        """Return the fact of `table` that holds for `subject`, else the nearest one.

        Nearest is, among facts about the subject, the one with most parts matched, then the one
        closest in time. A table that is not fresh holds nothing; nor does a name of several hosts.
        """
        status = self.status(table)
        index = self._indexes.get(table)
        if index is None:
            return FactMatch(table=table, status=status, holds=False, known=False, fact=None)
        identity = self._identify(subject)
        if index.table.name == _HOST_TABLE and identity.impostor_of is not None:
            return FactMatch(
                table=table,
                status=status,
                holds=False,
                known=False,
                fact=identity.impostor_of,
                missing=(*index.table.scope, "aid", VALIDITY),
            )
        judged = [
            judgement
            for fact in self._proposals(index, subject, identity)
            if (judgement := self._judge(fact, index.table, subject, identity)).in_scope
        ]
        if not judged:
            return FactMatch(table=table, status=status, holds=False, known=False, fact=None)
        best = min(judged, key=lambda judgement: judgement.rank)
        if self._is_ambiguous(judged, index.table, subject, identity):
            return FactMatch(
                table=table,
                status=status,
                holds=False,
                known=False,
                fact=best.fact,
                missing=(*(part.column for part in index.table.parts), VALIDITY),
                ambiguous=True,
            )
        return FactMatch(
            table=table,
            status=status,
            holds=status.state is SourceState.FRESH and not best.missing,
            known=any(VALIDITY in judgement.matched for judgement in judged),
            fact=best.fact,
            matched=best.matched,
            missing=best.missing,
        )

    def who(self, host: str, at: datetime) -> list[Fact]:
        """Return every fact that names `host` (a name or an agent id) at `at`, host facts first.

        This is for people: facts by short name alone are included, whatever their source's age.
        """
        records = self._directory.by_agent_id(host, first=at, last=at)
        own = parse_host(host)
        names = [name for fact in records for name in record_names(fact)] or ([own] if own else [])
        found = list(records)
        for index in self._indexes.values():
            column = next((p.column for p in index.table.parts if p.mode is MatchMode.HOST), "")
            if not column:
                continue
            facts: Sequence[Fact] = index.facts
            if column in index.table.scope:
                facts = index.proposals([name.text for name in names], first=at, last=at)
            found += (
                fact
                for fact in facts
                if covers(fact, at, at) and name_strength(fact.values.get(column, ""), names)
            )
        unique = {fact.id: fact for fact in found}
        return sorted(
            unique.values(), key=lambda fact: (fact.table != _HOST_TABLE, fact.table, fact.id)
        )

    def _identify(self, subject: Subject) -> HostIdentity:
        return self._directory.identify(
            subject.entities.get("host", ()),
            subject.entities.get("aid", ()),
            first=subject.first_seen,
            last=subject.last_seen,
            is_fresh=self.status(_HOST_TABLE).state is SourceState.FRESH,
        )

    def _proposals(self, index: FactIndex, subject: Subject, identity: HostIdentity) -> list[Fact]:
        values = subject.entities.get(index.scope_part.entity, ())
        if index.scope_part.mode is MatchMode.HOST:
            values = tuple(name.text for name in identity.names)
        return index.proposals(values, first=subject.first_seen, last=subject.last_seen)

    def _judge(
        self, fact: Fact, table: FactTable, subject: Subject, identity: HostIdentity
    ) -> _Judgement:
        """Compare every part; the host last, since a short name needs another part's support."""
        agreeing: set[str] = set()
        free: set[str] = set()
        host_part: Part | None = None
        for part in table.parts:
            cell = fact.values.get(part.column, "")
            if not cell:
                free.add(part.column)
            elif part.mode is MatchMode.HOST:
                host_part = part
            elif cell_matches(cell, subject.entities.get(part.entity), part.mode):
                agreeing.add(part.column)
        strength = Strength.AGENT_ID
        by_name = Strength.NONE
        if host_part is not None:
            by_name = name_strength(fact.values[host_part.column], identity.names)
            strength = _host_strength(by_name, identity, has_second_fact=bool(agreeing))
        about = agreeing | free
        if host_part is not None and strength > Strength.NONE:
            about.add(host_part.column)
        accepted = set(about)
        if host_part is not None and strength < Strength.NAME_AND_FACT:
            accepted.discard(host_part.column)
        if covers(fact, subject.first_seen, subject.last_seen):
            accepted.add(VALIDITY)
        order = (*(part.column for part in table.parts), VALIDITY)
        return _Judgement(
            fact=fact,
            matched=tuple(column for column in order if column in accepted),
            missing=tuple(column for column in order if column not in accepted),
            in_scope=all(column in about for column in table.scope),
            by_name_only=by_name is Strength.NAME_ONLY,
            distance=_distance(fact, subject),
        )

    def _is_ambiguous(
        self,
        judged: Sequence[_Judgement],
        table: FactTable,
        subject: Subject,
        identity: HostIdentity,
    ) -> bool:
        """Return whether the host, or a short name that a fact rests on, may be several hosts."""
        column = next((p.column for p in table.parts if p.mode is MatchMode.HOST), None)
        facts = [judgement.fact for judgement in judged if judgement.fact.values.get(column or "")]
        if column is None or not facts:
            return False
        if identity.ambiguous:
            return True
        short = [
            name
            for judgement in judged
            if judgement.by_name_only
            for name in cell_names(judgement.fact.values[column])
            if any(name.short == own.short for own in identity.names)
        ]
        if len({name.domain for name in short if name.domain}) > 1:
            return True
        return any(
            self._directory.names_several(name, first=subject.first_seen, last=subject.last_seen)
            for name in set(short)
        )


def _host_strength(by_name: Strength, identity: HostIdentity, *, has_second_fact: bool) -> Strength:
    if by_name is Strength.NONE:
        return by_name
    if identity.by_agent_id:
        return Strength.AGENT_ID
    if by_name is Strength.NAME_ONLY and has_second_fact:
        return Strength.NAME_AND_FACT
    return by_name


def _distance(fact: Fact, subject: Subject) -> timedelta:
    before = fact.valid_from - subject.first_seen if fact.valid_from else timedelta(0)
    after = subject.last_seen - fact.valid_until if fact.valid_until else timedelta(0)
    return max(before, after, timedelta(0))
