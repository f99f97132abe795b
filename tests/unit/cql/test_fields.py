from __future__ import annotations

import pytest

from orchestrator.cql import fields_out, fields_read, parse_or_raise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1 b!=*", {"a", "b"}),
        ('x := lower(a) | y := x + c | z := "d"', {"a", "x", "c"}),
        ('in(field="#kind", values=[x])', {"#kind"}),
        ("a =~ in(values=[x])", {"a"}),
        ("test(a == b)", {"a", "b"}),
        ("groupBy([a, b], function=[max(c), { d=1 | count() }], limit=max)", set("abcd")),
        ("coalesce([a, b])", {"a", "b"}),
        ("rename([[a, b], [c, d]])", {"a", "c"}),
        ("x match { a => * }", {"x"}),
        ('formatTime("%Y", as=y)', {"@timestamp"}),
    ],
)
def test_fields_read_names_what_the_query_looks_at(text: str, expected: set[str]) -> None:
    assert fields_read(parse_or_raise(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1", None),
        ("groupBy([a, b])", {"a", "b", "_count"}),
        ("groupBy(a, function=[count(as=n), max(t, as=last)]) | x := n", {"a", "n", "last", "x"}),
        ("groupBy(a, function=collect([b])) | rename(field=b, as=c)", {"a", "c"}),
        ("table([a, b]) | drop(b)", {"a"}),
        ("count()", {"_count"}),
        ("n := count()", {"n"}),
        ("select([a, b])", {"a", "b"}),
        ("count() | $more()", None),
        ("[count(), max(x, as=m)]", {"_count", "m"}),
        ("count() | case { a=1 | b := 1 ; * | c := 1 }", {"_count", "b", "c"}),
    ],
)
def test_fields_out_names_what_exists_at_the_end(text: str, expected: set[str] | None) -> None:
    assert fields_out(parse_or_raise(text)) == expected
