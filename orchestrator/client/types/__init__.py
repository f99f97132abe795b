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
    FilterAlert,
    InstalledPackage,
    LegacyAlert,
    LookupFile,
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
    JobProgress,
    JobStats,
    QueryResult,
    UsedFile,
)
from orchestrator.client.types.rules import (
    AttackMapping,
    CorrelationRule,
    RuleNotification,
    RuleRun,
    RuleState,
    RuleSuppression,
)
from orchestrator.client.types.server import (
    ApiToken,
    HealthCheck,
    NewToken,
    QueryAnalysis,
    QueryProblem,
    QuotaUsage,
    RunningQuery,
    ServerHealth,
    ServerStatus,
    View,
    Viewer,
)

__all__ = [
    "Action",
    "ActionTest",
    "AggregateAlert",
    "ApiToken",
    "Asset",
    "AttackMapping",
    "Completeness",
    "ConflictResolution",
    "CorrelationRule",
    "FieldStats",
    "FilterAlert",
    "HealthCheck",
    "Host",
    "InstalledPackage",
    "JobProgress",
    "JobStats",
    "LegacyAlert",
    "LookupFile",
    "NewToken",
    "QueryAnalysis",
    "QueryProblem",
    "QueryResult",
    "QuotaUsage",
    "RuleNotification",
    "RuleRun",
    "RuleState",
    "RuleSuppression",
    "RunningQuery",
    "SavedQuery",
    "ScheduledSearch",
    "ServerHealth",
    "ServerStatus",
    "TimestampType",
    "UsedFile",
    "View",
    "Viewer",
]
