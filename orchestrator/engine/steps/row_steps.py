"""Steps that work row by row: filters, assignments, case, match, and functions on fields.

Each changes a symbolic row; none touches the frame, so they may stand inside a case clause too.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from orchestrator.cql.catalogue import FunctionKind, find
from orchestrator.cql.nodes import (
    And,
    Arm,
    Assignment,
    Boolean,
    Call,
    Case,
    Comparison,
    ComparisonOperator,
    FieldOperator,
    FreeText,
    Match,
    Node,
    Parameter,
    Quoted,
    Regex,
    SavedQuery,
    StatsShorthand,
    Step,
    Word,
)
from orchestrator.cql.walk import walk
from orchestrator.engine.arguments import semantic, unsupported, with_field
from orchestrator.engine.context import Execution
from orchestrator.engine.functions.filters import FILTERS
from orchestrator.engine.functions.values import VALUES
from orchestrator.engine.rows import Rows
from orchestrator.engine.steps.expressions import (
    bind,
    filter_of,
    is_cheap,
    pattern_text,
    regex_of,
    value_of,
)
from orchestrator.engine.steps.transforms import TRANSFORMS, extract
from orchestrator.engine.values import (
    Value,
    equals_any,
    regex_found,
)


def apply_steps(steps: Sequence[Step], rows: Rows) -> None:
    """Apply steps in order; see `apply_step`."""
    for step in steps:
        apply_step(step, rows)


def apply_step(step: Step, rows: Rows) -> None:
    """Apply one step to the row.

    Raises:
        CqlSemanticError: LogScale refuses it here, such as an aggregate in a case clause.
        CqlUnsupported: The engine cannot do it row by row.
    """
    match step:
        case Assignment():
            _assign(step, rows)
        case Case(clauses=clauses):
            _branch([_clause(clause.steps, rows) for clause in clauses], rows)
        case Match():
            _branch([_arm(step, arm, rows) for arm in step.arms], rows)
        case Call():
            _call(step, rows)
        case FieldOperator(field=field, negated=False, call=call) if id(call) not in rows.decided:
            _call(with_field(call, field), rows)
        case SavedQuery():
            with rows.execution.saved_query(step) as query:
                apply_steps(query.pipeline.steps, rows)
        case StatsShorthand():
            raise semantic(step, "an aggregate cannot stand here")
        case And(operands=operands):
            for operand in operands:
                _filter(operand, rows)
        case _:
            _filter(step, rows)


def _filter(step: Step, rows: Rows) -> None:
    """Keep the rows that pass; a top-level regex sets its named groups."""
    if isinstance(step, Call) and _is_extraction(step):
        _call(step, rows)
        return
    if isinstance(step, Assignment | Case | Match | StatsShorthand):
        raise semantic(step, "this is not a filter")
    rows.keep(filter_of(step, rows), is_cheap=is_cheap(step))
    match step:
        case Comparison(operator=ComparisonOperator.EQUAL, value=Regex() as regex, field=field):
            extract(regex_of(regex), rows.masked(field.name), rows)
        case FreeText(pattern=Regex() as regex):
            translated = regex_of(regex)
            if translated.fields:
                raw = rows.field("@rawstring").text()
                extract(translated, raw, rows)
        case _:
            pass


def is_row_call(call: Call) -> bool:
    """Return whether the function works on one row at a time."""
    function = find(call.name)
    if function is None:
        return True
    given = {argument.name: argument.value for argument in call.arguments}
    match function.name:
        case "splitString":
            return "index" in given
        case "setField":
            return isinstance(given.get("target"), Quoted | Parameter)
        case "regex":
            repeat = given.get("repeat")
            return not (isinstance(repeat, Word) and repeat.text.lower() == "true")
        case name:
            return name in TRANSFORMS or name in VALUES or name in FILTERS


def works_by_row(step: Node, execution: Execution) -> bool:
    """Return whether every part of the step works on one row at a time."""
    for node in walk(step):
        match node:
            case Call() if not is_row_call(node):
                return False
            case Regex(flags=flags) if "g" in flags:
                return False
            case SavedQuery():
                with execution.saved_query(node) as query:
                    if not works_by_row(query.pipeline, execution):
                        return False
            case _:
                pass
    return True


_WHOLE_SEARCH = frozenset(("createEvents", "readFile", "defineTable", "setTimeInterval"))


def refuse_aggregates(steps: Sequence[Step]) -> None:
    """Check that no step is an aggregate.

    Raises:
        CqlSemanticError: One is.
    """
    kinds = (FunctionKind.AGGREGATE, FunctionKind.SEQUENCE)
    for step in steps:
        value = step.value if isinstance(step, Assignment) else step
        call = value.call if isinstance(value, FieldOperator) else value
        function = find(call.name) if isinstance(call, Call) else None
        if isinstance(step, StatsShorthand) or (function is not None and function.kind in kinds):
            raise semantic(step, "an aggregate cannot stand here")
        if function is not None and function.name in _WHOLE_SEARCH:
            raise semantic(step, f"{function.name}() cannot stand here")


def _is_extraction(call: Call) -> bool:
    return call.name.lower() == "regex"


def _assign(step: Assignment, rows: Rows) -> None:
    name, value = step.field.name, step.value
    if isinstance(value, Call):
        refuse_aggregates([step])
        function = find(value.name)
        if function is not None and function.name in TRANSFORMS and function.name not in VALUES:
            if function.parameter("as") is None:
                raise semantic(step, f"{function.name}() has no output to name")
            _call(with_field(value, step.field, parameter="as"), rows)
            return
    rows.set(name, value_of(value, rows))


# --- case and match -------------------------------------------------------------------------


def clause_children(step: Case | Match, rows: Rows) -> list[Rows]:
    """Return each clause applied to a copy of the row, in order."""
    if isinstance(step, Case):
        return [_clause(clause.steps, rows) for clause in step.clauses]
    return [_arm(step, arm, rows) for arm in step.arms]


def _clause(steps: Sequence[Step], rows: Rows) -> Rows:
    child = rows.child()
    apply_steps(steps, child)
    return child


def _arm(step: Match, arm: Arm, rows: Rows) -> Rows:
    child = rows.child()
    apply_guard(step, arm, child)
    apply_steps(arm.body.steps, child)
    return child


def apply_guard(step: Match, arm: Arm, rows: Rows) -> None:
    """Keep the rows that an arm's guard lets through; a regex sets its named groups."""
    name, guard = step.field.name, arm.guard
    match guard:
        case Boolean(value=value):
            rows.keep(pl.lit(value))
        case Word(text="*"):
            pass
        case Regex():
            regex = regex_of(guard)
            rows.keep(regex_found(rows.masked(name), regex))
            extract(regex, rows.masked(name), rows)
        case Call():
            rows.keep(filter_of(with_field(guard, step.field), rows), is_cheap=is_cheap(guard))
        case _:
            text = pattern_text(guard, rows)
            rows.keep(equals_any(rows.field(name), [text]), is_cheap=True)


