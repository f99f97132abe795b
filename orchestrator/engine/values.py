"""LogScale's values as Polars expressions: text always, a number or a truth where one is asked for.

A value knows what it was computed as, so that arithmetic on arithmetic does not print and parse in
between. Null in a column is an absent field; null in a value is LogScale's null.
Source: library.humio.com, data-analysis/syntax-expressions.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import polars as pl
import polars.selectors as cs

from orchestrator.engine.patterns.globs import (
    EXACT_INTEGERS,
    Glob,
    format_number,
    parse_glob,
    parse_number,
)
from orchestrator.engine.patterns.regexes import Dialects


class Kind(StrEnum):
    """What an expression's column holds."""

    TEXT = "text"
    NUMBER = "number"
    """Float64."""
    TRUTH = "truth"
    """Boolean."""
    COUNT = "count"
    """A whole number, of an aggregate alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value of one row; `constant` where it is the same in every row."""

    expr: pl.Expr
    kind: Kind = Kind.TEXT
    constant: str | None = None
    is_null: bool = False
    """Certainly null: the field cannot exist."""

    def text(self) -> pl.Expr:
        """Return it as LogScale prints it."""
        match self.kind:
            case Kind.TEXT:
                return self.expr
            case Kind.NUMBER | Kind.COUNT:
                return number_text(self.expr)
            case Kind.TRUTH:
                return (
                    pl.when(self.expr)
                    .then(pl.lit("true"))
                    .when(self.expr.is_not_null())
                    .then(pl.lit("false"))
                )

    def number(self) -> pl.Expr:
        """Return it as Float64, null where it is not a number."""
        if self.kind is Kind.NUMBER:
            return self.expr
        if self.kind is Kind.TRUTH or self.is_null:
            return pl.lit(None, dtype=pl.Float64)
        if self.constant is not None:
            return pl.lit(parse_number(self.constant), dtype=pl.Float64)
        return text_number(self.expr)

    def truth(self) -> pl.Expr:
        """Return it as a Boolean: true and false by name, numbers by being non-zero, else null."""
        if self.kind is Kind.TRUTH:
            return self.expr
        if self.kind is Kind.NUMBER:
            return self.expr != 0
        return (
            pl.when(self.expr == "true")
            .then(statement=True)
            .when(self.expr == "false")
            .then(statement=False)
            .otherwise(text_number(self.expr) != 0)
        )


NULL = Value(expr=pl.lit(None, dtype=pl.String), is_null=True)


def constant(text: str) -> Value:
    """Return a value that is `text` in every row."""
    return Value(expr=pl.lit(text), constant=text)


def constant_number(number: float) -> Value:
    """Return a value that is `number` in every row."""
    return Value(
        expr=pl.lit(number, dtype=pl.Float64), kind=Kind.NUMBER, constant=format_number(number)
    )


def text_number(text: pl.Expr) -> pl.Expr:
    """Return the finite number that a text spells, else null."""
    number = text.cast(pl.Float64, strict=False)
    # The cast reads `inf` and `nan`, which are words to LogScale.
    return pl.when(number.is_finite()).then(number)


def number_text(number: pl.Expr) -> pl.Expr:
    """Return a number's text: integral without a fraction, else the shortest round trip."""
    # Few mentions of the number: inside an aggregation each of them is computed again.
    text = number.cast(pl.String).str.strip_suffix(".0").replace("-0", "0")
    return pl.when(number.is_finite()).then(text)


def equals_any(value: Value, patterns: Iterable[str], *, ignore_case: bool = False) -> pl.Expr:
    """Return whether the value equals one of the patterns; false where it is absent."""
    text = value.text()
    if ignore_case:
        text = text.str.to_lowercase()
        patterns = [pattern.lower() for pattern in patterns]
    globs = [parse_glob(pattern) for pattern in patterns]
    exact = [glob.parts[0] for glob in globs if glob.is_exact]
    numbers = [glob.number for glob in globs if glob.number is not None]
    tests = [_glob_test(text, glob) for glob in globs if not glob.is_exact]
    if len(exact) == 1:
        tests.append(text == exact[0])
    elif exact:
        tests.append(text.is_in(exact))
    if numbers:
        number = value.number()
        tests.append(number.is_in([float(n) for n in numbers]) & (number.abs() < EXACT_INTEGERS))
    return any_of(tests)


