"""Functions that work on the whole frame: order, choose, group, look up, join, split.

Each takes its arguments and the flow and returns the next flow. One more is one function and its
line in `STAGES`. Those that read a second time (join, tables) are in `tables.py`.
Source: library.humio.com, data-analysis/functions.html, one page a function.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

import polars as pl

from orchestrator.engine.arguments import Args, semantic, unsupported
from orchestrator.engine.context import Execution
from orchestrator.engine.events import Events, flatten
from orchestrator.engine.expressions import searchable
from orchestrator.engine.flow import Flow
from orchestrator.engine.grouping import bucket, group_by, stats, time_chart, top
from orchestrator.engine.regexes import translate
from orchestrator.engine.row_steps import apply_steps
from orchestrator.engine.rows import Rows
from orchestrator.engine.values import any_of

Stage = Callable[[Args, Flow], Flow]
DEFAULT_ROWS = 200
_KEY_VALUE = re.compile(r'([\w.@#\[\]-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;]*))', re.ASCII)


def _maximum(args: Args) -> int:
    return args.execution.context.limits.rows


def _sort(args: Args, flow: Flow) -> Flow:
    fields = args.texts("field") or ["_count"]
    orders = _parallel(args, "order", fields, "desc")
    types = _parallel(args, "type", fields, "number")
    if args.has("reverse"):
        raise unsupported(args.call, "sort(reverse=)", "write order=")
    limit = args.integer("limit", default=DEFAULT_ROWS, maximum=_maximum(args))
    rows = flow.rows()
    keys = [_sort_key(args, rows, name, kind) for name, kind in zip(fields, types, strict=True)]
    descending = [not order.startswith("asc") for order in orders]
    frame = flow.frame.sort(keys, descending=descending, nulls_last=True, maintain_order=True)
    return flow.ordered(frame.head(limit), has_times=False)


def _parallel(args: Args, name: str, fields: list[str], default: str) -> list[str]:
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
            raise semantic(args.call, "type= takes number, string or hex")


def _head(args: Args, flow: Flow) -> Flow:
    limit = args.integer("limit", default=DEFAULT_ROWS, maximum=_maximum(args))
    return flow.ordered(flow.frame.head(limit), has_times=True)


def _tail(args: Args, flow: Flow) -> Flow:
    limit = args.integer("limit", default=DEFAULT_ROWS, maximum=_maximum(args))
    return flow.ordered(flow.frame.tail(limit), has_times=True)


def _table(args: Args, flow: Flow) -> Flow:
    names = args.texts("fields")
    limit = args.integer("limit", default=DEFAULT_ROWS, maximum=_maximum(args))
    rows = flow.rows()
    by = args.text("sortby", "@timestamp")
    descending = not args.text("order", "desc").startswith("asc")
    frame = flow.frame
    # Rows without the sort field keep their order, as those behind an aggregate do.
    if rows.has(by):
        key = _sort_key(args, rows, by, args.text("type", "number"))
        frame = frame.sort(key, descending=descending, nulls_last=True, maintain_order=True)
    shown = [rows.field(name).text().alias(name) for name in dict.fromkeys(names)]
    # Beside the rows first: a selection of constants alone would be one row, whatever there is.
    frame = frame.head(limit).with_columns(shown).select(dict.fromkeys(names).keys())
    return flow.behind_aggregate(frame.collect())


def _group_by(args: Args, flow: Flow) -> Flow:
    return group_by(args, flow.rows(), flow)


def _top(args: Args, flow: Flow) -> Flow:
    return top(args, flow.rows(), flow)


def _bucket(args: Args, flow: Flow) -> Flow:
    return bucket(args, flow.rows(), flow)


def _time_chart(args: Args, flow: Flow) -> Flow:
    return time_chart(args, flow.rows(), flow)


def _stats(args: Args, flow: Flow) -> Flow:
    return stats(args.node("function") if args.has("function") else None, flow)


def _fieldset(args: Args, flow: Flow) -> Flow:
    frame = flow.collect()
    names = [name for name in frame.columns if frame.get_column(name).null_count() < frame.height]
    return flow.behind_aggregate(pl.DataFrame({"fieldset": names}, schema={"fieldset": pl.String}))


def _transpose(args: Args, flow: Flow) -> Flow:
    if args.has("pivot"):
        raise unsupported(args.call, "transpose(pivot=)", "the plain form alone")
    limit, column = args.integer("limit", default=5, maximum=1000), args.text("column", "column")
    frame = flow.collect().head(limit)
    heads = [f"row[{i + 1}]" for i in range(frame.height)]
    names = frame.columns
    if args.has("header"):
        header = args.text("header")
        if header not in names:
            raise semantic(args.call, f"there is no field {header!r}")
        heads = [cell or "" for cell in frame.get_column(header).to_list()]
        names = [name for name in names if name != header]
    cells = {head: [frame[name][i] for name in names] for i, head in enumerate(heads)}
    schema = dict.fromkeys([column, *heads], pl.String)
    return flow.behind_aggregate(pl.DataFrame({column: names, **cells}, schema=schema))


def _self_join_filter(args: Args, flow: Flow) -> Flow:
    rows = flow.rows()
    keys = [rows.field(name).text() for name in args.texts("field")]
    tests = []
    for subquery in args.subqueries("where"):
        inner = rows.child()
        apply_steps(subquery.pipeline.steps, inner)
        condition = inner.condition()
        tests.append(pl.lit(value=True) if condition is None else condition)
    marks = [args.execution.mark("where") for _ in tests]
    key_marks = [args.execution.mark("key") for _ in keys]
    frame = flow.frame.with_columns(
        *(test.alias(mark) for test, mark in zip(tests, marks, strict=True)),
        *(key.alias(mark) for key, mark in zip(keys, key_marks, strict=True)),
    ).filter(pl.all_horizontal(pl.col(mark).is_not_null() for mark in key_marks))
    frame = frame.filter(pl.all_horizontal(pl.col(m).any().over(key_marks) for m in marks))
    if args.flag("prefilter"):
        frame = frame.filter(any_of(pl.col(mark) for mark in marks))
    return flow.with_frame(frame)


def _split(args: Args, flow: Flow) -> Flow:
    """One event for each element of an array; the element's members move to the front."""
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
        return flow
    place = args.execution.mark("place")
    frame = flow.frame.with_row_index(place)
    others = [n for n in flow.columns if not element.match(n)]
    parts = []
    for number in sorted(members):
        moves = members[number]
        part = frame.filter(any_of(pl.col(name).is_not_null() for name in moves))
        added = [pl.col(old).alias(new) for old, new in moves.items()]
        kept = [n for n in others if n not in moves.values()]
        hidden = [place] if not flow.has_times else [place, "\x00time", "\x00ingest"]
        parts.append(part.select(*hidden, *kept, *added, pl.lit(number).alias(f"{place}n")))
    joined = pl.concat(parts, how="diagonal").sort(place, f"{place}n", maintain_order=True)
    new = [name for number in sorted(members) for name in members[number].values()]
    return flow.with_frame(joined, columns=tuple(dict.fromkeys([*others, *new])))


