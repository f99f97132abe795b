"""The chain from a built finding to a judged one, in the order in which it must happen.

Suppressions and scores read what was looked up and the values as they came, so they stand before
redaction; nothing after redaction sees, stores or sends an unredacted value. Each stage appends a
Decision that says why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from orchestrator.ids import Fingerprint
from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.finding import Finding
from orchestrator.model.rule import Rule
from orchestrator.model.run import Run
from orchestrator.triage.build import fill_title
from orchestrator.triage.context import TriageContext
from orchestrator.triage.dedup import Change, Judged, deduplicate
from orchestrator.triage.enrich.facts import enrich
from orchestrator.triage.ports import FactLookup
from orchestrator.triage.redact import kinds_in, redact
from orchestrator.triage.score import score
from orchestrator.triage.suppress import suppress

__all__ = ["STAGES", "Change", "Judged", "Stage", "triage"]

FIELDS_MOST = 500
"""Fields kept on a finding; more are counted in `fields.cut`."""
EVIDENCE_CHARS = 500
"""Of each value that a decision repeats; the whole of it is in the fields."""
_CUT_FIELD = "fields.cut"

Stage = Callable[[Finding, TriageContext], Finding]
"""One step: the finding with one more thing known about it, and the decision that says so."""


def triage(
    findings: Sequence[Finding],
    *,
    rule: Rule,
    facts: FactLookup,
    previous: Mapping[Fingerprint, Finding],
    now: datetime,
    run: Run,
) -> list[Judged]:
    """Return one judged finding a fingerprint: suppressed ones too, nothing is dropped.

    Args:
        findings: As built from one run's rows.
        rule: Whose findings they are.
        facts: Judged by when each finding happened, not by now.
        previous: The newest generation of each fingerprint, as stored.
        now: When the judgement is made.
        run: The run that found them.
    """
    context = TriageContext(rule=rule, facts=facts, run=run, now=now)
    judged = list(findings)
    for stage in STAGES:
        judged = [stage(finding, context) for finding in judged]
    return deduplicate(judged, previous=previous, context=context)


def redact_finding(finding: Finding, context: TriageContext) -> Finding:
    """Return the finding with every text that came from events redacted."""
    pairs = [
        (redact(name), before, redact(before)) for name, before in _bounded(finding.fields).items()
    ]
    fields = {name: value for name, _, value in pairs}
    secrets = Counter(
        (name, kind)
        for name, before, value in pairs
        # What looks like a marker in the event itself was not ours.
        for kind in (Counter(kinds_in(value)) - Counter(kinds_in(before))).elements()
    )
    decisions = tuple(_redact_decision(decision) for decision in finding.decisions)
    if secrets:
        told = ", ".join(f"{count} {kind} in {name}" for (name, kind), count in secrets.items())
        decisions += (
            Decision(
                stage="redact",
                verdict=Verdict.REDACTED,
                reason=f"taken out: {told}",
                at=context.now,
            ),
        )
    return replace(
        finding,
        # Filled again rather than redacted: a title is cut, and half a secret fits no pattern.
        title=fill_title(context.rule.finding.title, fields),
        fields=fields,
        decisions=decisions,
        score_parts=tuple(
            replace(part, reason=redact(part.reason)) for part in finding.score_parts
        ),
    )


def _redact_decision(decision: Decision) -> Decision:
    return replace(
        decision,
        reason=redact(decision.reason),
        evidence=tuple((key, redact(value)[:EVIDENCE_CHARS]) for key, value in decision.evidence),
    )


def _bounded(fields: Mapping[str, str]) -> dict[str, str]:
    """Keep the first fields and say how many were left out; enrichment's own are kept always."""
    if len(fields) <= FIELDS_MOST:
        return dict(fields)
    items = list(fields.items())
    # Enrichment appends its fields, so both ends matter more than the middle.
    kept = [*items[: FIELDS_MOST // 2], *items[-FIELDS_MOST // 2 :]]
    return {**dict(kept), _CUT_FIELD: str(len(fields) - len(kept))}


STAGES: tuple[Stage, ...] = (enrich, suppress, score, redact_finding)
"""The order is part of the meaning; deduplication follows, over all findings of the run."""
