"""One filter over one row, in plain Python: suppressions, routes, ad-hoc filters on findings.

Compiled once into closures, then microseconds a row. It means the same as the Polars engine: an
absent field fails every comparison except `!=`, which it passes.
Source: library.humio.com, data-analysis/syntax-filters.html and syntax-operators.html.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from orchestrator.cql.diagnostics import Level
from orchestrator.cql.nodes import (
    And,
    Array,
    Bad,
    Boolean,
    Call,
    Comparison,
    ComparisonOperator,
    Expression,
    FieldName,
    FieldOperator,
    Filter,
    FreeText,
    Not,
    Number,
    Or,
    Parameter,
    Quoted,
    Regex,
    SavedQuery,
    Word,
)
from orchestrator.cql.parser import parse_filter
from orchestrator.engine.patterns.globs import Glob, parse_glob, parse_number
from orchestrator.engine.patterns.networks import contains_address, parse_networks
from orchestrator.engine.patterns.regexes import translate
from orchestrator.errors import CqlSemanticError, CqlSyntaxError, CqlUnsupported

Row = Mapping[str, str]
RowTest = Callable[[Row], bool]
TextTest = Callable[[str], bool]
_ORDER: Mapping[ComparisonOperator, Callable[[float, float], bool]] = {
    ComparisonOperator.LESS: operator.lt,
    ComparisonOperator.LESS_OR_EQUAL: operator.le,
    ComparisonOperator.GREATER: operator.gt,
    ComparisonOperator.GREATER_OR_EQUAL: operator.ge,
}
_TEXT_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "text:contains": lambda text, part: part in text,
    "text:startswith": str.startswith,
    "text:endswith": str.endswith,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A compiled filter; safe to share between threads."""

    text: str
    fields: frozenset[str]
    """Every field it reads."""
    test: RowTest

    def holds(self, fields: Row) -> bool:
        """Return whether the row passes; fields it lacks are absent."""
        return self.test(fields)


def compile_condition(text: str) -> Condition:
    """Return the condition that the one filter in `text` states.

    Raises:
        CqlSyntaxError: The text is not one filter step; the first error, with its place.
        CqlSemanticError: A regex or an argument is wrong.
        CqlUnsupported: A function, parameter or saved query that a row alone cannot decide.
    """
    parsed = parse_filter(text)
    for found in parsed.diagnostics:
        if found.level is Level.ERROR:
            raise CqlSyntaxError(found.message, start=found.span.start, end=found.span.end)
    steps = parsed.query.pipeline.steps
    if len(steps) != 1:
        raise CqlSyntaxError("a condition is one filter", start=0, end=len(text))
    reader = _Reader()
    test = reader.filter(steps[0])  # type: ignore[arg-type]  # parse_filter admits filters alone
    return Condition(text=text, fields=frozenset(reader.fields), test=test)


