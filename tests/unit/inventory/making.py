"""Facts, subjects and inventories for tests: valid by default, override by keyword."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator.inventory import Inventory, SourceSettings, find_table, load_inventory
from orchestrator.inventory.freshness import SourceAge
from orchestrator.inventory.index import FactIndex
from orchestrator.model.inventory import Fact, FactTable, Subject
from orchestrator.units import parse_instant

DATA = Path(__file__).parents[3] / "queries" / "_inventory"
FILES: Mapping[str, Path] = {path.stem: path for path in sorted(DATA.glob("*.csv"))}
NOW = parse_instant("2026-03-10T18:00:00Z")
NOON = parse_instant("2026-03-10T12:00:00Z")


def at(text: str) -> datetime:
    """Return an instant of 2026-03-10 from `HH:MM` or `HH:MM:SS`."""
    return parse_instant(f"2026-03-10T{text}{':00' if text.count(':') == 1 else ''}Z")


def table_of(name: str) -> FactTable:
    table = find_table(name)
    assert table is not None
    return table


def make_fact(
    table: str,
    *,
    id: str = "",  # noqa: A002
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
    values: Mapping[str, str] | None = None,
    **more: str,
) -> Fact:
    values = {**(values or {}), **more}
    return Fact(
        id=id or f"{table}:{sorted(values.items())}:{valid_from}",
        table=table,
        values=values,
        valid_from=valid_from,
        valid_until=valid_until,
        source=table,
    )


def make_inventory(
    *facts: Fact,
    now: datetime = NOW,
    as_of: Mapping[str, datetime] | None = None,
    tables: Sequence[str] = (),
) -> Inventory:
    """Build an inventory of these facts; `tables` are read and have no facts of their own."""
    names = dict.fromkeys([*(fact.table for fact in facts), *tables])
    of = as_of or {}
    return Inventory(
        {
            name: FactIndex(table_of(name), [fact for fact in facts if fact.table == name])
            for name in names
        },
        ages={
            name: SourceAge(
                where=name,
                count=len([fact for fact in facts if fact.table == name]),
                as_of=of.get(name, now),
                max_age=timedelta(hours=24),
            )
            for name in names
        },
        problems=(),
        now=now,
    )


def make_subject(
    given: Mapping[str, str] | None = None,
    /,
    *,
    first: datetime = NOON,
    last: datetime | None = None,
    **entities: str,
) -> Subject:
    """Build a subject; an entity's text is split at line feeds, an empty one has no value."""
    return Subject(
        entities={
            name: tuple(text.split("\n")) if text else ()
            for name, text in {**(given or {}), **entities}.items()
        },
        first_seen=first,
        last_seen=last or first,
    )


def sample_inventory(*, now: datetime = NOW) -> Inventory:
    """Load the sample inventory that ships with the rules."""
    return load_inventory(
        {table: SourceSettings(path=path) for table, path in FILES.items()},
        now=now,
    )
