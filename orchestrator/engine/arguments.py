"""A call's arguments by parameter name, read as what the parameter takes.

Names, defaults and the unnamed parameter come from the catalogue; a function that is not in it is
refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orchestrator.cql.catalogue import Function, find
from orchestrator.cql.nodes import (
    Argument,
    Array,
    Assignment,
    Call,
    Duration,
    Expression,
    FieldName,
    Node,
    Number,
    Parameter,
    Quoted,
    Subquery,
    Unary,
    UnaryOperator,
    Word,
)
from orchestrator.engine.context import Execution
from orchestrator.engine.patterns.globs import parse_number
from orchestrator.engine.values import Value
from orchestrator.errors import CqlSemanticError, CqlUnsupported
from orchestrator.units import parse_duration

Evaluate = Callable[[Expression], Value]
REFUSED: Mapping[str, str] = {
    "copyEvent": "it works in parsers alone, at ingest",
    "eventInternals": "it shows where LogScale stored an event",
    "explain:asTable": "it shows LogScale's own plan of a query",
    "readPersistedAggregation": "it reads what LogScale stored",
    "remoteTable": "it asks another cluster",
}
"""Functions that only the product can have, with the reason."""


def semantic(node: Node, problem: str) -> CqlSemanticError:
    """Return the error that this node means something LogScale refuses."""
    return CqlSemanticError(problem, start=node.span.start, end=node.span.end)


def unsupported(node: Node, name: str, reason: str) -> CqlUnsupported:
    """Return the refusal of a construct, with its place."""
    return CqlUnsupported(name, reason, start=node.span.start, end=node.span.end)


def function_of(call: Call) -> Function:
    """Return what the catalogue knows of the call.

    Raises:
        CqlUnsupported: Nothing: it may be newer than the catalogue; or only the product has it.
    """
    function = find(call.name)
    if function is None:
        raise unsupported(call, f"{call.name}()", "the function is not known here")
    if function.name in REFUSED:
        raise unsupported(call, f"{function.name}()", REFUSED[function.name])
    return function


class Args:
    """The arguments of one call."""

    def __init__(self, call: Call, execution: Execution, evaluate: Evaluate) -> None:
        """Bind the arguments.

        Raises:
            CqlSemanticError: An unknown parameter, one twice, or one that is missing.
            CqlUnsupported: The function is not known.
        """
        self.call, self.execution, self._evaluate = call, execution, evaluate
        self.function = function_of(call)
        self._given: dict[str, Expression] = {}
        positional = [a.value for a in call.arguments if a.name is None]
        for argument in call.arguments:
            if argument.name is not None:
                self._bind(argument.name, argument)
        if positional:
            self._bind_unnamed(positional)
        for parameter in self.function.parameters:
            # match() reads a file or, by table=, an ad-hoc table.
            instead = parameter.name == "file" and "table" in self._given
            # `x := f()` names the output too; who needs as= asks for it.
            if parameter.name == "as" or instead or not parameter.required:
                continue
            if parameter.name not in self._given:
                raise semantic(call, f"{self.function.name}() needs {parameter.name}=")

    def _bind(self, name: str, argument: Argument) -> None:
        if name in self._given:
            raise semantic(argument, f"{name}= is given twice")
        if self.function.parameter(name) is None and not self.function.is_open:
            raise semantic(argument, f"{self.function.name}() has no parameter {name!r}")
        self._given[name] = argument.value

    def _bind_unnamed(self, values: list[Expression]) -> None:
        name = self.function.unnamed
        if name is None and self.function.name == "getField":
            name = "source"
        if name is None or name in self._given:
            raise semantic(values[0], f"{self.function.name}() takes no unnamed argument here")
        if len(values) == 1:
            self._given[name] = values[0]
        else:
            span = values[0].span.to(values[-1].span)
            self._given[name] = Array(span=span, elements=tuple(values))

    def has(self, name: str) -> bool:
        """Return whether the argument was given."""
        return name in self._given

    def given(self) -> dict[str, Expression]:
        """Return every argument by name, in order."""
        return dict(self._given)

    def node(self, name: str) -> Expression:
        """Return the argument as written; it must have been given."""
        if name not in self._given:
            raise semantic(self.call, f"{self.function.name}() needs {name}=")
        return self._given[name]

    def value(self, name: str) -> Value:
        """Return the argument evaluated as an expression."""
        return self._evaluate(self.node(name))

    def values(self, name: str) -> list[Value]:
        """Return each element of an array argument evaluated as an expression."""
        return [self._evaluate(item) for item in self._elements(name)]

    def text(self, name: str, default: str | None = None) -> str:
        """Return the argument's text: a name, keyword, number or string, not evaluated."""
        if name not in self._given:
            fallback = default
            parameter = self.function.parameter(name)
            if fallback is None and parameter is not None:
                fallback = parameter.default
            if fallback is None:
                raise semantic(self.call, f"{self.function.name}() needs {name}=")
            return fallback
        return self.plain(self._given[name])

    def texts(self, name: str) -> list[str]:
        """Return the texts of an array argument, or of a single one; empty if not given.

        Raises:
            CqlSemanticError: A required array is empty.
        """
        if name not in self._given:
            return []
        found = [self.plain(item) for item in self._elements(name)]
        parameter = self.function.parameter(name)
        if not found and parameter is not None and parameter.required:
            raise semantic(self._given[name], f"{name}= must not be empty")
        return found

    def output(self, default: str) -> str:
        """Return the name given by `as=`, else the default."""
        return self.plain(self._given["as"]) if "as" in self._given else default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a true or false argument."""
        if name not in self._given:
            return default
        match self.plain(self._given[name]).lower():
            case "true":
                return True
            case "false":
                return False
            case other:
                raise semantic(self._given[name], f"{name}= takes true or false, not {other!r}")

    def integer(self, name: str, *, default: int, maximum: int | None = None) -> int:
        """Return a whole number; `max` stands for `maximum`, which also bounds it, as does 0."""
        if name not in self._given:
            return default
        text = self.plain(self._given[name])
        if text == "max" and maximum is not None:
            return maximum
        try:
            number = int(text)
        except ValueError:
            raise semantic(
                self._given[name], f"{name}= takes a whole number, not {text!r}"
            ) from None
        if maximum is None:
            return number
        if number < 0:
            raise semantic(self._given[name], f"{name}= must not be negative")
        return min(number, maximum)

    def number(self, name: str, default: float) -> float:
        """Return a number written as such."""
        if name not in self._given:
            return default
        found = parse_number(self.plain(self._given[name]))
        if found is None:
            raise semantic(self._given[name], f"{name}= takes a number")
        return found

    def duration_ms(self, name: str) -> int:
        """Return a relative time in milliseconds, written bare or quoted."""
        node = self.node(name)
        if isinstance(node, Duration):
            return node.length_ms
        text = self.plain(node)
        try:
            return round(parse_duration(text).total_seconds() * 1000)
        except ValueError as exc:
            raise semantic(node, str(exc)) from exc

    def choice(self, name: str, allowed: tuple[str, ...], *, default: str) -> str:
        """Return one of the allowed keywords."""
        if self.execution.is_dry and isinstance(self._given.get(name), Parameter):
            return allowed[0]
        text = self.text(name, default)
        if text not in allowed:
            raise semantic(
                self._given.get(name, self.call),
                f"{name}= takes {' or '.join(allowed)}, not {text!r}",
            )
        return text

    def plain(self, node: Expression | Assignment) -> str:
        """Return the text of a leaf.

        Raises:
            CqlSemanticError: The node is not a leaf.
        """
        match node:
            case Word(text=text) | Number(text=text) | Duration(text=text):
                return text
            case Quoted(value=text):
                return text
            case Parameter():
                return self.execution.parameter(node)
            case Unary(operator=UnaryOperator.MINUS, operand=Number(text=text)):
                return "-" + text
            case Array(elements=(single,)):
                return self.plain(single)
            case _:
                raise semantic(node, f"{self.function.name}() takes a name or a text here")

    def _elements(self, name: str) -> list[Expression]:
        node = self._given.get(name)
        if node is None:
            return []
        if not isinstance(node, Array):
            return [node]
        for item in node.elements:
            if isinstance(item, Assignment):
                raise semantic(item, "no assignment may stand here")
        return [item for item in node.elements if not isinstance(item, Assignment)]

    def elements(self, name: str) -> list[Expression]:
        """Return the elements of an array argument as written, or the single one."""
        return self._elements(name)

    def call_of(self, name: str, parameter: str, value: Expression) -> Call:
        """Return a call of another function, in this one's place."""
        span = self.call.span
        argument = Argument(span=span, name=parameter, name_span=None, value=value)
        return Call(span=span, name=name, name_span=span, arguments=(argument,))

    def subquery(self, name: str) -> Subquery:
        """Return the one `{...}` argument.

        Raises:
            CqlSemanticError: None or several stand there, or something else.
        """
        found = self.subqueries(name)
        if len(found) != 1:
            raise semantic(self.call, f"{name}= takes one {{ query }}")
        return found[0]

    def subqueries(self, name: str) -> list[Subquery]:
        """Return the `{...}` arguments.

        Raises:
            CqlSemanticError: Something else stands there.
        """
        found = []
        for item in self._elements(name):
            if not isinstance(item, Subquery):
                raise semantic(item, f"{name}= takes {{ a query }}")
            found.append(item)
        return found


def with_field(call: Call, field: FieldName, *, parameter: str = "field") -> Call:
    """Return the call with `field=` added, as `field =~ call` means."""
    value = Quoted(span=field.span, value=field.name, raw=f'"{field.name}"')
    extra = Argument(span=field.span, name=parameter, name_span=None, value=value)
    return Call(
        span=call.span,
        name=call.name,
        name_span=call.name_span,
        arguments=(*call.arguments, extra),
    )
