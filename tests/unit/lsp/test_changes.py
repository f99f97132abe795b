"""Fixes, waivers, formatting: what the text is after each."""

from __future__ import annotations

import pytest

from orchestrator.cql import QueryKind, lint
from orchestrator.cql.span import Span
from orchestrator.lsp.edits import Action, Edit, actions, all_fixes, formatting


def applied(text: str, edits: list[Edit]) -> str:
    for edit in sorted(edits, key=lambda edit: edit.span, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def offered(text: str, at: str) -> list[Action]:
    start = text.index(at)
    found = lint(text, kind=QueryKind.SEARCH)
    return actions(text, Span(start, start + len(at)), found=found)


def test_fix_replaces_what_is_wrong_and_only_that() -> None:
    text = 'a=1 or b in ("x", "y") | c == 2'

    (fix,) = [action for action in offered(text, "b in") if action.is_fix]

    assert fix.title == "Fix: write it as CQL"
    assert applied(text, [fix.edit]) == 'a=1 or in(b, values=["x", "y"]) | c == 2'


def test_fixes_of_other_places_are_not_offered() -> None:
    assert [a for a in offered("c == 2 | a=1 | b=2", "b=2") if a.is_fix] == []


def test_all_fixes_at_once() -> None:
    text = "a == 1 | b == 2 | c in (3)"

    edits = all_fixes(lint(text, kind=QueryKind.SEARCH))

    assert applied(text, edits) == "a = 1 | b = 2 | in(c, values=[3])"


@pytest.mark.parametrize(
    ("text", "at", "after"),
    [
        (
            "a=1\n  | groupby(b)",
            "groupby",
            "a=1\n  // lint: allow function-spelling \n  | groupby(b)",
        ),
        ("a=1\r\n| groupby(b)", "groupby", "// lint: allow function-spelling \r\n"),
    ],
)
def test_waiver_stands_above_the_line_and_waits_for_its_reason(
    text: str, at: str, after: str
) -> None:
    waivers = [a for a in offered(text, at) if a.diagnostic.code == "function-spelling"]
    waiver = next(action for action in waivers if not action.is_fix)

    changed = applied(text, [waiver.edit])
    explained = changed.replace("function-spelling ", "function-spelling it is a test")

    assert after in changed
    assert "waiver-without-reason" in codes(changed)
    assert "function-spelling" not in codes(explained)
    assert "waiver-without-reason" not in codes(explained)


def test_error_of_the_grammar_cannot_be_waived() -> None:
    about = [a for a in offered("a == 1", "==") if a.diagnostic.code == "double-equals"]

    assert [action.is_fix for action in about] == [True]


def test_line_that_begins_inside_a_string_gets_no_waiver() -> None:
    """A comment put there would be text of the string."""
    text = 'x := "a\nb" | groupby(c)'

    codes_waived = [a.diagnostic.code for a in offered(text, "groupby") if not a.is_fix]

    assert codes_waived == []


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        ("a=1\n| b=2\n", []),
        ("a=1|b=2\n", [Edit(Span(3, 4), "\n| ")]),
        ("a=1 | b=2", [Edit(Span(3, 6), "\n| "), "\n"]),
        ("a = (", []),
        ("", []),
    ],
)
def test_formatting_changes_only_what_differs(text: str, edit: list[object]) -> None:
    edits = formatting(text)

    if edit and isinstance(edit[-1], str):
        assert applied(text, edits) == "a=1\n| b=2\n"
    else:
        assert edits == edit


def codes(text: str) -> set[str]:
    return {diagnostic.code for diagnostic in lint(text, kind=QueryKind.SEARCH)}
