"""A rule's own cases: what fails is told by event and value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.errors import RuleFileError, RuleInvalid
from orchestrator.model.rule import Rule
from orchestrator.rules.cases import CaseReport, Judgement, Row, load_lookups, read_cases, run_cases
from tests.unit.rules.making import load, write_rule

CASES = """\
window: {start: 2026-03-10T00:00:00Z, end: 2026-03-11T00:00:00Z}
feeds:
  - name: feed
    events: events.ndjson
    matched:
      - case: M1
        what: two runs on one host
        malicious: true
        events: [1, 2]
        fields: {host: web, n: "2"}
"""
LINES = [
    json.dumps({"@timestamp": 1773136800000, "@id": n, "name": name, "host": host})
    for n, name, host in [("1", "curl", "web"), ("2", "curl", "web"), ("3", "cat", "web")]
]


def test_cases_that_hold_pass(tmp_path: Path) -> None:
    report = _run(tmp_path)

    assert report.passed
    assert report.events == 3
    assert [(r.case, r.outcome) for r in report.results] == [("M1", "routed")]


def test_wrong_value_is_told_with_both_values(tmp_path: Path) -> None:
    report = _run(tmp_path, cases=CASES.replace('n: "2"', 'n: "7"'))

    assert report.results[0].problems == (
        "event 1: n is '2', not '7'",
        "event 2: n is '2', not '7'",
    )
    assert not report.passed


def test_event_that_is_not_matched_is_told(tmp_path: Path) -> None:
    report = _run(tmp_path, cases=CASES.replace("[1, 2]", "[1, 2, 3]"))

    assert report.results[0].problems == ("event 3 is not matched",)


def test_matched_event_that_no_case_names_is_told(tmp_path: Path) -> None:
    report = _run(tmp_path, cases=CASES.replace("[1, 2]", "[1]"))

    assert [(r.case, r.events, r.problems) for r in report.results] == [
        ("M1", ("1",), ()),
        ("(no case)", ("2",), ("the query matches them",)),
    ]


def test_unexpected_suppression_is_told_by_name(tmp_path: Path) -> None:
    report = _run(tmp_path, suppressed_by="known")

    assert report.results[0].outcome == "suppressed by known"
    assert report.results[0].problems[0] == "event 1: it is malicious, and known hides it"


def test_missing_suppression_is_told_by_name(tmp_path: Path) -> None:
    report = _run(tmp_path, cases=CASES + "        suppressed_by: known\n")

    assert report.results[0].problems[0] == "event 1: suppressed by nothing, not by known"


def test_missing_events_file_raises_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match="the events cannot be read") as caught:
        _run(tmp_path, cases=CASES.replace("events.ndjson", "none.ndjson"))

    assert caught.value.path == tmp_path / "sample" / "none.ndjson"


def test_line_that_is_no_event_raises_with_its_number(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match=r"(:2\b|line 2\b)"):
        _run(tmp_path, lines=[LINES[0], "{not json", LINES[2]])


def test_missing_cases_file_raises(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match="the rule has no cases"):
        read_cases(write_rule(tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("malicious: true", "malicous: true", 8, "Did you mean 'malicious'?"),
        ("start: 2026-03-10T00:00:00Z", "start: soon", 1, "soon"),
        ("[1, 2]", "[]", 9, "a case names the numbers of its events"),
        ("case: M1", "what2: M1", 6, "matched.case is missing"),
    ],
)
def test_wrong_cases_file_raises_with_its_place(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    folder = write_rule(tmp_path)
    (folder / "cases.yaml").write_text(CASES.replace(old, new))

    with pytest.raises(RuleInvalid) as caught:
        read_cases(folder)

    assert caught.value.line == line
    assert words in str(caught.value)


def test_duplicate_key_in_a_cases_file_raises_with_its_line(tmp_path: Path) -> None:
    folder = write_rule(tmp_path)
    (folder / "cases.yaml").write_text(CASES + "feeds: []\n")

    with pytest.raises(RuleFileError, match="stands twice") as caught:
        read_cases(folder)

    assert caught.value.line == 11


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("hosts.csv", "host,role\nweb,front\n"),
        ("hosts.json", '[{"host": "web", "role": "front"}]'),
        ("hosts.json", '{"web": {"role": "front"}}'),
    ],
)
def test_lookups_are_read_by_their_kind(tmp_path: Path, name: str, content: str) -> None:
    folder = write_rule(tmp_path)
    (folder / name).write_text(content)
    (folder / "events.ndjson").write_text("\n".join(LINES) + "\n")
    (folder / "cases.yaml").write_text(f"{CASES}lookups: {{{name}: {name}}}\n")

    tables = load_lookups(read_cases(folder))

    assert tables[name].need(["host"], file=name).frame.to_dicts() == [
        {"host": "web", "role": "front"}
    ]


def _run(
    root: Path, *, cases: str = CASES, lines: Sequence[str] = LINES, suppressed_by: str = ""
) -> CaseReport:
    folder = write_rule(root)
    (folder / "cases.yaml").write_text(cases)
    (folder / "events.ndjson").write_text("\n".join(lines) + "\n")
    (rule,) = load(root).rules

    def judge(rule: Rule, rows: Sequence[Row]) -> list[Judgement]:
        return [Judgement(suppressed_by=suppressed_by) for _ in rows]

    return run_cases(rule, folder, judge=judge)
