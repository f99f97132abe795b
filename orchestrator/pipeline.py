"""The path of a finding, top to bottom: search, build, triage, route, commit.

`schedule` decides which windows are due before this; `route.deliver` sends what the outbox holds
after it. Three invariants: the watermark moves only in the commit, and only forward; the same
window run twice yields the same finding ids; a notification exists only if its finding is
committed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from orchestrator.client.types import QueryResult
from orchestrator.clock import Clock
from orchestrator.ids import (
    Fingerprint,
    derive_entry_id,
    derive_finding_id,
    derive_fingerprint,
)
from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.finding import Finding, FindingState
from orchestrator.model.notification import (
    DeliveryState,
    Notification,
    NotificationKind,
    OutboxEntry,
)
from orchestrator.model.rule import Confidence, Rule, RuleStatus, Severity
from orchestrator.model.run import Receipt, Run, SearchStats
from orchestrator.model.window import Window
from orchestrator.route.links import LinkSettings
from orchestrator.route.render import notification_for
from orchestrator.route.tree import RouteTree
from orchestrator.schedule.runner import Commit, Runner, RunOutcome
from orchestrator.triage.build import build_findings
from orchestrator.triage.ports import FactLookup
from orchestrator.triage.redact import redact
from orchestrator.triage.stages import Change, Judged, triage
from orchestrator.units import format_instant


class FindingReader(Protocol):
    """What the pipeline reads from the store."""

    async def latest_findings(
        self, fingerprints: Sequence[Fingerprint]
    ) -> Mapping[Fingerprint, Finding]:
        """Return the newest generation of each fingerprint that was ever seen."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Steps 3 to 8 of the path, for any rule and window."""

    store: FindingReader
    facts: FactLookup
    routes: RouteTree
    links: LinkSettings
    clock: Clock

    async def run_window(self, runner: Runner, rule: Rule, window: Window) -> RunOutcome:
        """Claim, search, judge and commit one window; every way out is a named outcome."""
        return await runner.run_window(rule, window, process=partial(self._process, rule))

    async def _process(self, rule: Rule, run: Run, result: QueryResult) -> Commit:
        now = self.clock.now()
        found = build_findings(rule, result.rows, run=run)
        previous = await self.store.latest_findings([finding.fingerprint for finding in found])
        judged = triage(found, rule=rule, facts=self.facts, previous=previous, now=now, run=run)
        routed = [self._route(rule, verdict) for verdict in judged]
        entries = [entry for _, written in routed for entry in written]
        return Commit(
            findings=[finding for finding, _ in routed],
            entries=entries,
            receipt=_receipt(result, judged, notified=len(entries)),
        )

    def _route(self, rule: Rule, judged: Judged) -> tuple[Finding, list[OutboxEntry]]:
        """Return the finding with its routing decision, and one outbox row a receiver."""
        finding = judged.finding
        if judged.change not in _TOLD:
            return finding, []
        now = self.clock.now()
        if rule.status is RuleStatus.SHADOW:
            held = Decision(
                stage="route",
                verdict=Verdict.HELD,
                reason="the rule is in shadow: its findings are stored and nobody is told",
                at=now,
            )
            return replace(finding, decisions=(*finding.decisions, held)), []
        receivers = self.routes.receivers_for(flat_fields(finding))
        decisions = tuple(
            Decision(
                stage="route",
                verdict=Verdict.ROUTED,
                subject=receiver,
                reason=f"by {route}",
                at=now,
            )
            for receiver, route in receivers
        )
        finding = replace(finding, decisions=(*finding.decisions, *decisions))
        notification = notification_for(
            finding, rule=rule, kind=_TOLD[judged.change], links=self.links
        )
        return finding, [self._entry(notification, receiver) for receiver, _ in receivers]

    async def report_gap(self, rule: Rule, run: Run, reason: str) -> Commit:
        """Make the finding, and the messages, that tell operators of a window given up."""
        now = self.clock.now()
        fields = {
            "gap.rule": rule.slug,
            "gap.start": format_instant(run.window.start),
            "gap.end": format_instant(run.window.end),
            "gap.reason": redact(reason),
        }
        fingerprint = derive_fingerprint(rule.id, list(fields.items())[:3])
        gap = Finding(
            id=derive_finding_id(fingerprint, generation=1),
            fingerprint=fingerprint,
            generation=1,
            revision=1,
            rule_id=rule.id,
            rule_slug=rule.slug,
            rule_version=rule.version,
            run_id=run.id,
            title=f"{rule.name}: {fields['gap.start']} to {fields['gap.end']} was not searched",
            state=FindingState.OPEN,
            severity=Severity.HIGH,
            confidence=Confidence.HIGH,
            score=0,
            fields=fields,
            event_count=0,
            first_seen=run.window.start,
            last_seen=run.window.end,
            decisions=(
                Decision(stage="run", verdict=Verdict.HELD, reason=fields["gap.reason"], at=now),
            ),
        )
        message = notification_for(gap, rule=rule, kind=NotificationKind.OPERATOR, links=self.links)
        entries = [self._entry(message, name) for name, _ in self.routes.receivers_for({})]
        return Commit(findings=[gap], entries=entries)

    def _entry(self, notification: Notification, receiver: str) -> OutboxEntry:
        now = self.clock.now()
        return OutboxEntry(
            id=derive_entry_id(
                notification.finding_id, receiver=receiver, revision=notification.revision
            ),
            receiver=receiver,
            notification=notification,
            state=DeliveryState.PENDING,
            attempts=0,
            next_attempt_at=now,
            created_at=now,
        )


def flat_fields(finding: Finding) -> dict[str, str]:
    """Return what a route's condition may ask of: the finding's fields, and what was made of it."""
    return {
        **finding.fields,
        "rule": finding.rule_slug,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "score": str(finding.score),
    }


_TOLD: Mapping[Change, NotificationKind] = {
    Change.OPENED: NotificationKind.OPENED,
    Change.UPDATED: NotificationKind.UPDATED,
}


def _receipt(result: QueryResult, judged: Sequence[Judged], *, notified: int) -> Receipt:
    changes = [verdict.change for verdict in judged]
    notes = {
        decision.reason
        for verdict in judged
        for decision in verdict.finding.decisions
        if decision.verdict is Verdict.UNKNOWN
    }
    return Receipt(
        search=SearchStats(
            job_id=result.stats.job_id,
            rows=len(result.rows),
            events_matched=result.stats.event_count,
            bytes_scanned=result.stats.processed_bytes,
            polls=result.stats.polls,
            elapsed_ms=int(result.stats.elapsed.total_seconds() * 1000),
        ),
        findings_new=changes.count(Change.OPENED),
        findings_seen_again=changes.count(Change.UPDATED) + changes.count(Change.UNCHANGED),
        suppressed=changes.count(Change.SUPPRESSED),
        notified=notified,
        notes=tuple(sorted(notes)),
    )
