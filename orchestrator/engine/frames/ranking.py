"""top(): the values that come first by count, sum or maximum; exact, where LogScale estimates.

Source: library.humio.com, data-analysis/functions-top.html.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from orchestrator.engine.arguments import Args, semantic
from orchestrator.engine.flow import Flow
from orchestrator.engine.frames.grouping import key_texts, with_keys
from orchestrator.engine.values import column, number_text


def top(args: Args, flow: Flow) -> Flow:
    """The most frequent values, or those with the largest sum or maximum, largest first."""
    rows, limit = flow.rows(), args.integer("limit", default=10, maximum=1_000_000)
    if args.has("sum"):
        default, number = "_sum", rows.number(args.text("sum")).sum()
    elif args.has("max"):
        default, number = "_max", rows.number(args.text("max")).max()
    else:
        default, number = "_count", pl.len().cast(pl.Float64)
    name, keys = args.output(default), list(dict.fromkeys(args.texts("field")))
    if name in keys:
        raise semantic(args.call, f"{name!r} is a key and cannot be an output too")
    rows_with_keys, texts = with_keys(flow, key_texts(keys, rows))
    exprs = [expr.alias(key) for key, expr in texts.items()]
    outer, rank, total = flow.outer(), flow.execution.mark("rank"), flow.execution.mark("total")
    ranked = (
        rows_with_keys.group_by([*outer, *exprs], maintain_order=True)
        .agg(number.alias(name))
        .filter(column(name).is_not_null())
        .sort([*outer, name], descending=[*(False for _ in outer), True], maintain_order=True)
    )
    place, whole = pl.int_range(pl.len()), column(name).sum()
    if outer or args.has("rest") or args.flag("percent"):
        ranked = ranked.with_columns(
            (place.over(outer) if outer else place).alias(rank),
            (whole.over(outer) if outer else whole).alias(total),
        )
        frame = ranked.filter(pl.col(rank) < limit).collect()
    else:
        frame = ranked.head(limit).collect()
    if args.has("rest"):
        others = ranked.filter(pl.col(rank) >= limit)
        frame = _with_rest(frame, others, args, keys, [*outer, total], name)
    columns = [*outer, *keys, name]
    shown = [*outer, *keys, number_text(column(name)).alias(name)]
    if args.flag("percent"):
        shown.append(number_text(column(name) / pl.col(total) * 100).alias("percent"))
        columns.append("percent")
    return flow.behind_aggregate(frame.select(shown), columns)


def _with_rest(
    frame: pl.DataFrame,
    others: pl.LazyFrame,
    args: Args,
    keys: Sequence[str],
    outer: Sequence[str],
    name: str,
) -> pl.DataFrame:
    """Add one row for all values outside the top, named by `rest=` in the first key."""
    rest = others.group_by(outer, maintain_order=True).agg(column(name).sum()).collect()
    label = [pl.lit(args.text("rest")).alias(key) for key in keys]
    return pl.concat([frame, rest.with_columns(label)], how="diagonal")
