"""What has no layout of its own: names, texts, numbers, regexes, parameters, as written."""

from __future__ import annotations

import re

from orchestrator.cql.nodes import (
    Argument,
    Call,
    Comparison,
    ComparisonOperator,
    FieldOperator,
    FreeText,
    Node,
    Parameter,
    SavedArgument,
    SavedQuery,
    Subquery,
)
from orchestrator.cql.printer import apart, print_expression, print_filter
from orchestrator.cql.span import Span

_TIGHT = (ComparisonOperator.EQUAL, ComparisonOperator.NOT_EQUAL)
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_SAVED_NAME = re.compile(rf"\$(?:{_QUOTED}|[^\s(/]+(?:/[^\s(/*]+)*)", re.DOTALL)
_SAVED_ARGUMENT = re.compile(rf"({_QUOTED}|[^\s=\"]+)\s*=\s*({_QUOTED}|[^\s=\"]+)", re.DOTALL)
_PARAMETER = re.compile(rf"\?(?:{_QUOTED}|[^\s{{\"]+|\{{[^\n/]*\}})", re.DOTALL)
_LABEL = re.compile(_QUOTED, re.DOTALL)


class Leaves:
    """Reads leaves from the query's own text, so that nothing about them changes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def at(self, span: Span) -> str:
        """Return the text of a span."""
        return self._text[span.start : span.end]

    def atom(self, node: Node) -> str:
        """Return a node without parts."""
        match node:
            case FreeText(pattern=pattern):
                return self.atom(pattern)
            case Call():
                return print_expression(node)
            case Parameter():
                # Written over lines or with a comment inside, it is put together anew.
                written = self.at(node.span)
                return written if _PARAMETER.fullmatch(written) else print_expression(node)
            case _:
                return self.at(node.span)

    def is_written(self, node: Call) -> bool:
        """Say whether a call stands in the text as one: the parser reads older forms as calls."""
        return self.at(node.name_span) == node.name

    def comparison(self, node: Comparison) -> str:
        """Return `field=value`, or `field < value`."""
        sign, value = node.operator.value, self.atom(node.value)
        if node.operator not in _TIGHT:
            sign = f" {sign} "
        return f"{self.at(node.field.span)}{apart(sign, value)}"

    def field_operator(self, node: FieldOperator) -> str:
        """Return `field =~ ` or `field =~ !`, up to the call."""
        return f"{self.at(node.field.span)} =~ {'!' if node.negated else ''}"

    def argument_name(self, node: Argument, value: str) -> str:
        """Return `name=` as it stands before `value`; empty for the unnamed argument."""
        if node.name_span is None:
            return ""
        return self.at(node.name_span) + apart("=", value).removesuffix(value)

    def saved_name(self, node: SavedQuery) -> str:
        """Return `$name`."""
        match = _SAVED_NAME.match(self._text, node.span.start)
        name = match.group() if match else ""
        alone = SavedQuery(span=node.span, name=node.name, arguments=())
        return name if f"{name}(" in self.at(node.span) else print_filter(alone)[: -len("()")]

    def saved_argument(self, node: SavedArgument) -> str:
        """Return `name=value` of a saved query's call."""
        match = _SAVED_ARGUMENT.fullmatch(self.at(node.span))
        if match is not None:
            return f"{match.group(1)}={match.group(2)}"
        alone = SavedQuery(span=node.span, name="a", arguments=(node,))
        return print_filter(alone)[len("$a(") : -len(")")]

    def label(self, node: Subquery) -> str:
        """Return `label: `, empty for a subquery without one."""
        if node.label is None:
            return ""
        match = _LABEL.match(self._text, node.span.start)
        return f"{match.group() if match else node.label}: "
