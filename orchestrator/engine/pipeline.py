"""Runs steps over a flow: the one place that says which step is done by which module.

A step that changes one row at a time goes to `row_steps`; one that needs the whole frame goes to a
stage. A case whose clauses need the frame is run clause by clause over the rows still left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from orchestrator.cql.nodes import (
    And,
    Argument,
    Assignment,
    Boolean,
    Call,
    Case,
    Comparison,
    ComparisonOperator,
    FieldOperator,
    FreeText,
    Match,
    Not,
    Or,
    Parameter,
    Quoted,
    Regex,
    SavedQuery,
    StatsShorthand,
    Step,
)
from orchestrator.cql.walk import walk
from orchestrator.engine.arguments import semantic, with_field
from orchestrator.engine.context import Execution
from orchestrator.engine.flow import Flow
from orchestrator.engine.frames.grouping import is_aggregate_call, named_call, stats
from orchestrator.engine.frames.stages import FILTER_STAGES, run_stage, stage_of
from orchestrator.engine.patterns.globs import parse_glob
from orchestrator.engine.steps.expressions import bind, free_text, regex_of
from orchestrator.engine.steps.repeats import repeated_regex
from orchestrator.engine.steps.row_steps import (
    apply_guard,
    apply_step,
    clause_children,
    clause_index,
    merge_clauses,
    refuse_aggregates,
    works_by_row,
)
from orchestrator.engine.values import column


def run_steps(steps: Sequence[Step], flow: Flow) -> Flow:
    """Run steps one after the other."""
    for number, step in enumerate(steps):
        if flow.is_pristine and not _only_filters(step):
            flow = _decide_free_text(steps[number:], flow)
        for part in _parts(step, flow.execution):
            flow = _step(part, flow)
    return flow


def _parts(step: Step, execution: Execution) -> Sequence[Step]:
    """Return the operands of an `and` that the rows alone cannot decide, else the step."""
    if isinstance(step, And) and not works_by_row(step, execution):
        return step.operands
    return (step,)


# --- free text and lookups as filters -------------------------------------------------------


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
    rows, decided, columns = flow.rows(), dict(flow.decided), []
    for node, arguments in _free_texts(steps, flow.execution):
        if id(node) not in decided:
            mark = flow.execution.mark("text")
            with flow.execution.bound(arguments):
                columns.append(free_text(node, rows).alias(mark))
            decided[id(node)] = pl.col(mark)
    if not columns:
        return flow
    return replace(flow, frame=flow.frame.with_columns(columns), decided=decided)


def _free_texts(
    steps: Sequence[Step], execution: Execution
) -> Iterator[tuple[FreeText, Mapping[str, str]]]:
    """Yield the free text that some step searches for, saved queries' too."""
    for step in steps:
        if isinstance(step, Call) and step.name.lower() in ("definetable", "join", "correlate"):
            continue
        for node in walk(step):
            if isinstance(node, FreeText) and not _is_any(node):
                yield node, execution.arguments
            elif isinstance(node, SavedQuery) and node.name in execution.context.saved:
                with execution.saved_query(node) as query:
                    yield from _free_texts(query.pipeline.steps, execution)


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


def _decide_lookups(step: Step, flow: Flow) -> Flow:
    """Decide lookups that stand inside `or` and `not`: which rows a stage of them would keep."""
    places: set[int] = set()
    for node in walk(step):
        call = with_field(node.call, node.field) if isinstance(node, FieldOperator) else node
        if not isinstance(call, Call) or stage_of(call) not in FILTER_STAGES:
            continue
        place = id(node.call if isinstance(node, FieldOperator) else node)
        if place in places:
            continue
        places.add(place)
        mark, hit = flow.execution.mark("row"), flow.execution.mark("hit")
        numbered = replace(flow, frame=flow.frame.with_row_index(mark).collect().lazy())
        kept = _call(call, numbered, negated=False).frame.select(pl.col(mark).unique()).collect()
        found = pl.col(mark).is_in(kept.get_column(mark).implode()).alias(hit)
        decided = {**flow.decided, place: pl.col(hit)}
        flow = replace(flow, frame=numbered.frame.with_columns(found), decided=decided)
    return flow


# --- steps ----------------------------------------------------------------------------------


