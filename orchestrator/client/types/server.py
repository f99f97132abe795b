"""What a server says of itself, of its views and tokens, and of queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.client.types.results import QueryCost
from orchestrator.secret import SecretText


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewConnection:
    """One of the things that a view shows; several may be of one repository."""

    repository: str
    filter: str = "*"
    """Put before each query; `*` for all."""
    language: str = "legacy"
    """The query language of the filter, by the schema's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long a repository keeps events, and how many: whichever limit is reached first."""

    max_age: timedelta | None = None
    """None is without limit, as in the two below."""
    ingest_gb: float | None = None
    """Of events as they came in; gigabytes as the server counts them."""
    storage_gb: float | None = None
    """Of events as they are stored, compressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFacts:
    """What a repository is for, and what it holds at the moment."""

    kind: str
    """DEFAULT, PERSONAL, TRIAL, SYSTEM, MANAGED, or what a newer server adds."""
    data: str
    """ANYDATA, FALCON, or what a newer server adds."""
    compressed_bytes: int
    uncompressed_bytes: int
    latest_ingest_at: datetime | None
    """None where it is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A repository, or a view over some."""

    id: str
    name: str
    description: str = ""
    is_repository: bool
    connections: tuple[ViewConnection, ...] = ()
    """Of a view, in the server's order."""
    has_automatic_search: bool = True
    """Whether the web page searches as soon as it is opened."""
    retention: Retention = Retention()
    """Of a repository; a view keeps nothing."""
    facts: RepositoryFacts | None = field(default=None, compare=False)
    """Of a repository; outside equality, since they change by themselves."""

    @property
    def repositories(self) -> tuple[str, ...]:
        """Return the names of the repositories behind a view, each once, sorted."""
        return tuple(sorted({connection.repository for connection in self.connections}))


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
class IngestToken:
    """Whoever has its secret may send events into one repository, and do nothing else."""

    name: str
    secret: SecretText
    parser: str = ""
    """What reads the events; empty where each says so itself."""


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
class QueryShape:
    """How a server would run a query."""

    is_aggregate: bool
    is_single_phase: bool
    """False where it has a join, or anything else that runs a query before it."""
    filter_part: str
    """All of it that comes before its first aggregate."""
    suits_filter_alert: bool


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
    queued: timedelta = timedelta(0)
    """How long it waited before the server began."""
    status: str
    total_work: int
    work_done: int
    """Of `total_work`; a live query goes on when all of it is done."""
    cost: QueryCost = field(default_factory=QueryCost)
    """So far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaUsage:
    """What the queries of one user came to within one interval."""

    interval: str
    """PerDay, PerHour, PerTenMinutes, PerMinute, or what a newer server adds."""
    queries: int
    static_cost: int
    live_cost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceededQuota:
    """A quota that a user has used up: queries are refused until it begins anew."""

    kind: str
    """StaticCost, LiveCost, QueryCount, or what a newer server adds."""
    resets_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """`/api/v1/status`: `OK` and the version text; reading it proves nothing about the token."""

    status: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """How a server is set up, and how much it takes."""

    environment: str
    """ON_PREM, ON_CLOUD, ON_COMMUNITY, or what a newer server adds."""
    cluster_id: str
    is_being_updated: bool
    """Whether its nodes are not all of one version at the moment."""
    oldest_version: str
    """Of its nodes."""
    max_backfill_runs: int | None
    """The most missed runs that a scheduled search may make up for; None for any number."""
    max_csv_bytes: int
    """Of one lookup file; JSON has a limit of its own."""
    max_json_bytes: int


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
