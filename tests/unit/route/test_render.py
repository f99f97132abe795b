from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from orchestrator.ids import Fingerprint, RuleId, RunId
from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.finding import Finding, FindingState, ScorePart
from orchestrator.model.notification import Notification, NotificationKind
from orchestrator.model.rule import (
    Attack,
    Confidence,
    DeploySpec,
    Entities,
    FindingSpec,
    Rule,
    RuleStatus,
    RunbookSection,
    Schedule,
    Severity,
    TriageSpec,
)
from orchestrator.route.render import LinkSettings, notification_for
from orchestrator.units import to_epoch_ms
from tests.unit.route.making import FINDING, NOW

AID = "a615c3a0e42893b1df70625ecdb1a09f"
LINKS = LinkSettings(
    logscale_url="https://logscale.example/",
    repository="falcon data",
    falcon_url="https://falcon.example",
)
IMDS = RunbookSection(heading="IMDS Token Request", questions=("Q1", "Q2"), next_steps=("N1",))
CACHE = RunbookSection(
    heading="OAuth Token Cache Access",
    questions=("C1", "C2", "C3", "C4"),
    next_steps=("M1", "M2"),
)
RULE = Rule(
    id=RuleId("5f0c1a52-0000-4000-8000-000000000001"),
    slug="t1528_token_access",
    name="Steal application access token",
    description="",
    severity=Severity.HIGH,
    confidence=Confidence.HIGH,
    status=RuleStatus.STABLE,
    attack=(Attack(tactic="credential-access", technique="T1552.005"),),
    owner="detection@example.com",
    data=(),
    schedule=Schedule(every=timedelta(minutes=5)),
    finding=FindingSpec(
        key=("ComputerName", "user", "vector", "tokenPlatform"),
        title="{vector}",
        entities=Entities(user="user", image="image", container="container", evidence="evidence"),
    ),
    triage=TriageSpec(),
    deploy=DeploySpec(),
    query="*",
    runbook=(IMDS, CACHE),
    version="0123456789ab",
)


def make_finding(**fields: str) -> Finding:
    return Finding(
        id=FINDING,
        fingerprint=Fingerprint("f" * 32),
        generation=1,
        revision=3,
        rule_id=RULE.id,
        rule_slug=RULE.slug,
        rule_version=RULE.version,
        run_id=RunId("r"),
        title="OAuth Token Cache Access on build-7",
        state=FindingState.OPEN,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        score=70,
        score_parts=(ScorePart(source="severity", points=70, reason="high"),),
        fields={
            "aid": AID,
            "ComputerName": "build-7",
            "user": "root",
            "image": "/usr/bin/curl",
            "CommandLine": "curl x",
            "tokenSource": "/root/.azure/x.json",
            "vector": "OAuth Token Cache Access",
            "tokenPlatform": "Azure",
            "evidence": "file",
            "container": "-",
            "host.owner": "platform@example.com",
            "host.criticality": "high",
            **fields,
        },
        event_count=4,
        first_seen=NOW - timedelta(minutes=1),
        last_seen=NOW,
    )


def render(finding: Finding, *, links: LinkSettings = LINKS, rule: Rule = RULE) -> Notification:
    return notification_for(finding, rule=rule, kind=NotificationKind.OPENED, links=links)


def urls(finding: Finding, *, links: LinkSettings = LINKS) -> dict[str, str]:
    return {link.label: link.url for link in render(finding, links=links).links}


def test_facts_stand_in_reading_order_and_miss_what_is_unknown() -> None:
    assert [label for label, _ in render(make_finding()).facts] == [
        "Host",
        "Owner",
        "Criticality",
        "User",
        "Process",
        "Command line",
        "Token source",
        "Vector",
        "Evidence",
        "tokenPlatform",
    ]


def test_questions_are_those_of_the_vector_and_three_at_most() -> None:
    notification = render(make_finding())

    assert notification.questions == ("C1", "C2", "C3")
    assert notification.next_steps == ("M1", "M2")


def test_first_section_serves_a_vector_without_its_own() -> None:
    assert render(make_finding(vector="Something new")).questions == ("Q1", "Q2")


def test_a_rule_without_a_runbook_has_no_questions() -> None:
    assert render(make_finding(), rule=replace(RULE, runbook=())).questions == ()


def test_why_tells_each_reason_once_and_only_what_kept_it() -> None:
    def decision(verdict: Verdict, reason: str, subject: str = "") -> Decision:
        return Decision(stage="suppress", verdict=verdict, reason=reason, subject=subject, at=NOW)

    finding = replace(
        make_finding(),
        decisions=(
            decision(Verdict.SCORED, "70"),
            decision(Verdict.UNKNOWN, "the source is stale", "pipeline"),
            decision(Verdict.NOT_SUPPRESSED, "no suppression matched"),
            decision(Verdict.NOT_SUPPRESSED, "no suppression matched"),
        ),
    )

    assert render(finding).why == "pipeline: the source is stale; no suppression matched"


def test_links_lead_to_process_host_search_and_attack() -> None:
    found = urls(make_finding(falconPID="4711"))

    assert found["Process tree"] == (
        f"https://falcon.example/graphs/process-explorer/tree?id=pid:{AID}:4711&investigate=true"
    )
    assert found["Host"] == f"https://falcon.example/hosts/hosts/host/{AID}"
    assert found["ATT&CK T1552.005"] == "https://attack.mitre.org/techniques/T1552/005/"


def test_search_link_holds_the_key_as_quoted_literals_and_the_time() -> None:
    found = urls(make_finding(ComputerName='a"b | drop()'))
    parts = urlsplit(found["Evidence in LogScale"])
    query = parse_qs(parts.query)

    assert parts.path == "/falcon%20data/search"
    assert query["query"] == [f'ComputerName="a\\"b | drop()" aid="{AID}"']
    assert query["end"] == [str(to_epoch_ms(NOW + timedelta(minutes=30)))]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ComputerName", "a\nb"),
        ("ComputerName", "a*"),
        ("ComputerName", "unresolved"),
        ("ComputerName", "x" * 300),
        ("aid", "../../x"),
        ("falconPID", "1&x=2"),
    ],
)
def test_values_of_another_shape_stay_out_of_links(field: str, value: str) -> None:
    found = urls(make_finding(**{field: value}))

    linked = [url for label, url in found.items() if label in {"Process tree", "Host"}]
    assert all(value not in url for url in linked)
    assert field == "aid" or field not in found["Evidence in LogScale"]


def test_without_bases_only_attack_is_linked() -> None:
    assert list(urls(make_finding(), links=LinkSettings())) == ["ATT&CK T1552.005"]


def test_rendering_twice_is_equal() -> None:
    assert render(make_finding()) == render(make_finding())
