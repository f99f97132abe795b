from __future__ import annotations

import pytest

from orchestrator.cql.catalogue import functions
from orchestrator.engine.compile import compile_query
from orchestrator.engine.events import Events
from orchestrator.engine.run import Context, Limits, run_query
from orchestrator.engine.sources.lookups import Lookup
from orchestrator.engine.support import (
    Support,
    support,
    support_of,
    supported,
    unsupported,
)
from orchestrator.errors import CqlSemanticError, CqlSyntaxError, CqlUnsupported

CONTEXT = Context(start_ms=0, end_ms=10_000, now_ms=10_000)
EVENTS = Events.from_rows({"@timestamp": str(1000 * i), "a": str(i)} for i in range(3))


def test_compiled_query_runs_more_than_once() -> None:
    compiled = compile_query("a>0 | count()")

    first = compiled.run(EVENTS, context=CONTEXT)
    second = compiled.run(EVENTS, context=CONTEXT)
    assert first == second
    assert first.rows == [{"_count": "2"}]
    assert "a" in compiled.fields_read


def test_result_of_an_event_query_lists_the_fields_some_row_has() -> None:
    result = run_query("a=2 | b := nothing", EVENTS, context=CONTEXT)

    assert result.fields == ("@timestamp", "a", "@ingesttimestamp", "@rawstring", "@id")
    assert (result.is_aggregate, result.events_scanned) == (False, 3)


def test_result_of_an_aggregate_lists_its_fields_even_where_no_row_has_them() -> None:
    result = run_query("groupBy(a, function=collect(nothing))", EVENTS, context=CONTEXT)

    assert result.fields == ("a", "nothing")
    assert result.is_aggregate


@pytest.mark.parametrize(
    ("query", "name", "text"),
    [
        ("a=1 | remoteTable(a)", "remoteTable()", "remoteTable"),
        ("a=1 | [count(), copyEvent(b)]", "copyEvent()", "copyEvent"),
        ("brandNew(a)", "brandNew()", "brandNew"),
    ],
)
def test_compile_refuses_by_name_and_place(query: str, name: str, text: str) -> None:
    with pytest.raises(CqlUnsupported) as caught:
        compile_query(query)

    assert caught.value.name == name
    assert query[caught.value.start :].startswith(text)


@pytest.mark.parametrize(
    "query", ["count() | needle", "defineTable(query={a=1}, name=t)", "a match { x => count() }"]
)
def test_compile_refuses_what_logscale_refuses(query: str) -> None:
    with pytest.raises((CqlSemanticError, CqlSyntaxError)):
        compile_query(query)


def test_compile_of_broken_text_is_a_syntax_error() -> None:
    with pytest.raises(CqlSyntaxError):
        compile_query("a = ")


def test_ingest_time_bounds_the_window() -> None:
    events = Events.from_rows(
        [
            {"@timestamp": "1", "@ingesttimestamp": "20000", "a": "late"},
            {"@timestamp": "90000", "@ingesttimestamp": "5", "a": "early"},
        ]
    )
    context = Context(start_ms=0, end_ms=10_000, now_ms=0, use_ingest_time=True)

    result = run_query("select(a)", events, context=context)

    assert result.rows == [{"a": "early"}]


def test_limit_max_is_the_clusters_own() -> None:
    context = Context(start_ms=0, end_ms=10_000, now_ms=0, limits=Limits(groups=2))

    result = run_query("groupBy(a, limit=max)", EVENTS, context=context)

    assert len(result.rows) == 2
    assert result.warnings == ("groupBy kept 2 of 3 groups; raise its limit",)


@pytest.mark.parametrize(
    ("query", "warning"),
    [
        ("sort(n)", "sort() kept 200 rows, its default; raise its limit"),
        ("head()", "head() kept 200 rows, its default; raise its limit"),
        ("tail()", "tail() kept 200 rows, its default; raise its limit"),
        ("table(n)", "table() kept 200 rows, its default; raise its limit"),
        ("sort(n, limit=200)", None),
        ("n<200 | sort(n)", None),
        ("collect(n)", "collect() kept 2000 values of n; there may be more"),
        ("collect(n, limit=3)", None),
        ("bucket(1h, field=n)", "kept the 10 largest of 2500 series; raise its limit"),
        ("top(n)", None),
    ],
)
def test_default_limits_say_when_they_cut(query: str, warning: str | None) -> None:
    events = Events.from_rows({"@timestamp": str(i), "n": str(i)} for i in range(2500))

    result = run_query(query, events, context=CONTEXT)

    assert result.warnings == (() if warning is None else (warning,))


def test_lookup_is_not_changed_by_a_query() -> None:
    lookup = Lookup.from_csv("a,n\n1,one\n")
    context = Context(start_ms=0, end_ms=10_000, now_ms=0, lookups={"f.csv": lookup})

    run_query('match(file="f.csv", field=a)', EVENTS, context=context)

    assert lookup.frame.rows() == [("1", "one")]


def test_saved_queries_that_call_each_other_end() -> None:
    context = Context(start_ms=0, end_ms=1, now_ms=0, saved={"x": "$x()"})

    with pytest.raises(CqlSemanticError, match="deep"):
        run_query("$x()", EVENTS, context=context)


def test_support_gives_every_function_an_answer() -> None:
    rows = {row.name: row for row in support()}

    assert set(rows) == {function.name for function in functions().values()}
    assert all(row.why for row in rows.values() if not row.supported)
    assert [row.name for row in rows.values() if row.tier < 4 and not row.supported] == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GROUPBY", Support(name="groupBy", supported=True, tier=1, why="")),
        ("rdns", Support(name="reverseDns", supported=True, tier=3,
                         why="needs a table of host names")),
        ("copyEvent", Support(name="copyEvent", supported=False, tier=4,
                              why="it works in parsers alone, at ingest")),
        ("brandNew", Support(name="brandNew", supported=False, tier=4,
                             why="the function is not known here")),
    ],
)  # fmt: skip
def test_support_of_one_function(name: str, expected: Support) -> None:
    assert support_of(name) == expected


def test_support_covers_the_catalogue_without_overlap() -> None:
    names = {function.name for function in functions().values()}

    assert supported() | unsupported() == names
    assert not supported() & unsupported()
