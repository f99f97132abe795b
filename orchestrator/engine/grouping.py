"""Aggregation: function lists, groupBy, stats, buckets, top.

Function lists may hold calls, named assignments and `{filter | aggregate | steps}` sub-pipelines.
Events that lack a key are in no group. The result keeps the order in which groups were first seen.
Source: library.humio.com, data-analysis/functions-groupby.html, functions-stats.html,
functions-bucket.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from orchestrator.cql.catalogue import find
from orchestrator.cql.nodes import (
    Argument,
    Array,
    Assignment,
    Call,
    Expression,
    FieldOperator,
    Quoted,
    Step,
    Subquery,
)
from orchestrator.engine.aggregates import AGGREGATES, Output
from orchestrator.engine.arguments import Args, semantic, unsupported, with_field
from orchestrator.engine.expressions import bind
from orchestrator.engine.flow import Flow
from orchestrator.engine.row_steps import apply_steps
from orchestrator.engine.rows import Rows
from orchestrator.engine.times import bucket_start, zone_of
from orchestrator.engine.values import Value, number_text, text_number

DEFAULT_GROUPS = 20_000
BUCKET = "_bucket"
# Source: cql reference of the product; the span of `auto` is not published.
_AUTO_SPANS_MS = (
    1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000,
    1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000, 86_400_000,
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Plan:
    """Aggregations to run at once, and the steps behind some of them."""

    outputs: list[Output] = field(default_factory=list)
    afterwards: list[tuple[list[tuple[str, str]], list[Step]]] = field(default_factory=list)
    """Outputs (hidden name, name) of a sub-pipeline, and its steps after the aggregate."""

    def names(self) -> list[str]:
        """Return the names of all outputs, hidden ones too."""
        return [output.name for output in self.outputs]


def is_aggregate_call(step: Expression | Step) -> bool:
    """Return whether the step is a call of a one-row aggregate."""
    call = step.call if isinstance(step, FieldOperator) else step
    function = find(call.name) if isinstance(call, Call) else None
    return function is not None and function.name in AGGREGATES


def named_call(step: Assignment) -> Call | None:
    """Return the call of `x := f(...)` with `as=x`, if the right side is a one-row aggregate."""
    if not isinstance(step.value, Call) or not is_aggregate_call(step.value):
        return None
    name = Quoted(span=step.field.span, value=step.field.name, raw=f'"{step.field.name}"')
    extra = Argument(span=step.field.span, name="as", name_span=None, value=name)
    call = step.value
    kept = tuple(a for a in call.arguments if a.name != "as")
    return Call(span=call.span, name=call.name, name_span=call.name_span, arguments=(*kept, extra))


def plan_functions(node: Expression | None, rows: Rows) -> Plan:
    """Return the aggregations of a `function=` argument; count() where it is not given.

    Raises:
        CqlSemanticError: Not an aggregate, or two outputs of one name.
        CqlUnsupported: An aggregate of several rows in a list.
    """
    plan = Plan()
    if node is None:
        expr = pl.len().cast(pl.String)
        plan.outputs.append(Output(name="_count", expr=expr, is_count=True))
        return plan
    for item in node.elements if isinstance(node, Array) else (node,):
        _plan_one(item, rows, plan)
    shown = [name for name in plan.names() if not name.startswith("\x00")]
    shown += [name for outputs, _ in plan.afterwards for _, name in outputs]
    for name in shown:
        if shown.count(name) > 1:
            raise semantic(node, f"two functions write {name!r}; give one of them as=")
    return plan


def _plan_one(item: Expression | Assignment, rows: Rows, plan: Plan) -> None:
    match item:
        case Array(elements=elements):
            for element in elements:
                _plan_one(element, rows, plan)
        case Assignment():
            call = named_call(item)
            if call is None:
                raise semantic(item, "an aggregate must stand here")
            plan.outputs += outputs_of(call, rows)
        case Call():
            plan.outputs += outputs_of(item, rows)
        case Subquery():
            _plan_pipeline(item, rows, plan)
        case _:
            raise semantic(item, "an aggregate must stand here")


def outputs_of(call: Call, rows: Rows) -> list[Output]:
    """Return the outputs of one aggregate call."""
    args = bind(call, rows)
    function = AGGREGATES.get(args.function.name)
    if function is None:
        raise unsupported(call, f"{args.function.name}()", "not inside a function list")
    return function(args, rows)


def _plan_pipeline(item: Subquery, rows: Rows, plan: Plan) -> None:
    steps = list(item.pipeline.steps)
    at = next((i for i, s in enumerate(steps) if _aggregate_of(s) is not None), None)
    if at is None:
        raise unsupported(item, "a function list without an aggregate", "one must stand in it")
    inner = rows.child()
    apply_steps(steps[:at], inner)
    call = _aggregate_of(steps[at])
    outputs = outputs_of(call, inner) if call is not None else []
    after = steps[at + 1 :]
    if not after:
        plan.outputs += outputs
        return
    hidden = [(rows.execution.mark("out"), output.name) for output in outputs]
    for (mark, _), output in zip(hidden, outputs, strict=True):
        plan.outputs.append(Output(name=mark, expr=output.expr, is_count=output.is_count))
    plan.afterwards.append((hidden, after))


def _aggregate_of(step: Step) -> Call | None:
    match step:
        case Call() if is_aggregate_call(step):
            return step
        case FieldOperator(field=name, negated=False, call=call) if is_aggregate_call(step):
            return with_field(call, name)
        case Assignment():
            return named_call(step)
        case _:
            return None


def finish(frame: pl.DataFrame, plan: Plan, keys: Sequence[str], flow: Flow) -> Flow:
    """Run the steps behind sub-pipelines and return the flow over the result."""
    columns = [*keys, *(name for name in plan.names() if not name.startswith("\x00"))]
    lazy = frame.lazy()
    for outputs, steps in plan.afterwards:
        rows = Rows((), flow.execution, has_times=False)
        for mark, name in outputs:
            rows.replace(name, Value(expr=pl.col(mark)))
        apply_steps(steps, rows)
        if rows.condition() is not None:
            raise unsupported(steps[0], "a filter behind an aggregate in a function list", "here")
        lazy = lazy.with_columns(rows.written())
        columns += [name for name in rows.names() if name not in columns]
    return flow.behind_aggregate(lazy.select(columns).collect())


def stats(node: Expression | None, flow: Flow) -> Flow:
    """Aggregate all rows into one."""
    rows = flow.rows()
    plan = plan_functions(node, rows)
    if not plan.outputs:
        return flow.behind_aggregate(pl.DataFrame([{}]))
    frame = flow.frame.select(output.expr.alias(output.name) for output in plan.outputs).collect()
    return finish(frame, plan, (), flow)


def stats_call(call: Call, flow: Flow) -> Flow:
    """Aggregate all rows by one call."""
    return stats(call, flow)


def group_by(args: Args, rows: Rows, flow: Flow) -> Flow:
    """One row for each combination of the keys' values."""
    keys = args.texts("field")
    maximum = flow.execution.context.limits.groups
    limit = args.integer("limit", default=DEFAULT_GROUPS, maximum=maximum)
    node = args.node("function") if args.has("function") else None
    return _grouped(keys, node, rows, flow, limit=limit)


