"""A finding as the message that on-call reads. Pure, so that a second send is byte-equal.

The text is plain: redacted by triage, not escaped, not cut. What stands first is what decides at
03:00: where, whose, how critical, who, what ran. `LinkSettings` is re-exported for callers.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.decision import Verdict
from orchestrator.model.finding import Finding
from orchestrator.model.notification import Notification, NotificationKind
from orchestrator.model.rule import Rule, RunbookSection
from orchestrator.route.links import LinkSettings, links_for

__all__ = ["LinkSettings", "notification_for"]

MAX_QUESTIONS = 3
_PLACEHOLDERS = frozenset({"", "-", "unresolved"})
_VECTOR = "vector"
_TOKEN_SOURCES = ("tokenSource", "TargetFileName", "HttpPath", "RemoteAddressIP4", "DomainName")
_OWNERS = (
    "host.owner",
    "runner.owner",
    "k8s_node.owner",
    "k8s_workload.owner",
    "developer_host.owner",
)
_PARENTS = ("parent", "ParentBaseFileName")


def notification_for(
    finding: Finding, *, rule: Rule, kind: NotificationKind, links: LinkSettings
) -> Notification:
    """Return what every receiver is told about this revision of a finding."""
    section = runbook_section(rule, finding.fields.get(_VECTOR, ""))
    return Notification(
        finding_id=finding.id,
        revision=finding.revision,
        kind=kind,
        rule=rule.name,
        headline=finding.title or rule.name,
        severity=finding.severity,
        score=finding.score,
        score_parts=finding.score_parts,
        facts=tuple(_facts(finding, rule)),
        why=why_not_suppressed(finding),
        first_seen=finding.first_seen,
        last_seen=finding.last_seen,
        event_count=finding.event_count,
        questions=section.questions[:MAX_QUESTIONS] if section else (),
        next_steps=section.next_steps if section else (),
        links=links_for(finding, rule=rule, settings=links),
        labels=_labels(rule),
    )


def runbook_section(rule: Rule, vector: str) -> RunbookSection | None:
    """Return the section whose heading is the vector, else the first; None without a runbook."""
    wanted = vector.strip().casefold()
    for section in rule.runbook:
        if section.heading.strip().casefold() == wanted:
            return section
    return rule.runbook[0] if rule.runbook else None


def why_not_suppressed(finding: Finding) -> str:
    """Return the sentences of triage that kept this finding alive, each once."""
    kept = (Verdict.NOT_SUPPRESSED, Verdict.UNKNOWN, Verdict.REOPENED)
    reasons = dict.fromkeys(
        f"{decision.subject}: {decision.reason}" if decision.subject else decision.reason
        for decision in finding.decisions
        if decision.verdict in kept
    )
    if not reasons:
        return "No suppression of this rule speaks about it."
    return "; ".join(reasons)


def _facts(finding: Finding, rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield label and value in reading order; a value that is not known is left out."""
    fields, entities = finding.fields, rule.finding.entities
    wanted: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("Host", (entities.host,)),
        ("Host role", ("host.role",)),
        ("Owner", _OWNERS),
        ("Criticality", ("host.criticality",)),
        ("User", (entities.user,)),
        ("Actor", (entities.actor,)),
        ("Application", (entities.application,)),
        ("Process", (entities.image,)),
        ("Parent", _PARENTS),
        ("Command line", (entities.command_line,)),
        ("Container", (entities.container,)),
        ("Token source", _TOKEN_SOURCES),
        ("Vector", (_VECTOR,)),
        ("Evidence", (entities.evidence,)),
    )
    shown: set[str] = set()
    for label, names in wanted:
        name = next((n for n in names if n and _known(fields.get(n, ""))), "")
        if name:
            shown.add(name)
            yield label, fields[name]
    # The key is what makes this finding this one: no part of it may stay unsaid.
    for name in rule.finding.key:
        if name not in shown and _known(fields.get(name, "")):
            yield name, fields[name]


def _known(value: str) -> bool:
    return value.strip() not in _PLACEHOLDERS


def _labels(rule: Rule) -> tuple[str, ...]:
    techniques = dict.fromkeys(attack.technique for attack in rule.attack)
    return (rule.slug, *techniques)
