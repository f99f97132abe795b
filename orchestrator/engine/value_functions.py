"""Functions that compute one value a row; usable inside expressions and as a step of their own.

Each row of `VALUES` says how to compute it and where a lone call writes: `as=`, else the default,
else back to its input field. One more is one function and its line.
Source: library.humio.com, data-analysis/functions.html, one page a function.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

import polars as pl

from orchestrator.engine.arguments import Args, semantic, unsupported
from orchestrator.engine.filter_functions import array_columns, regex_arguments
from orchestrator.engine.formats import duration_text, parse_format
from orchestrator.engine.regexes import translate
from orchestrator.engine.rows import Rows
from orchestrator.engine.times import format_times, time_part, zone_of
from orchestrator.engine.values import NULL, Kind, Value, constant_number, text_number
from orchestrator.errors import CqlSemanticError

Compute = Callable[[Args, Rows], Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueFunction:
    """One function; `output` names the field a lone call writes, empty for its input field."""

    compute: Compute
    output: str = ""

    def target(self, args: Args) -> str:
        """Return the field that a lone call writes."""
        if args.has("as"):
            return args.text("as")
        parameter = args.function.parameter("as")
        if parameter is not None and parameter.required:
            raise semantic(args.call, f"{args.function.name}() needs as=")
        return self.output or args.text("field")


def _text(args: Args, rows: Rows) -> pl.Expr:
    return rows.field(args.text("field")).text()


def _number(args: Args, rows: Rows) -> pl.Expr:
    return rows.number(args.text("field"))


def by_row(text: pl.Expr, function: Callable[[str], str | None]) -> Value:
    """Return a value that Python computes from each distinct text."""

    def apply(series: pl.Series) -> pl.Series:
        known: dict[str | None, str | None] = {None: None}
        found: list[str | None] = []
        for cell in series.to_list():
            if cell not in known:
                known[cell] = function(cell)
            found.append(known[cell])
        return pl.Series(series.name, found, dtype=pl.String)

    return Value(expr=text.map_batches(apply, return_dtype=pl.String))


def _lower(args: Args, rows: Rows) -> Value:
    return Value(expr=_text(args, rows).str.to_lowercase())


def _upper(args: Args, rows: Rows) -> Value:
    return Value(expr=_text(args, rows).str.to_uppercase())


def _length(args: Args, rows: Rows) -> Value:
    return Value(expr=_text(args, rows).str.len_chars().cast(pl.Float64), kind=Kind.NUMBER)


def _text_length(args: Args, rows: Rows) -> Value:
    text = args.value("string").text()
    return Value(expr=text.str.len_chars().cast(pl.Float64), kind=Kind.NUMBER)


def _trim(args: Args, rows: Rows) -> Value:
    text = _text(args, rows)
    match args.choice("mode", ("both", "start", "end"), default="both"):
        case "start":
            return Value(expr=text.str.strip_chars_start())
        case "end":
            return Value(expr=text.str.strip_chars_end())
        case _:
            return Value(expr=text.str.strip_chars())


def _substring(args: Args, rows: Rows) -> Value:
    begin = args.integer("begin", default=0)
    length = args.integer("end", default=0) - begin if args.has("end") else None
    return Value(expr=args.value("string").text().str.slice(begin, length))


def _concat(args: Args, rows: Rows) -> Value:
    values = [rows.field(name) for name in args.texts("field")]
    texts = [value.text() for value in values if not value.is_null]
    if not texts:
        return NULL
    return Value(expr=pl.concat_str(texts, ignore_nulls=True))


def _concat_array(args: Args, rows: Rows) -> Value:
    names = array_columns(rows, args.text("field"))
    first = args.integer("from", default=0)
    last = args.integer("to", default=len(names) - 1)
    chosen = [rows.field(name).text() for name in names[first : last + 1]]
    if not chosen:
        return NULL
    joined = pl.concat_str(chosen, separator=args.text("separator", ""), ignore_nulls=True)
    prefix, suffix = args.text("prefix", ""), args.text("suffix", "")
    found = pl.concat_str([pl.lit(prefix), joined, pl.lit(suffix)])
    return Value(expr=pl.when(pl.any_horizontal(c.is_not_null() for c in chosen)).then(found))


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


def _math(function: Callable[[pl.Expr], pl.Expr]) -> Compute:
    def compute(args: Args, rows: Rows) -> Value:
        found = function(_number(args, rows))
        return Value(expr=pl.when(found.is_finite()).then(found), kind=Kind.NUMBER)

    return compute


def _modulus(args: Args, rows: Rows) -> Value:
    number, divisor = _number(args, rows), float(args.text("divisor"))
    if divisor == 0:
        return NULL
    return Value(expr=number - divisor * (number / divisor).floor(), kind=Kind.NUMBER)


def _power(args: Args, rows: Rows) -> Value:
    found = _number(args, rows).pow(float(args.text("exponent")))
    return Value(expr=pl.when(found.is_finite()).then(found), kind=Kind.NUMBER)


def _instant(name: str) -> Compute:
    def compute(args: Args, rows: Rows) -> Value:
        context = rows.execution.context
        instants = {"now": context.now_ms, "start": context.start_ms, "end": context.end_ms}
        return constant_number(float(instants[name]))

    return compute


def _duration(args: Args, rows: Rows) -> Value:
    return constant_number(float(args.duration_ms("duration")))


def _replace(args: Args, rows: Rows) -> Value:
    body, flags = regex_arguments(args)
    with_ = args.text("with", "") if args.has("with") else args.text("replacement", "")
    if "$" in with_:
        raise unsupported(args.call, "replace() with $", "group references are not supported")
    try:
        regex = translate(body, flags)
    except CqlSemanticError as exc:
        raise semantic(args.call, exc.problem) from exc
    text = rows.field(args.text("field", "@rawstring")).text()
    if not regex.looks_ahead:
        return Value(expr=text.str.replace_all(regex.rust, with_.replace("$", "$$")))
    return by_row(text, lambda cell: regex.compiled().sub(lambda _: with_, cell))


def _format(args: Args, rows: Rows) -> Value:
    pieces = parse_format(args.text("format"), call=args.call)
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


def _parse_int(args: Args, rows: Rows) -> Value:
    if args.text("endian", "big") != "big":
        raise unsupported(args.call, "parseInt(endian=little)", "only big endian is supported")
    radix = args.integer("radix", default=16)

    def parse(cell: str) -> str | None:
        try:
            return str(int(cell, radix))
        except ValueError:
            return None

    return by_row(_text(args, rows), parse)


def _split_index(args: Args, rows: Rows) -> Value:
    if not args.has("index"):
        raise unsupported(args.call, "splitString() as a value", "index= says which part is meant")
    index = args.integer("index", default=0)
    pattern = translate(args.text("by")).compiled()

    def part(cell: str) -> str | None:
        parts = pattern.split(cell)
        return parts[index] if -len(parts) <= index < len(parts) else None

    return by_row(rows.field(args.text("field", "@rawstring")).text(), part)


def _get_field(args: Args, rows: Rows) -> Value:
    name = args.value("source").constant
    if name is None:
        raise unsupported(args.call, "getField()", "the name must be the same in every row")
    return rows.field(name)


def _hash(algorithm: str) -> Compute:
    def compute(args: Args, rows: Rows) -> Value:
        texts = [rows.field(name).text() for name in args.texts("field")]
        joined = pl.concat_str(texts, ignore_nulls=True) if len(texts) > 1 else texts[0]
        return by_row(joined, lambda cell: hashlib.new(algorithm, cell.encode()).hexdigest())

    return compute


def _base64_decode(args: Args, rows: Rows) -> Value:
    charset = args.text("charset", "UTF-8")

    def decode(cell: str) -> str | None:
        try:
            return base64.b64decode(cell + "=" * (-len(cell) % 4)).decode(charset, "replace")
        except (binascii.Error, ValueError, LookupError):
            return None

    return by_row(_text(args, rows), decode)


def _base64_encode(args: Args, rows: Rows) -> Value:
    return by_row(_text(args, rows), lambda cell: base64.b64encode(cell.encode()).decode())


def _url_decode(args: Args, rows: Rows) -> Value:
    return by_row(_text(args, rows), lambda cell: unquote(cell.replace("+", " ")))


def _url_encode(args: Args, rows: Rows) -> Value:
    return by_row(_text(args, rows), lambda cell: quote(cell, safe=""))


def _entropy(args: Args, rows: Rows) -> Value:
    def entropy(cell: str) -> str:
        shares = [cell.count(char) / len(cell) for char in set(cell)]
        return repr(-sum(share * math.log2(share) for share in shares) or 0.0)

    found = by_row(_text(args, rows), entropy)
    return Value(expr=text_number(found.expr), kind=Kind.NUMBER)


def _array_length(args: Args, rows: Rows) -> Value:
    length, present = pl.lit(0.0), pl.lit(value=True)
    for name in array_columns(rows, args.text("array")):
        present = present & rows.field(name).text().is_not_null()
        length = length + present.cast(pl.Float64)
    return Value(expr=length, kind=Kind.NUMBER)


_TIME_PARTS = (
    "dayOfMonth", "dayOfWeek", "dayOfWeekName", "dayOfYear", "hour", "millisecond", "minute",
    "month", "monthName", "second", "weekOfYear", "year",
)  # fmt: skip
_MATH: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
    "abs": lambda x: x.abs(),
    "ceil": lambda x: x.ceil(),
    "floor": lambda x: x.floor(),
    "sqrt": lambda x: x.sqrt(),
    "exp": lambda x: x.exp(),
    "log": lambda x: x.log(),
    "log2": lambda x: x.log(2),
    "log10": lambda x: x.log10(),
    "log1p": lambda x: x.log1p(),
    "sin": lambda x: x.sin(),
    "cos": lambda x: x.cos(),
    "tan": lambda x: x.tan(),
    "deg2rad": lambda x: x.radians(),
    "rad2deg": lambda x: x.degrees(),
}

VALUES: Mapping[str, ValueFunction] = {
    "lower": ValueFunction(compute=_lower, output="_lower"),
    "upper": ValueFunction(compute=_upper, output="_upper"),
    "length": ValueFunction(compute=_length, output="_length"),
    "text:length": ValueFunction(compute=_text_length, output="_length"),
    "text:trim": ValueFunction(compute=_trim, output="_trim"),
    "text:substring": ValueFunction(compute=_substring, output="_string"),
    "concat": ValueFunction(compute=_concat, output="_concat"),
    "concatArray": ValueFunction(compute=_concat_array, output="_concatArray"),
    "coalesce": ValueFunction(compute=_coalesce, output="_coalesce"),
    "if": ValueFunction(compute=_if, output="_if"),
    "round": ValueFunction(compute=_round),
    "math:mod": ValueFunction(compute=_modulus, output="_mod"),
    "math:pow": ValueFunction(compute=_power, output="_pow"),
    "now": ValueFunction(compute=_instant("now"), output="_now"),
    "start": ValueFunction(compute=_instant("start"), output="_start"),
    "end": ValueFunction(compute=_instant("end"), output="_end"),
    "duration": ValueFunction(compute=_duration, output="_duration"),
    "replace": ValueFunction(compute=_replace),
    "format": ValueFunction(compute=_format, output="_format"),
    "formatTime": ValueFunction(compute=_format_time, output="_formatTime"),
    "formatDuration": ValueFunction(compute=_format_duration),
    "parseInt": ValueFunction(compute=_parse_int),
    "splitString": ValueFunction(compute=_split_index, output="_splitstring"),
    "getField": ValueFunction(compute=_get_field, output="_getField"),
    "crypto:md5": ValueFunction(compute=_hash("md5"), output="_md5"),
    "crypto:sha1": ValueFunction(compute=_hash("sha1"), output="_sha1"),
    "crypto:sha256": ValueFunction(compute=_hash("sha256"), output="_sha256"),
    "base64Decode": ValueFunction(compute=_base64_decode, output="_base64Decode"),
    "base64Encode": ValueFunction(compute=_base64_encode, output="_base64Encode"),
    "urlDecode": ValueFunction(compute=_url_decode, output="_urldecode"),
    "urlEncode": ValueFunction(compute=_url_encode, output="_urlencode"),
    "shannonEntropy": ValueFunction(compute=_entropy, output="_shannonentropy"),
    "array:length": ValueFunction(compute=_array_length, output="_length"),
    **{
        f"time:{part}": ValueFunction(compute=_time(part), output=f"_{part}")
        for part in _TIME_PARTS
    },
    **{
        f"math:{name}": ValueFunction(compute=_math(function), output=f"_{name}")
        for name, function in _MATH.items()
    },
}
