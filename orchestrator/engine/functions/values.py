"""Functions that compute one value a row; usable inside expressions and as a step of their own.

Each row of `VALUES` says how to compute it and where a lone call writes: `as=`, else the default,
else back to its input field. One more is one function and its line.
Source: library.humio.com, data-analysis/functions.html, one page a function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from orchestrator.cql.nodes import Parameter
from orchestrator.engine.arguments import Args, semantic, unsupported
from orchestrator.engine.functions import encodings
from orchestrator.engine.functions import texts as text_functions
from orchestrator.engine.functions.arrays import array_length, concat_array
from orchestrator.engine.functions.filters import regex_arguments
from orchestrator.engine.functions.formats import duration_text, parse_format
from orchestrator.engine.functions.geography import distance_value, geohash_value
from orchestrator.engine.functions.mathematics import MATH
from orchestrator.engine.functions.times import format_times, time_part, zone_of
from orchestrator.engine.functions.unit_conversion import convert
from orchestrator.engine.patterns.regexes import replacement, translate
from orchestrator.engine.rows import Rows
from orchestrator.engine.values import (
    NULL,
    Kind,
    Value,
    constant,
    constant_number,
    each_distinct,
    needs_python,
)
from orchestrator.errors import CqlSemanticError

Compute = Callable[[Args, Rows], Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueFunction:
    """One function; `output` names the field a lone call writes, empty for its input field."""

    compute: Compute
    output: str = ""
    fallback: str = ""
    """The input field where the call names none."""

    def target(self, args: Args) -> str:
        """Return the field that a lone call writes."""
        if args.has("as"):
            return args.text("as")
        parameter = args.function.parameter("as")
        if parameter is not None and parameter.required:
            raise semantic(args.call, f"{args.function.name}() needs as=")
        return self.output or args.text("field", self.fallback or None)


def _text(args: Args, rows: Rows) -> pl.Expr:
    return rows.field(args.text("field")).text()


def _number(args: Args, rows: Rows) -> pl.Expr:
    return rows.number(args.text("field"))


def by_row(text: pl.Expr, function: Callable[[str], str | None]) -> Value:
    """Return a value that Python computes from each distinct text."""
    return Value(expr=each_distinct(text, function))


def _lower(args: Args, rows: Rows) -> Value:
    return Value(expr=_text(args, rows).str.to_lowercase())


def _upper(args: Args, rows: Rows) -> Value:
    return Value(expr=_text(args, rows).str.to_uppercase())


def _trim(args: Args, rows: Rows) -> Value:
    text = _text(args, rows)
    match args.choice("mode", ("both", "start", "end"), default="both"):
        case "start":
            return Value(expr=text.str.strip_chars_start())
        case "end":
            return Value(expr=text.str.strip_chars_end())
        case _:
            return Value(expr=text.str.strip_chars())


def _concat(args: Args, rows: Rows) -> Value:
    values = [rows.field(name) for name in args.texts("field")]
    texts = [value.text() for value in values if not value.is_null]
    if not texts:
        return NULL
    return Value(expr=pl.concat_str(texts, ignore_nulls=True))


def _coalesce(args: Args, rows: Rows) -> Value:
    values = [value for value in args.values("expressions") if not value.is_null]
    if len(values) == 0:
        return NULL
    texts = [value.text() for value in values]
    if args.flag("ignoreEmpty", default=True):
        texts = [pl.when(text != "").then(text) for text in texts]
    return Value(expr=pl.coalesce(texts))


def _if(args: Args, rows: Rows) -> Value:
    condition = args.value("condition").truth().fill_null(value=False)
    then, other = args.value("then"), args.value("else")
    if then.kind is other.kind and then.kind is not Kind.TEXT:
        return Value(expr=pl.when(condition).then(then.expr).otherwise(other.expr), kind=then.kind)
    return Value(expr=pl.when(condition).then(then.text()).otherwise(other.text()))


def _round(args: Args, rows: Rows) -> Value:
    number = _number(args, rows)
    match args.choice("how", ("round", "floor", "ceil"), default="round"):
        case "floor":
            found = number.floor()
        case "ceil":
            found = number.ceil()
        case _:
            # Half away from zero.
            found = number.sign() * (number.abs() + 0.5).floor()
    return Value(expr=found, kind=Kind.NUMBER)


def _instant(name: str) -> Compute:
    def compute(args: Args, rows: Rows) -> Value:
        context = rows.execution.context
        instants = {"now": context.now_ms, "start": context.start_ms, "end": context.end_ms}
        return constant_number(float(instants[name]))

    return compute


def _duration(args: Args, rows: Rows) -> Value:
    return constant_number(float(args.duration_ms("duration")))


def _format(args: Args, rows: Rows) -> Value:
    zone = zone_of(args.text("timezone", "UTC"), node=args.call)
    pieces = parse_format(args.text("format"), call=args.call, zone=zone)
    names = args.texts("field")
    return Value(expr=pieces.render([rows.field(name) for name in names]))


def _format_time(args: Args, rows: Rows) -> Value:
    number = rows.number(args.text("field", "@timestamp"))
    match args.choice("unit", ("auto", "seconds", "milliseconds"), default="auto"):
        case "seconds":
            number = number * 1000
        case "auto":
            # The threshold is not published; times before 1973 in ms read as seconds.
            number = pl.when(number.abs() < 1e11).then(number * 1000).otherwise(number)
        case _:
            pass
    zone = zone_of(args.text("timezone", "UTC"), node=args.call)
    return Value(expr=format_times(number, args.text("format"), zone=zone, call=args.call))


def _time(part: str) -> Compute:
    def compute(args: Args, rows: Rows) -> Value:
        zone = zone_of(args.text("timezone", "UTC"), node=args.call)
        return time_part(rows.number(args.text("field", "@timestamp")), part, zone=zone)

    return compute


def _format_duration(args: Args, rows: Rows) -> Value:
    units = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6, "d": 8.64e7}
    factor = units[args.choice("from", tuple(units), default="ms")]
    precision = args.integer("precision", default=0)
    text = Value(expr=_number(args, rows) * factor, kind=Kind.NUMBER).text()
    return by_row(text, lambda cell: duration_text(float(cell), precision=precision))


def _replace(args: Args, rows: Rows) -> Value:
    """Replace each match; `$1` and `${name}` stand for groups, which here do capture."""
    body, flags = regex_arguments(args)
    with_ = args.text("with", "") if args.has("with") else args.text("replacement", "")
    try:
        # Source: functions-replace.html; a line's ends match too unless flags say otherwise.
        regex = translate(body, flags if args.has("flags") else "m", numbered="$" in with_)
        template = replacement(with_, regex)
    except CqlSemanticError as exc:
        raise semantic(args.call, exc.problem) from exc
    text = rows.field(args.text("field", "@rawstring")).text()
    if not needs_python(regex):
        return Value(expr=text.str.replace_all(regex.rust, template))
    pattern = regex.compiled()
    groups = re.compile(r"\$(?:\$|\{(\w+)\})")

    def fill(match: re.Match[str]) -> str:
        return groups.sub(lambda g: (match.group(g[1]) or "") if g[1] else "$", template)

    return by_row(text, lambda cell: pattern.sub(fill, cell))


def _parse_int(args: Args, rows: Rows) -> Value:
    """Read an unsigned whole number of any radix; a prefix `0x` or `16#` is skipped."""
    radix = args.integer("radix", default=16)
    if not 2 <= radix <= 36:
        raise semantic(args.call, "radix= takes 2 to 36")
    is_little = args.choice("endian", ("big", "little"), default="big") == "little"

    def parse(cell: str) -> str | None:
        digits = re.sub(r"^(0[xX]|16#)", "", cell.strip()) if radix == 16 else cell.strip()
        if is_little and radix == 16:
            digits = digits.zfill(len(digits) + len(digits) % 2)
            digits = "".join(digits[at : at + 2] for at in range(len(digits) - 2, -1, -2))
        if not digits.isascii() or not digits.isalnum():
            return None
        try:
            return str(int(digits, radix))
        except ValueError:
            return None

    return by_row(_text(args, rows), parse)


def _event_size(args: Args, rows: Rows) -> Value:
    """Bytes of the event's values; 0 behind an aggregate, where nothing is stored."""
    if rows.searchable is None and not rows.has_times:
        return constant_number(0.0)
    sizes = [rows.field(name).text().str.len_bytes().fill_null(0) for name in rows.names()]
    found = pl.sum_horizontal(sizes).cast(pl.Float64) if sizes else pl.lit(0.0)
    return Value(expr=found, kind=Kind.NUMBER)


