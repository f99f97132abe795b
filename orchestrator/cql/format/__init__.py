"""The one layout of a query: one step a line, lines of at most 100 columns, comments kept.

* A query of several steps has one a line, each behind its `| `; so have the parts of a case, of a
  match, and of whatever else does not fit on a line. What fits is put on one line, however it was
  broken before.
* Names, texts, numbers and regexes stay as written; keywords become lower case; parentheses follow
  from precedence, and `and` and `or` are never mixed without them.
* A comment stays above, before or behind what it stood above, before or behind. Of several blank
  lines one is kept.

The layout depends on the tree, the comments and the blank lines alone. It never changes the tree
(each result is read back and compared), and a text laid out once is not changed again.
"""

from __future__ import annotations

from orchestrator.cql.format.comments import attach
from orchestrator.cql.format.flat import WIDTH
from orchestrator.cql.format.layout import Layout
from orchestrator.cql.format.proof import read_alike
from orchestrator.cql.nodes import Query
from orchestrator.cql.parser import parse_or_raise

__all__ = ["WIDTH", "format_query", "format_text", "lay_out"]


def format_query(query: Query) -> str:
    """Return the query's text in its layout, a line break at its end; empty for nothing.

    The layout is read back: should it not be the same query, or have another layout again, as heaps
    of comments in odd places may, the text comes back as it was.

    Args:
        query: As parsed, without errors: names and texts are read from its own text.
    """
    laid = lay_out(query)
    again = read_alike(query, laid)
    return laid if again is not None and lay_out(again) == laid else query.text


def lay_out(query: Query) -> str:
    """Return the query's text in its layout, without the proof of `format_query`."""
    lines = Layout(query, attach(query)).query_lines(query)
    end = "\r\n" if _has_windows_lines(query.text) else "\n"
    return "".join(line.rendered() + end for line in lines)


def format_text(text: str) -> str:
    """Return a query's text in its layout.

    Raises:
        CqlSyntaxError: The text has an error; the first one, with its place.
    """
    return format_query(parse_or_raise(text))


def _has_windows_lines(text: str) -> bool:
    """Say whether the first line ends in CR LF: the rest then does too, as editors have it."""
    return text[: text.find("\n") + 1].endswith("\r\n")
