"""Stages that read fields out of a text; which fields there are is known only then.

An existing field is overwritten, but by kvParse() unless told so.
Source: library.humio.com, data-analysis/functions-parsejson.html, functions-kvparse.html and the
functions' pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import polars as pl

from orchestrator.engine.arguments import Args, semantic, unsupported
from orchestrator.engine.flow import Flow
from orchestrator.engine.functions import records
from orchestrator.engine.functions.encodings import set_flags
from orchestrator.engine.functions.texts import split_pattern
from orchestrator.engine.values import Value

Read = Callable[[str], Mapping[str, str]]
ERROR, ERROR_TEXT = "@error", "@error_msg"


def add_fields(flow: Flow, text: pl.Expr, read: Read, *, override: bool = True) -> Flow:
    """Set the fields that Python reads out of a text, each distinct text once."""
    mark = flow.execution.mark("parsed")
    frame = flow.frame.with_columns(text.alias(mark)).collect()
    known: dict[str | None, Mapping[str, str]] = {None: {}}
    cells = frame.get_column(mark).to_list()
    for cell in cells:
        if cell not in known:
            known[cell] = read(cell)
    names = list(dict.fromkeys(name for found in known.values() for name in found))
    rows, added = flow.rows(), []
    fresh = [
        pl.Series(f"{mark}{name}", [known[cell].get(name) for cell in cells], dtype=pl.String)
        for name in names
    ]
    for name, new in zip(names, fresh, strict=True):
        first, second = pl.col(new.name), rows.field(name).text()
        if not override:
            first, second = second, first
        added.append(pl.coalesce(first, second).alias(name))
    columns = tuple(dict.fromkeys([*flow.columns, *names]))
    return flow.with_frame(frame.with_columns(fresh).lazy().with_columns(added), columns=columns)


def _field(args: Args, flow: Flow) -> pl.Expr:
    return flow.rows().field(args.text("field", "@rawstring")).text()


def parse_json(args: Args, flow: Flow) -> Flow:
    """Flatten a JSON object; broken JSON is said in error fields, the event is kept."""
    rules = records.JsonRules(
        prefix=args.text("prefix", ""),
        null=args.choice("handleNull", ("keep", "discard", "empty"), default="keep"),
        exclude_empty=args.flag("excludeEmpty"),
        include=args.texts("include"),
        exclude=args.texts("exclude"),
        remove_prefixes=args.texts("removePrefixes"),
    )

    def read(cell: str) -> Mapping[str, str]:
        found = records.read_json(cell, rules)
        return _failure("the text is no JSON object") if found is None else found

    return add_fields(flow, _field(args, flow), read)


def _failure(problem: str) -> dict[str, str]:
    return {ERROR: "true", ERROR_TEXT: problem}


def kv_parse(args: Args, flow: Flow) -> Flow:
    """Set a field for each `key=value`; fields that exist stay unless `override=true`."""
    separator = args.text("separator", "=")
    if len(separator) != 1:
        raise semantic(args.call, "separator= takes one character")
    prefix = args.text("as", args.text("prefix", "")) if args.has("as") else args.text("prefix", "")
    lead = f"{prefix}." if prefix else ""
    read_pairs = partial(
        records.read_key_values,
        separator=separator,
        padding=args.choice("separatorPadding", ("yes", "no", "unknown"), default="unknown"),
        keep_first=args.choice("onDuplicate", ("keepFirst", "keepLast"), default="keepLast")
        == "keepFirst",
    )
    drop_empty, override = args.flag("excludeEmpty"), args.flag("override")

    def read(cell: str) -> Mapping[str, str]:
        pairs = read_pairs(cell)
        return {lead + k: v for k, v in pairs.items() if v or not drop_empty}

    for name in args.texts("field") or ["@rawstring"]:
        text = flow.rows().field(name).text()
        flow = add_fields(flow, text, read, override=override)
    return flow


def split_string(args: Args, flow: Flow) -> Flow:
    """Write the parts of a text as an array."""
    base, pattern = args.text("as", "_splitstring"), split_pattern(args)

    def read(cell: str) -> Mapping[str, str]:
        return {f"{base}[{i}]": part for i, part in enumerate(pattern(cell))}

    return add_fields(flow, _field(args, flow), read)


def parse_csv(args: Args, flow: Flow) -> Flow:
    """Set columns from one line of delimited text."""
    delimiter = args.text("delimiter", ",")
    if len(delimiter) != 1 or delimiter in "\r\n":
        raise semantic(args.call, "delimiter= takes one character")
    read = partial(
        records.read_csv,
        columns=args.texts("columns"),
        delimiter=delimiter,
        trim=args.flag("trim"),
        exclude_empty=args.flag("excludeEmpty"),
    )
    return add_fields(flow, _field(args, flow), read)


def parse_fixed_width(args: Args, flow: Flow) -> Flow:
    """Set columns from text cut at fixed widths."""
    columns, texts = args.texts("columns"), args.texts("widths")
    if len(columns) != len(texts) or not all(text.isdecimal() for text in texts):
        raise semantic(args.call, "widths= needs one number for each column")
    widths, trim = [int(text) for text in texts], args.flag("trim", default=True)
    read = partial(records.read_fixed_width, columns=columns, widths=widths, trim=trim)
    return add_fields(flow, _field(args, flow), read)


def parse_cef(args: Args, flow: Flow) -> Flow:
    """Set the fields of a CEF message."""
    read = partial(
        records.read_cef,
        header_prefix=args.text("headerprefix", "cef."),
        label_prefix=args.text("labelprefix", "cef.label."),
        prefix=args.text("prefix", "cef.ext."),
        keep_labels=args.flag("keeplabels"),
    )
    return add_fields(flow, _field(args, flow), read)


def parse_leef(args: Args, flow: Flow) -> Flow:
    """Set the fields of a LEEF message; its `devTime` is left as it is."""
    if args.has("parsetime") and args.flag("parsetime"):
        raise unsupported(args.call, "parseLEEF(parsetime=true)", "use parseTimestamp()")
    read = partial(
        records.read_leef,
        delimiter=args.text("delimiter", ""),
        header_prefix=args.text("headerprefix", "leef."),
        label_prefix=args.text("labelprefix", "leef.label."),
        prefix=args.text("prefix", "leef.ext."),
        keep_labels=args.flag("keeplabels"),
    )
    return add_fields(flow, _field(args, flow), read)


def parse_url(args: Args, flow: Flow) -> Flow:
    """Set the parts of a URL; one without a host is left alone."""
    field = args.text("field", "url")
    prefix = args.text("as", field) if args.has("as") else field

    def read(cell: str) -> Mapping[str, str]:
        parts = records.read_uri(cell, host="host")
        return {f"{prefix}.{name}": part for name, part in parts.items()}

    return add_fields(flow, flow.rows().field(field).text(), read)


def parse_uri(args: Args, flow: Flow) -> Flow:
    """Set the parts of a URI, resolved against a base where it has no authority."""
    field, base = args.text("field"), args.text("defaultBase", "")
    if base and base != "//" and not base.endswith("://"):
        raise semantic(args.call, "defaultBase= takes scheme:// or //")
    prefix = args.text("prefix", field) if args.has("prefix") else field

    def read(cell: str) -> Mapping[str, str]:
        parts = records.read_uri(cell, host="hostname", base=base)
        return {f"{prefix}.{name}": part for name, part in parts.items()}

    return add_fields(flow, flow.rows().field(field).text(), read)


def parse_xml(args: Args, flow: Flow) -> Flow:
    """Set the texts and attributes of an XML document by path; events without the text go."""
    prefix, text = args.text("prefix", ""), _field(args, flow)

    def read(cell: str) -> Mapping[str, str]:
        found = records.read_xml(cell, prefix=prefix)
        return _failure("the text is no XML document") if found is None else found

    if args.flag("strict"):
        mark = flow.execution.mark("valid")

        def valid(series: pl.Series) -> pl.Series:
            cells = series.to_list()
            good = [c is not None and records.read_xml(c, prefix=prefix) is not None for c in cells]
            return pl.Series(series.name, good, dtype=pl.Boolean)

        frame = flow.frame.with_columns(
            text.map_batches(valid, return_dtype=pl.Boolean).alias(mark)
        ).filter(pl.col(mark))
    else:
        frame = flow.frame.filter(text.is_not_null())
    return add_fields(flow.with_frame(frame), text, read)


def extract_flags_as_array(args: Args, flow: Flow) -> Flow:
    """Write the names of the bits that are set as an array, lowest bit first."""
    base, names = args.text("asArray", "_flags[]").removesuffix("[]"), set_flags(args, flow.rows())
    rows = flow.rows()
    packed = pl.concat_list(names).list.drop_nulls()
    for place in range(len(names)):
        value = packed.list.get(place, null_on_oob=True)
        rows.replace(f"{base}[{place}]", Value(expr=value))
    return flow.write(rows)
