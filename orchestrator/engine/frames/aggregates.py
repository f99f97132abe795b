"""Aggregate functions that give one row: each becomes named Polars aggregations.

They read a symbolic row; a condition before them (`{filter | agg()}`) blanks the fields where it
does not hold, which every one of them skips. Absent and non-numeric values are skipped; where none
is left the output is absent. Distinct counts and percentiles are exact here, estimates in LogScale.
Source: library.humio.com, data-analysis/functions-aggregate.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from orchestrator.cql.catalogue import find
from orchestrator.cql.nodes import Call, Subquery, Word
from orchestrator.engine.arguments import Args, semantic, unsupported
from orchestrator.engine.events import TIMESTAMP
from orchestrator.engine.patterns.globs import format_number, parse_number
from orchestrator.engine.rows import Rows
from orchestrator.engine.values import Kind, column, number_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One column of the result; `kind` says what the aggregation gives."""

    name: str
    expr: pl.Expr
    kind: Kind = Kind.TEXT
    is_sum: bool = False
    """0 in a chart's empty bucket."""
    field: str = ""
    """The field whose values it repeats, for collect() and selectLast()."""

    limit: int = 0
    """Most values that collect() joins unasked; 0 where there is no such limit."""
    separator: str = ""

    @property
    def is_count(self) -> bool:
        """Whether it is 0, not absent, where there was nothing."""
        return self.kind is Kind.COUNT


def cut_values(frame: pl.DataFrame, outputs: Sequence[Output]) -> list[str]:
    """Return what to say of collected values that have reached their limit."""
    said = []
    for output in outputs:
        if output.limit and output.separator:
            joints = frame.get_column(output.name).str.count_matches(output.separator, literal=True)
            if (joints + 1 >= output.limit).any():
                said.append(
                    f"collect() kept {output.limit} values of {output.field}; there may be more"
                )
    return said


def printed(frame: pl.DataFrame, outputs: Sequence[Output]) -> pl.DataFrame:
    """Return the aggregated frame with every output as text: once a row of the result."""
    texts = []
    for output in outputs:
        cell = column(output.name)
        match output.kind:
            case Kind.COUNT:
                texts.append(cell.cast(pl.Int64).cast(pl.String))
            case Kind.NUMBER:
                texts.append(number_text(cell.cast(pl.Float64)).alias(output.name))
            case _:
                pass
    return frame.with_columns(texts)


AggregateFunction = Callable[[Args, Rows], list[Output]]


def _masked(rows: Rows, expr: pl.Expr) -> pl.Expr:
    condition = rows.condition()
    return expr if condition is None else pl.when(condition).then(expr)


def _text(rows: Rows, name: str) -> pl.Expr:
    return rows.hoist(_masked(rows, rows.field(name).text()))


def _number(rows: Rows, name: str) -> pl.Expr:
    return rows.hoist(_masked(rows, rows.number(name)))


def _count(args: Args, rows: Rows) -> list[Output]:
    name = args.output("_count")
    if not args.has("field"):
        condition = rows.condition()
        counted = pl.len() if condition is None else rows.hoist(condition).sum()
    elif args.flag("distinct"):
        counted = _text(rows, args.text("field")).drop_nulls().n_unique()
    else:
        counted = _text(rows, args.text("field")).count()
    return [Output(name=name, expr=counted, kind=Kind.COUNT, is_sum=True)]


def _statistic(default: str, compute: Callable[[pl.Expr], pl.Expr]) -> AggregateFunction:
    def aggregate(args: Args, rows: Rows) -> list[Output]:
        if args.has("type") and args.text("type") not in ("number", "numeric"):
            raise unsupported(args.call, f"{args.function.name}(type=)", "numbers alone")
        number = _number(rows, args.text("field"))
        # Polars gives 0 for the sum of nothing, null for the rest.
        found = compute(number)
        if default == "_sum":
            found = pl.when(number.count() > 0).then(found)
        name, is_sum = args.output(default), default == "_sum"
        return [Output(name=name, expr=found, kind=Kind.NUMBER, is_sum=is_sum)]

    return aggregate


def _percentile(args: Args, rows: Rows) -> list[Output]:
    number = _number(rows, args.text("field"))
    prefix = args.output("")
    outputs = []
    for text in args.texts("percentiles") or ["50", "75", "99"]:
        share = parse_number(text)
        if share is None or not 0 <= share <= 100:
            raise semantic(args.call, f"percentiles= takes numbers from 0 to 100, not {text!r}")
        found = number.quantile(share / 100, interpolation="nearest")
        name = f"{prefix}_{format_number(share).replace('.', '_')}"
        outputs.append(Output(name=name, expr=found, kind=Kind.NUMBER))
    return outputs


def _collect(args: Args, rows: Rows) -> list[Output]:
    limit = args.integer("limit", default=2000, maximum=1_000_000)
    separator = args.text("separator", "\n")
    outputs = []
    for name in args.texts("fields"):
        text = _text(rows, name)
        joined = text.drop_nulls().unique(maintain_order=True).head(limit).str.join(separator)
        found = pl.when(text.count() > 0).then(joined)
        unasked = 0 if args.has("limit") else limit
        outputs.append(
            Output(name=name, expr=found, field=name, limit=unasked, separator=separator)
        )
    return outputs


