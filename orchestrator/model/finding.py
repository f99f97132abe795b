"""What a rule reports: one group of events, judged, kept whether or not anybody is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orchestrator.ids import FindingId, Fingerprint, RuleId, RunId
from orchestrator.model.decision import Decision
from orchestrator.model.rule import Confidence, Severity


class FindingState(StrEnum):
    """Where a finding stands."""

    OPEN = "open"
    """Reported, or about to be."""
    SUPPRESSED = "suppressed"
    """Stored and explained, nobody told."""
    CLOSED = "closed"
    """Not seen for the rule's `reopen_after`; the same key again is a new generation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorePart:
    """One addend of a score: where it comes from and how much."""

    source: str
    points: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One life of one fingerprint.

    `fields` are the row's own fields and those that enrichment added (`host.role`,
    `pipeline.active`), flat, in that order, every value a string. After triage they are redacted:
    no other form leaves the pipeline or is stored.
    """

    id: FindingId
    fingerprint: Fingerprint
    generation: int
    """1 for the first life of the fingerprint."""
    revision: int
    """1 for the first report of this life; raised by each change a receiver must hear of."""
    rule_id: RuleId
    rule_slug: str
    rule_version: str
    run_id: RunId
    """The run that reported it last."""
    title: str
    state: FindingState
    severity: Severity
    confidence: Confidence
    score: int
    """0 to 100."""
    score_parts: tuple[ScorePart, ...] = ()
    fields: Mapping[str, str]
    event_count: int
    first_seen: datetime
    last_seen: datetime
    decisions: tuple[Decision, ...] = ()
    suppressed_by: str = ""
    """Name of the suppression; empty unless suppressed."""
