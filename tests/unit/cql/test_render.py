"""Diagnostics as people read them: carets under the right columns, nothing hostile printed."""

from __future__ import annotations

import pytest

from orchestrator.cql import Diagnostic, Fix, Level, QueryKind, lint, render
from orchestrator.cql.render import render_place
from orchestrator.cql.span import Position, Span
from orchestrator.cql.width import visible, width


def shown(text: str, start: int, end: int, *, fix: Fix | None = None, colour: bool = False) -> str:
    found = Diagnostic(
        code="some-code", level=Level.ERROR, message="It is wrong.", span=Span(start, end), fix=fix
    )
    return render(found, text=text, path="q.cql", colour=colour)


@pytest.mark.parametrize(
    ("line", "mark", "columns"),
    [
        ("abc == 1", "==", 4),
        ("日本 == 1", "==", 5),
        ("e\u0301e\u0301 == 1", "==", 3),
        ("\ta == 1", "==", 6),
        ("a\tb == 1", "==", 6),
        ("\u202ea == 1", "==", 8),
        ("\x1b == 1", "==", 7),
    ],
)
def test_caret_stands_under_its_column(line: str, mark: str, columns: int) -> None:
    start = line.index(mark)

    source, carets = shown(line, start, start + len(mark)).splitlines()[3:5]

    assert width(source.partition("| ")[2].partition(mark)[0]) == columns
    assert carets == f"  | {' ' * columns}^^"


def test_wide_text_is_marked_over_its_whole_width() -> None:
    assert shown("a=日本", 2, 4).splitlines()[4] == "  |   ^^^^"


def test_span_over_lines_has_a_bar_from_its_start_to_its_end() -> None:
    text = "a=1\n| f(\n    x,\n    y\n  )\n| b"

    assert shown(text, text.index("f("), text.index(")") + 1).splitlines()[3:] == [
        "2 |   | f(",
        "  |  ___^",
        "3 | |     x,",
        "4 | |     y",
        "5 | |   )",
        "  | |___^",
    ]


def test_long_span_leaves_its_middle_out() -> None:
    text = "f(\n" + "".join(f"  a{number},\n" for number in range(20)) + ")"

    lines = shown(text, 0, len(text)).splitlines()[3:]

    assert [line.split("|")[0].strip() for line in lines] == [
        "1",
        "",
        "2",
        "3",
        "...",
        "21",
        "22",
        "",
    ]


def test_long_line_is_cut_around_its_place() -> None:
    text = "a=1 " * 100 + "b == 2" + " c=3" * 100
    start = text.index("==")

    source, carets = shown(text, start, start + 2).splitlines()[3:5]

    assert width(source) < 170
    assert source.index("==") == carets.index("^^")
    assert source.startswith("1 | …")
    assert source.endswith("…")


def test_fix_is_shown_as_the_line_before_and_after() -> None:
    fix = Fix(span=Span(2, 4), text="=", label="compare with =")

    assert shown("a == 1", 2, 4, fix=fix).splitlines()[5:] == [
        "  = fix: compare with =",
        "1 - a == 1",
        "1 + a = 1",
    ]


def test_nothing_in_the_query_reaches_the_terminal_as_a_control() -> None:
    text = 'a\x1b[2J == "b\u202e"\r\n| x\u2028 == 2'

    for found in lint(text, kind=QueryKind.SEARCH):
        out = render(found, text=text, path="evil\x1b\nname", colour=False)
        assert all(char == "\n" or visible(char) == char for char in out)


def test_colours_change_no_column() -> None:
    plain, painted = shown("a == 1", 2, 4), shown("a == 1", 2, 4, colour=True)

    assert painted != plain
    for code in ("\x1b[0m", "\x1b[34m", "\x1b[31m", "\x1b[1;31m"):
        painted = painted.replace(code, "")
    assert painted == plain


def test_problem_without_a_text_has_head_place_and_help() -> None:
    assert render_place(
        level=Level.ERROR,
        code="unknown-key",
        message="there is no key 'x\x07'.",
        help_text="Did you mean 'y'?",
        path="a/rule.yaml",
        at=Position(3, 5),
        colour=False,
    ).splitlines() == [
        "error[unknown-key]: there is no key 'x\\u0007'.",
        " --> a/rule.yaml:3:5",
        "  = help: Did you mean 'y'?",
    ]
