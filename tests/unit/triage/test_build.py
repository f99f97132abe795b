from __future__ import annotations

import pytest

from orchestrator.errors import RuleInvalid
from orchestrator.ids import derive_finding_id, derive_fingerprint
from orchestrator.model.finding import FindingState
from orchestrator.model.rule import Severity
from orchestrator.triage.build import TITLE_CHARS, build_findings, fill_title
from orchestrator.units import parse_instant
from tests.unit.triage.making import RULE_ID, at, make_row, make_rule, make_run, make_spec


def test_build_findings_row_becomes_a_first_open_finding() -> None:
    rule, run, row = make_rule(), make_run(), make_row(seen="16:41")

    (finding,) = build_findings(rule, [row], run=run)

    assert finding.fingerprint == derive_fingerprint(
        RULE_ID, [(name, row[name]) for name in rule.finding.key]
    )
    assert finding.id == derive_finding_id(finding.fingerprint, generation=1)
    assert (finding.generation, finding.revision, finding.event_count) == (1, 1, 1)
    assert finding.state is FindingState.OPEN
    assert finding.severity is Severity.MEDIUM
    assert finding.title == "OAuth Token Cache Access on gh-runner-04"
    assert (finding.first_seen, finding.last_seen) == (at("16:41"), at("16:41"))
    assert finding.fields == row
    assert finding.decisions == ()
    assert finding.run_id == run.id


def test_build_findings_no_rows_is_a_result() -> None:
    assert build_findings(make_rule(), [], run=make_run()) == []


def test_build_findings_identity_ignores_counts_and_times() -> None:
    rows = [make_row({"eventCount": "9"}, seen="16:41"), make_row(seen="16:44")]

    first, second = build_findings(make_rule(), rows, run=make_run())

    assert first.id == second.id


def test_build_findings_values_shaped_like_keys_are_not_confused() -> None:
    rows = [
        make_row({"user": "a", "image": '","image","b'}),
        make_row({"user": 'a","image","', "image": "b"}),
    ]

    first, second = build_findings(make_rule(), rows, run=make_run())

    assert first.fingerprint != second.fingerprint


def test_build_findings_without_named_times_takes_the_window() -> None:
    rule = make_rule(finding=make_spec(first_seen="", last_seen="", count=""))

    (finding,) = build_findings(rule, [make_row()], run=make_run())

    assert (finding.first_seen, finding.last_seen) == (at("16:40"), at("16:45"))
    assert finding.event_count == 1


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1773160801410", "2026-03-10T16:40:01.410Z"),
        ("1.773160801E12", "2026-03-10T16:40:01Z"),
        ("1773160801410.0", "2026-03-10T16:40:01.410Z"),
        ("2026-03-10T17:40:01+01:00", "2026-03-10T16:40:01Z"),
    ],
)
def test_build_findings_reads_times_as_logscale_prints_them(text: str, instant: str) -> None:
    row = make_row({"firstSeen": text, "lastSeen": text})

    (finding,) = build_findings(make_rule(), [row], run=make_run())

    assert finding.first_seen == parse_instant(instant)


def test_build_findings_unmapped_severity_keeps_the_rules_own() -> None:
    (finding,) = build_findings(make_rule(), [make_row({"riskLabel": "?"})], run=make_run())

    assert finding.severity is Severity.LOW


def test_build_findings_missing_column_names_it_and_what_came() -> None:
    row = make_row()
    del row["tokenSource"], row["firstSeen"]

    with pytest.raises(RuleInvalid) as caught:
        build_findings(make_rule(), [row], run=make_run())

    assert "t1528_token_access returns no tokenSource, firstSeen; it returns aid, Comp" in str(
        caught.value
    )
    assert (
        caught.value.advice == "Add the column to the query, or correct its name under `finding`."
    )


def test_build_findings_key_absent_in_one_row_is_an_empty_value() -> None:
    row = make_row()
    del row["tokenSource"]

    first, second = build_findings(make_rule(), [make_row(), row], run=make_run())

    assert first.fingerprint != second.fingerprint


@pytest.mark.parametrize(
    ("column", "text", "wanted"),
    [
        ("eventCount", "many", "which is not a number"),
        ("eventCount", "NaN", "which is not a number of sensible size"),
        ("eventCount", "1e400", "which is not a number of sensible size"),
        ("firstSeen", "yesterday", "which is not a number"),
        ("lastSeen", "9" * 18, "which is not a time in epoch milliseconds"),
    ],
)
def test_build_findings_unreadable_value_is_refused(column: str, text: str, wanted: str) -> None:
    with pytest.raises(RuleInvalid, match=wanted):
        build_findings(make_rule(), [make_row({column: text})], run=make_run())


def test_build_findings_error_shows_no_secret() -> None:
    with pytest.raises(RuleInvalid) as caught:
        build_findings(
            make_rule(), [make_row({"eventCount": "--token hunter2hunter2"})], run=make_run()
        )

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("template", "title"),
    [
        ("{vector} by {user}", "OAuth Token Cache Access by {0.__class__}"),
        ("{vector.__class__} {vector!r} {vector:>99}", "- - -"),
        ("{absent} {} {{vector}}", "- {} {OAuth Token Cache Access}"),
        ("%s %(user)s {{", "%s %(user)s {{"),
        ("{observedCommandLines}", "one (+1)"),
    ],
)
def test_fill_title_knows_field_names_only(template: str, title: str) -> None:
    row = make_row({"user": "{0.__class__}", "observedCommandLines": "one\ntwo"})

    assert fill_title(template, row) == title


def test_fill_title_long_value_is_cut() -> None:
    title = fill_title("{user}", {"user": "x" * 5_000})

    assert (len(title), title[-1]) == (TITLE_CHARS, "…")
