"""The layout of queries: cases as data (tests/data/cql/format.txt), and the odd ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cql.format import WIDTH, format_query, format_text
from orchestrator.cql.format.proof import read_alike
from orchestrator.cql.parser import parse
from orchestrator.errors import CqlSyntaxError

DATA = Path(__file__).parents[2] / "data" / "cql" / "format.txt"


def cases() -> list[tuple[str, str, str]]:
    found = []
    for block in DATA.read_text("utf-8").split("=== ")[2:]:
        title, _, rest = block.partition("\n")
        text, _, laid = rest.partition("\n---\n")
        found.append((title, text, laid.rstrip("\n") + "\n"))
    return found


@pytest.mark.parametrize(("title", "text", "laid"), cases(), ids=[case[0] for case in cases()])
def test_text_has_this_layout(title: str, text: str, laid: str) -> None:
    assert format_text(text) == laid, title
    assert format_text(laid) == laid, title


@pytest.mark.parametrize("text", ["", " \n", "|"])
def test_nothing_stays_nothing(text: str) -> None:
    assert format_text(text) == ""


def test_comment_alone_stays() -> None:
    assert format_text("\n\n// nothing yet") == "// nothing yet\n"


def test_windows_line_breaks_stay() -> None:
    assert format_text("a\r\n|b // c\r\n") == "a\r\n| b // c\r\n"


def test_string_over_lines_is_not_touched() -> None:
    text = 'createEvents(["one\n  two", "three"])\n'

    assert format_text(text) == 'createEvents([\n  "one\n  two",\n  "three"\n])\n'


def test_comment_that_ends_in_a_block_sign_swallows_nothing() -> None:
    text = "case { a // one */\n ; // two\n b }"

    laid = format_text(text)

    assert parse(laid).ok
    assert laid.count("//") == 2
    assert "b\n" in laid


def test_wide_characters_count_by_their_columns() -> None:
    narrow, wide = "a" * 40, "日" * 40

    assert format_text(f'f(x="{narrow}", y="{narrow}")').count("\n") == 1
    assert format_text(f'f(x="{wide}", y="{narrow}")').count("\n") == 4


def test_line_of_exactly_the_width_stays_whole() -> None:
    line = "f(" + ", ".join(f"a{number}=1" for number in range(14))
    fits = f'{line}, z="{"x" * (WIDTH - len(line) - 7)}")'

    assert len(fits) == WIDTH
    assert format_text(fits) == f"{fits}\n"
    assert format_text(fits.replace('"x', '"xx')).count("\n") == 17


def test_text_with_an_error_is_refused_with_its_place() -> None:
    with pytest.raises(CqlSyntaxError) as caught:
        format_text("a=1\n| b == 2")

    assert (caught.value.start, caught.value.end) == (8, 10)


def test_deep_query_is_laid_out_without_recursion_trouble() -> None:
    text = "not (a " * 40 + "b" + ")" * 40

    assert format_text(format_text(text)) == format_text(text)


def test_long_query_takes_time_in_proportion() -> None:
    """Each comment finds its place by looking at its own neighbours."""
    text = "".join(f"| a{number}=1 // {number}\n" for number in range(2_000))

    laid = format_query(parse(text).query)

    assert laid.count("\n") == 2_000
    assert laid.endswith("| a1999=1 // 1999\n")


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("a=1", "a=2"),
        ("a b", "a | b"),
        ("a and b", "a b"),
        ('a="b"', "a=b"),
        ("a // c", "a"),
        ("a", "a | b"),
        ("x := a - (b - c)", "x := a - b - c"),
        ("case { a ; b }", "case { a | b }"),
    ],
)
def test_proof_sees_every_change(text: str, other: str) -> None:
    assert read_alike(parse(text).query, other) is None
    assert read_alike(parse(text).query, text) is not None


def test_text_that_cannot_be_laid_out_comes_back_as_it_was() -> None:
    text = "a=1|f(b"

    assert format_query(parse(text).query) == text
