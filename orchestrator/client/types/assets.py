"""What is stored in a repository or view: queries, triggers, actions, files, packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from orchestrator.client.types.rules import CorrelationRule


class TimestampType(StrEnum):
    """Which time a scheduled search or aggregate alert reads."""

    EVENT = "EventTimestamp"
    INGEST = "IngestTimestamp"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedQuery:
    """A saved search. `id` is empty before it exists."""

    id: str = ""
    name: str
    description: str = ""
    query: str
    labels: tuple[str, ...] = ()
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledSearch:
    """A scheduled search. Offset and backfill go with event time, `max_wait` with ingest time."""

    id: str = ""
    name: str
    description: str = ""
    query: str
    labels: tuple[str, ...] = ()
    enabled: bool
    schedule: str
    """Five-field cron."""
    time_zone: str = "UTC"
    search_interval: timedelta
    search_interval_offset: timedelta | None = None
    max_wait: timedelta | None = None
    timestamp_type: TimestampType
    backfill_limit_runs: int | None = None
    trigger_on_empty: bool = False
    actions: tuple[str, ...] = ()
    """Names, sorted."""
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateAlert:
    """An alert over a query that aggregates."""

    id: str = ""
    name: str
    description: str = ""
    query: str
    labels: tuple[str, ...] = ()
    enabled: bool
    search_interval: timedelta
    throttle: timedelta
    throttle_field: str | None = None
    timestamp_type: TimestampType = TimestampType.INGEST
    trigger_mode: str = "CompleteMode"
    actions: tuple[str, ...] = ()
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterAlert:
    """An alert on each event that a filter keeps."""

    id: str = ""
    name: str
    description: str = ""
    query: str
    labels: tuple[str, ...] = ()
    enabled: bool
    throttle: timedelta | None = None
    throttle_field: str | None = None
    actions: tuple[str, ...] = ()
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyAlert:
    """An alert of the older kind, over any query; the schema calls it `Alert`."""

    id: str = ""
    name: str
    description: str = ""
    query: str
    labels: tuple[str, ...] = ()
    enabled: bool
    window: timedelta
    """What it searches, back from now at each look."""
    throttle: timedelta
    throttle_field: str | None = None
    actions: tuple[str, ...] = ()
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


Asset = SavedQuery | ScheduledSearch | AggregateAlert | FilterAlert | LegacyAlert | CorrelationRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that an asset can invoke, by id and name; `kind` is GraphQL's type name."""

    id: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTest:
    """How the one message went that a server sent to test an action."""

    is_sent: bool
    message: str
    """The server's own words; what a far side answered may be among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupFile:
    """A lookup file of a repository or view, as listed."""

    name: str
    package: str = ""
    """The package that brought it, `scope/name`; queries call it `scope/name/file.csv`."""
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPackage:
    """A package that is installed in a repository or view."""

    id: str
    """With its version, `scope/name@1.2.3`."""
    source: str
    """HumioHub for the marketplace, ZipFile, or what a newer server adds."""
    available_update: str
    """A newer version that the marketplace has; empty for none."""
    installed_by: str
    installed_at: datetime
    updated_by: str
    updated_at: datetime

    @property
    def name(self) -> str:
        """Return the package without its version, `scope/name`."""
        return self.id.partition("@")[0]

    @property
    def version(self) -> str:
        """Return the version alone."""
        return self.id.partition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictResolution:
    """What becomes of a package's asset that was changed here, when the package is updated."""

    kind: str
    """A value of the schema's AssetType: SavedQuery, Alert, ScheduledSearch, File, Parser, …"""
    name: str
    keep: bool
    """True keeps it as it is here, false makes it the package's again."""
