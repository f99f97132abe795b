from __future__ import annotations

import pytest

from orchestrator.engine.condition import compile_condition
from orchestrator.errors import CqlSemanticError, CqlSyntaxError, CqlUnsupported


@pytest.mark.parametrize(
    ("text", "fields", "expected"),
    [
        ('a="x*"', {"a": "xy"}, True),
        ('a="x*"', {"a": "Xy"}, False),
        ('a="x"', {}, False),
        ('a!="x"', {}, True),
        ('a!="x"', {"a": "x"}, False),
        ("a=*", {"a": ""}, True),
        ("a!=*", {"b": "1"}, True),
        ("a>9", {"a": "10"}, True),
        ("a>9", {"a": "ten"}, False),
        ("a<9", {}, False),
        ("a=1", {"a": "1.0"}, True),
        ('a like "b*d"', {"a": "abcde"}, True),
        ("a=/^B/i", {"a": "bc"}, True),
        (r"a=/x\/y$/", {"a": "ax/y"}, True),
        (r"a=/y$/", {"a": "y\n"}, False),
        (r"a=/^\w+$/", {"a": "ä"}, False),
        ("a!=/b/", {}, True),
        ("a=1 or b=1 c=1", {"a": "1"}, False),
        ("not a=1 b=1", {"b": "1"}, True),
        ('in(a, values=["x", "y*"])', {"a": "yes"}, True),
        ('!in(a, values=["x"])', {}, True),
        ('a=~in(values=["X"], ignoreCase=true)', {"a": "x"}, True),
        ('cidr(a, subnet="10.0.0.0/8")', {"a": "10.1.1.1"}, True),
        ('cidr(a, subnet="10.0.0.0/8")', {"a": "no address"}, False),
        ('wildcard(field=a, pattern="*B*", ignoreCase=true)', {"a": "abc"}, True),
        ('wildcard(field=a, pattern="B", ignoreCase=true)', {"a": "abc"}, True),
        ('wildcard(field=a, pattern="b")', {"a": "abc"}, False),
        ('regex("b\\\\d", field=a)', {"a": "ab1"}, True),
        ("text:contains(a, substring=b)", {"a": "xyz", "b": "y"}, True),
        ("needle", {"a": "a needle"}, True),
        ("/ne+dle/", {"a": "x"}, False),
        ("true", {}, True),
        ("(a=1 or b=2) and not c=3", {"b": "2", "c": "4"}, True),
    ],
)
def test_condition_means_what_logscale_says(
    text: str, fields: dict[str, str], expected: bool
) -> None:
    assert compile_condition(text).holds(fields) is expected


def test_condition_knows_the_fields_it_reads() -> None:
    condition = compile_condition(
        'a.b=1 (c!=2 or in(d, values=["x"])) text:contains(e, substring=f)'
    )

    assert condition.fields == {"a.b", "c", "d", "e", "f"}


@pytest.mark.parametrize("text", ["a=", "a=1 | b=2", "x := 1", "count()", ""])
def test_condition_that_is_not_one_filter_is_refused(text: str) -> None:
    with pytest.raises((CqlSyntaxError, CqlUnsupported)):
        compile_condition(text)


@pytest.mark.parametrize(
    "text", ["a=?p", "$saved()", "test(a == b)", 'cidr(a, file="f.csv", column=c)']
)
def test_condition_that_needs_more_than_a_row_is_refused_by_name(text: str) -> None:
    with pytest.raises(CqlUnsupported):
        compile_condition(text)


@pytest.mark.parametrize("text", ["a=/(?<=x)y/", 'cidr(a, subnet="300.0.0.0/8")'])
def test_condition_with_a_wrong_argument_is_refused(text: str) -> None:
    with pytest.raises((CqlSemanticError, CqlSyntaxError)):
        compile_condition(text)
