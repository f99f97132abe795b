"""Globs in Python, held against the plain reading of what a star is."""

from __future__ import annotations

import itertools
import re

import pytest

from orchestrator.engine.patterns.globs import parse_glob


@pytest.mark.parametrize("anchored", [True, False])
def test_glob_matches_what_stars_stand_for(anchored: bool) -> None:
    texts = ["".join(letters) for n in range(6) for letters in itertools.product("ab", repeat=n)]
    for letters in itertools.product("ab*", repeat=4):
        glob = "".join(letters)
        plain = re.compile(".*".join(re.sub(r"\*+", "*", glob).split("*")), re.DOTALL)
        matches = plain.fullmatch if anchored else plain.search
        pattern = parse_glob(glob).python(anchored=anchored)

        wrong = [t for t in texts if bool(pattern.search(t)) != bool(matches(t))]
        assert wrong == [], glob


@pytest.mark.parametrize(
    ("glob", "text", "matches"),
    [
        ("A*B", "a\nxb", True),
        ("*.EXE", "c:\\\\x.exe", True),
        ("a.c*", "abc", False),
        ("é*ü", "É-Ü", True),
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
    ],
)
def test_glob_ignores_case_and_takes_everything_else_as_it_is(
    glob: str, text: str, matches: bool
) -> None:
    assert bool(parse_glob(glob).python(ignore_case=True).search(text)) is matches


@pytest.mark.parametrize("anchored", [True, False])
def test_glob_of_many_stars_ends_on_a_text_made_against_it(anchored: bool) -> None:
    """With a way back from each star this would take longer than anybody lives."""
    pattern = parse_glob("*a" * 30 + "b").python(anchored=anchored)

    assert pattern.search("a" * 5_000) is None
