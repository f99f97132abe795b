"""selfJoinFilter() and selfJoin(): keys for which every one of several filters was met.

LogScale decides approximately and may let extra keys through; here the answer is exact.
Source: library.humio.com, data-analysis/functions-selfjoinfilter.html, functions-selfjoin.html.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from orchestrator.cql.nodes import Array, Call, Quoted, Subquery
from orchestrator.engine.arguments import Args, semantic
from orchestrator.engine.flow import Flow
from orchestrator.engine.frames.grouping import aggregate_by, key_texts
from orchestrator.engine.frames.sequences import condition_of
from orchestrator.engine.values import any_of

DEFAULT_KEYS = 20_000


def _kept(args: Args, flow: Flow) -> tuple[pl.LazyFrame, list[str], list[str]]:
    """Return the rows with a mark for each filter, the marks, and the marks of the keys."""
    rows, execution = flow.rows(), args.execution
    nodes = args.elements("where")
    if not nodes:
        raise semantic(args.call, "where= takes [{ a filter }, ...]")
    tests = {execution.mark("where"): condition_of(node, rows) for node in nodes}
    keys = {execution.mark("key"): rows.field(name).text() for name in args.texts("field")}
    frame = flow.frame.with_columns(
        *(test.alias(mark) for mark, test in tests.items()),
        *(key.alias(mark) for mark, key in keys.items()),
    )
    return frame, list(tests), list(keys)


def _with_keys(
    frame: pl.LazyFrame,
    tests: list[str],
    keys: list[str],
    *,
    how: Literal["semi", "anti"] = "semi",
) -> pl.LazyFrame:
    """Keep the rows whose key met every test."""
    known = frame.filter(pl.all_horizontal(pl.col(mark).is_not_null() for mark in keys))
    # Only rows that met a test can say anything about a key.
    met = known.filter(any_of(pl.col(mark) for mark in tests))
    found = met.group_by(keys).agg(pl.col(mark).any() for mark in tests)
    wanted = found.filter(pl.all_horizontal(pl.col(mark) for mark in tests)).select(keys)
    return frame.join(wanted, on=keys, how=how, maintain_order="left")


def self_join_filter(args: Args, flow: Flow, *, negated: bool) -> Flow:
    """Keep the events of keys that met every filter; negated, the others."""
    frame, tests, keys = _kept(args, flow)
    frame = _with_keys(frame, tests, [*flow.outer(), *keys], how="anti" if negated else "semi")
    if args.flag("prefilter") and not negated:
        frame = frame.filter(any_of(pl.col(mark) for mark in tests))
    return flow.with_frame(frame)


def self_join(args: Args, flow: Flow) -> Flow:
    """Group the events of such keys; `collect=` and `select=` say what a row holds."""
    frame, tests, keys = _kept(args, flow)
    frame = _with_keys(frame, tests, keys)
    if args.flag("prefilter"):
        frame = frame.filter(any_of(pl.col(mark) for mark in tests))
    inner = flow.with_frame(frame)
    calls = [
        _call(args, name, args.texts(parameter))
        for parameter, name in (("collect", "collect"), ("select", "selectLast"))
        if args.texts(parameter)
    ]
    node = Array(span=args.call.span, elements=tuple(calls)) if calls else None
    names = args.texts("field")
    found = aggregate_by(inner, key_texts(names, inner.rows()), node)
    limit = args.integer(
        "limit", default=DEFAULT_KEYS, maximum=args.execution.context.limits.groups
    )
    if found.height > limit:
        flow.execution.warn(f"selfJoin() kept {limit} of {found.height} keys; raise its limit")
    result = flow.behind_aggregate(found.head(limit))
    if args.flag("postfilter"):
        rows = result.rows()
        for item in args.elements("where"):
            if isinstance(item, Subquery):
                rows.apply(item.pipeline.steps)
        return result.write(rows)
    return result


def _call(args: Args, name: str, fields: list[str]) -> Call:
    span = args.call.span
    texts = tuple(Quoted(span=span, value=field, raw=f'"{field}"') for field in fields)
    return args.call_of(name, "fields", Array(span=span, elements=texts))
