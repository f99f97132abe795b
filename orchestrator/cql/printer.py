"""Tree to text: the canonical form, on one line, without comments.

Parentheses come from precedence alone. `parse(print_query(tree))` gives the same tree up to spans
and the spelling of escapes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import assert_never

from orchestrator.cql.nodes import (
    And,
    Argument,
    Arm,
    Array,
    Assignment,
    Bad,
    Binary,
    BinaryOperator,
    Boolean,
    Call,
    Case,
    Comparison,
    ComparisonOperator,
    Duration,
    Expression,
    FieldName,
    FieldOperator,
    Filter,
    FreeText,
    Match,
    Not,
    Number,
    Or,
    Parameter,
    Pattern,
    Pipeline,
    Query,
    Quoted,
    Regex,
    SavedArgument,
    SavedQuery,
    StatsShorthand,
    Step,
    Subquery,
    Unary,
    Word,
)
from orchestrator.cql.parser.characters import is_field_name, is_word, quote

_LEVELS = {
    BinaryOperator.ADD: 2,
    BinaryOperator.SUBTRACT: 2,
    BinaryOperator.MULTIPLY: 3,
    BinaryOperator.DIVIDE: 3,
    BinaryOperator.MODULO: 3,
}
_TIGHT = (ComparisonOperator.EQUAL, ComparisonOperator.NOT_EQUAL)


def print_query(query: Query) -> str:
    """Return the query as one line of canonical text."""
    return print_pipeline(query.pipeline)


def print_pipeline(pipeline: Pipeline) -> str:
    """Return steps joined by ` | `; empty for an empty pipeline."""
    return " | ".join(print_step(step) for step in pipeline.steps)


def print_step(step: Step) -> str:
    """Return one step."""
    match step:
        case Assignment():
            return _assignment(step)
        case Case():
            # A clause without steps takes everything; nothing at all would be no clause.
            clauses = " ; ".join(print_pipeline(clause) or "|" for clause in step.clauses)
            return f"case {{ {clauses} }}" if clauses else "case {}"
        case Match():
            arms = " ; ".join(_arm(arm) for arm in step.arms)
            return (
                f"{_field(step.field)} match {{ {arms} }}"
                if arms
                else (f"{_field(step.field)} match {{}}")
            )
        case StatsShorthand():
            return print_expression(step.functions)
        case _:
            return print_filter(step)


def print_filter(node: Filter) -> str:
    """Return a filter."""
    match node:
        case And():
            return _conjunction(node)
        case Or():
            return " or ".join(_operand(operand) for operand in node.operands)
        case Not():
            inner = _operand(node.operand)
            return f"!{inner}" if node.bang else f"not {inner}"
        case Comparison():
            value = _comparison_value(node.value)
            sign = node.operator.value if node.operator in _TIGHT else f" {node.operator.value} "
            return f"{_field(node.field)}{apart(sign, value)}"
        case FreeText():
            return _pattern(node.pattern)
        case FieldOperator():
            bang = "!" if node.negated else ""
            return f"{_field(node.field)} =~ {bang}{_call(node.call)}"
        case Call():
            return _call(node)
        case SavedQuery():
            return _saved(node)
        case Boolean():
            return "true" if node.value else "false"
        case Bad():
            return node.text
        case _:
            assert_never(node)


def print_expression(node: Expression, level: int = 1) -> str:
    """Return an expression, in parentheses if it binds less tightly than `level`."""
    match node:
        case Binary():
            own = _LEVELS.get(node.operator, 1)
            # A comparison of a comparison keeps its parentheses: no document shows one without.
            left = print_expression(node.left, max(own, 2))
            right = print_expression(node.right, own + 1)
            text = f"{left} {node.operator.value} {right}"
            return f"({text})" if own < level else text
        case Unary():
            return f"{node.operator.value}{print_expression(node.operand, 4)}"
        case Call():
            return _call(node)
        case Array():
            elements = (
                _assignment(item) if isinstance(item, Assignment) else print_expression(item)
                for item in node.elements
            )
            return f"[{', '.join(elements)}]"
        case Subquery():
            return _subquery(node)
        case SavedQuery():
            return _saved(node)
        case Quoted():
            return _quoted(node)
        case Parameter():
            return _parameter(node)
        case Word() | Number() | Duration() | Bad():
            return node.text
        case _:
            assert_never(node)


def _conjunction(node: And) -> str:
    parts = [_operand(node.operands[0])]
    joints = zip(pairwise(node.operands), node.explicit, strict=True)
    for (before, operand), explicit in joints:
        text = _operand(operand)
        if not explicit and _reads_as_infix(before, operand):
            text = f"({text})"
        parts += ("and", text) if explicit else (text,)
    return " ".join(parts)


def _reads_as_infix(before: Filter, operand: Filter) -> bool:
    """Say whether `word in(a)` would be read as another language's `in` between the two."""
    call = operand.operand if isinstance(operand, Not) and not operand.bang else operand
    if not isinstance(call, Call) or call.name.lower() != "in":
        return False
    is_word = isinstance(before, FreeText) and isinstance(before.pattern, Word)
    return is_word and all(item.name is None for item in call.arguments)


