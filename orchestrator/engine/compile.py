"""A query's tree to a running pipeline: the one place that says which step is done by which module.

Everything is checked before anything is computed where it can be: `compile_query` runs the query
once over no events, so that what the engine cannot do is refused by name, with its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from orchestrator.cql.catalogue import FunctionKind
from orchestrator.cql.fields import fields_read
from orchestrator.cql.nodes import (
    And,
    Argument,
    Assignment,
    Bad,
    Boolean,
    Call,
    Case,
    Comparison,
    FieldOperator,
    FreeText,
    Match,
    Node,
    Not,
    Or,
    Parameter,
    Pipeline,
    Query,
    Quoted,
    Regex,
    SavedQuery,
    StatsShorthand,
    Step,
)
from orchestrator.cql.parser import parse_or_raise
from orchestrator.cql.walk import walk
from orchestrator.engine.arguments import function_of, semantic, unsupported, with_field
from orchestrator.engine.context import Context, Execution, Result, Source
from orchestrator.engine.events import Events
from orchestrator.engine.expressions import bind, free_text
from orchestrator.engine.flow import Flow
from orchestrator.engine.globs import parse_glob
from orchestrator.engine.grouping import is_aggregate_call, named_call, stats
from orchestrator.engine.row_steps import (
    apply_step,
    clause_children,
    clause_index,
    merge_clauses,
)
from orchestrator.engine.stages import STAGES, source_flow
from orchestrator.engine.tables import define_table, join_query, match_table, read_file

MAX_SAVED_DEPTH = 10
TABLE_STEPS = ("defineTable", "join", "match", "readFile")

_MANY_ROWS = (
    FunctionKind.AGGREGATE,
    FunctionKind.SEQUENCE,
    FunctionKind.SOURCE,
    FunctionKind.JOIN,
)


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
    needs_run = any(_needs_context(node) for node in walk(tree))
    if not needs_run:
        context = Context(start_ms=0, end_ms=86_400_000, now_ms=86_400_000)
        execute(tree, Events.from_rows(()), context=context)
    return Compiled(query=tree, fields_read=fields_read(tree))


def _needs_context(node: Node) -> bool:
    if isinstance(node, Parameter | SavedQuery):
        return True
    return isinstance(node, Call) and node.name.lower() in ("match", "readfile", "cidr")


def execute(query: Query, events: Source, *, context: Context) -> Result:
    """Run a tree over the events of the context's window."""
    execution = Execution(events=events, context=context)
    for node in walk(query):
        if isinstance(node, Bad):
            raise semantic(node, "the query has a part that is not CQL")
        if isinstance(node, Parameter) and node.default is not None:
            execution.defaults.setdefault(node.name, node.default)
    flow = _run(query.pipeline, execution, context.start_ms, context.end_ms)
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


def _run(pipeline: Pipeline, execution: Execution, start_ms: int, end_ms: int) -> Flow:
    use_ingest = execution.context.use_ingest_time
    frame = execution.events.read(pipeline, start_ms, end_ms, use_ingest_time=use_ingest)
    execution.events_scanned += frame.height
    return run_steps(pipeline.steps, source_flow(frame, execution))


def run_steps(steps: Sequence[Step], flow: Flow) -> Flow:
    """Run steps one after the other."""
    for number, step in enumerate(steps):
        if flow.is_pristine and not flow.free_text and not _only_filters(step):
            flow = _decide_free_text(steps[number:], flow)
        flow = _step(step, flow)
    return flow


def _only_filters(step: Step) -> bool:
    """Return whether the step changes no field, so that free text behind it sees the original."""
    match step:
        case And() | Or() | Not() | Comparison() | FreeText() | Boolean():
            return not any(isinstance(n, Regex) and "(?" in n.body for n in walk(step))
        case Call(name=name):
            return name.lower() == "definetable"
        case _:
            return False


def _decide_free_text(steps: Sequence[Step], flow: Flow) -> Flow:
    """Decide the free text of the steps now, while the fields are what they were."""
    rows, decided, columns = flow.rows(), {}, []
    for step in steps:
        if isinstance(step, Call) and step.name.lower() in ("definetable", "join"):
            continue
        for node in walk(step):
            if isinstance(node, FreeText) and not _is_any(node):
                mark = flow.execution.mark("text")
                columns.append(free_text(node, rows).alias(mark))
                decided[id(node)] = pl.col(mark)
    if not columns:
        return flow
    return replace(flow, frame=flow.frame.with_columns(columns), free_text=decided)