def _event_field_count(args: Args, rows: Rows) -> Value:
    """Fields of the event, tags left out; 0 behind an aggregate."""
    if rows.searchable is None and not rows.has_times:
        return constant_number(0.0)
    there = [
        rows.field(name).text().is_not_null().cast(pl.Float64)
        for name in rows.names()
        if not name.startswith("#")
    ]
    return Value(expr=pl.sum_horizontal(there) if there else pl.lit(0.0), kind=Kind.NUMBER)


def _parameter(args: Args, rows: Rows) -> Value:
    name = args.text("parameter")
    node = Parameter(span=args.call.span, name=name, default=None)
    return constant(rows.execution.parameter(node))


def _split_index(args: Args, rows: Rows) -> Value:
    if not args.has("index"):
        raise unsupported(args.call, "splitString() as a value", "index= says which part is meant")
    index = args.integer("index", default=0)
    cut = text_functions.split_pattern(args)

    def part(cell: str) -> str | None:
        parts = cut(cell)
        return parts[index] if -len(parts) <= index < len(parts) else None

    return by_row(rows.field(args.text("field", "@rawstring")).text(), part)


def _get_field(args: Args, rows: Rows) -> Value:
    """The value of the field that is named by an expression, in each row."""
    source = args.value("source")
    if source.constant is not None:
        return rows.field(source.constant)
    name = source.text()
    found: pl.Expr = pl.lit(None, dtype=pl.String)
    for known in rows.names():
        found = pl.when(name == known).then(rows.field(known).text()).otherwise(found)
    return Value(expr=found)


