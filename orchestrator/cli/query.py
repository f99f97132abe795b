"""`orchestrator query`: CQL over event files on this machine, no account needed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import click

from orchestrator.cli.output import emit, format_option, plain
from orchestrator.cli.query_inputs import (
    context_of,
    files_of,
    lookups_of,
    pairs,
    providers_of,
    saved_of,
)
from orchestrator.cli.rows import RowFormat, print_rows, shortened
from orchestrator.cql.catalogue import functions as catalogue
from orchestrator.cql.diagnostics import Diagnostic, Level
from orchestrator.cql.nodes import Query, SavedQuery
from orchestrator.cql.parser import parse
from orchestrator.cql.render import render
from orchestrator.cql.span import Span
from orchestrator.cql.walk import walk
from orchestrator.engine.context import Context
from orchestrator.engine.scan.explain import Explained, explain
from orchestrator.engine.scan.plan import plan_scan
from orchestrator.engine.scan.run import ScanResult, scan_query
from orchestrator.engine.sources.files import EventFile
from orchestrator.engine.support import support_of
from orchestrator.errors import CqlError, CqlUnsupported

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C stopped, as shells have it."""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def query() -> None:
    """Run CQL over event files, and see what the local engine can run."""


@query.command()
@click.argument("text", metavar="QUERY|FILE|-")
@click.option(
    "--events",
    "-e",
    "paths",
    multiple=True,
    metavar="PATH",
    help="File, folder or pattern of NDJSON (plain, gzip, zstd) or Parquet; repeatable.",
)
@click.option("--start", metavar="TIME", help="First time of the window.  [default: the first]")
@click.option("--end", metavar="TIME", help="End of the window, not in it.  [default: the last]")
@click.option("--now", metavar="TIME", help="What now() is, and 24h counts from.")
@click.option("--ingest-time", is_flag=True, help="The window bounds @ingesttimestamp.")
@click.option("--arg", "arguments", multiple=True, metavar="NAME=VALUE", help="Value of ?NAME.")
@click.option(
    "--lookup",
    "lookups",
    multiple=True,
    metavar="[NAME=]FILE",
    help="CSV or JSON file for match() and readFile(), by its name or NAME.",
)
@click.option(
    "--saved",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of NAME.cql files, for $NAME().",
)
@click.option("--geoip", type=_FILE, help="MaxMind City file, for ipLocation() and worldMap().")
@click.option("--asn", type=_FILE, help="MaxMind ASN file, for asn().")
@click.option(
    "--iocs",
    type=_FILE,
    help="CSV or JSON of type, indicator, confidence and more, for ioc:lookup().",
)
@click.option("--host-names", type=_FILE, help="CSV or JSON of ip and name, for reverseDns().")
@click.option(
    "--format",
    "output_format",
    type=click.Choice([choice.value for choice in RowFormat]),
    default=RowFormat.TABLE.value,
    show_default=True,
    help="table for people; json, ndjson or csv for programs.",
)
@click.option("--limit", type=click.IntRange(min=0), help="Most rows printed, 0 for all.")
@click.option("--exact-csv", is_flag=True, help="Do not defuse cells that begin a formula.")
@click.option("--explain", "explains", is_flag=True, help="Show what would be read, and stop.")
def run(
    text: str,
    paths: tuple[str, ...],
    start: str | None,
    end: str | None,
    now: str | None,
    ingest_time: bool,
    arguments: tuple[str, ...],
    lookups: tuple[str, ...],
    saved: Path | None,
    geoip: Path | None,
    asn: Path | None,
    iocs: Path | None,
    host_names: Path | None,
    output_format: str,
    limit: int | None,
    exact_csv: bool,
    explains: bool,
) -> None:
    r"""Run a query over event files.

    QUERY is the query itself, a file that holds it, or - for standard input. TIME is a time such as
    2026-03-10T02:00:00Z, epoch milliseconds, now, or a duration back from now such as 24h. Without
    a window every event counts.

    Files larger than memory are fine: a line is parsed only if the query may keep its event, and
    only the fields that the query reads are kept. Of lines that cannot match, only those are
    counted as broken that do not look like a JSON object from both ends.

    \b
    Examples:
      orchestrator query run 'count()' --events day.ndjson.gz
      orchestrator query run 'UserName=* | top(UserName)' -e 'logs/2026-03-*/*.gz' --start 24h
      orchestrator query run queries/t1528_token_access/query.cql -e fdr/ \
          --lookup aid_master_main.csv --format ndjson
      orchestrator query run 'ComputerName=?host' -e day.parquet --arg host=web-07 --format csv
      orchestrator query run 'RemotePort=443 | groupBy(aid)' -e day.ndjson --explain

    Rows go to standard output; warnings, broken lines and progress to standard error. Exit codes:
    0 done (rows or none), 2 a file or an option, 5 the query, with its place, 130 interrupted.
    """
    source = _query_text(text)
    try:
        tree = _parsed(source)
        if explains:
            plan = plan_scan(tree, use_ingest_time=ingest_time)
            _show_plan(explain(plan, tree, use_ingest_time=ingest_time), output_format)
            return
        context = context_of(
            window=(start, end, now),
            use_ingest_time=ingest_time,
            arguments=pairs(arguments, "--arg"),
            lookups=lookups_of(lookups),
            saved=saved_of(saved),
            providers=providers_of(geoip=geoip, asn=asn, iocs=iocs, host_names=host_names),
        )
        found = _scan(tree, files_of(paths), context)
    except CqlError as exc:
        _refuse(exc, source)
    except KeyboardInterrupt:
        click.echo("\ninterrupted", err=True)
        sys.exit(INTERRUPTED)
    _report(found)
    try:
        print_rows(found.result, output_format=output_format, limit=limit, exact_csv=exact_csv)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, less) has enough. Nothing may be written to it again, at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@query.command()
