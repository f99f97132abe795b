"""`orchestrator fmt`: files, folders and standard input; nothing half written, nothing hidden."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import fmt as module
from orchestrator.cli.files import replace_text
from orchestrator.cli.main import cli
from tests.unit.rules.making import write_rule

MESSY, NEAT = "a=1|count( )", "a=1\n| count()\n"


def fmt(*arguments: str | Path, text: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["fmt", *map(str, arguments)], input=text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A rule and a bare query, both in need of a layout, and a query that is neat already."""
    write_rule(tmp_path, query=MESSY)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "bare.cql").write_text(MESSY, encoding="utf-8")
    (tmp_path / "deep" / "neat.cql").write_text(NEAT, encoding="utf-8")
    return tmp_path


def test_queries_of_rules_and_bare_ones_are_rewritten(folder: Path) -> None:
    result = fmt(folder)

    assert result.exit_code == 0
    assert (folder / "sample" / "query.cql").read_text(encoding="utf-8") == NEAT
    assert (folder / "deep" / "bare.cql").read_text(encoding="utf-8") == NEAT
    assert result.stdout.splitlines() == [
        f"changed {folder / 'sample' / 'query.cql'}",
        f"changed {folder / 'deep' / 'bare.cql'}",
    ]
    assert fmt(folder).stdout == ""


def test_check_lists_and_changes_nothing(folder: Path) -> None:
    result = fmt("--check", folder)

    assert result.exit_code == 1
    assert result.stdout.count("would change ") == 2
    assert (folder / "deep" / "bare.cql").read_text(encoding="utf-8") == MESSY
    assert fmt("--check", folder / "deep" / "neat.cql").exit_code == 0


def test_diff_shows_the_change_without_colour_in_a_pipe(folder: Path) -> None:
    result = fmt("--diff", folder / "deep" / "bare.cql")

    assert result.exit_code == 1
    assert "-a=1|count( )" in result.stdout
    assert "+| count()" in result.stdout
    assert "\x1b" not in result.stdout
    assert (folder / "deep" / "bare.cql").read_text(encoding="utf-8") == MESSY


def test_diff_is_coloured_on_a_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_coloured", lambda: True)

    result = CliRunner().invoke(cli, ["fmt", "--diff", str(folder / "deep")], color=True)

    assert "\x1b[32m+| count()\x1b[0m" in result.stdout


def test_standard_input_goes_to_standard_output() -> None:
    assert fmt("-", text=MESSY).stdout == NEAT
    assert fmt("-", text=NEAT).stdout == NEAT
    assert fmt("--check", "-", text=MESSY).exit_code == 1
    assert fmt("-", text="a\r\n|b").stdout_bytes == b"a\r\n| b\r\n"


def test_file_with_an_error_is_left_and_the_others_go_on(folder: Path) -> None:
    bad = folder / "deep" / "a.cql"
    bad.write_text("a=1| b == 2", encoding="utf-8")
    (folder / "deep" / "b.cql").write_bytes(b"\xff")

    result = fmt(folder)

    assert result.exit_code == 1
    assert bad.read_text(encoding="utf-8") == "a=1| b == 2"
    assert "error[double-equals]" in result.stderr
    assert "b.cql: 'utf-8' codec can't decode" in result.stderr
    assert (folder / "deep" / "bare.cql").read_text(encoding="utf-8") == NEAT


def test_standard_input_with_an_error_prints_no_query() -> None:
    result = fmt("-", text="a=1| b == 2")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "error[double-equals]" in result.stderr


def test_path_that_does_not_exist_is_a_usage_error() -> None:
    assert fmt("no.cql").exit_code == 2


def test_failed_replacement_leaves_the_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.cql"
    path.write_text(MESSY, encoding="utf-8")

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        replace_text(path, NEAT)

    assert path.read_text(encoding="utf-8") == MESSY
    assert list(tmp_path.iterdir()) == [path]


def test_replacement_keeps_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.cql"
    path.write_text(MESSY, encoding="utf-8")
    path.chmod(0o664)

    replace_text(path, NEAT)

    assert (path.read_text(encoding="utf-8"), path.stat().st_mode & 0o777) == (NEAT, 0o664)


def test_example_in_the_docs_has_the_layout_it_shows() -> None:
    page = Path(__file__).parents[3] / "docs" / "rules.md"
    example = page.read_text(encoding="utf-8").partition("```\n// what")[2].partition("```")[0]

    assert fmt("-", text=f"// what{example}").stdout == f"// what{example}"
