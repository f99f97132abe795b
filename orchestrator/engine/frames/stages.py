"""Functions that work on the whole frame: the table of them, and the small ones.

Each takes its arguments and the flow and returns the next flow. One more is one function and its
line in `STAGES`; one that is a filter too, and so may be negated, stands in `FILTER_STAGES`.
Source: library.humio.com, data-analysis/functions.html, one page a function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import polars as pl

from orchestrator.cql.catalogue import find
from orchestrator.cql.nodes import Call, Expression
from orchestrator.engine.arguments import Args, semantic
from orchestrator.engine.context import Execution
from orchestrator.engine.events import Events
from orchestrator.engine.flow import Engine, Flow
from orchestrator.engine.frames import array_aggregates, charts, ordering, sequences
from orchestrator.engine.frames.aggregates import is_one_row
from orchestrator.engine.frames.correlation import correlate
from orchestrator.engine.frames.grouping import aggregate_by, group_by, key_texts, stats
from orchestrator.engine.frames.ranking import top
from orchestrator.engine.frames.self_joins import self_join, self_join_filter
from orchestrator.engine.frames.serial import series
from orchestrator.engine.frames.tables import (
    define_table,
    join_query,
    match_as_array,
    match_table,
    read_file,
)
from orchestrator.engine.steps import parsing, timestamps
from orchestrator.engine.steps.expressions import searchable
from orchestrator.engine.steps.repeats import repeat_regex
from orchestrator.engine.steps.row_steps import is_row_call
from orchestrator.engine.values import Value, any_of

Stage = Callable[[Args, Flow], Flow]
FilterStage = Callable[..., Flow]


def stage_of(call: Expression | Call) -> str:
    """Return the canonical name if the call works on the whole frame, else the empty text."""
    function = find(call.name) if isinstance(call, Call) else None
    if function is None or not isinstance(call, Call) or is_row_call(call) or is_one_row(call):
        return ""
    return function.name if function.name in STAGES or function.name in FILTER_STAGES else ""


def run_stage(args: Args, flow: Flow, *, negated: bool) -> Flow:
    """Run a stage over the flow.

    Raises:
        CqlSemanticError: It is negated and no filter.
        CqlUnsupported: It cannot run inside a function list.
    """
    name = args.function.name
    if name in FILTER_STAGES:
        return FILTER_STAGES[name](args, flow, negated=negated)
    if negated:
        raise semantic(args.call, f"{name}() is no filter and cannot be negated")
    if flow.group and name in _ALONE:
        raise semantic(args.call, f"{name}() cannot stand in a function list")
    if flow.group and name in _ONE_GROUP:
        return _each_group(args, flow, STAGES[name])
    return STAGES[name](args, flow)


def _each_group(args: Args, flow: Flow, stage: Stage) -> Flow:
    """Run a stage for one group after the other."""
    frame, parts, columns = flow.frame.collect(), [], dict[str, None]()
    for number in range(flow.groups):
        inner = frame.filter(pl.col(flow.group) == number).lazy()
        found = stage(args, flow.with_group(inner))
        mark = pl.lit(number, dtype=frame.schema[flow.group]).alias(flow.group)
        parts.append(found.frame.select(found.columns).collect().with_columns(mark))
        columns.update(dict.fromkeys(found.columns))
    whole = pl.concat(parts, how="diagonal") if parts else frame.select(flow.group).head(0)
    return flow.behind_aggregate(whole, columns)


# --- the small ones -------------------------------------------------------------------------


def _stats(args: Args, flow: Flow) -> Flow:
    return stats(args.node("function") if args.has("function") else None, flow)


def _collect(args: Args, flow: Flow) -> Flow:
    """collect(multival=false): one row for each distinct combination of the fields' values."""
    limit = args.integer("limit", default=2000, maximum=1_000_000)
    names, rows = args.texts("fields"), flow.rows()
    texts = [text.alias(name) for name, text in key_texts(names, rows).items()]
    found = (
        flow.frame.with_columns(texts)
        .select(*flow.outer(), *dict.fromkeys(names))
        .filter(pl.any_horizontal(pl.col(name).is_not_null() for name in names))
        .unique(maintain_order=True)
        .collect()
    )
    if flow.group:
        found = found.filter(pl.int_range(pl.len()).over(flow.group) < limit)
    elif found.height > limit:
        flow.execution.warn(f"collect() kept {limit} of {found.height} values; raise its limit")
    return flow.behind_aggregate(found if flow.group else found.head(limit))