def _grouped(
    keys: Sequence[str], node: Expression | None, rows: Rows, flow: Flow, *, limit: int | None
) -> Flow:
    plan = plan_functions(node, rows)
    # collect() or selectLast() of a key gives the key again.
    plan.outputs = [output for output in plan.outputs if output.field not in keys]
    for name in plan.names():
        if name in keys and node is not None:
            raise semantic(node, f"{name!r} is a key of the group and cannot be an output too")
    if any(rows.field(key).is_null for key in keys):
        return finish(_no_rows([*keys, *plan.names()]), plan, keys, flow)
    exprs = [rows.field(key).text().alias(key) for key in keys]
    frame = flow.frame
    frame = frame.filter(pl.all_horizontal(expr.is_not_null() for expr in exprs))
    result = (
        frame.group_by(exprs, maintain_order=True)
        .agg(output.expr.alias(output.name) for output in plan.outputs)
        .collect()
    )
    if limit is not None and result.height > limit:
        flow.execution.warn(f"groupBy kept {limit} of {result.height} groups; raise its limit")
        result = result.head(limit)
    return finish(result, plan, keys, flow)


def _no_rows(names: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(names, pl.String))


def top(args: Args, rows: Rows, flow: Flow) -> Flow:
    """The most frequent values, or those with the largest sum or maximum, largest first."""
    for name in ("percent", "rest"):
        if args.has(name) and args.text(name) != "false":
            raise unsupported(args.call, f"top({name}=)", "the plain ranking alone")
    keys, limit = args.texts("field"), args.integer("limit", default=10, maximum=1_000_000)
    if args.has("sum"):
        default, number = "_sum", rows.number(args.text("sum")).sum()
    elif args.has("max"):
        default, number = "_max", rows.number(args.text("max")).max()
    else:
        default, number = "_count", pl.len().cast(pl.Float64)
    name = args.output(default)
    if any(rows.field(key).is_null for key in keys):
        return flow.behind_aggregate(_no_rows([*keys, name]))
    exprs = [rows.field(key).text().alias(key) for key in keys]
    result = (
        flow.frame.filter(pl.all_horizontal(expr.is_not_null() for expr in exprs))
        .group_by(exprs, maintain_order=True)
        .agg(number.alias(name))
        .sort(name, descending=True, nulls_last=True, maintain_order=True)
        .head(limit)
        .with_columns(number_text(pl.col(name)))
        .collect()
    )
    return flow.behind_aggregate(result)


