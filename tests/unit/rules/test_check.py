"""What there is to check below a path, and waivers of a rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cql.lint import QueryKind, Waiver
from orchestrator.inventory.tables import TABLES
from orchestrator.rules.check import find_problems, find_tree
from tests.unit.rules.making import QUERY, RULE, load, told, write_rule

HINTED = "#type=x name=curl\n| groupBy([host], function=count(as=n))\n"
ALLOWED = RULE + "lint:\n  allow:\n    - {code: default-limit, reason: few hosts}\n"


def codes_of(path: Path, *, kind: QueryKind = QueryKind.SEARCH) -> list[tuple[str, str]]:
    problems = find_problems(find_tree(path), kind=kind, tables=TABLES)
    return [(p.path.name, p.code) for p in problems]


def test_rules_and_bare_files_are_found_at_any_depth(tmp_path: Path) -> None:
    rule = write_rule(tmp_path / "team" / "more")
    bare = [tmp_path / "a.cql", tmp_path / "team" / "b.cql", rule / "helper.cql"]
    for path in (*bare, tmp_path / "notes.txt", tmp_path / ".git" / "c.cql", tmp_path / "_old.cql"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("a=1", encoding="utf-8")

    tree = find_tree(tmp_path)

    assert tree.rule_folders == (rule,)
    assert tree.bare_files == tuple(sorted(bare))


def test_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a.cql").write_text("a=1", encoding="utf-8")
    (tmp_path / "in" / "deep" / "loop").symlink_to(tmp_path / "in")

    assert len(find_tree(tmp_path / "in").bare_files) == 1


@pytest.mark.parametrize("name", ["query.cql", "rule.yaml"])
def test_file_of_a_rule_stands_for_its_rule(tmp_path: Path, name: str) -> None:
    rule = write_rule(tmp_path)

    assert find_tree(rule / name).rule_folders == (rule,)


def test_query_without_a_rule_is_of_the_kind_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.cql"
    path.write_text("count()", encoding="utf-8")

    assert codes_of(path) == []
    assert codes_of(path, kind=QueryKind.FILTER_ALERT) == [("a.cql", "alert-aggregation")]


def test_problems_of_all_files_come_in_one_run_by_place(tmp_path: Path) -> None:
    write_rule(tmp_path, rule=RULE.replace("name: Sample", "nmae: Sample"), query="a == 1")
    (tmp_path / "z.cql").write_bytes(b"\xff\xfe")

    found = codes_of(tmp_path)

    assert ("rule.yaml", "unknown-key") in found
    assert ("query.cql", "double-equals") in found
    assert found[-1] == ("z.cql", "rule-file")


def test_query_file_of_a_rule_has_its_kind_and_waivers(tmp_path: Path) -> None:
    alert = ALLOWED.replace("{kind: saved-search}", "{kind: filter-alert}")
    write_rule(tmp_path, rule=alert)

    (file,) = find_tree(tmp_path).query_files(kind=QueryKind.SEARCH)

    assert file.kind is QueryKind.FILTER_ALERT
    assert file.waivers == (Waiver(code="default-limit", reason="few hosts"),)


def test_query_file_beside_a_broken_rule_is_still_there(tmp_path: Path) -> None:
    write_rule(tmp_path, rule="a: [")

    (file,) = find_tree(tmp_path).query_files(kind=QueryKind.SEARCH)

    assert (file.kind, file.waivers) == (QueryKind.SEARCH, ())


def test_waiver_of_a_rule_silences_its_check(tmp_path: Path) -> None:
    write_rule(tmp_path / "without", query=HINTED)
    write_rule(tmp_path / "with", rule=ALLOWED, query=HINTED)

    assert told(load(tmp_path / "without")) == [("query.cql", 2, "default-limit")]
    assert told(load(tmp_path / "with")) == []


@pytest.mark.parametrize(
    ("entry", "code", "words"),
    [
        ("{code: default-limit}", "missing-key", "allow.reason is missing"),
        ("{reason: so}", "missing-key", "allow.code is missing"),
        ("{code: default-limit, reason: ''}", "missing-key", "allow.reason is missing"),
        ("{code: default-limit, reason: so}", "stale-waiver", "silences nothing in this query"),
        ("{code: defualt-limit, reason: so}", "unknown-check", "no check 'defualt-limit'"),
        ("{code: infix-in, reason: so}", "not-waivable", "'infix-in' cannot be waived"),
        ("{code: default-limit, reason: so, why: x}", "unknown-key", "no key 'why'"),
        ("default-limit", "not-a-mapping", "allow must be a mapping"),
    ],
)
def test_waiver_that_is_wrong_is_told_where_it_stands(
    tmp_path: Path, entry: str, code: str, words: str
) -> None:
    write_rule(tmp_path, rule=f"{RULE}lint:\n  allow:\n    - {entry}\n", query=QUERY)

    problems = [p for p in load(tmp_path).problems if p.code == code]

    assert words in problems[0].message
    assert (problems[0].path.name, problems[0].line) == ("rule.yaml", 25)
