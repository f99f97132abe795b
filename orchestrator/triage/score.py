"""0 to 100: how soon somebody should look, as a sum whose parts are shown.

Severity sets the base, the rest moves it: how sure the rule is, the rule's own score, what kinds of
evidence agree, how much the host matters, and whether anybody could have ruled it out. A part of
an inventory fact that matches while the whole does not moves nothing; the explanation names it.
The weights are one table each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.finding import Finding, ScorePart
from orchestrator.model.inventory import SourceState
from orchestrator.model.rule import Confidence, Rule, Severity
from orchestrator.triage.context import TriageContext
from orchestrator.triage.subject import entity_values, first_value

STAGE = "score"
MOST = 100

_BASE: Mapping[Severity, int] = {
    Severity.INFORMATIONAL: 5,
    Severity.LOW: 20,
    Severity.MEDIUM: 40,
    Severity.HIGH: 60,
    Severity.CRITICAL: 80,
}
_CONFIDENCE: Mapping[Confidence, int] = {
    Confidence.LOW: -10,
    Confidence.MEDIUM: 0,
    Confidence.HIGH: 10,
}
_CRITICALITY: Mapping[str, int] = {"low": -5, "medium": 0, "high": 10, "critical": 15}
_RULE_SCORE_MOST = 10
_SEVERAL_KINDS = 10
_WEAK_KINDS = frozenset({"dns"})
"""Kinds that alone say little: a name was asked for, nothing was fetched."""
_WEAK_ALONE = -10
_UNKNOWN_INVENTORY = 5
_UNKNOWN_HOST = 5


def score(finding: Finding, context: TriageContext) -> Finding:
    """Return the finding with its score and parts; the parts always sum to the score."""
    parts = [*_parts(finding, context.rule)]
    total = sum(part.points for part in parts)
    bounded = min(max(total, 0), MOST)
    if bounded != total:
        parts.append(
            ScorePart(
                source="limit", points=bounded - total, reason=f"scores lie between 0 and {MOST}"
            )
        )
    decision = Decision(
        stage=STAGE,
        verdict=Verdict.SCORED,
        reason=f"{bounded}: " + ", ".join(f"{part.source} {part.points:+d}" for part in parts),
        at=context.now,
    )
    return replace(
        finding,
        score=bounded,
        score_parts=tuple(parts),
        decisions=(*finding.decisions, decision),
    )


def _parts(finding: Finding, rule: Rule) -> Iterator[ScorePart]:
    yield ScorePart(
        source="severity",
        points=_BASE[finding.severity],
        reason=f"severity is {finding.severity}",
    )
    if points := _CONFIDENCE[finding.confidence]:
        yield ScorePart(
            source="confidence", points=points, reason=f"confidence is {finding.confidence}"
        )
    yield from _rule_score(finding, rule)
    yield from _evidence(finding, rule)
    yield from _inventory(finding, rule)


def _rule_score(finding: Finding, rule: Rule) -> Iterator[ScorePart]:
    column = rule.finding.score
    text = finding.fields.get(column, "") if column else ""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return
    if not value.is_finite():
        return
    points = int(min(max(value, Decimal(0)), Decimal(_RULE_SCORE_MOST)))
    if points:
        yield ScorePart(source="rule", points=points, reason=f"the rule's own {column} is {text}")


def _evidence(finding: Finding, rule: Rule) -> Iterator[ScorePart]:
    kinds = entity_values(finding.fields, rule.finding.entities).get("evidence", ())
    if len(kinds) > 1:
        yield ScorePart(
            source="evidence",
            points=_SEVERAL_KINDS,
            reason=f"{len(kinds)} kinds of evidence agree: {', '.join(sorted(kinds))}",
        )
    elif kinds and kinds[0] in _WEAK_KINDS:
        yield ScorePart(
            source="evidence", points=_WEAK_ALONE, reason=f"{kinds[0]} is the only evidence"
        )


def _inventory(finding: Finding, rule: Rule) -> Iterator[ScorePart]:
    fields, enriched = finding.fields, rule.triage.enrich
    unknown = [name for name in enriched if fields.get(f"{name}.state") != SourceState.FRESH]
    if unknown:
        yield ScorePart(
            source="inventory",
            points=_UNKNOWN_INVENTORY,
            reason=f"nobody could be ruled out: {', '.join(unknown)} cannot be trusted now",
        )
    if "host" not in enriched or "host" in unknown:
        return
    criticality = fields.get("host.criticality", "").lower()
    if points := _CRITICALITY.get(criticality, 0):
        yield ScorePart(
            source="host", points=points, reason=f"the host's criticality is {criticality}"
        )
    if fields.get("host.known") != "true" and first_value(
        fields.get(rule.finding.entities.host, "")
    ):
        yield ScorePart(
            source="host", points=_UNKNOWN_HOST, reason="the inventory does not know the host"
        )
