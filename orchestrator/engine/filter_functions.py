"""Functions that keep or drop a row: each takes its arguments and the row, and gives a Boolean.

One more is one function and its line in `FILTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from orchestrator.engine.arguments import Args, semantic, unsupported
from orchestrator.engine.globs import parse_glob
from orchestrator.engine.networks import Network, contains_address, parse_network, parse_networks
from orchestrator.engine.regexes import translate
from orchestrator.engine.rows import Rows
from orchestrator.engine.values import any_of, equals_any, regex_found
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
        lookup.need([column], file=name)
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
    if not args.has("field"):
        raise unsupported(args.call, "wildcard() without field=", "name the field to search")
    if parse_glob(pattern).is_any and args.flag("includeEverythingOnAsterisk"):
        return pl.lit(value=True)
    return any_of(
        equals_any(rows.field(name), [pattern], ignore_case=fold) for name in args.texts("field")
    )


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


def array_columns(rows: Rows, array: str) -> list[str]:
    """Return the fields `a[0]`, `a[1]`, ... of the array `a[]` that may exist, without a hole."""
    base = array.removesuffix("[]")
    found: list[str] = []
    while rows.has(f"{base}[{len(found)}]"):
        found.append(f"{base}[{len(found)}]")
    return found


def _array_contains(args: Args, rows: Rows) -> pl.Expr:
    value = args.text("value")
    return any_of(text == value for text in _elements(args, rows))


def _elements(args: Args, rows: Rows) -> list[pl.Expr]:
    """Return the array's elements; behind the first that is absent there are none."""
    texts: list[pl.Expr] = []
    for name in array_columns(rows, args.text("array")):
        text = rows.field(name).text()
        texts.append(pl.when(texts[-1].is_not_null()).then(text) if texts else text)
    return texts


def _array_regex(args: Args, rows: Rows) -> pl.Expr:
    body, flags = regex_arguments(args)
    try:
        regex = translate(body, flags)
    except CqlSemanticError as exc:
        raise semantic(args.call, exc.problem) from exc
    return any_of(regex_found(text, regex) for text in _elements(args, rows))


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
    "array:contains": _array_contains,
    "array:regex": _array_regex,
}
