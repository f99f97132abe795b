"""What `orchestrator query run` is told, as the engine takes it: window, files, lookups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import click

from orchestrator.cli.output import plain
from orchestrator.clock import SystemClock
from orchestrator.engine.context import Context
from orchestrator.engine.scan.run import FIRST_MS, LAST_MS
from orchestrator.engine.sources.files import EventFile, find_files
from orchestrator.engine.sources.geoip import MaxMindFile
from orchestrator.engine.sources.lookups import Lookup
from orchestrator.engine.sources.providers import Indicator, Providers
from orchestrator.errors import CqlSemanticError
from orchestrator.units import parse_duration, parse_instant, to_epoch_ms


def context_of(
    *,
    window: tuple[str | None, str | None, str | None],
    use_ingest_time: bool,
    arguments: Mapping[str, str],
    lookups: Mapping[str, Lookup],
    saved: Mapping[str, str],
    providers: Providers,
) -> Context:
    """Return the run's context; `window` is start, end and now, each as written or None.

    Raises:
        click.UsageError: A time is none, or the window is empty.
    """
    start, end, now = window
    clock_now = SystemClock().now()
    now_at = clock_now if now is None else _instant(now, "--now", clock_now)
    now_ms = to_epoch_ms(now_at)
    start_ms = FIRST_MS if start is None else to_epoch_ms(_instant(start, "--start", now_at))
    end_ms = LAST_MS if end is None else to_epoch_ms(_instant(end, "--end", now_at))
    if start_ms >= end_ms:
        raise click.UsageError("--start must lie before --end")
    return Context(
        start_ms=start_ms,
        end_ms=end_ms,
        now_ms=now_ms,
        use_ingest_time=use_ingest_time,
        arguments=arguments,
        lookups=lookups,
        saved=saved,
        providers=providers,
    )


def _instant(text: str, option: str, now: datetime) -> datetime:
    if text == "now":
        return now
    try:
        back: timedelta = parse_duration(text)
    except ValueError:
        pass
    else:
        return now - back
    try:
        return parse_instant(text)
    except ValueError as exc:
        raise click.UsageError(
            f"{option}: {plain(str(exc))}, epoch milliseconds, now, or a duration such as 24h"
        ) from exc


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """Return `NAME=VALUE` arguments as a mapping."""
    found = {}
    for pair in given:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise click.UsageError(f"{option} takes NAME=VALUE, not {plain(pair)!r}")
        found[name.removeprefix("?")] = value
    return found


def lookups_of(given: Sequence[str]) -> dict[str, Lookup]:
    """Return the lookup files by name.

    Raises:
        click.UsageError: One cannot be read.
        CqlSemanticError: One is no table.
    """
    found = {}
    for text in given:
        name, separator, rest = text.partition("=")
        path = Path(text)
        if separator and not path.exists():
            path = Path(rest)
        else:
            name = path.name
        try:
            found[name] = Lookup.from_file(path)
        except OSError as exc:
            raise click.UsageError(f"--lookup {plain(str(path))}: {exc.strerror}") from exc
        except CqlSemanticError as exc:
            raise CqlSemanticError(f"{path}: {exc.problem}") from exc
    return found


def providers_of(
    *, geoip: Path | None, asn: Path | None, iocs: Path | None, host_names: Path | None
) -> Providers:
    """Return the outside data that some functions ask for, as far as files were given.

    Raises:
        ConfigError: A MaxMind file is none, or its library is not installed.
        CqlSemanticError: A table is none, or lacks a column.
    """
    return Providers(
        places=None if geoip is None else MaxMindFile(geoip),
        networks=None if asn is None else MaxMindFile(asn),
        indicators=None if iocs is None else _indicators(iocs),
        host_names=None if host_names is None else _host_names(host_names),
    )


def _indicators(path: Path) -> tuple[Indicator, ...]:
    return tuple(
        Indicator(
            type=row["type"],
            indicator=row["indicator"],
            confidence=row.get("confidence", ""),
            columns={name: text for name, text in row.items() if text},
        )
        for row in _rows(path, "type", "indicator")
    )


def _host_names(path: Path) -> dict[str, str]:
    return {row["ip"]: row["name"] for row in _rows(path, "ip", "name")}


def _rows(path: Path, *columns: str) -> list[dict[str, str]]:
    """Return a table's rows, each with a text in every column; those without `columns` refused."""
    try:
        table = Lookup.from_file(path)
    except CqlSemanticError as exc:
        raise CqlSemanticError(f"{path}: {exc.problem}") from exc
    table.need(columns, file=str(path))
    return [
        {name: text or "" for name, text in row.items()}
        for row in table.frame.iter_rows(named=True)
    ]


def saved_of(folder: Path | None) -> dict[str, str]:
    """Return the texts of the folder's `.cql` files by their names."""
    if folder is None:
        return {}
    try:
        return {
            path.stem: path.read_text(encoding="utf-8-sig") for path in sorted(folder.glob("*.cql"))
        }
    except (OSError, UnicodeDecodeError) as exc:
        raise click.UsageError(f"--saved {plain(str(folder))}: {exc}") from exc


def files_of(paths: Sequence[str]) -> list[EventFile]:
    """Return the event files that the paths name.

    Raises:
        click.UsageError: There are none, or one cannot be opened.
    """
    if not paths:
        raise click.UsageError("name event files with --events PATH")
    try:
        return find_files(paths)
    except OSError as exc:
        raise click.UsageError(f"--events {plain(str(exc.filename))}: {exc.strerror}") from exc