def _array_length(args: Args, rows: Rows) -> Value:
    return Value(expr=array_length(args, rows), kind=Kind.NUMBER)


def _concat_array(args: Args, rows: Rows) -> Value:
    found = concat_array(args, rows)
    return NULL if found is None else Value(expr=found)


_TIME_PARTS = (
    "dayOfMonth", "dayOfWeek", "dayOfWeekName", "dayOfYear", "hour", "millisecond", "minute",
    "month", "monthName", "second", "weekOfYear", "year",
)  # fmt: skip
VALUES: Mapping[str, ValueFunction] = {
    "lower": ValueFunction(compute=_lower, output="_lower"),
    "upper": ValueFunction(compute=_upper, output="_upper"),
    "length": ValueFunction(
        compute=lambda args, rows: text_functions.length(_text(args, rows)), output="_length"
    ),
    "text:length": ValueFunction(
        compute=lambda args, _rows: text_functions.clusters(args.value("string").text()),
        output="_length",
    ),
    "text:trim": ValueFunction(compute=_trim, output="_trim"),
    "text:substring": ValueFunction(compute=text_functions.substring, output="_string"),
    "text:positionOf": ValueFunction(compute=text_functions.position_of, output="_position"),
    "text:editDistance": ValueFunction(compute=text_functions.edit_distance, output="_distance"),
    "stripAnsiCodes": ValueFunction(compute=text_functions.strip_ansi, fallback="@rawstring"),
    "json:prettyPrint": ValueFunction(compute=text_functions.json_pretty, fallback="@rawstring"),
    "xml:prettyPrint": ValueFunction(compute=text_functions.xml_pretty, fallback="@rawstring"),
    "writeJson": ValueFunction(compute=text_functions.write_json, output="_json"),
    "subnet": ValueFunction(compute=text_functions.subnet, output="_subnet"),
    "unit:convert": ValueFunction(compute=convert),
    "geohash": ValueFunction(compute=geohash_value, output="_geohash"),
    "geography:distance": ValueFunction(compute=distance_value, output="_distance"),
    "communityId": ValueFunction(compute=encodings.community_id, output="_community_id"),
    "hash": ValueFunction(compute=encodings.plain_hash, output="_hash"),
    "tokenHash": ValueFunction(compute=encodings.token_hash, output="_tokenHash"),
    "eventSize": ValueFunction(compute=_event_size, output="_eventSize"),
    "eventFieldCount": ValueFunction(compute=_event_field_count, output="_eventFieldCount"),
    "beta:param": ValueFunction(compute=_parameter, output="_param"),
    "concat": ValueFunction(compute=_concat, output="_concat"),
    "concatArray": ValueFunction(compute=_concat_array, output="_concatArray"),
    "coalesce": ValueFunction(compute=_coalesce, output="_coalesce"),
    "if": ValueFunction(compute=_if, output="_if"),
    "round": ValueFunction(compute=_round),
    "now": ValueFunction(compute=_instant("now"), output="_now"),
    "start": ValueFunction(compute=_instant("start"), output="_start"),
    "end": ValueFunction(compute=_instant("end"), output="_end"),
    "duration": ValueFunction(compute=_duration, output="_duration"),
    "replace": ValueFunction(compute=_replace, fallback="@rawstring"),
    "format": ValueFunction(compute=_format, output="_format"),
    "formatTime": ValueFunction(compute=_format_time, output="_formatTime"),
    "formatDuration": ValueFunction(compute=_format_duration),
    "parseInt": ValueFunction(compute=_parse_int),
    "splitString": ValueFunction(compute=_split_index, output="_splitstring"),
    "getField": ValueFunction(compute=_get_field, output="_getField"),
    "crypto:md5": ValueFunction(compute=encodings.digest("md5"), output="_md5"),
    "crypto:sha1": ValueFunction(compute=encodings.digest("sha1"), output="_sha1"),
    "crypto:sha256": ValueFunction(compute=encodings.digest("sha256"), output="_sha256"),
    "base64Decode": ValueFunction(compute=encodings.base64_decode, output="_base64Decode"),
    "base64Encode": ValueFunction(compute=encodings.base64_encode, output="_base64Encode"),
    "urlDecode": ValueFunction(compute=encodings.url_decode, output="_urldecode"),
    "urlEncode": ValueFunction(compute=encodings.url_encode, output="_urlencode"),
    "parseHexString": ValueFunction(compute=encodings.parse_hex_string, output="_parsehexstring"),
    "shannonEntropy": ValueFunction(compute=encodings.shannon_entropy, output="_shannonentropy"),
    "array:length": ValueFunction(compute=_array_length, output="_length"),
    **{
        f"time:{part}": ValueFunction(compute=_time(part), output=f"_{part}")
        for part in _TIME_PARTS
    },
    **{
        f"math:{name}": ValueFunction(compute=compute, output=f"_{name}")
        for name, compute in MATH.items()
    },
}
