"""What a server says of itself, of its views and tokens, and of queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.client.types.results import QueryCost
from orchestrator.secret import SecretText


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
