"""Row <-> model, one pair of functions a noun; the only place where stored shapes become types.

`*_to_document` give JSON text that both databases can hold, `*_from_document` read it back. The
pair is also what `MemoryStore` passes values through, so that it stores exactly what SQL stores.
A document may gain members in later versions; members it does not have take the model's default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orchestrator.ids import EntryId, FindingId, Fingerprint, RuleId, RunId
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
from orchestrator.model.run import Receipt, Run, RunState, SearchStats
from orchestrator.model.window import Window
from orchestrator.store.storable import Json, storable, storable_json
from orchestrator.units import from_epoch_ms, to_epoch_ms

Row = Mapping[Any, Any]
"""A database row by column name."""


def optional_ms(instant: datetime | None) -> int | None:
    """Return epoch milliseconds, or None for None."""
    return None if instant is None else to_epoch_ms(instant)


def optional_instant(epoch_ms: int | None) -> datetime | None:
    """Return the instant of epoch milliseconds, or None for None."""
    return None if epoch_ms is None else from_epoch_ms(epoch_ms)


def _dump(document: Json) -> str:
    return json.dumps(storable_json(document), ensure_ascii=False, separators=(",", ":"))


# Runs


def run_from_row(row: Row) -> Run:
    """Return the run of a `run` row."""
    receipt = row["receipt"]
    return Run(
        id=RunId(row["id"]),
        rule_id=RuleId(row["rule_id"]),
        rule_version=row["rule_version"],
        window=Window(from_epoch_ms(row["start_ms"]), from_epoch_ms(row["end_ms"])),
        state=RunState(row["state"]),
        attempt=row["attempt"],
        epoch=row["epoch"],
        owner=row["owner"],
        lease_until=from_epoch_ms(row["lease_until_ms"]),
        reason=row["reason"],
        retry_at=optional_instant(row["retry_at_ms"]),
        finished_at=optional_instant(row["finished_at_ms"]),
        receipt=None if receipt is None else receipt_from_document(receipt),
    )


def receipt_to_document(receipt: Receipt) -> str:
    """Return a receipt as JSON text."""
    search = receipt.search
    return _dump(
        {
            "search": {
                "job_id": search.job_id,
                "rows": search.rows,
                "events_matched": search.events_matched,
                "bytes_scanned": search.bytes_scanned,
                "polls": search.polls,
                "elapsed_ms": search.elapsed_ms,
            },
            "findings_new": receipt.findings_new,
            "findings_seen_again": receipt.findings_seen_again,
            "suppressed": receipt.suppressed,
            "notified": receipt.notified,
            "notes": list(receipt.notes),
        }
    )


def receipt_from_document(text: str) -> Receipt:
    """Return the receipt of its JSON text."""
    document: dict[str, Any] = json.loads(text)
    return Receipt(
        search=SearchStats(**document.pop("search")),
        notes=tuple(document.pop("notes")),
        **document,
    )


# Findings


def finding_to_row(finding: Finding, *, updated_at: datetime) -> dict[str, Any]:
    """Return the `finding` row: the document and the columns that queries use."""
    return {
        "id": finding.id,
        "fingerprint": finding.fingerprint,
        "generation": finding.generation,
        "revision": finding.revision,
        "rule_id": finding.rule_id,
        "state": finding.state.value,
        "severity": finding.severity.value,
        "score": finding.score,
        "first_seen_ms": to_epoch_ms(finding.first_seen),
        "last_seen_ms": to_epoch_ms(finding.last_seen),
        "updated_at_ms": to_epoch_ms(updated_at),
        "document": finding_to_document(finding),
    }


def finding_to_document(finding: Finding) -> str:
    """Return a finding as JSON text; order of fields, parts and decisions is kept."""
    return _dump(
        {
            "id": finding.id,
            "fingerprint": finding.fingerprint,
            "generation": finding.generation,
            "revision": finding.revision,
            "rule_id": finding.rule_id,
            "rule_slug": finding.rule_slug,
            "rule_version": finding.rule_version,
            "run_id": finding.run_id,
            "title": finding.title,
            "state": finding.state.value,
            "severity": finding.severity.value,
            "confidence": finding.confidence.value,
            "score": finding.score,
            "score_parts": _score_parts_to_json(finding.score_parts),
            "fields": dict(finding.fields),
            "event_count": finding.event_count,
            "first_seen_ms": to_epoch_ms(finding.first_seen),
            "last_seen_ms": to_epoch_ms(finding.last_seen),
            "decisions": [_decision_to_json(decision) for decision in finding.decisions],
            "suppressed_by": finding.suppressed_by,
        }
    )


def finding_from_document(text: str) -> Finding:
    """Return the finding of its JSON text."""
    document: dict[str, Any] = json.loads(text)
    return Finding(
        id=FindingId(document["id"]),
        fingerprint=Fingerprint(document["fingerprint"]),
        generation=document["generation"],
        revision=document["revision"],
        rule_id=RuleId(document["rule_id"]),
        rule_slug=document["rule_slug"],
        rule_version=document["rule_version"],
        run_id=RunId(document["run_id"]),
        title=document["title"],
        state=FindingState(document["state"]),
        severity=Severity(document["severity"]),
        confidence=Confidence(document["confidence"]),
        score=document["score"],
        score_parts=_score_parts_from_json(document["score_parts"]),
        fields=document["fields"],
        event_count=document["event_count"],
        first_seen=from_epoch_ms(document["first_seen_ms"]),
        last_seen=from_epoch_ms(document["last_seen_ms"]),
        decisions=tuple(_decision_from_json(item) for item in document["decisions"]),
        suppressed_by=document["suppressed_by"],
    )


def _score_parts_to_json(parts: tuple[ScorePart, ...]) -> Json:
    return [{"source": part.source, "points": part.points, "reason": part.reason} for part in parts]


def _score_parts_from_json(items: list[dict[str, Any]]) -> tuple[ScorePart, ...]:
    return tuple(ScorePart(**item) for item in items)


def _decision_to_json(decision: Decision) -> Json:
    return {
        "stage": decision.stage,
        "verdict": decision.verdict.value,
        "reason": decision.reason,
        "subject": decision.subject,
        "evidence": [[name, value] for name, value in decision.evidence],
        "at_ms": to_epoch_ms(decision.at),
    }


def _decision_from_json(item: dict[str, Any]) -> Decision:
    return Decision(
        stage=item["stage"],
        verdict=Verdict(item["verdict"]),
        reason=item["reason"],
        subject=item["subject"],
        evidence=tuple((name, value) for name, value in item["evidence"]),
        at=from_epoch_ms(item["at_ms"]),
    )


# Outbox


def entry_to_row(entry: OutboxEntry) -> dict[str, Any]:
    """Return the `outbox` row of a new entry: always pending, never claimed."""
    return {
        "id": entry.id,
        "finding_id": entry.notification.finding_id,
        "receiver": storable(entry.receiver),
        "revision": entry.notification.revision,
        "state": DeliveryState.PENDING.value,
        "attempts": entry.attempts,
        "due_at_ms": to_epoch_ms(entry.next_attempt_at),
        "epoch": 0,
        "owner": "",
        "reason": storable(entry.reason),
        "maybe_sent": entry.maybe_sent,
        "reference": "",
        "created_at_ms": to_epoch_ms(entry.created_at),
        "notification": notification_to_document(entry.notification),
    }


def entry_from_row(row: Row) -> OutboxEntry:
    """Return the entry of an `outbox` row; one being sent is due when its lease ends."""
    state = DeliveryState(row["state"])
    due_at = from_epoch_ms(row["due_at_ms"])
    return OutboxEntry(
        id=EntryId(row["id"]),
        receiver=row["receiver"],
        notification=notification_from_document(row["notification"]),
        state=state,
        attempts=row["attempts"],
        next_attempt_at=due_at,
        epoch=row["epoch"],
        lease_until=due_at if state is DeliveryState.SENDING else None,
        reason=row["reason"],
        maybe_sent=row["maybe_sent"],
        created_at=from_epoch_ms(row["created_at_ms"]),
    )


def notification_to_document(notification: Notification) -> str:
    """Return a notification as JSON text; the same value gives the same text."""
    return _dump(
        {
            "finding_id": notification.finding_id,
            "revision": notification.revision,
            "kind": notification.kind.value,
            "rule": notification.rule,
            "headline": notification.headline,
            "severity": notification.severity.value,
            "score": notification.score,
            "score_parts": _score_parts_to_json(notification.score_parts),
            "facts": [[label, value] for label, value in notification.facts],
            "why": notification.why,
            "first_seen_ms": to_epoch_ms(notification.first_seen),
            "last_seen_ms": to_epoch_ms(notification.last_seen),
            "event_count": notification.event_count,
            "questions": list(notification.questions),
            "next_steps": list(notification.next_steps),
            "links": [{"label": link.label, "url": link.url} for link in notification.links],
            "labels": list(notification.labels),
        }
    )


def notification_from_document(text: str) -> Notification:
    """Return the notification of its JSON text."""
    document: dict[str, Any] = json.loads(text)
    return Notification(
        finding_id=FindingId(document["finding_id"]),
        revision=document["revision"],
        kind=NotificationKind(document["kind"]),
        rule=document["rule"],
        headline=document["headline"],
        severity=Severity(document["severity"]),
        score=document["score"],
        score_parts=_score_parts_from_json(document["score_parts"]),
        facts=tuple((label, value) for label, value in document["facts"]),
        why=document["why"],
        first_seen=from_epoch_ms(document["first_seen_ms"]),
        last_seen=from_epoch_ms(document["last_seen_ms"]),
        event_count=document["event_count"],
        questions=tuple(document["questions"]),
        next_steps=tuple(document["next_steps"]),
        links=tuple(Link(**item) for item in document["links"]),
        labels=tuple(document["labels"]),
    )


def delivery_to_row(delivery: Delivery) -> dict[str, Any]:
    """Return the `delivery` row of one attempt."""
    return {
        "entry_id": delivery.entry_id,
        "attempt": delivery.attempt,
        "at_ms": to_epoch_ms(delivery.at),
        "reason": None if delivery.reason is None else delivery.reason.value,
        "detail": storable(delivery.detail),
        "reference": storable(delivery.reference),
    }


def delivery_from_row(row: Row) -> Delivery:
    """Return the attempt of a `delivery` row."""
    reason = row["reason"]
    return Delivery(
        entry_id=EntryId(row["entry_id"]),
        attempt=row["attempt"],
        at=from_epoch_ms(row["at_ms"]),
        reason=None if reason is None else DeliveryReason(reason),
        detail=row["detail"],
        reference=row["reference"],
    )
