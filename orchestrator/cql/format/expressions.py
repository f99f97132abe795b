"""Expressions over several lines: chains of operators, calls, arrays and subqueries.

Each `…_lines` method returns the lines of one construct, relative to `column`, where its first
line and its closing bracket begin. `lead` is what already stands on the first line behind
`column`, `tail` what will follow on the last one; both in columns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from orchestrator.cql.format.chains import UNARY_LEVEL, chain_of
from orchestrator.cql.format.flat import WIDTH, is_looser, operand_level
from orchestrator.cql.format.lines import INDENT, Line, indented, prefixed, suffixed
from orchestrator.cql.format.placing import Placing
from orchestrator.cql.nodes import (
    Argument,
    Array,
    Assignment,
    Binary,
    Call,
    Duration,
    Expression,
    Node,
    Number,
    Parameter,
    Quoted,
    SavedArgument,
    SavedQuery,
    Step,
    Subquery,
    Unary,
    Word,
)
from orchestrator.cql.width import width

_SHORT = 40
"""Widest element of an array that shares its line with others, in columns."""
_ATOMS = (Word, Quoted, Number, Duration, Parameter)


class ExpressionLayout(Placing, ABC):
    """Lays out expressions; steps come from the area that knows them."""

    @abstractmethod
    def steps_lines(
        self, steps: Sequence[Step], *, column: int, tail: int, hang: int = 0
    ) -> list[Line]:
        """Return one step a line."""

    def assignment_lines(self, node: Assignment, column: int, lead: int, tail: int) -> list[Line]:
        """Return `field := expression`."""
        head = f"{self.leaves.at(node.field.span)} := "
        lines = self.expression_lines(node.value, column, lead + width(head), tail)
        return prefixed(lines, head)

    def expression_lines(self, node: Expression, column: int, lead: int, tail: int) -> list[Line]:
        """Return an expression without parentheses around it."""
        flat = self.flat.of(node)
        if flat is not None and column + lead + width(flat) + tail <= WIDTH:
            return [Line(flat)]
        match node:
            case Binary():
                return self._chain_lines(node, column, lead, tail)
            case Unary(operator=operator, operand=operand):
                sign = operator.value
                lines = self._level_lines(operand, UNARY_LEVEL, column, lead + 1, tail)
                return prefixed(lines, sign)
            case Call():
                return self.call_lines(node, column, lead, tail)
            case Array():
                return self._array_lines(node, column)
            case Subquery():
                return self._subquery_lines(node, column)
            case SavedQuery():
                return self.saved_lines(node, column)
            case _:
                return [Line(self.flat.atom(node))]

    def _chain_lines(self, node: Binary, column: int, lead: int, tail: int) -> list[Line]:
        """Return one operand a line, its operator in front, indented below the first."""
        first: list[Line] = []
        others: list[Line] = []
        chain = chain_of(node)
        for operator, operand in chain:
            mark, level = f"{operator} ".lstrip(), operand_level(node, operator)
            begin, used = (column + INDENT, 0) if operator else (column, lead)
            head = mark + self.notes.inline_text(operand)
            behind = tail if operand is chain[-1][1] else 0
            lines = self._level_lines(operand, level, begin, used + width(head), behind)
            self.place(others if operator else first, operand, prefixed(lines, head), spaced=False)
        return [*first, *indented(others)]

    def _level_lines(
        self, node: Expression, level: int, column: int, lead: int, tail: int
    ) -> list[Line]:
        if not is_looser(node, level):
            return self.expression_lines(node, column, lead, tail)
        flat = self.flat.level(node, level)
        if flat is not None and column + lead + width(flat) + tail <= WIDTH:
            return [Line(flat)]
        inner = self.expression_lines(node, column + INDENT, 0, 0)
        return [Line("("), *indented(inner), Line(")")]

    # --- calls, arrays, subqueries --------------------------------------------------------------

    def call_lines(self, node: Call, column: int, lead: int, tail: int) -> list[Line]:
        """Return a call: on one line, hugging its last argument, or with one argument a line."""
        flat = self.flat.of(node)
        if flat is not None and column + lead + width(flat) + tail <= WIDTH:
            return [Line(flat)]
        if not self.leaves.is_written(node):
            return [Line(self.flat.atom(node))]
        opened = self._hugged_head(node)
        if opened is not None and column + lead + width(opened) <= WIDTH:
            return self._hugged_lines(node, column)
        if self._is_unbreakable(node):
            argument = node.arguments[0]
            value = self.flat.atom(argument.value)
            name = self.leaves.argument_name(argument, value)
            return [Line(f"{node.name}({name}{value})")]
        return self._list_lines(node, f"{node.name}(", node.arguments, column, ")")

    def _is_unbreakable(self, node: Call) -> bool:
        """Say whether the call has one argument that more lines would not make shorter."""
        arguments = node.arguments
        return (
            len(arguments) == 1
            and isinstance(arguments[0].value, _ATOMS)
            and not self.notes.beside(arguments[0])
            and not self.notes.has_bracket_notes(node)
        )

    def _hugged_head(self, node: Call) -> str | None:
        """Return a call's first line if its last argument opens and closes on the call's lines.

        That is so for an array or a subquery, or a call that ends in one, where what stands before
        it is short and no comment stands between; None otherwise.
        """
        if not node.arguments or self.notes.has_bracket_notes(node):
            return None
        if any(self.notes.beside(argument) for argument in node.arguments):
            return None
        *before, last = node.arguments
        parts = [self.flat.item(argument) for argument in before]
        match last.value:
            case Array(elements=elements) if elements:
                opener: str | None = "["
            case Subquery(pipeline=pipeline) if pipeline.steps:
                opener = f"{self.leaves.label(last.value)}{{"
            case Call():
                opener = self._hugged_head(last.value)
            case _:
                opener = None
        if opener is None:
            return None
        shown = [part for part in parts if part is not None]
        shown.append(self.leaves.argument_name(last, opener) + opener)
        return f"{node.name}({', '.join(shown)}" if len(shown) == len(node.arguments) else None

    def _hugged_lines(self, node: Call, column: int) -> list[Line]:
        *before, last = node.arguments
        head = "".join(f"{self.flat.item(argument)}, " for argument in before)
        head = f"{node.name}({head}{self.leaves.argument_name(last, '')}"
        match last.value:
            case Array():
                lines = self._array_lines(last.value, column)
            case Subquery():
                lines = self._subquery_lines(last.value, column)
            case Call():
                lines = self._hugged_lines(last.value, column)
            case _:
                lines = self.expression_lines(last.value, column, width(head), 1)
        return suffixed(prefixed(lines, head), ")")

    def saved_lines(self, node: SavedQuery, column: int) -> list[Line]:
        """Return a saved query's call."""
        head = f"{self.leaves.saved_name(node)}("
        if not node.arguments and not self.notes.has_bracket_notes(node):
            return [Line(f"{head})")]
        return self._list_lines(node, head, node.arguments, column, ")")

    def _array_lines(self, node: Array, column: int) -> list[Line]:
        plain = all(self._is_short(element) for element in node.elements)
        noted = any(self.notes.beside(element) for element in node.elements)
        if not node.elements and not self.notes.has_bracket_notes(node):
            return [Line("[]")]
        if plain and not noted and node.elements:
            return self.bracketed(node, "[", self._filled(node, column + INDENT), "]")
        return self._list_lines(node, "[", node.elements, column, "]")

    def _is_short(self, element: Expression | Assignment) -> bool:
        text = self.flat.of(element)
        return isinstance(element, _ATOMS) and text is not None and width(text) <= _SHORT

    def _filled(self, node: Array, column: int) -> list[Line]:
        """Return plain elements, as many on each line as fit."""
        out: list[Line] = []
        for number, element in enumerate(node.elements):
            text = self.flat.atom(element) + ("," if number < len(node.elements) - 1 else "")
            if out and column + width(f"{out[-1].text} {text}") <= WIDTH:
                out[-1].text += f" {text}"
            else:
                out.append(Line(text))
        return out

    def _list_lines(
        self,
        holder: Node,
        head: str,
        items: Sequence[Argument | Expression | Assignment | SavedArgument],
        column: int,
        closer: str,
    ) -> list[Line]:
        """Return one item a line between brackets."""
        inner: list[Line] = []
        for number, item in enumerate(items):
            end = "," if number < len(items) - 1 else ""
            inline = self.notes.inline_text(item)
            lines = self._item_lines(item, column + INDENT, width(inline), len(end))
            self.place(inner, item, suffixed(prefixed(lines, inline), end))
        return self.bracketed(holder, head, inner, closer)

    def _item_lines(
        self,
        item: Argument | Expression | Assignment | SavedArgument,
        column: int,
        lead: int,
        tail: int,
    ) -> list[Line]:
        match item:
            case Argument(value=value):
                name = self.leaves.argument_name(item, self.flat.of(value) or "")
                lines = self.expression_lines(value, column, lead + width(name), tail)
                return prefixed(lines, name)
            case Assignment():
                return self.assignment_lines(item, column, lead, tail)
            case SavedArgument():
                return [Line(self.flat.atom(item))]
            case _:
                return self.expression_lines(item, column, lead, tail)

    def _subquery_lines(self, node: Subquery, column: int) -> list[Line]:
        label = self.leaves.label(node)
        steps = node.pipeline.steps
        if steps or self.notes.has_bracket_notes(node):
            inner = self.steps_lines(steps, column=column + INDENT, tail=0)
            lines = prefixed(self.bracketed(node, "{", inner, "}"), label)
        else:
            lines = [Line(f"{label}{{}}")]
        for attribute in node.attributes:
            head = f" {attribute.name}: "
            lead = width(lines[-1].text + head)
            first, *others = self.expression_lines(attribute.value, column, lead, 0)
            lines[-1].text += head + first.text
            lines[-1].comments += first.comments
            lines += others
        return lines
