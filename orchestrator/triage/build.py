"""Result rows to findings: what, when, how bad, and the identity of "the same thing again".

Nothing is judged here. The identity is made of the rule and its key fields alone, so that counts
and times may differ between two readings of the same thing. A title fills `{field}` placeholders
from the row and knows no other syntax: no format specification, no attribute, no second pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation

from orchestrator.errors import RuleInvalid
from orchestrator.ids import derive_finding_id, derive_fingerprint
from orchestrator.model.finding import Finding, FindingState
from orchestrator.model.rule import FindingSpec, Rule, Severity
from orchestrator.model.run import Run
from orchestrator.triage.redact import redact
from orchestrator.triage.subject import split_values
from orchestrator.units import from_epoch_ms, parse_instant

TITLE_CHARS = 300
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_VALUE_EXCERPT_CHARS = 60


def build_findings(rule: Rule, rows: Sequence[Mapping[str, str]], *, run: Run) -> list[Finding]:
    """Return one finding a row, in order: generation 1, revision 1, not judged yet.

    Raises:
        RuleInvalid: A column that the rule names is in no row at all, or holds something that is
            no time or no number. An absent key value in some rows is an empty text.
    """
    spec = rule.finding
    _check_columns(rule, rows)
    return [_build(rule, spec, row, run) for row in rows]


def fill_title(template: str, row: Mapping[str, str]) -> str:
    """Return the template with each `{field}` replaced by the row's value, in one line.

    A field that the row lacks becomes `-`; of several lines the first is shown, the rest counted.
    """
    title = _PLACEHOLDER.sub(lambda match: _for_title(row.get(match[1], "")), template)
    return title if len(title) <= TITLE_CHARS else title[: TITLE_CHARS - 1] + "…"


def _build(rule: Rule, spec: FindingSpec, row: Mapping[str, str], run: Run) -> Finding:
    fingerprint = derive_fingerprint(rule.id, [(name, row.get(name, "")) for name in spec.key])
    first = _instant(rule, row, spec.first_seen, default=run.window.start)
    last = _instant(rule, row, spec.last_seen, default=run.window.end)
    first, last = min(first, last), max(first, last)
    return Finding(
        id=derive_finding_id(fingerprint, generation=1),
        fingerprint=fingerprint,
        generation=1,
        revision=1,
        rule_id=rule.id,
        rule_slug=rule.slug,
        rule_version=run.rule_version,
        run_id=run.id,
        title=fill_title(spec.title, row),
        state=FindingState.OPEN,
        severity=_severity(rule, row),
        confidence=rule.confidence,
        score=0,
        fields=dict(row),
        event_count=max(1, int(_number(rule, row, spec.count, default=1))),
        first_seen=first,
        last_seen=last,
    )


def _check_columns(rule: Rule, rows: Sequence[Mapping[str, str]]) -> None:
    if not rows:
        return
    spec = rule.finding
    came = dict.fromkeys(name for row in rows for name in row)
    severity = spec.severity_from.field if spec.severity_from else ""
    named = (*spec.key, spec.count, spec.first_seen, spec.last_seen, spec.score, severity)
    missing = [name for name in dict.fromkeys(named) if name and name not in came]
    if missing:
        raise RuleInvalid(
            f"the query of {rule.slug} returns no {', '.join(missing)}; "
            f"it returns {', '.join(came) or 'no columns'}",
            advice="Add the column to the query, or correct its name under `finding`.",
        )


def _severity(rule: Rule, row: Mapping[str, str]) -> Severity:
    source = rule.finding.severity_from
    if source is None:
        return rule.severity
    return source.map.get(row.get(source.field, ""), rule.severity)


def _instant(rule: Rule, row: Mapping[str, str], column: str, *, default: datetime) -> datetime:
    text = row.get(column, "").strip() if column else ""
    if not text:
        return default
    try:
        return parse_instant(text)
    except ValueError:
        pass
    # LogScale prints large numbers of an aggregate with an exponent.
    try:
        return from_epoch_ms(int(_number(rule, row, column, default=0)))
    except ValueError as exc:
        raise _wrong_value(rule, column, text, "a time in epoch milliseconds") from exc


def _number(rule: Rule, row: Mapping[str, str], column: str, *, default: int) -> Decimal:
    text = row.get(column, "").strip() if column else ""
    if not text:
        return Decimal(default)
    try:
        number = Decimal(text)
    except InvalidOperation as exc:
        raise _wrong_value(rule, column, text, "a number") from exc
    if not number.is_finite() or abs(number.adjusted()) > 18:
        raise _wrong_value(rule, column, text, "a number of sensible size")
    return number


def _wrong_value(rule: Rule, column: str, text: str, wanted: str) -> RuleInvalid:
    text = redact(text)
    shown = text if len(text) <= _VALUE_EXCERPT_CHARS else text[:_VALUE_EXCERPT_CHARS] + "…"
    return RuleInvalid(
        f"the query of {rule.slug} returns {shown!r} as {column}, which is not {wanted}",
        advice="Correct the query, or the column's name under `finding`.",
    )


def _for_title(value: str) -> str:
    lines = split_values(value)
    if not lines:
        return "-"
    return lines[0] if len(lines) == 1 else f"{lines[0]} (+{len(lines) - 1})"
