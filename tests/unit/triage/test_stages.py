from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import pytest

from orchestrator.inventory import Inventory
from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.finding import Finding, FindingState
from orchestrator.model.inventory import FactMatch, FactTable, Subject
from orchestrator.model.rule import Rule, Suppression
from orchestrator.triage.build import build_findings
from orchestrator.triage.explain import why_not_suppressed
from orchestrator.triage.stages import EVIDENCE_CHARS, FIELDS_MOST, Change, Judged, triage
from tests.unit.inventory.making import make_fact, make_inventory, sample_inventory
from tests.unit.triage.making import (
    CI,
    NOW,
    NoFacts,
    at,
    make_row,
    make_rule,
    make_run,
    make_spec,
)

JWT = "ey" + "JhbGciOiJub25lIn0.eyJzdWIiOiJ0ZXN0In0.c2lnbmF0dXJl"
TAR = {
    "image": "/usr/bin/tar",
    "observedCommandLines": "tar czf /dev/shm/.c.tgz /home/ghrunner/.azure",
    "riskLabel": "HIGH",
    "suspicionScore": "3",
}


def judge(
    row: Mapping[str, str], *, rule: Rule | None = None, facts: Inventory | None = None
) -> Judged:
    rule, run = rule or make_rule(), make_run()
    found = build_findings(rule, [row], run=run)
    (judged,) = triage(
        found, rule=rule, facts=facts or sample_inventory(), previous={}, now=NOW, run=run
    )
    return judged


def said(finding: Finding, verdict: Verdict) -> list[Decision]:
    return [decision for decision in finding.decisions if decision.verdict is verdict]


def suppression(when: str, *, expires_on: date | None = None, name: str = "s") -> Suppression:
    return Suppression(
        name=name, owner="o@example.com", reason="because", when=when, expires_on=expires_on
    )


def test_triage_runner_inside_its_pipeline_is_suppressed_with_its_facts() -> None:
    """The benign half of the pair (T3-B1)."""
    judged = judge(make_row(seen="02:15"))

    found = judged.finding
    assert judged.change is Change.SUPPRESSED
    assert (found.state, found.suppressed_by) == (FindingState.SUPPRESSED, CI.name)
    (decision,) = said(found, Verdict.SUPPRESSED)
    assert decision.reason == CI.reason
    evidence = dict(decision.evidence)
    assert evidence["runner.fact"] == "runner.csv:3"
    assert evidence["pipeline.fact"] == "pipeline.csv:3"
    assert evidence["owner"] == "platform@example.com"
    assert evidence["pipeline.matches"] == "true"


def test_triage_same_runner_and_account_outside_the_window_is_opened() -> None:
    """The malicious half of the pair (T3-M2): wrong tool, wrong time."""
    judged = judge(make_row(TAR, seen="16:40"))

    assert judged.change is Change.OPENED
    assert judged.finding.state is FindingState.OPEN
    (decision,) = said(judged.finding, Verdict.NOT_SUPPRESSED)
    assert decision.reason == (
        "ci-runner-inside-its-pipeline does not apply: runner gh-runner-04 is known, but "
        "no pipeline window of ghrunner covers 2026-03-10T16:40Z; "
        "program tar is not one of the pipeline's programs"
    )


@pytest.mark.parametrize(
    ("row", "seen"),
    [
        ({"ComputerName": "gh-runner-05", "aid": "b" * 32}, "02:15"),
        ({"aid": "b" * 32}, "02:15"),
        ({"ComputerName": "unresolved", "aid": ""}, "02:15"),
        ({"user": "root"}, "02:15"),
        ({"user": "unresolved"}, "02:15"),
        ({"image": "/usr/bin/tar"}, "02:15"),
        ({}, "01:59"),
        ({}, "03:30"),
        ({"vector": "IMDS Token Request"}, "02:15"),
        ({"lastSeen": str(1773162000000)}, "02:15"),
    ],
)
def test_triage_any_guard_broken_is_not_suppressed(row: dict[str, str], seen: str) -> None:
    assert judge(make_row(row, seen=seen)).change is Change.OPENED


@pytest.mark.parametrize("table", ["runner", "pipeline"])
@pytest.mark.parametrize("state", ["stale", "empty", "missing"])
def test_triage_unknown_inventory_suppresses_nothing(table: str, state: str) -> None:
    runner = make_fact("runner", host="gh-runner-04", account="ghrunner")
    window = make_fact(
        "pipeline", host="gh-runner-04", account="ghrunner", program="/opt/az/bin/python3*"
    )
    facts = [fact for fact in (runner, window) if fact.table != table or state == "stale"]
    inventory = make_inventory(
        *facts,
        tables=[table] if state == "empty" else [],
        as_of={table: NOW - timedelta(hours=25)} if state == "stale" else {},
    )

    judged = judge(make_row(), rule=make_rule(enrich=("runner", "pipeline")), facts=inventory)

    found = judged.finding
    assert judged.change is Change.OPENED
    assert found.fields[f"{table}.state"] == state
    answers = {
        found.fields[f"{table}.{answer}"]
        for answer in ("matches", "known", "active", "host_matches", "account_matches")
    }
    assert answers == {"false"}
    assert [decision.subject for decision in said(found, Verdict.UNKNOWN)] == [table]
    assert f"the {table} inventory is {state}" in said(found, Verdict.NOT_SUPPRESSED)[-1].reason


