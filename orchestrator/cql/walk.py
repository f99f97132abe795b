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
        for name in _places(type(current)):
            value = getattr(current, name)
            if isinstance(value, tuple):
                pending.extend(reversed(value))
            elif isinstance(value, Node):
                pending.append(value)


def children(node: Node) -> list[Node]:
    """Return the nodes directly below `node`, left to right."""
    found: list[Node] = []
    for name in reversed(_places(type(node))):
        value = getattr(node, name)
        if isinstance(value, tuple):
            found.extend(value)
        elif isinstance(value, Node):
            found.append(value)
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
    """Return the names of the fields of a node type that can hold nodes, last first."""
    known = _PLACES.get(kind)
    if known is not None:
        return known
    texts = ("str", "bool", "int", "Span", "str | None", "Span | None", "tuple[bool, ...]")
    found = tuple(field.name for field in fields(kind) if field.type not in texts)[::-1]
    _PLACES[kind] = found
    return found
