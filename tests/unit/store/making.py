"""Values for store tests: valid by default, overridden by keyword."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.ids import (
    RuleId,
    derive_entry_id,
    derive_finding_id,
    derive_fingerprint,
    derive_run_id,
)
from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.finding import Finding, FindingState, ScorePart
from orchestrator.model.notification import (
    Delivery,
    DeliveryReason,
    DeliveryState,
    Link,
    Notification,
    NotificationKind,
    OutboxEntry,
)
from orchestrator.model.rule import Confidence, Severity
from orchestrator.model.run import Receipt, Run, SearchStats
from orchestrator.model.window import Window
from orchestrator.store import Store

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
RULE = RuleId("5f0c0000-0000-4000-8000-000000000001")
OTHER_RULE = RuleId("5f0c0000-0000-4000-8000-000000000002")
LEASE = timedelta(minutes=1)
RECEIPT = Receipt(search=SearchStats(job_id="P1-a", rows=3), findings_new=1, notes=("stale",))


def window(index: int, *, minutes: int = 5) -> Window:
    """Return the `index`-th five-minute window before and after noon."""
    start = NOON + index * timedelta(minutes=minutes)
    return Window(start, start + timedelta(minutes=minutes))


def make_finding(key: str = "ci-1", **changes: Any) -> Finding:
    fingerprint = derive_fingerprint(RULE, [("host", key)])
    generation = changes.get("generation", 1)
    finding = Finding(
        id=derive_finding_id(fingerprint, generation=generation),
        fingerprint=fingerprint,
        generation=generation,
        revision=1,
        rule_id=RULE,
        rule_slug="token_access",
        rule_version="abc123abc123",
        run_id=derive_run_id(RULE, start_ms=0, end_ms=1),
        title=f"token read on {key}",
        state=FindingState.OPEN,
        severity=Severity.HIGH,
        confidence=Confidence.MEDIUM,
        score=70,
        score_parts=(ScorePart(source="rule", points=70, reason="its severity"),),
        fields={"ComputerName": key, "vector": "IMDS", "host.known": "true"},
        event_count=3,
        first_seen=NOON,
        last_seen=NOON + timedelta(minutes=1),
        decisions=(
            Decision(
                stage="enrich",
                verdict=Verdict.ENRICHED,
                reason="a known host",
                subject="host",
                evidence=(("fact", "hosts.csv:2"),),
                at=NOON,
            ),
        ),
    )
    return replace(finding, **changes)


def make_notification(finding: Finding, **changes: Any) -> Notification:
    notification = Notification(
        finding_id=finding.id,
        revision=finding.revision,
        kind=NotificationKind.OPENED,
        rule="Token access",
        headline=finding.title,
        severity=finding.severity,
        score=finding.score,
        score_parts=finding.score_parts,
        facts=(("Host", "ci-1"), ("User", "build")),
        why="no fact excuses it",
        first_seen=finding.first_seen,
        last_seen=finding.last_seen,
        event_count=finding.event_count,
        questions=("Was a job running?",),
        next_steps=("Rotate the token",),
        links=(Link(label="Search", url="https://logscale.example.com/x"),),
        labels=("t1528",),
    )
    return replace(notification, **changes)


def make_entry(finding: Finding, receiver: str = "slack", **changes: Any) -> OutboxEntry:
    entry = OutboxEntry(
        id=derive_entry_id(finding.id, receiver=receiver, revision=finding.revision),
        receiver=receiver,
        notification=make_notification(finding),
        state=DeliveryState.PENDING,
        attempts=0,
        next_attempt_at=NOON,
        created_at=NOON,
    )
    return replace(entry, **changes)


def make_delivery(
    entry: OutboxEntry, *, reason: DeliveryReason | None = None, reference: str = "C1:17"
) -> Delivery:
    return Delivery(
        entry_id=entry.id,
        attempt=entry.attempts,
        at=NOON,
        reason=reason,
        detail="" if reason is None else "no answer",
        reference=reference if reason is None else "",
    )


async def claim(
    store: Store, index: int = 0, *, rule_id: RuleId = RULE, owner: str = "a"
) -> Run | None:
    return await store.claim(
        rule_id, window(index), rule_version="abc123abc123", owner=owner, lease=LEASE
    )


async def must_claim(
    store: Store, index: int = 0, *, rule_id: RuleId = RULE, owner: str = "a"
) -> Run:
    run = await claim(store, index, rule_id=rule_id, owner=owner)
    assert run is not None, f"window {index} could not be claimed"
    return run


async def commit(
    store: Store,
    run: Run,
    *findings: Finding,
    receivers: tuple[str, ...] = (),
) -> None:
    """Commit `findings`, each with an entry for each receiver."""
    entries = [make_entry(finding, receiver) for finding in findings for receiver in receivers]
    await store.commit(run, findings=findings, entries=entries, receipt=RECEIPT)
