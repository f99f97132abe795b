"""Event files read once for all pipelines of a query, keeping only what each of them may need.

Chunks are parsed in threads and gathered in the order of the files. Whenever many events have come
together, each tap's own leading filters are applied to them, so that memory grows with what the
query keeps and not with the files. What is left is sorted by time when a pipeline asks for it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field

import polars as pl

from orchestrator.cql.nodes import Parameter, Pipeline, Query
from orchestrator.cql.walk import walk
from orchestrator.engine.compile import run_over
from orchestrator.engine.context import Context, Execution
from orchestrator.engine.events import (
    EVENT_ID,
    INGEST_MS,
    INGEST_TIMESTAMP,
    TIME_MS,
    TIMESTAMP,
    Events,
    event_from_json,
    frame_of,
)
from orchestrator.engine.scan.lines import LINE, PLACE, LineReader, Parsed, Wanted
from orchestrator.engine.scan.merge import FIRST_SEEN, Merge
from orchestrator.engine.scan.parquet import read_parquet
from orchestrator.engine.scan.plan import ScanPlan, Tap
from orchestrator.engine.scan.ways import AnotherWay, Reading, ways_to_read
from orchestrator.engine.sources.files import EventFile, Packing, Skipped

GATHERED_EVENTS = 250_000
"""Events that come together before they are filtered; below it filtering twice costs more."""
WORKERS = min(4, os.cpu_count() or 1)


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What one tap has kept so far."""

    tap: Tap
    frames: list[pl.DataFrame] = field(default_factory=list)
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    frames: tuple[pl.DataFrame, ...]
    events: int
    kept: tuple[tuple[int, int], ...]
    """Frames and events of each tap."""


@dataclass(slots=True, kw_only=True)
class ScanSource:
    """The events of some files, as the pipelines of one query may need them."""

    plan: ScanPlan
    merge: Merge | None
    kept: list[_Kept]
    events: int
    skipped: Skipped
    _sorted: dict[int, Events] = field(default_factory=dict)

    @property
    def events_kept(self) -> int:
        """Return how many events were kept, once for each pipeline that may need them."""
        return sum(kept.count for kept in self.kept)

    def span_ms(self) -> tuple[int, int] | None:
        """Return the first and the last time among the events that were kept; None: none were."""
        times = [frame.get_column(TIME_MS) for kept in self.kept for frame in kept.frames]
        found = [(t.min(), t.max()) for t in times if t.len()]
        starts = [first for first, _ in found if isinstance(first, int)]
        ends = [last for _, last in found if isinstance(last, int)]
        return (min(starts), max(ends)) if starts and ends else None

    def read(
        self, pipeline: Pipeline, start_ms: int, end_ms: int, *, use_ingest_time: bool
    ) -> pl.DataFrame:
        """Return the events of `[start_ms, end_ms)` that the pipeline may need, oldest first."""
        number = 0
        if not self.plan.whole and self.merge is None:
            taps = [kept.tap.pipeline for kept in self.kept]
            number = next(i for i, known in enumerate(taps) if known is pipeline)
        if number not in self._sorted:
            self._sorted[number] = _sorted_events(self.kept[number])
        events = self._sorted[number]
        return events.between(start_ms, end_ms, use_ingest_time=use_ingest_time)


class Gathering:
    """Events on their way from the files to the taps."""

    def __init__(
        self, *, query: Query, plan: ScanPlan, merge: Merge | None, context: Context
    ) -> None:
        """Start with nothing."""
        self._query, self._merge, self._context = query, merge, context
        self._frames: list[pl.DataFrame] = []
        self._count = 0
        self.events = 0
        self.kept = [_Kept(tap=tap) for tap in plan.taps]

    def add(self, parsed: Parsed) -> None:
        """Take one piece of a file; many together are filtered."""
        self.events += parsed.events
        if parsed.frame.height:
            self._frames.append(parsed.frame)
            self._count += parsed.frame.height
        if self._count >= GATHERED_EVENTS:
            self.share_out()

    def share_out(self) -> None:
        """Give each tap the events that pass its window and its filters."""
        if not self._frames:
            return
        frame = pl.concat(self._frames)
        for one in self.kept:
            chosen = self._chosen(frame, one.tap)
            if chosen.height:
                one.frames.append(chosen)
                one.count += chosen.height
        self._frames, self._count = [], 0

    def _chosen(self, frame: pl.DataFrame, tap: Tap) -> pl.DataFrame:
        if self._merge is None:
            return _filtered(frame, tap, self._query, self._context)
        inside = _inside(frame, self._context)
        execution = _execution(self._query, self._context)
        events = Events.from_times(inside)
        flow = run_over(events.frame, self._merge.parts, execution)
        first = pl.col(FIRST_SEEN)
        return flow.collect().with_columns(
            first.alias(TIMESTAMP), first.cast(pl.Int64).alias(TIME_MS)
        )

    def mark(self) -> _Mark:
        """Return where things stand, for `reset`."""
        return _Mark(
            frames=tuple(self._frames),
            events=self.events,
            kept=tuple((len(one.frames), one.count) for one in self.kept),
        )

    def reset(self, mark: _Mark) -> None:
        """Forget everything since the mark."""
        self._frames, self.events = list(mark.frames), mark.events
        self._count = sum(frame.height for frame in mark.frames)
        for one, (length, count) in zip(self.kept, mark.kept, strict=True):
            del one.frames[length:]
            one.count = count


