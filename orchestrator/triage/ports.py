"""What triage needs from elsewhere."""

from __future__ import annotations

from typing import Protocol

from orchestrator.model.inventory import FactMatch, FactTable, Subject


class FactLookup(Protocol):
    """Who somebody was at an instant; the inventory provides it."""

    def match(self, table: str, subject: Subject) -> FactMatch:
        """Return the fact of `table` that holds for `subject`, else the nearest one."""
        ...

    def table(self, name: str) -> FactTable | None:
        """Return the definition of a table, or None where there is no such table."""
        ...
