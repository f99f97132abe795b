from __future__ import annotations

import pytest

from orchestrator.model.finding import ScorePart
from orchestrator.model.rule import Confidence, Severity
from orchestrator.triage.score import score
from tests.unit.triage.making import make_context, make_finding, make_row, make_rule

FRESH = {"host.state": "fresh", "host.known": "true"}


def scored(
    fields: dict[str, str],
    *,
    enrich: tuple[str, ...] = (),
    severity: Severity = Severity.MEDIUM,
    confidence: Confidence = Confidence.MEDIUM,
) -> tuple[int, dict[str, int]]:
    """Return the score and its points by source."""
    finding = make_finding(
        fields=make_row({"suspicionScore": "0", "evidence": "file", **fields}),
        severity=severity,
        confidence=confidence,
    )
    judged = score(finding, make_context(make_rule(enrich=enrich)))
    assert sum(part.points for part in judged.score_parts) == judged.score
    return judged.score, {part.source: part.points for part in judged.score_parts}


@pytest.mark.parametrize(
    ("severity", "points"),
    [
        (Severity.INFORMATIONAL, 5),
        (Severity.LOW, 20),
        (Severity.MEDIUM, 40),
        (Severity.HIGH, 60),
        (Severity.CRITICAL, 80),
    ],
)
def test_score_severity_is_the_base(severity: Severity, points: int) -> None:
    assert scored({}, severity=severity) == (points, {"severity": points})


@pytest.mark.parametrize(
    ("fields", "source", "points"),
    [
        ({"suspicionScore": "4"}, "rule", 4),
        ({"suspicionScore": "9999"}, "rule", 10),
        ({"suspicionScore": "3.9"}, "rule", 3),
        ({"evidence": "file\ncommandline"}, "evidence", 10),
        ({"evidence": "dns"}, "evidence", -10),
        ({**FRESH, "host.criticality": "critical"}, "host", 15),
        ({**FRESH, "host.criticality": "high"}, "host", 10),
        ({**FRESH, "host.criticality": "low"}, "host", -5),
        ({"host.state": "fresh", "host.known": "false"}, "host", 5),
        ({"host.state": "stale"}, "inventory", 5),
        ({"host.state": "stale", "host.criticality": "critical"}, "inventory", 5),
    ],
)
def test_score_each_part_adds_its_points(fields: dict[str, str], source: str, points: int) -> None:
    total, parts = scored(fields, enrich=("host",) if source in ("host", "inventory") else ())

    assert parts == {"severity": 40, source: points}
    assert total == 40 + points


@pytest.mark.parametrize("text", ["", "NaN", "Infinity", "many", "-5", "0"])
def test_score_unusable_rule_score_adds_nothing(text: str) -> None:
    assert scored({"suspicionScore": text}) == (40, {"severity": 40})


def test_score_part_of_a_fact_moves_nothing() -> None:
    fields = {"pipeline.state": "fresh", "pipeline.account_matches": "true"}

    assert scored(fields, enrich=("pipeline",)) == (40, {"severity": 40})


def test_score_above_the_most_is_cut_and_says_so() -> None:
    total, parts = scored(
        {**FRESH, "host.criticality": "critical", "evidence": "a\nb", "suspicionScore": "10"},
        enrich=("host",),
        severity=Severity.CRITICAL,
        confidence=Confidence.HIGH,
    )

    assert total == 100
    assert parts["limit"] == -25


def test_score_below_zero_is_raised_and_says_so() -> None:
    total, parts = scored(
        {"evidence": "dns"}, severity=Severity.INFORMATIONAL, confidence=Confidence.LOW
    )

    assert total == 0
    assert parts == {"severity": 5, "confidence": -10, "evidence": -10, "limit": 15}


def test_score_decision_names_every_part() -> None:
    judged = score(
        make_finding(fields=make_row(), confidence=Confidence.HIGH),
        make_context(make_rule(enrich=())),
    )

    assert judged.decisions[-1].reason == "52: severity +40, confidence +10, rule +2"
    assert judged.score_parts[-1] == ScorePart(
        source="rule", points=2, reason="the rule's own suspicionScore is 2"
    )