def test_triage_fresh_inventory_of_the_same_facts_suppresses() -> None:
    """The control for the test above."""
    inventory = make_inventory(
        make_fact("runner", host="gh-runner-04", account="ghrunner"),
        make_fact(
            "pipeline", host="gh-runner-04", account="ghrunner", program="/opt/az/bin/python3*"
        ),
    )

    judged = judge(make_row(), rule=make_rule(enrich=("runner", "pipeline")), facts=inventory)

    assert judged.change is Change.SUPPRESSED


@pytest.mark.parametrize(
    "when",
    [
        "runner.matches!=true",
        "runner.known!=true",
        "runner.state!=fresh",
        "runner.account_matches=false",
        "runner.owner!=nobody",
        "pipeline.matches!=true",
        "host.criticality!=critical",
    ],
)
def test_triage_negated_answer_of_an_unknown_table_does_not_hold(when: str) -> None:
    """In LogScale `field!=x` is true of an absent field; absent here means nobody knows."""
    rule = make_rule(enrich=("host", "runner"), suppress=(suppression(when),))

    judged = judge(make_row(), rule=rule, facts=make_inventory())

    assert judged.change is Change.OPENED
    assert len(said(judged.finding, Verdict.NOT_SUPPRESSED)) == 2


def test_triage_attribute_of_a_fact_that_does_not_hold_excuses_nothing() -> None:
    rule = make_rule(enrich=("runner",), suppress=(suppression("runner.pool=linux-deploy"),))

    wrong_account = judge(make_row({"user": "root"}), rule=rule)
    right_account = judge(make_row(), rule=rule)

    assert wrong_account.finding.fields["runner.pool"] == "linux-deploy"
    assert wrong_account.change is Change.OPENED
    assert right_account.change is Change.SUPPRESSED


def test_triage_unknown_table_of_a_suppression_for_something_else_is_not_told() -> None:
    other = suppression('vector="IMDS Token Request" cloud_agent.matches=true', name="other")
    rule = make_rule(enrich=("runner", "pipeline", "cloud_agent"), suppress=(other, CI))

    found = judge(make_row(TAR, seen="16:40"), rule=rule, facts=make_inventory()).finding

    assert [decision.subject for decision in said(found, Verdict.NOT_SUPPRESSED)] == [CI.name, ""]


def test_triage_known_absence_in_a_fresh_table_may_be_used() -> None:
    rule = make_rule(enrich=("runner",), suppress=(suppression("runner.known=false"),))

    judged = judge(make_row({"ComputerName": "lap-x", "aid": ""}), rule=rule)

    assert judged.change is Change.SUPPRESSED


def test_triage_event_cannot_bring_its_own_answers() -> None:
    forged = {
        "runner.matches": "true",
        "runner.state": "fresh",
        "pipeline.matches": "true",
        "pipeline.state": "fresh",
        "pipeline.job": "forged",
    }

    judged = judge(make_row({**TAR, **forged}, seen="16:40"))
    unasked = judge(make_row({**TAR, **forged}, seen="16:40"), rule=make_rule(enrich=()))

    assert judged.change is Change.OPENED
    assert judged.finding.fields["pipeline.matches"] == "false"
    assert "pipeline.job" not in judged.finding.fields
    assert unasked.change is Change.OPENED


def test_triage_row_field_that_starts_like_a_table_is_a_row_field() -> None:
    rule = make_rule(enrich=("host",), suppress=(suppression("host.ip=10.1.2.3"),))

    judged = judge(make_row({"host.ip": "10.1.2.3"}), rule=rule)

    assert judged.finding.fields["host.ip"] == "10.1.2.3"
    assert judged.change is Change.SUPPRESSED


@pytest.mark.parametrize(
    ("expires_on", "change"),
    [
        (date(2026, 3, 9), Change.OPENED),
        (date(2026, 3, 10), Change.SUPPRESSED),
        (None, Change.SUPPRESSED),
    ],
)
def test_triage_expired_suppression_does_not_apply(expires_on: date | None, change: Change) -> None:
    rule = make_rule(suppress=(replace(CI, expires_on=expires_on),))

    judged = judge(make_row(), rule=rule)

    assert judged.change is change
    if change is Change.OPENED:
        assert [decision.reason for decision in said(judged.finding, Verdict.NOT_SUPPRESSED)] == [
            "it would have applied, but it expired on 2026-03-09",
            f"{CI.name} does not apply: it would have applied, but it expired on 2026-03-09",
        ]


