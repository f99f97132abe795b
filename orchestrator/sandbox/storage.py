"""Events of one repository in memory: sorted runs of string columns, merged as they grow.

A run is a frame sorted by event time, with the two times beside it as integers. Reading a window
is a binary search in each run; adding a batch never re-sorts what is there. Runs of similar size
are merged, so there are never more than about log2(batches) of them.

A snapshot is immutable: a query reads it in a thread while batches keep arriving.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

TIMESTAMP = "@timestamp"
INGEST_TIMESTAMP = "@ingesttimestamp"

Row = Mapping[str, str]
Listener = Callable[[pl.DataFrame], None]
"""Is told of each batch, in the thread that appends it; must be quick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SortedRun:
    """Events in event-time order; the columns of `frame` are all strings."""

    frame: pl.DataFrame
    event_ms: pl.Series
    ingest_ms: pl.Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Half-open bounds in epoch ms; None is open."""

    start_ms: int | None = None
    end_ms: int | None = None

    @property
    def is_open(self) -> bool:
        """Return whether it bounds nothing."""
        return self.start_ms is None and self.end_ms is None


EVERYTHING = Span()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was there at one moment."""

    runs: tuple[SortedRun, ...]

    @property
    def count(self) -> int:
        """Return the number of events."""
        return sum(run.frame.height for run in self.runs)

    def bounds_ms(self) -> tuple[int, int] | None:
        """Return the event times of the oldest and the newest event, None where there is none."""
        times = [(run.event_ms[0], run.event_ms[-1]) for run in self.runs]
        if not times:
            return None
        return min(oldest for oldest, _ in times), max(newest for _, newest in times)

    def memory_bytes(self) -> int:
        """Return about how much memory the events take."""
        return sum(int(run.frame.estimated_size()) for run in self.runs)

    def newest_ingest_ms(self) -> int | None:
        """Return when the newest event came in, None where there is none."""
        newest = [run.ingest_ms.max() for run in self.runs if run.ingest_ms.len()]
        return max((ms for ms in newest if isinstance(ms, int)), default=None)

    def frame(self, *, event: Span = EVERYTHING, ingest: Span = EVERYTHING) -> pl.DataFrame:
        """Return the events inside both spans; order is not promised, columns are strings."""
        parts = [part for run in self.runs if (part := _cut(run, event, ingest)).height]
        if not parts:
            return pl.DataFrame(schema={TIMESTAMP: pl.String, INGEST_TIMESTAMP: pl.String})
        return pl.concat(parts, how="diagonal")


class EventLog:
    """The events of one repository. Only one thread may append; snapshots go anywhere."""

    def __init__(self) -> None:
        self._runs: tuple[SortedRun, ...] = ()
        self._listeners: list[Listener] = []
        # A listener starts exactly between two batches.
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Return the number of events."""
        return self.snapshot().count

    def append(self, frame: pl.DataFrame) -> None:
        """Add a batch: all columns strings, both times present and whole numbers."""
        if frame.height == 0:
            return
        runs = [*self._runs, _sorted_run(frame)]
        while len(runs) > 1 and _similar(runs[-2], runs[-1]):
            last, before = runs.pop(), runs.pop()
            runs.append(_merged(before, last))
        with self._lock:
            # One assignment: a snapshot taken meanwhile sees all of the batch or none of it.
            self._runs = tuple(runs)
            for listener in self._listeners:
                listener(frame)

    def listen(self, listener: Listener) -> Snapshot:
        """Call `listener` with each batch from now on; return what was there before the first."""
        with self._lock:
            self._listeners.append(listener)
            return self.snapshot()

    def unlisten(self, listener: Listener) -> None:
        """Call `listener` no more; once is enough, twice does no harm."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def snapshot(self) -> Snapshot:
        """Return what is there now; later appends do not change it."""
        return Snapshot(self._runs)


def snapshot_of(frame: pl.DataFrame) -> Snapshot:
    """Return a snapshot of one batch alone."""
    return Snapshot((_sorted_run(frame),) if frame.height else ())


def frame_of(rows: Sequence[Row]) -> pl.DataFrame:
    """Return `rows` as string columns, in order of first appearance; absent fields are null."""
    names: dict[str, None] = {}
    seen: set[frozenset[str]] = set()
    for row in rows:
        shape = frozenset(row)
        if shape not in seen:
            seen.add(shape)
            names.update(dict.fromkeys(row))
    schema = dict.fromkeys(names, pl.String())
    try:
        return pl.from_dicts(rows, schema=schema)
    except UnicodeEncodeError:
        # JSON can spell half a surrogate pair, which no UTF-8 text can hold.
        return pl.from_dicts([_encodable(row) for row in rows], schema=schema)


def _encodable(row: Row) -> dict[str, str]:
    return {name: value.encode("utf-8", "replace").decode() for name, value in row.items()}


def _similar(before: SortedRun, last: SortedRun) -> bool:
    return last.frame.height * 2 >= before.frame.height


def _sorted_run(frame: pl.DataFrame) -> SortedRun:
    event_ms = frame.get_column(TIMESTAMP).cast(pl.Int64)
    if not event_ms.is_sorted():
        order = event_ms.arg_sort()
        frame, event_ms = frame[order], event_ms.gather(order)
    ingest_ms = frame.get_column(INGEST_TIMESTAMP).cast(pl.Int64)
    return SortedRun(frame=frame, event_ms=event_ms, ingest_ms=ingest_ms)


def _merged(before: SortedRun, last: SortedRun) -> SortedRun:
    # In one piece: a query over many small pieces takes longer than copying them once.
    return _sorted_run(pl.concat([before.frame, last.frame], how="diagonal", rechunk=True))


def _cut(run: SortedRun, event: Span, ingest: Span) -> pl.DataFrame:
    low = 0 if event.start_ms is None else _index(run.event_ms, event.start_ms)
    high = run.frame.height if event.end_ms is None else _index(run.event_ms, event.end_ms)
    if low >= high:
        return run.frame.clear()
    part = run.frame.slice(low, high - low)
    if ingest.is_open:
        return part
    times = run.ingest_ms.slice(low, high - low)
    mask = pl.repeat(value=True, n=times.len(), eager=True)
    if ingest.start_ms is not None:
        mask &= times >= ingest.start_ms
    if ingest.end_ms is not None:
        mask &= times < ingest.end_ms
    return part.filter(mask)


def _index(sorted_ms: pl.Series, at_ms: int, side: Literal["left", "right"] = "left") -> int:
    return int(sorted_ms.search_sorted(at_ms, side=side))
