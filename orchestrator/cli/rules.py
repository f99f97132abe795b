"""`orchestrator lint` and `orchestrator test`: rules and bare queries, offline."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from orchestrator.casework import run_rule_cases
from orchestrator.cli.loading import load
from orchestrator.cli.output import console, emit, format_option, plain
from orchestrator.cql.diagnostics import Level
from orchestrator.cql.lint import CHECKS, QueryKind
from orchestrator.cql.lint import lint as lint_query
from orchestrator.cql.render import render
from orchestrator.cql.span import LineIndex
from orchestrator.errors import CqlError, RuleError
from orchestrator.rules.cases import CaseReport
from orchestrator.rules.load import RULE_FILE
from orchestrator.rules.problems import Problem

DEFAULT_RULES = Path("queries")
_CASE_COLUMNS = {
    "rule": "RULE",
    "case": "CASE",
    "feed": "FEED",
    "events": "EVENTS",
    "result": "RESULT",
    "outcome": "OUTCOME",
    "problems": "PROBLEMS",
}


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text for people; json, a list of objects, for programs.",
)
@click.option("--explain", metavar="CODE", help="Explain one check and stop.")
def lint(paths: tuple[Path, ...], output_format: str, explain: str | None) -> None:
    """Check rules and .cql files, offline: every problem of every file in one run.

    PATHS are rule folders, folders of them, .cql files, or - for a query on standard input; without
    any, the folder `queries`. A waiver is a comment in the query: `// lint: allow CODE reason`.

    Exit code 0: no errors (warnings and hints allowed), 1: errors.
    """
    if explain is not None:
        _explain(explain)
        return
    problems = [problem for path in paths or (DEFAULT_RULES,) for problem in _problems(path)]
    if output_format == "json":
        click.echo(json.dumps([problem.to_json() for problem in problems], indent=2))
    else:
        _show(problems)
    if any(problem.level is Level.ERROR for problem in problems):
        sys.exit(1)


def _explain(code: str) -> None:
    check = next((check for check in CHECKS if check.code == code), None)
    if check is None:
        known = ", ".join(sorted(check.code for check in CHECKS))
        raise click.UsageError(f"There is no check {code!r}. Known: {known}.")
    click.echo(f"{check.code} ({check.level.value})\n\n{check.about}\n\nSource: {check.source}")


def _problems(path: Path) -> Sequence[Problem]:
    if str(path) == "-":
        return _query_problems(path, sys.stdin.read())
    if path.is_dir():
        return load(path).problems
    try:
        return _query_problems(path, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise click.UsageError(f"{path} cannot be read: {exc}") from exc


def _query_problems(path: Path, text: str) -> list[Problem]:
    index = LineIndex(text)
    return [
        Problem(
            path=path,
            line=index.position(diagnostic.span.start).line,
            column=index.position(diagnostic.span.start).column,
            level=diagnostic.level,
            code=diagnostic.code,
            message=diagnostic.message,
            text=text,
            diagnostic=diagnostic,
        )
        for diagnostic in lint_query(text, kind=QueryKind.SEARCH)
    ]


def _show(problems: Sequence[Problem]) -> None:
    colour = sys.stdout.isatty() and console().color_system is not None
    for problem in problems:
        if problem.diagnostic is not None:
            text = render(
                problem.diagnostic, text=problem.text, path=str(problem.path), colour=colour
            )
            click.echo(f"{text}\n")
        else:
            place = f"{problem.path}:{problem.line}:{problem.column}"
            click.echo(f"{problem.level.value}[{problem.code}]: {plain(problem.message)}")
            click.echo(f"  --> {place}")
            if problem.help:
                click.echo(f"  = help: {plain(problem.help)}")
            click.echo()
    counts = {level: sum(p.level is level for p in problems) for level in Level}
    click.echo(
        f"{counts[Level.ERROR]} errors, {counts[Level.WARNING]} warnings, "
        f"{counts[Level.HINT]} hints",
        err=True,
    )


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@format_option
def test(paths: tuple[Path, ...], output_format: str) -> None:
    """Run the rules' own cases through the local engine and the sample inventory, offline.

    PATHS are rule folders or folders of them; without any, the folder `queries`. Each case says of
    some events whether the query matches them, with which values, and which suppression, if any,
    keeps them.

    Exit code 1: a rule cannot be loaded, or a case does not hold.
    """
    reports: list[CaseReport] = []
    failed = False
    for path in paths or (DEFAULT_RULES,):
        loaded = load(path)
        for problem in loaded.problems:
            if problem.level is Level.ERROR:
                failed = True
                click.echo(f"{problem.path}:{problem.line}: {plain(problem.message)}", err=True)
        for rule in loaded.rules:
            folder = path if (path / RULE_FILE).exists() else path / rule.slug
            try:
                reports.append(run_rule_cases(rule, folder))
            except (RuleError, CqlError) as exc:
                failed = True
                click.echo(f"{rule.slug}: {exc}", err=True)
    _show_cases(reports, output_format)
    if failed or not all(report.passed for report in reports):
        sys.exit(1)


def _show_cases(reports: Sequence[CaseReport], output_format: str) -> None:
    rows: list[dict[str, object]] = [
        {
            "rule": result.rule,
            "case": result.case,
            "feed": result.feed,
            "events": ",".join(result.events),
            "what": result.what,
            "result": "ok" if result.passed else "FAILED",
            "outcome": result.outcome,
            "problems": "; ".join(result.problems),
        }
        for report in reports
        for result in report.results
    ]
    shown = rows if output_format != "table" else [r for r in rows if r["result"] != "ok"]
    if shown or output_format != "table":
        emit(shown, columns=_CASE_COLUMNS, output_format=output_format, empty="")
    for report in reports:
        passed = sum(result.passed for result in report.results)
        click.echo(
            f"{report.rule}: {passed} of {len(report.results)} cases hold, {report.events} events",
            err=True,
        )