def apart(sign: str, value: str) -> str:
    """Join a sign and a value so that they do not read as another sign: `=~` and `!=~` are some."""
    return f" {sign} {value}" if sign.endswith("=") and value[:1] == "~" else f"{sign}{value}"


def _operand(node: Filter) -> str:
    # `or` inside `and` needs none by the grammar, and gets them: few readers know that it binds
    # tighter.
    needs = isinstance(node, And | Or)
    return f"({print_filter(node)})" if needs else print_filter(node)


def _comparison_value(value: Pattern | Number | FieldName) -> str:
    match value:
        case Number():
            return value.text
        case FieldName():
            return _field(value)
        case _:
            return _pattern(value)


def _pattern(pattern: Pattern) -> str:
    match pattern:
        case Word():
            return pattern.text
        case Quoted():
            return _quoted(pattern)
        case Regex():
            return f"/{pattern.body}/{pattern.flags}"
        case Parameter():
            return _parameter(pattern)
        case _:
            assert_never(pattern)


def _quoted(node: Quoted) -> str:
    return quote(node.value) if "\n" in node.raw else node.raw


def _field(field: FieldName) -> str:
    plain = not field.quoted and is_field_name(field.name)
    return field.name if plain else quote(field.name)


def _parameter(node: Parameter) -> str:
    name = _plain(node.name)
    if node.default is None:
        return f"?{name}"
    return f"?{{{name}={quote(node.default)}}}"


def _plain(name: str) -> str:
    """Return a name in whose place no brackets are read as an index."""
    return name if is_field_name(name) and is_word(name) else quote(name)


def _saved(node: SavedQuery) -> str:
    simple = all(char.isascii() and (char.isalnum() or char in "_-./:") for char in node.name)
    name = node.name if node.name and simple else quote(node.name)
    return f"${name}({', '.join(_saved_argument(item) for item in node.arguments)})"


def _saved_argument(node: SavedArgument) -> str:
    value = node.value
    shown = _parameter(value) if isinstance(value, Parameter) else quote(value)
    return f"{_plain(node.name)}={shown}"


def _assignment(node: Assignment) -> str:
    return f"{_field(node.field)} := {print_expression(node.value)}"


def _call(node: Call) -> str:
    return f"{node.name}({', '.join(_argument(item) for item in node.arguments)})"


def _argument(node: Argument) -> str:
    value = print_expression(node.value)
    if node.name is None:
        return value
    name = node.name if is_field_name(node.name) else quote(node.name)
    return f"{name}{apart('=', value)}"


def _arm(node: Arm) -> str:
    match node.guard:
        case Call():
            guard = _call(node.guard)
        case Boolean():
            guard = "true" if node.guard.value else "false"
        case _:
            guard = _pattern(node.guard)
    body = print_pipeline(node.body)
    return f"{guard} => {body}" if body else f"{guard} =>"


def _subquery(node: Subquery) -> str:
    inner = print_pipeline(node.pipeline)
    text = f"{{ {inner} }}" if inner else "{}"
    if node.label is not None:
        label = (
            node.label
            if node.label.isidentifier() and node.label.isascii()
            else (quote(node.label))
        )
        text = f"{label}: {text}"
    for attribute in node.attributes:
        text += f" {attribute.name}: {print_expression(attribute.value)}"
    return text
