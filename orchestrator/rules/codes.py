"""The codes of rule files, explained; those of queries are in `orchestrator.cql.lint.codes`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from orchestrator.cql.diagnostics import Level
from orchestrator.cql.lint.codes import Explained, codes

_ABOUT = {
    "rule-file": "A file of the rule is missing, empty, not UTF-8, or leads out of the folder.",
    "yaml": "rule.yaml is not YAML, or uses what rules may not: aliases, tags, a key twice.",
    "not-a-mapping": "A section of rule.yaml holds keys; here stands something else.",
    "missing-key": "A key that every rule needs is absent or empty.",
    "unknown-key": "A key that no rule has; mostly a slip of the pen.",
    "bad-value": "The value is not of the kind that its key takes.",
    "duplicate-rule": "Ids and names are unique: findings and assets are tied to them.",
    "schedule": "A schedule has either `every` or a five-field `cron`, and a lookback only by "
    "event time.",
    "unknown-field": "A field is named that neither the query returns nor a looked-up table gives.",
    "unknown-table": "`triage.enrich` names a fact table that does not exist.",
    "not-enriched": "A condition reads a fact table that `triage.enrich` does not look up.",
    "duplicate-suppression": "Suppressions are told apart by name.",
    "broad-suppression": "A condition that names no field holds for every finding.",
    "lookup-file": "A lookup file of the rule is missing, or lies outside its folder.",
    "unknown-check": "`lint.allow` waives a code that does not exist.",
    "not-waivable": "`lint.allow` waives an error of the grammar, which LogScale would refuse.",
}
_WARNED = {
    "suppression-without-fact": "A condition over the event alone is decided by whoever writes "
    "the event; a fact of the inventory should have its say.",
}
_SOURCE = "this project: docs/rules.md"


@cache
def all_codes() -> Mapping[str, Explained]:
    """Return every code that `orchestrator lint` can tell: of queries, then of rule files."""
    rules = [
        Explained(code=code, level=level, about=about, source=_SOURCE, has_fix=False, topic="rules")
        for level, table in ((Level.ERROR, _ABOUT), (Level.WARNING, _WARNED))
        for code, about in table.items()
    ]
    return {**codes(), **{item.code: item for item in rules}}
