"""Cases as data: a text with a cursor in it, and what is said there (tests/data/lsp)."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.lsp.completion import Item, completion
from orchestrator.lsp.hover import hover
from orchestrator.lsp.lexemes import lex
from orchestrator.lsp.saved import SavedText

DATA = Path(__file__).parents[2] / "data" / "lsp"


def cases(name: str) -> list[str]:
    text = (DATA / name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("# ")]


def split(case: str) -> tuple[str, int, str]:
    """Return a case's text without its cursor, the cursor's offset, and what is expected."""
    shown, _, expected = case.rpartition(" => ")
    return shown.replace("¦", ""), shown.index("¦"), expected


def saved(name: str) -> SavedText | None:
    known = {"two": SavedText(name="two", path=Path("two.cql"), text="a=1\n| count()\n")}
    return known.get(name)


@pytest.mark.parametrize("case", cases("lexemes.txt"))
def test_piece_is_taken_for_what_it_most_likely_is(case: str) -> None:
    text, _, expected = case.rpartition(" => ")

    lexemes = lex(text.replace("\\n", "\n")).lexemes

    assert " ".join(lexeme.kind.name.lower() for lexeme in lexemes) == expected


@pytest.mark.parametrize("case", cases("completion.txt"))
def test_completion_offers_what_fits_the_place(case: str) -> None:
    text, offset, expected = split(case)
    items: list[Item] = completion(text, offset, saved=lambda: ["one", "two"])
    offered = {item.label for item in items}
    words = [word.replace("␣", " ") for word in expected.split()]

    if words[0] == "=":
        assert offered == set(words[1:])
    else:
        assert {word for word in words if word[0] != "!"} - offered == set()
        assert {word[1:] for word in words if word[0] == "!"} & offered == set()


@pytest.mark.parametrize("case", cases("hover.txt"))
def test_hover_says_what_is_known(case: str) -> None:
    text, offset, expected = split(case)

    shown = hover(text, offset, saved=saved)

    if expected == "nothing":
        assert shown is None
    else:
        markdown = shown.markdown if shown is not None else ""
        assert [part for part in expected.split(" && ") if part not in markdown] == []
