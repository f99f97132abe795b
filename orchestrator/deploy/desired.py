"""The asset that a rule should be, pure.

Each asset is marked as ours twice: by the label `orchestrator`, and by a line in its description
with the rule's id and a fingerprint of everything we set. What lacks the marker is never touched.
A lookup file has no room for a marker: the asset's description vouches for the content we stored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

from orchestrator.client.types import (
    AggregateAlert,
    Asset,
    CorrelationRule,
    FilterAlert,
    SavedQuery,
    ScheduledSearch,
    TimestampType,
)
from orchestrator.cron import fires_after
from orchestrator.ids import derive
from orchestrator.model.rule import (
    DeployKind,
    Rule,
    RuleStatus,
    Schedule,
    Severity,
    TimestampField,
)

LABEL = "orchestrator"
_MARKER = re.compile(
    r"^orchestrator:(?P<rule>[0-9a-f-]{36}):(?P<print>[0-9a-f]{12})$", re.MULTILINE
)
_FILE_MARKER = re.compile(r"^orchestrator-file:([0-9a-f]{12}):(.+)$", re.MULTILINE)
_NGSIEM_SEVERITY = {
    Severity.INFORMATIONAL: 10,
    Severity.LOW: 30,
    Severity.MEDIUM: 50,
    Severity.HIGH: 70,
    Severity.CRITICAL: 90,
}
_SET_ON_NGSIEM = (
    "name",
    "description",
    "query",
    "labels",
    "enabled",
    "severity",
    "tactic",
    "technique",
    "schedule",
    "lookback",
    "actions",
)
"""Of a correlation rule; what people set in the console beside these is theirs."""
_MINUTE, _YEAR = timedelta(minutes=1), timedelta(days=366)
_WEEK_MINUTES = 7 * 24 * 60
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
_FIRES = 1500
"""Enough to see the nights and a weekend between runs every few minutes of a working day."""


def desired_asset(
    rule: Rule, *, lookups: Mapping[str, bytes] | None = None, on_ngsiem: bool = False
) -> Asset | None:
    """Return the asset for the rule, marked; None where it deploys none.

    Args:
        rule: The rule.
        lookups: Its lookup files, whose content the marker vouches for.
        on_ngsiem: Whether the far side is Falcon NG-SIEM, which runs rules as correlation rules
            whatever LogScale asset they name, and keeps no saved searches of ours.
    """
    kind = rule.deploy.kind
    if on_ngsiem and kind not in (DeployKind.NONE, DeployKind.SAVED_SEARCH):
        kind = DeployKind.CORRELATION_RULE
    elif on_ngsiem:
        return None
    build = _BUILDERS.get(kind)
    if build is None:
        return None
    bare = build(rule)
    if not isinstance(bare, SavedQuery):
        # A shadow rule tells nobody, so its asset must not fire its actions either.
        enabled = rule.deploy.enabled and rule.status is RuleStatus.STABLE
        bare = replace(bare, enabled=enabled)
    lines = [
        f"{LABEL}-file:{digest(content)}:{name}"
        for name, content in sorted((lookups or {}).items())
    ]
    bare = replace(bare, description="\n".join([rule.description, "", *lines]).rstrip())
    tail = marker(rule, bare)
    gap = "\n" if lines else "\n\n"
    return replace(bare, description=f"{bare.description}{gap}{tail}")


def digest(content: bytes) -> str:
    """Return the beginning of a lookup file's SHA-256, 12 hex digits."""
    return hashlib.sha256(content).hexdigest()[:12]


def files_of(asset: Asset) -> dict[str, str]:
    """Return the lookup files that the asset vouches for, by name, with their digests."""
    return {name: found for found, name in _FILE_MARKER.findall(asset.description)}


def marker(rule: Rule, asset: Asset) -> str:
    """Return the line that marks the asset as ours: rule id and fingerprint of what we set."""
    values = [(name, str(getattr(asset, name))) for name in names_set(asset)]
    return f"{LABEL}:{rule.id}:{derive([part for pair in values for part in pair])[:12]}"


def names_set(asset: Asset) -> tuple[str, ...]:
    """Return the names of the members that a rule's file sets, in the type's order."""
    if isinstance(asset, CorrelationRule):
        return _SET_ON_NGSIEM
    # What is outside equality a server fills in; it is for no rule to say.
    return tuple(f.name for f in dataclass_fields(asset) if f.compare and f.name != "id")


def taken_over(wanted: Asset, ours: Asset) -> Asset:
    """Return `ours` with everything that the rule's file sets as it is wanted."""
    if not isinstance(wanted, CorrelationRule) or not isinstance(ours, CorrelationRule):
        return replace(wanted, id=ours.id)
    # An action that the file does not name is taken off, with who was told by it.
    told = tuple(note for note in ours.notifications if note.kind in wanted.actions)
    members = {name: getattr(wanted, name) for name in _SET_ON_NGSIEM}
    return replace(ours, **members, notifications=told)


