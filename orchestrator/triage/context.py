"""What every stage of triage is given beside the finding."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orchestrator.model.rule import Rule
from orchestrator.model.run import Run
from orchestrator.triage.ports import FactLookup


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageContext:
    """One run's rule, facts and time; the same for each of its findings."""

    rule: Rule
    facts: FactLookup
    run: Run
    now: datetime
    """When it is judged; facts are judged by when it happened."""
