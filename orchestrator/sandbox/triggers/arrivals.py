"""What arrived, in order of arrival, for those who look at each event once: the filter alerts.

Every repository's events are numbered from 0 as they are stored, in the order of its file, so that
a number means the same after a restart. A batch is held until every reader is past it; what nobody
waits for is counted only.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from orchestrator.sandbox.storage.events import INGEST_TIMESTAMP


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    start: int
    frame: pl.DataFrame
    newest_ms: int

    @property
    def end(self) -> int:
        return self.start + self.frame.height


class Arrivals:
    """The newest events of every repository; ingest writes from a thread of its own."""

    def __init__(self) -> None:
        self._totals: dict[str, int] = {}
        self._held: dict[str, deque[_Batch]] = {}
        self._cursors: dict[str, int] = {}
        self._lock = threading.Lock()

    def await_from(self, cursors: Mapping[str, int]) -> None:
        """Hold events of these repositories from these numbers on, and let go of all others."""
        with self._lock:
            self._cursors = dict(cursors)
            for repository, held in self._held.items():
                first = self._cursors.get(repository, self._totals.get(repository, 0))
                while held and held[0].end <= first:
                    held.popleft()

    def append(self, repository: str, frame: pl.DataFrame) -> None:
        """Count a stored batch, and hold it where somebody waits for it."""
        with self._lock:
            start = self._totals.get(repository, 0)
            self._totals[repository] = start + frame.height
            cursor = self._cursors.get(repository)
            if cursor is not None and start + frame.height > cursor:
                newest_ms = max(int(text) for text in frame.get_column(INGEST_TIMESTAMP).unique())
                batch = _Batch(start=start, frame=frame, newest_ms=newest_ms)
                self._held.setdefault(repository, deque()).append(batch)

    def expire(self, before_ms: int) -> None:
        """Let go of batches that arrived before this instant, whoever waits for them."""
        with self._lock:
            for held in self._held.values():
                while held and held[0].newest_ms < before_ms:
                    held.popleft()

    def forget(self, repository: str) -> None:
        """Begin at 0 again: the repository is gone."""
        with self._lock:
            for kept in (self._totals, self._held, self._cursors):
                kept.pop(repository, None)

    def total(self, repository: str) -> int:
        """Return how many events were stored so far."""
        return self._totals.get(repository, 0)

    def after(self, repository: str, cursor: int) -> tuple[int, Sequence[pl.DataFrame]]:
        """Return the total, and the events from number `cursor` on that are still held."""
        with self._lock:
            frames = [
                batch.frame.slice(max(0, cursor - batch.start))
                for batch in self._held.get(repository, ())
                if batch.end > cursor
            ]
            return self._totals.get(repository, 0), frames
