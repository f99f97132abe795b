"""The engine against a deliberately simple interpreter: one row at a time, dicts, no cleverness.

Hypothesis writes the queries, from the functions that queries use most, and the events; both must
give the same rows. Every one of these functions must be written by some strategy here.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cql.catalogue import find
from orchestrator.cql.nodes import Call
from orchestrator.cql.parser import parse_filter, parse_or_raise
from orchestrator.cql.walk import walk
from orchestrator.engine.condition import compile_condition
from orchestrator.engine.events import Events
from orchestrator.engine.run import Context, run_query
from orchestrator.engine.sources.lookups import Lookup
from orchestrator.engine.support import support
from tests.interpreter import World, interpret

Row = dict[str, str]
TABLE = [
    {"k": "x", "v": "one"},
    {"k": "1", "v": ""},
    {"k": "x", "v": "two"},
    {"k": "a b", "v": "3"},
]
CONTEXT = Context(
    start_ms=0,
    end_ms=1_000_000,
    now_ms=777,
    lookups={"t.csv": Lookup.from_rows(TABLE, columns=["k", "v"])},
)
VALUES = ["", "1", "2", "1.0", "10", "-1", "2.5", "x", "xy", "X", "a b", "true", "false", "ff"]
FIELDS = ["a", "b", "c", "d"]
ODD = {
    "j": ['{"a": 1, "e": {"f": ["p", null]}}', '{"b": true}', "[1]", "no json"],
    "k": ["a=1 e=2", "b=", "nothing"],
    "u": ["5 MB", "514us", "3kB", "7", "none"],
    "t": ["1756284711312", "1000", "oops"],
    "ip": ["10.1.2.3", "192.168.0.9", "::1", "no address"],
    "x[0]": ["1", "x", "p"],
    "x[1]": ["1", "y"],
    "lat": ["51.5", "-33.25", "no"],
    "lon": ["-0.125", "151.5"],
}

field = st.sampled_from(FIELDS)
value = st.sampled_from(VALUES)
number = st.sampled_from(["0", "1", "1.5", "-1", "10"])
pattern = st.sampled_from(['"x"', '"x*"', '"*y"', "*", '""', "1", '"*"', "/x/", "/^X$/i", '"a b"'])
comparison = st.one_of(
    st.builds("{}{}{}".format, field, st.sampled_from(["=", "!="]), pattern),
    st.builds("{}{}{}".format, field, st.sampled_from(["<", "<=", ">", ">="]), number),
    st.builds('{} like "{}"'.format, field, st.sampled_from(["x", "y*"])),
    st.builds('in({}, values=["{}", "{}"])'.format, field, value, st.sampled_from(["x*", "1"])),
)
functions = st.one_of(
    st.builds('in({}, values=["X", "a*"], ignoreCase=true)'.format, field),
    st.builds('wildcard(field={}, pattern="{}")'.format, field, st.sampled_from(["x*", "*", "Y"])),
    st.builds('wildcard(field={}, pattern="{}", ignoreCase=true)'.format, field,
              st.sampled_from(["x", "*B*"])),
    st.just('cidr(ip, subnet=["10.0.0.0/8", "::/64"])'),
    st.builds("test({} {} {})".format, field, st.sampled_from(["==", "!=", "<", ">="]), field),
    st.builds('text:contains({}, substring="x")'.format, field),
    st.just('array:contains("x[]", value="1")'),
    st.builds("{} =~ in(values=[1, x])".format, field),
)  # fmt: skip
filters = st.recursive(
    st.one_of(comparison, comparison, functions, st.sampled_from(["needle", '"a b"', "true"])),
    lambda inner: st.one_of(
        st.builds("({} or {})".format, inner, inner),
        st.builds("({} {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=5,
)
conditions = st.recursive(
    comparison,
    lambda inner: st.one_of(
        st.builds("({} or {})".format, inner, inner),
        st.builds("({} {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=5,
)
operand = st.one_of(field, st.builds('"{}"'.format, value), number)
simple = st.one_of(
    operand,
    st.builds("{} {} {}".format, operand, st.sampled_from(list("+-*/%")), operand),
    st.builds("{} {} {}".format, operand, st.sampled_from(["==", "!=", "<", ">="]), operand),
)
instant = st.sampled_from([
        'formatTime("%Y-%m-%d %H:%M:%S", field=t, unit=milliseconds)', "unit:convert(u)", "now()",
        "start()", "end()", 'duration("3s")', "time:hour(t)", "time:dayOfWeek(t)",
        "time:dayOfWeekName(t)", 'concatArray(x, separator="+")',
    ])  # fmt: skip
call = st.one_of(
    st.builds("{}({})".format, st.sampled_from(["lower", "upper", "length", "round"]), field),
    st.builds("if({} > 1, then={}, else={})".format, field, operand, operand),
    st.builds("coalesce([{}, {}])".format, field, operand),
    st.builds("concat([{}, {}])".format, field, field),
    st.builds('replace("x", with="z", field={})'.format, field),
    st.builds('format("{}", field=[{}, {}])'.format,
              st.sampled_from(["%s|%s", "%d-%.1f", "%.2s%s"]), field, field),
    st.builds('splitString({}, by=" ", index={})'.format, field, st.sampled_from([0, 1, -1])),
    st.builds("parseInt({})".format, field),
    st.builds("getField({})".format, st.one_of(field, st.sampled_from(['"a"', '"b"']))),
    st.builds("formatDuration({})".format, field),
    instant,
)  # fmt: skip
assignment = st.builds("{} := {}".format, field, st.one_of(simple, call, instant))
row_step = st.one_of(
    filters,
    assignment,
    st.builds("default({}, field=[{}, {}])".format, value.map('"{}"'.format), field, field),
    st.builds("rename({}, as={})".format, field, field),
    st.builds("drop([{}])".format, field),
    st.builds("eval(a={}, b={})".format, simple, simple),
    st.builds("setField(target={}, value={})".format,
              st.sampled_from(['"a"', '"q"', "d"]), operand),
    st.builds('regex("(?<{}>[a-z1]+)", field={}, strict={})'.format, st.sampled_from("bq"), field,
              st.sampled_from(["true", "false"])),
    st.builds("{}=/(?<q>[x1])/".format, field),
    st.builds("lower({})".format, field),
    st.builds("round({})".format, field),
)  # fmt: skip
frame_step = st.one_of(
    st.sampled_from([
        "parseJson(j)", "kvParse(k)", "kvParse(k, override=true)", "split(x)",
        'splitString(a, by=" ", as=s)', 'parseTimestamp("millis", field=t, as=ts)',
        'regex("(?<q>[x1])", field=a, repeat=true)',
    ]),
    st.builds('match(file="t.csv", field={}, column=k, strict={})'.format, field,
              st.sampled_from(["true", "false"])),
    st.builds('!match(file="t.csv", field={}, column=k)'.format, field),
    st.builds("join(query={{{}}}, field={}, key={}, include=[c], mode={})".format, comparison,
              field, field, st.sampled_from(["inner", "left"])),
    st.builds("selfJoinFilter({}, where=[{{{}}}, {{{}}}])".format, field, comparison, comparison),
)  # fmt: skip
any_step = st.one_of(row_step, row_step, row_step, frame_step)
clause = st.lists(any_step, min_size=1, max_size=3).map(" | ".join)
case = st.one_of(
    st.lists(st.one_of(clause, st.just("*")), min_size=1, max_size=4).map(
        lambda clauses: "case { " + " ; ".join(clauses) + " }"
    ),
    st.builds("{} match {{ {} => {} ; /^x/ => {} ; in(values=[1]) => * ; * => {} }}".format,
              field, value.map('"{}"'.format), clause, clause, row_step),
)  # fmt: skip
one_row = st.one_of(
    st.sampled_from(["count()", "selectLast([c, d])", "collect([d])"]),
    st.builds("{}({})".format,
              st.sampled_from(["sum", "avg", "min", "max", "range", "stdDev"]), field),
    st.builds("count({}, distinct=true, as=n)".format, field),
    st.builds("selectFromMax({}, include=[c])".format, field),
    st.builds("selectFromMin({}, include=[c])".format, field),
    st.builds("percentile({}, percentiles=[50, 90], as=p)".format, field),
    st.builds("{{{} | count(as=some)}}".format, comparison),
    st.builds("{{max({}) | m := _max * 2 | drop(_max)}}".format, field),
)  # fmt: skip
many_rows = st.one_of(
    st.builds("groupBy({}, function=count(as=inner))".format, st.sampled_from("cd")),
    st.builds("{{{} | groupBy(c) | count(as=groups)}}".format, comparison),
    st.just("{head(2) | select([c])}"),
    st.just("top(d, limit=2, as=best)"),
    st.just('array:reduceAll("x[]", var=e, function=[max(e), count(as=es)])'),
)
function_list = st.one_of(
    one_row,
    st.builds("[count(as=all), {}]".format, one_row),
    st.builds("[count(as=all), {}]".format, many_rows),
    st.just("[]"),
)
last = st.one_of(
    st.just("select([a, b, c, d, q, v, s, ts])"),
    st.builds("groupBy(a, function={}, limit=max)".format, function_list),
    st.builds("groupBy([b, a], function={})".format, function_list),
    st.builds("stats({})".format, st.one_of(one_row, many_rows)),
    st.builds("[count(as=all), n2 := max({})]".format, field),
    st.builds("top({}, limit=2)".format, field),
    st.builds("top([a, b], sum={})".format, field),
    st.builds("bucket(3s, field=a, function=count())".format),
    st.builds("timeChart(a, span=2s, function=[count(), sum(b)])".format),
    st.builds("sort([{}, {}], order={}, limit=4) | select([a, b])".format, field, field,
              st.sampled_from(["asc", "desc"])),
    st.builds("sort({}, type=string, order={}) | select([a, b])".format, field,
              st.sampled_from(["asc", "desc"])),
    st.builds("table([a, b, c], sortby={}, limit=3, order={})".format,
              st.sampled_from(["a", "@timestamp"]), st.sampled_from(["asc", "desc"])),
    st.sampled_from([
        "head(2) | select([a, b])", "tail(2) | select([a, b])", "sankey(source=a, target=b)",
        "select([a, b]) | fieldset() | sort(fieldset, type=string)",
        "groupBy(a) | transpose()", "worldMap(lat=lat, lon=lon)", 'readFile("t.csv")',
        'createEvents(["a=1", "b=2"]) | kvParse() | select([a, b])',
        'array:reduceAll("x[]", var=e, function=[groupBy(e)])',
    ]),
)  # fmt: skip
tables = st.one_of(
    st.just(""),
    st.just(""),
    st.builds('defineTable(query={{{} | select([a, c])}}, include=[a, c], name="u") | '
              '{} =~ match(file="u", column=a, include=c, strict=false) | '.format,
              comparison, field),
)  # fmt: skip
queries = st.builds(
    "{}{} | {}".format,
    tables,
    st.lists(st.one_of(any_step, any_step, case), min_size=1, max_size=4).map(" | ".join),
    last,
)
odd = {name: st.sampled_from(cells) for name, cells in ODD.items()}
rows = st.lists(
    st.fixed_dictionaries({}, optional={**dict.fromkeys(FIELDS, value), **odd}), max_size=6
)


@settings(max_examples=500)
@given(query=queries, events=rows)
def test_engine_gives_what_the_simple_interpreter_gives(query: str, events: list[Row]) -> None:
    result = run_query(query, _events(events), context=CONTEXT)

    world = World(_rows(events), now_ms=777, tables={"t.csv": TABLE})
    assert [_plain(row) for row in result.rows] == [_plain(row) for row in interpret(query, world)]


@settings(max_examples=300)
@given(text=conditions, events=rows)
def test_condition_holds_exactly_for_the_rows_the_engine_keeps(
    text: str, events: list[Row]
) -> None:
    condition = compile_condition(text)
    result = run_query(f"{text} | select([a, b, c, d])", _events(events), context=CONTEXT)

    kept = [{k: row[k] for k in FIELDS if k in row} for row in events if condition.holds(row)]
    assert parse_filter(text).ok
    assert result.rows == kept


def test_every_function_of_the_first_two_tiers_is_compared() -> None:
    seen: set[str] = set()
    # Whole queries alone would take many examples to show the rarest parts.
    parts = st.one_of(
        st.builds("a := {}".format, instant),
        st.builds("a := {}".format, call),
        st.builds("[{}]".format, one_row),
        last,
        last,
    )

    @settings(max_examples=1500, database=None, derandomize=True)
    @given(query=queries, part=parts)
    def write(query: str, part: str) -> None:
        trees = (parse_or_raise(query), parse_or_raise(part))
        calls = [node for tree in trees for node in walk(tree) if isinstance(node, Call)]
        seen.update(f.name for c in calls if (f := find(c.name)) is not None)

    write()

    wanted = {row.name for row in support() if row.tier <= 2}
    assert wanted - seen == set()


@pytest.mark.parametrize("field_name", FIELDS)
def test_interpreter_and_engine_agree_on_nothing(field_name: str) -> None:
    query = f"{field_name}=* | count()"

    assert run_query(query, _events([]), context=CONTEXT).rows == interpret(query, World([]))


def _rows(events: Sequence[Row]) -> list[Row]:
    return [
        {"@timestamp": str(1000 * i), "@id": str(i), "@rawstring": "", **row}
        for i, row in enumerate(events)
    ]


def _events(events: Sequence[Row]) -> Events:
    return Events.from_rows(_rows(events))


def _plain(row: Row) -> Row:
    """Return the row without the last digits of what sums in another order may differ in."""
    return {name: _short(cell) for name, cell in row.items()}


def _short(cell: str) -> str:
    whole, dot, rest = cell.partition(".")
    is_long = dot and len(rest) > 9 and rest.isdecimal() and whole.removeprefix("-").isdecimal()
    return f"{float(cell):.9f}" if is_long else cell
