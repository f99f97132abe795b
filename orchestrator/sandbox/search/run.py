"""One query over one repository's events: check it, run it, say what came out.

The only file of the sandbox that runs the engine. Checking is cheap and happens in the request;
running is CPU work on an immutable snapshot and belongs in a thread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import polars as pl

from orchestrator.cql import QueryKind, find, lint, nodes, parse, parse_or_raise, walk
from orchestrator.cql.catalogue import FunctionKind
from orchestrator.cql.diagnostics import Diagnostic, Level
from orchestrator.engine.compile import compile_query
from orchestrator.engine.context import Context
from orchestrator.engine.events import INGEST_MS, TIME_MS, Events
from orchestrator.engine.run import run_query
from orchestrator.engine.sources.lookups import Lookup
from orchestrator.errors import CqlError
from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.storage.events import EVERYTHING, TIMESTAMP, Snapshot, Span

MAX_QUERY_CHARS = 66_000
EVENT_ID = "@id"

# What the linter knows and the server itself refuses; the other checks are advice.
_REFUSED_CODES = frozenset(
    {
        "aggregate-as-filter",
        "aggregate-in-branch",
        "argument-twice",
        "collect-as",
        "free-text-after-aggregate",
        "missing-parameter",
        "second-unnamed-argument",
        "unknown-parameter",
        "value-not-allowed",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A query that LogScale would start."""

    text: str
    query: nodes.Query
    is_aggregate: bool
    time_chart: nodes.Call | None
    """The timeChart() that the result's rows come from."""
    filter_text: str
    """The leading filter steps as text; `*` where there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """The events near one event, in place of the newest."""

    event_id: str
    timestamp_ms: int
    """Where to look if the event itself is not among those that match."""
    before: int = 100
    after: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A checked query with all that its run depends on; `start_ms` to `end_ms` is half-open."""

    checked: Checked
    start_ms: int
    end_ms: int
    now_ms: int
    use_ingest_time: bool = False
    ingest: Span = EVERYTHING
    """Further bounds on `@ingesttimestamp`."""
    around: Around | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)
    saved: Mapping[str, str] = field(default_factory=dict)
    lookups: Mapping[str, Lookup] = field(default_factory=dict)
    prefix: str = ""
    """Filter of the view, put in front of the query."""
    repository: str = ""
    limit: int | None = None
    """Most rows to keep of a filter query, the newest; None keeps all."""
    wants_distribution: bool = False
    """Count the events that the leading filters match, over time."""
    wants_field_stats: bool = False
    """Tell of each field how often it occurs, and its most frequent values."""
    share: float = 1.0
    """How much of the events to read, the newest; above 0 and up to 1."""
    zone: str = "UTC"
    """IANA name or offset; where days begin."""
    bucket_count: int | None = None
    """Wanted number of buckets where the query gives no span."""
    files: Sequence[Mapping[str, object]] = ()
    """The lookup files that the query names, as the wire has them."""
    own_interval: Mapping[str, str] | None = None
    """`start` and `end` as setTimeInterval() names them; the window is then the query's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came out; a filter query's rows are newest first."""

    rows: Sequence[Mapping[str, str]]
    field_order: Sequence[str]
    is_aggregate: bool
    has_more: bool
    warnings: Sequence[str]
    events_scanned: int
    bytes_scanned: int
    is_sample: bool = False
    """Whether events were left unread because a share of them was enough."""
    distribution: Sequence[Mapping[str, str]] | None = None
    """`_bucket` and `_count` over the whole window, None where it was not asked for."""


@lru_cache(maxsize=256)
def check(text: str) -> Checked:
    """Return the query, parsed and looked at.

    Raises:
        Refusal: 400 in LogScale's shape, for what LogScale would not start.
    """
    if len(text) > MAX_QUERY_CHARS:
        message = f"the query is longer than {MAX_QUERY_CHARS} characters"
        raise Refusal(400, refusal_text("", message, 0, 0))
    parsed = parse(text)
    for found in diagnostics_of(text):
        if found.level is Level.ERROR:
            raise Refusal(400, _refusal_of(found, parsed.query))
    return Checked(
        text=text.strip() or "*",
        query=parsed.query,
        is_aggregate=_is_aggregate(parsed.query),
        time_chart=_time_chart(parsed.query),
        filter_text=_filter_text(parsed.query),
    )


