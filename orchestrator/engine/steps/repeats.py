"""A regex that repeats (flag `g`, `repeat=true`): one row for each match.

Source: library.humio.com, data-analysis/functions-regex.html.
"""

from __future__ import annotations

import polars as pl

from orchestrator.engine.arguments import Args, semantic
from orchestrator.engine.flow import Flow
from orchestrator.engine.functions.filters import regex_arguments
from orchestrator.engine.patterns.regexes import Dialects, translate
from orchestrator.engine.values import Value
from orchestrator.errors import CqlSemanticError

DEFAULT_REPEATS = 100


def repeated_regex(
    regex: Dialects,
    text: pl.Expr,
    flow: Flow,
    *,
    limit: int = DEFAULT_REPEATS,
    strict: bool = True,
) -> Flow:
    """Return the rows once for each match, in order of place, with its groups as fields.

    Args:
        regex: What to search for.
        text: Where.
        flow: The rows.
        limit: Most matches of one row.
        strict: Drop rows without a match; else they pass as they are.
    """
    pattern, found = regex.compiled(), flow.execution.mark("match")
    groups = [f"g{number}" for number in range(len(regex.fields))]
    row_type = pl.Struct(dict.fromkeys([*groups, "n"], pl.String))

    def matches(series: pl.Series) -> pl.Series:
        lists: list[list[dict[str, str | None]]] = []
        for cell in series.to_list():
            every = [] if cell is None else list(pattern.finditer(cell))
            if len(every) > limit:
                flow.execution.warn(f"a repeated regex kept {limit} of {len(every)} matches")
            lists.append([{**{g: m.group(g) for g in groups}, "n": "1"} for m in every[:limit]])
        return pl.Series(series.name, lists, dtype=pl.List(row_type))

    listed = text.map_batches(matches, return_dtype=pl.List(row_type))
    frame = flow.frame.with_columns(listed.alias(found))
    has_match = pl.col(found).list.len() > 0
    # Only a null list, not an empty one, keeps its row.
    frame = frame.filter(has_match) if strict else frame.with_columns(
        pl.when(has_match).then(pl.col(found))
    )  # fmt: skip
    wide = flow.with_frame(frame.explode(found))
    rows = wide.rows()
    for group, field in zip(groups, regex.fields, strict=True):
        rows.set(field, Value(expr=pl.col(found).struct.field(group)))
    return wide.write(rows)


def repeat_regex(args: Args, flow: Flow) -> Flow:
    """Run `regex(repeat=true)`."""
    body, flags = regex_arguments(args)
    try:
        regex = translate(body, flags)
    except CqlSemanticError as exc:
        raise semantic(args.call, exc.problem) from exc
    text = flow.rows().field(args.text("field", "@rawstring")).text()
    limit = args.integer("limit", default=DEFAULT_REPEATS, maximum=1_000_000)
    strict = args.flag("strict", default=True)
    return repeated_regex(regex, text, flow, limit=limit, strict=strict)
