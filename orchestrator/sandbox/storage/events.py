"""Events of one repository in memory: sorted runs of string columns, merged as they grow.

A run is a frame sorted by event time, with the two times as whole numbers in the engine's hidden
columns. Reading a window is a binary search in each run; adding a batch never re-sorts what is
there. Runs of similar size are merged, so there are never more than about log2(batches) of them.
Runs that overlap in time must be sorted to be read; who reads most of them leaves them as one.

A snapshot is immutable: a query reads it in a thread while batches keep arriving.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import polars as pl

from orchestrator.engine.events import INGEST_MS, TIME_MS

TIMESTAMP = "@timestamp"
INGEST_TIMESTAMP = "@ingesttimestamp"
NANOS = "@timestamp.nanos"
"""What is left of the time below a millisecond, in nanoseconds."""

_MOST_SHAPES = 64
"""Sets of fields in a batch, from which on rows are no longer sorted by them."""

Row = Mapping[str, str]
Listener = Callable[[pl.DataFrame], None]
"""Is told of each batch, in the thread that appends it; must be quick."""


@dataclass(frozen=True, slots=True, eq=False)
class SortedRun:
    """Events in event-time order; the columns of `frame` are strings, but for the hidden two."""

    frame: pl.DataFrame

    @property
    def event_ms(self) -> pl.Series:
        """Return the event times, rising."""
        return self.frame.get_column(TIME_MS)

    @property
    def ingest_ms(self) -> pl.Series:
        """Return when each event came in."""
        return self.frame.get_column(INGEST_MS)


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
    log: EventLog | None = None
    """Where it is from, and where runs are left in order for the next one."""

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
        """Return the events inside both spans, oldest first, with the engine's hidden times.

        For a worker thread: what overlaps in time is sorted here.
        """
        parts = _cut_all(self.runs, event, ingest)
        if not parts:
            texts = dict.fromkeys((TIMESTAMP, INGEST_TIMESTAMP), pl.String())
            return pl.DataFrame(schema=texts | dict.fromkeys((TIME_MS, INGEST_MS), pl.Int64()))
        apart = _apart(parts)
        is_most = 2 * sum(part.height for part in parts) > self.count
        if apart is None and is_most and self.log is not None:
            # It is sorted in any case: so that the next reader need not, all of it is.
            apart = _cut_all((self.log.settle(self.runs),), event, ingest)
        if apart is None:
            return pl.concat(parts, how="diagonal").sort(TIME_MS, maintain_order=True)
        return pl.concat(apart, how="diagonal") if len(apart) > 1 else apart[0]


class EventLog:
    """The events of one repository. Only one thread may append; snapshots go anywhere."""

    def __init__(self) -> None:
        self._runs: tuple[SortedRun, ...] = ()
        self._listeners: list[Listener] = []
        # A listener starts exactly between two batches, and runs are replaced one at a time.
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Return the number of events."""
        return self.snapshot().count

    def append(self, frame: pl.DataFrame) -> None:
        """Add a batch: all columns strings, both times present and whole numbers."""
        if frame.height == 0:
            return
        added = _sorted_run(frame)
        with self._lock:
            runs = [*self._runs, added]
            while len(runs) > 1 and _similar(runs[-2], runs[-1]):
                last, before = runs.pop(), runs.pop()
                runs.append(_merged((before, last)))
            # One assignment: a snapshot taken meanwhile sees all of the batch or none of it.
            self._runs = tuple(runs)
            for listener in self._listeners:
                listener(frame)

    def settle(self, runs: tuple[SortedRun, ...]) -> SortedRun:
        """Return runs of a snapshot as one; the log keeps it in their place, if they are there."""
        merged = _merged(runs)
        with self._lock:
            if self._runs[: len(runs)] == runs:
                self._runs = (merged, *self._runs[len(runs) :])
        return merged

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
        return Snapshot(self._runs, self)


def snapshot_of(frame: pl.DataFrame) -> Snapshot:
    """Return a snapshot of one batch alone."""
    return Snapshot((_sorted_run(frame),) if frame.height else ())


def frame_of(rows: Sequence[Row]) -> pl.DataFrame:
    """Return `rows` as string columns, in order of first appearance; absent fields are null."""
    if not rows:
        return pl.DataFrame(schema={TIMESTAMP: pl.String()})
    shapes: dict[tuple[str, ...], list[int]] = {}
    for place, row in enumerate(rows):
        shapes.setdefault(tuple(row), []).append(place)
    try:
        return _by_shape(rows, shapes)
    except UnicodeEncodeError:
        # JSON can spell half a surrogate pair, which no UTF-8 text can hold.
        return _by_shape([_encodable(row) for row in rows], shapes)


