"""The proof that a layout changed nothing: it is read as the same tree with the same comments."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from itertools import zip_longest

from orchestrator.cql.nodes import Node, Query
from orchestrator.cql.parser import parse
from orchestrator.cql.walk import children, walk


def read_alike(query: Query, text: str) -> Query | None:
    """Return the tree of `text`, if it has no error and is the same query up to places.

    The comments count too.
    """
    parsed = parse(text)
    again = parsed.query
    if not parsed.ok or _comments(again) != _comments(query):
        return None
    pairs = zip_longest(walk(query.pipeline), walk(again.pipeline))
    alike = all(a is not None and b is not None and _alike(a, b) for a, b in pairs)
    return again if alike else None


def _alike(one: Node, other: Node) -> bool:
    """Compare two nodes without what is below them; that its number agrees fixes the shape."""
    if type(one) is not type(other) or len(children(one)) != len(children(other)):
        return False
    return all(
        _plain(getattr(one, field.name)) == _plain(getattr(other, field.name))
        for field in fields(one)
        if not field.name.endswith("span")
    )


def _plain(value: object) -> object:
    """Return a field's value, with nothing in the place of nodes."""
    if isinstance(value, Node):
        return None
    if isinstance(value, tuple):
        return tuple(None if isinstance(item, Node) else item for item in value)
    return value


def _comments(query: Query) -> Counter[str]:
    return Counter(comment.text.rstrip() for comment in query.comments)
