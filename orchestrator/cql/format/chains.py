"""Chains of binary operators of one level: `a + b - c` is three operands, not two."""

from __future__ import annotations

from orchestrator.cql.nodes import Binary, BinaryOperator, Expression

_LEVELS = {
    BinaryOperator.ADD: 2,
    BinaryOperator.SUBTRACT: 2,
    BinaryOperator.MULTIPLY: 3,
    BinaryOperator.DIVIDE: 3,
    BinaryOperator.MODULO: 3,
}
COMPARISON_LEVEL = 1
UNARY_LEVEL = 4
"""Binds tighter than every binary operator."""


def level_of(operator: BinaryOperator) -> int:
    """Return how tightly an operator binds: 1 for comparisons to 3 for `*`."""
    return _LEVELS.get(operator, COMPARISON_LEVEL)


def operands_of(node: Binary) -> tuple[Expression, ...]:
    """Return the operands of the chain that `node` ends, left to right."""
    return tuple(operand for _, operand in chain_of(node))


def chain_of(node: Binary) -> list[tuple[str, Expression]]:
    """Return each operand with the operator before it, empty before the first.

    Comparisons make no chains: whether LogScale takes one unparenthesised is not documented.
    """
    level = level_of(node.operator)
    found: list[tuple[str, Expression]] = [(node.operator.value, node.right)]
    left = node.left
    while (
        isinstance(left, Binary) and level_of(left.operator) == level and level != COMPARISON_LEVEL
    ):
        found.append((left.operator.value, left.right))
        left = left.left
    found.append(("", left))
    return found[::-1]
