"""Laws of the parser and the printer: over trees of every kind, and over any text at all."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.cql import nodes, parse, parse_filter, print_query, walk
from orchestrator.cql.nodes import Node, Pipeline, Query
from orchestrator.cql.span import Span
from tests.fuzz_cql import problem_of, shape
from tests.property.cql_trees import PIPELINES


@settings(max_examples=400, deadline=None)
@given(PIPELINES)
def test_any_tree_prints_as_a_query_that_reads_as_the_same_tree(tree: Pipeline) -> None:
    printed = print_query(Query(span=Span(0, 0), pipeline=tree, comments=(), text=""))

    again = parse(printed)

    assert again.ok, (printed, again.diagnostics)
    assert shape(again.query.pipeline) == shape(tree), printed
    assert print_query(again.query) == printed


def test_trees_of_every_node_kind_are_drawn() -> None:
    seen: set[type[Node]] = set()

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(PIPELINES)
    def draw(tree: Pipeline) -> None:
        seen.update(type(node) for node in walk(tree))

    draw()

    kinds = {
        kind
        for kind in vars(nodes).values()
        if isinstance(kind, type) and issubclass(kind, Node) and kind is not Node
    }
    # Comments are not printed, `Bad` stands for what was refused, a query holds the text.
    assert kinds - seen == {nodes.Comment, nodes.Bad, nodes.Query}


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=80) | st.text(alphabet="ab1=!<>|;:,(){}[]\"'/\\*?$~-+%&\n#.é` ", max_size=80)
)
@example('"x" => y')
@example("\ud800")
@example("x match { a => b\u2028 ; c => d }")
@example("or =\u00a0~ !format()")
@example("a\u2028b // c\u2029| d")
@example("x := 1 < { a ; b /x/d//| c }")
@example("x match {=")
@example("x := match {")
@example("in(a, values=[\n, limit=1)")
@example("`a` := `b` := c")
def test_any_text_gives_a_tree_and_places_inside_it(text: str) -> None:
    assert problem_of(text) is None


LEXEMES = st.sampled_from(
    ["case", "{", "}", "a", "=", "|", "or", "(", ")", "in(", "in (", "x", ":=", "match {", "=>",
     ";", "/", '"', "[", "]", "where", "groupBy(", "!", "not", ",", "//", "\n", "?", "?{", "$f",
     "`", "<", "==", "=~", "like", "'", "/*", "[]", "A: {", "include:"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(LEXEMES, max_size=30), st.sampled_from(["", " "]))
def test_any_heap_of_lexemes_gives_a_tree(pieces: list[str], joint: str) -> None:
    assert problem_of(joint.join(pieces)) is None


@settings(max_examples=200, deadline=None)
@given(st.lists(LEXEMES, max_size=12).map(" ".join))
def test_a_text_is_one_filter_or_is_refused(text: str) -> None:
    parsed = parse_filter(text)

    assert not parsed.ok or len(parsed.query.pipeline.steps) == 1
