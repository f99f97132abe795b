"""Why a finding was not suppressed, in one sentence for the person who is woken by it.

The nearest suppression is the one with the largest share of clauses that hold. What it lacks is
told from the decisions that enrichment left on the finding: which fact came nearest and which of
its parts did not match. Reads the finding alone, so that a stored one can be explained later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from orchestrator.cql.nodes import And, Filter, Step
from orchestrator.cql.parser import parse_filter
from orchestrator.engine.condition import Condition, compile_condition
from orchestrator.errors import CqlError
from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.finding import Finding
from orchestrator.model.rule import Rule, Suppression
from orchestrator.triage.redact import redact

_VALUE_CHARS = 60
_SEPARATORS = re.compile(r"[\\/]")
_ENRICH = "enrich"
_VALIDITY = "validity"
_NOT_PARTS = frozenset({"fact", "matched", "missing", "host_by", "source"})


@dataclass(frozen=True, slots=True)
class Clause:
    """One operand of a condition's outermost `and`, as written and compiled."""

    text: str
    condition: Condition


def why_not_suppressed(finding: Finding, rule: Rule) -> str:
    """Return one sentence that names the nearest suppression and what it lacks.

    Such as: "ci-runner-inside-its-pipeline does not apply: runner gh-runner-04 is known, but no
    pipeline window of ghrunner covers 2026-03-10T16:40Z; program tar is not one of the
    pipeline's programs".
    """
    suppressions = rule.triage.suppress
    if not suppressions:
        return "the rule has no suppressions"
    nearest = max(suppressions, key=lambda candidate: _closeness(candidate, finding.fields))
    return f"{nearest.name} does not apply: {_lacking(nearest, finding)}"


def clauses_of(when: str) -> tuple[Clause, ...]:
    """Return the operands of a condition's outermost `and`; empty where it does not compile."""
    return _clauses(when)


@lru_cache(maxsize=1024)
def _clauses(when: str) -> tuple[Clause, ...]:
    parsed = parse_filter(when)
    if not parsed.ok:
        return ()
    texts = [
        when[operand.span.start : operand.span.end]
        for step in parsed.query.pipeline.steps
        for operand in _operands(step)
    ]
    try:
        return tuple(Clause(text, compile_condition(text)) for text in texts)
    except CqlError:
        return ()


def _operands(step: Step) -> Iterator[Filter | Step]:
    if isinstance(step, And):
        for operand in step.operands:
            yield from _operands(operand)
    else:
        yield step


def _closeness(suppression: Suppression, fields: Mapping[str, str]) -> float:
    clauses = clauses_of(suppression.when)
    if not clauses:
        return 0.0
    return len([clause for clause in clauses if clause.condition.holds(fields)]) / len(clauses)


def _lacking(suppression: Suppression, finding: Finding) -> str:
    clauses = clauses_of(suppression.when)
    failing = [clause for clause in clauses if not clause.condition.holds(finding.fields)]
    looked_up = {
        decision.subject: decision for decision in finding.decisions if decision.stage == _ENRICH
    }
    tables = _tables(clauses, looked_up)
    lacking = _tables(failing, looked_up)
    phrases = [phrase for table in lacking for phrase in _phrases(table, looked_up[table], finding)]
    phrases += (
        f"{clause.text} does not hold" for clause in failing if not _tables([clause], looked_up)
    )
    if not phrases:
        return _obstacle(suppression, finding)
    known = [
        f"{table} {_first_part(looked_up[table])} is known"
        for table in tables
        if table not in lacking and finding.fields.get(f"{table}.known") == "true"
    ]
    told = "; ".join(phrases)
    return f"{' and '.join(known)}, but {told}" if known else told


def _obstacle(suppression: Suppression, finding: Finding) -> str:
    """Return the recorded reason why a condition that holds did not apply."""
    return next(
        (
            decision.reason
            for decision in finding.decisions
            if decision.verdict is Verdict.NOT_SUPPRESSED and decision.subject == suppression.name
        ),
        "its condition does not hold",
    )


def _tables(clauses: Sequence[Clause], looked_up: Mapping[str, Decision]) -> list[str]:
    """Return the enriched tables that clauses read, in order of the clauses."""
    names = (
        field.partition(".")[0]
        for clause in clauses
        for field in sorted(clause.condition.fields)
        if "." in field
    )
    return [name for name in dict.fromkeys(names) if name in looked_up]


def _phrases(table: str, decision: Decision, finding: Finding) -> Iterator[str]:
    evidence = dict(decision.evidence)
    subject = _first_part(decision)
    if decision.verdict is Verdict.UNKNOWN:
        state = finding.fields.get(f"{table}.state", "missing")
        yield f"the {table} inventory is {state}, and unknown excuses nothing"
        return
    if finding.fields.get(f"{table}.ambiguous") == "true":
        yield f"several hosts answer to {subject}"
        return
    if "fact" not in evidence:
        yield f"no {table} fact names {subject}"
        return
    missing = [part for part in evidence.get("missing", "").split(",") if part]
    match evidence.get("host_by"):
        case "agent id of another":
            yield f"the name {subject} belongs to another agent id"
            return
        case "short name" if missing == ["host"]:
            yield f"{table} {subject} is known by its short name alone"
            return
        case "short name":
            missing.remove("host")
    if _VALIDITY in missing:
        who = _shown(evidence.get("account", "")) or subject
        yield f"no {table} window of {who} covers {_span(finding)}"
    for part in missing:
        if part != _VALIDITY:
            noun = part.replace("_", " ")
            value = _shown(evidence.get(part, ""))
            yield (
                f"{noun} {value} is not one of the {table}'s {noun}s"
                if value
                else f"the {table}'s {noun} is not known of this finding"
            )


def _first_part(decision: Decision) -> str:
    """Return the value of the first part that was compared, or `nobody`."""
    values = (value for key, value in decision.evidence if key not in _NOT_PARTS)
    return _shown(next(values, "")) or "nobody"


def _shown(value: str) -> str:
    """Return the first line of a value, a path's last segment, cut."""
    # Redacted before it is cut: half a token fits no pattern any more.
    line, _, rest = redact(value).partition("\n")
    name = _SEPARATORS.split(line.rstrip("\\/"))[-1] if line[:1] in ("/", "\\") else line
    shown = name if len(name) <= _VALUE_CHARS else name[: _VALUE_CHARS - 1] + "…"
    return f"{shown} (and others)" if rest else shown


def _span(finding: Finding) -> str:
    first, last = _minute(finding.first_seen), _minute(finding.last_seen)
    return first if first == last else f"{first} to {last}"


def _minute(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
