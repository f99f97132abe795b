"""`orchestrator inventory`: who a host was at a time, and how fresh what we know is."""

from __future__ import annotations

import sys
from datetime import datetime

import click

from orchestrator.app import LiveInventory, inventory_sources
from orchestrator.cli.output import emit, format_option
from orchestrator.cli.session import config_of
from orchestrator.clock import SystemClock
from orchestrator.units import format_instant, parse_instant


class _Instant(click.ParamType[datetime]):
    """A point in time on the command line."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the aware UTC instant."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_instant(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


@click.group()
def inventory() -> None:
    """Ask the inventory what it knows, and how old that is."""


@inventory.command()
@click.argument("host")
@click.option("--at", type=_Instant(), help="ISO 8601 with zone, or epoch ms.  [default: now]")
@format_option
@click.pass_context
def who(ctx: click.Context, host: str, at: datetime | None, output_format: str) -> None:
    """List every fact about HOST that was valid at a time.

    Exit code 1: nothing is known of it.
    """
    config = config_of(ctx)
    clock = SystemClock()
    known = LiveInventory(inventory_sources(config), clock=clock).refresh()
    at = at or clock.now()
    rows = [
        {
            "table": fact.table,
            "fact": fact.id,
            "from": format_instant(fact.valid_from) if fact.valid_from else "",
            "until": format_instant(fact.valid_until) if fact.valid_until else "",
            "values": " ".join(f"{key}={value}" for key, value in fact.values.items() if value),
        }
        for fact in known.who(host, at)
    ]
    columns = {
        "table": "TABLE",
        "values": "WHAT IS KNOWN",
        "from": "FROM",
        "until": "UNTIL",
        "fact": "SOURCE",
    }
    empty = f"Nothing is known of {host!r} at {format_instant(at)}."
    emit(rows, columns=columns, output_format=output_format, empty=empty)
    if not rows:
        sys.exit(1)


@inventory.command()
@format_option
@click.pass_context
def status(ctx: click.Context, output_format: str) -> None:
    """List each fact table with its source's age and whether it may excuse anything.

    Exit code 1: some table may not.
    """
    config = config_of(ctx)
    known = LiveInventory(inventory_sources(config), clock=SystemClock()).refresh()
    rows = [
        {"table": name, "state": found.state.value, "detail": found.detail}
        for name in sorted(config.inventory.tables)
        for found in [known.status(name)]
    ]
    columns = {"table": "TABLE", "state": "STATE", "detail": "DETAIL"}
    emit(rows, columns=columns, output_format=output_format, empty="No tables are configured.")
    if any(row["state"] != "fresh" for row in rows):
        sys.exit(1)