def _fieldset(args: Args, flow: Flow) -> Flow:
    frame = flow.collect()
    names = [name for name in frame.columns if frame.get_column(name).null_count() < frame.height]
    return flow.behind_aggregate(pl.DataFrame({"fieldset": names}, schema={"fieldset": pl.String}))


def _fieldstats(args: Args, flow: Flow) -> Flow:
    """Count the values and distinct values of each field, most values first."""
    frame, limit = flow.collect(), args.integer("limit", default=200, maximum=10_000)
    rows = [
        (name, cells.len(), cells.n_unique())
        for name in frame.columns
        if (cells := frame.get_column(name).drop_nulls()).len()
    ]
    rows.sort(key=lambda row: -row[1])
    columns = ("field", "_count", "distinct")
    data = {name: [str(row[i]) for row in rows[:limit]] for i, name in enumerate(columns)}
    return flow.behind_aggregate(pl.DataFrame(data, schema=dict.fromkeys(columns, pl.String)))


def _transpose(args: Args, flow: Flow) -> Flow:
    """Turn rows into columns; the new rows are sorted by the name of the old column."""
    limit, column = args.integer("limit", default=5, maximum=1000), args.text("column", "column")
    frame = flow.collect()
    if frame.height > limit and not args.has("limit"):
        flow.execution.warn(f"transpose() kept {limit} rows, its default; raise its limit")
    frame = frame.head(limit)
    heads = [f"row[{i + 1}]" for i in range(frame.height)]
    names = sorted(frame.columns) if frame.height else []
    header = args.text("header") if args.has("header") else ""
    if args.has("pivot"):
        header = column = args.text("pivot")
    if header:
        if header not in frame.columns and not flow.execution.is_dry:
            raise semantic(args.call, f"there is no field {header!r}")
        names = [name for name in names if name != header]
        cells = frame.get_column(header).to_list() if header in frame.columns else []
        heads = [cell or "" for cell in cells]
    rows = {head: [frame[name][i] for name in names] for i, head in enumerate(heads)}
    schema = dict.fromkeys([column, *heads], pl.String)
    return flow.behind_aggregate(pl.DataFrame({column: names, **rows}, schema=schema))


def _split(args: Args, flow: Flow) -> Flow:
    """One event for each element of an array; `_index` says which, and the id gets it too.

    An event without an element gives none; LogScale's documentation does not say.
    """
    base, strip = args.text("field", "_events"), args.flag("strip")
    element = re.compile(re.escape(base) + r"\[(\d+)\](.*)\Z", re.DOTALL)
    members: dict[int, dict[str, str]] = {}
    for name in flow.columns:
        found = element.match(name)
        if found:
            rest = found[2].removeprefix(".") if strip else found[2]
            moved = rest or base if strip else base + rest
            members.setdefault(int(found[1]), {})[name] = moved
    if not members:
        return flow.with_frame(flow.frame.filter(pl.lit(value=False)), columns=flow.columns)
    place, number_mark = args.execution.mark("place"), args.execution.mark("number")
    frame = flow.frame.with_row_index(place)
    hidden = [name for name in frame.collect_schema().names() if name.startswith("\x00")]
    others = [n for n in flow.columns if not element.match(n) and n != "_index"]
    parts = []
    for number in sorted(members):
        moves = members[number]
        part = frame.filter(any_of(pl.col(name).is_not_null() for name in moves))
        added = [pl.col(old).alias(new) for old, new in moves.items()]
        kept = [
            pl.concat_str(pl.col(n), pl.lit(f"__{number}")).alias(n) if n == "@id" else pl.col(n)
            for n in others
            if n not in moves.values()
        ]
        index = pl.lit(str(number)).alias("_index")
        parts.append(part.select(*hidden, *kept, index, *added, pl.lit(number).alias(number_mark)))
    joined = pl.concat(parts, how="diagonal").sort(place, number_mark, maintain_order=True)
    new = [name for number in sorted(members) for name in members[number].values()]
    return flow.with_frame(joined, columns=tuple(dict.fromkeys([*others, "_index", *new])))


