"""Whether a reviewed statement excuses a finding; the first that holds wins.

A suppression is a CQL filter over the finding's flat fields. Unknown never excuses: a condition
that reads an answer of a table that is not fresh, an attribute of a fact that does not hold, or a
table that the rule does not look up, cannot hold, whichever operator it uses (`!=` is true of an
absent field in LogScale, and absent here would mean "not known"). An expired suppression and one
that does not compile never apply.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from orchestrator.engine.condition import Condition, compile_condition
from orchestrator.errors import CqlError
from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.finding import Finding, FindingState
from orchestrator.model.inventory import SourceState
from orchestrator.model.rule import Suppression
from orchestrator.triage.context import TriageContext
from orchestrator.triage.enrich.facts import answer_fields, attribute_fields
from orchestrator.triage.explain import clauses_of, why_not_suppressed

STAGE = "suppress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One suppression tried on one finding."""

    suppression: Suppression
    holds: bool
    obstacle: str = ""
    """Why it could not apply, whatever its condition says; empty where the condition decided."""


def suppress(finding: Finding, context: TriageContext) -> Finding:
    """Return the finding, suppressed or open, with the decision that says why."""
    attempts: list[Attempt] = []
    for suppression in context.rule.triage.suppress:
        attempt = try_suppression(suppression, finding.fields, context)
        if attempt.holds:
            return replace(
                finding,
                state=FindingState.SUPPRESSED,
                suppressed_by=suppression.name,
                decisions=(*finding.decisions, _suppressed(suppression, finding, context)),
            )
        attempts.append(attempt)
    decisions = [*finding.decisions]
    decisions += (
        Decision(
            stage=STAGE,
            verdict=Verdict.NOT_SUPPRESSED,
            subject=attempt.suppression.name,
            reason=attempt.obstacle,
            at=context.now,
        )
        for attempt in attempts
        if attempt.obstacle
    )
    finding = replace(
        finding, state=FindingState.OPEN, suppressed_by="", decisions=tuple(decisions)
    )
    if not attempts:
        return finding
    why = Decision(
        stage=STAGE,
        verdict=Verdict.NOT_SUPPRESSED,
        reason=why_not_suppressed(finding, context.rule),
        at=context.now,
    )
    return replace(finding, decisions=(*finding.decisions, why))


def try_suppression(
    suppression: Suppression, fields: Mapping[str, str], context: TriageContext
) -> Attempt:
    """Return whether one suppression applies to a finding with these fields, and if not, why."""
    condition = _compiled(suppression.when)
    if isinstance(condition, str):
        return _refused(suppression, f"its condition cannot be used: {condition}")
    if not condition.fields:
        return _refused(suppression, "its condition names no field, so it may excuse anything")
    unknown = dict(_unknowns(condition, fields, context))
    if unknown and _rest_holds(suppression, fields, unknown):
        return _refused(suppression, next(iter(unknown.values())))
    if unknown or not condition.holds(fields):
        return Attempt(suppression=suppression, holds=False)
    expires = suppression.expires_on
    if expires is not None and context.now.date() > expires:
        return _refused(suppression, f"it would have applied, but it expired on {expires}")
    return Attempt(suppression=suppression, holds=True)


def _refused(suppression: Suppression, obstacle: str) -> Attempt:
    return Attempt(suppression=suppression, holds=False, obstacle=obstacle)


@lru_cache(maxsize=1024)
def _compiled(when: str) -> Condition | str:
    """Return the compiled condition, or what is wrong with it."""
    try:
        return compile_condition(when)
    except CqlError as exc:
        return str(exc)


def _unknowns(
    condition: Condition, fields: Mapping[str, str], context: TriageContext
) -> Iterator[tuple[str, str]]:
    """Yield each field that the condition reads and nobody can answer, with the reason."""
    for field in sorted(condition.fields):
        name, dot, _ = field.partition(".")
        table = context.facts.table(name) if dot else None
        if table is None:
            continue
        is_answer = field in answer_fields(name, table)
        is_attribute = field in attribute_fields(name, table)
        if not is_answer and not is_attribute:
            # A field of the row that happens to start like a table, such as `host.name`.
            continue
        if name not in context.rule.triage.enrich:
            yield field, f"it reads {field}, and the rule does not look up {name}"
        elif (state := fields.get(f"{name}.state")) != SourceState.FRESH:
            yield field, f"it rests on {field}, and the {name} inventory is {state}"
        elif is_attribute and fields.get(f"{name}.matches") != "true":
            yield field, f"it rests on {field}, and no {name} fact holds"


def _rest_holds(
    suppression: Suppression, fields: Mapping[str, str], unknown: Mapping[str, str]
) -> bool:
    """Return whether all holds that can be answered: only then is the unknown worth telling."""
    return all(
        clause.condition.holds(fields)
        for clause in clauses_of(suppression.when)
        if not clause.condition.fields & unknown.keys()
    )


def _suppressed(suppression: Suppression, finding: Finding, context: TriageContext) -> Decision:
    """Return the decision with the facts that it rests on, so that it can be replayed."""
    condition = _compiled(suppression.when)
    read = () if isinstance(condition, str) else sorted(condition.fields)
    tables = dict.fromkeys(field.partition(".")[0] for field in read if "." in field)
    evidence = [("owner", suppression.owner), ("when", suppression.when)]
    evidence += ((field, finding.fields.get(field, "")) for field in read)
    evidence += (
        (f"{decision.subject}.{key}", value)
        for decision in finding.decisions
        if decision.subject in tables
        for key, value in decision.evidence
        if key in ("fact", "source")
    )
    return Decision(
        stage=STAGE,
        verdict=Verdict.SUPPRESSED,
        subject=suppression.name,
        reason=suppression.reason,
        evidence=tuple(evidence),
        at=context.now,
    )
