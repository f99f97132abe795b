"""Checks of calls and events as data (tests/data/cql), and what their fixes give."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cql import QueryKind, lint
from orchestrator.cql.catalogue import functions
from orchestrator.cql.lint import CHECKS
from orchestrator.cql.lint import schema as schema_checks
from orchestrator.cql.span import LineIndex

DATA = Path(__file__).parents[2] / "data" / "cql"
SCHEMA_CODES = {check.code for check in schema_checks.CHECKS}


def lines(name: str) -> list[str]:
    text = (DATA / name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("# ")]


def found_in(text: str) -> list[str]:
    index = LineIndex(text)
    found = lint(text, kind=QueryKind.SEARCH)
    places = [(d.code, index.position(d.span.start)) for d in found]
    return [f"{code} {at.line}:{at.column}" for code, at in places]


@pytest.mark.parametrize("line", lines("arguments.txt"))
def test_call_is_linted_with_exactly_these_codes(line: str) -> None:
    text, _, expected = line.rpartition(" => ")

    assert (" ".join(found_in(text)) or "ok") == expected


@pytest.mark.parametrize("line", lines("schema.txt"))
def test_fields_are_checked_against_the_event(line: str) -> None:
    text, _, expected = line.rpartition(" => ")

    found = [place for place in found_in(text) if place.split()[0] in SCHEMA_CODES]

    assert (" ".join(found) or "ok") == expected


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ('if(c == 1, "a", "b")', 'if(c == 1, then="a", else="b")'),
        ("top(a, 10)", "top(a, limit=10)"),
        ("sort(a, desc, limit=max)", "sort(a, order=desc, limit=max)"),
        ('in(a, ["b"])', 'in(a, values=["b"])'),
        ("groupBy(a, [count(), max(b)], limit=max)",
         "groupBy(a, function=[count(), max(b)], limit=max)"),
        ("groupBy(by=[a], limit=max)", "groupBy(field=[a], limit=max)"),
        ("timeChart(interval=1h)", "timeChart(span=1h)"),
        ('default(a, "v")', 'default(field=a, "v")'),
        ("timeChart(1h)", "timeChart(span=1h)"),
        ("groupBy(a, function=count, limit=max)", "groupBy(a, function=count(), limit=max)"),
        ("array:contains(a, value=b)", 'array:contains("a[]", value=b)'),
        ("sort(a, order=descending, limit=max)", "sort(a, order=desc, limit=max)"),
        ('lower(a) | a="x"', 'a := lower(a) | a="x"'),
        ('lower("a b") | "a b"="x"', '"a b" := lower("a b") | "a b"="x"'),
        ("count(a, as=uniq)", "count(a, as=uniq, distinct=true)"),
        ("rdns(a)", "reverseDns(a)"),
        ("event_simpleName=X", "#event_simpleName=X"),
        ("#event_simpleName=processrollup2", "#event_simpleName=ProcessRollup2"),
        ("#event_simpleName=DnsRequest | Domainname=x",
         "#event_simpleName=DnsRequest | DomainName=x"),
    ],
)  # fmt: skip
def test_fix_leaves_a_query_without_findings(text: str, fixed: str) -> None:
    (found,) = lint(text, kind=QueryKind.SEARCH)

    assert found.fix is not None
    start, end = found.fix.span.start, found.fix.span.end
    assert text[:start] + found.fix.text + text[end:] == fixed
    assert found_in(fixed) == []


@pytest.mark.parametrize("name", sorted({f.name for f in functions().values()}))
@pytest.mark.parametrize(
    "arguments", ["", "[]", "a, b, c", "{a=1}, [[b]]", "x := 1", "?p, $q()", "as=as, field=[1, -2]"]
)
def test_no_call_is_too_odd_for_the_checks(name: str, arguments: str) -> None:
    text = f"#event_simpleName=DnsRequest | {name}({arguments}) | a=1"

    for found in lint(text, kind=QueryKind.SEARCH):
        assert 0 <= found.span.start <= found.span.end <= len(text)


@pytest.mark.parametrize(
    "step", ["lower(a)", "a := lower(b)", "a=1 or a=2", "groupBy(a, limit=max)", "case { a=1 ; * }"]
)
def test_work_grows_with_the_query_and_not_faster(step: str) -> None:
    # One pass over the steps for each step would take minutes here.
    text = "#event_simpleName=DnsRequest" + f" | {step}" * 2000

    lint(text + " | a=1", kind=QueryKind.SEARCH)


def test_what_a_check_says_about_itself_is_worth_reading() -> None:
    short = [check.code for check in CHECKS if len(check.about) < 30]

    assert short == []
