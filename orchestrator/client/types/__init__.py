"""What the client gives to the rest: frozen values, whichever server answered.

Durations are `timedelta`, instants aware UTC. Enumerations of the server are plain text where it
may grow new members. Unknown members of an answer stay readable in `raw`, outside equality.
Source of shapes: the vendor's GraphQL schema and OpenAPI text, and cassettes/.
"""

from __future__ import annotations

from orchestrator.client.types.actions import (
    Action,
    ActionContent,
    ActionTest,
    EmailContent,
    HumioRepoContent,
    OpsGenieContent,
    PagerDutyContent,
    SlackContent,
    SlackPostMessageContent,
    UploadFileContent,
    VictorOpsContent,
    WebhookContent,
)
from orchestrator.client.types.assets import (
    AggregateAlert,
    Asset,
    ConflictResolution,
    CorrelationRule,
    FilterAlert,
    InstalledPackage,
    LegacyAlert,
    LookupFile,
    SavedQuery,
    ScheduledSearch,
    TimestampType,
    Trigger,
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
from orchestrator.client.types.triggers import (
    QueryOwner,
    QueryOwnership,
    TriggerHealth,
)

__all__ = [
    "Action",
    "ActionContent",
    "ActionTest",
    "AggregateAlert",
    "ApiToken",
    "Asset",
    "Completeness",
    "ConflictResolution",
    "CorrelationRule",
    "EmailContent",
    "FieldStats",
    "FilterAlert",
    "HealthCheck",
    "Host",
    "HumioRepoContent",
    "InstalledPackage",
    "JobProgress",
    "JobStats",
    "LegacyAlert",
    "LookupFile",
    "NewToken",
    "OpsGenieContent",
    "PagerDutyContent",
    "QueryAnalysis",
    "QueryOwner",
    "QueryOwnership",
    "QueryProblem",
    "QueryResult",
    "QuotaUsage",
    "RunningQuery",
    "SavedQuery",
    "ScheduledSearch",
    "ServerHealth",
    "ServerStatus",
    "SlackContent",
    "SlackPostMessageContent",
    "TimestampType",
    "Trigger",
    "TriggerHealth",
    "UploadFileContent",
    "UsedFile",
    "VictorOpsContent",
    "View",
    "Viewer",
    "WebhookContent",
]
