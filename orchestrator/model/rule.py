"""A detection rule as it stands after loading: valid, typed, and still only text for its query.

Parsing the query is `orchestrator.cql`'s business; reading files is `orchestrator.rules`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from orchestrator.ids import RuleId


class Severity(StrEnum):
    """How bad it is if true, in rising order."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return 0 for informational to 4 for critical."""
        return list(Severity).index(self)


class Confidence(StrEnum):
    """How likely it is true."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class RuleStatus(StrEnum):
    """Where a rule stands in its life."""

    DRAFT = "draft"
    """Linted and tested, never run by the service."""
    SHADOW = "shadow"
    """Run and stored; its findings notify nobody."""
    STABLE = "stable"
    """Run, stored and delivered."""
    DEPRECATED = "deprecated"
    """No longer run; its asset is removed by the next deploy."""


class TimestampField(StrEnum):
    """Which time places an event in a window."""

    INGEST = "ingest"
    """`@ingesttimestamp`: each event is in exactly one window, however late it arrived."""
    EVENT = "event"
    """`@timestamp`: needs a lookback, and the finding key removes the repeats."""


class DeployKind(StrEnum):
    """The remote asset that a rule becomes."""

    SAVED_SEARCH = "saved-search"
    SCHEDULED_SEARCH = "scheduled-search"
    AGGREGATE_ALERT = "aggregate-alert"
    FILTER_ALERT = "filter-alert"
    CORRELATION_RULE = "correlation-rule"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One MITRE ATT&CK reference: tactic short name and technique id such as `T1528`."""

    tactic: str
    technique: str

    @property
    def url(self) -> str:
        """Return the technique's page; a sub-technique's dot becomes a slash there."""
        return f"https://attack.mitre.org/techniques/{self.technique.replace('.', '/')}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a rule runs and what each run reads. Exactly one of `every` and `cron` is set."""

    every: timedelta | None = None
    """Length of one window, and the time between due windows; on a UTC grid from the epoch."""
    cron: str | None = None
    """Five-field cron in UTC; each window reaches from one fire time to the next."""
    delay: timedelta = timedelta(minutes=2)
    """Wait this long after a window's end, so that late events are in."""
    lookback: timedelta = timedelta(0)
    """How much before its window's start a run also reads; zero for ingest time."""
    timestamp: TimestampField = TimestampField.INGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Entities:
    """Which result field holds which fact about the finding; empty where the rule has none."""

    host: str = "ComputerName"
    aid: str = "aid"
    user: str = "UserName"
    image: str = "ImageFileName"
    command_line: str = "CommandLine"
    container: str = ""
    evidence: str = ""
    application: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityFrom:
    """A result field whose value decides the severity; unmapped values keep the rule's own."""

    field: str
    map: Mapping[str, Severity]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingSpec:
    """How result rows become findings."""

    key: tuple[str, ...]
    """Result fields that make two rows "the same thing again"; at least one."""
    title: str
    """One line with `{field}` placeholders from the row."""
    severity_from: SeverityFrom | None = None
    score: str = ""
    """Result field with the rule's own score; empty where there is none."""
    count: str = ""
    """Result field with the number of events; empty counts each row once."""
    first_seen: str = ""
    last_seen: str = ""
    """Result fields with event times in epoch ms; empty means the window's start and end."""
    reopen_after: timedelta = timedelta(hours=24)
    """A finding not seen for this long is over; the same key later is a new generation."""
    entities: Entities = field(default_factory=Entities)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A reviewed statement that keeps matching findings from notifying; they are stored anyway."""

    name: str
    owner: str
    reason: str
    when: str
    """A CQL filter over the finding's flat fields."""
    expires_on: date | None = None
    """Last day it applies, UTC; None where the reason does not age."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageSpec:
    """What is looked up for each finding, and what excuses it."""

    enrich: tuple[str, ...] = ()
    """Names of fact tables, in order."""
    suppress: tuple[Suppression, ...] = ()
    """Tried in order; the first that holds wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploySpec:
    """The asset that `orchestrator deploy` keeps for the rule."""

    kind: DeployKind = DeployKind.NONE
    labels: tuple[str, ...] = ()
    enabled: bool = True
    """Whether the remote asset runs by itself; a saved search never does."""
    actions: tuple[str, ...] = ()
    """Names of remote actions that the asset invokes; they must exist."""
    throttle: timedelta | None = None
    """Least time between two triggers of an alert."""
    lookup_files: tuple[str, ...] = ()
    """Lookup files of the rule folder that the query reads, uploaded with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedCheck:
    """A check of the query that is wrong about this rule."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LintSpec:
    """How the rule's query is linted."""

    allow: tuple[AllowedCheck, ...] = ()
    """Checks that are silent for the whole query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookSection:
    """One vector's part of `runbook.md`: its heading, triage questions and next steps."""

    heading: str
    """Matches the finding's `vector` field; the first section serves findings without one."""
    questions: tuple[str, ...]
    next_steps: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One folder in `queries/`, valid as a whole."""

    id: RuleId
    slug: str
    """The folder's name: what people type."""
    name: str
    description: str
    severity: Severity
    confidence: Confidence
    status: RuleStatus
    attack: tuple[Attack, ...]
    owner: str
    data: tuple[str, ...]
    """Event types that the query needs."""
    schedule: Schedule
    finding: FindingSpec
    triage: TriageSpec
    deploy: DeploySpec
    query: str
    """CQL text of query.cql, as in the file."""
    runbook: tuple[RunbookSection, ...]
    lint: LintSpec = field(default_factory=LintSpec)
    version: str
    """Hash of everything that changes what the rule finds or says, 12 hex digits."""
