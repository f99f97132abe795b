"""What is stored in a repository or view: queries, triggers, files, packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from orchestrator.client.types.rules import CorrelationRule
from orchestrator.client.types.triggers import QueryOwner, TriggerHealth


class TimestampType(StrEnum):
    """Which time a scheduled search or aggregate alert reads."""

    EVENT = "EventTimestamp"
    INGEST = "IngestTimestamp"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedQuery:
    """A saved search. `id` is empty before it exists.

    How it is shown at first is outside equality: None is the server's own choice for a new one, and
    leaves an old one as it is. Servers before 1.204 take no description and no labels.
    """

    id: str = ""
    name: str
    description: str = ""
    query: str
    labels: tuple[str, ...] = ()
    start: str | None = field(default=None, compare=False)
    """Relative such as `24h`, or epoch ms as text."""
    end: str | None = field(default=None, compare=False)
    is_live: bool | None = field(default=None, compare=False)
    widget_type: str | None = field(default=None, compare=False)
    """Such as `list-view`."""
    options: Mapping[str, object] | None = field(default=None, compare=False)
    """Of the widget, in the vendor's own members."""
    modified_at: datetime | None = field(default=None, compare=False)
    """When it was changed last; None where the server does not tell, as before 1.204."""
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
    owner: QueryOwner | None = field(default=None, compare=False)
    """None leaves it as it is; a new one then runs as the client was told."""
    health: TriggerHealth = field(default=TriggerHealth(), compare=False)
    modified_at: datetime | None = field(default=None, compare=False)
    """When it was changed last; None where the server does not tell."""
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
    owner: QueryOwner | None = field(default=None, compare=False)
    """None leaves it as it is; a new one then runs as the client was told."""
    health: TriggerHealth = field(default=TriggerHealth(), compare=False)
    modified_at: datetime | None = field(default=None, compare=False)
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
    owner: QueryOwner | None = field(default=None, compare=False)
    """None leaves it as it is; a new one then runs as the client was told."""
    health: TriggerHealth = field(default=TriggerHealth(), compare=False)
    modified_at: datetime | None = field(default=None, compare=False)
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
    owner: QueryOwner | None = field(default=None, compare=False)
    """None leaves it as it is; a new one then runs as the client was told."""
    health: TriggerHealth = field(default=TriggerHealth(), compare=False)
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


Trigger = ScheduledSearch | AggregateAlert | FilterAlert | LegacyAlert
"""What runs by itself."""
Asset = SavedQuery | Trigger | CorrelationRule


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupFile:
    """A lookup file of a repository or view, as listed."""

    name: str
    package: str = ""
    """The package that brought it, `scope/name`; queries call it `scope/name/file.csv`."""
    labels: tuple[str, ...] = ()
    """Sorted; read where they are asked for."""
    size_bytes: int | None = None
    """None where the server does not tell."""
    created_by: str = ""
    created_at: datetime | None = None
    modified_by: str = ""
    modified_at: datetime | None = None
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupRows:
    """Some of a lookup file's rows, as text, under the names of its columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    offset: int
    """The place of the first of them; the names of the columns are no row."""
    total: int
    """Of all rows that the file has, or that have `containing` in them."""
    containing: str = ""
    """What was looked for; empty for any row."""


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
