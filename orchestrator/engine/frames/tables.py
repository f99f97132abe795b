"""Steps that read a second source: ad-hoc tables, lookup files, joins.

A subquery runs on the same events; its own `start=` and `end=` look further back than the main
window, relative ones counted from the main window's end.
Source: library.humio.com, data-analysis/functions-definetable.html, functions-match.html,
functions-join.html.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import polars as pl

from orchestrator.cql.nodes import Call, Duration, Expression, Pipeline
from orchestrator.engine.arguments import Args, semantic, unsupported
from orchestrator.engine.context import Context, Execution
from orchestrator.engine.events import Events
from orchestrator.engine.flow import Flow
from orchestrator.engine.patterns.globs import parse_glob
from orchestrator.engine.patterns.networks import parse_address, parse_network
from orchestrator.engine.sources.lookups import KEY, Lookup
from orchestrator.engine.values import Value
from orchestrator.errors import CqlSemanticError
from orchestrator.units import parse_duration, parse_instant, to_epoch_ms

Join = Literal["inner", "left", "anti"]
MOST_GLOBS = 20_000


def time_interval(pipeline: Pipeline, context: Context) -> Context:
    """Return the context with the interval that a leading setTimeInterval() sets."""
    first = pipeline.steps[0] if pipeline.steps else None
    if not isinstance(first, Call) or first.name.lower() != "settimeinterval":
        return context
    execution = Execution(events=Events.from_rows(()), context=context)
    args = Args(first, execution, _no_value)
    # Here relative times count back from now, not from the interval that is replaced.
    start = _instant(args, "start", context.start_ms, back_from=context.now_ms)
    end = _instant(args, "end", context.now_ms, back_from=context.now_ms)
    if start >= end:
        raise semantic(first, "setTimeInterval() needs a start before its end")
    return replace(context, start_ms=start, end_ms=end)


def _no_value(node: Expression) -> Value:
    raise semantic(node, "a time must stand here")


def _search(args: Args, flow: Flow, wanted: Sequence[str], *, limit: int | None) -> pl.DataFrame:
    """Run the subquery and return these columns of its rows; `*` is all of them.

    One row more than `limit` comes, where there is one, so that a cut can be told.
    """
    subquery = args.subquery("query")
    start, end = subquery_window(args)
    found = flow.engine.search(subquery.pipeline, start, end)
    shown = found.columns if "*" in wanted else [n for n in found.columns if n in wanted]
    frame = found.frame if limit is None else found.frame.head(limit + 1)
    return frame.select(shown).collect()


def define_table(args: Args, flow: Flow) -> Flow:
    """Run the subquery and keep the included columns under the table's name.

    Raises:
        CqlSemanticError: It stands behind something else than tables.
    """
    if flow.is_aggregate or not flow.is_pristine:
        raise semantic(args.call, "defineTable() must stand before the main query")
    include = args.texts("include")
    frame = _search(args, flow, include, limit=None)
    wanted = frame.columns if include == ["*"] else include
    columns = [
        pl.col(name) if name in frame.columns else pl.lit(None, dtype=pl.String).alias(name)
        for name in dict.fromkeys(wanted)
    ]
    args.execution.tables[args.text("name")] = Lookup(frame=frame.select(columns))
    return flow


def subquery_window(args: Args) -> tuple[int, int]:
    """Return the subquery's own window, else the main one, in epoch milliseconds."""
    context = args.execution.context
    for name in ("view", "repo", "live"):
        if args.has(name) and args.text(name) not in ("false", "*", context.repository):
            raise unsupported(
                args.call, f"{args.function.name}({name}=)", "one set of events alone"
            )
    start = _instant(args, "start", context.start_ms)
    return start, _instant(args, "end", context.end_ms)


def _instant(args: Args, name: str, default: int, *, back_from: int | None = None) -> int:
    if not args.has(name):
        return default
    node = args.node(name)
    end = args.execution.context.end_ms if back_from is None else back_from
    if isinstance(node, Duration):
        return end - node.length_ms
    text = args.plain(node)
    if text == "now":
        return args.execution.context.now_ms
    try:
        return end - round(parse_duration(text).total_seconds() * 1000)
    except ValueError:
        pass
    try:
        return to_epoch_ms(parse_instant(text))
    except ValueError as exc:
        raise unsupported(node, f"{name}={text}", "a duration, or a time with its zone") from exc


