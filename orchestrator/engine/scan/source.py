"""Event files read once for all pipelines of a query, keeping only what each of them may need.

Chunks are parsed in threads and gathered in the order of the files. Whenever many events have come
together, each tap's own leading filters are applied to them, so that memory grows with what the
query keeps and not with the files. What is left is sorted by time when a pipeline asks for it.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import polars as pl

from orchestrator.cql.nodes import Parameter, Pipeline, Query
from orchestrator.cql.walk import walk
from orchestrator.engine.compile import run_steps
from orchestrator.engine.context import Context, Execution
from orchestrator.engine.events import (
    EVENT_ID,
    INGEST_MS,
    TIME_MS,
    Events,
    event_from_json,
    frame_of,
)
from orchestrator.engine.files import EventFile, Packing, Skipped, read_chunks
from orchestrator.engine.scan.lines import LINE, OFFSET, LineReader, Parsed, Wanted
from orchestrator.engine.scan.parquet import read_parquet
from orchestrator.engine.scan.plan import ScanPlan, Tap
from orchestrator.engine.stages import source_flow

GATHERED_EVENTS = 250_000
"""Events that come together before they are filtered; below it filtering twice costs more."""
_WORKERS = min(4, os.cpu_count() or 1)


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What one tap has kept so far."""

    tap: Tap
    frames: list[pl.DataFrame] = field(default_factory=list)
    count: int = 0


@dataclass(slots=True, kw_only=True)
class ScanSource:
    """The events of some files, as the pipelines of one query may need them."""

    plan: ScanPlan
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
        if not self.plan.whole:
            taps = [kept.tap.pipeline for kept in self.kept]
            number = next(i for i, known in enumerate(taps) if known is pipeline)
        if number not in self._sorted:
            self._sorted[number] = _sorted_events(self.kept[number])
        events = self._sorted[number]
        return events.between(start_ms, end_ms, use_ingest_time=use_ingest_time)


def read_events(
    files: Sequence[EventFile],
    query: Query,
    plan: ScanPlan,
    *,
    context: Context,
    progress: Callable[[int], None] | None = None,
) -> ScanSource:
    """Read the files once and return what the query may need of them.

    Args:
        files: In the order in which events of equal time shall stand.
        query: Planned as `plan`.
        plan: What to read.
        context: Its window bounds the taps that have none of their own.
        progress: Is told how many bytes were read since the last call.

    Raises:
        OSError: A file cannot be opened or read.
        CqlError: A leading filter cannot be run.
    """
    skipped = Skipped()
    kept = [_Kept(tap=tap) for tap in plan.taps]
    gathered: list[pl.DataFrame] = []
    count = events = 0
    for frame, scanned in _frames(files, plan, skipped, progress):
        events += scanned
        if not frame.height:
            continue
        gathered.append(frame)
        count += frame.height
        if count >= GATHERED_EVENTS:
            _share_out(gathered, kept, query, context)
            gathered, count = [], 0
    _share_out(gathered, kept, query, context)
    return ScanSource(plan=plan, kept=kept, events=events, skipped=skipped)


def _frames(
    files: Sequence[EventFile],
    plan: ScanPlan,
    skipped: Skipped,
    progress: Callable[[int], None] | None,
) -> Iterator[tuple[pl.DataFrame, int]]:
    reader = LineReader(
        Wanted(fields=plan.columns, need=plan.need, keeps_lines=plan.keeps_lines)
    )
    with ThreadPoolExecutor(_WORKERS) as pool:
        for number, file in enumerate(files):
            if file.packing is Packing.PARQUET:
                yield from read_parquet(
                    file, plan, number=number, skipped=skipped, progress=progress
                )
                continue
            first_line = 1
            for parsed in _in_order(pool, reader, file, number, skipped, progress):
                for line, reason in parsed.problems:
                    skipped.note(f"{file.name}:{first_line + line}", reason)
                first_line += parsed.lines
                yield parsed.frame, parsed.events


