"""Where a pipeline stands: a lazy frame, the fields it has by now, and the kind of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from orchestrator.cql.nodes import Pipeline, Step
from orchestrator.engine.context import Execution
from orchestrator.engine.events import HIDDEN
from orchestrator.engine.rows import ApplySteps, Rows
from orchestrator.engine.values import column


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """How a stage runs the queries inside its arguments."""

    apply: ApplySteps
    """Applies steps to one symbolic row."""
    run_steps: Callable[[Sequence[Step], Flow], Flow]
    """Runs steps over the rows of a flow."""
    search: Callable[[Pipeline, int, int], Flow]
    """Runs a query of its own over the events of `[start_ms, end_ms)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The rows at one point of a pipeline.

    A field that was dropped may still be a column of the frame; `columns` says what exists. Inside
    a function list the rows of all groups run at once: `group` then names the hidden column with
    each row's group, and no stage mixes rows of two groups.
    """

    frame: pl.LazyFrame
    columns: tuple[str, ...]
    execution: Execution
    engine: Engine
    has_times: bool
    """Rows are events, sorted by time, with the hidden times."""
    is_aggregate: bool = False
    is_closed: bool = False
    """Only these fields exist, in this order, even where no row has them."""
    is_pristine: bool = True
    """No field has changed: free text may read the columns themselves."""
    searchable: tuple[str, ...] | None = None
    decided: Mapping[int, pl.Expr] = field(default_factory=dict)
    """Filters decided already (free text, lookups), by the id of their node."""
    group: str = ""
    groups: int = 0
    """How many groups there are, those without rows too."""

    def rows(self) -> Rows:
        """Return a symbolic row over the frame."""
        return Rows(
            self.columns,
            self.execution,
            apply=self.engine.apply,
            has_times=self.has_times,
            decided=self.decided,
            searchable=self.searchable if self.is_pristine else None,
        )

    def write(self, rows: Rows) -> Flow:
        """Return the flow behind what was done to the row."""
        frame, condition, written = self.frame, rows.condition(), rows.written()
        if condition is not None:
            frame = frame.filter(condition)
        if written:
            frame = frame.with_columns(written)
        return replace(
            self,
            frame=frame,
            columns=rows.names(),
            is_pristine=self.is_pristine and not rows.changed(),
        )

    def outer(self) -> list[str]:
        """Return the column of the outer group, if there is one."""
        return [self.group] if self.group else []

    def collect(self) -> pl.DataFrame:
        """Compute the rows; hidden columns are left out."""
        return self.frame.select(column(name) for name in self.columns).collect()

    def height(self) -> int:
        """Compute the number of rows."""
        return int(self.frame.select(pl.len()).collect().item())

    def behind_aggregate(self, frame: pl.DataFrame, columns: Iterable[str] | None = None) -> Flow:
        """Return a flow over an aggregate's result."""
        shown = tuple(frame.columns if columns is None else columns)
        return Flow(
            frame=frame.lazy(),
            columns=tuple(name for name in shown if not name.startswith(HIDDEN)),
            execution=self.execution,
            engine=self.engine,
            has_times=False,
            is_aggregate=True,
            is_closed=True,
            is_pristine=False,
            group=self.group,
            groups=self.groups,
        )

    def ordered(self, frame: pl.LazyFrame, *, has_times: bool) -> Flow:
        """Return a flow whose rows an aggregate only chose or ordered (sort, head, tail)."""
        return replace(
            self,
            frame=frame,
            has_times=has_times and self.has_times,
            is_aggregate=True,
            is_pristine=False,
            searchable=None,
            decided={},
        )

    def with_group(self, frame: pl.LazyFrame) -> Flow:
        """Return the flow over the rows of one group, which alone is all there is."""
        return replace(self, frame=frame, group="", groups=0)

    def with_frame(self, frame: pl.LazyFrame, *, columns: Sequence[str] | None = None) -> Flow:
        """Return the flow over another frame of the same kind of rows."""
        shown = self.columns if columns is None else tuple(columns)
        return replace(self, frame=frame, columns=shown, is_pristine=False)
