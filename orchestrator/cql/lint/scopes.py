"""Which kinds of events a filter lets through, and which fields a step makes.

Both err towards None, "any": a check that builds on them then says nothing.
"""

from __future__ import annotations

from orchestrator.cql.catalogue import Function, FunctionKind, find
from orchestrator.cql.fields import argument, group_names, names
from orchestrator.cql.lint.calls import elements, literal
from orchestrator.cql.nodes import (
    And,
    Assignment,
    Call,
    Case,
    Comparison,
    ComparisonOperator,
    FieldOperator,
    Filter,
    FreeText,
    Match,
    Node,
    Not,
    Or,
    Pipeline,
    Quoted,
    Regex,
    SavedQuery,
    StatsShorthand,
    Step,
    Word,
)
from orchestrator.cql.schema import EVENT_TAG
from orchestrator.cql.walk import walk

Events = frozenset[str] | None
"""Names of kinds of events; None for any."""
Made = frozenset[str] | None
"""Names of fields; None where only the data know them."""

_TAKE_AWAY = ("drop", "select")
_NONE: frozenset[str] = frozenset()


def narrowed(scope: Events, more: Events) -> Events:
    """Return the events that pass both."""
    if scope is None or more is None:
        return more if scope is None else scope
    return scope & more


def named_events(step: Filter) -> Events:
    """Return the kinds of events that a filter names; None if it lets others through."""
    match step:
        case And():
            found: Events = None
            for operand in step.operands:
                found = narrowed(found, named_events(operand))
            return found
        case Or():
            parts = [named_events(operand) for operand in step.operands]
            known = [part for part in parts if part is not None]
            return frozenset().union(*known) if len(known) == len(parts) else None
        case Comparison(operator=ComparisonOperator.EQUAL) if step.field.name == EVENT_TAG:
            return _exact([step.value])
        case FieldOperator(negated=False) if step.field.name == EVENT_TAG:
            return _listed(step.call)
        case Call() if names(argument(step, "field")) == [EVENT_TAG]:
            return _listed(step)
        case _:
            return None


def passed(scope: Events, step: Step) -> Events:
    """Return the kinds of events of a scope that get past a step."""
    match step:
        case Case():
            return narrowed(scope, _by_clauses(step))
        case Assignment() | Match() | StatsShorthand():
            return scope
        case _:
            left = narrowed(scope, named_events(step))
            return None if left is None else left - _excluded(step)


def _by_clauses(step: Case) -> Events:
    """Return the events that some clause takes; None if one of them takes any."""
    every: frozenset[str] = frozenset()
    for clause in step.clauses:
        taken: Events = None
        for inner in clause.steps:
            taken = passed(taken, inner)
        if taken is None:
            return None
        every |= taken
    return every


def _excluded(step: Filter) -> frozenset[str]:
    match step:
        case And():
            return frozenset().union(*(_excluded(operand) for operand in step.operands))
        case Not(operand=Comparison(operator=ComparisonOperator.EQUAL) as inner):
            return named_events(inner) or _NONE
        case Comparison(operator=ComparisonOperator.NOT_EQUAL) if step.field.name == EVENT_TAG:
            return _exact([step.value]) or _NONE
        case _:
            return _NONE


def _listed(call: Call) -> Events:
    function = find(call.name)
    values = argument(call, "values")
    if function is None or function.name != "in" or values is None:
        return None
    return _exact(list(elements(values)))


def _exact(values: list[Node]) -> Events:
    found: set[str] = set()
    for value in values:
        text = value.text if isinstance(value, Word) else None
        text = value.value if isinstance(value, Quoted) else text
        if text is None or "*" in text:
            return None
        found.add(text)
    return frozenset(found)


def made_by(step: Step) -> Made:
    """Return the fields that a step may add to events; None if only the data know."""
    match step:
        case Assignment():
            return frozenset((step.field.name,)) | _groups(step)
        case Case():
            return _of_all(step.clauses)
        case Match():
            return _of_all(tuple(arm.body for arm in step.arms))
        case StatsShorthand() | SavedQuery():
            return None
        case Call():
            return _of_call(step)
        case And() | Or() | Not():
            operands = (step.operand,) if isinstance(step, Not) else step.operands
            return _of_all(tuple(Pipeline(span=o.span, steps=(o,)) for o in operands))
        case FieldOperator():
            return _of_call(step.call)
        case Comparison() | FreeText():
            return _groups(step)
        case _:
            return frozenset()


def _of_all(branches: tuple[Pipeline, ...]) -> Made:
    every: frozenset[str] = frozenset()
    for branch in branches:
        for step in branch.steps:
            made = made_by(step)
            if made is None:
                return None
            every |= made
    return every


def _groups(step: Step) -> frozenset[str]:
    found: set[str] = set()
    for node in walk(step):
        if isinstance(node, Regex):
            found |= group_names(node.body)
    return frozenset(found)


def _of_call(call: Call) -> Made:
    function = find(call.name)
    if function is None:
        return None
    if function.name == "eval":
        return frozenset(item.name for item in call.arguments if item.name)
    if function.name == "rename":
        return _renamed(call)
    if not function.outputs:
        nothing = function.kind is FunctionKind.FILTER or function.name in _TAKE_AWAY
        return frozenset() if nothing or function.name == "defineTable" else None
    found: set[str] = set()
    for template in function.outputs:
        made = _filled(template, call, function)
        if made is None:
            return None
        found |= made
    return frozenset(found)


def _filled(template: str, call: Call, function: Function) -> Made:
    """Return the names that a template of outputs stands for in this call."""
    start, end = template.find("{"), template.find("}")
    if start < 0:
        return frozenset((template,))
    name = template[start + 1 : end]
    if name == "regex":
        text = literal(argument(call, "regex") or call.arguments[0].value) if call.arguments else ""
        return frozenset(group_names(text or ""))
    parameter = function.parameter(name)
    given = argument(call, name)
    texts = names(given)
    if given is None and parameter is not None and parameter.default is not None:
        texts = _default(parameter.default, call)
    if not texts or "{" in template[end:]:
        return None
    before, after = template[:start], template[end + 1 :].removesuffix("[]")
    return frozenset(f"{before}{text}{after}" for text in texts if "*" not in text) or None


def _default(default: str, call: Call) -> list[str]:
    """Return the names that a default stands for; none where it only describes them."""
    if default in ("(field)", "(same)", "(array name)"):
        return names(argument(call, "field") or argument(call, "array"))
    return [] if default.startswith("(") else [default]


def _renamed(call: Call) -> Made:
    single = names(argument(call, "as"))
    if single:
        return frozenset(single)
    pairs = argument(call, "field")
    found: set[str] = set()
    for pair in elements(pairs) if pairs is not None else ():
        both = names(pair)
        if len(both) != 2:
            return None
        found.add(both[1])
    return frozenset(found)
