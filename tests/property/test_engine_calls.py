"""Any call of any function with any arguments gives rows or an error of the query, no crash."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cql.catalogue import Function, functions
from orchestrator.cql.parser import parse
from orchestrator.engine.events import Events
from orchestrator.engine.run import Context, run_query
from orchestrator.engine.sources.lookups import Lookup
from orchestrator.engine.sources.providers import Indicator, Providers
from orchestrator.errors import CqlError

KNOWN = sorted({f.name: f for f in functions().values()}.values(), key=lambda f: f.name)
EVENTS = Events.from_rows(
    [
        {"@timestamp": "0", "@rawstring": "a=1 b", "a": "1", "b": "x y", "c[0]": "1", "c[1]": "z"},
        {"@timestamp": "1000", "@rawstring": '{"a": 1}', "a": "-2.5", "b": "", "c[0].d": "5"},
        {"@timestamp": "5000", "a": "99999999999999999999", "d": "10.0.0.1", "b": "\x00ä"},
    ]
)
CONTEXT = Context(
    start_ms=0,
    end_ms=10_000,
    now_ms=10_000,
    lookups={"t.csv": Lookup.from_csv("a,b\n1,one\n*,any\n10.0.0.0/8,net\n")},
    saved={"s": "a=*"},
    arguments={"p": "a"},
    providers=Providers(
        indicators=(Indicator(type="domain", indicator="x", confidence="high", columns={}),),
        host_names={},
        salts={"a": "salt"},
    ),
)
leaves = st.sampled_from(
    [
        "a", "b", "c", "nothing", '"c[]"', '"t.csv"', '"a"', '""', '"*"', '"("', '"%s"', '"%d%"',
        "0", "1", "-1", "2.5", "99999999999", "max", "true", "false", "1s", "5m", "0s", "?p",
        "asc", "string", "number", '"UTC"', '"nowhere"', "@timestamp", "*", '"\\\\"', "200", "auto",
        '"yyyy-MM-dd"', '"MB"', '"b to c"', "domain", "left", "glob", "cidr", "count", "after",
        '"10.0.0.0/8"', '"="', '","',
    ]
)  # fmt: skip
values = st.one_of(
    leaves,
    leaves,
    st.lists(leaves, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
    st.sampled_from(
        [
            "count()", "[count(), max(a)]", "{a=1}", "{a=* | count()}", "[{a=1}, {b=*}]", "{}",
            "[[a, b], [b, c]]", "[[0, a], [63, b]]", "[[1]]", "a + 1", "a == 1", "upper(a)",
            "{c := a}", "groupBy(a)", "{x := a | x=1}", "test(a == 1)", "in(a, values=[1])", "$s()",
            "[a := 1]", "-a", "!a", "{$s()}", "sort(a)", "[]", "{head(1)}", "{split(c)}",
        ]
    ),
)  # fmt: skip


@st.composite
def calls(draw: st.DrawFn) -> str:
    function: Function = draw(st.sampled_from(KNOWN))
    parts = []
    for parameter in function.parameters:
        if parameter.required or draw(st.booleans()):
            value = draw(values)
            is_bare = parameter.unnamed and draw(st.booleans())
            parts.append(value if is_bare else f"{parameter.name}={value}")
    if function.is_open:
        parts += [f"{name}={draw(values)}" for name in draw(st.lists(st.sampled_from("ab")))]
    return f"{function.name}({', '.join(parts)})"


places = st.sampled_from(
    [
        "{}", "{}", "x := {}", "head() | {}", "groupBy(b, function={})", "a=1 or {}", "!{}",
        "case {{ {} ; * }}", "a =~ {}", "test({})", "count() | {}", "[count(as=n), {}]",
        "groupBy(b, function={{a=* | {}}})", "sort(a) | groupBy(b, function={})",
    ]
)  # fmt: skip


@settings(max_examples=600)
@given(place=places, call=calls())
def test_any_call_gives_rows_or_an_error_of_the_query(place: str, call: str) -> None:
    text = place.format(call)
    if not parse(text).ok:
        return
    error, rows = _outcome(text)

    assert error is None or 0 <= error.start <= error.end <= len(text)
    assert all(isinstance(cell, str) for row in rows for cell in row.values())


def _outcome(text: str) -> tuple[CqlError | None, list[dict[str, str]]]:
    try:
        return None, run_query(text, EVENTS, context=CONTEXT).rows
    except CqlError as exc:
        return exc, []
