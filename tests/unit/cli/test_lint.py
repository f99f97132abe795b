"""`orchestrator lint`: forms, fixes, exit codes; bad input of every kind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli.main import cli
from tests.unit.rules.making import RULE, write_rule

CONTRACT = {
    "path", "line", "column", "end_line", "end_column", "level", "code", "message", "fix",
}  # fmt: skip


def lint(*arguments: str | Path, text: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["lint", *map(str, arguments)], input=text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A rule with problems in both of its files, and a bare query with a fix."""
    write_rule(tmp_path, rule=RULE.replace("name: Sample", "nmae: Sample"), query="a == 1")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "bare.cql").write_text("b == 2\r\n", encoding="utf-8", newline="")
    return tmp_path


def test_json_objects_have_exactly_the_contract_keys(folder: Path) -> None:
    result = lint("--format", "json", folder)

    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert {Path(item["path"]).name for item in found} == {"rule.yaml", "query.cql", "bare.cql"}
    assert all(set(item) == CONTRACT for item in found)


def test_json_fix_has_its_label_and_its_edits() -> None:
    (found,) = json.loads(lint("--format", "json", "-", text="a=1\n| b == 2").stdout)

    assert found["fix"] == {
        "label": "compare with =",
        "edits": [{"line": 2, "column": 5, "end_line": 2, "end_column": 7, "text": "="}],
    }


def test_json_of_a_rule_file_has_one_place_and_no_fix(folder: Path) -> None:
    found = json.loads(lint("--format", "json", folder / "sample").stdout)

    (unknown,) = [item for item in found if item["code"] == "unknown-key"]
    assert (unknown["line"], unknown["column"]) == (2, 1)
    assert (unknown["end_line"], unknown["end_column"]) == (2, 1)
    assert unknown["fix"] is None


def test_sarif_and_github_are_printed_whole(folder: Path) -> None:
    log = json.loads(lint("--format", "sarif", folder).stdout)
    lines = lint("--format", "github", folder).stdout.splitlines()

    assert len(log["runs"][0]["results"]) == len(lines)
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in lines)


def test_problem_of_a_rule_file_shows_its_line(folder: Path) -> None:
    shown = lint(folder / "sample").stdout

    assert (
        f"  --> {folder / 'sample' / 'rule.yaml'}:2:1\n"
        "  |\n"
        "2 | nmae: Sample\n"
        "  | ^^^^\n"
        "  = help: Did you mean 'name'?\n"
    ) in shown


def test_problem_of_a_file_that_is_not_there_has_its_place_alone(folder: Path) -> None:
    (folder / "sample" / "runbook.md").unlink()

    shown = lint(folder / "sample").stdout

    assert f" --> {folder / 'sample' / 'runbook.md'}:1:1\n" in shown


def test_summary_counts_and_names_the_fixes(folder: Path) -> None:
    result = lint(folder)

    assert "in 1 rule and 1 query" in result.stderr
    assert "2 can be fixed: orchestrator lint --fix" in result.stderr


def test_quiet_says_neither_hints_nor_a_summary() -> None:
    result = lint("--quiet", "-", text="groupby(a)")

    assert (result.exit_code, result.output) == (0, "")


def test_fix_rewrites_files_and_lints_what_is_left(folder: Path) -> None:
    bare = folder / "deep" / "bare.cql"
    bare.chmod(0o640)

    result = lint("--fix", folder)

    assert bare.read_bytes() == b"b = 2\r\n"
    assert bare.stat().st_mode & 0o777 == 0o640
    assert (folder / "sample" / "query.cql").read_text() == "a = 1"
    assert f"{bare}: fixed double-equals: compare with =" in result.stderr
    assert "double-equals" not in result.stdout
    assert result.exit_code == 1, "the key of rule.yaml is still wrong"
    assert [path.name for path in bare.parent.iterdir()] == ["bare.cql"], "no draft is left"


def test_fix_of_standard_input_prints_the_query_alone() -> None:
    result = lint("--fix", "-", text="a == 1 | groupby(b)")

    assert result.stdout == "a = 1 | groupBy(b)"
    assert "default-limit" in result.stderr
    assert result.exit_code == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_fix_in_a_folder_that_refuses_says_so(folder: Path) -> None:
    (folder / "deep").chmod(0o500)

    result = lint("--fix", folder / "deep")
    (folder / "deep").chmod(0o700)

    assert "not fixed" in result.stderr
    assert result.exit_code == 1


def test_fix_keeps_a_link_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("a == 1", encoding="utf-8")
    link = tmp_path / "link.cql"
    link.symlink_to("real")

    lint("--fix", link)

    assert link.is_symlink()
    assert (tmp_path / "real").read_text(encoding="utf-8") == "a = 1"


def test_kind_is_that_of_bare_queries() -> None:
    result = lint("--kind", "filter-alert", "-", text="count()")

    assert "alert-aggregation" in result.stdout
    assert result.exit_code == 1


@pytest.mark.parametrize("code", ["infix-in", "default-limit", "stale-waiver", "unknown-key"])
def test_explain_knows_codes_of_every_origin(code: str) -> None:
    result = lint("--explain", code)

    assert result.exit_code == 0
    assert result.output.startswith(f"{code} (")
    assert "Source: " in result.output


def test_explain_names_the_nearest_code() -> None:
    result = lint("--explain", "infix-inn")

    assert result.exit_code == 2
    assert "Did you mean infix-in" in result.output


@pytest.mark.parametrize(
    ("arguments", "text", "words"),
    [
        (["no.cql"], None, "no.cql cannot be read"),
        (["-"], b"\xff", "not UTF-8"),
        (["--kind", "x", "-"], "", "Invalid value"),
        (["--format", "x", "-"], "", "Invalid value"),
    ],
)
def test_usage_errors_are_exit_code_2(
    arguments: list[str], text: str | bytes | None, words: str
) -> None:
    result = lint(*arguments, text=text)

    assert result.exit_code == 2
    assert words in result.output


def test_folder_with_nothing_to_check_is_a_usage_error(tmp_path: Path) -> None:
    result = lint(tmp_path)

    assert result.exit_code == 2
    assert "There is no rule and no .cql file below" in result.output


def test_file_that_is_not_utf8_is_one_problem_among_the_others(folder: Path) -> None:
    (folder / "deep" / "bad.cql").write_bytes(b"\xff\xfe\x00")

    result = lint(folder / "deep")

    assert "error[rule-file]: the file cannot be read" in result.stdout
    assert "double-equals" in result.stdout


def test_hostile_file_name_cannot_redraw_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2J\n.cql").write_text("a == 1", encoding="utf-8")

    result = lint(tmp_path)

    assert "\x1b" not in result.output
    assert "a\\u001b[2J\\u000a.cql:1:3" in result.stdout


def test_same_file_named_twice_is_told_once(folder: Path) -> None:
    bare = folder / "deep" / "bare.cql"

    once, twice = lint("--format", "json", bare), lint("--format", "json", bare, bare)

    assert json.loads(once.stdout) == json.loads(twice.stdout)
