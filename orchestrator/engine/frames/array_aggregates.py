"""Aggregates over arrays: all elements, each column, each row, unions and intersections.

Source: library.humio.com, data-analysis/functions-array-reduceall.html and its siblings.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from orchestrator.engine.arguments import Args, semantic
from orchestrator.engine.flow import Flow
from orchestrator.engine.frames.grouping import aggregate_by
from orchestrator.engine.functions.arrays import array_columns, elements


def _exploded(args: Args, flow: Flow, place: str) -> Flow:
    """Return one row for each element, the element under `var` and its place in a column."""
    rows, variable = flow.rows(), args.text("var")
    items = elements(rows, args.text("array"))
    mark = flow.execution.mark("element")
    if not items:
        frame = flow.frame.head(0).with_columns(
            pl.lit(None, dtype=pl.String).alias(variable), pl.lit(0, dtype=pl.Int64).alias(place)
        )
    else:
        listed = pl.concat_list(items).list.drop_nulls()
        frame = flow.frame.with_columns(
            listed.alias(mark), pl.int_ranges(0, listed.list.len()).alias(place)
        )
        frame = frame.filter(pl.col(mark).list.len() > 0).explode(mark, place)
        frame = frame.with_columns(pl.col(mark).alias(variable))
    return flow.with_frame(frame, columns=tuple(dict.fromkeys([*flow.columns, variable])))


def reduce_all(args: Args, flow: Flow) -> Flow:
    """Aggregate all elements of all events."""
    inner = _exploded(args, flow, flow.execution.mark("place"))
    return flow.behind_aggregate(aggregate_by(inner, {}, args.node("function")))


def reduce_column(args: Args, flow: Flow) -> Flow:
    """Aggregate the elements of each place over all events, into an array."""
    place = flow.execution.mark("place")
    inner = _exploded(args, flow, place)
    found = aggregate_by(inner, {place: pl.col(place).cast(pl.String)}, args.node("function"))
    output = _only_column(args, found, [*flow.outer(), place])
    base, width = args.output("_reduceColumn"), len(array_columns(flow.rows(), args.text("array")))
    cells = [pl.col(output).filter(pl.col(place) == str(i)).first() for i in range(width)]
    names = [expr.alias(f"{base}[{i}]") for i, expr in enumerate(cells)]
    wide = found.group_by(flow.group).agg(names) if flow.group else found.select(names)
    if not flow.group and not names:
        wide = pl.DataFrame([{}])
    return flow.behind_aggregate(wide)


def reduce_row(args: Args, flow: Flow) -> Flow:
    """Aggregate the elements within each event; the result is one field."""
    number, place = flow.execution.mark("row"), flow.execution.mark("place")
    numbered = flow.with_frame(flow.frame.with_row_index(number).collect().lazy())
    inner = replace(_exploded(args, numbered, place), group="", groups=0)
    found = aggregate_by(inner, {number: pl.col(number)}, args.node("function"))
    output = _only_column(args, found, [number])
    target = args.output("_reduceRow")
    part = found.select(number, pl.col(output).alias(target))
    frame = numbered.frame.drop(target, strict=False).join(
        part.lazy(), on=number, how="left", maintain_order="left"
    )
    return flow.with_frame(frame, columns=tuple(dict.fromkeys([*flow.columns, target])))


def _only_column(args: Args, frame: pl.DataFrame, keys: list[str]) -> str:
    names = [name for name in frame.columns if name not in keys]
    if len(names) != 1:
        raise semantic(args.call, f"{args.function.name}() takes a function of one output field")
    return names[0]


def union(args: Args, flow: Flow) -> Flow:
    """Collect the distinct elements of all events into one array, in the order first seen."""
    return _sets(args, flow, common=False)


def intersection(args: Args, flow: Flow) -> Flow:
    """Collect the elements that every event with the array has."""
    return _sets(args, flow, common=True)


def _sets(args: Args, flow: Flow, *, common: bool) -> Flow:
    items = elements(flow.rows(), args.text("array"))
    base = args.output("_intersection" if common else "_union")
    mark = flow.execution.mark("set")
    listed = pl.concat_list(items).list.drop_nulls() if items else pl.lit([], pl.List(pl.String))
    lists = flow.frame.select(*flow.outer(), listed.alias(mark)).collect()
    by_group: dict[int, list[list[str]]] = {0: []} if not flow.group else {}
    numbers = lists.get_column(flow.group).to_list() if flow.group else [0] * lists.height
    for number, cells in zip(numbers, lists.get_column(mark).to_list(), strict=True):
        by_group.setdefault(number, [])
        if cells:
            by_group[number].append(cells)
    found: list[dict[str, str | int]] = []
    for number, arrays in by_group.items():
        kept = list(dict.fromkeys(cell for cells in arrays for cell in cells))
        if common:
            kept = [cell for cell in kept if all(cell in cells for cells in arrays)]
        row: dict[str, str | int] = {f"{base}[{i}]": cell for i, cell in enumerate(kept)}
        if row or not flow.group:
            found.append({**row, **({flow.group: number} if flow.group else {})})
    width = max((len(row) for row in found), default=0)
    schema: dict[str, type[pl.DataType]] = {f"{base}[{i}]": pl.String for i in range(width)}
    if flow.group:
        schema[flow.group] = pl.UInt32
    rows = [row for row in found if row]
    return flow.behind_aggregate(pl.DataFrame(rows, schema=schema))
