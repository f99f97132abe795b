"""Loading rule folders: every problem of every file in one run, with its place."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.errors import RuleFileError
from tests.unit.rules.making import QUERY, RULE, load, told, write_rule

_KEYS = [
    ("name: Sample", "nmae: Sample", 2, "Did you mean 'name'?"),
    ("  count: n", "  cuont: n", 14, "Did you mean 'count'?"),
    ("      reason: It", "      raeson: It", 20, "Did you mean 'reason'?"),
    ("  enrich:", "  enrihc:", 16, "Did you mean 'enrich'?"),
    ("{every: 15m}", "{every: 15m, dealy: 2m}", 10, "Did you mean 'delay'?"),
    ("{kind: saved-search}", "{kind: saved-search, lables: [x]}", 22, "Did you mean 'labels'?"),
    ("technique: T1087", "technique: T1087, tehcnique: x", 7, "Did you mean 'technique'?"),
]


def test_valid_folder_loads_without_a_problem(tmp_path: Path) -> None:
    write_rule(tmp_path)

    rules = load(tmp_path)

    assert told(rules) == []
    assert [rule.slug for rule in rules.rules] == ["sample"]


def test_length_of_nothing_is_not_taken_for_an_absent_one(tmp_path: Path) -> None:
    text = RULE.replace("{every: 15m}", "{every: 15m, delay: 0s}")
    write_rule(tmp_path, rule=text.replace("  count: n", "  count: n\n  reopen_after: 0s"))

    (rule,) = load(tmp_path).rules

    assert (rule.schedule.delay, rule.finding.reopen_after) == (timedelta(0), timedelta(0))


@pytest.mark.parametrize(("old", "new", "line", "advice"), _KEYS)
def test_unknown_key_is_told_with_the_nearest(
    tmp_path: Path, old: str, new: str, line: int, advice: str
) -> None:
    write_rule(tmp_path, rule=RULE.replace(old, new))

    (problem,) = [p for p in load(tmp_path).problems if p.code == "unknown-key"]

    assert (problem.line, problem.help) == (line, advice)


@pytest.mark.parametrize(
    ("old", "new", "line", "code", "words"),
    [
        ("severity: high", "severity: hihg", 4, "bad-value", "severity cannot be 'hihg'"),
        ("id: 1", "id: x", 1, "bad-value", "id must be a UUID"),
        ("      owner: team@example.com\n", "", 18, "missing-key", "suppress.owner is missing"),
        ("It is known.", "''", 18, "missing-key", "suppress.reason is missing"),
        ("{every: 15m}", "{}", 10, "schedule", "needs either every or cron"),
        ("{every: 15m}", "{cron: 0 0 31 2 *}", 10, "schedule", "cannot be read: Bad day"),
        ("{every: 15m}", "{cron: nonsense}", 10, "schedule", "fields; write five"),
        ("{every: 15m}", "{cron: 0 0 0 * * *}", 10, "schedule", "fields; write five"),
        ("{every: 15m}", "{cron: 61 * * * *}", 10, "schedule", "cannot be read"),
        ("{every: 15m}", "{every: soon}", 10, "bad-value", "every:"),
        ("{every: 15m}", "{every: 15m, lookback: 1h}", 10, "schedule", "lookback"),
        ("[host]\n  supp", "[hosst]\n  supp", 16, "unknown-table", "no fact table 'hosst'"),
        ('host="a*" ', 'hsot="a*" ', 21, "unknown-field", "has a field 'hsot'"),
        ('host="a*" ', 'severity!="low" ', 21, "unknown-field", "has a field 'severity'"),
        ('host="a*" ', "runner.matches=true ", 21, "not-enriched", "'runner' is not looked up"),
        ("host.matches", "host.mathces", 21, "unknown-field", "gives no field 'host.mathces'"),
        ("host.matches", "host.host", 21, "unknown-field", "gives no field 'host.host'"),
        ('host="a*" host.matches=true', '"*"', 21, "broad-suppression", "suppress everything"),
        ('host="a*" host.matches=true', "host=a | n=1", 21, "not-a-condition", "one filter"),
        ("key: [host]", "key: [hots]", 12, "unknown-field", "returns no field 'hots'"),
        ("seen on {host}", "seen on {hsot}", 13, "unknown-field", "has a field 'hsot'"),
        ("saved-search}", "saved-search, lookup_files: [x.csv]}", 22, "lookup-file", "no lookup"),
        ("saved-search}", "saved-search, lookup_files: [../query.cql]}", 22, "lookup-file", "out"),
        (
            "  count: n",
            "  count: n\n  entities: {user: usr}",
            15,
            "unknown-field",
            "no field 'usr'",
        ),
        (
            "  count: n",
            "  count: n\n  severity_from: {field: n}",
            15,
            "missing-key",
            "map is missing",
        ),
    ],
)
def test_wrong_value_is_told_at_its_line_and_the_rule_left_out(
    tmp_path: Path, old: str, new: str, line: int, code: str, words: str
) -> None:
    assert old in RULE
    write_rule(tmp_path, rule=RULE.replace(old, new))

    rules = load(tmp_path)

    assert any((p.line, p.code) == (line, code) and words in p.message for p in rules.problems), (
        rules.problems
    )
    assert rules.rules == ()


def test_title_may_name_a_field_of_a_looked_up_fact(tmp_path: Path) -> None:
    write_rule(tmp_path, rule=RULE.replace("seen on {host}", "seen on {host.role}"))

    assert told(load(tmp_path)) == []


def test_misspelt_field_in_a_suppression_gets_the_nearest(tmp_path: Path) -> None:
    write_rule(tmp_path, rule=RULE.replace('host="a*" ', 'hsot="a*" '))

    (problem,) = load(tmp_path).problems

    assert problem.help == "Did you mean 'host'?"


def test_broken_query_is_told_in_its_own_file_and_line(tmp_path: Path) -> None:
    write_rule(tmp_path, query="name=curl\n| groupBy([host], function=count(as=n)\n")

    rules = load(tmp_path)

    assert {(p.path.name, p.level.value) for p in rules.problems} == {("query.cql", "error")}
    assert rules.problems[0].line in (2, 3)
    assert rules.problems[0].to_json()["path"] == str(tmp_path / "sample" / "query.cql")


def test_all_problems_of_all_files_come_in_one_run(tmp_path: Path) -> None:
    write_rule(tmp_path, "a", rule=RULE.replace("severity: high", "severity: x\nextra: 1"))
    write_rule(tmp_path, "b", query="name=(\n")
    write_rule(tmp_path, "c", rule="a: 1\na: 2\n")

    rules = load(tmp_path)

    assert [(p.path.parent.name, p.line) for p in rules.problems if p.path.name != "query.cql"] == [
        ("a", 4),
        ("a", 5),
        ("c", 2),
    ]
    assert any(p.path.name == "query.cql" for p in rules.problems)
    assert rules.rules == ()
    assert not rules.ok


def test_bad_rule_leaves_the_others_usable(tmp_path: Path) -> None:
    write_rule(tmp_path, "a", rule="- no mapping\n")
    write_rule(tmp_path, "b")

    assert [rule.slug for rule in load(tmp_path).rules] == ["b"]


@pytest.mark.parametrize("name", ["rule.yaml", "query.cql", "runbook.md"])
def test_missing_file_is_told_and_the_rule_left_out(tmp_path: Path, name: str) -> None:
    (write_rule(tmp_path) / name).unlink()
    # A second rule, so that the folder above is not taken for a rule itself.
    rules = load(tmp_path)

    assert (name, 1, "rule-file") in told(rules)
    assert rules.rules == ()


def test_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "secret.cql"
    outside.write_text(QUERY)
    folder = write_rule(tmp_path / "queries")
    (folder / "query.cql").unlink()
    (folder / "query.cql").symlink_to(outside)

    rules = load(tmp_path / "queries")

    assert [p.message for p in rules.problems] == ["the file leads out of the rules' folder."]
    assert rules.rules == ()


def test_same_id_twice_leaves_both_out_and_names_both(tmp_path: Path) -> None:
    write_rule(tmp_path, "a")
    write_rule(tmp_path, "b", rule=RULE.replace("name: Sample", "name: Other"))

    rules = load(tmp_path)

    assert [(p.path.parent.name, p.code) for p in rules.problems] == [
        ("a", "duplicate-rule"),
        ("b", "duplicate-rule"),
    ]
    assert "the id '11111111" in rules.problems[0].message
    assert rules.rules == ()


def test_same_name_twice_leaves_both_out(tmp_path: Path) -> None:
    write_rule(tmp_path, "a")
    write_rule(tmp_path, "b", rule=RULE.replace("id: 1", "id: 2"))

    rules = load(tmp_path)

    assert [p.message.split(" is ")[0] for p in rules.problems] == ["the name 'Sample'"] * 2
    assert rules.rules == ()


def test_folder_that_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match="there is no such folder"):
        load(tmp_path / "none")


def test_text_that_looks_like_a_number_is_kept_as_written(tmp_path: Path) -> None:
    write_rule(tmp_path, rule=RULE.replace("name: Sample", "name: 1.10"))

    assert [rule.name for rule in load(tmp_path).rules] == ["1.10"]


@pytest.mark.parametrize("name", ["rule.yaml", "query.cql", "runbook.md", "lookups/x.csv"])
def test_version_changes_with_each_file_that_the_rule_is_made_of(tmp_path: Path, name: str) -> None:
    folder = write_rule(
        tmp_path, rule=RULE.replace("saved-search}", "saved-search, lookup_files: [x.csv]}")
    )
    (folder / "lookups").mkdir()
    (folder / "lookups" / "x.csv").write_text("a,b\n1,2\n")
    (before,) = load(tmp_path).rules
    path = folder / name
    path.write_text(path.read_text() + "\n")

    (after,) = load(tmp_path).rules

    assert len(before.version) == 12
    assert after.version != before.version


def test_version_stays_where_nothing_changes(tmp_path: Path) -> None:
    write_rule(tmp_path)

    assert load(tmp_path).rules[0].version == load(tmp_path).rules[0].version
