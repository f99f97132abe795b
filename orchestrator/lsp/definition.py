"""Where a name comes from: the file of a saved query, the step that makes a table or a field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cql.nodes import Assignment, Node
from orchestrator.cql.parser import parse
from orchestrator.cql.span import Span
from orchestrator.lsp.cursor import cursor_at
from orchestrator.lsp.hover import lexeme_at
from orchestrator.lsp.lexemes import Kind, Lexeme
from orchestrator.lsp.made import makers, tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A place in this document, or the start of another file."""

    span: Span
    path: Path | None = None
    """None for this document."""


def definition(text: str, offset: int, *, saved: Callable[[str], Path | None]) -> Target | None:
    """Return where the thing at `offset` is made; None if it is not, or is unknown.

    Args:
        text: The whole document.
        offset: The cursor's place in it.
        saved: Called with the name of a saved query for its file.
    """
    lexeme = lexeme_at(text, offset)
    if lexeme is None:
        return None
    if lexeme.kind is Kind.SAVED:
        path = saved(lexeme.text[1:].strip('"'))
        return Target(span=Span(0, 0), path=path) if path is not None else None
    if lexeme.kind not in (Kind.FIELD, Kind.STRING, Kind.TEXT):
        return None
    return _in_query(text, lexeme)


def _in_query(text: str, lexeme: Lexeme) -> Target | None:
    name = lexeme.text.strip('"')
    query = parse(text).query
    parameter = cursor_at(text, lexeme.span.start).parameter
    if parameter is not None and parameter.name == "table":
        return next((Target(span=c.name_span) for table, c in tables(query) if table == name), None)
    made = [_name_span(node) for made_name, node in makers(query) if made_name == name]
    # The last one before the name is what it reads; the one that it stands in is itself.
    before = [span for span in made if span.end <= lexeme.span.start]
    return Target(span=before[-1]) if before else None


def _name_span(node: Node) -> Span:
    return node.field.span if isinstance(node, Assignment) else node.span
