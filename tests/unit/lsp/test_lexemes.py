"""The lexemes: the brackets open at the end of a text, and that the work grows with the text."""

from __future__ import annotations

import sys
from types import FrameType

import pytest

from orchestrator.lsp.lexemes import lex


def test_open_brackets_are_kept_with_what_was_written_in_them() -> None:
    frames = lex('defineTable(name="t", query={ a=1 | groupBy([b], function=[count(as=').frames

    assert [(frame.opener, frame.call) for frame in frames] == [
        ("", ""), ("(", "defineTable"), ("{", ""), ("(", "groupBy"), ("[", ""), ("(", "count"),
    ]  # fmt: skip
    assert frames[1].given == ["name"]
    assert frames[3].given == [""]
    assert [frame.argument for frame in frames] == ["", "query", "", "function", "", "as"]


def test_closer_that_fits_no_bracket_is_passed_over() -> None:
    assert [frame.opener for frame in lex("f( ] a } b").frames] == ["", "("]


@pytest.mark.parametrize("piece", ['"\\"\n', "a=/", "x:=/", "f(/", "case {", '$"', "in("])
def test_work_grows_with_the_text(piece: str) -> None:
    """Counted in calls, of which each lexeme has a few whatever stands before it."""
    once, twice = calls_of(piece * 200), calls_of(piece * 400)

    assert twice < 2.3 * once


def calls_of(text: str) -> int:
    count = 0

    def counting(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        lex(text)
    finally:
        sys.setprofile(before)
    return count