def refuse_unsupported(checked: Checked) -> None:
    """Refuse at once what LogScale would run and the local engine cannot.

    Raises:
        Refusal: 400, naming the construct.
    """
    try:
        _compiled(checked.query.text)
    except CqlError as exc:
        raise Refusal(400, refusal_text(checked.query.text, str(exc), exc.start, exc.end)) from exc


@lru_cache(maxsize=256)
def _parsed(text: str) -> nodes.Query:
    return parse_or_raise(text)


@lru_cache(maxsize=256)
def _compiled(text: str) -> None:
    """Raise what the engine says against a query; to find nothing takes as long as a search."""
    compile_query(_parsed(text))


def diagnostics_of(text: str) -> list[Diagnostic]:
    """Return what LogScale would say about the text, in order of place: never mere advice."""
    found = list(parse(text).diagnostics)
    if not any(d.level is Level.ERROR for d in found):
        advice = lint(text, kind=QueryKind.SEARCH)
        found += [d for d in advice if d.level is Level.ERROR and d.code in _REFUSED_CODES]
    return found


def _refusal_of(found: Diagnostic, query: nodes.Query) -> str:
    """Return the body of the 400 for an error: LogScale's own words where they are known."""
    if found.code == "unknown-parameter":
        # Recorded so, with nothing in the fence.
        name = query.text[found.span.start : found.span.end]
        at = found.span.start
        calls = [n for n in walk(query) if isinstance(n, nodes.Call)]
        around = [call for call in calls if call.span.start <= at < call.span.end]
        known = find(around[-1].name) if around else None
        if known is not None:
            message = f"parameter {name} is not supported in function {known.name}"
            return refusal_text("", message, 0, 0)
    message = f"{found.message} {found.help}".strip()
    return refusal_text(query.text, message, found.span.start, found.span.end)


def refusal_text(text: str, message: str, start: int, end: int) -> str:
    """Return the body of a 400: the message, then a fence with the line and a caret under it."""
    start = min(start, len(text))
    line_start = text.rfind("\n", 0, start) + 1
    line = text[line_start:].split("\n", 1)[0]
    width = max(1, min(end, line_start + len(line)) - start)
    excerpt = f"{line}\n{' ' * (start - line_start)}{'^' * width}" if line.strip() else ""
    return f"{message}\n```\n{excerpt}\n```"


def run(search: Search, snapshots: Sequence[Snapshot]) -> Answer:
    """Run the search over each repository's events, at least one; for a worker thread.

    Raises:
        CqlError: The engine cannot run it; `CqlUnsupported` names what.
    """
    whole = _frame(search, snapshots)
    frame = whole if search.share >= 1 else _newest(whole, search.share)
    events, context = Events.from_times(frame), context_of(search)
    result = run_query(_parsed(_text_to_run(search)), events, context=context)
    distribution = None
    if search.wants_distribution:
        counted = f"{_prefixed(search, search.checked.filter_text)}\n| timeChart()"
        distribution = run_query(_parsed(counted), events, context=context).rows
    rows: Sequence[Mapping[str, str]] = result.rows
    is_aggregate = search.checked.is_aggregate
    has_more = False
    if not is_aggregate:
        # Of one moment, what came last stands first: pages then neither skip nor repeat.
        rows = sorted(rows, key=_time)
        rows.reverse()
        if search.around is not None:
            rows = _around(rows, search.around)
        elif search.limit is not None:
            has_more = len(rows) > search.limit
            rows = rows[: search.limit]
    return Answer(
        rows=rows,
        field_order=result.fields,
        is_aggregate=is_aggregate,
        has_more=has_more,
        warnings=result.warnings,
        events_scanned=frame.height if has_more else result.events_scanned,
        bytes_scanned=int(frame.drop(TIME_MS, INGEST_MS).estimated_size()),
        is_sample=frame.height < whole.height,
        distribution=distribution,
    )


def _newest(frame: pl.DataFrame, share: float) -> pl.DataFrame:
    """Return the newest part of the events: what a server searches first."""
    wanted = math.ceil(frame.height * share)
    return frame.sort(TIME_MS, maintain_order=True).tail(wanted)


