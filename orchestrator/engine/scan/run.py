"""Run a query over event files: plan, read once, execute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.cql.nodes import Query
from orchestrator.cql.parser import parse_or_raise
from orchestrator.engine.compile import execute
from orchestrator.engine.context import Context, Result
from orchestrator.engine.events import Events
from orchestrator.engine.scan.merge import mergeable
from orchestrator.engine.scan.plan import ScanPlan, plan_scan
from orchestrator.engine.scan.source import read_events
from orchestrator.engine.sources.files import EventFile, find_files

FIRST_MS, LAST_MS = -(10**15), 10**15
"""A window that holds every time there is, in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """A query's rows, and what became of the files it was run over."""

    result: Result
    files: int
    events: int
    """Events read, those that the query dropped too."""
    events_kept: int
    """Events that the reading kept for the query, or groups of them where it grouped already."""
    lines_skipped: int
    problems: tuple[str, ...]
    """What could not be read, the first of it by place and reason."""
    plan: ScanPlan


def scan_query(
    query: Query | str,
    paths: Sequence[Path | str] | Sequence[EventFile],
    *,
    context: Context,
    progress: Callable[[int], None] | None = None,
) -> ScanResult:
    """Return the query's rows over the events of files.

    Args:
        query: The query, or its text.
        paths: Files, folders and patterns; or the files that `find_files` gave for them.
        context: As for `run_query`. A window from `FIRST_MS` to `LAST_MS` becomes that of the
            events that the query keeps.
        progress: Is told how many bytes of the files were read since the last call.

    Raises:
        OSError: A file does not exist or cannot be read.
        CqlError: As for `run_query`.
    """
    tree = parse_or_raise(query) if isinstance(query, str) else query
    files = [path for path in paths if isinstance(path, EventFile)]
    files += find_files(path for path in paths if not isinstance(path, EventFile))
    # What the engine cannot run is refused before anything is read.
    execute(tree, Events.from_rows(()), context=context)
    plan = plan_scan(tree, use_ingest_time=context.use_ingest_time)
    merge = mergeable(tree, plan, use_ingest_time=context.use_ingest_time)
    source = read_events(files, tree, plan, merge=merge, context=context, progress=progress)
    if context.start_ms == FIRST_MS or context.end_ms == LAST_MS:
        first, last = source.span_ms() or (0, 0)
        context = replace(
            context,
            start_ms=first if context.start_ms == FIRST_MS else context.start_ms,
            end_ms=last + 1 if context.end_ms == LAST_MS else context.end_ms,
        )
    whole = tree if merge is None or not source.events_kept else merge.whole
    result = execute(whole, source, context=context)
    return ScanResult(
        result=replace(result, events_scanned=source.events),
        files=len(files),
        events=source.events,
        events_kept=source.events_kept,
        lines_skipped=source.skipped.lines,
        problems=tuple(source.skipped.problems),
        plan=plan,
    )
