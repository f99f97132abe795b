"""Stages that order rows and keep some: sort, head, tail, table; each inside its group.

Where a default limit cuts, the result says so. Ties keep their order; what cannot be compared
(text under `type=number`, absent) stands last in both directions, which is undocumented.
Source: library.humio.com, data-analysis/functions-sort.html, functions-table.html,
functions-head.html, functions-tail.html.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from orchestrator.engine.arguments import Args, semantic
from orchestrator.engine.flow import Flow
from orchestrator.engine.rows import Rows
from orchestrator.engine.values import column

DEFAULT_ROWS = 200


def _limit(args: Args) -> int:
    maximum = args.execution.context.limits.rows
    return args.integer("limit", default=DEFAULT_ROWS, maximum=maximum)


def _first(args: Args, flow: Flow, frame: pl.LazyFrame, limit: int) -> pl.LazyFrame:
    """Keep the first rows of each group, and say so if that cuts without having been asked to."""
    if flow.group:
        return frame.filter(pl.int_range(pl.len()).over(flow.group) < limit)
    if not args.has("limit"):
        # One row more tells whether the default cuts, without counting the rest.
        frame = frame.head(limit + 1).collect().lazy()
        if frame.select(pl.len()).collect().item() > limit:
            name = args.function.name
            flow.execution.warn(f"{name}() kept {limit} rows, its default; raise its limit")
    return frame.head(limit)


def sort(args: Args, flow: Flow) -> Flow:
    """Order the rows and keep the first."""
    fields = args.texts("field") or ["_count"]
    descending = _descending(args, fields)
    types = _parallel(args, "type", fields, "number")
    rows = flow.rows()
    keys = [_sort_key(args, rows, name, kind) for name, kind in zip(fields, types, strict=True)]
    outer = [pl.col(name) for name in flow.outer()]
    frame = flow.frame.sort(
        [*outer, *keys],
        descending=[*(False for _ in outer), *descending],
        nulls_last=True,
        maintain_order=True,
    )
    return flow.ordered(_first(args, flow, frame, _limit(args)), has_times=False)


def _descending(args: Args, fields: Sequence[str]) -> list[bool]:
    if args.has("reverse"):
        # Deprecated: it turns the order around, which without it is ascending.
        return [args.flag("reverse")] * len(fields)
    orders = _parallel(args, "order", fields, "desc")
    for order in orders:
        # Published queries write DESC, des and ascending too.
        if not order.lower().startswith(("asc", "des")) and not args.execution.is_dry:
            raise semantic(args.call, f"order= takes asc or desc, not {order!r}")
    return [order.lower().startswith("des") for order in orders]


def _parallel(args: Args, name: str, fields: Sequence[str], default: str) -> list[str]:
    texts = args.texts(name) or [default]
    if len(texts) == 1:
        return texts * len(fields)
    if len(texts) != len(fields):
        raise semantic(args.call, f"{name}= needs one entry, or one for each field")
    return texts


def _sort_key(args: Args, rows: Rows, name: str, kind: str) -> pl.Expr:
    match kind:
        case "number" | "any":
            return rows.number(name)
        case "string":
            return rows.field(name).text()
        case "hex":
            text = rows.field(name).text().str.replace("^0[xX]", "")
            return text.str.to_integer(base=16, strict=False)
        case _:
            raise semantic(args.call, f"type= takes number, string or hex, not {kind!r}")


def head(args: Args, flow: Flow) -> Flow:
    """Keep the oldest events, or the first rows behind an aggregate."""
    frame = _first(args, flow, flow.frame, _limit(args))
    return flow.ordered(frame, has_times=True)


def tail(args: Args, flow: Flow) -> Flow:
    """Keep the newest events, or the last rows behind an aggregate."""
    limit = _limit(args)
    if flow.group:
        place = pl.int_range(pl.len(), 0, -1).over(flow.group)
        return flow.ordered(flow.frame.filter(place <= limit), has_times=True)
    frame = flow.frame
    if not args.has("limit"):
        kept = frame.tail(limit + 1).collect()
        if kept.height > limit:
            flow.execution.warn(f"tail() kept {limit} rows, its default; raise its limit")
        frame = kept.lazy()
    return flow.ordered(frame.tail(limit), has_times=True)


def table(args: Args, flow: Flow) -> Flow:
    """Keep these columns of the first rows by `sortby`."""
    names, rows = args.texts("fields"), flow.rows()
    by = args.texts("sortby") or ["@timestamp"]
    types = _parallel(args, "type", by, "number")
    descending = _descending(args, by)
    frame = flow.frame
    known = [
        (_sort_key(args, rows, name, kind), down)
        for name, kind, down in zip(by, types, descending, strict=True)
        if rows.has(name)
    ]
    # Rows without the sort field keep their order, as those behind an aggregate do.
    if known:
        frame = frame.sort(
            [*flow.outer(), *(key for key, _ in known)],
            descending=[*(False for _ in flow.outer()), *(down for _, down in known)],
            nulls_last=True,
            maintain_order=True,
        )
    shown = [rows.field(name).text().alias(name) for name in dict.fromkeys(names)]
    # Literals alone would be one row even where there is none.
    frame = _first(args, flow, frame, _limit(args)).with_columns(shown)
    frame = frame.select(*flow.outer(), *(column(name) for name in dict.fromkeys(names)))
    return flow.behind_aggregate(frame.collect())
