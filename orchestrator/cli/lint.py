"""`orchestrator lint`: every problem of every rule and query, offline, and the fixes for them."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path

import click

import orchestrator
from orchestrator.app import known_tables
from orchestrator.cli.files import DEFAULT_RULES, STDIN, read_text, replace_text, tree_at
from orchestrator.cli.output import is_coloured, plain
from orchestrator.cql.diagnostics import Level
from orchestrator.cql.fixes import Fixed, fix_query, is_safe
from orchestrator.cql.lint import QueryKind
from orchestrator.cql.render import render, render_place
from orchestrator.cql.span import Position
from orchestrator.rules.check import Tree, find_problems, query_problems
from orchestrator.rules.codes import all_codes
from orchestrator.rules.problems import Problem
from orchestrator.rules.reports import github, sarif

_KINDS = [kind.value for kind in QueryKind]


class LintFormat(StrEnum):
    """How problems are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--format",
    "output_format",
    type=click.Choice([choice.value for choice in LintFormat]),
    default=LintFormat.TEXT.value,
    show_default=True,
    help="text for people; json, a list of objects; sarif 2.1.0; github, workflow commands.",
)
@click.option("--fix", "with_fixes", is_flag=True, help="Apply the safe fixes, then check.")
@click.option("--explain", metavar="CODE", help="Explain one code and stop.")
@click.option(
    "--kind",
    type=click.Choice(_KINDS),
    default=QueryKind.SEARCH.value,
    show_default=True,
    help="Where queries without a rule will run; a rule says so itself.",
)
@click.option("--quiet", "-q", is_flag=True, help="Errors and warnings only, and no summary.")
def lint(
    paths: tuple[Path, ...],
    *,
    output_format: str,
    with_fixes: bool,
    explain: str | None,
    kind: str,
    quiet: bool,
) -> None:
    """Check rules and .cql files, offline: every problem of every file in one run.

    PATHS are rule folders, folders that hold rules or .cql files at any depth, single files, or -
    for a query on standard input; without any, the folder `queries`. Folders whose names begin with
    _ or . are passed over.

    A waiver is a comment in the query, `// lint: allow CODE reason`, or a key of rule.yaml,
    `lint: {allow: [{code: CODE, reason: …}]}`. docs/checks.md lists all codes.

    With --fix and - the query comes back on standard output, and what is left on standard error.

    Exit code 0: no errors (warnings and hints allowed), 1: errors, 2: usage.
    """
    if explain is not None:
        _explain(explain)
        return
    paths, query_kind = paths or (DEFAULT_RULES,), QueryKind(kind)
    trees = [tree_at(path) for path in paths if path != STDIN]
    if with_fixes:
        _fix_files(trees, kind=query_kind, quiet=quiet)
    problems: list[Problem] = []
    for tree in trees:
        problems += find_problems(tree, kind=query_kind, tables=known_tables())
    if STDIN in paths:
        problems += _stdin_problems(kind=query_kind, with_fixes=with_fixes)
    problems = list(dict.fromkeys(problems))
    if quiet:
        problems = [problem for problem in problems if problem.level is not Level.HINT]
    _show(problems, output_format, to_stderr=with_fixes and STDIN in paths)
    if not quiet:
        _summarise(problems, trees, stdin=STDIN in paths)
    if any(problem.level is Level.ERROR for problem in problems):
        sys.exit(1)


def _explain(code: str) -> None:
    known = all_codes()
    found = known.get(code)
    if found is None:
        near = difflib.get_close_matches(code, known, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "docs/checks.md lists them all."
        raise click.UsageError(f"There is no check {code!r}. {hint}")
    fix = "\nIt has a fix.\n" if found.has_fix else ""
    click.echo(
        f"{found.code} ({found.level.value})\n\n{found.about}\n{fix}\nSource: {found.source}"
    )


# --- fixing -------------------------------------------------------------------------------------


def _fix_files(trees: Sequence[Tree], *, kind: QueryKind, quiet: bool) -> None:
    """Rewrite each file that has safe fixes; say on standard error what was done."""
    for tree in trees:
        for file in tree.query_files(kind=kind):
            try:
                text = read_text(file.path)
                fixed = fix_query(text, kind=file.kind, waivers=file.waivers)
                if fixed.applied:
                    replace_text(file.path, fixed.text)
            except (OSError, UnicodeDecodeError) as exc:
                click.echo(f"{plain(str(file.path))}: not fixed: {plain(str(exc))}", err=True)
                continue
            if not quiet:
                _tell_fixes(file.path, fixed)


def _tell_fixes(path: Path, fixed: Fixed) -> None:
    for diagnostic in fixed.applied:
        label = diagnostic.fix.label if diagnostic.fix else ""
        click.echo(f"{plain(str(path))}: fixed {diagnostic.code}: {plain(label)}", err=True)


def _stdin_problems(*, kind: QueryKind, with_fixes: bool) -> list[Problem]:
    try:
        text = read_text(STDIN)
    except UnicodeDecodeError as exc:
        raise click.UsageError(f"Standard input is not UTF-8: {exc}") from exc
    if with_fixes:
        fixed = fix_query(text, kind=kind)
        _tell_fixes(STDIN, fixed)
        text = fixed.text
        click.echo(text, nl=False)
    return query_problems(STDIN, text, kind=kind)


# --- showing ------------------------------------------------------------------------------------


def _show(problems: Sequence[Problem], output_format: str, *, to_stderr: bool) -> None:
    match LintFormat(output_format):
        case LintFormat.JSON:
            shown = json.dumps([problem.to_json() for problem in problems], indent=2)
        case LintFormat.SARIF:
            log = sarif(
                problems, codes=all_codes(), base=Path.cwd(), version=orchestrator.__version__
            )
            shown = json.dumps(log, indent=2)
        case LintFormat.GITHUB:
            shown = "\n".join(github(problems, base=Path.cwd()))
        case LintFormat.TEXT:
            shown = "\n".join(f"{_text(problem)}\n" for problem in problems)
    if shown:
        click.echo(shown, err=to_stderr)


def _text(problem: Problem) -> str:
    path, colour = str(problem.path), is_coloured()
    text = problem.text or _text_of(problem.path)
    diagnostic = problem.pointing_into(text)
    if diagnostic is not None:
        return render(diagnostic, text=text, path=path, colour=colour)
    return render_place(
        level=problem.level,
        code=problem.code,
        message=problem.message,
        help_text=problem.help,
        path=path,
        at=Position(problem.line, problem.column),
        colour=colour,
    )


@cache
def _text_of(path: Path) -> str:
    """Return a rule file's text to point into, empty where it cannot be read: that is told."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _summarise(problems: Sequence[Problem], trees: Sequence[Tree], *, stdin: bool) -> None:
    counts = [_count(sum(p.level is level for p in problems), level.value) for level in Level]
    rules = sum(len(tree.rule_folders) for tree in trees)
    queries = sum(len(tree.bare_files) for tree in trees) + stdin
    checked = [_count(rules, "rule")] if rules else []
    checked += [_count(queries, "query")] if queries else []
    click.echo(f"{', '.join(counts)} in {' and '.join(checked)}", err=True)
    fixable = sum(bool(p.fix_label) and is_safe(p.code, p.level) for p in problems)
    if fixable:
        click.echo(f"{fixable} can be fixed: orchestrator lint --fix", err=True)


def _count(number: int, noun: str) -> str:
    plural = noun.removesuffix("y") + "ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
