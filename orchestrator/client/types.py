"""What the client gives to the rest: frozen values, whichever server answered.

Durations are `timedelta`, instants aware UTC. Enumerations of the server are plain text where it
may grow new members. Unknown members of an answer stay readable in `raw`, outside equality.
Source of shapes: the vendor's GraphQL schema and OpenAPI text, and cassettes/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from orchestrator.secret import SecretText


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """Whether a result is the whole answer; `reasons` is empty exactly if it is."""

    reasons: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Return whether nothing is known to be missing."""
        return not self.reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStats:
    """What the server and the poll loop counted for one query job."""

    job_id: str
    polls: int = 0
    elapsed: timedelta = timedelta(0)
    event_count: int = 0
    processed_bytes: int = 0
    processed_events: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldStats:
    """How often a field occurs in a result, and its most frequent values with their counts."""

    name: str
    occurrences: int
    distinct_values: int
    top_values: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedFile:
    """A lookup file that a query read."""

    name: str
    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """Rows of a finished query job; every value is text, as LogScale has it."""

    rows: tuple[Mapping[str, str], ...]
    fields: tuple[str, ...]
    """Column order: the server's where it names one, else by first appearance."""
    is_aggregate: bool
    completeness: Completeness
    warnings: tuple[str, ...]
    stats: JobStats
    has_more_events: bool = False
    """Whether more events matched a filter query than the server holds for it."""
    distribution: Mapping[datetime, int] = field(default_factory=dict)
    """Events that match, by the beginning of a bucket of time; empty unless asked for."""
    field_stats: tuple[FieldStats, ...] = ()
    """Empty unless asked for."""
    files: tuple[UsedFile, ...] = ()
    """Lookup files that were read, by name, where the server tells them."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A repository, or a view over some."""

    id: str
    name: str
    description: str = ""
    is_repository: bool
    connections: Mapping[str, str] = field(default_factory=dict)
    """Of a view: repository to the filter that is put before each query."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who a token belongs to."""

    id: str
    name: str
    is_root: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """What a server says of a token, which never is its secret."""

    id: str
    name: str
    kind: str
    """The type's name in the schema, such as `ViewPermissionsToken`."""
    created_at: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token that was just made, with its secret, which is told only now."""

    secret: SecretText
    token: ApiToken


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryProblem:
    """What a server says about a query's text."""

    message: str
    code: str
    severity: str
    """Error, Warning, Information, Hint, or what a newer server adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryAnalysis:
    """What a server makes of a query's text."""

    problems: tuple[QueryProblem, ...] = ()
    is_valid: bool
    """False where the server would not run it; there is a problem then."""
    alert_type: str = ""
    """What it suits: FilterAlert, AggregateAlert or LegacyAlert; empty where nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningQuery:
    """A query that a server is busy with."""

    id: str
    view: str
    query: str
    started_by: str
    """User name; empty where the server names nobody."""
    is_live: bool
    age: timedelta
    status: str
    total_work: int
    work_done: int
    """Of `total_work`; a live query goes on when all of it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaUsage:
    """What the queries of one user came to within one interval."""

    interval: str
    """PerDay, PerHour, PerTenMinutes, PerMinute, or what a newer server adds."""
    queries: int
    static_cost: int
    live_cost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host (device) of a Falcon tenant; what the sensor did not tell is empty."""

    id: str
    """Device id, the sensor's `aid`."""
    name: str
    platform: str
    """Windows, Mac or Linux."""
    local_ip: str
    external_ip: str
    first_seen: str
    """ISO 8601, UTC; as the gateway writes it."""
    last_seen: str
    tags: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationRule:
    """A Falcon NG-SIEM correlation rule. `id` is its stable rule id."""

    id: str = ""
    name: str
    description: str = ""
    query: str
    labels: tuple[str, ...] = ()
    """NG-SIEM has none of its own: kept inside the description by the deploy code."""
    enabled: bool
    severity: int
    """10 informational, 30 low, 50 medium, 70 high, 90 critical."""
    tactic: str = ""
    technique: str = ""
    schedule: timedelta
    lookback: timedelta
    actions: tuple[str, ...] = ()
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


Asset = SavedQuery | ScheduledSearch | AggregateAlert | FilterAlert | LegacyAlert | CorrelationRule


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupFile:
    """A lookup file of a repository or view, as listed."""

    name: str
    package: str = ""
    """The package that brought it, `scope/name`; queries call it `scope/name/file.csv`."""
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


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
class ServerStatus:
    """`/api/v1/status`: `OK` and the version text; reading it proves nothing about the token."""

    status: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """One thing that a server looks at in itself."""

    name: str
    status: str
    """OK, WARN, DOWN, or what a newer server adds."""
    message: str
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHealth:
    """`/api/v1/health-json`: the whole, and each check; those that are bad come first."""

    status: str
    message: str
    version: str
    uptime: str
    checks: tuple[HealthCheck, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """One poll of a running job, for progress bars."""

    work_done: int
    total_work: int
    event_count: int
    polled_at: datetime
