"""Where comments and blank lines go: what every part of the layout adds its lines through."""

from __future__ import annotations

import re

from orchestrator.cql.format.comments import Notes, extent
from orchestrator.cql.format.flat import Flat
from orchestrator.cql.format.leaves import Leaves
from orchestrator.cql.format.lines import Line, indented
from orchestrator.cql.nodes import (
    Comment,
    Node,
    Query,
)

_BLANK_LINE = re.compile(r"\n[ \t\r\f]*\n")
_BETWEEN = " \t\r\n\f|;,("


class Placing:
    """Lines with the comments beside them; the base of the layout's areas."""

    def __init__(self, query: Query, notes: Notes) -> None:
        self.text, self.notes = query.text, notes
        self.leaves = Leaves(query.text)
        self.flat = Flat(self.leaves, notes)

    def place(
        self, out: list[Line], item: Node, lines: list[Line], *, spaced: bool | None = None
    ) -> None:
        """Add an item's lines with the comments beside it.

        `spaced` says whether a blank line above it is kept; by default where something is above.
        """
        for comment in self.notes.before[id(item)]:
            self._add_comment(out, comment, spaced=spaced)
        inline = self.notes.inline[id(item)]
        self._add_blank(out, (inline[0].span if inline else extent(item)).start, spaced=spaced)
        begin = len(out)
        out += lines
        for comment in self.notes.after[id(item)]:
            text = comment.text.rstrip()
            if out[-1].is_closed:
                # Two comments that both reach to the end of the line: one moves above the item.
                out.insert(begin, Line(text))
            else:
                out[-1].comments.append(text)

    def _add_comment(
        self, out: list[Line], comment: Comment, *, spaced: bool | None = None
    ) -> None:
        self._add_blank(out, comment.span.start, spaced=spaced)
        out.append(Line(comment.text.rstrip()))

    def _add_blank(self, out: list[Line], place: int, *, spaced: bool | None) -> None:
        if (bool(out) if spaced is None else spaced) and self._blank_line_before(place):
            out.append(Line(""))

    def add_closing(self, out: list[Line], holder: Node) -> None:
        """Add the comments that stand below the last item of a construct."""
        for comment in self.notes.closing[id(holder)]:
            self._add_comment(out, comment)

    def _blank_line_before(self, place: int) -> bool:
        begin = place
        while begin and self.text[begin - 1] in _BETWEEN:
            begin -= 1
        return _BLANK_LINE.search(self.text, begin, place) is not None

    def bracketed(self, holder: Node, head: str, inner: list[Line], closer: str) -> list[Line]:
        """Return `inner` indented between a head and its closing bracket, comments included."""
        opening = [comment.text.rstrip() for comment in self.notes.opening[id(holder)]]
        first = Line(head, comments=opening)
        self.add_closing(inner, holder)
        return [first, *indented(inner), Line(closer)]