def untold_actions(asset: Asset, *, ours: Asset | None) -> tuple[str, ...]:
    """Return the actions that nobody would be told by, sorted; none but of a correlation rule.

    Its actions are the kinds of its notifications, which a rule's file cannot make. Those that
    `ours` has on the far side already are no change.
    """
    if not isinstance(asset, CorrelationRule):
        return ()
    known = ours.actions if isinstance(ours, CorrelationRule) else ()
    told = {note.kind for note in asset.notifications}
    return tuple(sorted(set(asset.actions) - told - set(known)))


def rule_of(asset: Asset) -> str | None:
    """Return the id of the rule that the asset is marked with; None if it is not ours."""
    found = _MARKER.findall(asset.description)
    # NG-SIEM has no labels; elsewhere, taking the label off is how people take an asset over.
    labelled = isinstance(asset, CorrelationRule) or LABEL in asset.labels
    return str(found[-1][0]) if found and labelled else None


def _labels(rule: Rule) -> tuple[str, ...]:
    return tuple(sorted({LABEL, *rule.deploy.labels}))


def _saved_query(rule: Rule) -> SavedQuery:
    return SavedQuery(
        name=rule.name, description=rule.description, query=rule.query, labels=_labels(rule)
    )


def _scheduled_search(rule: Rule) -> ScheduledSearch:
    by_event = rule.schedule.timestamp is TimestampField.EVENT
    period = _period(rule.schedule)
    return ScheduledSearch(
        name=rule.name,
        description=rule.description,
        query=rule.query,
        labels=_labels(rule),
        enabled=rule.deploy.enabled,
        schedule=cron_of(rule.schedule),
        search_interval=period + (rule.schedule.lookback if by_event else timedelta(0)),
        search_interval_offset=rule.schedule.delay if by_event else None,
        max_wait=None if by_event else rule.schedule.delay,
        timestamp_type=TimestampType.EVENT if by_event else TimestampType.INGEST,
        backfill_limit_runs=5 if by_event else None,
        actions=tuple(sorted(rule.deploy.actions)),
    )


def _aggregate_alert(rule: Rule) -> AggregateAlert:
    period = _period(rule.schedule)
    return AggregateAlert(
        name=rule.name,
        description=rule.description,
        query=rule.query,
        labels=_labels(rule),
        enabled=rule.deploy.enabled,
        search_interval=period,
        throttle=rule.deploy.throttle or period,
        timestamp_type=TimestampType.EVENT
        if rule.schedule.timestamp is TimestampField.EVENT
        else TimestampType.INGEST,
        actions=tuple(sorted(rule.deploy.actions)),
    )


def _filter_alert(rule: Rule) -> FilterAlert:
    return FilterAlert(
        name=rule.name,
        description=rule.description,
        query=rule.query,
        labels=_labels(rule),
        enabled=rule.deploy.enabled,
        throttle=rule.deploy.throttle,
        actions=tuple(sorted(rule.deploy.actions)),
    )


def _correlation_rule(rule: Rule) -> CorrelationRule:
    period = _period(rule.schedule)
    first = rule.attack[0] if rule.attack else None
    return CorrelationRule(
        name=rule.name,
        description=rule.description,
        query=rule.query,
        enabled=rule.deploy.enabled,
        severity=_NGSIEM_SEVERITY[rule.severity],
        tactic=first.tactic if first else "",
        technique=first.technique if first else "",
        schedule=period,
        # By event time, which NG-SIEM searches by: late events need the delay again.
        lookback=period + max(rule.schedule.lookback, rule.schedule.delay),
        actions=tuple(sorted(rule.deploy.actions)),
    )


_BUILDERS: Mapping[DeployKind, Callable[[Rule], Asset]] = {
    DeployKind.SAVED_SEARCH: _saved_query,
    DeployKind.SCHEDULED_SEARCH: _scheduled_search,
    DeployKind.AGGREGATE_ALERT: _aggregate_alert,
    DeployKind.FILTER_ALERT: _filter_alert,
    DeployKind.CORRELATION_RULE: _correlation_rule,
}


def cron_of(schedule: Schedule) -> str:
    """Return the five-field cron for the schedule's grid.

    A period that no cron can say (7m, 5h, 2d) is rounded down to one that divides the hour, the day
    or the week, so that no event is passed over.
    """
    if schedule.cron is not None:
        return schedule.cron
    minutes = max(1, int((schedule.every or _MINUTE).total_seconds() // 60))
    if minutes < 60:
        step = max(n for n in range(1, minutes + 1) if 60 % n == 0)
        return "* * * * *" if step == 1 else f"*/{step} * * * *"
    if minutes >= _WEEK_MINUTES:
        # The grid's weeks begin where the epoch does, on a Thursday.
        return "0 0 * * 4"
    hours = min(minutes // 60, 24)
    step = max(n for n in range(1, hours + 1) if 24 % n == 0)
    return {1: "0 * * * *", 24: "0 0 * * *"}.get(step, f"0 */{step} * * *")


def _period(schedule: Schedule) -> timedelta:
    """Return what each run must read so that no event falls between two runs.

    It is the longest pause among the cron's fires in the years looked at.
    """
    fires = islice(fires_after(cron_of(schedule), _EPOCH), _FIRES)
    return max((later - earlier for earlier, later in pairwise(fires)), default=_YEAR)
