"""Fixes: what is applied, what is left, and that no query gets worse."""

from __future__ import annotations

import pytest

from orchestrator.cql import Diagnostic, Fix, Level, QueryKind, lint
from orchestrator.cql.fixes import apply_fixes, fix_query
from orchestrator.cql.lint import Waiver
from orchestrator.cql.span import Span


def said(
    start: int, end: int, text: str, code: str = "some-code", level: Level = Level.ERROR
) -> Diagnostic:
    span = Span(start, end)
    fix = Fix(span=span, text=text, label="write it")
    return Diagnostic(code=code, level=level, message="Wrong.", span=span, fix=fix)


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("x == 1", "x = 1"),
        ("host-name=a | where y=1", '"host-name"=a | y=1'),
        ('x in ("a", "b")', 'in(x, values=["a", "b"])'),
        ("x := 1 y == 2", "x := 1 | y = 2"),
        ("| | groupby(a, b,)", " | groupBy([a, b])"),
        ("a=1", "a=1"),
    ],
)
def test_fixes_are_applied_until_there_are_none(text: str, fixed: str) -> None:
    done = fix_query(text, kind=QueryKind.SEARCH)

    assert done.text.strip(" |") == fixed.strip(" |")
    assert all(item.fix is None for item in done.left)
    assert tuple(lint(done.text, kind=QueryKind.SEARCH)) == done.left


def test_of_two_that_overlap_the_first_is_applied() -> None:
    first, second, far = said(0, 3, "ab"), said(2, 5, "zz"), said(6, 7, "y")

    done = apply_fixes("abc d x", [second, first, far])

    assert done.text == "ab d y"
    assert done.applied == (first, far)
    assert done.left == (second,)


def test_fix_that_breaks_the_query_is_left_and_the_others_go_on() -> None:
    breaking, good = said(0, 1, "(("), said(4, 5, "y")

    done = apply_fixes("a=1 x", [breaking, good])

    assert done.text == "a=1 y"
    assert done.left == (breaking,)


def test_fix_that_swallows_a_comment_is_left() -> None:
    text = 'x in (\n  // why\n  "a"\n)'

    done = fix_query(text, kind=QueryKind.SEARCH)

    assert done.text == text
    assert [item.code for item in done.left] == ["infix-in"]


def test_fixes_that_undo_each_other_end() -> None:
    def swap(text: str) -> list[Diagnostic]:
        return [said(0, 1, "b" if text == "a" else "a")]

    done = fix_query("a", kind=QueryKind.SEARCH, check=swap)

    assert done.text == "b"
    assert len(done.applied) == 1


def test_nearest_name_is_a_guess_and_never_applied() -> None:
    text = "groupByy(a) | sort(a, limit=1, odrer=asc)"

    done = fix_query(text, kind=QueryKind.SEARCH)

    assert done.text == text
    assert {item.code for item in done.left if item.fix} == {
        "unknown-function",
        "unknown-parameter",
    }


def test_waived_check_is_not_fixed() -> None:
    waivers = [Waiver(code="function-spelling", reason="as in the vendor's page")]

    assert fix_query("groupby(a)", kind=QueryKind.SEARCH, waivers=waivers).text == "groupby(a)"


@pytest.mark.parametrize("level", [Level.WARNING, Level.HINT])
def test_query_that_runs_is_only_rewritten_where_it_finds_the_same(level: Level) -> None:
    changes = said(0, 1, "b", level=level)
    respells = said(0, 1, "b", code="function-spelling", level=level)

    assert apply_fixes("a", [changes]).left == (changes,)
    assert apply_fixes("a", [respells]).text == "b"
