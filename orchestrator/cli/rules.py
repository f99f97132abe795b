"""`orchestrator test`: the rules' own cases, offline."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from orchestrator.casework import run_rule_cases
from orchestrator.cli.files import DEFAULT_RULES
from orchestrator.cli.loading import load
from orchestrator.cli.output import emit, format_option, plain
from orchestrator.cql.diagnostics import Level
from orchestrator.errors import CqlError, RuleError
from orchestrator.rules.cases import CaseReport
from orchestrator.rules.load import RULE_FILE

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