def _step(step: Step, flow: Flow) -> Flow:
    match step:
        case StatsShorthand(functions=functions):
            return stats(functions, flow)
        case SavedQuery():
            with flow.execution.saved_query(step) as query:
                return run_steps(query.pipeline.steps, flow)
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
            if stage_of(call):
                return _call(with_field(call, field), flow, negated=negated)
            if is_aggregate_call(call):
                parameter = "fields" if call.name.lower() in ("collect", "selectlast") else "field"
                return stats(with_field(call, field, parameter=parameter), flow)
        case Not(operand=Call() as call) if stage_of(call):
            return _call(call, flow, negated=True)
        case Call() if stage_of(step):
            return _call(step, flow, negated=False)
        case Call() if is_aggregate_call(step):
            return stats(step, flow)
        case Comparison(operator=ComparisonOperator.EQUAL, value=Regex() as regex, field=field):
            if regex_of(regex).repeats:
                text = flow.rows().field(field.name).text()
                return repeated_regex(regex_of(regex), text, flow)
        case FreeText(pattern=Regex() as regex):
            if regex_of(regex).repeats:
                text = flow.rows().field("@rawstring").text()
                return repeated_regex(regex_of(regex), text, flow)
        case Or() | Not():
            flow = _decide_lookups(step, flow)
        case _:
            pass
    rows = flow.rows()
    apply_step(step, rows)
    return flow.write(rows)


def _stage_with_name(step: Assignment) -> Call | None:
    """Return `f(..., as=x)` for `x := f(...)` where f works on the whole frame."""
    call, field = step.value, step.field
    if not isinstance(call, Call) or not stage_of(call):
        return None
    name = Quoted(span=field.span, value=field.name, raw=f'"{field.name}"')
    extra = Argument(span=field.span, name="as", name_span=None, value=name)
    kept = tuple(argument for argument in call.arguments if argument.name != "as")
    return replace(call, arguments=(*kept, extra))


def _call(call: Call, flow: Flow, *, negated: bool) -> Flow:
    return run_stage(bind(call, flow.rows()), flow, negated=negated)


# --- case and match -------------------------------------------------------------------------


def _case(step: Case | Match, flow: Flow) -> Flow:
    if not works_by_row(step, flow.execution):
        return _case_by_clause(step, flow)
    rows = flow.rows()
    children = clause_children(step, rows)
    index, exhaustive = clause_index(children)
    # Choose each row's clause once, drop rows without one, then give the fields their values.
    mark = flow.execution.mark("clause")
    frame = flow.frame.with_columns(index.alias(mark))
    if not exhaustive:
        frame = frame.filter(pl.col(mark).is_not_null())
    merge_clauses(children, pl.col(mark), rows)
    return replace(flow, frame=frame).write(rows)


def _case_by_clause(step: Case | Match, flow: Flow) -> Flow:
    """Run each clause over the rows that no earlier one let through, and put them together."""
    bodies = step.clauses if isinstance(step, Case) else tuple(arm.body for arm in step.arms)
    for body in bodies:
        refuse_aggregates(body.steps)
    mark = flow.execution.mark("row")
    rest = flow.frame.with_row_index(mark).collect()
    frames: list[pl.DataFrame] = []
    columns = dict.fromkeys(flow.columns)
    for number, body in enumerate(bodies):
        inner = replace(flow, frame=rest.lazy())
        if isinstance(step, Match):
            rows = inner.rows()
            apply_guard(step, step.arms[number], rows)
            inner = inner.write(rows)
        inner = run_steps(body.steps, inner)
        if inner.is_aggregate and not flow.is_aggregate:
            raise semantic(step, "an aggregate cannot stand in a clause")
        hidden = [n for n in inner.frame.collect_schema().names() if n.startswith("\x00")]
        shown = [column(name) for name in inner.columns]
        passed = inner.frame.select(*hidden, *shown).collect()
        frames.append(passed)
        columns.update(dict.fromkeys(inner.columns))
        taken = passed.get_column(mark).unique()
        rest = rest.filter(~pl.col(mark).is_in(taken.implode()))
    whole = pl.concat(frames, how="diagonal").sort(mark, maintain_order=True)
    lacking = [name for name in columns if name not in whole.columns]
    whole = whole.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in lacking)
    return flow.with_frame(whole.lazy(), columns=tuple(columns))
