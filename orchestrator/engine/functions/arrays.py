"""Arrays: the fields `a[0]`, `a[1]`, ... up to the first that is absent, as `"a[]"` names them.

How long an array may be is known from the fields there are; how long it is in a row, only there.
What an array function writes is always without holes.
Source: library.humio.com, data-analysis/syntax-array.html and the functions' pages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from orchestrator.cql.nodes import Call, Expression, Subquery
from orchestrator.engine.arguments import Args, semantic
from orchestrator.engine.rows import Rows
from orchestrator.engine.values import Value, any_of


def array_columns(rows: Rows, array: str) -> list[str]:
    """Return the fields `a[0]`, `a[1]`, ... of the array `a[]` that may exist, without a hole."""
    base = array.removesuffix("[]")
    found: list[str] = []
    while rows.has(f"{base}[{len(found)}]"):
        found.append(f"{base}[{len(found)}]")
    return found


def elements(rows: Rows, array: str) -> list[pl.Expr]:
    """Return the array's elements; behind the first that is absent there are none."""
    texts: list[pl.Expr] = []
    for name in array_columns(rows, array):
        text = rows.field(name).text()
        texts.append(pl.when(texts[-1].is_not_null()).then(text) if texts else text)
    return texts


def write_array(rows: Rows, base: str, items: Sequence[pl.Expr], *, clear: bool = True) -> None:
    """Write the items that are not null as an array, moved together; longer old ones are cut."""
    old = array_columns(rows, base) if clear else []
    packed = pl.concat_list(items).list.drop_nulls() if items else None
    for place in range(max(len(items), len(old))):
        name = f"{base}[{place}]"
        if packed is None or place >= len(items):
            rows.drop(name)
        else:
            value = packed.list.get(place, null_on_oob=True)
            if not clear and rows.has(name):
                value = pl.coalesce(value, rows.field(name).text())
            rows.replace(name, Value(expr=value))


def _target(args: Args, default: str | None = None) -> str:
    """Return the output array's name without its brackets."""
    name = args.text("asArray") if args.has("asArray") else default or args.text("array")
    return name.removesuffix("[]")


def array_length(args: Args, rows: Rows) -> pl.Expr:
    """Return the number of elements."""
    length: pl.Expr = pl.lit(0.0)
    for text in elements(rows, args.text("array")):
        length = length + text.is_not_null().cast(pl.Float64)
    return length


def concat_array(args: Args, rows: Rows) -> pl.Expr | None:
    """Return the elements `from` to `to` joined; None where the array cannot exist."""
    texts = elements(rows, args.text("field"))
    first = args.integer("from", default=0)
    last = args.integer("to", default=len(texts) - 1)
    names = array_columns(rows, args.text("field"))
    chosen: list[pl.Expr] = []
    for name in names[first : last + 1]:
        text = rows.field(name).text()
        chosen.append(pl.when(chosen[-1].is_not_null()).then(text) if chosen else text)
    if not chosen:
        return None
    joined = pl.concat_str(chosen, separator=args.text("separator", ""), ignore_nulls=True)
    prefix, suffix = args.text("prefix", ""), args.text("suffix", "")
    found = pl.concat_str([pl.lit(prefix), joined, pl.lit(suffix)])
    return pl.when(chosen[0].is_not_null()).then(found)


def array_append(args: Args, rows: Rows) -> None:
    """Add values behind the last element; an expression without a value is skipped."""
    values = [value.text() for value in args.values("values") if not value.is_null]
    base = args.text("array").removesuffix("[]")
    write_array(rows, base, [*elements(rows, base), *values], clear=False)


def array_dedup(args: Args, rows: Rows) -> None:
    """Keep the first of equal elements."""
    kept: list[pl.Expr] = []
    texts = elements(rows, args.text("array"))
    for place, text in enumerate(texts):
        seen = any_of(text == earlier for earlier in texts[:place])
        kept.append(pl.when(~seen).then(text))
    write_array(rows, _target(args), kept)


def array_sort(args: Args, rows: Rows) -> None:
    """Order the elements: text without regard to case; under `number` text comes last."""
    texts = elements(rows, args.text("array"))
    order = args.choice("order", ("asc", "desc", "ascending", "descending"), default="asc")
    kind = args.choice("type", ("string", "number"), default="string")
    if not texts:
        return
    descending = order.startswith("desc")

    def arrange(series: pl.Series) -> pl.Series:
        lists = []
        for cells in series.to_list():
            known = [cell for cell in cells if cell is not None]
            folded = sorted(known, key=str.lower, reverse=descending)
            if kind == "number":
                numbers = [cell for cell in known if _number(cell) is not None]
                rest = [cell for cell in folded if _number(cell) is None]
                folded = sorted(numbers, key=lambda c: _number(c) or 0.0, reverse=descending) + rest
            lists.append(folded)
        return pl.Series(series.name, lists, dtype=pl.List(pl.String))

    ordered = pl.concat_list(texts).map_batches(arrange, return_dtype=pl.List(pl.String))
    items = [ordered.list.get(place, null_on_oob=True) for place in range(len(texts))]
    write_array(rows, _target(args), items, clear=False)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def array_drop(args: Args, rows: Rows) -> None:
    """Remove every element."""
    for name in array_columns(rows, args.text("array")):
        rows.drop(name)


