"""Laws of the parser and the printer over generated queries and over any text at all."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cql import QueryKind, lint, parse, print_query, walk
from orchestrator.cql.nodes import Node

WORDS = st.sampled_from(["a", "b.c[0]", "#kind", "@timestamp", "x1", "Ünïcode", "foo"])
VALUES = st.sampled_from(
    ["abc", "*", "a*b", "10", "-5", "m/n", '"q \\" r"', '""', "/a\\/b|[c-d]/i", "?p", '?{p="d"}']
)
COMPARISONS = st.builds(
    lambda field, sign, value: f"{field}{sign}{value}", WORDS, st.sampled_from(["=", "!="]), VALUES
) | st.builds("{} {} {}".format, WORDS, st.sampled_from(["<", ">="]), st.sampled_from("19"))
FREE = st.sampled_from(["foo-bar", '"a b"', "/re/F", "*", "true", '$saved(a="b")', "https://h/x"])


def expressions() -> st.SearchStrategy[str]:
    leaves = st.sampled_from(["a", "1", "2.5", '"t"', "5m", "?p", "f()", "b.c", "[a, 1]"])
    return st.recursive(
        leaves,
        lambda inner: (
            st.builds(
                "({} {} {})".format,
                inner,
                st.sampled_from(["+", "-", "*", "/", "%", "==", "<"]),
                inner,
            )
            | st.builds("-{}".format, inner)
            | st.builds("if({}, then={}, else={})".format, inner, inner, inner)
        ),
        max_leaves=6,
    )


def filters() -> st.SearchStrategy[str]:
    calls = st.sampled_from(['in(a, values=["b", c*])', "a =~ !in(values=[1])"])
    return st.recursive(
        COMPARISONS | FREE | calls,
        lambda inner: (
            st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or", ""]), inner)
            | st.builds("not {}".format, inner)
            | st.builds("!({})".format, inner)
        ),
        max_leaves=6,
    )


STEPS = st.recursive(
    filters() | st.builds("{} := {}".format, WORDS, expressions()),
    lambda inner: (
        st.builds("case {{ {} ; {} | {} ; * }}".format, inner, inner, inner)
        | st.builds('a match {{ "x" => {} ; * => {} }}'.format, inner, inner)
        | st.builds("groupBy([a], function={{ {} | count() }})".format, inner)
    ),
    max_leaves=5,
)
QUERIES = st.lists(STEPS, max_size=4).map(" | // note\n".join)


def shape(node: Node) -> list[tuple[object, ...]]:
    """Return the tree without its spans and texts."""
    return [
        (
            type(item).__name__,
            *(
                value
                for name in item.__dataclass_fields__
                if name not in ("raw", "body")
                and isinstance(value := getattr(item, name), str | bool)
                and not (name == "text" and type(item).__name__ == "Query")
            ),
        )
        for item in walk(node)
        if type(item).__name__ != "Comment"
    ]


@settings(max_examples=150, deadline=None)
@given(QUERIES)
def test_printed_query_parses_to_the_same_tree(text: str) -> None:
    parsed = parse(text)
    printed = print_query(parsed.query)

    again = parse(printed)

    assert parsed.ok, parsed.diagnostics
    assert again.ok, (printed, again.diagnostics)
    assert shape(again.query) == shape(parsed.query)
    assert print_query(again.query) == printed


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=" ab1=!<>|;:,(){}[]\"'/\\*?$~-+%&\n#.é", max_size=60))
def test_any_text_is_linted_without_exception_and_with_places_inside_it(text: str) -> None:
    for found in lint(text, kind=QueryKind.SEARCH):
        assert 0 <= found.span.start <= found.span.end <= len(text)


LEXEMES = [
    "case",
    "{",
    "}",
    "a",
    "=",
    "|",
    "or",
    "(",
    ")",
    "in(",
    "x",
    ":=",
    "match",
    "{",
    "=>",
    ";",
    "/",
    '"',
    "[",
    "]",
    "where",
    "groupBy(",
    "!",
    "not",
    ",",
    "//",
    "?",
    "$f",
    '"t"',
]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(LEXEMES), max_size=25))
def test_any_heap_of_lexemes_gives_a_tree(pieces: list[str]) -> None:
    text = " ".join(pieces)

    parsed = parse(text)

    assert parsed.query.text == text
    assert all(0 <= n.span.start <= n.span.end <= len(text) for n in walk(parsed.query))