def _add_fields(
    flow: Flow, text: pl.Expr, parse: Callable[[str], Mapping[str, str]], *, override: bool
) -> Flow:
    """Set the fields that Python reads out of one text; which they are is known only then."""
    mark = flow.execution.mark("parsed")
    frame = flow.frame.with_columns(text.alias(mark)).collect()
    known: dict[str | None, Mapping[str, str]] = {None: {}}
    cells = frame.get_column(mark).to_list()
    for cell in cells:
        if cell not in known:
            known[cell] = parse(cell)
    names = list(dict.fromkeys(name for found in known.values() for name in found))
    rows = flow.rows()
    added = []
    for name in names:
        new = pl.Series(f"{mark}{name}", [known[cell].get(name) for cell in cells], dtype=pl.String)
        frame = frame.with_columns(new)
        first, second = pl.col(new.name), rows.field(name).text()
        if not override:
            first, second = second, first
        added.append(pl.coalesce(first, second).alias(name))
    columns = tuple(dict.fromkeys([*flow.columns, *names]))
    return flow.with_frame(frame.lazy().with_columns(added), columns=columns)


def _parse_json(args: Args, flow: Flow) -> Flow:
    for name in ("include", "exclude", "removePrefixes"):
        if args.has(name):
            raise unsupported(args.call, f"parseJson({name}=)", "every member is read")
    prefix, null = args.text("prefix", ""), args.text("handleNull", "keep")
    drop_empty = args.flag("excludeEmpty")

    def parse(cell: str) -> Mapping[str, str]:
        try:
            value = json.loads(cell, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError):
            return {}
        if not isinstance(value, dict):
            return {}
        if null != "keep":
            value = _without_null(value, "" if null == "empty" else None)
        found = {prefix + name: text for name, text in flatten(value).items()}
        return {k: v for k, v in found.items() if v != ""} if drop_empty else found

    text = flow.rows().field(args.text("field", "@rawstring")).text()
    return _add_fields(flow, text, parse, override=True)


