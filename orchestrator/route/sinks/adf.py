"""Atlassian Document Format: the nodes that we write, each a plain JSON value.

Text nodes are not parsed by Jira, so no value can become a mention, a macro or a link; what remains
is to keep them non-empty, visible and short. An empty text node makes Jira refuse the document.
Source: developer.atlassian.com, cloud/jira/platform/apis/document/structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Adf: TypeAlias = "str | int | list[Adf] | dict[str, Adf]"
Node: TypeAlias = "dict[str, Adf]"


def doc(content: Sequence[Node]) -> Node:
    """Return a whole document; `content` holds block nodes, at least one."""
    return {"version": 1, "type": "doc", "content": list(content)}


def text(value: str, *, strong: bool = False, href: str = "") -> Node:
    """Return a text node; `href` must be a URL of our own making."""
    node: Node = {"type": "text", "text": value or " "}
    marks: list[Adf] = []
    if strong:
        marks.append({"type": "strong"})
    if href:
        marks.append({"type": "link", "attrs": {"href": href}})
    if marks:
        node["marks"] = marks
    return node


def paragraph(*content: Node) -> Node:
    """Return a paragraph of text nodes."""
    return {"type": "paragraph", "content": list(content)}


def heading(value: str) -> Node:
    """Return a third-level heading."""
    return {"type": "heading", "attrs": {"level": 3}, "content": [text(value)]}


def code(value: str) -> Node:
    """Return a code block; its text is shown as it is."""
    return {"type": "codeBlock", "attrs": {"language": "text"}, "content": [text(value)]}


def bullets(items: Sequence[Node]) -> Node:
    """Return a bullet list of paragraphs, at least one."""
    return {"type": "bulletList", "content": [_item(item) for item in items]}


def numbered(items: Sequence[Node]) -> Node:
    """Return a numbered list of paragraphs, at least one."""
    return {"type": "orderedList", "content": [_item(item) for item in items]}


def _item(paragraph_node: Node) -> Node:
    return {"type": "listItem", "content": [paragraph_node]}