def contains_pattern(text: pl.Expr, pattern: str, *, ignore_case: bool = False) -> pl.Expr:
    """Return whether the text contains the pattern anywhere; false where it is absent."""
    glob = parse_glob(pattern)
    if ignore_case:
        return text.str.contains("(?i)" + glob.rust(anchored=False)).fill_null(value=False)
    if glob.is_exact:
        return text.str.contains(glob.parts[0], literal=True).fill_null(value=False)
    return text.str.contains(glob.rust(anchored=False)).fill_null(value=False)


def any_of(tests: Iterable[pl.Expr]) -> pl.Expr:
    """Return whether one of the tests holds; nulls are false, and so is an empty list."""
    result: pl.Expr | None = None
    for test in tests:
        known = test.fill_null(value=False)
        result = known if result is None else result | known
    return pl.lit(value=False) if result is None else result


def column(name: str) -> pl.Expr:
    """Return the column of exactly this name: Polars reads `*` and `^...$` as patterns."""
    is_pattern = name == "*" or name.startswith("^")
    return cs.by_name(name).as_expr() if is_pattern else pl.col(name)


def each_distinct(text: pl.Expr, function: Callable[[str], str | None]) -> pl.Expr:
    """Return what Python computes from each distinct text; null stays null."""

    def apply(series: pl.Series) -> pl.Series:
        known: dict[str | None, str | None] = {None: None}
        found: list[str | None] = []
        for cell in series.to_list():
            if cell not in known:
                known[cell] = function(cell)
            found.append(known[cell])
        return pl.Series(series.name, found, dtype=pl.String)

    return text.map_batches(apply, return_dtype=pl.String)


def each_row(
    texts: Sequence[pl.Expr], function: Callable[[Sequence[str | None]], str | None]
) -> pl.Expr:
    """Return what Python computes from several texts of a row, any of them may be null."""
    names = [str(number) for number in range(len(texts))]

    def apply(series: pl.Series) -> pl.Series:
        found = [function([cell[name] for name in names]) for cell in series.to_list()]
        return pl.Series(series.name, found, dtype=pl.String)

    row = pl.struct(text.alias(name) for text, name in zip(texts, names, strict=True))
    return row.map_batches(apply, return_dtype=pl.String)


def regex_found(text: pl.Expr, regex: Dialects) -> pl.Expr:
    """Return whether the regex is found in the text; false where it is absent."""
    if not needs_python(regex):
        return text.str.contains(regex.rust).fill_null(value=False)
    pattern = regex.compiled()

    def search(series: pl.Series) -> pl.Series:
        found = [None if t is None else pattern.search(t) is not None for t in series.to_list()]
        return pl.Series(series.name, found, dtype=pl.Boolean)

    return text.map_batches(search, return_dtype=pl.Boolean).fill_null(value=False)


def regex_groups(text: pl.Expr, regex: Dialects) -> dict[str, pl.Expr]:
    """Return what each named group caught in the first match, null where it caught nothing."""
    caught: dict[str, list[pl.Expr]] = {}
    for index, field in enumerate(regex.fields):
        caught.setdefault(field, []).append(_group(text, regex, index))
    return {field: pl.coalesce(exprs) for field, exprs in caught.items()}


def needs_python(regex: Dialects) -> bool:
    """Return whether Polars cannot run the regex: look-ahead, or larger than its engine takes."""
    return regex.looks_ahead or not _compiles(regex.rust)


@lru_cache(maxsize=1024)
def _compiles(pattern: str) -> bool:
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError:
        return False
    return True


def _group(text: pl.Expr, regex: Dialects, index: int) -> pl.Expr:
    if not needs_python(regex):
        # Only named groups capture, so the group's number is its place.
        return text.str.extract(regex.rust, index + 1)
    pattern, name = regex.compiled(), f"g{index}"

    def extract(series: pl.Series) -> pl.Series:
        matches = [None if t is None else pattern.search(t) for t in series.to_list()]
        return pl.Series(series.name, [m and m.group(name) for m in matches], dtype=pl.String)

    return text.map_batches(extract, return_dtype=pl.String)


def _glob_test(text: pl.Expr, glob: Glob) -> pl.Expr:
    if glob.is_any:
        return text.is_not_null()
    match glob.parts:
        case (start, ""):
            return text.str.starts_with(start)
        case ("", end):
            return text.str.ends_with(end)
        case ("", middle, ""):
            return text.str.contains(middle, literal=True)
        case _:
            return text.str.contains(glob.rust())