def context_of(search: Search) -> Context:
    """Return what the engine is told of the search."""
    return Context(
        start_ms=search.start_ms,
        end_ms=search.end_ms,
        now_ms=search.now_ms,
        use_ingest_time=search.use_ingest_time,
        arguments=search.arguments,
        lookups=search.lookups,
        saved=search.saved,
        repository=search.repository,
        zone=search.zone,
        bucket_count=search.bucket_count,
    )


def _prefixed(search: Search, text: str) -> str:
    has_prefix = search.prefix and search.prefix != "*"
    return f"({search.prefix})\n| {text}" if has_prefix else text


def _text_to_run(search: Search) -> str:
    text = _prefixed(search, search.checked.text)
    if not search.checked.is_aggregate and search.around is None and search.limit is not None:
        # One more than wanted, to know whether there were more.
        text = f"{text}\n| tail({search.limit + 1})"
    return text


def _frame(search: Search, snapshots: Sequence[Snapshot]) -> pl.DataFrame:
    """Return the events that the query may read: its window, unless it looks further back."""
    window = Span(start_ms=search.start_ms, end_ms=search.end_ms)
    parts = []
    for snapshot in snapshots:
        if any(
            isinstance(n, nodes.Subquery | nodes.SavedQuery) for n in walk(search.checked.query)
        ):
            parts.append(snapshot.frame(ingest=search.ingest))
        elif search.use_ingest_time:
            parts.append(snapshot.frame(ingest=_both(window, search.ingest)))
        else:
            parts.append(snapshot.frame(event=window, ingest=search.ingest))
    return pl.concat(parts, how="diagonal") if len(parts) != 1 else parts[0]


def _both(first: Span, second: Span) -> Span:
    starts = [ms for ms in (first.start_ms, second.start_ms) if ms is not None]
    ends = [ms for ms in (first.end_ms, second.end_ms) if ms is not None]
    return Span(start_ms=max(starts, default=None), end_ms=min(ends, default=None))


def _time(row: Mapping[str, str]) -> int:
    return int(row.get(TIMESTAMP) or 0)


def _around(rows: Sequence[Mapping[str, str]], around: Around) -> list[Mapping[str, str]]:
    # Rows are newest first: what happened after the event stands before it.
    at = next((i for i, row in enumerate(rows) if row.get(EVENT_ID) == around.event_id), None)
    if at is not None:
        return list(rows[max(0, at - around.after) : at + around.before + 1])
    newer = sum(_time(row) > around.timestamp_ms for row in rows)
    return list(rows[max(0, newer - around.after) : newer + around.before])


def _steps_text(query: nodes.Query, steps: Sequence[nodes.Step]) -> str:
    return query.text[steps[0].span.start : steps[-1].span.end] if steps else ""


def _filter_text(query: nodes.Query) -> str:
    """Return the text of the filter steps that the query begins with."""
    leading: list[nodes.Step] = []
    for step in query.pipeline.steps:
        if not _filters(step):
            break
        leading.append(step)
    return _steps_text(query, leading) or "*"


def _filters(step: nodes.Step) -> bool:
    if isinstance(step, nodes.Call):
        function = find(step.name)
        has_query = any(isinstance(node, nodes.Subquery) for node in walk(step))
        return function is not None and function.kind is FunctionKind.FILTER and not has_query
    return isinstance(step, nodes.And | nodes.Or | nodes.Not | nodes.Comparison | nodes.FreeText)


def _time_chart(query: nodes.Query) -> nodes.Call | None:
    found = None
    for step in query.pipeline.steps:
        if isinstance(step, nodes.Call) and step.name.lower() == "timechart":
            found = step
        elif _aggregates(step):
            found = None
    return found


def _is_aggregate(query: nodes.Query) -> bool:
    return any(_aggregates(step) for step in query.pipeline.steps)


def _aggregates(step: nodes.Step) -> bool:
    if isinstance(step, nodes.StatsShorthand):
        return True
    function = find(step.name) if isinstance(step, nodes.Call) else None
    return function is not None and function.kind is FunctionKind.AGGREGATE
