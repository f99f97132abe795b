"""Aggregation for charts: time buckets, windows over them, flows between nodes, places on a map.

Source: library.humio.com, data-analysis/functions-bucket.html, functions-timechart.html,
functions-window.html, functions-sankey.html, functions-worldmap.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from orchestrator.cql.nodes import Array, Call, Expression
from orchestrator.engine.arguments import Args, semantic
from orchestrator.engine.context import Context, Execution
from orchestrator.engine.events import Events
from orchestrator.engine.flow import Flow
from orchestrator.engine.frames.grouping import aggregate_by, key_texts, largest, plan_functions
from orchestrator.engine.functions.geography import geohash_of, place_columns
from orchestrator.engine.functions.times import bucket_start, zone_of
from orchestrator.engine.functions.unit_conversion import rate_factor
from orchestrator.engine.steps.expressions import bind
from orchestrator.engine.values import Value, number_text, text_number

BUCKET = "_bucket"
MOST_BUCKETS = 10_000
# The span of `auto` is not published; this gives about a hundred buckets of a round length.
_AUTO_SPANS_MS = (
    1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000,
    1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000, 86_400_000,
)  # fmt: skip


def bucket(args: Args, flow: Flow) -> Flow:
    """Group by the start of a time bucket and, where given, by fields."""
    return flow.behind_aggregate(_bucketed(args, flow, args.texts("field")))


def time_chart(args: Args, flow: Flow) -> Flow:
    """bucket() by series; without a series every bucket of the window is shown."""
    keys = args.texts("series")
    found = _bucketed(args, flow, keys)
    if not keys and not flow.group:
        found = _with_empty_buckets(args, found, flow)
    return flow.behind_aggregate(found)


def _bucketed(args: Args, flow: Flow, keys: Sequence[str]) -> pl.DataFrame:
    limit = args.integer("limit", default=10, maximum=500)
    node = args.node("function") if args.has("function") else None
    windows, others = _windows(node)
    found = None
    if others is not None or not windows:
        found = _by_bucket(args, flow, keys, node if not windows else others, spread=1)
    for window in windows:
        part = _window(args, bind(window, flow.rows()), flow, keys)
        by = [*flow.outer(), BUCKET, *keys]
        found = part if found is None else found.join(part, on=by, how="full", coalesce=True)
    if found is None:
        raise semantic(args.call, "function= names no aggregate")
    shown = [*flow.outer(), BUCKET, *keys]
    if keys:
        count = found.select(keys).n_unique()
        if count > limit:
            if not args.has("limit"):
                flow.execution.warn(f"kept the {limit} largest of {count} series; raise its limit")
            found = largest(found, keys, limit, ignore=shown)
    order = text_number(pl.col(BUCKET))
    rest = [name for name in found.columns if name not in shown]
    found = _converted(args, found, rest)
    return found.sort(order, maintain_order=True).select(*shown, *rest)


def _converted(args: Args, frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Convert the values by `unit=`: one conversion for all functions, or one for each."""
    units = args.texts("unit")
    if not units:
        return frame
    if len(units) not in (1, len(names)):
        raise semantic(args.call, "unit= needs one entry, or one for each function")
    factors = [rate_factor(unit, span_ms=span_ms(args)) for unit in units]
    return frame.with_columns(
        number_text(text_number(pl.col(name)) * factor).alias(name)
        for name, factor in zip(names, factors * (len(names) if len(units) == 1 else 1),
                                strict=True)
    )  # fmt: skip


def _by_bucket(
    args: Args, flow: Flow, keys: Sequence[str], node: Expression | None, *, spread: int
) -> pl.DataFrame:
    """Aggregate by bucket; each row counts in its own and the `spread - 1` buckets behind it."""
    zone, span = _zone(args), span_ms(args)
    start, mark = flow.execution.mark("start"), flow.execution.mark("shift")
    time = flow.rows().own_time()
    if time is not None and zone == "UTC":
        begin = time // span * span
    else:
        begin = bucket_start(flow.rows().number("@timestamp"), span, zone=zone).cast(pl.Int64)
    frame = flow.frame.with_columns(begin.alias(start))
    if spread > 1:
        shifts = pl.lit([i * span for i in range(spread)], dtype=pl.List(pl.Int64)).alias(mark)
        frame = frame.with_columns(shifts).explode(mark)
        frame = frame.with_columns((pl.col(start) + pl.col(mark)).alias(start))
        last = bucket_start(pl.lit(args.execution.context.end_ms - 1.0), span, zone=zone)
        frame = frame.filter(pl.col(start) <= last)
    inner = replace(flow, frame=frame)
    rows = inner.rows()
    # Functions may read the bucket they are in.
    rows.replace(BUCKET, Value(expr=pl.col(start).cast(pl.String)))
    # Numbers make cheaper keys than their texts.
    by = {BUCKET: pl.col(start), **key_texts(keys, inner.rows())}
    found = aggregate_by(inner, by, node, rows=rows)
    return found.with_columns(pl.col(BUCKET).cast(pl.String))


