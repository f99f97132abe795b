"""Laws of the formatter: the tree stays, every comment stays, the second time changes nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from orchestrator.cql import parse
from orchestrator.cql.format import format_query, lay_out
from orchestrator.cql.nodes import Node, Query
from orchestrator.cql.printer import print_pipeline
from orchestrator.cql.walk import walk
from tests.property.cql_trees import PIPELINES
from tests.property.test_cql_laws import LEXEMES

QUERIES = PIPELINES.map(print_pipeline)
RULES = sorted((Path(__file__).parents[2] / "queries").glob("*/query.cql"))
COMMENTS = st.sampled_from(
    ["// {}\n", "\n// {}\n", "\n\n  // {} */\n", "/* {} */", " /* {}\n */ ", "\n/* {} */\n"]
)


def tree(query: Query) -> list[tuple[object, ...]]:
    """Return all that the tree holds but its places and its text."""
    return [
        (
            type(node).__name__,
            *(
                value
                for field in fields(node)
                if not field.name.endswith("span")
                and not isinstance(value := getattr(node, field.name), Node)
                and not (isinstance(value, tuple) and any(isinstance(v, Node) for v in value))
            ),
        )
        for node in walk(query.pipeline)
    ]


def comments(query: Query) -> Counter[str]:
    return Counter(comment.text.rstrip() for comment in query.comments)


def assert_lawful(text: str) -> None:
    """Assert all laws for one query without errors."""
    before = parse(text)
    assert before.ok, before.diagnostics

    laid = format_query(before.query)

    after = parse(laid)
    assert after.ok, (laid, after.diagnostics)
    assert tree(after.query) == tree(before.query), laid
    assert comments(after.query) == comments(before.query), laid
    assert format_query(after.query) == laid


def with_comment(text: str, place: int, comment: str) -> str:
    """Return the text with a comment at `place`, if one can stand there."""
    place = place % (len(text) + 1)
    number = str(len(parse(text).query.comments))
    changed = text[:place] + comment.format(number) + text[place:]
    before, after = parse(text), parse(changed)
    added = len(after.query.comments) == len(before.query.comments) + 1
    kept = after.ok and tree(after.query) == tree(before.query)
    return changed if added and kept else text


# No shrinking: it would cost minutes, and what fails is short enough to read.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


@settings(max_examples=150, deadline=None, phases=PHASES)
@given(
    QUERIES.filter(lambda text: parse(text).ok),
    st.lists(st.tuples(st.integers(0, 10_000), COMMENTS), max_size=6),
)
def test_layout_keeps_tree_and_comments_and_is_stable(
    text: str, noise: list[tuple[int, str]]
) -> None:
    for place, comment in noise:
        text = with_comment(text, place, comment)

    assert_lawful(text)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.parent.name)
def test_layout_of_each_rule_is_lawful(path: Path) -> None:
    assert_lawful(path.read_text(encoding="utf-8"))


@settings(max_examples=40, deadline=None, phases=PHASES)
@given(st.sampled_from(RULES), st.data())
def test_comment_anywhere_in_a_rule_survives(path: Path, data: st.DataObject) -> None:
    text = path.read_text(encoding="utf-8")
    for _ in range(3):
        place = data.draw(st.integers(0, len(text)))
        text = with_comment(text, place, data.draw(COMMENTS))

    assert_lawful(text)


@settings(max_examples=150, deadline=None, phases=PHASES)
@given(st.lists(LEXEMES | st.sampled_from(["// c\n", "/* c */", "\n"]), max_size=20))
def test_any_heap_of_lexemes_is_laid_out_lawfully(pieces: list[str]) -> None:
    """A tree with errors has some layout; one without, a lawful one."""
    query = parse(" ".join(pieces)).query

    laid = lay_out(query)

    assert laid == "" or laid.endswith("\n")
    if parse(query.text).ok:
        assert_lawful(query.text)
