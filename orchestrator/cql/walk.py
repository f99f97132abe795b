"""Going over a tree without recursion: every node once, in the order of the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from orchestrator.cql.nodes import Node


def walk(node: Node) -> Iterator[Node]:
    """Yield `node` and every node below it, parents before children, left to right.

    Comments of a query come after its pipeline.
    """
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(children(current)))


def children(node: Node) -> list[Node]:
    """Return the nodes directly below `node`, left to right."""
    found: list[Node] = []
    for name in _places(type(node)):
        value = getattr(node, name)
        if isinstance(value, Node):
            found.append(value)
        elif isinstance(value, tuple):
            found.extend(item for item in value if isinstance(item, Node))
    return found


def height(node: Node) -> int:
    """Return the number of nodes on the longest way from `node` to a leaf."""
    highest, pending = 0, [(node, 1)]
    while pending:
        current, level = pending.pop()
        highest = max(highest, level)
        pending.extend((child, level + 1) for child in children(current))
    return highest


_PLACES: dict[type[Node], tuple[str, ...]] = {}


def _places(kind: type[Node]) -> tuple[str, ...]:
    """Return the names of the fields of a node type that can hold nodes."""
    known = _PLACES.get(kind)
    if known is not None:
        return known
    texts = ("str", "bool", "int", "Span", "str | None", "Span | None", "tuple[bool, ...]")
    found = tuple(field.name for field in fields(kind) if field.type not in texts)
    _PLACES[kind] = found
    return found
