"""A typed, asynchronous client for LogScale and for Falcon Next-Gen SIEM, usable alone.

`LogScale` and `Falcon` join the parts; `HttpTransport`, `ScriptedTransport` and `ReplayTransport`
carry requests over HTTP, from a list and from recordings. What comes back is in `types`, what can
go wrong in `orchestrator.errors.ClientError`.
"""

from __future__ import annotations

from orchestrator.client.cassettes.replay import (
    Cassette,
    CassetteMismatch,
    Origin,
    ReplayTransport,
    load_cassette,
)
from orchestrator.client.cassettes.scripted import ScriptedTransport, json_response, text_response
from orchestrator.client.falcon import Falcon, discover
from orchestrator.client.gateway.connections import (
    ConnectionKey,
    Connections,
    DataConnection,
    DataConnector,
)
from orchestrator.client.gateway.correlation_rules import CorrelationRules
from orchestrator.client.gateway.files import GatewayFiles
from orchestrator.client.gateway.hec import ConnectionIngest
from orchestrator.client.gateway.hosts import Hosts
from orchestrator.client.gateway.rule_templates import RuleTemplate, RuleTemplates
from orchestrator.client.gateway.rule_versions import RuleVersion, RuleVersions
from orchestrator.client.gateway.saved_queries import SavedQueries
from orchestrator.client.graphql.actions import Actions
from orchestrator.client.graphql.assets import Assets
from orchestrator.client.graphql.files import LookupFiles
from orchestrator.client.graphql.ingest_tokens import IngestTokens
from orchestrator.client.graphql.packages import Packages, archive_of
from orchestrator.client.graphql.running import RunningQueries
from orchestrator.client.graphql.tokens import Tokens
from orchestrator.client.graphql.views import Views
from orchestrator.client.http.addresses import CLOUDS
from orchestrator.client.http.auth import ClientCredentials
from orchestrator.client.http.limits import Gate, Lane, Timeouts
from orchestrator.client.http.retry import RetryPolicy
from orchestrator.client.http.transport import HttpTransport, Request, Response, Transport
from orchestrator.client.ingest import BatchSize, Ingest
from orchestrator.client.logscale import LogScale
from orchestrator.client.search.options import DoneCriteria, SearchOptions
from orchestrator.client.search.paging import Export, ExportForm, Paging
from orchestrator.client.search.query_jobs import QueryJobs
from orchestrator.client.search.spec import QuerySpec
from orchestrator.client.types import (
    Action,
    ActionContent,
    ActionTest,
    AggregateAlert,
    ApiToken,
    Asset,
    AttackMapping,
    Completeness,
    ConflictResolution,
    CorrelationRule,
    EmailContent,
    ExceededQuota,
    FieldStats,
    FilterAlert,
    Freshness,
    HealthCheck,
    Host,
    HumioRepoContent,
    IngestToken,
    InstalledPackage,
    JobProgress,
    JobStats,
    LegacyAlert,
    LookupFile,
    LookupRows,
    NewToken,
    OpsGenieContent,
    PagerDutyContent,
    QueryAnalysis,
    QueryCost,
    QueryOwner,
    QueryOwnership,
    QueryProblem,
    QueryResult,
    QueryShape,
    QueryWarning,
    QuotaUsage,
    RepositoryFacts,
    Retention,
    RuleNotification,
    RuleRun,
    RuleState,
    RuleSuppression,
    RunningQuery,
    SavedQuery,
    ScheduledSearch,
    ServerFacts,
    ServerHealth,
    ServerStatus,
    SlackContent,
    SlackPostMessageContent,
    TimestampType,
    TriggerHealth,
    UploadFileContent,
    UsedFile,
    VictorOpsContent,
    View,
    ViewConnection,
    Viewer,
    WebhookContent,
)

__all__ = [
    "CLOUDS",
    "Action",
    "ActionContent",
    "ActionTest",
    "Actions",
    "AggregateAlert",
    "ApiToken",
    "Asset",
    "Assets",
    "AttackMapping",
    "BatchSize",
    "Cassette",
    "CassetteMismatch",
    "ClientCredentials",
    "Completeness",
    "ConflictResolution",
    "ConnectionIngest",
    "ConnectionKey",
    "Connections",
    "CorrelationRule",
    "CorrelationRules",
    "DataConnection",
    "DataConnector",
    "DoneCriteria",
    "EmailContent",
    "ExceededQuota",
    "Export",
    "ExportForm",
    "Falcon",
    "FieldStats",
    "FilterAlert",
    "Freshness",
    "Gate",
    "GatewayFiles",
    "HealthCheck",
    "Host",
    "Hosts",
    "HttpTransport",
    "HumioRepoContent",
    "Ingest",
    "IngestToken",
    "IngestTokens",
    "InstalledPackage",
    "JobProgress",
    "JobStats",
    "Lane",
    "LegacyAlert",
    "LogScale",
    "LookupFile",
    "LookupFiles",
    "LookupRows",
    "NewToken",
    "OpsGenieContent",
    "Origin",
    "Packages",
    "PagerDutyContent",
    "Paging",
    "QueryAnalysis",
    "QueryCost",
    "QueryJobs",
    "QueryOwner",
    "QueryOwnership",
    "QueryProblem",
    "QueryResult",
    "QueryShape",
    "QuerySpec",
    "QueryWarning",
    "QuotaUsage",
    "ReplayTransport",
    "RepositoryFacts",
    "Request",
    "Response",
    "Retention",
    "RetryPolicy",
    "RuleNotification",
    "RuleRun",
    "RuleState",
    "RuleSuppression",
    "RuleTemplate",
    "RuleTemplates",
    "RuleVersion",
    "RuleVersions",
    "RunningQueries",
    "RunningQuery",
    "SavedQueries",
    "SavedQuery",
    "ScheduledSearch",
    "ScriptedTransport",
    "SearchOptions",
    "ServerFacts",
    "ServerHealth",
    "ServerStatus",
    "SlackContent",
    "SlackPostMessageContent",
    "Timeouts",
    "TimestampType",
    "Tokens",
    "Transport",
    "TriggerHealth",
    "UploadFileContent",
    "UsedFile",
    "VictorOpsContent",
    "View",
    "ViewConnection",
    "Viewer",
    "Views",
    "WebhookContent",
    "archive_of",
    "discover",
    "json_response",
    "load_cassette",
    "text_response",
]
