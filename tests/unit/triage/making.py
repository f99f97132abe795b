"""Rules, runs, rows and findings for tests: valid by default, override by keyword."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.ids import Fingerprint, RuleId, derive_finding_id, derive_run_id
from orchestrator.model.finding import Finding, FindingState
from orchestrator.model.inventory import FactMatch, FactTable, SourceState, SourceStatus, Subject
from orchestrator.model.rule import (
    Confidence,
    DeploySpec,
    Entities,
    FindingSpec,
    Rule,
    RuleStatus,
    Schedule,
    Severity,
    SeverityFrom,
    Suppression,
    TriageSpec,
)
from orchestrator.model.run import Run, RunState
from orchestrator.model.window import Window
from orchestrator.triage.context import TriageContext
from orchestrator.units import parse_instant, to_epoch_ms

RULE_ID = RuleId("5f0c1a52-0000-4000-8000-000000000001")
NOW = parse_instant("2026-03-10T18:00:00Z")

ENTITIES = Entities(
    user="user",
    image="image",
    command_line="observedCommandLines",
    container="container",
    evidence="evidence",
    application="appName",
    actor="actor",
)
CI = Suppression(
    name="ci-runner-inside-its-pipeline",
    owner="platform@example.com",
    reason="The runner's own job reads the token cache while it runs.",
    when='vector="OAuth Token Cache Access" runner.matches=true pipeline.matches=true',
)


def at(text: str) -> datetime:
    """Return an instant of 2026-03-10 from `HH:MM`."""
    return parse_instant(f"2026-03-10T{text}:00Z")


def make_spec(**changes: object) -> FindingSpec:
    spec = FindingSpec(
        key=("ComputerName", "user", "image", "tokenSource", "vector"),
        title="{vector} on {ComputerName}",
        severity_from=SeverityFrom(
            field="riskLabel", map={"HIGH": Severity.HIGH, "MEDIUM": Severity.MEDIUM}
        ),
        score="suspicionScore",
        count="eventCount",
        first_seen="firstSeen",
        last_seen="lastSeen",
        entities=ENTITIES,
    )
    return replace(spec, **changes)  # type: ignore[arg-type]  # fields are checked at run time


def make_rule(
    *,
    enrich: tuple[str, ...] = ("host", "runner", "pipeline"),
    suppress: tuple[Suppression, ...] = (CI,),
    finding: FindingSpec | None = None,
    schedule: Schedule | None = None,
    severity: Severity = Severity.LOW,
    confidence: Confidence = Confidence.MEDIUM,
) -> Rule:
    return Rule(
        id=RULE_ID,
        slug="t1528_token_access",
        name="Steal application access token",
        description="",
        severity=severity,
        confidence=confidence,
        status=RuleStatus.STABLE,
        attack=(),
        owner="detection@example.com",
        data=(),
        schedule=schedule or Schedule(every=timedelta(minutes=5)),
        finding=finding or make_spec(),
        triage=TriageSpec(enrich=enrich, suppress=suppress),
        deploy=DeploySpec(),
        query="*",
        runbook=(),
        version="0123456789ab",
    )


def make_run(*, start: str = "16:40", end: str = "16:45") -> Run:
    window = Window(at(start), at(end))
    return Run(
        id=derive_run_id(
            RULE_ID, start_ms=to_epoch_ms(window.start), end_ms=to_epoch_ms(window.end)
        ),
        rule_id=RULE_ID,
        rule_version="0123456789ab",
        window=window,
        state=RunState.RUNNING,
        attempt=1,
        epoch=1,
        owner="test",
        lease_until=NOW,
    )


def make_row(changes: Mapping[str, str] | None = None, /, *, seen: str = "02:15") -> dict[str, str]:
    """Return the row of the runner's own job; `seen` is its first and last event."""
    epoch_ms = str(to_epoch_ms(at(seen)))
    return {
        "aid": "a615c3a0e42893b1df70625ecdb1a09f",
        "ComputerName": "gh-runner-04",
        "user": "ghrunner",
        "image": "/opt/az/bin/python3.12",
        "tokenSource": "/home/ghrunner/.azure/msal_token_cache.json",
        "vector": "OAuth Token Cache Access",
        "riskLabel": "MEDIUM",
        "eventCount": "1",
        "firstSeen": epoch_ms,
        "lastSeen": epoch_ms,
        "suspicionScore": "2",
        "evidence": "file",
        "observedCommandLines": "/opt/az/bin/python3 -Im azure.cli login --service-principal",
        **(changes or {}),
    }


def make_finding(
    *,
    state: FindingState = FindingState.OPEN,
    severity: Severity = Severity.MEDIUM,
    confidence: Confidence = Confidence.MEDIUM,
    score: int = 40,
    first: datetime | None = None,
    last: datetime | None = None,
    count: int = 1,
    generation: int = 1,
    revision: int = 1,
    run: Run | None = None,
    fields: Mapping[str, str] | None = None,
    suppressed_by: str = "",
) -> Finding:
    fingerprint = Fingerprint("f" * 32)
    seen = first or at("12:00")
    return Finding(
        id=derive_finding_id(fingerprint, generation=generation),
        fingerprint=fingerprint,
        generation=generation,
        revision=revision,
        rule_id=RULE_ID,
        rule_slug="t1528_token_access",
        rule_version="0123456789ab",
        run_id=(run or make_run(start="11:00", end="11:05")).id,
        title="",
        state=state,
        severity=severity,
        confidence=confidence,
        score=score,
        fields=make_row() if fields is None else fields,
        event_count=count,
        first_seen=seen,
        last_seen=last or seen,
        suppressed_by=suppressed_by or ("ci-runner" if state is FindingState.SUPPRESSED else ""),
    )


class NoFacts:
    """A lookup that has no tables at all."""

    def match(self, table: str, subject: Subject) -> FactMatch:
        status = SourceStatus(state=SourceState.MISSING, detail="no source is configured")
        return FactMatch(table=table, status=status, holds=False, known=False, fact=None)

    def table(self, name: str) -> FactTable | None:
        return None


def make_context(rule: Rule | None = None, *, run: Run | None = None) -> TriageContext:
    return TriageContext(rule=rule or make_rule(), facts=NoFacts(), run=run or make_run(), now=NOW)