def _set_field(args: Args, flow: Flow) -> Flow:
    """Set the field whose name is computed; which names there are is known only then."""
    name, value = flow.execution.mark("name"), flow.execution.mark("value")
    frame = flow.frame.with_columns(
        args.value("target").text().alias(name), args.value("value").text().alias(value)
    ).collect()
    wide = flow.with_frame(frame.lazy())
    rows = wide.rows()
    for target in frame.get_column(name).drop_nulls().unique(maintain_order=True).to_list():
        rows.set(target, Value(expr=pl.when(pl.col(name) == target).then(pl.col(value))))
    return wide.write(rows)


def _create_events(args: Args, flow: Flow) -> Flow:
    now = str(flow.execution.context.now_ms)
    texts = args.texts("rawstring")
    events = Events.from_rows({"@timestamp": now, "@rawstring": text} for text in texts)
    return source_flow(events.frame, flow.execution, flow.engine)


def _append_aggregation(args: Args, flow: Flow) -> Flow:
    """Put the rows of an aggregation behind the rows it was computed from."""
    added = aggregate_by(flow, {}, args.node("function"))
    columns = tuple(dict.fromkeys([*flow.columns, *(n for n in added.columns if n[0] != "\x00")]))
    rows = flow.frame.select(*flow.outer(), *flow.columns).collect()
    whole = pl.concat([rows, added], how="diagonal")
    return flow.behind_aggregate(whole, columns)


def _unchanged(args: Args, flow: Flow) -> Flow:
    """What says how a search is run and is done elsewhere, or means nothing here."""
    return flow


def _window(args: Args, flow: Flow) -> Flow:
    raise semantic(args.call, "window() stands only in function= of bucket() or timeChart()")


def source_flow(frame: pl.DataFrame, execution: Execution, engine: Engine) -> Flow:
    """Return the flow at the start of a pipeline over these events."""
    names = tuple(name for name in frame.columns if not name.startswith("\x00"))
    return Flow(
        frame=frame.lazy(),
        columns=names,
        execution=execution,
        engine=engine,
        has_times=True,
        searchable=searchable(names),
    )


STAGES: Mapping[str, Stage] = {
    "accumulate": sequences.accumulate,
    "appendAggregation": _append_aggregation,
    "array:intersection": array_aggregates.intersection,
    "array:reduceAll": array_aggregates.reduce_all,
    "array:reduceColumn": array_aggregates.reduce_column,
    "array:reduceRow": array_aggregates.reduce_row,
    "array:union": array_aggregates.union,
    "beta:repeating": _unchanged,
    "bitfield:extractFlagsAsArray": parsing.extract_flags_as_array,
    "bucket": charts.bucket,
    "collect": _collect,
    "correlate": correlate,
    "createEvents": _create_events,
    "defineTable": define_table,
    "fieldset": _fieldset,
    "fieldstats": _fieldstats,
    "findTimestamp": timestamps.find_timestamp,
    "groupBy": group_by,
    "head": ordering.head,
    "kvParse": parsing.kv_parse,
    "matchAsArray": match_as_array,
    "neighbor": sequences.neighbor,
    "parseCEF": parsing.parse_cef,
    "parseCsv": parsing.parse_csv,
    "parseFixedWidth": parsing.parse_fixed_width,
    "parseJson": parsing.parse_json,
    "parseLEEF": parsing.parse_leef,
    "parseTimestamp": timestamps.parse_timestamp,
    "parseUri": parsing.parse_uri,
    "parseUrl": parsing.parse_url,
    "parseXml": parsing.parse_xml,
    "partition": sequences.partition,
    "readFile": read_file,
    "regex": repeat_regex,
    "sankey": charts.sankey,
    "selfJoin": self_join,
    "series": series,
    "session": sequences.session,
    "setField": _set_field,
    "setTimeInterval": _unchanged,
    "slidingTimeWindow": sequences.sliding_time_window,
    "slidingWindow": sequences.sliding_window,
    "sort": ordering.sort,
    "split": _split,
    "splitString": parsing.split_string,
    "stats": _stats,
    "table": ordering.table,
    "tail": ordering.tail,
    "timeChart": charts.time_chart,
    "top": top,
    "transpose": _transpose,
    "window": _window,
    "worldMap": charts.world_map,
}

FILTER_STAGES: Mapping[str, FilterStage] = {
    "join": join_query,
    "match": match_table,
    "selfJoinFilter": self_join_filter,
}

_ALONE = frozenset(("correlate", "createEvents", "defineTable", "readFile", "setTimeInterval"))
# Stages that know nothing of groups run once for each.
_ONE_GROUP = frozenset(("fieldset", "fieldstats", "transpose", "selfJoin"))
