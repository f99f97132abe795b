"""Filters and expressions as Polars expressions over a symbolic row.

A filter gives a Boolean that is never null; an expression a `Value`, null where LogScale's is.
Source: library.humio.com, data-analysis/syntax-filters.html, syntax-expressions.html.
"""

from __future__ import annotations

from typing import assert_never

import polars as pl

from orchestrator.cql.nodes import (
    And,
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
    Node,
    Not,
    Number,
    Or,
    Parameter,
    Quoted,
    Regex,
    SavedQuery,
    StatsShorthand,
    Subquery,
    Unary,
    UnaryOperator,
    Word,
)
from orchestrator.engine.arguments import Args, semantic, unsupported, with_field
from orchestrator.engine.functions.filters import FILTERS
from orchestrator.engine.functions.values import VALUES
from orchestrator.engine.patterns.globs import parse_glob, parse_number
from orchestrator.engine.patterns.regexes import Dialects, translate
from orchestrator.engine.rows import Rows
from orchestrator.engine.values import (
    Kind,
    Value,
    any_of,
    constant,
    constant_number,
    contains_pattern,
    equals_any,
    regex_found,
)
from orchestrator.errors import CqlSemanticError

NOT_SEARCHED = frozenset(("@id", "@timestamp", "@ingesttimestamp", "@timezone"))
_TRUTHS = {"true": True, "false": False}


def regex_of(node: Regex) -> Dialects:
    """Return a regex literal in both dialects; a mistake in it carries the literal's place."""
    try:
        return translate(node.body, node.flags, literal=True)
    except CqlSemanticError as exc:
        raise semantic(node, exc.problem) from exc


def bind(call: Call, rows: Rows) -> Args:
    """Return the call's arguments, its expressions over the row."""
    return Args(call, rows.execution, lambda node: value_of(node, rows))


# --- filters --------------------------------------------------------------------------------


def filter_of(node: Filter, rows: Rows) -> pl.Expr:
    """Return whether the row passes the filter; never null.

    Raises:
        CqlSemanticError: LogScale refuses it.
        CqlUnsupported: The engine cannot decide it.
    """
    match node:
        case And(operands=operands):
            return _conjunction([filter_of(operand, rows) for operand in operands])
        case Or(operands=operands):
            return any_of(filter_of(operand, rows) for operand in operands)
        case Not(operand=operand):
            return ~filter_of(operand, rows)
        case Boolean(value=value):
            return pl.lit(value)
        case Comparison():
            return _comparison(node, rows)
        case FreeText():
            return free_text(node, rows)
        case FieldOperator(field=field, negated=negated, call=call):
            known = rows.decided.get(id(call))
            found = _call_filter(with_field(call, field), rows) if known is None else known
            return ~found if negated else found
        case Call():
            known = rows.decided.get(id(node))
            return _call_filter(node, rows) if known is None else known
        case SavedQuery():
            return _saved_filter(node, rows)
        case Bad():
            raise semantic(node, "this is not CQL")
    assert_never(node)


def _saved_filter(node: SavedQuery, rows: Rows) -> pl.Expr:
    """Return whether the row passes a saved query that is one filter after the other."""
    with rows.execution.saved_query(node) as query:
        tests = []
        for step in query.pipeline.steps:
            if isinstance(step, Assignment | Case | Match | StatsShorthand):
                problem = f"${node.name}() does more than filter; write it as a step of its own"
                raise semantic(node, problem)
            tests.append(filter_of(step, rows))
    return _conjunction(tests) if tests else pl.lit(value=True)


def is_cheap(node: Node) -> bool:
    """Return whether a filter is decided without a regex."""
    match node:
        case Comparison(operator=operator, value=value):
            return operator in _CHEAP and isinstance(value, Word | Quoted)
        case Call(name=name):
            return name.lower() == "in"
        case And(operands=operands) | Or(operands=operands):
            return all(is_cheap(operand) for operand in operands)
        case Not(operand=operand):
            return is_cheap(operand)
        case _:
            return False


_CHEAP = frozenset((ComparisonOperator.EQUAL, ComparisonOperator.NOT_EQUAL))


def _conjunction(tests: list[pl.Expr]) -> pl.Expr:
    result = tests[0]
    for test in tests[1:]:
        result = result & test
    return result


def _comparison(node: Comparison, rows: Rows) -> pl.Expr:
    value, name = node.value, node.field.name
    match node.operator:
        case ComparisonOperator.EQUAL:
            return _equal(node, rows)
        case ComparisonOperator.NOT_EQUAL:
            return ~_equal(node, rows)
        case ComparisonOperator.LIKE:
            if isinstance(value, Regex):
                return regex_found(rows.masked(name), regex_of(value))
            return contains_pattern(rows.field(name).text(), pattern_text(value, rows))
        case ComparisonOperator.LINK:
            raise semantic(node, "<=> stands only inside correlate()")
    number = rows.number(name)
    bound = parse_number(pattern_text(value, rows))
    if bound is None:
        raise semantic(node, f"only a number may stand right of {node.operator.value}")
    match node.operator:
        case ComparisonOperator.LESS:
            found = number < bound
        case ComparisonOperator.LESS_OR_EQUAL:
            found = number <= bound
        case ComparisonOperator.GREATER:
            found = number > bound
        case ComparisonOperator.GREATER_OR_EQUAL:
            found = number >= bound
    return found.fill_null(value=False)


def _equal(node: Comparison, rows: Rows) -> pl.Expr:
    value = node.value
    if isinstance(value, Regex):
        if not rows.has(node.field.name):
            regex_of(value)
            return pl.lit(value=False)
        return regex_found(rows.masked(node.field.name), regex_of(value))
    return equals_any(rows.field(node.field.name), [pattern_text(value, rows)])


