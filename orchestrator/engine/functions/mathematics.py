"""The `math:` functions: numbers out of fields; outside a function's domain there is no value.

One more of one operand is its line in `_OF_ONE`.
Source: library.humio.com, data-analysis/functions-math-abs.html and its siblings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import polars as pl

from orchestrator.engine.arguments import Args
from orchestrator.engine.patterns.globs import parse_number
from orchestrator.engine.rows import Rows
from orchestrator.engine.values import Kind, Value


def _math(function: Callable[[pl.Expr], pl.Expr]) -> Callable[[Args, Rows], Value]:
    def compute(args: Args, rows: Rows) -> Value:
        found = function(rows.number(args.text("field")))
        return Value(expr=pl.when(found.is_finite()).then(found), kind=Kind.NUMBER)

    return compute


def _operand(args: Args, rows: Rows, name: str) -> pl.Expr:
    """Return an argument that is a number or the name of a field."""
    text = args.text(name)
    number = parse_number(text)
    return rows.number(text) if number is None else pl.lit(number)


def _modulus(args: Args, rows: Rows) -> Value:
    """Floor modulus of whole numbers: both sides are rounded down first, as documented."""
    number, divisor = (
        rows.number(args.text("field")).floor(),
        _operand(args, rows, "divisor").floor(),
    )
    found = number - divisor * (number / divisor).floor()
    return Value(expr=pl.when(found.is_finite()).then(found), kind=Kind.NUMBER)


def _power(args: Args, rows: Rows) -> Value:
    found = rows.number(args.text("field")).pow(_operand(args, rows, "exponent"))
    return Value(expr=pl.when(found.is_finite()).then(found), kind=Kind.NUMBER)


def _expm1(series: pl.Series) -> pl.Series:
    """e**x - 1 without the loss that the subtraction would have near 0."""
    found = [None if x is None or x > 709 else math.expm1(x) for x in series.to_list()]
    return pl.Series(series.name, found, dtype=pl.Float64)


def _arctan2(args: Args, rows: Rows) -> Value:
    found = pl.arctan2(rows.number(args.text("y")), rows.number(args.text("x")))
    return Value(expr=found, kind=Kind.NUMBER)


_OF_ONE: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
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
    "sinh": lambda x: x.sinh(),
    "cosh": lambda x: x.cosh(),
    "tanh": lambda x: x.tanh(),
    "arcsin": lambda x: x.arcsin(),
    "arccos": lambda x: x.arccos(),
    "arctan": lambda x: x.arctan(),
    "expm1": lambda x: x.map_batches(_expm1, return_dtype=pl.Float64),
    "deg2rad": lambda x: x.radians(),
    "rad2deg": lambda x: x.degrees(),
}

MATH: Mapping[str, Callable[[Args, Rows], Value]] = {
    "mod": _modulus,
    "pow": _power,
    "arctan2": _arctan2,
    **{name: _math(function) for name, function in _OF_ONE.items()},
}