def _in_order(
    pool: ThreadPoolExecutor,
    reader: LineReader,
    file: EventFile,
    number: int,
    skipped: Skipped,
    progress: Callable[[int], None] | None,
) -> Iterator[Parsed]:
    """Parse a file's chunks in threads, a few ahead, and give them back in order."""
    pending: deque[Future[Parsed]] = deque()
    try:
        for chunk in read_chunks(file, skipped=skipped, progress=progress):
            pending.append(pool.submit(reader.parse, chunk, file_number=number))
            if len(pending) > _WORKERS + 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


def _share_out(
    gathered: list[pl.DataFrame], kept: list[_Kept], query: Query, context: Context
) -> None:
    """Give each tap the events that pass its window and its filters."""
    if not gathered:
        return
    frame = pl.concat(gathered) if len(gathered) > 1 else gathered[0]
    for one in kept:
        chosen = _filtered(frame, one.tap, query, context)
        if chosen.height:
            # A filtered column may still hold on to all the text it was cut from.
            one.frames.append(chosen.rechunk())
            one.count += chosen.height


def _filtered(frame: pl.DataFrame, tap: Tap, query: Query, context: Context) -> pl.DataFrame:
    columns = [TIME_MS, INGEST_MS]
    columns += [LINE, OFFSET] if tap.fields is None else list(tap.fields)
    columns += [OFFSET] if tap.fields is not None and EVENT_ID in tap.fields else []
    flow_frame = frame
    if not tap.has_own_window:
        time = pl.col(INGEST_MS if context.use_ingest_time else TIME_MS)
        flow_frame = frame.filter((time >= context.start_ms) & (time < context.end_ms))
    if not tap.filters or not flow_frame.height:
        return flow_frame.select(columns)
    execution = Execution(events=Events.from_rows(()), context=context)
    for node in walk(query):
        if isinstance(node, Parameter) and node.default is not None:
            execution.defaults.setdefault(node.name, node.default)
    place = execution.mark("place")
    names = [*tap.filter_fields, TIME_MS, INGEST_MS]
    numbered = flow_frame.select(list(dict.fromkeys(names))).with_row_index(place)
    flow = run_steps(tap.filters, source_flow(numbered, execution))
    passed = flow.frame.select(place).collect().to_series()
    if passed.len() == flow_frame.height:
        return flow_frame.select(columns)
    return flow_frame.select(columns)[passed]


def _sorted_events(kept: _Kept) -> Events:
    """Return what a tap kept, oldest first; whole events are read out of their lines only now."""
    if kept.tap.fields is None:
        frames = [_whole_events(frame) for frame in kept.frames]
        return Events.from_times(pl.concat(frames, how="diagonal") if frames else None)
    frames = kept.frames
    kept.frames = []
    if not frames:
        return Events.from_times(None, fields=kept.tap.fields)
    frame = pl.concat(frames)
    if EVENT_ID in kept.tap.fields:
        frame = _with_ids(frame)
    return Events.from_times(frame, fields=kept.tap.fields)


def _whole_events(frame: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for line in frame.get_column(LINE).to_list():
        row = event_from_json(line)
        rows.append(row if isinstance(row, dict) else {})
    made = frame_of(rows)
    made = made.with_columns(frame.get_column(name) for name in (TIME_MS, INGEST_MS, OFFSET))
    return _with_ids(made)


def _with_ids(frame: pl.DataFrame) -> pl.DataFrame:
    """Give each event without an `@id` one that depends on its place in the files alone."""
    known = pl.col(EVENT_ID) if EVENT_ID in frame.columns else pl.lit(None, pl.String)
    derived = [
        hashlib.blake2b(f"{place}\0{stamp}".encode(), digest_size=16).hexdigest()
        for place, stamp in frame.select(OFFSET, TIME_MS).iter_rows()
    ]
    ids = pl.Series("\x00id", derived, dtype=pl.String)
    return (
        frame.with_columns(ids)
        .with_columns(pl.coalesce(known, "\x00id").alias(EVENT_ID))
        .drop("\x00id", OFFSET)
    )


