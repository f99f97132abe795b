"""`orchestrator doctor`: everything a run depends on, looked at one by one."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import click

from orchestrator.app import LiveInventory, inventory_sources, route_tree
from orchestrator.cli.loading import load
from orchestrator.cli.output import emit, format_option
from orchestrator.cli.session import config_of, run_async, store_of
from orchestrator.clock import SystemClock
from orchestrator.config import Config
from orchestrator.cql.diagnostics import Level
from orchestrator.errors import OrchestratorError
from orchestrator.model.inventory import SourceState
from orchestrator.remote import check, connect
from orchestrator.route.sinks import build_sinks

_COLUMNS = {"what": "WHAT", "state": "STATE", "detail": "DETAIL"}
Row = dict[str, object]


@click.command()
@format_option
@click.pass_context
def doctor(ctx: click.Context, output_format: str) -> None:
    """Check settings, rules, inventory, state, repositories and receivers; nothing is changed.

    Exit code 1: something is wrong; each line says what to do.
    """
    config = config_of(ctx)
    rows = run_async(_look(config))
    emit(rows, columns=_COLUMNS, output_format=output_format, empty="")
    if any(row["state"] == "WRONG" for row in rows):
        sys.exit(1)


async def _look(config: Config) -> list[Row]:
    rows = [*_rules(config), *_inventory(config), *_routes(config)]
    rows += await _asked("store", partial(_store, config))
    for name in config.repos:
        rows += await _asked(f"repository {name}", partial(_repository, config, name))
    rows += await _receivers(config)
    return rows


async def _asked(what: str, ask: Callable[[], Awaitable[str]]) -> list[Row]:
    try:
        return [_ok(what, await ask())]
    except OrchestratorError as exc:
        return [_wrong(what, str(exc))]


def _ok(what: str, detail: str) -> Row:
    return {"what": what, "state": "ok", "detail": detail}


def _wrong(what: str, detail: str) -> Row:
    return {"what": what, "state": "WRONG", "detail": detail}


def _rules(config: Config) -> Iterator[Row]:
    try:
        loaded = load(config.rules.path)
    except OrchestratorError as exc:
        yield _wrong("rules", str(exc))
        return
    errors = [p for p in loaded.problems if p.level is Level.ERROR]
    yield _ok("rules", f"{len(loaded.rules)} usable in {config.rules.path}")
    for problem in errors:
        yield _wrong("rules", f"{problem.path}:{problem.line}: {problem.message}")


def _inventory(config: Config) -> Iterator[Row]:
    known = LiveInventory(inventory_sources(config), clock=SystemClock()).refresh()
    for name in sorted(config.inventory.tables):
        status = known.status(name)
        make = _ok if status.state is SourceState.FRESH else _wrong
        yield make(f"inventory {name}", f"{status.state.value}: {status.detail}")


def _routes(config: Config) -> Iterator[Row]:
    try:
        tree = route_tree(config)
    except OrchestratorError as exc:
        yield _wrong("routes", str(exc))
        return
    yield _ok("routes", f"reach {', '.join(sorted(tree.receivers))}")


async def _store(config: Config) -> str:
    async with store_of(config) as store:
        problems = await store.check()
        info = await store.info()
    if problems:
        raise OrchestratorError("; ".join(problems))
    notes = "; ".join(info.warnings)
    return f"{info.engine}, schema {info.schema}, {info.runs} runs. {notes}".strip()


async def _repository(config: Config, name: str) -> str:
    settings = config.repo(name)
    async with connect(settings, name=name, clock=SystemClock()) as remote:
        return await check(remote, settings)


async def _receivers(config: Config) -> list[Row]:
    rows: list[Row] = []
    for name, table in config.receivers.items():
        what = f"receiver {name}"
        try:
            (sink,) = build_sinks({name: table}).values()
        except OrchestratorError as exc:
            rows.append(_wrong(what, str(exc)))
            continue
        try:
            rows += await _asked(what, sink.check)
        finally:
            await sink.close()
    return rows