def _is_any(node: FreeText) -> bool:
    match node.pattern:
        case Regex():
            return False
        case Parameter():
            return True
        case Quoted(value=text):
            return parse_glob(text).is_any
        case word:
            return parse_glob(word.text).is_any


def _step(step: Step, flow: Flow) -> Flow:
    match step:
        case StatsShorthand(functions=functions):
            return stats(functions, flow)
        case SavedQuery():
            return _saved(step, flow)
        case Case() | Match():
            return _case(step, flow)
        case Assignment():
            call = named_call(step)
            if call is not None:
                return stats(call, flow)
            stage_call = _stage_with_name(step)
            if stage_call is not None:
                return _call(stage_call, flow, negated=False)
        case FieldOperator(field=field, negated=negated, call=call):
            whole = with_field(call, field)
            if _is_stage(whole):
                return _call(whole, flow, negated=negated)
            if is_aggregate_call(call):
                parameter = "fields" if call.name.lower() in ("collect", "selectlast") else "field"
                return stats(with_field(call, field, parameter=parameter), flow)
        case Not(operand=Call() as call) if _is_stage(call):
            return _call(call, flow, negated=True)
        case Call() if is_aggregate_call(step):
            return stats(step, flow)
        case Call() if _is_stage(step):
            return _call(step, flow, negated=False)
        case Call() if function_of(step).kind in _MANY_ROWS:
            raise unsupported(step, f"{function_of(step).name}()", "the engine has no such step")
        case _:
            pass
    rows = flow.rows()
    apply_step(step, rows)
    return flow.write(rows)


def _stage_with_name(step: Assignment) -> Call | None:
    """Return `f(..., as=x)` for `x := f(...)` where f works on the whole frame."""
    if not isinstance(step.value, Call) or not _is_stage(step.value):
        return None
    call, field = step.value, step.field
    name = Quoted(span=field.span, value=field.name, raw=f'"{field.name}"')
    extra = Argument(span=field.span, name="as", name_span=None, value=name)
    return Call(
        span=call.span,
        name=call.name,
        name_span=call.name_span,
        arguments=(*call.arguments, extra),
    )


def _is_stage(call: Call) -> bool:
    name = call.name.lower()
    if name == "splitstring":
        return not any(argument.name == "index" for argument in call.arguments)
    return any(name == known.lower() for known in (*STAGES, *TABLE_STEPS))


def _call(call: Call, flow: Flow, *, negated: bool) -> Flow:
    args = bind(call, flow.rows())
    name = args.function.name
    if negated and name not in ("match", "join"):
        raise unsupported(call, f"!{name}()", "it cannot be negated here")
    execution = flow.execution

    def run(pipeline: Pipeline, start_ms: int, end_ms: int) -> pl.DataFrame:
        return _run(pipeline, execution, start_ms, end_ms).collect()

    match name:
        case "defineTable":
            if flow.is_aggregate or not flow.is_pristine:
                raise semantic(call, "defineTable() must stand before the main query")
            define_table(args, run)
            return flow
        case "match":
            return match_table(args, flow, negated=negated)
        case "join":
            return join_query(args, flow, run, negated=negated)
        case "readFile":
            return read_file(args, flow)
        case _:
            return STAGES[name](args, flow)


def _saved(step: SavedQuery, flow: Flow) -> Flow:
    execution = flow.execution
    text = execution.context.saved.get(step.name)
    if text is None:
        raise semantic(step, f"there is no saved query {step.name!r}")
    if execution.depth >= MAX_SAVED_DEPTH:
        raise semantic(step, f"saved queries call each other more than {MAX_SAVED_DEPTH} deep")
    query = parse_or_raise(text)
    for node in walk(query):
        if isinstance(node, Parameter) and node.default is not None:
            execution.defaults.setdefault(node.name, node.default)
    with execution.bound({argument.name: argument.value for argument in step.arguments}):
        return run_steps(query.pipeline.steps, flow)


def _case(step: Case | Match, flow: Flow) -> Flow:
    """Choose each row's clause once, drop rows without one, then give the fields their values."""
    rows = flow.rows()
    children = clause_children(step, rows)
    index, exhaustive = clause_index(children)
    mark = flow.execution.mark("clause")
    frame = flow.frame.with_columns(index.alias(mark))
    if not exhaustive:
        frame = frame.filter(pl.col(mark).is_not_null())
    merge_clauses(children, pl.col(mark), rows)
    return replace(flow, frame=frame).write(rows)