class _Reader:
    """Turns filter nodes into closures and notes the fields they read."""

    def __init__(self) -> None:
        self.fields: set[str] = set()

    def filter(self, node: Filter) -> RowTest:
        match node:
            case And(operands=operands):
                tests = [self.filter(operand) for operand in operands]
                return lambda row: all(test(row) for test in tests)
            case Or(operands=operands):
                tests = [self.filter(operand) for operand in operands]
                return lambda row: any(test(row) for test in tests)
            case Not(operand=operand):
                inner = self.filter(operand)
                return lambda row: not inner(row)
            case Boolean(value=value):
                return lambda row: value
            case Comparison():
                return self._comparison(node)
            case FreeText():
                return self._free_text(node)
            case FieldOperator(field=name, negated=negated, call=call):
                inner = self._call(call, name.name)
                return (lambda row: not inner(row)) if negated else inner
            case Call():
                return self._call(node, None)
            case SavedQuery(name=name):
                raise _refusal(node, f"${name}()", "a condition has no saved queries")
            case Bad():
                raise CqlSyntaxError(
                    "this is not a filter", start=node.span.start, end=node.span.end
                )
        assert_never(node)

    def _comparison(self, node: Comparison) -> RowTest:
        name, value = node.field.name, node.value
        self.fields.add(name)
        if isinstance(value, FieldName):
            raise _refusal(node, "<=>", "links stand only inside correlate()")
        if node.operator in _ORDER:
            return _ordered(name, _ORDER[node.operator], _bound(value))
        if isinstance(value, Number):
            value = Word(span=value.span, text=value.text)
        if isinstance(value, Regex):
            pattern = translate(value.body, value.flags, literal=True).compiled()
            test = _present(name, lambda text: pattern.search(text) is not None)
        else:
            glob = parse_glob(_pattern_text(value))
            anchored = node.operator is not ComparisonOperator.LIKE
            test = _present(name, _glob_test(glob, anchored=anchored))
        if node.operator is ComparisonOperator.NOT_EQUAL:
            return lambda row: not test(row)
        return test

    def _free_text(self, node: FreeText) -> RowTest:
        if isinstance(node.pattern, Regex):
            pattern = translate(node.pattern.body, node.pattern.flags, literal=True).compiled()
            return lambda row: any(pattern.search(text) for text in row.values())
        glob = parse_glob(_pattern_text(node.pattern))
        if glob.is_any:
            return lambda row: True
        test = _glob_test(glob, anchored=False)
        return lambda row: any(test(text) for text in row.values())

    def _call(self, call: Call, implied: str | None) -> RowTest:
        arguments = _arguments(call, implied)
        match call.name.lower():
            case "in":
                return self._in(call, arguments)
            case "cidr":
                return self._cidr(call, arguments)
            case "wildcard":
                return self._wildcard(call, arguments)
            case "regex":
                return self._regex(call, arguments)
            case name if name in _TEXT_TESTS:
                return self._text_test(call, arguments)
            case _:
                raise _refusal(call, f"{call.name}()", "a condition decides one row by its fields")

    def _in(self, call: Call, arguments: Mapping[str, Expression]) -> RowTest:
        name = self._field(call, arguments)
        fold = _flag(arguments, "ignoreCase")
        tests = [
            _glob_test(parse_glob(text), anchored=True, ignore_case=fold)
            for text in _texts(call, arguments, "values")
        ]
        return _present(name, lambda text: any(test(text) for test in tests))

    def _cidr(self, call: Call, arguments: Mapping[str, Expression]) -> RowTest:
        if "file" in arguments:
            raise _refusal(call, "cidr(file=)", "a condition has no files")
        name = self._field(call, arguments)
        networks = parse_networks(_texts(call, arguments, "subnet"))
        inside = _present(name, lambda text: contains_address(networks, text))
        return (lambda row: not inside(row)) if _flag(arguments, "negate") else inside

    def _wildcard(self, call: Call, arguments: Mapping[str, Expression]) -> RowTest:
        name = self._field(call, arguments)
        glob = parse_glob(_texts(call, arguments, "pattern")[0])
        if glob.is_any and _flag(arguments, "includeEverythingOnAsterisk"):
            return lambda row: True
        fold = _flag(arguments, "ignoreCase")
        # Without regard to case it is a regex, which is unanchored.
        anchored = not fold or glob.is_any
        return _present(name, _glob_test(glob, anchored=anchored, ignore_case=fold))

    def _regex(self, call: Call, arguments: Mapping[str, Expression]) -> RowTest:
        name = self._field(call, arguments)
        flags = _texts(call, arguments, "flags")[0] if "flags" in arguments else ""
        pattern = translate(_texts(call, arguments, "regex")[0], flags).compiled()
        return _present(name, lambda text: pattern.search(text) is not None)

    def _text_test(self, call: Call, arguments: Mapping[str, Expression]) -> RowTest:
        compare = _TEXT_TESTS[call.name.lower()]
        left = self._operand(call, arguments, "string")
        right = self._operand(call, arguments, "substring")

        def test(row: Row) -> bool:
            text, part = left(row), right(row)
            return text is not None and part is not None and compare(text, part)

        return test

    def _operand(
        self, call: Call, arguments: Mapping[str, Expression], name: str
    ) -> Callable[[Row], str | None]:
        match arguments.get(name):
            case Word(text=field):
                self.fields.add(field)
                return lambda row: row.get(field)
            case Quoted(value=text) | Number(text=text):
                return lambda row: text
            case _:
                raise _refusal(call, f"{call.name}({name}=)", "only a field or a text here")

    def _field(self, call: Call, arguments: Mapping[str, Expression]) -> str:
        name = _texts(call, arguments, "field")[0]
        self.fields.add(name)
        return name


