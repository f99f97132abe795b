"""Facts about the finding's host, account, program and application, as flat fields.

For each table T of the rule's `enrich`: `T.state`, `T.known`, `T.active` (a validity covers the
finding), `T.<part>_matches`, `T.matches` (all of it, on one fact), `T.missing`, `T.ambiguous`, and
the attributes of the nearest fact where it is known to be about this subject at that time. They
replace fields of the same names in the row, so that no event can claim to be excused. Where a
table cannot be trusted, or a name means several hosts, every answer is `false`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.finding import Finding
from orchestrator.model.inventory import FactMatch, FactTable, SourceState, Subject
from orchestrator.triage.context import TriageContext
from orchestrator.triage.subject import subject_of

STAGE = "enrich"
VALIDITY = "validity"
_ANSWERS = ("state", "known", "active", "matches", "missing", "ambiguous")


def enrich(finding: Finding, context: TriageContext) -> Finding:
    """Return the finding with the fields and one decision of each table that the rule names."""
    subject = subject_of(finding, context.rule.finding.entities)
    fields = dict(finding.fields)
    decisions = list(finding.decisions)
    for name in context.rule.triage.enrich:
        match = context.facts.match(name, subject)
        table = context.facts.table(name)
        # At the end, after the row's own: an event cannot bring its own answers.
        for field in owned_fields(name, table):
            fields.pop(field, None)
        fields.update(fact_fields(match, table))
        decisions.append(_decision(match, table, subject, context))
    return replace(finding, fields=fields, decisions=tuple(decisions))


def owned_fields(name: str, table: FactTable | None) -> frozenset[str]:
    """Return the names that enrichment alone may write for a table."""
    return answer_fields(name, table) | attribute_fields(name, table)


def answer_fields(name: str, table: FactTable | None) -> frozenset[str]:
    """Return the fields that are always written for an enriched table."""
    parts = table.parts if table else ()
    return frozenset(
        {
            *(f"{name}.{answer}" for answer in _ANSWERS),
            *(f"{name}.{part.column}_matches" for part in parts),
        }
    )


def attribute_fields(name: str, table: FactTable | None) -> frozenset[str]:
    """Return the fields that a fact of the table may bring."""
    return frozenset(f"{name}.{attribute}" for attribute in (table.attributes if table else ()))


def fact_fields(match: FactMatch, table: FactTable | None) -> dict[str, str]:
    """Return the flat fields for one answer of the inventory."""
    name = match.table
    can_trust = match.status.state is SourceState.FRESH and not match.ambiguous
    matched = match.matched if can_trust else ()
    fields = {
        f"{name}.state": match.status.state.value,
        f"{name}.known": _flag(can_trust and match.known),
        f"{name}.active": _flag(VALIDITY in matched),
    }
    for part in table.parts if table else ():
        fields[f"{name}.{part.column}_matches"] = _flag(part.column in matched)
    fields[f"{name}.matches"] = _flag(can_trust and match.holds)
    fields[f"{name}.missing"] = ",".join(match.missing)
    fields[f"{name}.ambiguous"] = _flag(match.ambiguous)
    # Attributes of a fact of another time would be somebody else's.
    if can_trust and match.known and match.fact is not None and VALIDITY in matched:
        for attribute in table.attributes if table else ():
            if value := match.fact.values.get(attribute):
                fields[f"{name}.{attribute}"] = value
    return fields


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _decision(
    match: FactMatch, table: FactTable | None, subject: Subject, context: TriageContext
) -> Decision:
    is_fresh = match.status.state is SourceState.FRESH
    return Decision(
        stage=STAGE,
        verdict=Verdict.ENRICHED if is_fresh else Verdict.UNKNOWN,
        subject=match.table,
        reason=_reason(match),
        evidence=tuple(_evidence(match, table, subject)),
        at=context.now,
    )


def _reason(match: FactMatch) -> str:
    name, status = match.table, match.status
    if status.state is not SourceState.FRESH:
        return f"the {name} inventory is {status.state}, so it excused nothing: {status.detail}"
    if match.ambiguous:
        return f"several hosts answer to this name, so no {name} fact holds"
    if match.fact is None:
        return f"no {name} fact is about this finding"
    if match.holds:
        return f"{match.fact.id} holds: {', '.join(match.matched)}"
    matched = ", ".join(match.matched) or "nothing"
    return f"nearest is {match.fact.id}: {matched} matches, {', '.join(match.missing)} does not"


def _evidence(
    match: FactMatch, table: FactTable | None, subject: Subject
) -> Iterator[tuple[str, str]]:
    """Yield what was compared: fact, source, and for each part the finding's own value."""
    if match.fact is not None:
        yield "fact", match.fact.id
        yield "matched", ",".join(match.matched)
        yield "missing", ",".join(match.missing)
        if any(column in match.missing for column in (table.scope if table else ())):
            # It is about this host by scope, and the host does not match all the same.
            yield "host_by", "agent id of another" if "aid" in match.missing else "short name"
    yield "source", match.status.detail
    for part in table.parts if table else ():
        values = subject.entities.get(part.entity)
        if values:
            yield part.column, "\n".join(values)
