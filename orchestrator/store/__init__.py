"""State that survives: watermarks, runs, findings, the outbox.

`open_store` gives a `Store` on SQLite or PostgreSQL, `MemoryStore` is the same in dictionaries.
"""

from __future__ import annotations

from orchestrator.store.database import SqlStore, open_store
from orchestrator.store.interface import Store, StoreInfo
from orchestrator.store.memory import MemoryStore

__all__ = ["MemoryStore", "SqlStore", "Store", "StoreInfo", "open_store"]