def read_events(
    files: Sequence[EventFile],
    query: Query,
    plan: ScanPlan,
    *,
    merge: Merge | None,
    context: Context,
    progress: Callable[[int], None] | None = None,
) -> ScanSource:
    """Read the files once and return what the query may need of them.

    Args:
        files: In the order in which events of equal time shall stand.
        query: Planned as `plan`.
        plan: What to read.
        merge: How to group while reading, if at all.
        context: Its window bounds the taps that have none of their own.
        progress: Is told how many bytes were read since the last call.

    Raises:
        OSError: A file cannot be opened or read.
        CqlError: A leading filter cannot be run.
    """
    gathering = Gathering(query=query, plan=plan, merge=merge, context=context)
    wanted = Wanted(fields=plan.columns, need=plan.need, keeps_lines=plan.keeps_lines)
    reading = Reading(reader=LineReader(wanted), skipped=Skipped(), progress=progress)
    with ThreadPoolExecutor(WORKERS) as pool:
        for number, file in enumerate(files):
            if file.packing is Packing.PARQUET:
                pieces = read_parquet(file, plan, number=number, reading=reading)
                for piece in pieces:
                    gathering.add(piece)
            else:
                _read_lines(file, number, gathering, reading, pool)
    gathering.share_out()
    return ScanSource(
        plan=plan,
        merge=merge,
        kept=gathering.kept,
        events=gathering.events,
        skipped=reading.skipped,
    )


def _read_lines(
    file: EventFile, number: int, gathering: Gathering, reading: Reading, pool: Executor
) -> None:
    """Read a file of lines the fastest way that it allows."""
    before = gathering.mark()
    for way in ways_to_read(file, number, reading, pool):
        # Noted once the way has led to the end: the next one meets the same lines again.
        problems: list[tuple[int, str]] = []
        try:
            for parsed in way:
                problems += parsed.problems
                gathering.add(parsed)
        except AnotherWay:
            gathering.reset(before)
            continue
        for line, reason in problems:
            reading.skipped.note(f"{file.name}:{line + 1}", reason)
        return


def _filtered(frame: pl.DataFrame, tap: Tap, query: Query, context: Context) -> pl.DataFrame:
    times = [name for name in (TIME_MS, INGEST_MS) if name in frame.columns]
    columns = list(times)
    columns += [LINE, PLACE] if tap.fields is None else list(tap.fields)
    columns += [PLACE] if tap.fields is not None and EVENT_ID in tap.fields else []
    flow_frame = frame if tap.has_own_window else _inside(frame, context)
    if not tap.filters or not flow_frame.height:
        return flow_frame.select(columns)
    execution = _execution(query, context)
    place = execution.mark("place")
    names = [*tap.filter_fields, *times]
    numbered = flow_frame.select(list(dict.fromkeys(names))).with_row_index(place)
    flow = run_over(numbered, tap.filters, execution)
    passed = flow.frame.select(place).collect().to_series()
    if passed.len() == flow_frame.height:
        return flow_frame.select(columns)
    return flow_frame.select(columns)[passed]


def _inside(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    times = frame.get_column(INGEST_MS if context.use_ingest_time else TIME_MS)
    inside = times.is_between(context.start_ms, context.end_ms, closed="left")
    return frame if inside.all() else frame.filter(inside)


def _execution(query: Query, context: Context) -> Execution:
    execution = Execution(events=Events.from_rows(()), context=context)
    for node in walk(query):
        if isinstance(node, Parameter) and node.default is not None:
            execution.defaults.setdefault(node.name, node.default)
    return execution


def _sorted_events(kept: _Kept) -> Events:
    """Return what a tap kept, oldest first; whole events are read out of their lines only now."""
    if kept.tap.fields is None:
        frames = [_whole_events(frame) for frame in kept.frames]
        return Events.from_times(
            pl.concat(frames, how="diagonal", rechunk=True) if frames else None
        )
    frames, kept.frames = kept.frames, []
    if not frames:
        return Events.from_times(None, fields=kept.tap.fields)
    # Grouping over many small pieces takes many times as long as over one.
    frame = pl.concat(frames, rechunk=True)
    if PLACE in frame.columns:
        frame = _with_ids(frame)
    return Events.from_times(frame, fields=kept.tap.fields)


def _whole_events(frame: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for line in frame.get_column(LINE).to_list():
        row = event_from_json(line)
        rows.append(row if isinstance(row, dict) else {})
    made = frame_of(rows).with_columns(
        frame.get_column(name) for name in (TIME_MS, INGEST_MS, PLACE) if name in frame.columns
    )
    for name, otherwise in ((TIMESTAMP, pl.lit("0")), (INGEST_TIMESTAMP, pl.col(TIMESTAMP))):
        known = pl.col(name) if name in made.columns else pl.lit(None, pl.String)
        made = made.with_columns(pl.coalesce(known, otherwise).alias(name))
    return _with_ids(made)


def _with_ids(frame: pl.DataFrame) -> pl.DataFrame:
    """Give each event without an `@id` one that depends on its place in the files alone."""
    known = pl.col(EVENT_ID) if EVENT_ID in frame.columns else pl.lit(None, pl.String)
    derived = [
        hashlib.blake2b(f"{place}\0{stamp}".encode(), digest_size=16).hexdigest()
        for place, stamp in frame.select(PLACE, TIME_MS).iter_rows()
    ]
    ids = pl.Series("\x00id", derived, dtype=pl.String)
    return (
        frame.with_columns(ids)
        .with_columns(pl.coalesce(known, "\x00id").alias(EVENT_ID))
        .drop("\x00id", PLACE)
    )
