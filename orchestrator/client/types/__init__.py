"""What the client gives to the rest: frozen values, whichever server answered.

Durations are `timedelta`, instants aware UTC. Enumerations of the server are plain text where it
may grow new members. Unknown members of an answer stay readable in `raw`, outside equality.
Source of shapes: the vendor's GraphQL schema and OpenAPI text, and cassettes/.
"""

from __future__ import annotations

from orchestrator.client.types.assets import (
    Action,
    ActionTest,
    AggregateAlert,
    Asset,
    ConflictResolution,
    CorrelationRule,
    FilterAlert,
    InstalledPackage,
    LegacyAlert,
    LookupFile,
    LookupRows,
    SavedQuery,
    ScheduledSearch,
    TimestampType,
)
from orchestrator.client.types.hosts import (
    Host,
)
from orchestrator.client.types.results import (
    Completeness,
    FieldStats,
    Freshness,
    JobProgress,
    JobStats,
    QueryCost,
    QueryResult,
    QueryWarning,
    UsedFile,
)
from orchestrator.client.types.server import (
    ApiToken,
    ExceededQuota,
    HealthCheck,
    IngestToken,
    NewToken,
    QueryAnalysis,
    QueryProblem,
    QueryShape,
    QuotaUsage,
    RepositoryFacts,
    Retention,
    RunningQuery,
    ServerFacts,
    ServerHealth,
    ServerStatus,
    View,
    ViewConnection,
    Viewer,
)

__all__ = [
    "Action",
    "ActionTest",
    "AggregateAlert",
    "ApiToken",
    "Asset",
    "Completeness",
    "ConflictResolution",
    "CorrelationRule",
    "ExceededQuota",
    "FieldStats",
    "FilterAlert",
    "Freshness",
    "HealthCheck",
    "Host",
    "IngestToken",
    "InstalledPackage",
    "JobProgress",
    "JobStats",
    "LegacyAlert",
    "LookupFile",
    "LookupRows",
    "NewToken",
    "QueryAnalysis",
    "QueryCost",
    "QueryProblem",
    "QueryResult",
    "QueryShape",
    "QueryWarning",
    "QuotaUsage",
    "RepositoryFacts",
    "Retention",
    "RunningQuery",
    "SavedQuery",
    "ScheduledSearch",
    "ServerFacts",
    "ServerHealth",
    "ServerStatus",
    "TimestampType",
    "UsedFile",
    "View",
    "ViewConnection",
    "Viewer",
]
