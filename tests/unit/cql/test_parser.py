from __future__ import annotations

from collections import Counter
from contextlib import suppress

import pytest

from orchestrator.cql import Level, parse, parse_filter, parse_or_raise, print_query, walk
from orchestrator.cql.nodes import (
    And,
    Argument,
    Arm,
    Array,
    Assignment,
    Attribute,
    Bad,
    Binary,
    Call,
    Case,
    Comment,
    Comparison,
    Duration,
    Match,
    Node,
    Not,
    Number,
    Or,
    Parameter,
    Pipeline,
    Quoted,
    Regex,
    SavedArgument,
    SavedQuery,
    Subquery,
    Unary,
    Word,
)
from orchestrator.cql.parser.scanner import ParseAborted
from orchestrator.cql.parser.steps import StepParser
from orchestrator.errors import CqlSyntaxError
from tests.unit.cql.test_data_cases import lines, places


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


def steps_read(text: str) -> int:
    parser = StepParser(text)
    with suppress(ParseAborted):
        parser.query()
    return parser.steps_read


REPEATED = [
    "a=1 | ",
    'in(x, values=["a", "b"]) ',
    "x := a + 1 | ",
    "x=/[/ ",
    '"\\"\n',
    "case { a=1 ; * } | ",
    "/* x */ ",
    "// x }\n",
    "a(b=1) | ",
    "foo in(x=1) ",
    "?",
    "[[a], {b}] | ",
    "a=1 or ",
    "`a` := 1 | ",
    "a\u00a0",
    # wrong, an error each time
    'x in ("a") | ',
    "x := case(a) | ",
    "a ' b \n",
    ") ",
    "a == b ",
    "x = | ",
    "(a | ",
    "f(a, b | ",
    "f([a // ]\n | ",
    "a := b := c | ",
    'x="a\n| ',
    "x=/a\n| ",
    '"""a',
    "stats a, b | ",
    "a=<x> ",
]


@pytest.mark.parametrize("piece", REPEATED)
def test_work_grows_with_the_text(piece: str) -> None:
    # Few enough that reading does not stop for the number of errors.
    assert steps_read(piece * 900) <= 11 * steps_read(piece * 90)


@pytest.mark.parametrize(
    ("before", "piece", "after"),
    [
        ("", "a", ""),
        ("a:", "b:", ""),
        ('x="', "a", '"'),
        ('x="', "\\\\", '"'),
        ("x=/", "[a/]\\d", "/i"),
        ("x := ", "1", ""),
        ("case { ", "a=1 | b := 2 ; ", "* }"),
        ("x match { ", "a => b := 1 ; ", "* => * }"),
        ("in(x, values=[", '"a", ', '"z"])'),
        ("eval(", "a=b+1, ", "c=1)"),
        ("a=1", " or b=2", ""),
        ("a=1", " and b=2", ""),
        ("x := 1", " + 1 * 2", ""),
        ("x := ", "-", "1"),
        ("", "!", "a"),
        ("", "not ", "a"),
        ("", "(", ""),
        ("x := ", "(", ""),
        ("", "{", ""),
        ("", '"', ""),
        ("", "/", ""),
        ("", "a /* ", ""),
        ("f(", ",", ")"),
        ("f(", "{a},", ")"),
        ("x = (", " /[", ""),
        ("", " ", "a"),
    ],
)
def test_one_long_construct_costs_its_length(before: str, piece: str, after: str) -> None:
    def work(count: int) -> int:
        return steps_read(before + piece * count + after)

    assert work(9000) <= 11 * work(900)


@pytest.mark.parametrize(
    "opener", ["(", "x := (", "f(", "[", "{", "case { ", "f({", "f([", "a in(q={"]
)
@pytest.mark.parametrize("closer", ["", ")", "]", "}", ")]}"])
def test_brackets_inside_each_other_cost_their_number(opener: str, closer: str) -> None:
    assert steps_read(opener * 800 + "a" + closer * 800) <= 11 * steps_read(
        opener * 80 + "a" + closer * 80
    )


def test_calls_beside_text_inside_each_other_are_read_once_each() -> None:
    def work(depth: int) -> int:
        return steps_read("a in(q={" * depth + "b" + "})" * depth)

    assert work(24) <= 3 * work(12)


def test_a_megabyte_of_steps_is_read_whole() -> None:
    text = "| ".join(["a=1 b=/x/i "] * 80_000)

    parsed = parse(text)

    assert len(text) > 1_000_000
    assert parsed.ok
    assert len(parsed.query.pipeline.steps) == 80_000


def test_reading_stops_after_a_thousand_errors_and_says_so() -> None:
    parsed = parse("x == 1 | " * 5000)

    codes = Counter(found.code for found in parsed.diagnostics)
    assert codes == {"double-equals": 1000, "too-many-errors": 1}
    assert isinstance(parsed.query.pipeline.steps[0], Bad)


def test_warnings_and_hints_are_not_counted_as_errors() -> None:
    parsed = parse("x=/[/]/ | " * 2000)

    assert parsed.ok
    assert len(parsed.diagnostics) == 2000


