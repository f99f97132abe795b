"""Who is who, and when: fact tables from files, indexed, matched against a finding's subject."""

from orchestrator.inventory.load import load_inventory
from orchestrator.inventory.lookup import Inventory
from orchestrator.inventory.sources.base import Problem, SourceSettings
from orchestrator.inventory.tables import TABLES, find_table

__all__ = [
    "TABLES",
    "Inventory",
    "Problem",
    "SourceSettings",
    "find_table",
    "load_inventory",
]
