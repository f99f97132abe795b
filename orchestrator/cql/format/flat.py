"""Constructs on one line, where their comments and their length allow it."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.cql.format.chains import COMPARISON_LEVEL, UNARY_LEVEL, chain_of, level_of
from orchestrator.cql.format.comments import Notes, fits_in_line
from orchestrator.cql.format.leaves import Leaves
from orchestrator.cql.nodes import (
    And,
    Argument,
    Arm,
    Array,
    Assignment,
    Binary,
    Call,
    Case,
    Comparison,
    Expression,
    FieldOperator,
    Filter,
    Match,
    Node,
    Not,
    Or,
    Pipeline,
    SavedArgument,
    SavedQuery,
    StatsShorthand,
    Subquery,
    Unary,
)
from orchestrator.cql.width import width

WIDTH = 100
"""Columns of a line, if its parts can be broken; a comment behind code does not count."""


class Flat:
    """One-line forms, each found once; None where there is none within `WIDTH`."""

    def __init__(self, leaves: Leaves, notes: Notes) -> None:
        self._leaves, self._notes = leaves, notes
        self._known: dict[int, str | None] = {}

    def of(self, node: Node) -> str | None:
        """Return a node without the comments beside it."""
        key = id(node)
        if key not in self._known:
            text = None if self._notes.has_bracket_notes(node) else self._text(node)
            self._known[key] = None if text is None or width(text) > WIDTH else text
        return self._known[key]

    def item(self, item: Node) -> str | None:
        """Return an item with the comments beside it."""
        return self._noted(item, self.of(item))

    def operand(self, node: Filter) -> str | None:
        """Return an operand of `and`, `or` or `not`: in parentheses where it joins others."""
        text = self.of(node)
        # `or` inside `and` needs none by the grammar, and gets them: few know it binds tighter.
        return f"({text})" if isinstance(node, And | Or) and text is not None else text

    def level(self, node: Expression, level: int) -> str | None:
        """Return an expression, in parentheses if it binds less tightly than `level`."""
        text = self.of(node)
        return f"({text})" if is_looser(node, level) and text is not None else text

    def atom(self, node: Node) -> str:
        """Return a node that cannot be broken, however long."""
        match node:
            case Comparison():
                return self._leaves.comparison(node)
            case SavedArgument():
                return self._leaves.saved_argument(node)
            case _:
                return self._leaves.atom(node)

    def _noted(self, item: Node, text: str | None) -> str | None:
        after = self._notes.after[id(item)]
        if text is None or self._notes.before[id(item)] or not all(map(fits_in_line, after)):
            return None
        return self._notes.inline_text(item) + " ".join((text, *(one.text for one in after)))

    def _text(self, node: Node) -> str | None:
        match node:
            case Pipeline(steps=steps):
                return _joined(map(self.item, steps), " | ") if steps else "|"
            case Assignment(field=field, value=value):
                return _around(f"{self._leaves.at(field.span)} := ", self.of(value))
            case Case(clauses=clauses):
                return None if clauses else "case {}"
            case Match(field=field, arms=arms):
                return None if arms else f"{self._leaves.at(field.span)} match {{}}"
            case Arm():
                return self._arm(node)
            case StatsShorthand(functions=functions):
                return self.of(functions)
            case And() | Or():
                operands = (self._noted(o, self.operand(o)) for o in node.operands)
                return _chained(joints(node), operands)
            case Not():
                return _around("!" if node.bang else "not ", self.operand(node.operand))
            case FieldOperator():
                return _around(self._leaves.field_operator(node), self.of(node.call))
            case Call() if not self._leaves.is_written(node):
                return self.atom(node)
            case Call(name=name):
                return _around(f"{name}(", _joined(map(self.item, node.arguments), ", "), ")")
            case Argument():
                return self._argument(node)
            case Array():
                return _around("[", _joined(map(self.item, node.elements), ", "), "]")
            case Binary():
                return self._chain(node)
            case Unary():
                return _around(node.operator.value, self.level(node.operand, UNARY_LEVEL))
            case Subquery():
                return self._subquery(node)
            case SavedQuery():
                arguments = _joined(map(self.item, node.arguments), ", ")
                return _around(f"{self._leaves.saved_name(node)}(", arguments, ")")
            case _:
                text = self.atom(node)
                return None if "\n" in text else text

    def _arm(self, arm: Arm) -> str | None:
        guard = self.of(arm.guard)
        body = self.of(arm.body) if arm.body.steps else ""
        return None if guard is None or body is None else f"{guard} => {body}".rstrip()

    def _argument(self, node: Argument) -> str | None:
        value = self.of(node.value)
        return None if value is None else self._leaves.argument_name(node, value) + value

    def _chain(self, node: Binary) -> str | None:
        chain = chain_of(node)
        operands = (
            self._noted(operand, self.level(operand, operand_level(node, operator)))
            for operator, operand in chain
        )
        return _chained([f"{operator} " if operator else "" for operator, _ in chain], operands)

    def _subquery(self, node: Subquery) -> str | None:
        steps = node.pipeline.steps
        inner = self.of(node.pipeline) if steps else ""
        if inner is None:
            return None
        text = self._leaves.label(node) + (f"{{ {inner} }}" if steps else "{}")
        for attribute in node.attributes:
            value = self.of(attribute.value)
            if value is None:
                return None
            text += f" {attribute.name}: {value}"
        return text


def joints(node: And | Or) -> list[str]:
    """Return what stands before each operand: `and `, `or ` or nothing."""
    if isinstance(node, Or):
        return ["", *("or " for _ in node.operands[1:])]
    return ["", *("and " if explicit else "" for explicit in node.explicit)]


def is_looser(node: Expression, level: int) -> bool:
    """Say whether an expression needs parentheses where `level` is expected."""
    return isinstance(node, Binary) and level_of(node.operator) < level


def operand_level(node: Binary, operator: str) -> int:
    """Return how tightly an operand must bind: more than the chain, but for the first one.

    The first of a comparison must too, see `chain_of`.
    """
    level = level_of(node.operator)
    return level + bool(operator or level == COMPARISON_LEVEL)


def _joined(parts: Iterable[str | None], separator: str) -> str | None:
    found: list[str] = []
    for part in parts:
        if part is None:
            return None
        found.append(part)
    return separator.join(found)


def _chained(marks: Iterable[str], parts: Iterable[str | None]) -> str | None:
    return _joined(
        (None if part is None else mark + part for mark, part in zip(marks, parts, strict=True)),
        " ",
    )


def _around(before: str, inner: str | None, after: str = "") -> str | None:
    return None if inner is None else f"{before}{inner}{after}"