def pattern_text(node: Node, rows: Rows) -> str:
    """Return the text of a pattern or a number."""
    match node:
        case Word(text=text) | Number(text=text):
            return text
        case Quoted(value=text):
            return text
        case Parameter():
            return rows.execution.parameter(node)
        case FieldName(name=name):
            return name
        case _:
            raise semantic(node, "a text must stand here")


def free_text(node: FreeText, rows: Rows) -> pl.Expr:
    """Return whether the original event holds the pattern in any field.

    Raises:
        CqlSemanticError: After an aggregate, where there is no event to search.
    """
    pattern = node.pattern
    if not isinstance(pattern, Regex) and parse_glob(pattern_text(pattern, rows)).is_any:
        return pl.lit(value=True)
    if id(node) in rows.decided:
        return rows.decided[id(node)]
    if rows.searchable is None:
        raise semantic(node, "free text is not allowed after an aggregate")
    columns = [pl.col(name) for name in rows.searchable]
    if isinstance(pattern, Regex):
        regex = regex_of(pattern)
        return any_of(regex_found(column, regex) for column in columns)
    text = pattern_text(pattern, rows)
    return any_of(contains_pattern(column, text) for column in columns)


def searchable(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the fields of an event that free text looks at."""
    return tuple(n for n in names if n not in NOT_SEARCHED and not n.startswith("#"))


def _call_filter(call: Call, rows: Rows) -> pl.Expr:
    args = bind(call, rows)
    function = FILTERS.get(args.function.name)
    if function is None:
        if args.function.name in VALUES:
            return value_of(call, rows).truth().fill_null(value=False)
        raise unsupported(call, f"{args.function.name}()", "it is not a filter the engine knows")
    return function(args, rows)


# --- expressions ----------------------------------------------------------------------------


def value_of(node: Expression, rows: Rows) -> Value:
    """Return the expression's value over the row.

    Raises:
        CqlSemanticError: LogScale refuses it.
        CqlUnsupported: The engine cannot compute it.
    """
    match node:
        case Word(text=text):
            return constant(text) if text in _TRUTHS else rows.field(text)
        case Quoted(value=text):
            return constant(text)
        case Number(text=text):
            number = parse_number(text)
            return constant(text) if number is None else constant_number(number)
        case Duration(length_ms=length_ms):
            return constant_number(float(length_ms))
        case Parameter():
            return constant(rows.execution.parameter(node))
        case Unary():
            return _unary(node, rows)
        case Binary():
            return _binary(node, rows)
        case Call():
            return _call_value(node, rows)
        case Array() | Subquery() | SavedQuery():
            raise semantic(node, "this is not a value")
        case Bad():
            raise semantic(node, "this is not CQL")
    assert_never(node)


def _unary(node: Unary, rows: Rows) -> Value:
    operand = value_of(node.operand, rows)
    match node.operator:
        case UnaryOperator.MINUS:
            return Value(expr=-operand.number(), kind=Kind.NUMBER)
        case UnaryOperator.NOT:
            return Value(expr=~operand.truth(), kind=Kind.TRUTH)
    assert_never(node.operator)


def _binary(node: Binary, rows: Rows) -> Value:
    left, right = value_of(node.left, rows), value_of(node.right, rows)
    match node.operator:
        case BinaryOperator.EQUAL:
            return Value(expr=_same(left, right), kind=Kind.TRUTH)
        case BinaryOperator.NOT_EQUAL:
            return Value(expr=~_same(left, right), kind=Kind.TRUTH)
        case BinaryOperator.LESS:
            return Value(expr=left.number() < right.number(), kind=Kind.TRUTH)
        case BinaryOperator.LESS_OR_EQUAL:
            return Value(expr=left.number() <= right.number(), kind=Kind.TRUTH)
        case BinaryOperator.GREATER:
            return Value(expr=left.number() > right.number(), kind=Kind.TRUTH)
        case BinaryOperator.GREATER_OR_EQUAL:
            return Value(expr=left.number() >= right.number(), kind=Kind.TRUTH)
        case _:
            return _arithmetic(node.operator, left.number(), right.number())


def _arithmetic(operator: BinaryOperator, left: pl.Expr, right: pl.Expr) -> Value:
    match operator:
        case BinaryOperator.ADD:
            found = left + right
        case BinaryOperator.SUBTRACT:
            found = left - right
        case BinaryOperator.MULTIPLY:
            found = left * right
        case BinaryOperator.DIVIDE:
            found = left / right
        case _:
            # The sign follows the left side, as in Java; Polars follows the right.
            quotient = left / right
            whole = pl.when(quotient < 0).then(quotient.ceil()).otherwise(quotient.floor())
            found = left - right * whole
    # Division by zero gives null, not infinity.
    return Value(expr=pl.when(found.is_finite()).then(found), kind=Kind.NUMBER)


def _same(left: Value, right: Value) -> pl.Expr:
    """Return equality: as numbers where both are, else as text; null if either is null."""
    for one in (left, right):
        if (
            one.constant is not None
            and one.kind is Kind.TEXT
            and parse_number(one.constant) is None
        ):
            return left.text() == right.text()
    left_number, right_number = left.number(), right.number()
    return (
        pl.when(left_number.is_not_null() & right_number.is_not_null())
        .then(left_number == right_number)
        .otherwise(left.text() == right.text())
    )


def _call_value(call: Call, rows: Rows) -> Value:
    args = bind(call, rows)
    name = args.function.name
    if name in VALUES:
        return VALUES[name].compute(args, rows)
    if name in FILTERS:
        return Value(expr=FILTERS[name](args, rows), kind=Kind.TRUTH)
    raise unsupported(call, f"{name}()", "the engine does not know it as a value")
