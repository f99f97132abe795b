"""The root command, its help and its errors; commands that need no server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli.main import COMMANDS, cli
from orchestrator.cli.reference import reference
from orchestrator.terminal import plain

ROOT = Path(__file__).parents[3]
BROKEN = '#event_simpleName in ("a")\n| where x=1\n'


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_help_and_stands_in_the_manual(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])

    assert result.exit_code == 0
    assert "Usage:" in result.output
    assert f"## orchestrator {name}\n" in (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def test_manual_is_what_the_commands_say() -> None:
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == reference()


def test_unknown_command_names_the_nearest() -> None:
    result = CliRunner().invoke(cli, ["deplyo"])

    assert result.exit_code == 2
    assert "Did you mean 'deploy'?" in result.output


def test_help_imports_no_command_module() -> None:
    code = (
        "import sys; from orchestrator.cli.main import cli\n"
        "try: cli(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted(m for m in sys.modules if m.startswith('orchestrator.') or m == 'polars'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout.splitlines()[-1] == str(
        ["orchestrator.cli", "orchestrator.cli.main", "orchestrator.errors"]
    )


def test_lint_json_is_the_contract() -> None:
    result = CliRunner().invoke(cli, ["lint", "--format", "json", "-"], input=BROKEN)

    assert result.exit_code == 1
    first = json.loads(result.stdout)[0]
    assert set(first) == {
        "path", "line", "column", "end_line", "end_column", "level", "code", "message", "fix",
    }  # fmt: skip
    assert (first["line"], first["column"], first["code"]) == (1, 1, "infix-in")


def test_lint_text_shows_place_caret_and_help() -> None:
    result = CliRunner().invoke(cli, ["lint", "-"], input=BROKEN)

    assert "error[foreign-word]" in result.output
    assert "2 | | where x=1" in result.output
    assert "= help:" in result.output


def test_lint_explains_a_check_and_refuses_an_unknown_one() -> None:
    known = CliRunner().invoke(cli, ["lint", "--explain", "foreign-word"])
    unknown = CliRunner().invoke(cli, ["lint", "--explain", "no-such"])

    assert known.exit_code == 0
    assert known.output.startswith("foreign-word (error)")
    assert unknown.exit_code == 2
    assert "There is no check 'no-such'" in unknown.output


def test_lint_and_test_of_the_shipped_rules_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    linted = CliRunner().invoke(cli, ["lint"])
    tested = CliRunner().invoke(cli, ["test", "--format", "json"])

    assert linted.exit_code == 0
    assert tested.exit_code == 0
    results = json.loads(tested.stdout)
    assert {result["result"] for result in results} == {"ok"}
    assert len(results) == 62


def test_missing_settings_file_is_exit_code_3(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "-c", str(tmp_path / "no.toml"), "runs", "list"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert done.returncode == 3
    assert "does not exist" in done.stderr
    assert "config.example.toml" in done.stderr


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone", "\\u001b[2Jgone"),
        ("a\nb", "a↵b"),
        ("evil\u202etxt.exe", "evil\\u202etxt.exe"),
        ("straße 🙂", "straße 🙂"),
    ],
)
def test_plain_makes_what_could_redraw_a_terminal_visible(text: str, shown: str) -> None:
    assert plain(text) == shown