def bucket(args: Args, rows: Rows, flow: Flow) -> Flow:
    """Group by the start of a time bucket and, where given, by fields."""
    keys = args.texts("field")
    return _bucketed(args, rows, flow, keys)


def time_chart(args: Args, rows: Rows, flow: Flow) -> Flow:
    """bucket() by series; without a series every bucket of the window is shown."""
    keys = args.texts("series")
    found = _bucketed(args, rows, flow, keys)
    return found if keys else _with_empty_buckets(args, found)


def _bucketed(args: Args, rows: Rows, flow: Flow, keys: list[str]) -> Flow:
    if args.has("unit") or args.has("minSpan"):
        raise unsupported(args.call, f"{args.function.name}(unit=, minSpan=)", "span= alone")
    zone = zone_of(args.text("timezone", "UTC"), node=args.call)
    start = bucket_start(rows.number("@timestamp"), _span_ms(args), zone=zone)
    rows = rows.child()
    rows.replace(BUCKET, Value(expr=number_text(start)))
    node = args.node("function") if args.has("function") else None
    limit = args.integer("limit", default=10, maximum=500)
    found = _grouped([BUCKET, *keys], node, rows, flow, limit=None)
    frame = found.collect()
    if keys:
        frame = _largest_series(frame, keys, limit, flow)
    order = text_number(pl.col(BUCKET))
    return flow.behind_aggregate(frame.sort(order, maintain_order=True))


def _largest_series(frame: pl.DataFrame, keys: list[str], limit: int, flow: Flow) -> pl.DataFrame:
    """Keep the series with the highest total of all numbers."""
    numbers = [
        text_number(pl.col(n)).fill_null(0) for n in frame.columns if n not in (BUCKET, *keys)
    ]
    total = pl.sum_horizontal(numbers) if numbers else pl.lit(0.0)
    ranked = (
        frame.group_by(keys, maintain_order=True)
        .agg(total.sum().alias("\x00total"))
        .sort("\x00total", descending=True, maintain_order=True)
    )
    if ranked.height <= limit:
        return frame
    flow.execution.warn(f"kept the {limit} largest of {ranked.height} series")
    return frame.join(ranked.head(limit).select(keys), on=keys, how="semi", maintain_order="left")


def _span_ms(args: Args) -> int:
    context = args.execution.context
    interval = max(1, context.end_ms - context.start_ms)
    if args.has("buckets"):
        return max(1, interval // max(1, args.integer("buckets", default=1)))
    if not args.has("span") or args.text("span") == "auto":
        wanted = interval / 100
        return next((span for span in _AUTO_SPANS_MS if span >= wanted), _AUTO_SPANS_MS[-1])
    return max(1, args.duration_ms("span"))


def _with_empty_buckets(args: Args, flow: Flow) -> Flow:
    context, span = args.execution.context, _span_ms(args)
    zone = zone_of(args.text("timezone", "UTC"), node=args.call)
    if zone != "UTC" or (context.end_ms - context.start_ms) // span > 10_000:
        return flow
    first = context.start_ms // span * span
    starts = [str(ms) for ms in range(first, context.end_ms, span)]
    frame = flow.collect()
    grid = pl.DataFrame({BUCKET: starts}, schema={BUCKET: pl.String})
    counts = [name for name in frame.columns if name == "_count"]
    filled = grid.join(frame, on=BUCKET, how="left", maintain_order="left").with_columns(
        pl.col(name).fill_null("0") for name in counts
    )
    return flow.behind_aggregate(filled)
