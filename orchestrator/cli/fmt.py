"""`orchestrator fmt`: the one layout of a query, for files, folders and standard input."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from orchestrator.cli.files import DEFAULT_RULES, STDIN, read_text, replace_text, tree_at
from orchestrator.cli.output import is_coloured, plain
from orchestrator.cql.diagnostics import Level
from orchestrator.cql.format import format_query
from orchestrator.cql.lint import QueryKind
from orchestrator.cql.parser import parse
from orchestrator.cql.render import render

_TAB = 4
_TONES = {"+": "green", "-": "red", "@": "cyan"}


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--check", "is_check", is_flag=True, help="Change nothing; list what would change.")
@click.option("--diff", "is_diff", is_flag=True, help="Change nothing; show what would change.")
def fmt(paths: tuple[Path, ...], *, is_check: bool, is_diff: bool) -> None:
    """Lay queries out: one step a line, lines of 100 columns, comments kept, the meaning never
    touched.

    PATHS are .cql files, rule folders, folders that hold either at any depth, or - for standard
    input to standard output; without any, the folder `queries`.

    A file with syntax errors is left as it is and its first error shown; the others go on.

    Exit code 0: done, or nothing to do; 1: something would change (--check, --diff) or has errors.
    """
    changed, failed = 0, False
    for path in _files(paths or (DEFAULT_RULES,)):
        try:
            text = read_text(path)
            laid = _laid_out(text, path)
            if laid is None:
                failed = True
            elif path == STDIN and not is_check and not is_diff:
                click.echo(laid, nl=False)
            elif laid != text:
                changed += 1
                _tell(path, text, laid, is_check=is_check, is_diff=is_diff)
        except (OSError, UnicodeDecodeError) as exc:
            failed = True
            click.echo(f"{plain(str(path))}: {plain(str(exc))}", err=True)
    if failed or (changed and (is_check or is_diff)):
        sys.exit(1)


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield each file once, in the order of the arguments."""
    seen: set[Path] = set()
    for path in paths:
        found = [path]
        if path != STDIN:
            found = [file.path for file in tree_at(path).query_files(kind=QueryKind.SEARCH)]
        yield from (file for file in found if file not in seen)
        seen.update(found)


def _laid_out(text: str, path: Path) -> str | None:
    """Return the text in its layout; None, with its first error shown, if it has one."""
    parsed = parse(text)
    for found in parsed.diagnostics:
        if found.level is Level.ERROR:
            shown = render(found, text=text, path=str(path), colour=False)
            click.echo(f"{shown}\n", err=True)
            return None
    return format_query(parsed.query)


def _tell(path: Path, text: str, laid: str, *, is_check: bool, is_diff: bool) -> None:
    """Show or write one change."""
    if is_diff:
        _show_diff(path, text, laid)
    elif is_check:
        click.echo(f"would change {plain(str(path))}")
    else:
        replace_text(path, laid)
        click.echo(f"changed {plain(str(path))}")


def _show_diff(path: Path, text: str, laid: str) -> None:
    name, colour = plain(str(path)), is_coloured()
    lines = difflib.unified_diff(
        text.split("\n"), laid.split("\n"), name, f"{name} (laid out)", lineterm=""
    )
    for line in lines:
        shown = plain(line.rstrip("\r").expandtabs(_TAB))
        click.echo(click.style(shown, fg=_TONES.get(line[:1])) if colour else shown)
