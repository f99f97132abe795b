"""Live streams: what is there, then each batch as it is stored, until somebody ends it.

A reader that falls behind loses its stream rather than events of it: memory is bounded, and an end
is something that it sees. Between what is there and the first batch nothing is lost or repeated.
Source: library.humio.com, logscale-api/api-search-live.html; such a stream may end at any time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

import polars as pl

from orchestrator.cql import find, nodes, walk
from orchestrator.cql.catalogue import FunctionKind
from orchestrator.sandbox.search.run import Answer, Checked, Search
from orchestrator.sandbox.storage.events import EventLog, Snapshot, snapshot_of

MOST_WAITING_EVENTS = 100_000
"""Events that may wait for their reader; one more ends its stream."""
_AHEAD_MS = 86_400_000
"""How far ahead of the sandbox's clock a sender's may be."""
_ONE_BY_ONE = frozenset({FunctionKind.FILTER, FunctionKind.TRANSFORM})


class LiveTail:
    """What is stored in some logs, for one reader in the event loop that made it."""

    def __init__(self, logs: Sequence[EventLog]) -> None:
        self._logs = logs
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[pl.DataFrame] = deque()
        self._is_open = True
        self._news = asyncio.Event()

    def open(self) -> list[Snapshot]:
        """Listen from now on, and return all that was there before; at least one snapshot."""
        return [log.listen(self._hear) for log in self._logs] or [Snapshot(())]

    def end(self) -> None:
        """Stop listening; `batches` ends once it has given out what waits."""
        for log in self._logs:
            log.unlisten(self._hear)
        self._is_open = False
        self._news.set()

    async def batches(self) -> AsyncGenerator[Snapshot]:
        """Yield each batch as it comes, until `end`, or until too much of it waits."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                yield snapshot_of(self._waiting.popleft())
            if not self._is_open:
                return

    def _hear(self, frame: pl.DataFrame) -> None:
        """Take a batch in, from the thread that stores it."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, frame)

    def _take(self, frame: pl.DataFrame) -> None:
        waiting = sum(batch.height for batch in self._waiting)
        if self._waiting and waiting + frame.height > MOST_WAITING_EVENTS:
            self._waiting.clear()
            self.end()
        elif self._is_open:
            self._waiting.append(frame)
            self._news.set()


def streamable(checked: Checked) -> bool:
    """Return whether each row of the query depends on one event alone."""
    for node in walk(checked.query):
        match node:
            case nodes.Subquery() | nodes.SavedQuery() | nodes.StatsShorthand():
                return False
            case nodes.Call(name=name):
                function = find(name)
                if function is not None and function.kind not in _ONE_BY_ONE:
                    return False
            case _:
                continue
    return True


def moved(search: Search, *, now_ms: int) -> Search:
    """Return the live search as it is at `now_ms`: its window's start slides, its end is ahead."""
    start_ms = search.start_ms + now_ms - search.now_ms
    return replace(search, start_ms=start_ms, end_ms=now_ms + _AHEAD_MS, now_ms=now_ms)


def oldest_first(answer: Answer) -> Answer:
    """Return the rows in the order of their events: what is yet to come stands below."""
    return replace(answer, rows=list(reversed(answer.rows)))
