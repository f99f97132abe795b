"""CQL, the language: text to tree, tree to text, what is wrong with either. Pure; usable alone.

    parsed = parse('#kind=logon | user == "root"')
    for found in parsed.diagnostics:
        print(render(found, text=parsed.query.text, path="q.cql", colour=False))

`parse` never raises and reports every error at its place; `parse_or_raise` raises the first. `lint`
says what the grammar allows and a reader should know; it includes what `parse` says. `walk` goes
over a tree, whose node types are in `orchestrator.cql.nodes`; `print_query` writes it as text that
reads as the same tree. Places are `Span`s of characters; `LineIndex` gives lines and columns.
"""

from orchestrator.cql.catalogue import Function, find
from orchestrator.cql.diagnostics import Diagnostic, Fix, Level
from orchestrator.cql.fields import fields_out, fields_read, reads_everything
from orchestrator.cql.format import format_query, format_text
from orchestrator.cql.lint import QueryKind, lint
from orchestrator.cql.nodes import Node, Query
from orchestrator.cql.parser import Parsed, parse, parse_filter, parse_or_raise
from orchestrator.cql.printer import print_query
from orchestrator.cql.render import render
from orchestrator.cql.span import LineIndex, Position, Span
from orchestrator.cql.walk import walk

__all__ = [
    "Diagnostic",
    "Fix",
    "Function",
    "Level",
    "LineIndex",
    "Node",
    "Parsed",
    "Position",
    "Query",
    "QueryKind",
    "Span",
    "fields_out",
    "fields_read",
    "find",
    "format_query",
    "format_text",
    "lint",
    "parse",
    "parse_filter",
    "parse_or_raise",
    "print_query",
    "reads_everything",
    "render",
    "walk",
]