def clause_index(children: Sequence[Rows]) -> tuple[pl.Expr, bool]:
    """Return the number of the first clause that lets the row through, null where none does.

    The flag says that some clause lets every row through, so that null cannot occur.
    """
    index: pl.Expr = pl.lit(None, dtype=pl.Int32)
    conditions = [child.condition() for child in children]
    exhaustive = any(condition is None for condition in conditions)
    for number in reversed(range(len(children))):
        condition = conditions[number]
        chosen = pl.lit(number, dtype=pl.Int32)
        index = chosen if condition is None else pl.when(condition).then(chosen).otherwise(index)
    return index, exhaustive


def merge_clauses(children: Sequence[Rows], index: pl.Expr, rows: Rows) -> None:
    """Give each field the value it has in the clause that was chosen."""
    names = dict.fromkeys(name for child in children for name in child.changed())
    for name in names:
        merged = rows.field(name).text()
        for number in reversed(range(len(children))):
            child = children[number]
            if name in child.changed():
                text = child.field(name).text()
                merged = pl.when(index == number).then(text).otherwise(merged)
        rows.replace(name, Value(expr=merged))


def _branch(children: Sequence[Rows], rows: Rows) -> None:
    index, exhaustive = clause_index(children)
    if not exhaustive:
        rows.keep(index.is_not_null())
    merge_clauses(children, index, rows)


# --- functions ------------------------------------------------------------------------------


def _call(call: Call, rows: Rows) -> None:
    args = bind(call, rows)
    name = args.function.name
    if name in TRANSFORMS:
        TRANSFORMS[name](args, rows)
    elif name in VALUES:
        function = VALUES[name]
        rows.set(function.target(args), function.compute(args, rows))
    elif args.function.kind is FunctionKind.FILTER:
        rows.keep(filter_of(call, rows), is_cheap=is_cheap(call))
    elif args.function.kind in (FunctionKind.AGGREGATE, FunctionKind.SEQUENCE):
        raise semantic(call, f"{name}() is an aggregate and cannot stand here")
    else:
        raise unsupported(call, f"{name}()", "the engine does not have it in this place")