def array_rename(args: Args, rows: Rows) -> None:
    """Give every element the name of another array."""
    base = _target(args)
    for number, name in enumerate(array_columns(rows, args.text("array"))):
        rows.replace(f"{base}[{number}]", Value(expr=rows.field(name).text()))
        rows.drop(name)


def array_contains(args: Args, rows: Rows) -> pl.Expr:
    """Return whether an element equals the value."""
    value = args.text("value")
    return any_of(text == value for text in elements(rows, args.text("array")))


# --- functions that run a pipeline for each element -----------------------------------------


def _variable(args: Args) -> str:
    return args.text("var") if args.has("var") else args.text("array").removesuffix("[]")


def _run(node: Expression, row: Rows) -> None:
    if isinstance(node, Subquery):
        row.apply(node.pipeline.steps)
    else:
        if not isinstance(node, Call):
            raise semantic(node, "a call or { a pipeline } must stand here")
        row.apply([node])


def array_filter(args: Args, rows: Rows) -> None:
    """Keep the elements that the pipeline lets through."""
    kept = []
    for text in elements(rows, args.text("array")):
        inner = rows.child()
        inner.replace(_variable(args), Value(expr=text))
        _run(args.node("function"), inner)
        condition = inner.condition()
        kept.append(text if condition is None else pl.when(condition).then(text))
    write_array(rows, _target(args), kept)


def array_eval(args: Args, rows: Rows) -> None:
    """Replace each element by what the pipeline writes to the output's name."""
    base, made = _target(args), []
    for text in elements(rows, args.text("array")):
        inner = rows.child()
        inner.drop(base)
        inner.replace(_variable(args), Value(expr=text))
        _run(args.node("function"), inner)
        made.append(_result(inner, base, text.is_not_null()))
    write_array(rows, base, made)


def _result(inner: Rows, name: str, exists: pl.Expr) -> pl.Expr:
    condition, value = inner.condition(), inner.field(name).text()
    kept = exists if condition is None else exists & condition
    return pl.when(kept).then(value)


def array_exists(args: Args, rows: Rows) -> pl.Expr:
    """Return whether the condition holds for an element."""
    tests = []
    for text in elements(rows, args.text("array")):
        inner = rows.child()
        inner.replace(_variable(args), Value(expr=text))
        _run(args.node("condition"), inner)
        condition = inner.condition()
        tests.append(text.is_not_null() if condition is None else text.is_not_null() & condition)
    return any_of(tests)


def _objects(args: Args, rows: Rows) -> list[tuple[Rows, pl.Expr]]:
    """Return, for each element of an array of objects, a row that sees it under the variable.

    The flag says whether the element exists. `a[i].x` is seen as `v.x`, `a[i][0]` as `v[0]`.
    """
    base, variable = args.text("array").removesuffix("[]"), _variable(args)
    member = re.compile(re.escape(base) + r"\[(\d+)\](.*)\Z", re.DOTALL)
    members: dict[int, dict[str, str]] = {}
    for name in rows.names():
        found = member.match(name)
        if found:
            members.setdefault(int(found[1]), {})[name] = variable + found[2]
    made = []
    for number in sorted(members):
        inner = rows.child()
        # What another element wrote under the variable must not be seen.
        for name in rows.names():
            if name == variable or name.startswith((f"{variable}.", f"{variable}[")):
                inner.drop(name)
        for old, new in members[number].items():
            inner.replace(new, Value(expr=rows.field(old).text()))
        exists = any_of(rows.field(old).text().is_not_null() for old in members[number])
        made.append((inner, exists))
    return made


def object_array_eval(args: Args, rows: Rows) -> None:
    """Write a flat array of what the pipeline gives for each element of an array of objects."""
    base = args.text("asArray").removesuffix("[]")
    if base == args.text("array").removesuffix("[]"):
        raise semantic(args.call, "asArray= must name another array than the input")
    made = []
    for inner, exists in _objects(args, rows):
        inner.drop(base)
        _run(args.node("function"), inner)
        made.append(_result(inner, base, exists))
    write_array(rows, base, made)


def object_array_exists(args: Args, rows: Rows) -> pl.Expr:
    """Return whether the condition holds for an element of an array of objects."""
    tests = []
    for inner, exists in _objects(args, rows):
        _run(args.node("condition"), inner)
        condition = inner.condition()
        tests.append(exists if condition is None else exists & condition)
    return any_of(tests)
