"""Correlation rules of Falcon NG-SIEM, and what belongs to one.

Source of shapes: CrowdStrike gofalcon (correlationrulesapi models), terraform-provider-crowdstrike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackMapping:
    """A MITRE ATT&CK tactic, and a technique of it."""

    tactic_id: str
    """Such as `TA0006`."""
    technique_id: str = ""
    """Such as `T1528`; empty for the tactic as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleNotification:
    """Who is told, and over which channel; the tenant itself is filled in when it is written."""

    kind: str
    """`email`, `slack`, `pagerduty`, `webhook` or `ms_teams`; others may come."""
    recipients: tuple[str, ...] = ()
    """Addresses, with e-mail alone."""
    plugin_id: str = ""
    """Connector of the tenant's workflows, such as `slack.incoming_webhook`; not with e-mail."""
    config_id: str = ""
    """Which set-up of that connector."""
    severity: str = ""
    """`critical`, `high`, `medium`, `low` or `informational`; empty for none."""
    channel_id: str = ""
    team_id: str = ""
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSuppression:
    """Silence after an outcome."""

    period: timedelta
    field: str = ""
    """Silences only outcomes with the same value of this field; empty silences all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRun:
    """How a rule's last run went."""

    status: str
    """The gateway's own word."""
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    result_count: int
    started_at: datetime | None
    finished_at: datetime | None
    window_until: datetime | None
    """Exclusive end of what it searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleState:
    """What the gateway says of a rule; no one writes it. An instant that is not told is None."""

    version_id: str
    """Another one after each change."""
    version: int
    """From 1; 0 where it is not said."""
    publication: str
    """`published`, `unpublished` or `draft`; others may come."""
    status: str
    """`active`, `inactive`, or for a moment `creating` or `updating`; others may come."""
    message: str
    kind: str
    """`correlation`, `behavioral`; others may come."""
    author: str
    created_at: datetime | None
    updated_at: datetime | None
    next_run_at: datetime | None
    expires_at: datetime | None
    last_run: RuleRun | None
    """None before the first."""


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
    """The older way to name one; `mitre_attack` names up to ten."""
    technique: str = ""
    schedule: timedelta | None
    """Time between two runs, at least five minutes; None where a rule that was read has another
    kind of schedule, or none."""
    lookback: timedelta | None
    """At most 168 hours; None where it could not be read."""
    actions: tuple[str, ...] = ()
    """Kinds of its notifications, sorted, those of `notifications` always among them. To add or to
    take one away, change `notifications`."""
    outcome: str = "detection"
    """`detection` or `case`; others may come."""
    trigger_mode: str = "summary"
    """`summary` is one outcome for a run, `verbose` one for each row."""
    use_ingest_time: bool = False
    case_template_id: str = ""
    template_id: str = ""
    """The vendor's template that it was made from; fixed at creation."""
    comment: str = ""
    """On the newest change."""
    mitre_attack: tuple[AttackMapping, ...] = ()
    """At most ten."""
    notifications: tuple[RuleNotification, ...] = ()
    """Who is told when a run fails."""
    guardrail_notifications: tuple[RuleNotification, ...] = ()
    """Who is told when the gateway switches the rule off for too many outcomes."""
    suppression: RuleSuppression | None = None
    start_on: datetime | None = None
    """First run, at least 15 minutes ahead when it is set; None leaves it to the gateway."""
    stop_on: datetime | None = None
    """No run after this; it can be moved, not taken away again."""
    state: RuleState | None = field(default=None, compare=False)
    """None before it was read from the gateway."""
    unread: tuple[str, ...] = field(default=(), compare=False)
    """Members of another form than is known here: as they came in `raw`, here at their default.
    An update leaves them alone unless it sets them."""
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        told = {note.kind for note in self.notifications}
        object.__setattr__(self, "actions", tuple(sorted({*self.actions, *told} - {""})))
