"""SARIF and GitHub's workflow commands: the shape that others read, and hostile names."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from orchestrator.cql.lint import QueryKind
from orchestrator.rules.check import query_problems
from orchestrator.rules.codes import all_codes
from orchestrator.rules.problems import Problem
from orchestrator.rules.reports import Json, github, sarif

BASE = Path("/project")


def problems(path: str, text: str = "a=1\n| b == 2\n| groupby(c)") -> list[Problem]:
    return query_problems(Path(path), text, kind=QueryKind.SEARCH)


def run_of(found: list[Problem]) -> Json:
    log = sarif(found, codes=all_codes(), base=BASE, version="1.2.3")
    assert log["version"] == "2.1.0"
    (run,) = cast("list[Json]", log["runs"])
    return run


def results_of(found: list[Problem]) -> list[Json]:
    return cast("list[Json]", run_of(found)["results"])


def test_sarif_result_has_rule_level_region_and_fix() -> None:
    assert results_of(problems("q/a b.cql"))[0] == {
        "ruleId": "double-equals",
        "ruleIndex": 1,
        "level": "error",
        "message": {
            "text": "A filter compares with a single `=`; `==` is an expression's. "
            "Write `=`, or `test(a == b)` to compare two fields."
        },
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "q/a%20b.cql", "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": 2, "startColumn": 5, "endLine": 2, "endColumn": 7},
                }
            }
        ],
        "fixes": [
            {
                "description": {"text": "compare with ="},
                "artifactChanges": [
                    {
                        "artifactLocation": {"uri": "q/a%20b.cql", "uriBaseId": "%SRCROOT%"},
                        "replacements": [
                            {
                                "deletedRegion": {
                                    "startLine": 2,
                                    "startColumn": 5,
                                    "endLine": 2,
                                    "endColumn": 7,
                                },
                                "insertedContent": {"text": "="},
                            }
                        ],
                    }
                ],
            }
        ],
    }


def test_sarif_rules_carry_their_help_and_results_point_at_them() -> None:
    run = run_of(problems("q.cql"))
    driver = cast("Json", cast("Json", run["tool"])["driver"])
    rules = cast("list[Json]", driver["rules"])

    assert driver["version"] == "1.2.3"
    assert [rule["id"] for rule in rules] == ["default-limit", "double-equals", "function-spelling"]
    assert rules[0]["defaultConfiguration"] == {"level": "note"}
    assert all_codes()["double-equals"].about in str(rules[1]["help"])
    for result in cast("list[Json]", run["results"]):
        assert rules[cast("int", result["ruleIndex"])]["id"] == result["ruleId"]


def test_sarif_path_outside_the_folder_is_a_whole_uri() -> None:
    assert "'uri': 'file:///else/q.cql'" in str(results_of(problems("/else/q.cql"))[0])
    assert "'uri': 'stdin'" in str(results_of(problems("-"))[0])
    assert "'uri': 'a%3Ab%23c%3F.cql'" in str(results_of(problems("a:b#c?.cql"))[0])
    assert "'uri': 'a%FF.cql'" in str(results_of(problems("a\udcff.cql"))[0])


def test_sarif_of_nothing_has_no_results() -> None:
    assert results_of([]) == []


def test_github_command_has_place_title_and_message() -> None:
    assert github(problems("q/a.cql"), base=BASE)[0] == (
        "::error file=q/a.cql,line=2,endLine=2,col=5,endColumn=7,title=double-equals::"
        "A filter compares with a single `=`; `==` is an expression's. "
        "Write `=`, or `test(a == b)` to compare two fields."
    )


def test_github_levels() -> None:
    found = github(problems("q.cql", "foo(a) | groupby(b) | c == 1"), base=BASE)

    assert {line.split(" ")[0] for line in found} == {"::error", "::warning", "::notice"}


def test_github_command_cannot_be_left_by_a_file_name_or_a_message() -> None:
    name = "a%\r\n::error::x,line=9:y\udcff.cql"

    found = github(problems(name, 'x := "\r\n::set-output name=a::b" == case(a)'), base=BASE)

    for line in found:
        assert "\n" not in line
        assert "\r" not in line
        head = line.partition(" ")[2].partition(",line=")[0]
        assert head == "file=a%25%0D%0A%3A%3Aerror%3A%3Ax%2Cline=9%3Ay?.cql"
        line.encode("utf-8")