@pytest.mark.parametrize("line", lines("notes.txt"))
def test_accepted_text_is_remarked_on_with_code_and_place(line: str) -> None:
    text, _, expected = line.rpartition(" => ")
    text = text.replace("\\n", "\n").replace("\\u00a0", "\u00a0")

    parsed = parse(text)

    assert parsed.ok, parsed.diagnostics
    assert (places(text, [(d.code, d.span.start) for d in parsed.diagnostics]) or "ok") == expected


@pytest.mark.parametrize("line", [*lines("notes.txt"), *lines("errors.txt")])
def test_fix_leaves_nothing_to_say_about_its_place(line: str) -> None:
    text = line.rpartition(" => ")[0].replace("\\n", "\n").replace("\\u00a0", "\u00a0")
    for found in parse(text).diagnostics:
        if found.fix is None:
            continue

        span = found.fix.span
        fixed = parse(text[: span.start] + found.fix.text + text[span.end :])

        assert (found.code, found.span.start) not in {
            (left.code, left.span.start) for left in fixed.diagnostics
        }


def texts_of(kind: type[Node], text: str) -> list[str]:
    query = parse(text).query
    return [text[n.span.start : n.span.end] for n in walk(query) if isinstance(n, kind)]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (And, "(a) b | c (d or e) ", ["(a) b", "c (d or e)"]),
        (Or, "((a) or not (b)) c", ["(a) or not (b)"]),
        (Not, "not (a b) /* c */ | ! (d)", ["not (a b)", "! (d)"]),
        (Comparison, '"a b" = c // d\n | e<?f', ['"a b" = c', "e<?f"]),
        (Binary, "x := (a + b) * (c) | y", ["(a + b) * (c)", "a + b"]),
        (Unary, "x := -( a ) ", ["-( a )"]),
        (
            Assignment,
            "x := (a) // b\n | y := [z := (1) ]",
            ["x := (a)", "y := [z := (1) ]", "z := (1)"],
        ),
        (Argument, "f( a = (b) , ((c)) /* d */)", ["a = (b)", "((c))"]),
        (Array, "[ f() ] | x := [a , b ]", ["[ f() ]", "[a , b ]"]),
        (Call, "!f(a) | g (h:i()) ", ["f(a)", "h:i()"]),
        (Case, "case { a ; b } | c", ["case { a ; b }"]),
        (Match, '"x y" match { a => b } ', ['"x y" match { a => b }']),
        (Arm, "x match { a => b := (1) ; * => c }", ["a => b := (1)", "* => c"]),
        (Subquery, 'f({ a }, "L": { b } include: (c) )', ["{ a }", '"L": { b } include: (c)']),
        (Attribute, "f(A: { b } include: [c] )", ["include: [c]"]),
        (Parameter, 'a=?{ "b" = c } ?d | x := ?e+1', ['?{ "b" = c }', "?d", "?e"]),
        (SavedQuery, '$a/b:c( d = "e" ) | f', ['$a/b:c( d = "e" )']),
        (SavedArgument, "$a(b = ?c , d=e)", ["b = ?c", "d=e"]),
        (Regex, "/a/i | b=/c/F ", ["/a/i", "/c/F"]),
        (Duration, "x := 5m + 2 hours", ["5m", "2 hours"]),
        (Number, "a > -1.5 | x := 1e3", ["-1.5", "1e3"]),
        (Pipeline, "case { a | b ; c }", ["case { a | b ; c }", "a | b", "c"]),
        (Comment, "a // b\r\n | c /* d\n */", ["// b", "/* d\n */"]),
        (Bad, "a=1 | x = (b | c=2) | d=3", ["x = (b | c=2)"]),
    ],
)
def test_node_covers_what_was_written_of_it(
    kind: type[Node], text: str, expected: list[str]
) -> None:
    assert texts_of(kind, text) == expected


@pytest.mark.parametrize(
    "text", ["a \x1b", "x = \x1b", "x := \x1b", "x match { \x1b => y }", "f(a \x1b)"]
)
def test_a_character_that_a_terminal_may_obey_is_named_by_its_number(text: str) -> None:
    (found,) = parse(text).diagnostics

    assert "U+001B" in found.message
    assert "\x1b" not in found.message + found.help


def test_comments_in_what_is_skipped_are_kept() -> None:
    parsed = parse("(a | b // one )\n c) | x = (d // two\n) | e // three")

    assert [comment.text for comment in parsed.query.comments] == ["// one )", "// two", "// three"]


def test_unclosed_brace_behind_a_comment_names_the_comment() -> None:
    (found,) = parse("case { // first a=1 ; * }").diagnostics

    assert found.code == "unclosed-brace"
    assert "comment" in found.help


def test_saved_query_takes_a_parameter_for_an_argument() -> None:
    (call,) = parse_or_raise('$f(a=?{b="c"}, d=e)').pipeline.steps

    assert isinstance(call, SavedQuery)
    values = [argument.value for argument in call.arguments]
    assert isinstance(values[0], Parameter)
    assert (values[0].default, values[1]) == ("c", "e")


def test_assignment_to_a_back_quoted_field_reads_as_the_function_for_it() -> None:
    assert print_query(parse_or_raise("`a` := b + 1")) == "setField(target=a, value=b + 1)"


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
