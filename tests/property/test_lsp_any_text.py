"""Laws of the language server: exact positions, and an answer for any text at any place."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.cql import QueryKind, lint
from orchestrator.cql.format import format_text
from orchestrator.cql.span import Span
from orchestrator.errors import CqlSyntaxError
from orchestrator.lsp.completion import completion
from orchestrator.lsp.definition import definition
from orchestrator.lsp.edits import actions, all_fixes, formatting
from orchestrator.lsp.highlight import highlights
from orchestrator.lsp.hover import hover
from orchestrator.lsp.lexemes import lex
from orchestrator.lsp.outline import folds, symbols
from orchestrator.lsp.positions import Place, Positions, Units
from orchestrator.lsp.signature import signature

# What lines and columns may stumble over.
TEXTS = st.text(st.sampled_from("ab\r\n\t é€😀\u2028\x0c\x85"), max_size=40)
PIECES = st.sampled_from(
    [
        "a", "aid", "#event_simpleName", "=", ":=", "|", "(", ")", "[", "]", "{", "}", ";", ",",
        " ", "\u00a0", "\n", "\r\n", '"', "'", "/", "/x[/", "//", "/*", "*/", "$", "$s(", "?", "?{",
        "in(", "case {", "match {", "=>", "groupBy(", "function=", "as=", "regex(", "(?<g>",
        "array:", "not ", " and ", " like ", "\\", "😀", "1", "5m", "=~", "!", "-", "*",
        "defineTable(", "query={", "name=", "// lint: allow bare-regex x", "\x00", "\ud800",
    ]
)  # fmt: skip
BLANK = " \t\r\n\f\u00a0"
HALF_TYPED = st.lists(PIECES, max_size=25).map("".join)
ENCODINGS = {
    Units.UTF_8: ("utf-8", 1),
    Units.UTF_16: ("utf-16-le", 2),
    Units.UTF_32: ("utf-32-le", 4),
}


def reference_place(text: str, offset: int, units: Units) -> Place:
    """The position by the letter of the protocol: split lines, encode what is before."""
    encoding, width = ENCODINGS[units]
    lines = re.split("\r\n|\n|\r", text[:offset])
    return Place(len(lines) - 1, len(lines[-1].encode(encoding)) // width)


@given(TEXTS, st.sampled_from(Units))
def test_every_offset_is_where_the_protocol_says_and_comes_back(text: str, units: Units) -> None:
    positions = Positions(text, units)
    inside_break = {match.start() + 1 for match in re.finditer("\r\n", text)}

    for offset in set(range(len(text) + 1)) - inside_break:
        place = positions.place(offset)
        assert place == reference_place(text, offset, units)
        assert positions.offset(place) == offset


@given(TEXTS, st.sampled_from(Units), st.integers(-1, 9), st.integers(-1, 50))
def test_any_place_has_an_offset_on_its_line(
    text: str, units: Units, line: int, column: int
) -> None:
    positions = Positions(text, units)

    offset = positions.offset(Place(line, column))

    place = positions.place(offset)
    lines = re.split("\r\n|\n|\r", text)
    assert place.line == max(0, min(line, len(lines) - 1))
    if 0 <= line < len(lines):
        assert place.column <= max(0, column)


@given(HALF_TYPED, st.integers(0, 120))
@settings(max_examples=150)
@example('groupBy([aid], function=count(as="', 34)
def test_half_typed_text_is_answered_at_any_place(text: str, offset: int) -> None:
    for item in completion(text, offset, saved=lambda: ["s"]):
        assert 0 <= item.span.start <= item.span.end <= min(offset, len(text))
    shown = hover(text, offset, saved=lambda _: None)
    assert shown is None or within(shown.span, text)
    target = definition(text, offset, saved=lambda _: None)
    assert target is None or within(target.span, text)
    call = signature(text, offset)
    for parameter in call.parameters if call is not None else ():
        assert within(parameter.span, call.label if call is not None else "")


@given(HALF_TYPED)
@settings(max_examples=150)
def test_lexemes_leave_out_white_space_only(text: str) -> None:
    end = 0
    for lexeme in lex(text).lexemes:
        assert text[end : lexeme.span.start].strip(BLANK) == ""
        assert lexeme.text == text[lexeme.span.start : lexeme.span.end] != ""
        end = lexeme.span.end
    assert text[end:].strip(BLANK) == ""
    assert all(within(span, text) for span, _ in highlights(text))


@given(HALF_TYPED)
@settings(max_examples=150)
def test_outline_is_nested_and_folds_span_lines(text: str) -> None:
    pending = symbols(text)
    while pending:
        symbol = pending.pop()
        assert symbol.name
        assert contains(symbol.span, symbol.name_span)
        assert all(contains(symbol.span, child.span) for child in symbol.children)
        pending += symbol.children
    assert all("\n" in text[fold.span.start : fold.span.end] for fold in folds(text))


@given(HALF_TYPED)
@settings(max_examples=150)
def test_offered_changes_stay_inside_the_text(text: str) -> None:
    found = lint(text, kind=QueryKind.SEARCH)
    edits = all_fixes(found)

    offered = actions(text, Span(0, len(text)), found=found)

    assert all(within(action.edit.span, text) for action in offered)
    assert all(a.span.end <= b.span.start for a, b in pairwise(edits))


@given(HALF_TYPED)
@settings(max_examples=150)
def test_formatting_edit_gives_the_formatted_text(text: str) -> None:
    try:
        wanted = format_text(text)
    except CqlSyntaxError:
        wanted = text

    changed = text
    for edit in formatting(text):
        changed = text[: edit.span.start] + edit.text + text[edit.span.end :]

    assert changed == wanted


def within(span: Span, text: str) -> bool:
    return 0 <= span.start <= span.end <= len(text)


def contains(outer: Span, inner: Span) -> bool:
    return outer.start <= inner.start <= inner.end <= outer.end