def _in_time(rows: Rows, expr: pl.Expr) -> pl.Expr:
    """Return the values in the order of their events' time."""
    if rows.has_times or not rows.has(TIMESTAMP):
        return expr
    return expr.sort_by(rows.hoist(rows.number(TIMESTAMP)), nulls_last=False, maintain_order=True)


def _select_last(args: Args, rows: Rows) -> list[Output]:
    outputs = []
    for name in args.texts("fields"):
        text = _in_time(rows, _text(rows, name))
        outputs.append(Output(name=name, expr=text.drop_nulls().last(), field=name))
    return outputs


def _select_from(*, largest: bool) -> AggregateFunction:
    def aggregate(args: Args, rows: Rows) -> list[Output]:
        number = _number(rows, args.text("field"))
        best = number.max() if largest else number.min()
        return [
            Output(name=n, expr=rows.hoist(rows.field(n).text()).filter(number == best).first())
            for n in args.texts("include")
        ]

    return aggregate


def _percentage(args: Args, rows: Rows) -> list[Output]:
    node = args.node("condition")
    if isinstance(node, Subquery):
        inner = rows.child()
        inner.apply(node.pipeline.steps)
        condition = inner.condition()
        truth = pl.lit(value=True) if condition is None else condition
    else:
        truth = args.value("condition").truth().fill_null(value=False)
    share = rows.hoist(_masked(rows, truth)).mean() * 100
    return [Output(name=args.output("_percentage"), expr=share, kind=Kind.NUMBER)]


_CALLABLE = {
    "avg": pl.Expr.mean,
    "max": pl.Expr.max,
    "min": pl.Expr.min,
    "sum": pl.Expr.sum,
    "range": lambda number: number.max() - number.min(),
}


def _call_function(args: Args, rows: Rows) -> list[Output]:
    """The aggregate whose name is a text, so that a parameter can choose it."""
    name = args.choice("function", ("count", *_CALLABLE), default="")
    if name == "count":
        return [replace(output, name=args.output("_function")) for output in _count(args, rows)]
    return _statistic("_function", _CALLABLE[name])(args, rows)


def _counter_as_rate(args: Args, rows: Rows) -> list[Output]:
    """Change a second between the first and last event; absent where the counter fell."""
    number, time = _number(rows, args.text("field")), rows.hoist(rows.number(TIMESTAMP))
    known = number.is_not_null() & time.is_not_null()
    values, times = number.filter(known).sort_by(time.filter(known)), time.filter(known).sort()
    seconds = (times.last() - times.first()) / 1000
    rate = (values.last() - values.first()) / seconds
    found = pl.when((seconds > 0) & (values.diff().min() >= 0)).then(rate)
    return [Output(name=args.output("_rate"), expr=found, kind=Kind.NUMBER)]


def _linear_regression(args: Args, rows: Rows) -> list[Output]:
    """Least squares; `r2` is adjusted for the number of points, as documented."""
    first, second = _number(rows, args.text("x")), _number(rows, args.text("y"))
    known = first.is_not_null() & second.is_not_null()
    x, y = first.filter(known), second.filter(known)
    count = x.len().cast(pl.Float64)
    from_x, from_y = x - x.mean(), y - y.mean()
    squares_x, squares_y = (from_x**2).sum(), (from_y**2).sum()
    slope = (from_x * from_y).sum() / squares_x
    share = slope**2 * squares_x / squares_y
    adjusted = pl.when(count > 2).then(1 - (1 - share) * (count - 1) / (count - 2))
    results = {"slope": slope, "intercept": y.mean() - slope * x.mean(), "r2": adjusted, "n": count}
    prefix, possible = args.text("prefix", "_"), (squares_x > 0) & (squares_y > 0)
    return [
        Output(name=prefix + name, expr=pl.when(possible).then(found), kind=Kind.NUMBER)
        for name, found in results.items()
    ]


def is_one_row(call: Call) -> bool:
    """Return whether the call is an aggregate that gives one row of named columns."""
    function = find(call.name)
    if function is None or function.name not in AGGREGATES:
        return False
    return not any(
        argument.name == "multival"
        and isinstance(argument.value, Word)
        and argument.value.text.lower() == "false"
        for argument in call.arguments
    )


AGGREGATES: Mapping[str, AggregateFunction] = {
    "count": _count,
    "sum": _statistic("_sum", lambda x: x.sum()),
    "avg": _statistic("_avg", lambda x: x.mean()),
    "min": _statistic("_min", lambda x: x.min()),
    "max": _statistic("_max", lambda x: x.max()),
    "range": _statistic("_range", lambda x: x.max() - x.min()),
    "stdDev": _statistic("_stddev", lambda x: x.std(ddof=0)),
    "percentile": _percentile,
    "collect": _collect,
    "selectLast": _select_last,
    "selectFromMax": _select_from(largest=True),
    "selectFromMin": _select_from(largest=False),
    "percentage": _percentage,
    "callFunction": _call_function,
    "counterAsRate": _counter_as_rate,
    "linReg": _linear_regression,
}
