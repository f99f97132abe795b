"""Aggregation: function lists, groupBy, stats.

Function lists may hold calls, named assignments and `{filter | aggregate | steps}` sub-pipelines.
What gives one row a group becomes Polars aggregations that run at once; the rest (several rows a
group, sequence functions) runs as a pipeline over the rows of all groups, and its rows are joined
to their group, which is the Cartesian product that stats() is documented to give. Events that lack
a key are in no group. The result keeps the order in which groups were first seen.
Source: library.humio.com, data-analysis/functions-groupby.html, functions-stats.html.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from orchestrator.cql.catalogue import FunctionKind
from orchestrator.cql.nodes import (
    Argument,
    Array,
    Assignment,
    Call,
    Expression,
    FieldOperator,
    Quoted,
    SavedQuery,
    StatsShorthand,
    Step,
    Subquery,
)
from orchestrator.engine.arguments import Args, function_of, semantic, with_field
from orchestrator.engine.flow import Flow
from orchestrator.engine.frames.aggregates import (
    AGGREGATES,
    Output,
    cut_values,
    is_one_row,
    printed,
)
from orchestrator.engine.rows import Rows
from orchestrator.engine.steps.expressions import bind
from orchestrator.engine.steps.row_steps import works_by_row
from orchestrator.engine.values import Kind, Value, column, text_number

DEFAULT_GROUPS = 20_000
_AGGREGATING = (FunctionKind.AGGREGATE, FunctionKind.SEQUENCE)


@dataclass(slots=True, kw_only=True)
class Plan:
    """Aggregations to run at once, the steps behind some of them, and what runs as a pipeline."""

    outputs: list[Output] = field(default_factory=list)
    afterwards: list[tuple[list[tuple[str, str]], Sequence[Step]]] = field(default_factory=list)
    """Outputs (hidden name, name) of a sub-pipeline, and its steps after the aggregate."""
    pipelines: list[Sequence[Step]] = field(default_factory=list)

    def names(self) -> list[str]:
        """Return the names of all outputs, hidden ones too."""
        return [output.name for output in self.outputs]

    def shown(self) -> list[str]:
        """Return the names the result will have, as far as they are known."""
        names = [name for name in self.names() if not name.startswith("\x00")]
        return names + [name for outputs, _ in self.afterwards for _, name in outputs]


def is_aggregate_call(step: Expression | Step) -> bool:
    """Return whether the step is a call of a one-row aggregate."""
    call = step.call if isinstance(step, FieldOperator) else step
    return isinstance(call, Call) and is_one_row(call)


def named_call(step: Assignment) -> Call | None:
    """Return the call of `x := f(...)` with `as=x`, if the right side is a one-row aggregate."""
    if not isinstance(step.value, Call) or not is_aggregate_call(step.value):
        return None
    name = Quoted(span=step.field.span, value=step.field.name, raw=f'"{step.field.name}"')
    extra = Argument(span=step.field.span, name="as", name_span=None, value=name)
    kept = tuple(a for a in step.value.arguments if a.name != "as")
    return replace(step.value, arguments=(*kept, extra))


def plan_functions(node: Expression | None, rows: Rows) -> Plan:
    """Return the aggregations of a `function=` argument; count() where it is not given.

    Raises:
        CqlSemanticError: Not an aggregate, or two outputs of one name.
    """
    plan = Plan()
    if node is None:
        plan.outputs.append(Output(name="_count", expr=pl.len(), kind=Kind.COUNT, is_sum=True))
        return plan
    for item in node.elements if isinstance(node, Array) else (node,):
        _plan_one(item, rows, plan)
    shown = plan.shown()
    for name in shown:
        if shown.count(name) > 1:
            raise _twice(node, name)
    return plan


def _twice(node: Expression, name: str) -> Exception:
    return semantic(node, f"two functions write {name!r}; give one of them as=")


def _plan_one(item: Expression | Assignment, rows: Rows, plan: Plan) -> None:
    match item:
        case Array(elements=elements):
            for element in elements:
                _plan_one(element, rows, plan)
        case Assignment(value=Call() as call) if _is_aggregating(call):
            named = named_call(item)
            if named is None:
                plan.pipelines.append([item])
            else:
                plan.outputs += outputs_of(named, rows)
        case Call() if _is_aggregating(item):
            if is_one_row(item):
                plan.outputs += outputs_of(item, rows)
            else:
                plan.pipelines.append([item])
        case Subquery():
            _plan_pipeline(item, rows, plan)
        case _:
            raise semantic(item, "an aggregate must stand here")


def _is_aggregating(call: Call) -> bool:
    return function_of(call).kind in _AGGREGATING


def outputs_of(call: Call, rows: Rows) -> list[Output]:
    """Return the outputs of one call of a one-row aggregate."""
    args = bind(call, rows)
    return AGGREGATES[args.function.name](args, rows)


def _plan_pipeline(item: Subquery, rows: Rows, plan: Plan) -> None:
    steps = item.pipeline.steps
    at = next((i for i, s in enumerate(steps) if _one_row_call(s) is not None), len(steps))
    before, after = steps[:at], steps[at + 1 :]
    execution = rows.execution
    simple = all(works_by_row(s, execution) for s in before) and all(
        isinstance(s, Assignment) and works_by_row(s, execution) for s in after
    )
    if at == len(steps) or not simple:
        if not any(_aggregates(step) for step in steps):
            raise semantic(item, "an aggregate must stand in here")
        plan.pipelines.append(steps)
        return
    inner = rows.child()
    inner.apply(before)
    call = _one_row_call(steps[at])
    outputs = outputs_of(call, inner) if call is not None else []
    if not after:
        plan.outputs += outputs
        return
    hidden = [(execution.mark("out"), output.name) for output in outputs]
    for (mark, _), output in zip(hidden, outputs, strict=True):
        plan.outputs.append(replace(output, name=mark))
    plan.afterwards.append((hidden, after))


def _one_row_call(step: Step) -> Call | None:
    match step:
        case Call() if is_one_row(step):
            return step
        case FieldOperator(field=name, negated=False, call=call) if is_one_row(call):
            return with_field(call, name)
        case Assignment():
            return named_call(step)
        case _:
            return None


def _aggregates(step: Step) -> bool:
    value = step.value if isinstance(step, Assignment) else step
    call = value.call if isinstance(value, FieldOperator) else value
    if isinstance(call, Call):
        return _is_aggregating(call)
    # What a saved query does is known where it runs.
    return isinstance(step, StatsShorthand | SavedQuery)


# --- running a plan -------------------------------------------------------------------------


def aggregate_by(
    flow: Flow, keys: Mapping[str, pl.Expr], node: Expression | None, *, rows: Rows | None = None
) -> pl.DataFrame:
    """Aggregate the rows of each combination of keys.

    Args:
        flow: The rows.
        keys: Columns of the result by name; a row where one is null is in no group.
        node: The `function=` argument; None counts.
        rows: The row the functions read, where it differs from the flow's.

    Returns:
        The outer group's column where there is one, the keys, the functions' outputs.
    """
    rows = flow.rows() if rows is None else rows
    plan = plan_functions(node, rows)
    # collect() or selectLast() of a key gives the key again.
    plan.outputs = [output for output in plan.outputs if output.field not in keys]
    # Published queries count as `_count` by a key of that name: the function's value is shown.
    hidden = {name: flow.execution.mark("key") for name in keys if name in plan.shown()}
    keys = {hidden.get(name, name): expr for name, expr in keys.items()}
    frame, keys = with_keys(flow, keys)
    exprs = [expr.alias(name) for name, expr in keys.items()]
    aggregations = [output.expr.alias(output.name) for output in plan.outputs]
    frame = frame.with_columns(rows.hoisted())
    if plan.pipelines:
        return _with_pipelines(flow, frame, keys, plan, node)
    by: list[str | pl.Expr] = [*flow.outer(), *exprs]
    if by:
        found = frame.group_by(by, maintain_order=True).agg(aggregations).collect()
    elif aggregations:
        found = frame.select(aggregations).collect()
    else:
        found = pl.DataFrame([{}])
    found = _complete(_printed(found, plan, flow), flow, keys, plan)
    return _afterwards(found, plan, rows)


def with_keys(
    flow: Flow, keys: Mapping[str, pl.Expr]
) -> tuple[pl.LazyFrame, Mapping[str, pl.Expr]]:
    """Return the rows that have every key, and the keys over them."""
    if not keys:
        return flow.frame, keys
    frame = flow.frame.filter(pl.all_horizontal(expr.is_not_null() for expr in keys.values()))
    # A literal would be one group even where no row is left.
    marks = {n: flow.execution.mark("key") for n, e in keys.items() if e.meta.is_literal()}
    frame = frame.with_columns(keys[name].alias(mark) for name, mark in marks.items())
    return frame, {**keys, **{name: pl.col(mark) for name, mark in marks.items()}}


def _printed(frame: pl.DataFrame, plan: Plan, flow: Flow) -> pl.DataFrame:
    for text in cut_values(frame, plan.outputs):
        flow.execution.warn(text)
    return printed(frame, plan.outputs)


def _complete(found: pl.DataFrame, flow: Flow, keys: Collection[str], plan: Plan) -> pl.DataFrame:
    """Return the rows with one for each outer group, where only these are the groups."""
    if not flow.group or keys:
        return found
    dtype = found.schema[flow.group]
    every = pl.DataFrame({flow.group: pl.Series(range(flow.groups), dtype=dtype)})
    counts = [column(o.name).fill_null("0") for o in plan.outputs if o.is_count]
    whole = every.join(found, on=flow.group, how="left", maintain_order="left")
    return whole.with_columns(counts)


def _afterwards(frame: pl.DataFrame, plan: Plan, rows: Rows) -> pl.DataFrame:
    """Run the steps behind the aggregates of sub-pipelines; hidden outputs go."""
    if not plan.afterwards:
        return frame
    hidden = [name for name in plan.names() if name.startswith("\x00")]
    columns = [name for name in frame.columns if name not in hidden]
    for outputs, steps in plan.afterwards:
        result = rows.blank()
        for mark, name in outputs:
            result.replace(name, Value(expr=pl.col(mark)))
        result.apply(steps)
        frame = frame.with_columns(result.written())
        columns += [name for name in result.names() if name not in columns]
    return frame.select(column(name) for name in columns)


def _with_pipelines(
    flow: Flow,
    frame: pl.LazyFrame,
    keys: Mapping[str, pl.Expr],
    plan: Plan,
    node: Expression | None,
) -> pl.DataFrame:
    """Number the groups, run each pipeline over the rows of all of them, join what comes out."""
    execution = flow.execution
    marks = {name: execution.mark("key") for name in keys}
    by = [*flow.outer(), *marks.values()]
    number = execution.mark("group")
    rows = frame.with_columns(expr.alias(marks[name]) for name, expr in keys.items()).collect()
    aggregations = [output.expr.alias(output.name) for output in plan.outputs]
    if by:
        groups = rows.lazy().group_by(by, maintain_order=True).agg(aggregations).collect()
        groups = _complete(_printed(groups, plan, flow), flow, keys, plan).with_row_index(number)
        rows = rows.join(groups.select(number, *by), on=by, how="inner", maintain_order="left")
    else:
        found = rows.lazy().select(aggregations).collect() if aggregations else pl.DataFrame([{}])
        groups = _printed(found, plan, flow).with_row_index(number)
        rows = rows.with_columns(pl.lit(0, dtype=pl.UInt32).alias(number))
    inner = replace(flow, frame=rows.lazy(), group=number, groups=groups.height)
    groups = _afterwards(groups.rename({mark: name for name, mark in marks.items()}), plan,
                         flow.rows())  # fmt: skip
    for steps in plan.pipelines:
        found_flow = flow.engine.run_steps(steps, inner)
        shown = [name for name in found_flow.columns if name not in keys]
        for name in shown:
            if name in groups.columns and node is not None:
                raise _twice(node, name)
        part = found_flow.frame.select(number, *(column(name) for name in shown)).collect()
        groups = groups.join(part, on=number, how="left", maintain_order="left_right")
    return groups.drop(number)


# --- stages ---------------------------------------------------------------------------------


def stats(node: Expression | None, flow: Flow) -> Flow:
    """Aggregate all rows."""
    return flow.behind_aggregate(aggregate_by(flow, {}, node))


def key_texts(names: Sequence[str], rows: Rows) -> dict[str, pl.Expr]:
    """Return the fields' texts by name, for the keys of groups."""
    return {name: rows.field(name).text() for name in names}