@format_option
def functions(output_format: str) -> None:
    """List every known function: whether the local engine runs it, and if not, why."""
    rows = []
    for function in sorted(catalogue().values(), key=lambda known: known.name.lower()):
        support = support_of(function.name)
        rows.append(
            {
                "function": function.name,
                "kind": function.kind.value,
                "supported": support.supported,
                "tier": str(support.tier),
                "why": support.why,
            }
        )
    shown: Sequence[Mapping[str, object]] = rows
    if output_format == RowFormat.TABLE:
        shown = [{**row, "supported": "yes" if row["supported"] else "no"} for row in rows]
    columns = {"function": "FUNCTION", "kind": "KIND", "supported": "RUNS", "tier": "TIER"}
    emit(shown, columns={**columns, "why": "WHY NOT"}, output_format=output_format, empty="none")
    count = sum(bool(row["supported"]) for row in rows)
    click.echo(f"{count} of {len(rows)} functions run on the local engine", err=True)


def _query_text(given: str) -> str:
    if given == "-":
        return sys.stdin.read()
    path = Path(given)
    try:
        is_file = path.is_file()
    except OSError:
        # Longer than a file name can be: it is a query.
        is_file = False
    if not is_file:
        if given.endswith(".cql") and not any(mark in given for mark in "|=(\n"):
            raise click.UsageError(f"the query file {plain(given)} does not exist")
        return given
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise click.UsageError(f"{plain(given)} cannot be read: {exc}") from exc


def _parsed(text: str) -> Query:
    parsed = parse(text)
    errors = [found for found in parsed.diagnostics if found.level is Level.ERROR]
    if errors:
        _show_errors(errors, text)
        sys.exit(CqlError.exit_code)
    return parsed.query


def _refuse(error: CqlError, text: str) -> NoReturn:
    has_saved = any(isinstance(node, SavedQuery) for node in walk(parse(text).query))
    if error.end <= error.start or error.end > len(text) or has_saved:
        # The place, if there is one, may lie in another text.
        click.echo(f"error: {plain(str(error))}", err=True)
        sys.exit(error.exit_code)
    code = "unsupported" if isinstance(error, CqlUnsupported) else "refused"
    span = Span(start=error.start, end=error.end)
    found = Diagnostic(code=code, level=Level.ERROR, message=str(error), span=span)
    _show_errors([found], text)
    sys.exit(error.exit_code)


def _show_errors(errors: Sequence[Diagnostic], text: str) -> None:
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    for error in errors:
        click.echo(render(error, text=text, path="", colour=colour) + "\n", err=True)


# --- running and telling --------------------------------------------------------------------


def _scan(tree: Query, files: Sequence[EventFile], context: Context) -> ScanResult:
    total = sum(file.size_bytes for file in files)
    progress = _progress(total) if sys.stderr.isatty() else None
    try:
        return scan_query(tree, files, context=context, progress=progress)
    except OSError as exc:
        where = plain(str(exc.filename or "a file of events"))
        raise click.UsageError(f"{where} cannot be read: {exc.strerror or exc}") from exc
    finally:
        if progress is not None:
            click.echo("\r\x1b[K", nl=False, err=True)


def _progress(total_bytes: int) -> Callable[[int], None]:
    """Return what shows the part that is read, each time another percent is."""
    done, shown = 0, -1

    def advance(read_bytes: int) -> None:
        nonlocal done, shown
        done += read_bytes
        percent = min(100, done * 100 // max(1, total_bytes))
        if percent != shown:
            shown = percent
            text = f"\rreading {percent}% of {total_bytes / 1e6:,.0f} MB"
            click.echo(text, nl=False, err=True)

    return advance


def _report(found: ScanResult) -> None:
    for problem in found.problems:
        click.echo(f"warning: {plain(problem)}", err=True)
    named = len(found.problems)
    if found.lines_skipped > named:
        click.echo(f"warning: {found.lines_skipped} lines were left out in all", err=True)
    for warning in found.result.warnings:
        click.echo(f"warning: {plain(warning)}", err=True)
    files = "1 file" if found.files == 1 else f"{found.files} files"
    rows = "1 row" if len(found.result.rows) == 1 else f"{len(found.result.rows)} rows"
    click.echo(f"{rows} from {found.events} events in {files}", err=True)


def _show_plan(entries: Sequence[Explained], output_format: str) -> None:
    if output_format != RowFormat.TABLE:
        rows = [
            {
                "pipeline": entry.pipeline,
                "fields": None if entry.fields is None else list(entry.fields),
                "texts": [list(texts) for texts in entry.texts],
                "filters": list(entry.filters),
                "groups": entry.groups,
                "window": entry.window,
            }
            for entry in entries
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for entry in entries:
        click.echo(plain(entry.pipeline))
        whole = "every field: the result shows whole events, or a step may read any field"
        fields = whole if entry.fields is None else ", ".join(entry.fields)
        click.echo(f"  reads    {plain(fields)}")
        for texts in entry.texts:
            click.echo(f"  lines    only those with {plain(' or '.join(texts))}")
        for text in entry.filters:
            click.echo(f"  filters  {plain(shortened(text))}")
        if entry.groups:
            click.echo("  groups   while reading: only the groups are kept")
        if entry.window == "own":
            click.echo("  window   its own, applied when the table is made")