def test_triage_first_suppression_that_holds_wins() -> None:
    rule = make_rule(
        suppress=(
            suppression("user=nobody", name="one"),
            suppression("user=ghrunner", name="two"),
            suppression("user=ghrunner", name="three"),
        )
    )

    assert judge(make_row(), rule=rule).finding.suppressed_by == "two"


@pytest.mark.parametrize("when", ["user=", "| count()", "", "user=a | user=b", "*", "true"])
def test_triage_suppression_that_does_not_compile_never_applies(when: str) -> None:
    judged = judge(make_row(), rule=make_rule(suppress=(suppression(when),)))

    assert judged.change is Change.OPENED
    first = said(judged.finding, Verdict.NOT_SUPPRESSED)[0]
    assert first.reason.startswith("its condition ")


def test_triage_enrichment_writes_every_flat_field() -> None:
    found = judge(make_row(TAR, seen="16:40")).finding

    assert {key: value for key, value in found.fields.items() if key.startswith("pipeline.")} == {
        "pipeline.state": "fresh",
        "pipeline.known": "false",
        "pipeline.active": "false",
        "pipeline.host_matches": "true",
        "pipeline.account_matches": "true",
        "pipeline.program_matches": "false",
        "pipeline.matches": "false",
        "pipeline.missing": "program,validity",
        "pipeline.ambiguous": "false",
    }
    assert found.fields["host.owner"] == "build-platform@contoso.example"
    assert found.fields["host.criticality"] == "high"
    assert list(found.fields)[:2] == ["aid", "ComputerName"]


def test_triage_ambiguous_host_is_told_and_excuses_nothing() -> None:
    inventory = make_inventory(
        make_fact("runner", host="gh-runner-04.a.example", account="ghrunner"),
        make_fact("runner", host="gh-runner-04.b.example", account="ghrunner"),
        make_fact("pipeline", host="gh-runner-04", account="ghrunner", program="/opt/az/bin/*"),
    )

    judged = judge(make_row(), rule=make_rule(enrich=("runner", "pipeline")), facts=inventory)

    assert judged.finding.fields["runner.ambiguous"] == "true"
    assert judged.finding.fields["runner.account_matches"] == "false"
    assert said(judged.finding, Verdict.NOT_SUPPRESSED)[-1].reason == (
        "ci-runner-inside-its-pipeline does not apply: "
        "pipeline gh-runner-04 is known, but several hosts answer to gh-runner-04"
    )


def test_triage_rule_without_container_field_cannot_claim_its_absence() -> None:
    """A finding of kubelet is excused outside any container, if the rule looks for containers."""
    row = make_row({"image": "/usr/local/bin/kubelet"})
    spec = make_spec()
    blind = replace(spec, entities=replace(spec.entities, container=""))
    when = suppression("node_runtime.matches=true")
    rules = [
        make_rule(enrich=("node_runtime",), suppress=(when,), finding=finding)
        for finding in (spec, blind)
    ]

    assert [judge(row, rule=rule).change for rule in rules] == [Change.SUPPRESSED, Change.OPENED]
    inside = judge(make_row({**row, "container": "c0ffee"}), rule=rules[0])
    unresolved = judge(make_row({**row, "container": "unresolved"}), rule=rules[0])
    assert (inside.change, unresolved.change) == (Change.OPENED, Change.OPENED)


def test_triage_redacts_fields_title_and_decisions() -> None:
    secret = f"curl -H 'Authorization: Bearer {JWT}' https://files.example.net"
    rule = make_rule(
        finding=make_spec(title="{observedCommandLines}"),
        enrich=("native_tool",),
        suppress=(suppression("observedCommandLines=nothing native_tool.matches=true"),),
    )

    found = judge(make_row({"observedCommandLines": secret, "user": JWT}), rule=rule).finding

    assert JWT not in repr(found)
    assert "eyJ" not in repr(found)
    assert found.title == "curl -H 'Authorization: Bearer [REDACTED:jwt]' https://files.example.net"
    (decision,) = said(found, Verdict.REDACTED)
    assert decision.reason == "taken out: 1 jwt in user, 1 jwt in observedCommandLines"


def test_triage_conditions_see_values_before_redaction() -> None:
    rule = make_rule(suppress=(suppression(f"observedCommandLines={JWT}"),))

    judged = judge(make_row({"observedCommandLines": JWT}), rule=rule)

    assert judged.change is Change.SUPPRESSED
    assert judged.finding.fields["observedCommandLines"] == "[REDACTED:jwt]"