def _windows(node: Expression | None) -> tuple[list[Call], Expression | None]:
    """Return the window() calls of a function list, and the rest of it."""
    items = node.elements if isinstance(node, Array) else () if node is None else (node,)
    windows = [item for item in items if isinstance(item, Call) and item.name.lower() == "window"]
    if not windows or node is None:
        return [], node
    rest = tuple(item for item in items if item not in windows)
    return windows, Array(span=node.span, elements=rest) if rest else None


def _window(args: Args, window: Args, flow: Flow, keys: Sequence[str]) -> pl.DataFrame:
    if window.has("span") == window.has("buckets"):
        raise semantic(window.call, "window() takes one of span= and buckets=")
    if window.has("buckets"):
        count = window.integer("buckets", default=1)
    else:
        count = round(window.duration_ms("span") / span_ms(args))
    node = window.node("function") if window.has("function") else None
    return _by_bucket(args, flow, keys, node, spread=max(1, min(count, 1500)))


def span_ms(args: Args) -> int:
    """Return the length of the buckets of bucket() or timeChart()."""
    context = args.execution.context
    interval = max(1, context.end_ms - context.start_ms)
    if args.has("buckets"):
        found = max(1, interval // max(1, args.integer("buckets", default=1)))
    elif not args.has("span") or args.text("span") == "auto":
        wanted = interval / (context.bucket_count or 100)
        found = next((span for span in _AUTO_SPANS_MS if span >= wanted), _AUTO_SPANS_MS[-1])
    else:
        found = max(1, args.duration_ms("span"))
    return max(found, min(args.duration_ms("minSpan"), interval)) if args.has("minSpan") else found


def bucket_bounds(call: Call, context: Context) -> tuple[int, int, int]:
    """Return the starts of the first and the last bucket of the window, and their length, in ms.

    Raises:
        CqlError: The call's span or time zone is none.
    """
    args = Args(call, Execution(events=Events.from_rows(()), context=context), _no_value)
    span, zone = span_ms(args), _zone(args)
    ends = (float(context.start_ms), max(context.start_ms, context.end_ms - 1.0))
    first, last = (bucket_start(pl.lit(at), span, zone=zone).cast(pl.Int64) for at in ends)
    found = pl.select(first=first, last=last)
    return int(found["first"][0]), int(found["last"][0]), span


def _no_value(node: Expression) -> Value:
    raise semantic(node, "a constant must stand here")


def _zone(args: Args) -> str:
    """Return the call's time zone, else the search's."""
    return zone_of(args.text("timezone", args.execution.context.zone), node=args.call)


def _with_empty_buckets(args: Args, frame: pl.DataFrame, flow: Flow) -> pl.DataFrame:
    context, span = args.execution.context, span_ms(args)
    zone = _zone(args)
    if (context.end_ms - context.start_ms) // span > MOST_BUCKETS:
        return frame
    instants = pl.DataFrame({"at": range(context.start_ms, context.end_ms + span, span)})
    bound = bucket_start(pl.lit(context.end_ms - 1.0), span, zone=zone)
    start = bucket_start(pl.col("at").cast(pl.Float64), span, zone=zone)
    grid = instants.filter(start <= bound).select(number_text(start).alias(BUCKET)).unique(
        maintain_order=True
    )  # fmt: skip
    node = args.node("function") if args.has("function") else None
    sums = [output.name for output in plan_functions(node, flow.rows()).outputs if output.is_sum]
    return grid.join(frame, on=BUCKET, how="left", maintain_order="left").with_columns(
        pl.col(name).fill_null("0") for name in sums if name in frame.columns
    )


def sankey(args: Args, flow: Flow) -> Flow:
    """Group by two nodes; the result's columns are `source`, `target` and the weight."""
    rows = flow.rows()
    keys = {name: rows.field(args.text(name)).text() for name in ("source", "target")}
    node = args.node("weight") if args.has("weight") else None
    return flow.behind_aggregate(aggregate_by(flow, keys, node))


def world_map(args: Args, flow: Flow) -> Flow:
    """Group by geohash; the place of a group is the middle of its cell."""
    rows = flow.rows()
    if args.has("ip"):
        latitude, longitude = place_columns(args, rows, args.text("ip"))
    elif args.has("lat") and args.has("lon"):
        latitude, longitude = rows.number(args.text("lat")), rows.number(args.text("lon"))
    else:
        raise semantic(args.call, "worldMap() needs ip=, or lat= and lon=")
    cell = geohash_of(latitude, longitude, args.integer("precision", default=4, maximum=12))
    node = args.node("magnitude") if args.has("magnitude") else None
    return flow.behind_aggregate(aggregate_by(flow, {"geohash": cell}, node))
