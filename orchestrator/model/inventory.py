"""Facts with a time axis: who a host, runner, workload or application was at an instant.

A fact belongs to a *table* (hosts, ci_runners, pipelines, cloud_agents, …). A table names its
parts; each part says which entity of a finding it must match and how. A fact holds for a finding
only if *every* part matches and its validity covers the finding from first to last event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class MatchMode(StrEnum):
    """How a fact's part is compared with the finding's value.

    A finding's value may hold several lines (collected values); then every line must match. An
    absent or placeholder value (`-`, `unresolved`) matches nothing but `ABSENT`.
    """

    HOST = "host"
    """The same host: by agent id, else by name under the rules of name matching."""
    EXACT = "exact"
    """Equal text, case as it is."""
    EXACT_CI = "exact-ci"
    """Equal text, ASCII case ignored: Windows paths, Entra names."""
    GLOB = "glob"
    """Whole value against a pattern where `*` is any run of characters; case as it is."""
    GLOB_CI = "glob-ci"
    ABSENT = "absent"
    """The fact's `none` demands that the finding has no such value; a value demands equality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One column of a fact table that takes part in matching."""

    column: str
    entity: str
    """Name in `Entities`, or a result field's own name."""
    mode: MatchMode
    optional: bool = False
    """An empty cell matches anything; where False, an empty cell is a load error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactTable:
    """A kind of fact: its name, its matching parts, and the attributes it may carry."""

    name: str
    """Singular, as it stands in conditions: `host`, `runner`, `pipeline`, `cloud_agent`."""
    parts: tuple[Part, ...]
    attributes: tuple[str, ...] = ()
    """Further columns that become `<name>.<attribute>` on the finding."""
    scope: tuple[str, ...] = ()
    """Parts that make a fact one *about* this finding's subject (usually the host)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One row: what is true, of whom, and from when until when."""

    id: str
    """Source and line, such as `pipelines.csv:14`."""
    table: str
    values: Mapping[str, str]
    valid_from: datetime | None
    """None: since ever."""
    valid_until: datetime | None
    """Exclusive; None: still."""
    source: str


class SourceState(StrEnum):
    """Whether a table may excuse anything now."""

    FRESH = "fresh"
    STALE = "stale"
    """Older than its limit."""
    EMPTY = "empty"
    MISSING = "missing"
    """No source is configured or it was never read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """How much a table can be trusted at an instant."""

    state: SourceState
    detail: str
    """For people: path, age and limit."""
    read_at: datetime | None = None
    age: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactMatch:
    """The answer to "does a fact of this table hold for this finding?"."""

    table: str
    status: SourceStatus
    holds: bool
    """True only if the source is fresh and every part and the validity match on one fact."""
    known: bool
    """Whether some fact is about this finding's subject at all, at its time."""
    fact: Fact | None
    """The one that holds, else the nearest; None where there is none."""
    matched: tuple[str, ...] = ()
    """Parts of that fact that match; `validity` stands for the time."""
    missing: tuple[str, ...] = ()
    """Parts of that fact that do not match."""
    ambiguous: bool = False
    """Several different hosts answer to the name: nothing holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is looked up: the finding's entities and when it happened."""

    entities: Mapping[str, tuple[str, ...]]
    """Entity or field name to its distinct values; absent and placeholder values are left out."""
    first_seen: datetime
    last_seen: datetime