def _lookup(args: Args) -> tuple[Lookup, list[str], list[str], list[str]]:
    """Return the table, the fields to look up, the columns they stand in, and those to add."""
    source = "table" if args.has("table") else "file"
    name = args.text(source)
    try:
        lookup = args.execution.table(name, node=args.node(source))
    except CqlSemanticError as exc:
        raise semantic(args.call, exc.problem) from exc
    fields = args.texts("field")
    columns = args.texts("column") or fields
    if len(columns) != len(fields):
        raise semantic(args.call, "column= needs one entry for each field")
    include = args.texts("include")
    if not args.has("include") or include == ["*"]:
        include = [c for c in lookup.frame.columns if c not in columns and c != KEY]
    try:
        lookup = lookup.need([*columns, *include], file=name)
    except CqlSemanticError as exc:
        raise semantic(args.call, exc.problem) from exc
    return lookup, fields, columns, include


def match_table(args: Args, flow: Flow, *, negated: bool) -> Flow:
    """Look fields up in a table or file: add its columns, or keep what it has (not)."""
    lookup, fields, columns, include = _lookup(args)
    how: Join = "anti" if negated else "inner" if args.flag("strict", default=True) else "left"
    nrows = args.integer("nrows", default=1, maximum=500)
    default = "glob" if args.flag("glob") else "string"
    mode = args.choice("mode", ("string", "glob", "cidr"), default=default)
    fold = args.flag("ignoreCase")
    if mode == "string":
        # The last row that matches counts, of several the last ones, backwards.
        is_unique = nrows == 1 and not fold
        table = lookup.lasts(columns) if is_unique else lookup.frame.reverse()
        return join_rows(
            flow,
            table,
            fields,
            columns,
            include=include,
            how=how,
            nrows=nrows,
            fold=fold,
            is_unique=is_unique,
        )
    if nrows != 1 or len(fields) != 1:
        raise unsupported(args.call, f"match(mode={mode})", "one field and nrows=1 alone")
    cells = lookup.frame.get_column(columns[0]).to_list()
    if mode == "glob" and len(cells) > MOST_GLOBS:
        flow.execution.warn(f"match(mode=glob) read {MOST_GLOBS} of {len(cells)} rows")
        cells = cells[:MOST_GLOBS]
    find = _cidr_finder(cells) if mode == "cidr" else _glob_finder(cells, fold=fold)
    return _join_found(flow, lookup.frame, fields[0], find, include=include, how=how)


def join_rows(
    flow: Flow,
    table: pl.DataFrame,
    fields: Sequence[str],
    columns: Sequence[str],
    *,
    include: Sequence[str],
    how: Join,
    nrows: int = 1,
    fold: bool = False,
    fill: str | None = None,
    is_unique: bool = False,
) -> Flow:
    """Join the rows to a table of text.

    Args:
        flow: The rows.
        table: Where to look.
        fields: The rows' key fields.
        columns: The table's key columns, parallel.
        include: Columns to add; they overwrite fields of their name.
        how: Keep hits, all, or misses.
        nrows: Most table rows for one row, the first ones.
        fold: Compare keys without case.
        is_unique: The table has each key once.
        fill: What an included column is where the table's own cell is absent; None leaves it.
    """
    rows, execution = flow.rows(), flow.execution
    left_marks = [execution.mark("left") for _ in fields]
    right_marks = [execution.mark("right") for _ in columns]
    value_marks = [execution.mark("value") for _ in include]
    keys = [pl.col(column).str.to_lowercase() if fold else pl.col(column) for column in columns]
    right = table.select(
        *(key.alias(mark) for key, mark in zip(keys, right_marks, strict=True)),
        *(
            (pl.col(name) if fill is None else pl.col(name).fill_null(fill)).alias(mark)
            for name, mark in zip(include, value_marks, strict=True)
        ),
    )
    if nrows == 1 and not is_unique:
        right = right.unique(subset=right_marks, keep="first", maintain_order=True)
    elif nrows > 1:
        right = right.group_by(right_marks, maintain_order=True).head(nrows)
    texts = [rows.field(name).text() for name in fields]
    left = flow.frame.with_columns(
        (text.str.to_lowercase() if fold else text).alias(mark)
        for text, mark in zip(texts, left_marks, strict=True)
    )
    joined = left.join(
        right.lazy(), left_on=left_marks, right_on=right_marks, how=how, maintain_order="left"
    )
    if how == "anti":
        return flow.with_frame(joined)
    for name, mark in zip(include, value_marks, strict=True):
        rows.set(name, Value(expr=pl.col(mark)))
    return flow.with_frame(joined).write(rows)


def _join_found(
    flow: Flow,
    table: pl.DataFrame,
    field: str,
    find: Callable[[str], int | None],
    *,
    include: Sequence[str],
    how: Join,
) -> Flow:
    """Join by the number of the table's row that Python finds for each distinct text."""
    mark = flow.execution.mark("row")

    def rows_of(series: pl.Series) -> pl.Series:
        known: dict[str | None, int | None] = {None: None}
        numbers = []
        for cell in series.to_list():
            if cell not in known:
                known[cell] = find(cell)
            numbers.append(known[cell])
        return pl.Series(series.name, numbers, dtype=pl.Int64).cast(pl.String)

    found = flow.rows().field(field).text().map_batches(rows_of, return_dtype=pl.String)
    numbered = table.with_columns(pl.int_range(pl.len()).cast(pl.String).alias(mark))
    marked = flow.with_frame(
        flow.frame.with_columns(found.alias(mark)), columns=(*flow.columns, mark)
    )
    joined = join_rows(marked, numbered, [mark], [mark], include=include, how=how)
    return joined.with_frame(joined.frame, columns=[c for c in joined.columns if c != mark])


