"""`orchestrator doctor`: everything a run depends on, looked at one by one."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from functools import partial

import click

from orchestrator.app import LiveInventory, inventory_sources, route_tree
from orchestrator.checkup import Look, LookState, look_at_repository, ok, wrong
from orchestrator.cli.loading import load
from orchestrator.cli.output import emit, format_option
from orchestrator.cli.session import config_of, run_async, store_of
from orchestrator.clock import SystemClock
from orchestrator.config import Config
from orchestrator.cql.diagnostics import Level
from orchestrator.errors import OrchestratorError, StoreError
from orchestrator.model.inventory import SourceState
from orchestrator.route.sinks import build_sinks
from orchestrator.schedule.planner import require_plausible
from orchestrator.units import format_instant

_COLUMNS = {"what": "WHAT", "state": "STATE", "detail": "DETAIL"}


@click.command()
@format_option
@click.pass_context
def doctor(ctx: click.Context, output_format: str) -> None:
    """Check settings, rules, inventory, state, clock, servers and receivers; nothing is changed.

    Of each repository: the connection, the server's clock beside this machine's, its version,
    whether it is a repository or a view, and what the token may do there.

    Exit code 1: something is wrong; each line says what to do. A note is no reason for it.
    """
    config = config_of(ctx)
    rows = [asdict(look) for look in run_async(_look(config))]
    emit(rows, columns=_COLUMNS, output_format=output_format, empty="")
    if any(row["state"] is LookState.WRONG for row in rows):
        sys.exit(1)


async def _look(config: Config) -> list[Look]:
    looks = [*_rules(config), *_inventory(config), *_routes(config)]
    looks += await _asked("store", partial(_store, config))
    looks += await _asked("clock", partial(_clock, config))
    for name, settings in config.repos.items():
        looks += await look_at_repository(settings, name=name, clock=SystemClock())
    return looks + await _receivers(config)


async def _asked(what: str, ask: Callable[[], Awaitable[str]]) -> list[Look]:
    try:
        return [ok(what, await ask())]
    except OrchestratorError as exc:
        return [wrong(what, exc)]


def _found_wrong(what: str, detail: str) -> Look:
    return Look(what=what, state=LookState.WRONG, detail=detail)


def _rules(config: Config) -> Iterator[Look]:
    try:
        loaded = load(config.rules.path)
    except OrchestratorError as exc:
        yield wrong("rules", exc)
        return
    errors = [p for p in loaded.problems if p.level is Level.ERROR]
    yield ok("rules", f"{len(loaded.rules)} usable in {config.rules.path}")
    for problem in errors:
        yield _found_wrong("rules", f"{problem.path}:{problem.line}: {problem.message}")


def _inventory(config: Config) -> Iterator[Look]:
    known = LiveInventory(inventory_sources(config), clock=SystemClock()).refresh()
    for name in sorted(config.inventory.tables):
        status = known.status(name)
        make = ok if status.state is SourceState.FRESH else _found_wrong
        yield make(f"inventory {name}", f"{status.state.value}: {status.detail}")


def _routes(config: Config) -> Iterator[Look]:
    try:
        tree = route_tree(config)
    except OrchestratorError as exc:
        yield wrong("routes", exc)
        return
    yield ok("routes", f"reach {', '.join(sorted(tree.receivers))}")


async def _store(config: Config) -> str:
    async with store_of(config) as store:
        problems = await store.check()
        info = await store.info()
    if problems:
        raise OrchestratorError("; ".join(problems))
    notes = "; ".join(info.warnings)
    return f"{info.engine}, schema {info.schema}, {info.runs} runs. {notes}".strip()


async def _clock(config: Config) -> str:
    now = SystemClock().now()
    try:
        async with store_of(config) as store:
            newest = [run.window.end for run in await store.runs(limit=1)]
    except StoreError:
        # It has a row of its own.
        newest = []
    require_plausible(now, newest)
    return f"it is {format_instant(now.replace(microsecond=0))}"


async def _receivers(config: Config) -> list[Look]:
    looks: list[Look] = []
    for name, table in config.receivers.items():
        what = f"receiver {name}"
        try:
            (sink,) = build_sinks({name: table}).values()
        except OrchestratorError as exc:
            looks.append(wrong(what, exc))
            continue
        try:
            looks += await _asked(what, sink.check)
        finally:
            await sink.close()
    return looks
