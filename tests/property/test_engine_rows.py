"""The engine against a deliberately simple interpreter: one event at a time, dicts, no cleverness.

The interpreter reads the same tree and knows filters, assignments, case and groupBy with count and
collect; hypothesis writes the queries and the events.
"""

from __future__ import annotations

import math
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cql import nodes
from orchestrator.cql.parser import parse_filter, parse_or_raise
from orchestrator.engine.condition import compile_condition
from orchestrator.engine.events import Events
from orchestrator.engine.run import Context, run_query

Row = dict[str, str]
CONTEXT = Context(start_ms=0, end_ms=1_000_000, now_ms=0)
VALUES = ["", "1", "2", "1.0", "10", "-1", "x", "xy", "X", "a b", "true", "false"]
FIELDS = ["a", "b", "c", "d"]

field = st.sampled_from(FIELDS)
value = st.sampled_from(VALUES)
number = st.sampled_from(["0", "1", "1.5", "-1", "10"])
pattern = st.sampled_from(['"x"', '"x*"', '"*y"', "*", '""', "1", '"*"', "/x/", "/^X$/i", '"a b"'])
comparison = st.one_of(
    st.builds("{}{}{}".format, field, st.sampled_from(["=", "!="]), pattern),
    st.builds("{}{}{}".format, field, st.sampled_from(["<", "<=", ">", ">="]), number),
    st.builds('{}like"{}"'.replace("like", " like ").format, field, st.sampled_from(["x", "y*"])),
    st.builds('in({}, values=["{}", "{}"])'.format, field, value, st.sampled_from(["x*", "1"])),
)
filters = st.recursive(
    comparison,
    lambda inner: st.one_of(
        st.builds("({} or {})".format, inner, inner),
        st.builds("({} {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=5,
)
operand = st.one_of(field, st.builds('"{}"'.format, value), number)
expression = st.one_of(
    operand,
    st.builds("{} {} {}".format, operand, st.sampled_from(list("+-*/%")), operand),
    st.builds("{} {} {}".format, operand, st.sampled_from(["==", "!=", "<", ">="]), operand),
)
assignment = st.builds("{} := {}".format, field, expression)
row_step = st.one_of(filters, assignment)
clause = st.lists(row_step, min_size=1, max_size=3).map(" | ".join)
case = st.lists(st.one_of(clause, st.just("*")), min_size=1, max_size=4).map(
    lambda clauses: "case { " + " ; ".join(clauses) + " }"
)
queries = st.builds(
    "{} | {}".format,
    st.lists(st.one_of(row_step, case), min_size=1, max_size=4).map(" | ".join),
    st.sampled_from(
        [
            "select([a, b, c, d])",
            "groupBy(a)",
            "groupBy([b, c], function=[count(as=n), collect(d)], limit=max)",
        ]
    ),
)
rows = st.lists(st.dictionaries(field, value, max_size=4), max_size=6)


@settings(max_examples=300, deadline=None)
@given(query=queries, events=rows)
def test_engine_gives_what_the_simple_interpreter_gives(query: str, events: list[Row]) -> None:
    result = run_query(query, _events(events), context=CONTEXT)

    assert result.rows == _interpret(query, events)


@settings(max_examples=300, deadline=None)
@given(text=filters, events=rows)
def test_condition_holds_exactly_for_the_rows_the_engine_keeps(
    text: str, events: list[Row]
) -> None:
    condition = compile_condition(text)
    result = run_query(f"{text} | select([a, b, c, d])", _events(events), context=CONTEXT)

    kept = [{k: row[k] for k in FIELDS if k in row} for row in events if condition.holds(row)]
    assert parse_filter(text).ok
    assert result.rows == kept


def _events(events: list[Row]) -> Events:
    return Events.from_rows(
        {"@timestamp": str(i), "@rawstring": "", **row} for i, row in enumerate(events)
    )


# --- the simple interpreter -----------------------------------------------------------------


def _interpret(query: str, events: list[Row]) -> list[Row]:
    *steps, last = parse_or_raise(query).pipeline.steps
    kept = [row for event in events if (row := _steps(steps, dict(event))) is not None]
    assert isinstance(last, nodes.Call)
    if last.name == "select":
        return [{k: row[k] for k in FIELDS if k in row} for row in kept]
    keys = (
        ["a"]
        if last.arguments[0].value == nodes.Word(span=last.arguments[0].value.span, text="a")
        else ["b", "c"]
    )
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in kept:
        if all(key in row for key in keys):
            groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    result = []
    for group, members in groups.items():
        found = dict(zip(keys, group, strict=True))
        if keys == ["a"]:
            found["_count"] = str(len(members))
        else:
            found["n"] = str(len(members))
            seen = list(dict.fromkeys(row["d"] for row in members if "d" in row))
            if seen:
                found["d"] = "\n".join(seen)
        result.append(found)
    return result


def _steps(steps: list[nodes.Step] | tuple[nodes.Step, ...], row: Row) -> Row | None:
    for step in steps:
        match step:
            case nodes.Assignment(field=target, value=expr):
                found = _value(expr, row)
                if found is not None:
                    row = {**row, target.name: _print(found)}
            case nodes.Case(clauses=clauses):
                outcomes = (_steps(clause.steps, dict(row)) for clause in clauses)
                chosen = next((outcome for outcome in outcomes if outcome is not None), None)
                if chosen is None:
                    return None
                row = chosen
            case nodes.Match() | nodes.StatsShorthand():
                raise AssertionError(step)
            case _:
                if not _passes(step, row):
                    return None
    return row


def _passes(node: nodes.Filter, row: Row) -> bool:
    match node:
        case nodes.And(operands=operands):
            return all(_passes(operand, row) for operand in operands)
        case nodes.Or(operands=operands):
            return any(_passes(operand, row) for operand in operands)
        case nodes.Not(operand=operand):
            return not _passes(operand, row)
        case nodes.FreeText():
            return True
        case nodes.Call(arguments=(first, second)):
            assert isinstance(first.value, nodes.Word)
            assert isinstance(second.value, nodes.Array)
            texts = [item.value for item in second.value.elements if isinstance(item, nodes.Quoted)]
            return any(_glob(row.get(first.value.text), text) for text in texts)
        case nodes.Comparison(field=name, operator=op, value=pattern):
            return _compare(row.get(name.name), op.value, pattern)
    raise AssertionError(node)


def _compare(text: str | None, op: str, pattern: nodes.Node) -> bool:
    if op == "!=":
        return not _compare(text, "=", pattern)
    if text is None:
        return False
    if isinstance(pattern, nodes.Regex):
        return (
            re.search(pattern.body, text, re.IGNORECASE if "i" in pattern.flags else 0) is not None
        )
    wanted = pattern.value if isinstance(pattern, nodes.Quoted) else getattr(pattern, "text", "")
    if op == "like":
        return _glob(text, f"*{wanted}*")
    if op == "=":
        return _glob(text, wanted)
    left, right = _number(text), _number(wanted)
    if left is None or right is None:
        return False
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[op]


def _glob(text: str | None, wanted: str) -> bool:
    if text is None:
        return False
    if "*" not in wanted and _number(wanted) is not None and _number(text) == _number(wanted):
        return True
    body = ".*".join(re.escape(part) for part in wanted.split("*"))
    return re.fullmatch(body, text, re.DOTALL) is not None


def _value(node: nodes.Expression, row: Row) -> str | float | bool | None:
    match node:
        case nodes.Word(text=text):
            return text if text in ("true", "false") else row.get(text)
        case nodes.Quoted(value=text):
            return text
        case nodes.Number(text=text):
            return float(text)
        case nodes.Unary(operand=operand):
            number = _number(_value(operand, row))
            return None if number is None else -number
        case nodes.Binary(operator=op, left=left, right=right):
            return _binary(op.value, _value(left, row), _value(right, row))
    raise AssertionError(node)


def _binary(
    op: str, left: str | float | bool | None, right: str | float | bool | None
) -> float | bool | None:
    if left is None or right is None:
        return None
    first, second = _number(left), _number(right)
    if op in ("==", "!="):
        same = first == second if None not in (first, second) else _print(left) == _print(right)
        return same if op == "==" else not same
    if first is None or second is None:
        return None
    match op:
        case "+":
            return first + second
        case "-":
            return first - second
        case "*":
            return first * second
        case "/":
            return first / second if second else None
        case "%":
            return math.fmod(first, second) if second else None
        case "<":
            return first < second
        case _:
            return first >= second


def _number(value: str | float | bool | None) -> float | None:
    if isinstance(value, str):
        return float(value) if re.fullmatch(r"-?\d+(\.\d+)?", value) else None
    return None if value is None or isinstance(value, bool) else float(value)


def _print(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return value
