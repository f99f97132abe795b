"""Calls as the checks see them: with what the catalogue knows, and their arguments by parameter."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cql.catalogue import Function, FunctionKind, FunctionParameter, find
from orchestrator.cql.lint.base import Context
from orchestrator.cql.nodes import (
    Argument,
    Array,
    Assignment,
    Binary,
    Call,
    Duration,
    Expression,
    FieldOperator,
    Match,
    Number,
    Quoted,
    Unary,
    UnaryOperator,
    Word,
)

_AGGREGATES = (FunctionKind.AGGREGATE, FunctionKind.SEQUENCE)
# What `field =~ f()` and a guard of match give a call from outside its parentheses; and what an
# assignment or an expression around it does: the result has a place there without a name.
_SUBJECT = ("field", "array", "input", "string", "ip")
_RESULT = ("as", "asArray")


def calls(context: Context) -> Iterator[tuple[Call, Function]]:
    """Yield each call of a known function."""
    for node in context.nodes:
        if isinstance(node, Call):
            function = find(node.name)
            if function is not None:
                yield node, function


def unnamed(call: Call) -> list[Argument]:
    """Return the arguments without a name, in order."""
    return [item for item in call.arguments if item.name is None]


def parameter_of(item: Argument, function: Function) -> FunctionParameter | None:
    """Return the parameter that an argument is for, by its name or as the unnamed one."""
    name = function.unnamed if item.name is None else item.name
    return None if name is None else function.parameter(name)


def bound(call: Call, function: Function) -> Iterator[tuple[FunctionParameter, Expression]]:
    """Yield each argument with its parameter; only the first of several unnamed ones."""
    first = next(iter(unnamed(call)), None)
    for item in call.arguments:
        parameter = parameter_of(item, function)
        if parameter is not None and (item.name is not None or item is first):
            yield parameter, item.value


def elements(value: Expression) -> tuple[Expression | Assignment, ...]:
    """Return the elements of an array, or the value alone."""
    return value.elements if isinstance(value, Array) else (value,)


def literal(value: Expression | Assignment) -> str | None:
    """Return the text of a word, string, number or duration; None for anything else."""
    match value:
        case Word() | Number() | Duration():
            return value.text
        case Quoted():
            return value.value
        case Unary(operator=UnaryOperator.MINUS, operand=Number() as operand):
            return f"-{operand.text}"
        case _:
            return None


def is_aggregate_call(value: Expression | Assignment) -> bool | None:
    """Say whether the value calls an aggregate; None if the function is not known."""
    call = value.value if isinstance(value, Assignment) else value
    if not isinstance(call, Call):
        return False
    function = find(call.name)
    return None if function is None else function.kind in _AGGREGATES


def given_outside(context: Context) -> dict[int, tuple[str, ...]]:
    """Return, by the id of the call, the parameters that stand outside its parentheses."""
    found: dict[int, tuple[str, ...]] = {}
    for node in context.nodes:
        match node:
            case FieldOperator():
                found[id(node.call)] = _SUBJECT
            case Assignment(value=Call() as call) | Argument(value=Call() as call):
                found[id(call)] = _RESULT
            case Array(elements=items):
                found |= {id(item): _RESULT for item in items if isinstance(item, Call)}
            case Binary(left=left, right=right):
                found |= {id(side): _RESULT for side in (left, right) if isinstance(side, Call)}
            case Match():
                for arm in node.arms:
                    if isinstance(arm.guard, Call):
                        found[id(arm.guard)] = _SUBJECT
    return found
