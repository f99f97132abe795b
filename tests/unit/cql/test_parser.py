from __future__ import annotations

import pytest

from orchestrator.cql import Level, parse, parse_filter, parse_or_raise, print_query, walk
from orchestrator.cql.nodes import And, Bad, Comparison, Not, Or, Quoted, Word
from orchestrator.cql.parser.steps import StepParser
from orchestrator.errors import CqlSyntaxError


def test_or_without_parentheses_binds_tighter_than_and() -> None:
    (step,) = parse("a or b and c").query.pipeline.steps

    assert isinstance(step, And)
    assert isinstance(step.operands[0], Or)
    assert step.explicit == (True,)


def test_not_before_two_words_takes_the_first() -> None:
    (step,) = parse("not a b").query.pipeline.steps

    assert isinstance(step, And)
    assert isinstance(step.operands[0], Not)


def test_string_with_unknown_escape_keeps_the_backslash() -> None:
    (step,) = parse(r'x="a\W\"\\"').query.pipeline.steps

    assert isinstance(step, Comparison)
    assert isinstance(step.value, Quoted)
    assert step.value.value == 'a\\W"\\'


def test_comment_like_text_inside_word_is_text() -> None:
    parsed = parse("https: //x\n| http://y/ // z")

    assert [comment.text for comment in parsed.query.comments] == ["//x", "// z"]
    assert [n.text for n in walk(parsed.query) if isinstance(n, Word)] == ["https:", "http://y/"]


def test_step_that_cannot_be_read_leaves_the_others() -> None:
    parsed = parse("a=1 | x = (p) | b=2")

    kinds = [type(step).__name__ for step in parsed.query.pipeline.steps]
    assert kinds == ["Comparison", "Bad", "Comparison"]
    assert not parsed.ok


@pytest.mark.parametrize(
    "text",
    [
        "!" * 1000 + "a",
        "x := " + "1 + " * 1000 + "1",
        "x := " + "-" * 1000 + "1",
        "f(" * 1000,
        "[" * 1000,
        "case {" * 1000,
        "f({" * 1000,
    ],
)
def test_text_nested_too_deep_is_refused_not_crashed(text: str) -> None:
    parsed = parse(text)

    assert "too-deep" in {found.code for found in parsed.diagnostics}
    assert isinstance(parsed.query.pipeline.steps[0], Bad)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("(" * 100_000 + "a" + ")" * 100_000, "a"),
        ("x := " + "(" * 100_000 + "a" + ")" * 100_000, "x := a"),
        ("!(" * 60 + "a" + ")" * 60, "!" * 60 + "a"),
        ("(a or " * 4000 + "b" + ")" * 4000, None),
    ],
)
def test_parentheses_have_no_limit_of_their_own(text: str, printed: str | None) -> None:
    parsed = parse(text)

    assert parsed.ok == (printed is not None)
    assert printed is None or print_query(parsed.query) == printed


@pytest.mark.parametrize(
    "piece",
    [
        "a=1 | ",
        'in(x, values=["a", "b"]) ',
        "x := a + 1 | ",
        'x in ("a") | ',
        "/[/ ",
        '"\\"\n',
        "case { a=1 ; * } | ",
        "x := case(a) | ",
        "a ' b \n",
        ") ",
        "?",
        "a == b ",
        "/* x */ ",
    ],
)
def test_work_grows_with_the_text(piece: str) -> None:
    small, large = StepParser(piece * 200), StepParser(piece * 2000)
    small.query()
    large.query()

    assert large.steps_read <= 11 * small.steps_read


def test_hundred_kilobytes_are_read_whole() -> None:
    text = "| ".join(["a=1 b=/x/i "] * 8000)

    parsed = parse(text)

    assert len(text) > 100_000
    assert parsed.ok
    assert len(parsed.query.pipeline.steps) == 8000


def test_parse_or_raise_gives_the_first_error_and_its_place() -> None:
    with pytest.raises(CqlSyntaxError) as caught:
        parse_or_raise("a=1 | x == 2 | y == 3")

    assert (caught.value.start, caught.value.end) == (8, 10)
    assert "single `=`" in caught.value.problem


@pytest.mark.parametrize("text", ["", "a=1 | b=2", "a := 1", "case { a=1 }", "[count()]"])
def test_parse_filter_refuses_what_is_not_one_filter(text: str) -> None:
    parsed = parse_filter(text)

    assert "not-one-filter" in {found.code for found in parsed.diagnostics}
    assert not parsed.ok


def test_parse_filter_accepts_one_filter() -> None:
    parsed = parse_filter('host.role="k8s-node" (vector="IMDS*" or count > 3)')

    assert parsed.ok
    assert parsed.diagnostics == ()


def test_slash_in_class_is_a_hint_with_a_fix() -> None:
    (found,) = parse("x=/[/]y/").diagnostics

    assert found.level is Level.HINT
    assert found.fix is not None
    assert found.fix.text == "\\/"