def group_by(args: Args, flow: Flow) -> Flow:
    """One row for each combination of the keys' values."""
    keys = args.texts("field")
    maximum = flow.execution.context.limits.groups
    limit = args.integer("limit", default=DEFAULT_GROUPS, maximum=maximum)
    node = args.node("function") if args.has("function") else None
    found = aggregate_by(flow, key_texts(keys, flow.rows()), node)
    if found.height > limit and not flow.group:
        flow.execution.warn(f"groupBy kept {limit} of {found.height} groups; raise its limit")
        found = largest(found, keys, limit)
    return flow.behind_aggregate(found)


def largest(
    frame: pl.DataFrame, keys: Sequence[str], limit: int, *, ignore: Sequence[str] = ()
) -> pl.DataFrame:
    """Return the rows of the `limit` groups with the highest total of all numbers.

    Columns to `ignore` are no part of the total.

    Source: library.humio.com, data-analysis/functions-groupby.html, "Series Selection".
    """
    numbers = [
        text_number(pl.col(n)).fill_null(0) for n in frame.columns if n not in (*keys, *ignore)
    ]
    total = pl.sum_horizontal(numbers) if numbers else pl.lit(0.0)
    ranked = (
        frame.group_by(keys, maintain_order=True)
        .agg(total.sum().alias("\x00total"))
        .sort("\x00total", descending=True, maintain_order=True)
        .head(limit)
    )
    return frame.join(ranked.select(keys), on=keys, how="semi", maintain_order="left")
