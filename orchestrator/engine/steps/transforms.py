"""Functions that change fields of one row: each takes its arguments and the row, and changes it.

One more is one function and its line in `TRANSFORMS`; those of arrays, places and codes have
modules of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from orchestrator.cql.nodes import Array
from orchestrator.engine.arguments import Args, semantic, unsupported
from orchestrator.engine.functions import arrays, encodings
from orchestrator.engine.functions.filters import regex_arguments
from orchestrator.engine.functions.geography import asn, ip_location, reverse_dns
from orchestrator.engine.functions.indicators import ioc_lookup
from orchestrator.engine.functions.texts import edit_distance_as_array
from orchestrator.engine.patterns.globs import parse_number
from orchestrator.engine.patterns.regexes import Dialects, translate
from orchestrator.engine.rows import Rows
from orchestrator.engine.steps.expressions import value_of
from orchestrator.engine.values import Kind, Value, constant, regex_found, regex_groups
from orchestrator.errors import CqlSemanticError

Transform = Callable[[Args, Rows], None]


def extract(regex: Dialects, text: pl.Expr, rows: Rows) -> None:
    """Set the fields that the named groups of the first match caught."""
    for name, caught in regex_groups(text, regex).items():
        rows.set(name, Value(expr=caught))


def _regex(args: Args, rows: Rows) -> None:
    body, flags = regex_arguments(args)
    try:
        regex = translate(body, flags)
    except CqlSemanticError as exc:
        raise semantic(args.call, exc.problem) from exc
    if regex.repeats:
        raise semantic(args.call, "the flag g is not allowed in regex(flags=)")
    text = rows.masked(args.text("field", "@rawstring"))
    if args.flag("strict", default=True):
        rows.keep(regex_found(text, regex))
    extract(regex, text, rows)


def _rename(args: Args, rows: Rows) -> None:
    elements = args.elements("field")
    if any(isinstance(item, Array) for item in elements):
        pairs = []
        for item in elements:
            if not isinstance(item, Array) or len(item.elements) != 2:
                raise semantic(item, "rename() takes pairs: [[old, new], ...]")
            pairs.append((args.plain(item.elements[0]), args.plain(item.elements[1])))
    elif args.has("as") and len(elements) == 1:
        pairs = [(args.plain(elements[0]), args.text("as"))]
    elif len(elements) == 2:
        pairs = [(args.plain(elements[0]), args.plain(elements[1]))]
    else:
        raise semantic(args.call, "rename() needs as=")
    for old, new in pairs:
        if rows.has(old) and old != new:
            # Where the source is absent nothing moves, so the target keeps what it had.
            rows.set(new, Value(expr=rows.field(old).text()))
            rows.drop(old)


def _default(args: Args, rows: Rows) -> None:
    value = constant(args.text("value"))
    for name in args.texts("field"):
        text = rows.field(name).text()
        if args.flag("replaceEmpty"):
            text = pl.when(text != "").then(text)
        known = rows.has(name)
        rows.replace(name, Value(expr=pl.coalesce(text, value.text())) if known else value)


def _drop(args: Args, rows: Rows) -> None:
    for name in args.texts("fields"):
        rows.drop(name)


def _select(args: Args, rows: Rows) -> None:
    rows.select(args.texts("fields"))


def _eval(args: Args, rows: Rows) -> None:
    for name, node in args.given().items():
        rows.set(name, value_of(node, rows))


def _set_field(args: Args, rows: Rows) -> None:
    target = args.value("target").constant
    if target is None:
        raise unsupported(args.call, "setField()", "a computed name cannot stand in here")
    rows.set(target, args.value("value"))


def _lowercase(args: Args, rows: Rows) -> None:
    include = args.choice("include", ("values", "fields", "both"), default="values")
    wanted = args.texts("field")
    names = list(rows.names()) if wanted == ["*"] else [name for name in wanted if rows.has(name)]
    for name in names:
        text = rows.field(name).text()
        lowered = text if include == "fields" else text.str.to_lowercase()
        if include != "values" and name != name.lower():
            rows.set(name.lower(), Value(expr=lowered))
            rows.drop(name)
        else:
            rows.replace(name, Value(expr=lowered))


def _spherical(args: Args, rows: Rows) -> None:
    """Turn angles (radians, z up) and a radius into coordinates."""
    azimuth, polar = rows.number(args.text("azimuth")), rows.number(args.text("polar"))
    radius = args.text("radius", "1.0")
    number = parse_number(radius)
    length = rows.number(radius) if number is None else pl.lit(number)
    prefix = args.output("_spherical2cartesian")
    found = {
        "x": length * polar.cos() * azimuth.cos(),
        "y": length * polar.cos() * azimuth.sin(),
        "z": length * polar.sin(),
    }
    for name, value in found.items():
        rows.set(f"{prefix}.{name}", Value(expr=value, kind=Kind.NUMBER))


TRANSFORMS: Mapping[str, Transform] = {
    "regex": _regex,
    "rename": _rename,
    "default": _default,
    "drop": _drop,
    "select": _select,
    "eval": _eval,
    "setField": _set_field,
    "lowercase": _lowercase,
    "array:append": arrays.array_append,
    "array:dedup": arrays.array_dedup,
    "array:drop": arrays.array_drop,
    "array:eval": arrays.array_eval,
    "array:filter": arrays.array_filter,
    "array:rename": arrays.array_rename,
    "array:sort": arrays.array_sort,
    "objectArray:eval": arrays.object_array_eval,
    "asn": asn,
    "ipLocation": ip_location,
    "reverseDns": reverse_dns,
    "ioc:lookup": ioc_lookup,
    "bitfield:extractFlags": encodings.extract_flags,
    "bitfield:extractFlagsAsString": encodings.extract_flags_as_string,
    "hashRewrite": encodings.hash_rewrite,
    "math:spherical2cartesian": _spherical,
    "text:editDistanceAsArray": edit_distance_as_array,
}
