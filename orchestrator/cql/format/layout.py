"""Tree to lines: what fits stays on one line, what does not is broken at its outermost joints.

Here are steps and filters; the methods' parameters are as in `expressions`.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.cql.format.expressions import ExpressionLayout
from orchestrator.cql.format.flat import WIDTH, joints
from orchestrator.cql.format.lines import INDENT, Line, hanging, indented, prefixed, suffixed
from orchestrator.cql.nodes import (
    And,
    Arm,
    Assignment,
    Call,
    Case,
    FieldOperator,
    Filter,
    Match,
    Not,
    Or,
    Pipeline,
    Query,
    SavedQuery,
    StatsShorthand,
    Step,
)
from orchestrator.cql.width import width


class Layout(ExpressionLayout):
    """Lays one query out."""

    def query_lines(self, query: Query) -> list[Line]:
        """Return the lines of the whole query, none for an empty one."""
        lines = self.steps_lines(query.pipeline.steps, column=0, tail=0)
        self.add_closing(lines, query.pipeline)
        return lines

    # --- steps ----------------------------------------------------------------------------------

    def steps_lines(
        self, steps: Sequence[Step], *, column: int, tail: int, hang: int = 0
    ) -> list[Line]:
        """Return one step a line, each after the first behind its pipe and `hang` columns in."""
        first: list[Line] = []
        others: list[Line] = []
        for number, step in enumerate(steps):
            inline = self.notes.inline_text(step)
            behind = tail if number == len(steps) - 1 else 0
            if number:
                begin = column + hang + len("| ")
                lines = self._step_lines(step, begin, width(inline), behind)
                self.place(others, step, hanging(prefixed(lines, inline), "| "), spaced=True)
            else:
                begin = column + hang if isinstance(step, And | Or) else column
                lines = self._step_lines(step, begin, width(inline) + column - begin, behind)
                indented(lines[1:], begin - column)
                self.place(first, step, prefixed(lines, inline))
        return [*first, *indented(others, hang)]

    def _step_lines(self, step: Step, column: int, lead: int, tail: int) -> list[Line]:
        match step:
            case Assignment():
                return self.assignment_lines(step, column, lead, tail)
            case Case(clauses=clauses):
                return self._branches_lines(step, "case {", clauses, column)
            case Match(field=field, arms=arms):
                head = f"{self.leaves.at(field.span)} match {{"
                return self._branches_lines(step, head, arms, column)
            case StatsShorthand(functions=functions):
                return self.expression_lines(functions, column, lead, tail)
            case _:
                return self._filter_lines(step, column, lead, tail)

    def _branches_lines(
        self, node: Case | Match, head: str, branches: Sequence[Pipeline | Arm], column: int
    ) -> list[Line]:
        """Return a case or match: one branch below the other, ` ;` between them."""
        flat = self.flat.of(node)
        if flat is not None:
            return [Line(flat)]
        inner: list[Line] = []
        for number, branch in enumerate(branches):
            end = " ;" if number < len(branches) - 1 else ""
            inline = self.notes.inline_text(branch)
            lines = self._branch_lines(branch, column + INDENT, width(inline), len(end))
            self.place(inner, branch, suffixed(prefixed(lines, inline), end))
        return self.bracketed(node, head, inner, "}")

    def _branch_lines(
        self, branch: Pipeline | Arm, column: int, lead: int, tail: int
    ) -> list[Line]:
        flat = self.flat.of(branch)
        if flat is not None and column + lead + width(flat) + tail <= WIDTH:
            return [Line(flat)]
        if isinstance(branch, Pipeline):
            return self.steps_lines(branch.steps, column=column, tail=tail, hang=INDENT)
        head = self._guard_lines(branch, column, lead)
        head[-1].comments = [comment.text.rstrip() for comment in self.notes.opening[id(branch)]]
        body = self.steps_lines(branch.body.steps, column=column + INDENT, tail=tail)
        return [*head, *indented(body)]

    def _guard_lines(self, arm: Arm, column: int, lead: int) -> list[Line]:
        guard, end = arm.guard, " =>"
        if isinstance(guard, Call):
            return suffixed(self.call_lines(guard, column, lead, len(end)), end)
        return [Line(f"{self.flat.atom(guard)}{end}")]

    # --- filters --------------------------------------------------------------------------------

    def _filter_lines(self, node: Filter, column: int, lead: int, tail: int) -> list[Line]:
        flat = self.flat.of(node)
        if flat is not None and column + lead + width(flat) + tail <= WIDTH:
            return [Line(flat)]
        match node:
            case And() | Or():
                return self._logic_lines(node, column, lead, tail)
            case Not(operand=operand, bang=bang):
                head = "!" if bang else "not "
                lines = self._operand_lines(operand, column, lead + len(head), tail)
                return prefixed(lines, head)
            case FieldOperator(call=call):
                head = self.leaves.field_operator(node)
                return prefixed(self.call_lines(call, column, lead + width(head), tail), head)
            case Call():
                return self.call_lines(node, column, lead, tail)
            case SavedQuery():
                return self.saved_lines(node, column)
            case _:
                return [Line(self.flat.atom(node))]

    def _logic_lines(self, node: And | Or, column: int, lead: int, tail: int) -> list[Line]:
        """Return one operand a line, its `and` or `or` in front."""
        out: list[Line] = []
        last = node.operands[-1]
        for mark, operand in zip(joints(node), node.operands, strict=True):
            inline = self.notes.inline_text(operand)
            used = width(mark + inline) + (0 if out else lead)
            lines = self._operand_lines(operand, column, used, tail if operand is last else 0)
            self.place(out, operand, prefixed(lines, mark + inline), spaced=False)
        return out

    def _operand_lines(self, node: Filter, column: int, lead: int, tail: int) -> list[Line]:
        if not isinstance(node, And | Or):
            return self._filter_lines(node, column, lead, tail)
        flat = self.flat.operand(node)
        if flat is not None and column + lead + width(flat) + tail <= WIDTH:
            return [Line(flat)]
        inner = self._filter_lines(node, column + INDENT, 0, 0)
        return [Line("("), *indented(inner), Line(")")]