def _cidr_finder(cells: Sequence[str | None]) -> Callable[[str], int | None]:
    networks = [(parse_network(cell or ""), row) for row, cell in enumerate(cells)]
    # The narrowest subnet first.
    known = sorted(
        ((n, row) for n, row in networks if n is not None), key=lambda pair: -pair[0].prefixlen
    )

    def find(text: str) -> int | None:
        address = parse_address(text)
        if address is None:
            return None
        return next((r for n, r in known if n.version == address.version and address in n), None)

    return find


def _glob_finder(cells: Sequence[str | None], *, fold: bool) -> Callable[[str], int | None]:
    """Return how a text finds its row: a key is contained, the first in lexical order counts."""
    globs = sorted((cell, row) for row, cell in enumerate(cells) if cell is not None)
    tests = [
        (parse_glob(cell).python(anchored=False, ignore_case=fold), row) for cell, row in globs
    ]
    return lambda text: next((row for glob, row in tests if glob.search(text)), None)


def match_as_array(args: Args, flow: Flow) -> Flow:
    """Look a field up and add the last `nrows` rows that match, backwards, as an array."""
    lookup, fields, columns, include = _lookup(args)
    nrows = args.integer("nrows", default=10, maximum=500)
    number, fold = args.execution.mark("n"), args.flag("ignoreCase")
    keys = [pl.col(column).str.to_lowercase() if fold else pl.col(column) for column in columns]
    marks = [args.execution.mark("key") for _ in keys]
    counted = lookup.frame.select(
        *(key.alias(mark) for key, mark in zip(keys, marks, strict=True)), *include
    )
    latest = counted.reverse().group_by(marks, maintain_order=True).head(nrows)
    latest = latest.with_columns(pl.int_range(pl.len()).over(marks).alias(number))
    base = args.text("asArray", "").removesuffix("[]") if args.has("asArray") else ""
    wide = latest.select(marks).unique(maintain_order=True)
    added: list[str] = []
    width = 0 if latest.is_empty() else int(str(latest.get_column(number).max())) + 1
    for place in range(width):
        names = {
            name: f"{base}[{place}].{name}" if base else f"{name}[{place}]" for name in include
        }
        part = latest.filter(pl.col(number) == place).select(*marks, *include).rename(names)
        wide = wide.join(part, on=marks, how="left", maintain_order="left")
        added += names.values()
    how: Join = "inner" if args.flag("strict", default=True) else "left"
    return join_rows(flow, wide, fields, marks, include=added, how=how, fold=fold)


def join_query(args: Args, flow: Flow, *, negated: bool) -> Flow:
    """Join to the rows of a subquery."""
    fields = args.texts("field")
    keys = args.texts("key") or fields
    if len(keys) != len(fields):
        raise semantic(args.call, "key= needs one entry for each field")
    include = args.texts("include")
    limits = args.execution.context.limits
    limit = args.integer("limit", default=100_000, maximum=limits.join_rows)
    frame = _search(args, flow, [*keys, *include], limit=limit)
    if frame.height > limit:
        args.execution.warn(f"join read {limit} rows of its subquery, which has more")
        frame = frame.head(limit)
    if include == ["*"]:
        include = [name for name in frame.columns if name not in keys]
    lacking = [n for n in dict.fromkeys([*keys, *include]) if n not in frame.columns]
    frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in lacking)
    how: Join = "anti" if negated else "inner"
    if not negated and args.choice("mode", ("inner", "left"), default="inner") == "left":
        how = "left"
    nrows = args.integer("max", default=1, maximum=100_000)
    return join_rows(flow, frame, fields, keys, include=include, how=how, nrows=nrows, fill="")


def read_file(args: Args, flow: Flow) -> Flow:
    """Replace the events by the rows of lookup files or tables."""
    names = args.texts("file")
    frames = [args.execution.table(name, node=args.node("file")).frame for name in names]
    frame = pl.concat(frames, how="diagonal")
    if args.has("include") and args.texts("include") != ["*"]:
        known = Lookup(frame=frame, is_open=frame.width == 0)
        frame = known.need(args.texts("include"), file=", ".join(names)).frame
        frame = frame.select(args.texts("include"))
    if args.has("limit"):
        frame = frame.head(args.integer("limit", default=1, maximum=1_000_000))
    return flow.behind_aggregate(frame)