def test_triage_identity_comes_from_the_values_as_they_were() -> None:
    one = judge(make_row({"user": JWT})).finding
    other = judge(make_row({"user": JWT + "x"})).finding

    assert one.fields["user"] == other.fields["user"] == "[REDACTED:jwt]"
    assert one.fingerprint != other.fingerprint


def test_triage_very_wide_row_is_bounded_and_says_so() -> None:
    row = {**make_row(), **{f"column{n}": "x" for n in range(10_000)}}

    found = judge(row).finding

    assert len(found.fields) == FIELDS_MOST + 1
    assert found.fields["ComputerName"] == "gh-runner-04"
    assert found.fields["pipeline.matches"] == "true"
    assert int(found.fields["fields.cut"]) > 9_500


def test_triage_long_evidence_is_cut_in_decisions_and_whole_in_fields() -> None:
    row = make_row({"observedCommandLines": "x " * 3_000})

    found = judge(row, rule=make_rule(enrich=("native_tool",))).finding

    assert len(found.fields["observedCommandLines"]) == 6_000
    assert all(
        len(value) <= EVIDENCE_CHARS
        for decision in found.decisions
        for _, value in decision.evidence
    )


def test_triage_the_same_window_twice_gives_the_same_findings() -> None:
    rows = [make_row(TAR, seen="16:40"), make_row(seen="02:15")]
    rule, run, facts = make_rule(), make_run(), sample_inventory()

    first, second = (
        triage(
            build_findings(rule, rows, run=run),
            rule=rule,
            facts=facts,
            previous={},
            now=NOW,
            run=run,
        )
        for _ in range(2)
    )

    assert first == second
    assert [judged.change for judged in first] == [Change.OPENED, Change.SUPPRESSED]


def test_triage_asks_the_inventory_once_for_each_table_and_finding() -> None:
    class Counting(NoFacts):
        def __init__(self) -> None:
            self.asked: list[str] = []

        def match(self, table: str, subject: Subject) -> FactMatch:
            self.asked.append(table)
            return super().match(table, subject)

        def table(self, name: str) -> FactTable | None:
            return super().table(name)

    facts, rule, run = Counting(), make_rule(), make_run()

    triage(
        build_findings(rule, [make_row()], run=run),
        rule=rule,
        facts=facts,
        previous={},
        now=NOW,
        run=run,
    )

    assert facts.asked == ["host", "runner", "pipeline"]


@pytest.mark.parametrize(
    ("row", "seen", "lacking"),
    [
        (
            {"user": "root"},
            "02:15",
            (
                "account root is not one of the runner's accounts; "
                "account root is not one of the pipeline's accounts"
            ),
        ),
        (
            {"vector": "IMDS Token Request"},
            "02:15",
            (
                "runner gh-runner-04 is known and pipeline gh-runner-04 is known, but "
                'vector="OAuth Token Cache Access" does not hold'
            ),
        ),
        (
            {"ComputerName": "lap-x", "aid": ""},
            "02:15",
            "no runner fact names lap-x; no pipeline fact names lap-x",
        ),
        (
            {"aid": "b" * 32},
            "02:15",
            "no runner fact names gh-runner-04; no pipeline fact names gh-runner-04",
        ),
    ],
)
def test_why_not_suppressed_names_what_is_lacking(
    row: dict[str, str], seen: str, lacking: str
) -> None:
    found = judge(make_row(row, seen=seen)).finding

    assert why_not_suppressed(found, make_rule()) == f"{CI.name} does not apply: {lacking}"


def test_why_not_suppressed_takes_the_nearest_of_several() -> None:
    rule = make_rule(suppress=(suppression("user=nobody image=nothing", name="far"), CI))

    found = judge(make_row(TAR, seen="16:40"), rule=rule).finding

    assert why_not_suppressed(found, rule).startswith(f"{CI.name} does not apply: ")


def test_why_not_suppressed_without_suppressions_says_so() -> None:
    rule = make_rule(suppress=())
    found = judge(make_row(), rule=rule).finding

    assert why_not_suppressed(found, rule) == "the rule has no suppressions"
    assert said(found, Verdict.NOT_SUPPRESSED) == []


def test_why_not_suppressed_cuts_and_redacts_what_it_repeats() -> None:
    row = make_row({"image": f"/tmp/{JWT}", "user": "u" * 500}, seen="02:15")

    reason = said(judge(row).finding, Verdict.NOT_SUPPRESSED)[-1].reason

    assert "eyJ" not in reason
    assert "u" * 61 not in reason


def test_at_is_the_day_of_the_samples() -> None:
    assert at("02:15").isoformat() == "2026-03-10T02:15:00+00:00"
