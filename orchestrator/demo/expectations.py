"""Holding a day's findings against what the rules' cases expect of each event.

A case names event numbers; a finding does not. So the case's own run gives the rows that its events
fall into, and their key fields give the fingerprint under which the day must have the same outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.casework import expected_fingerprints
from orchestrator.model.finding import Finding, FindingState
from orchestrator.model.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One case of one rule, and how the day treated it."""

    rule: str
    case: str
    problem: str
    """Empty if it holds."""

    @property
    def holds(self) -> bool:
        """Return whether the day did what the case says."""
        return not self.problem


def verdicts(rules: Sequence[Rule], root: Path, findings: Sequence[Finding]) -> list[Verdict]:
    """Return a verdict for each case of each rule, and one for each finding that no case names."""
    by_print: dict[str, Finding] = {finding.fingerprint: finding for finding in findings}
    made: list[Verdict] = []
    named: set[str] = set()
    for rule in rules:
        for fingerprint, case, suppressed_by in expected_fingerprints(rule, root / rule.slug):
            named.add(fingerprint)
            finding = by_print.get(fingerprint)
            problem = _problem(finding, suppressed_by)
            made.append(Verdict(rule=rule.slug, case=case, problem=problem))
    for finding in findings:
        if finding.fingerprint not in named:
            problem = f"a finding that no case names: {finding.title}"
            made.append(Verdict(rule=finding.rule_slug, case="(none)", problem=problem))
    return made


def _problem(finding: Finding | None, suppressed_by: str) -> str:
    if finding is None:
        return "the day has no such finding"
    is_suppressed = finding.state is FindingState.SUPPRESSED
    if suppressed_by and not (is_suppressed and finding.suppressed_by == suppressed_by):
        return f"should be suppressed by {suppressed_by}, and is {finding.state.value}"
    if not suppressed_by and is_suppressed:
        return f"should go out, and is suppressed by {finding.suppressed_by}"
    return ""
