"""Functions over rows in order: neighbours, running aggregates, windows, partitions, sessions.

All but session() and series(), which order by time themselves, stand behind an aggregate that
gave the rows an order. Inside a function list each group is a sequence of its own.
Source: library.humio.com, data-analysis/functions-sequence.html and the functions' pages.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from orchestrator.cql.nodes import Call, Expression, Subquery
from orchestrator.engine.arguments import Args, semantic
from orchestrator.engine.flow import Flow
from orchestrator.engine.frames.aggregates import Output, printed
from orchestrator.engine.frames.grouping import aggregate_by, plan_functions
from orchestrator.engine.rows import Rows
from orchestrator.engine.steps.expressions import filter_of, value_of
from orchestrator.engine.values import Value

MOST_WINDOW_EVENTS = 1_000
MOST_DISTANCE = 10_000


def _need_order(args: Args, flow: Flow) -> None:
    if not flow.is_aggregate:
        name = args.function.name
        raise semantic(args.call, f"{name}() needs ordered rows; put head() or sort() before it")


def _over(flow: Flow, expr: pl.Expr) -> pl.Expr:
    return expr.over(flow.group) if flow.group else expr


def condition_of(node: Expression, rows: Rows) -> pl.Expr:
    """Return whether a condition argument holds: a pipeline lets the row through, or a filter."""
    inner = rows.child()
    if isinstance(node, Subquery):
        inner.apply(node.pipeline.steps)
        found = inner.condition()
        return pl.lit(value=True) if found is None else found
    if isinstance(node, Call):
        return filter_of(node, inner)
    return value_of(node, inner).truth().fill_null(value=False)


def neighbor(args: Args, flow: Flow) -> Flow:
    """Copy fields from the row before or behind."""
    _need_order(args, flow)
    distance = args.integer("distance", default=1, maximum=MOST_DISTANCE)
    direction = args.choice("direction", ("preceding", "succeeding"), default="preceding")
    shift = distance if direction == "preceding" else -distance
    rows, prefix = flow.rows(), args.text("prefix", "")
    before = flow.rows()
    for name in args.texts("include"):
        target = f"{prefix}.{name}" if prefix else name
        found = _over(flow, before.field(name).text().shift(shift))
        if not before.field(name).is_null:
            rows.replace(target, Value(expr=found))
    return flow.write(rows)


def accumulate(args: Args, flow: Flow) -> Flow:
    """Add to each row the aggregate of all rows up to it."""
    _need_order(args, flow)
    return _windowed(args, flow, period=None)


def sliding_window(args: Args, flow: Flow) -> Flow:
    """Add to each row the aggregate of the last `events` rows."""
    _need_order(args, flow)
    period = args.integer("events", default=1)
    if not 1 <= period <= MOST_WINDOW_EVENTS:
        raise semantic(args.call, f"events= takes 1 to {MOST_WINDOW_EVENTS}")
    return _windowed(args, flow, period=period)


def _windowed(args: Args, flow: Flow, *, period: int | None) -> Flow:
    """Aggregate over windows that end at each row; `period` None begins with the first."""
    flow, aggregations, fields = _one_row_outputs(args, flow)
    place = flow.execution.mark("place")
    index = _over(flow, pl.int_range(pl.len(), dtype=pl.Int64))
    frame = flow.frame.with_columns(index.alias(place)).collect()
    includes = args.choice("current", ("include", "exclude"), default="include") == "include"
    windows = (
        frame.lazy()
        .rolling(
            place,
            period=f"{period or frame.height + 1}i",
            closed="right" if includes else "left",
            group_by=flow.group or None,
        )
        .agg(aggregations)
        .collect()
    )
    return _joined(flow, frame, windows, [*flow.outer(), place], fields)


def sliding_time_window(args: Args, flow: Flow) -> Flow:
    """Add to each row the aggregate of the rows up to it within `span`, exclusive at its far end.

    Raises:
        CqlSemanticError: A time is missing or earlier than the row's before.
    """
    _need_order(args, flow)
    flow, aggregations, fields = _one_row_outputs(args, flow)
    span = args.duration_ms("span")
    default = "@ingesttimestamp" if args.execution.context.use_ingest_time else "@timestamp"
    time, place = flow.execution.mark("time"), flow.execution.mark("place")
    number = flow.rows().number(args.text("timestampfield", default))
    frame = flow.frame.with_columns(number.alias(time)).with_row_index(place).collect()
    includes = args.choice("current", ("include", "exclude"), default="include") == "include"
    first = flow.execution.mark("first")
    members: dict[object, tuple[list[float], list[int]]] = {}
    groups = frame.get_column(flow.group).to_list() if flow.group else [0] * frame.height
    orders: list[list[int]] = []
    for row, (group, at) in enumerate(zip(groups, frame.get_column(time).to_list(), strict=True)):
        times, rows = members.setdefault(group, ([], []))
        if at is None or (times and at < times[-1]):
            raise semantic(args.call, "slidingTimeWindow() needs rows sorted by their time")
        start = bisect_left(times, at - span + 1e-9)
        times.append(at)
        rows.append(row)
        orders.append(rows[start : len(rows) if includes else -1])
    windows = (
        pl.DataFrame(
            {first: pl.Series(range(frame.height), dtype=pl.UInt32),
             place: pl.Series(orders, dtype=pl.List(pl.UInt32))}
        )
        .explode(place)
        .join(frame, on=place, how="inner", maintain_order="left")
        .lazy()
        .group_by(first)
        .agg(aggregations)
        .rename({first: place})
        .collect()
    )  # fmt: skip
    return _joined(flow, frame, windows, [place], fields)


def _one_row_outputs(args: Args, flow: Flow) -> tuple[Flow, list[pl.Expr], Mapping[str, Output]]:
    """Return the flow with what the functions read, the aggregations, and the fields they fill."""
    rows = flow.rows()
    plan = plan_functions(args.node("function"), rows)
    if plan.pipelines or plan.afterwards:
        raise semantic(args.call, f"{args.function.name}() takes aggregates of one row")
    fields = {flow.execution.mark("out"): output for output in plan.outputs}
    aggregations = [output.expr.alias(mark) for mark, output in fields.items()]
    wide = flow.with_frame(flow.frame.with_columns(rows.hoisted()))
    return wide, aggregations, fields


def _joined(
    flow: Flow,
    frame: pl.DataFrame,
    windows: pl.DataFrame,
    keys: list[str],
    fields: Mapping[str, Output],
) -> Flow:
    marked = [replace(output, name=mark) for mark, output in fields.items()]
    joined = frame.join(printed(windows, marked), on=keys, how="left", maintain_order="left")
    wide = flow.with_frame(joined.lazy())
    rows = wide.rows()
    for mark, output in fields.items():
        found = pl.col(mark).fill_null("0") if output.is_count else pl.col(mark)
        rows.replace(output.name, Value(expr=found))
    return wide.write(rows)


# --- pieces of a sequence -------------------------------------------------------------------


def _pieces(args: Args, flow: Flow, number: pl.Expr) -> Flow:
    """Aggregate the rows of each piece, in order."""
    mark = flow.execution.mark("piece")
    node = args.node("function") if args.has("function") else None
    return flow.behind_aggregate(aggregate_by(flow, {mark: number}, node))


def partition(args: Args, flow: Flow) -> Flow:
    """Cut the sequence where the condition holds and aggregate each piece."""
    _need_order(args, flow)
    cut = condition_of(args.node("condition"), flow.rows()).cast(pl.UInt32)
    number = cut.cum_sum()
    if args.choice("split", ("before", "after"), default="before") == "after":
        number = number.shift(1, fill_value=0)
    return _pieces(args, flow, _over(flow, number))


def by_time(flow: Flow, time: str) -> Flow:
    """Return the rows in order of time, those without one left out; `time` names the column."""
    number = flow.rows().number("@timestamp").alias(time)
    frame = flow.frame.with_columns(number).filter(pl.col(time).is_not_null())
    # Events are in order of time already, those of each group too.
    if not flow.has_times:
        frame = frame.sort(time, maintain_order=True)
    return flow.with_frame(frame)


def session(args: Args, flow: Flow) -> Flow:
    """Aggregate the runs of events that are at most `maxpause` apart."""
    pause = args.duration_ms("maxpause") if args.has("maxpause") else 900_000
    time = flow.execution.mark("time")
    ordered = by_time(flow, time)
    gap = pl.col(time) - pl.col(time).shift(1)
    number = (gap > pause).fill_null(value=False).cast(pl.UInt32).cum_sum()
    return _pieces(args, ordered, _over(flow, number))
