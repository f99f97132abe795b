"""The shape of rule.yaml: each key, its type and its default, in one place."""

from __future__ import annotations

import uuid
from dataclasses import fields

from orchestrator.ids import RuleId
from orchestrator.model.rule import (
    AllowedCheck,
    Attack,
    Confidence,
    DeployKind,
    DeploySpec,
    Entities,
    FindingSpec,
    LintSpec,
    Rule,
    RuleStatus,
    RunbookSection,
    Schedule,
    Severity,
    SeverityFrom,
    Suppression,
    TimestampField,
    TriageSpec,
)
from orchestrator.rules.reading import Section
from orchestrator.units import parse_duration

ENTITIES = tuple(field.name for field in fields(Entities))
REOPEN_AFTER = FindingSpec(key=("",), title="").reopen_after
"""The default, in one place: the model's."""


def read_rule(
    root: Section, *, slug: str, query: str, runbook: tuple[RunbookSection, ...], version: str
) -> Rule:
    """Return the rule that the mapping describes; problems are noted on the section.

    What is wrong has a stand-in value, so the rule is usable only if nothing was noted.
    """
    rule = Rule(
        id=_rule_id(root),
        slug=slug,
        name=root.text("name"),
        description=root.text("description"),
        severity=root.choice("severity", Severity),
        confidence=root.choice("confidence", Confidence),
        status=root.choice("status", RuleStatus),
        attack=tuple(_attack(section) for section in root.sections("attack")),
        owner=root.text("owner"),
        data=root.texts("data", required=True),
        schedule=_schedule(root.section("schedule")),
        finding=_finding(root.section("finding")),
        triage=_triage(root.section("triage")),
        deploy=_deploy(root.section("deploy")),
        lint=_lint(root.section("lint")),
        query=query,
        runbook=runbook,
        version=version,
    )
    root.close()
    return rule


def _rule_id(root: Section) -> RuleId:
    text = root.text("id")
    try:
        return RuleId(str(uuid.UUID(text)))
    except ValueError:
        if text:
            root.wrong(
                "id", f"id must be a UUID, not {text!r}.", "Make one, with `uuidgen` for example."
            )
        return RuleId("")


def _attack(section: Section) -> Attack:
    made = Attack(tactic=section.text("tactic"), technique=section.text("technique"))
    section.close()
    return made


def _schedule(section: Section) -> Schedule:
    every, cron = section.duration("every", default=None), section.text("cron", default="") or None
    if (every is None) == (cron is None):
        section.problems.add(
            section.place,
            "schedule",
            "a schedule needs either every or cron.",
            "Write every: 15m, or a five-field cron.",
        )
    if every is not None and not every:
        section.wrong("every", "every must be longer than nothing.")
    defaults = Schedule(every=parse_duration("1h"))
    made = Schedule(
        every=every,
        cron=cron,
        delay=section.duration("delay", default=defaults.delay),
        lookback=section.duration("lookback", default=defaults.lookback),
        timestamp=section.choice("timestamp", TimestampField, default=defaults.timestamp),
    )
    section.close()
    return made


def _finding(section: Section) -> FindingSpec:
    severity = section.section("severity_from") if section.has("severity_from") else None
    entities = section.section("entities")
    named = {name: entities.text(name, default=getattr(Entities(), name)) for name in ENTITIES}
    entities.close()
    made = FindingSpec(
        key=section.texts("key", required=True),
        title=section.text("title"),
        severity_from=_severity_from(severity) if severity else None,
        score=section.text("score", default=""),
        count=section.text("count", default=""),
        first_seen=section.text("first_seen", default=""),
        last_seen=section.text("last_seen", default=""),
        reopen_after=section.duration("reopen_after", default=REOPEN_AFTER),
        entities=Entities(**named),
    )
    section.take("severity_from")
    section.close()
    return made


def _severity_from(section: Section) -> SeverityFrom:
    pairs: dict[str, Severity] = {}
    for value, name in section.mapping("map").items():
        try:
            pairs[value] = Severity(name)
        except ValueError:
            section.wrong(
                "map",
                f"{name!r} is no severity.",
                f"Known: {', '.join(s.value for s in Severity)}.",
            )
    if not section.has("map"):
        section.wrong("map", "severity_from.map is missing.", code="missing-key")
    made = SeverityFrom(field=section.text("field"), map=pairs)
    section.close()
    return made


def _triage(section: Section) -> TriageSpec:
    made = TriageSpec(
        enrich=section.texts("enrich"),
        suppress=tuple(_suppression(item) for item in section.sections("suppress")),
    )
    section.close()
    return made


def _suppression(section: Section) -> Suppression:
    made = Suppression(
        name=section.text("name"),
        owner=section.text("owner"),
        reason=section.text("reason"),
        when=section.text("when"),
        expires_on=section.day("expires_on"),
    )
    section.close()
    return made


def _deploy(section: Section) -> DeploySpec:
    made = DeploySpec(
        kind=section.choice("kind", DeployKind, default=DeployKind.NONE),
        labels=section.texts("labels"),
        enabled=section.flag("enabled", default=True),
        actions=section.texts("actions"),
        throttle=section.duration("throttle", default=None),
        lookup_files=section.texts("lookup_files"),
    )
    section.close()
    return made


def _lint(section: Section) -> LintSpec:
    made = LintSpec(allow=tuple(_allowed(item) for item in section.sections("allow")))
    section.close()
    return made


def _allowed(section: Section) -> AllowedCheck:
    made = AllowedCheck(code=section.text("code"), reason=section.text("reason"))
    section.close()
    return made