def _present(name: str, test: TextTest) -> RowTest:
    def holds(row: Row) -> bool:
        text = row.get(name)
        return text is not None and test(text)

    return holds


def _ordered(name: str, compare: Callable[[float, float], bool], bound: float) -> RowTest:
    def holds(text: str) -> bool:
        number = parse_number(text)
        return number is not None and compare(number, bound)

    return _present(name, holds)


def _glob_test(glob: Glob, *, anchored: bool, ignore_case: bool = False) -> TextTest:
    if not glob.is_exact or ignore_case:
        pattern = glob.python(anchored=anchored, ignore_case=ignore_case)
        return lambda text: pattern.search(text) is not None
    wanted, number = glob.parts[0], glob.number
    if not anchored:
        return lambda text: wanted in text
    if number is None:
        return lambda text: text == wanted
    return lambda text: text == wanted or parse_number(text) == number


def _bound(value: Expression | Regex) -> float:
    text = getattr(value, "text", "")
    number = parse_number(text)
    if number is None:
        raise CqlSemanticError(
            "a number must stand here", start=value.span.start, end=value.span.end
        )
    return number


def _pattern_text(value: Word | Quoted | Parameter) -> str:
    match value:
        case Word(text=text):
            return text
        case Quoted(value=text):
            return text
        case Parameter(name=name):
            raise _refusal(value, f"?{name}", "a condition has no parameters")
    assert_never(value)


def _arguments(call: Call, implied: str | None) -> dict[str, Expression]:
    function = _signature(call)
    found: dict[str, Expression] = {}
    for argument in call.arguments:
        found[argument.name or function] = argument.value
    if implied is not None:
        found["field"] = Quoted(span=call.name_span, value=implied, raw="")
    return found


def _signature(call: Call) -> str:
    match call.name.lower():
        case "wildcard":
            return "pattern"
        case "regex":
            return "regex"
        case name if name in _TEXT_TESTS:
            return "string"
        case _:
            return "field"


def _texts(call: Call, arguments: Mapping[str, Expression], name: str) -> Sequence[str]:
    value = arguments.get(name)
    items = value.elements if isinstance(value, Array) else (value,)
    texts = []
    for item in items:
        match item:
            case Word(text=text) | Number(text=text) | Quoted(value=text):
                texts.append(text)
            case Parameter(name=parameter):
                raise _refusal(call, f"?{parameter}", "a condition has no parameters")
            case _:
                raise CqlSemanticError(
                    f"{call.name}() needs {name}=", start=call.span.start, end=call.span.end
                )
    return texts


def _flag(arguments: Mapping[str, Expression], name: str) -> bool:
    value = arguments.get(name)
    return isinstance(value, Word | Quoted) and (
        (value.text if isinstance(value, Word) else value.value).lower() == "true"
    )


def _refusal(
    node: Call | Comparison | SavedQuery | Parameter, name: str, why: str
) -> CqlUnsupported:
    return CqlUnsupported(name, why, start=node.span.start, end=node.span.end)
