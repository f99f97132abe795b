"""A query's tree to a result: checks it once, then runs it over events.

Everything is checked before anything is computed where it can be: `compile_query` runs the query
once over no events, so that what the engine cannot do is refused by name, with its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from orchestrator.cql.fields import fields_read
from orchestrator.cql.nodes import Bad, Parameter, Pipeline, Query, Step
from orchestrator.cql.parser import parse_or_raise
from orchestrator.cql.walk import walk
from orchestrator.engine.arguments import semantic
from orchestrator.engine.context import Context, Execution, Result, Source
from orchestrator.engine.events import Events
from orchestrator.engine.flow import Engine, Flow
from orchestrator.engine.frames.stages import source_flow
from orchestrator.engine.frames.tables import time_interval
from orchestrator.engine.pipeline import run_steps
from orchestrator.engine.steps.row_steps import apply_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A query that the engine can run; safe to share between threads."""

    query: Query
    fields_read: frozenset[str]

    def run(self, events: Events, *, context: Context) -> Result:
        """Run it over the events.

        Raises:
            CqlError: A parameter, table or file it needs is not there.
        """
        return execute(self.query, events, context=context)


def compile_query(query: Query | str) -> Compiled:
    """Return the query, known to be within the engine's reach.

    Tables, files, parameters and saved queries are known only at the run and not checked here.

    Raises:
        CqlSyntaxError: The text is not CQL.
        CqlSemanticError: It is CQL that LogScale refuses.
        CqlUnsupported: It is valid and beyond the engine.
    """
    tree = parse_or_raise(query) if isinstance(query, str) else query
    context = Context(start_ms=0, end_ms=86_400_000, now_ms=86_400_000)
    _run_query(tree, Execution(events=Events.from_rows(()), context=context, is_dry=True))
    return Compiled(query=tree, fields_read=fields_read(tree))


def execute(query: Query, events: Source, *, context: Context) -> Result:
    """Run a tree over the events of the context's window."""
    context = time_interval(query.pipeline, context)
    execution = Execution(events=events, context=context)
    flow = _run_query(query, execution)
    frame = flow.collect()
    names = [
        name for name in frame.columns
        if flow.is_closed or frame.get_column(name).null_count() < frame.height
    ]  # fmt: skip
    rows = [
        {name: cell for name, cell in row.items() if cell is not None}
        for row in frame.iter_rows(named=True)
    ]
    if not flow.columns:
        # Rows without any field are rows all the same; a frame without columns has no height.
        rows = [{} for _ in range(flow.height())]
    return Result(
        rows=rows,
        fields=tuple(names),
        is_aggregate=flow.is_aggregate,
        warnings=tuple(execution.warnings),
        events_scanned=execution.events_scanned,
    )


def _run_query(query: Query, execution: Execution) -> Flow:
    for node in walk(query):
        if isinstance(node, Bad):
            raise semantic(node, "the query has a part that is not CQL")
        if isinstance(node, Parameter) and node.default is not None:
            execution.defaults.setdefault(node.name, node.default)
    context = execution.context
    return _run(query.pipeline, execution, context.start_ms, context.end_ms)


def run_over(frame: pl.DataFrame, steps: Sequence[Step], execution: Execution) -> Flow:
    """Run steps over these events; queries inside their arguments read the execution's source."""

    def search(inner: Pipeline, start_ms: int, end_ms: int) -> Flow:
        return _run(inner, execution, start_ms, end_ms)

    engine = Engine(apply=apply_steps, run_steps=run_steps, search=search)
    return run_steps(steps, source_flow(frame, execution, engine))


def _run(pipeline: Pipeline, execution: Execution, start_ms: int, end_ms: int) -> Flow:
    use_ingest = execution.context.use_ingest_time
    frame = execution.events.read(pipeline, start_ms, end_ms, use_ingest_time=use_ingest)
    execution.events_scanned += frame.height
    return run_over(frame, pipeline.steps, execution)
