"""Read every configured source; one that cannot be taken leaves its table missing, with the reason.

Nothing here raises for a bad file: the service must run, and findings must go out unexcused. With
the previous inventory at hand, a refused reading, or one that lost most of its facts at once,
leaves the facts of the last good reading in force, and their age grows until they are stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from orchestrator.inventory.freshness import SourceAge
from orchestrator.inventory.index import FactIndex
from orchestrator.inventory.lookup import Inventory
from orchestrator.inventory.sources.base import Problem, SourceRead, SourceSettings
from orchestrator.inventory.sources.file import read_facts
from orchestrator.inventory.tables import TABLES, find_table
from orchestrator.model.inventory import FactTable

SHRINK_LIMIT = 0.5
"""A reading with less than this share of the previous facts is not believed."""


def load_inventory(
    sources: Mapping[str, SourceSettings], *, now: datetime, previous: Inventory | None = None
) -> Inventory:
    """Return the facts of all sources, with every problem of every file.

    Args:
        sources: Table name to where it is read from.
        now: The instant that freshness is judged at; `Inventory.as_of` moves it later.
        previous: The inventory to fall back to, table by table.
    """
    indexes: dict[str, FactIndex] = {}
    ages: dict[str, SourceAge] = {}
    problems: list[Problem] = []
    for name, settings in sources.items():
        table = find_table(name)
        if table is None:
            known = ", ".join(table.name for table in TABLES)
            problems.append(
                Problem(
                    path=settings.path,
                    line=0,
                    message=f"there is no table {name!r}",
                    help=f"Tables are {known}.",
                )
            )
            continue
        read = read_facts(settings.path, table, now=now)
        found = [*read.problems, *_implausible(read, settings.path, name, previous)]
        problems += found
        if not found:
            indexes[name] = FactIndex(table, read.facts)
            ages[name] = _age(read, settings)
        elif previous is not None and (kept := previous.reading(name)):
            indexes[name], old = kept
            ages[name] = SourceAge(
                where=old.where,
                count=old.count,
                as_of=old.as_of,
                max_age=settings.max_age,
                refusal=_refusal(found),
            )
        else:
            ages[name] = _refused(settings, table, found)
    return Inventory(indexes, ages=ages, problems=problems, now=now)


def _age(read: SourceRead, settings: SourceSettings) -> SourceAge:
    return SourceAge(
        where=str(settings.path),
        count=len(read.facts),
        as_of=read.as_of,
        max_age=settings.max_age,
    )


def _refused(settings: SourceSettings, table: FactTable, found: list[Problem]) -> SourceAge:
    return SourceAge(
        where=str(settings.path),
        count=0,
        as_of=None,
        max_age=settings.max_age,
        refusal=f"the {table.name} source was refused: {_refusal(found)}",
    )


def _refusal(found: list[Problem]) -> str:
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0]}{more}"


def _implausible(
    read: SourceRead, path: Path, name: str, previous: Inventory | None
) -> list[Problem]:
    before = len(previous.facts(name)) if previous else 0
    if read.problems or len(read.facts) >= before * SHRINK_LIMIT:
        return []
    return [
        Problem(
            path=path,
            line=0,
            message=f"{len(read.facts)} facts, down from {before}",
            help="If that is right, restart the service to take it; until then the old ones stay.",
        )
    ]
