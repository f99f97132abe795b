"""Rule folders for tests: valid by default, one file or one line changed by keyword."""

from __future__ import annotations

from pathlib import Path

from orchestrator.inventory.tables import TABLES
from orchestrator.rules.load import load_rules
from orchestrator.rules.ruleset import RuleSet

RULE = """\
id: 11111111-1111-4111-8111-111111111111
name: Sample
description: A sample.
severity: high
confidence: low
status: stable
attack: [{tactic: discovery, technique: T1087}]
owner: team@example.com
data: [ProcessRollup2]
schedule: {every: 15m}
finding:
  key: [host]
  title: "seen on {host}"
  count: n
triage:
  enrich: [host]
  suppress:
    - name: known
      owner: team@example.com
      reason: It is known.
      when: host="a*" host.matches=true
deploy: {kind: saved-search}
"""
QUERY = (
    "name=curl // lint: allow no-tag the repository holds one kind of event\n"
    "| groupBy([host], function=count(as=n), limit=max)\n"
)
RUNBOOK = "## Seen\n\n### Questions\n1. Who?\n"


def write_rule(root: Path, slug: str = "sample", *, rule: str = RULE, query: str = QUERY) -> Path:
    """Write a rule folder below `root` and return it."""
    folder = root / slug
    folder.mkdir(parents=True)
    (folder / "rule.yaml").write_text(rule, encoding="utf-8")
    (folder / "query.cql").write_text(query, encoding="utf-8")
    (folder / "runbook.md").write_text(RUNBOOK, encoding="utf-8")
    return folder


def load(root: Path) -> RuleSet:
    """Return the rules below `root` under the shipped fact tables."""
    return load_rules(root, tables=TABLES)


def told(rules: RuleSet) -> list[tuple[str, int, str]]:
    """Return file name, line and code of every problem."""
    return [(p.path.name, p.line, p.code) for p in rules.problems]
