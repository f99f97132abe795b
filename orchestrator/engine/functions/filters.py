"""Functions that keep or drop a row: each takes its arguments and the row, and gives a Boolean.

One more is one function and its line in `FILTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from orchestrator.engine.arguments import Args, semantic
from orchestrator.engine.functions.arrays import (
    array_contains,
    array_exists,
    elements,
    object_array_exists,
)
from orchestrator.engine.functions.encodings import hash_match
from orchestrator.engine.functions.indicators import ioc_filter
from orchestrator.engine.patterns.globs import parse_glob
from orchestrator.engine.patterns.networks import (
    Network,
    contains_address,
    parse_network,
    parse_networks,
)
from orchestrator.engine.patterns.regexes import translate
from orchestrator.engine.rows import Rows
from orchestrator.engine.values import any_of, contains_pattern, equals_any, regex_found
from orchestrator.errors import CqlSemanticError

FilterFunction = Callable[[Args, Rows], pl.Expr]


def _in(args: Args, rows: Rows) -> pl.Expr:
    fold = args.flag("ignoreCase")
    return equals_any(rows.field(args.text("field")), args.texts("values"), ignore_case=fold)


def _test(args: Args, rows: Rows) -> pl.Expr:
    return args.value("expression").truth().fill_null(value=False)


def _cidr(args: Args, rows: Rows) -> pl.Expr:
    if args.has("file"):
        name, column = args.text("file"), args.text("column", args.text("field"))
        lookup = args.execution.table(name, node=args.node("file"))
        lookup = lookup.need([column], file=name)
        cells = lookup.frame.get_column(column).drop_nulls().to_list()
        networks: tuple[Network, ...] = tuple(n for n in map(parse_network, cells) if n is not None)
    else:
        try:
            networks = parse_networks(args.texts("subnet"))
        except CqlSemanticError as exc:
            raise semantic(args.call, exc.problem) from exc
    text = rows.masked(args.text("field"))

    def inside(series: pl.Series) -> pl.Series:
        cells = series.to_list()
        found = [cell is not None and contains_address(networks, cell) for cell in cells]
        return pl.Series(series.name, found, dtype=pl.Boolean)

    found = text.map_batches(inside, return_dtype=pl.Boolean)
    return ~found if args.flag("negate") else found


def _wildcard(args: Args, rows: Rows) -> pl.Expr:
    pattern, fold = args.text("pattern"), args.flag("ignoreCase")
    is_any = parse_glob(pattern).is_any
    if is_any and (args.flag("includeEverythingOnAsterisk") or not args.texts("field")):
        return pl.lit(value=True)
    if args.texts("field"):
        fields = [rows.field(name) for name in args.texts("field")]
        if is_any or not fold:
            return any_of(equals_any(value, [pattern]) for value in fields)
        texts = [value.text() for value in fields]
    elif rows.searchable is None:
        raise semantic(args.call, "wildcard() without field= searches the event, which is gone")
    else:
        texts = [pl.col(name) for name in rows.searchable]
    return any_of(contains_pattern(text, pattern, ignore_case=fold) for text in texts)


def regex_arguments(args: Args) -> tuple[str, str]:
    """Return the regex and the flags of regex()."""
    return args.text("regex"), args.text("flags", "")


def _regex(args: Args, rows: Rows) -> pl.Expr:
    body, flags = regex_arguments(args)
    try:
        regex = translate(body, flags)
    except CqlSemanticError as exc:
        raise semantic(args.call, exc.problem) from exc
    return regex_found(rows.masked(args.text("field", "@rawstring")), regex)


def _sample(args: Args, rows: Rows) -> pl.Expr:
    """A share of the rows, chosen by a hash of the field so that a run can be repeated."""
    share = args.number("percentage", 1.0)
    text = rows.field(args.text("field", "@timestamp")).text()
    place = (text.hash(seed=0) % 10_000).cast(pl.Float64)
    return (text.is_not_null() & (place < share * 100)).fill_null(value=False)


def _never(args: Args, rows: Rows) -> pl.Expr:
    return pl.lit(value=False)


def _contains(args: Args, rows: Rows) -> pl.Expr:
    found = args.value("string").text().str.contains(args.value("substring").text(), literal=True)
    return found.fill_null(value=False)


def _starts_with(args: Args, rows: Rows) -> pl.Expr:
    found = args.value("string").text().str.starts_with(args.value("substring").text())
    return found.fill_null(value=False)


def _ends_with(args: Args, rows: Rows) -> pl.Expr:
    found = args.value("string").text().str.ends_with(args.value("substring").text())
    return found.fill_null(value=False)


def _array_regex(args: Args, rows: Rows) -> pl.Expr:
    body, flags = regex_arguments(args)
    try:
        regex = translate(body, flags)
    except CqlSemanticError as exc:
        raise semantic(args.call, exc.problem) from exc
    return any_of(regex_found(text, regex) for text in elements(rows, args.text("array")))


FILTERS: Mapping[str, FilterFunction] = {
    "in": _in,
    "test": _test,
    "cidr": _cidr,
    "wildcard": _wildcard,
    "regex": _regex,
    "dropEvent": _never,
    "text:contains": _contains,
    "text:startsWith": _starts_with,
    "text:endsWith": _ends_with,
    "array:contains": array_contains,
    "array:exists": array_exists,
    "objectArray:exists": object_array_exists,
    "ioc:lookup": ioc_filter,
    "hashMatch": hash_match,
    "sample": _sample,
    "array:regex": _array_regex,
}
