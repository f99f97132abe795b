"""One row, symbolically: what each field is by now, and under which condition the row lives.

A step that works row by row (filter, assignment, case clause, rename, ...) changes a `Rows`; the
frame below is touched once, when the rows are written back. A child is a case clause: what it
changes counts only if the whole clause lets the row through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import polars as pl

from orchestrator.cql.nodes import Step
from orchestrator.engine.context import Execution
from orchestrator.engine.events import TIME_MS, TIMESTAMP
from orchestrator.engine.values import NULL, Value, column

ApplySteps = Callable[[Sequence[Step], "Rows"], None]


class Rows:
    """Fields and condition of one symbolic row over a frame's columns."""

    def __init__(
        self,
        columns: Iterable[str],
        execution: Execution,
        *,
        apply: ApplySteps,
        has_times: bool,
        decided: Mapping[int, pl.Expr] | None = None,
        searchable: tuple[str, ...] | None = None,
    ) -> None:
        """Start over a frame.

        Args:
            columns: The fields there are, in order.
            execution: What the run knows.
            apply: Applies steps to a row, for functions that take a pipeline.
            has_times: The frame holds the hidden times.
            decided: Filters already decided (free text, lookups), by the id of their node.
            searchable: Fields free text looks at; None once there is no original event any more.
        """
        self.execution = execution
        self._apply = apply
        self.has_times = has_times
        self.decided = decided or {}
        self.searchable = searchable
        self._values: dict[str, Value | None] = dict.fromkeys(columns)
        self._changed: dict[str, None] = {}
        self._conditions: list[pl.Expr] = []
        self._hoisted: dict[str, pl.Expr] = {}
        self._masks: list[pl.Expr] = []

    def child(self) -> Rows:
        """Return a copy with no condition of its own, for a clause."""
        copy = Rows(
            (),
            self.execution,
            apply=self._apply,
            has_times=self.has_times,
            searchable=self.searchable,
        )
        copy.decided = self.decided
        copy._values = dict(self._values)
        copy._masks = list(self._masks)
        copy._hoisted = self._hoisted
        return copy

    def hoist(self, expr: pl.Expr) -> pl.Expr:
        """Return a column that holds the expression, computed once before rows are grouped."""
        if expr.meta.is_column():
            return expr
        for mark, known in self._hoisted.items():
            if known.meta.eq(expr):
                return pl.col(mark)
        mark = self.execution.mark("value")
        self._hoisted[mark] = expr
        return pl.col(mark)

    def hoisted(self) -> list[pl.Expr]:
        """Return the columns to compute before rows are grouped, those of children too."""
        return [expr.alias(mark) for mark, expr in self._hoisted.items()]

    def blank(self) -> Rows:
        """Return a row of no field, over no frame, for what an aggregate puts out."""
        return Rows((), self.execution, apply=self._apply, has_times=False)

    def apply(self, steps: Sequence[Step]) -> None:
        """Apply steps to the row."""
        self._apply(steps, self)

    # --- fields -----------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Return whether some row may have the field."""
        return name in self._values

    def names(self) -> tuple[str, ...]:
        """Return the fields that may exist, in order."""
        return tuple(self._values)

    def changed(self) -> tuple[str, ...]:
        """Return the fields set or removed since the start."""
        return tuple(self._changed)

    def field(self, name: str) -> Value:
        """Return the field's value; null where it is absent."""
        if name not in self._values:
            return NULL
        value = self._values[name]
        if value is not None:
            return value
        return Value(expr=column(name))

    def number(self, name: str) -> pl.Expr:
        """Return the field as a number; the event's own time without parsing."""
        time = self.own_time() if name == TIMESTAMP else None
        if time is not None:
            return time.cast(pl.Float64)
        return self.field(name).number()

    def own_time(self) -> pl.Expr | None:
        """Return the event's own time in whole milliseconds; None where it has been changed."""
        if self.has_times and self._values.get(TIMESTAMP, NULL) is None:
            return pl.col(TIME_MS)
        return None

    def masked(self, name: str) -> pl.Expr:
        """Return the field's text where the cheap conditions so far hold: regexes skip nulls."""
        text = self.field(name).text()
        if not self._masks:
            return text
        return pl.when(pl.all_horizontal(self._masks)).then(text)

    def set(self, name: str, value: Value) -> None:
        """Set the field; a row where the value is null keeps what it had."""
        if value.is_null:
            return
        if self.has(name) and value.constant is None:
            old = self.field(name)
            value = Value(expr=pl.coalesce(value.text(), old.text()))
        self.replace(name, value)

    def replace(self, name: str, value: Value) -> None:
        """Set the field, absent where the value is null."""
        self._values[name] = value
        self._changed[name] = None

    def drop(self, name: str) -> None:
        """Remove the field."""
        if self._values.pop(name, NULL) is not NULL:
            self._changed[name] = None

    def select(self, names: Iterable[str]) -> None:
        """Remove every field but these, in their order."""
        kept = {name: self._values[name] for name in dict.fromkeys(names) if self.has(name)}
        for name in self._values:
            if name not in kept:
                self._changed[name] = None
        self._values = kept

    # --- condition --------------------------------------------------------------------------

    def keep(self, condition: pl.Expr, *, is_cheap: bool = False) -> None:
        """Let only rows live for which the condition (never null) holds."""
        self._conditions.append(condition)
        if is_cheap:
            self._masks.append(condition)

    def condition(self) -> pl.Expr | None:
        """Return the condition since the start; None keeps every row."""
        if not self._conditions:
            return None
        result = self._conditions[0]
        for condition in self._conditions[1:]:
            result = result & condition
        return result

    def written(self) -> list[pl.Expr]:
        """Return the changed fields that exist as text columns."""
        return [
            self.field(name).text().alias(name) for name in self._changed if name in self._values
        ]
