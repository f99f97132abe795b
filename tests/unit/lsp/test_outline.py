"""The outline, what folds, what colour it has, where a name comes from, which call it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cql.span import Span
from orchestrator.lsp.definition import Target, definition
from orchestrator.lsp.highlight import Tone, highlights
from orchestrator.lsp.outline import Symbol, SymbolKind, folds, symbols
from orchestrator.lsp.signature import signature

QUERY = """\
// first
// second
defineTable(name="hits", query={
    x := 1
    | count()
  }, include=[x])
| #kind=a   "two  words"
| case {
    a=1 | y := 2 ;
    *
  }
| aid match { "a" => z := 1 ; * => * }
| [count()]
| $other()
"""


def tree(found: list[Symbol] | tuple[Symbol, ...]) -> list[object]:
    return [
        (s.kind.name, s.name, tree(s.children)) if s.children else (s.kind.name, s.name)
        for s in found
    ]


def test_outline_holds_steps_tables_and_assignments() -> None:
    assert tree(symbols(QUERY)) == [
        ("TABLE", "hits", [("ASSIGNMENT", "x"), ("CALL", "count")]),
        ("FILTER", '#kind=a "two words"'),
        ("BRANCHES", "case", [("FILTER", "a=1"), ("ASSIGNMENT", "y"), ("FILTER", "*")]),
        ("BRANCHES", "match aid", [("ASSIGNMENT", "z"), ("FILTER", "*")]),
        ("CALL", "stats"),
        ("SAVED_QUERY", "$other()"),
    ]


def test_outline_of_a_broken_query_keeps_its_good_steps() -> None:
    found = symbols("a=1 | groupBy([aid | count()")

    assert found[0].name == "a=1"


def test_long_filter_is_cut() -> None:
    (found,) = symbols("x=" + "a" * 100)

    assert found.name == "x=" + "a" * 57 + "…"
    assert found.kind is SymbolKind.FILTER


def test_brackets_and_runs_of_comments_fold() -> None:
    shown = [(QUERY[f.span.start : f.span.end][:9], f.is_comment) for f in folds(QUERY)]

    assert shown == [
        ("// first\n", True),
        ("{\n    x :", False),
        ('(name="hi', False),
        ("{\n    a=1", False),
    ]


def test_bracket_that_is_never_closed_does_not_fold() -> None:
    assert folds("case {\n a=1\n") == []


def test_highlights_tell_fields_functions_arguments_and_values_apart() -> None:
    text = '#k=v "s" | x := f(a, as=5m) | y=/r/i ?p $q() // c'

    shown = [(text[span.start : span.end], tone) for span, tone in highlights(text)]

    assert [(piece, tone) for piece, tone in shown if tone is not Tone.OPERATOR] == [
        ("#k", Tone.FIELD),
        ("v", Tone.STRING),
        ('"s"', Tone.STRING),
        ("x", Tone.FIELD),
        ("f", Tone.FUNCTION),
        ("a", Tone.FIELD),
        ("as", Tone.ARGUMENT),
        ("5m", Tone.NUMBER),
        ("y", Tone.FIELD),
        ("/r/i", Tone.REGEX),
        ("?p", Tone.VARIABLE),
        ("$q", Tone.SAVED),
        ("// c", Tone.COMMENT),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x := 1 | x¦ > 3", "x"),
        ("x := 1 | x := x¦ + 1", "x"),
        ("count(as=n) | n¦ > 3", "count(as=n)"),
        ("a=/(?<g>x)/ | groupBy([g¦])", "/(?<g>x)/"),
        ('defineTable(name="t", query={a=1}) | match(table="t¦", field=a)', "defineTable"),
        ("x¦ := 1 | x > 3", None),
        ("x > 3 | y¦ > 3", None),
        ('match(table="t¦")', None),
        ("a=1 ¦ ", None),
        ("$none¦()", None),
    ],
)
def test_definition_is_where_the_name_is_made(text: str, expected: str | None) -> None:
    offset = text.index("¦")
    text = text.replace("¦", "")

    found = definition(text, offset, saved=lambda _: None)

    shown = None if found is None else text[found.span.start : found.span.end]
    assert shown == expected


@pytest.mark.parametrize("text", ["a=1 | $oth¦er()", "$¦other()", '$"oth¦er"()'])
def test_definition_of_a_saved_query_is_its_file(text: str) -> None:
    files = {"other": Path("other.cql")}

    found = definition(text.replace("¦", ""), text.index("¦"), saved=files.get)

    assert found == Target(span=Span(0, 0), path=Path("other.cql"))


@pytest.mark.parametrize(
    ("text", "label", "active"),
    [
        ("groupBy(¦", "groupBy(", "field"),
        ("groupBy([a, b¦", "groupBy(", "field"),
        ("groupBy(aid, ¦", "groupBy(", None),
        ("groupBy(aid, limit=¦", "groupBy(", "limit"),
        ("groupBy(aid, limit¦", "groupBy(", "limit"),
        ("groupBy(aid, function=[count(as=¦", "count(", "as"),
        ("groupBy(aid, function=[count(as=n), ¦", "groupBy(", "function"),
        ('groupBy(aid) | in(field="¦', "in(", "field"),
        ("groupBy(aid) ¦", None, None),
        ("defineTable(query={ a=1 ¦", None, None),
        ("unknown(¦", None, None),
        ("groupBy(// ¦", None, None),
    ],
)
def test_signature_is_the_innermost_call_with_the_parameter_being_written(
    text: str, label: str | None, active: str | None
) -> None:
    found = signature(text.replace("¦", ""), text.index("¦"))

    if label is None or found is None:
        assert found is None
        assert label is None
        return
    shown = [found.label[p.span.start : p.span.end] for p in found.parameters]
    assert found.label.startswith(label)
    assert (None if found.active is None else shown[found.active]) == active