def _by_shape(rows: Sequence[Row], shapes: Mapping[tuple[str, ...], list[int]]) -> pl.DataFrame:
    if len(shapes) > _MOST_SHAPES or () in shapes:
        names = dict.fromkeys(name for shape in shapes for name in shape)
        return pl.from_dicts(rows, schema=dict.fromkeys(names, pl.String()))
    # Rows of one shape are columns without gaps, twice as fast to build.
    frames = [
        pl.DataFrame(columns_of([rows[place] for place in places])) for places in shapes.values()
    ]
    if len(frames) == 1:
        return frames[0]
    came = pl.Series([place for places in shapes.values() for place in places])
    return pl.concat(frames, how="diagonal", rechunk=True)[came.arg_sort()]


def columns_of(rows: Sequence[Row]) -> list[pl.Series]:
    """Return rows, at least one, that all have the same fields in the same order, as columns."""
    cells = zip(*(row.values() for row in rows), strict=True)
    return [pl.Series(name, texts, pl.String) for name, texts in zip(rows[0], cells, strict=True)]


def rows_of(frame: pl.DataFrame) -> list[dict[str, str]]:
    """Return a frame's rows without their absent fields."""
    return [{k: v for k, v in row.items() if v is not None} for row in frame.to_dicts()]


def _encodable(row: Row) -> dict[str, str]:
    return {name: value.encode("utf-8", "replace").decode() for name, value in row.items()}


def _similar(before: SortedRun, last: SortedRun) -> bool:
    return last.frame.height * 2 >= before.frame.height


def _sorted_run(frame: pl.DataFrame) -> SortedRun:
    frame = frame.with_columns(
        frame.get_column(TIMESTAMP).cast(pl.Int64).alias(TIME_MS),
        frame.get_column(INGEST_TIMESTAMP).cast(pl.Int64).alias(INGEST_MS),
    )
    return SortedRun(_in_order(frame))


def _merged(runs: Sequence[SortedRun]) -> SortedRun:
    # In one piece: a query over many small pieces takes longer than copying them once.
    frames = [run.frame for run in runs]
    return SortedRun(_in_order(pl.concat(frames, how="diagonal", rechunk=True)))


def _in_order(frame: pl.DataFrame) -> pl.DataFrame:
    # Of one moment, what came first stands first.
    if not frame.get_column(TIME_MS).is_sorted():
        frame = frame.sort(TIME_MS, maintain_order=True)
    return frame.with_columns(pl.col(TIME_MS).set_sorted())


def _cut_all(runs: Sequence[SortedRun], event: Span, ingest: Span) -> list[pl.DataFrame]:
    """Return the events of each run inside both spans, in order of arrival."""
    return [part for run in runs if (part := _cut(run, event, ingest)).height]


def _apart(parts: Sequence[pl.DataFrame]) -> list[pl.DataFrame] | None:
    """Return parts in order of time, None if they reach into each other.

    Of one moment, what arrived first comes first.
    """
    ends = [
        (int(times[0]), place, int(times[-1]))
        for place, part in enumerate(parts)
        for times in (part.get_column(TIME_MS),)
    ]
    ends.sort()
    for (_, place, last), (first, next_place, _) in pairwise(ends):
        if (last, place) > (first, next_place):
            return None
    return [parts[place] for _, place, _ in ends]


def _cut(run: SortedRun, event: Span, ingest: Span) -> pl.DataFrame:
    low = 0 if event.start_ms is None else _index(run.event_ms, event.start_ms)
    high = run.frame.height if event.end_ms is None else _index(run.event_ms, event.end_ms)
    if low >= high:
        return run.frame.clear()
    part = run.frame.slice(low, high - low)
    if ingest.is_open:
        return part
    times, mask = pl.col(INGEST_MS), pl.lit(value=True)
    if ingest.start_ms is not None:
        mask &= times >= ingest.start_ms
    if ingest.end_ms is not None:
        mask &= times < ingest.end_ms
    return part.filter(mask)


def _index(sorted_ms: pl.Series, at_ms: int, side: Literal["left", "right"] = "left") -> int:
    return int(sorted_ms.search_sorted(at_ms, side=side))
