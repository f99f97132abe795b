"""What each stage of the path said about a finding, and why. Stored with it, shown by `explain`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """The kinds of thing a stage can say."""

    ENRICHED = "enriched"
    """A fact was looked up; the reason says what is known."""
    UNKNOWN = "unknown"
    """A fact could not be known (stale, empty or missing source), so it excused nothing."""
    SUPPRESSED = "suppressed"
    NOT_SUPPRESSED = "not-suppressed"
    SCORED = "scored"
    REDACTED = "redacted"
    DEDUPLICATED = "deduplicated"
    """The same thing again: counted on the open finding."""
    REOPENED = "reopened"
    ROUTED = "routed"
    HELD = "held"
    """Stored only, as for a shadow rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One verdict of one stage."""

    stage: str
    verdict: Verdict
    reason: str
    """One sentence for a person."""
    subject: str = ""
    """The suppression, fact table or receiver that decided; empty where it is the stage itself."""
    evidence: tuple[tuple[str, str], ...] = ()
    """Fact ids, matched parts, source and its age: enough to replay the judgement."""
    at: datetime