def _without_null(value: dict[str, object], instead: str | None) -> dict[str, object]:
    cleaned: dict[str, object] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            cleaned[name] = _without_null(item, instead)
        elif item is not None:
            cleaned[name] = item
        elif instead is not None:
            cleaned[name] = instead
    return cleaned


def _kv_parse(args: Args, flow: Flow) -> Flow:
    for name in ("separator", "separatorPadding", "as", "prefix", "onDuplicate"):
        if args.has(name):
            raise unsupported(args.call, f"kvParse({name}=)", "key=value with = alone")
    drop_empty = args.flag("excludeEmpty")

    def parse(cell: str) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for key, quoted, bare in _KEY_VALUE.findall(cell):
            text = re.sub(r"\\(.)", r"\1", quoted) if quoted else bare
            if text or not drop_empty:
                found[key] = text
        return found

    text = flow.rows().field(args.text("field", "@rawstring")).text()
    return _add_fields(flow, text, parse, override=args.flag("override"))


def _split_string(args: Args, flow: Flow) -> Flow:
    """Without `index=`: the parts as an array."""
    base, pattern = args.text("as", "_splitstring"), translate(args.text("by")).compiled()

    def parse(cell: str) -> Mapping[str, str]:
        return {f"{base}[{i}]": part for i, part in enumerate(pattern.split(cell))}

    text = flow.rows().field(args.text("field", "@rawstring")).text()
    return _add_fields(flow, text, parse, override=True)


def _create_events(args: Args, flow: Flow) -> Flow:
    now = str(flow.execution.context.now_ms)
    texts = args.texts("rawstring")
    events = Events.from_rows({"@timestamp": now, "@rawstring": text} for text in texts)
    return source_flow(events.frame, flow.execution)


def source_flow(frame: pl.DataFrame, execution: Execution) -> Flow:
    """Return the flow at the start of a pipeline over these events."""
    names = tuple(name for name in frame.columns if not name.startswith("\x00"))
    return Flow(
        frame=frame.lazy(),
        columns=names,
        execution=execution,
        has_times=True,
        searchable=searchable(names),
    )


STAGES: Mapping[str, Stage] = {
    "groupBy": _group_by,
    "stats": _stats,
    "sort": _sort,
    "head": _head,
    "tail": _tail,
    "table": _table,
    "top": _top,
    "bucket": _bucket,
    "timeChart": _time_chart,
    "fieldset": _fieldset,
    "transpose": _transpose,
    "selfJoinFilter": _self_join_filter,
    "split": _split,
    "parseJson": _parse_json,
    "kvParse": _kv_parse,
    "splitString": _split_string,
    "createEvents": _create_events,
}
