"""CQL, the language: text to tree, tree to text, what is wrong with either. Pure; usable alone."""

from orchestrator.cql.catalogue import Function, find
from orchestrator.cql.diagnostics import Diagnostic, Fix, Level
from orchestrator.cql.fields import fields_out, fields_read
from orchestrator.cql.format import format_query, format_text
from orchestrator.cql.lint import QueryKind, lint
from orchestrator.cql.nodes import Query
from orchestrator.cql.parser import Parsed, parse, parse_filter, parse_or_raise
from orchestrator.cql.printer import print_query
from orchestrator.cql.render import render
from orchestrator.cql.walk import walk

__all__ = [
    "Diagnostic",
    "Fix",
    "Function",
    "Level",
    "Parsed",
    "Query",
    "QueryKind",
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
    "render",
    "walk",
]
