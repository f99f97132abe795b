"""Laws of the linter: it never fails, points inside the text, and its fixes can be applied."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cql import Diagnostic, Fix, QueryKind, lint, parse

KINDS = st.sampled_from(list(QueryKind))
STEPS = st.sampled_from(
    [
        "#kind=open",
        "where a=1",
        "a=b c",
        'x contains "a"',
        "x is not null",
        "x : 5",
        'src_ip=10.* and x!=""',
        "a or b c or d",
        "x=/.*a.exe/",
        "x=/^(a|b)$/",
        "x=/abc/",
        "x=/cmd\\\\.exe/i",
        r'x="C:\Windows"',
        'x="/a/i"',
        "level := High",
        "age := now() - ProcessStartTime",
        'x := "a" + b',
        '"a-b"=* c := a-b',
        'case { a=1 | l := "x" ; b=1 | l = "y" ; * | false ; * }',
        'a match { 1 => l := "x" ; ** => l := "y" }',
        "groupBy([a, l], function=[count(), count(x), collect(@timestamp)])",
        "count() by x",
        "sort(l)",
        "head(5)",
        "stats count by x",
        "fields a, b",
        'match(file="f.csv", field=a, column=b, include=[c])',
        r'regex("(?<n>\d+)", field=x)',
        "table([a, n, c])",
        "correlate(A: {a=1}, B: {b=1 | x <=> A.x | y != A.y}, jitterTolerance=5s)",
        "!join({*}, field=a)",
        "a=?p",
        "$saved(a=b)",
        "drop()",
        "x=“a”",
    ]
)
QUERIES = st.lists(STEPS, min_size=1, max_size=6).map("\n| ".join)
SCRAPS = st.text(alphabet=" ab1=!<>|;:,(){}[]\"'/\\*?$~-+%&\n#.é\u200b“", max_size=6)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Return a query with a stretch of it cut out or replaced."""
    text = draw(QUERIES)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 20)))
    return text[:start] + draw(SCRAPS) + text[end:]


def apply(fixes: list[Fix], text: str) -> str:
    for fix in sorted(fixes, key=lambda f: f.span, reverse=True):
        text = text[: fix.span.start] + fix.text + text[fix.span.end :]
    return text


def by_code(found: list[Diagnostic]) -> dict[str, list[Fix]]:
    fixes: dict[str, list[Fix]] = {}
    for diagnostic in found:
        if diagnostic.fix is not None:
            fixes.setdefault(diagnostic.code, []).append(diagnostic.fix)
    return fixes


@settings(max_examples=200, deadline=None)
@given(QUERIES | mutated() | SCRAPS, KINDS)
def test_lint_never_fails_and_points_inside_the_text(text: str, kind: QueryKind) -> None:
    for found in lint(text, kind=kind):
        assert 0 <= found.span.start <= found.span.end <= len(text)
        assert found.message


@settings(max_examples=200, deadline=None)
@given(QUERIES | mutated(), KINDS)
def test_fixes_of_one_check_do_not_overlap(text: str, kind: QueryKind) -> None:
    for fixes in by_code(lint(text, kind=kind)).values():
        spans = sorted(fix.span for fix in fixes)
        assert all(before.end <= after.start for before, after in pairwise(spans))


@settings(max_examples=200, deadline=None)
@given(QUERIES, KINDS)
def test_fixes_of_one_check_leave_a_query_that_can_be_read(text: str, kind: QueryKind) -> None:
    if not parse(text).ok:
        return
    for code, fixes in by_code(lint(text, kind=kind)).items():
        fixed = apply(fixes, text)
        assert parse(fixed).ok, (code, fixed)
