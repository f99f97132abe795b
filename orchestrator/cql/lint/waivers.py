"""Waivers: `// lint: allow CODE reason` in a comment of the query, or given from outside."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from orchestrator.cql.diagnostics import Diagnostic, Fix, Level
from orchestrator.cql.nodes import Case, Match, Pipeline, Query
from orchestrator.cql.span import LineIndex, Span
from orchestrator.cql.walk import walk

# What may stand between a part and a comment before or behind it.
_OPENING = frozenset("|(! \t\r\n\f")
_CLOSING = frozenset(";|) \t\r\n\f")
_WAIVER = re.compile(r"lint:\s*allow\s+([A-Za-z0-9_-]+)[ \t]*(.*?)\s*(?:\*/)?\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A code that a query is allowed to break, in all of its text, and why."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A waiver in a comment."""

    code: str
    code_span: Span
    span: Span
    line: int | None
    """The line that it is for; None for the whole query."""
    part: Span | None = None
    """The step, clause or arm that it is for, whose lines may be several."""

    def covers(self, place: int, line: int) -> bool:
        """Say whether it is for what stands at `place`, in `line`."""
        if self.line in (None, line):
            return True
        return self.part is not None and self.part.start <= place < self.part.end


def apply_waivers(
    found: Sequence[Diagnostic],
    *,
    query: Query,
    waivers: Sequence[Waiver],
    codes: Collection[str],
) -> list[Diagnostic]:
    """Return what is not waived, and what is wrong with the waivers.

    A waiver behind code counts for its line, and for the step (or the clause of a case or match)
    that ends before it; one on its own line for the next line that holds something, and for the
    step or clause that begins there; one before the first step, or in `waivers`, for the whole
    query.

    Args:
        found: What the checks said.
        query: The query that they looked at.
        waivers: Waivers from outside of the query's text.
        codes: Codes that can be waived.

    Returns:
        Wrong waivers of comments have the comment's place, those of `waivers` the place 0..0:
        an error `waiver-without-reason`, warnings `unknown-waiver` (no check has the code) and
        `stale-waiver` (it silences nothing).
    """
    if not query.comments and not waivers:
        return list(found)
    index = LineIndex(query.text)
    written, problems = _written(query, index, codes)
    used: set[int] = set()
    kept: list[Diagnostic] = []
    by_code: dict[str, list[_Written]] = {}
    for item in written:
        by_code.setdefault(item.code, []).append(item)
    outside = {waiver.code for waiver in waivers if waiver.reason}
    silenced: set[str] = set()
    for diagnostic in found:
        place = diagnostic.span.start
        line = index.position(place).line
        hits = [w for w in by_code.get(diagnostic.code, ()) if w.covers(place, line)]
        used.update(id(hit) for hit in hits)
        if diagnostic.code in outside:
            silenced.add(diagnostic.code)
        elif not hits:
            kept.append(diagnostic)
    for item in written:
        if id(item) not in used:
            problems.append(_stale(item.code, item.span))
    problems += _outside(waivers, silenced, codes)
    return kept + problems


def _written(
    query: Query, index: LineIndex, codes: Collection[str]
) -> tuple[list[_Written], list[Diagnostic]]:
    steps = query.pipeline.steps
    first = steps[0].span.start if steps else len(query.text)
    found: list[_Written] = []
    problems: list[Diagnostic] = []
    parts = _Parts(query)
    for comment, code_at in zip(query.comments, _next_code(query), strict=True):
        match = _WAIVER.search(comment.text)
        if match is None:
            continue
        code, reason = match.groups()
        start = comment.span.start
        at = Span(start + match.start(1), start + match.end(1))
        if code not in codes:
            problems.append(_unknown(code, at, codes, can_fix=True))
        elif not reason:
            problems.append(_without_reason(code, comment.span))
        else:
            line, part = None, None
            if comment.span.end > first:
                begun = _stands_behind_code(query.text, start)
                line = index.position(start if begun else code_at).line
                part = parts.ending_before(start) if begun else parts.starting_at(code_at)
            found.append(_Written(code=code, code_span=at, span=comment.span, line=line, part=part))
    return found, problems


def _stands_behind_code(text: str, place: int) -> bool:
    # A pipe alone begins the step that the comment stands before.
    return text[text.rfind("\n", 0, place) + 1 : place].strip() not in ("", "|")


class _Parts:
    """The steps, clauses and arms of a query, by where they start and where they end."""

    def __init__(self, query: Query) -> None:
        self._text = query.text
        self._by_start: dict[int, Span] = {}
        self._by_end: dict[int, Span] = {}
        # Parents come first: of several parts that start or end together the longest is kept.
        for node in walk(query):
            match node:
                case Pipeline(steps=parts) | Case(clauses=parts) | Match(arms=parts):
                    for part in parts:
                        self._by_start.setdefault(part.span.start, part.span)
                        self._by_end.setdefault(part.span.end, part.span)

    def starting_at(self, place: int) -> Span | None:
        """Return the part that starts at `place`, or behind its pipe or parentheses there."""
        text = self._text
        while place not in self._by_start:
            if text[place : place + 1] not in _OPENING:
                return None
            place += 1
        return self._by_start[place]

    def ending_before(self, place: int) -> Span | None:
        """Return the part that ends before `place`, or before the sign that ends it there."""
        text = self._text
        while place not in self._by_end:
            if text[max(0, place - 1) : place] not in _CLOSING:
                return None
            place -= 1
        return self._by_end[place]


def _outside(
    waivers: Sequence[Waiver], silenced: Collection[str], codes: Collection[str]
) -> Iterator[Diagnostic]:
    nowhere = Span(0, 0)
    for waiver in waivers:
        if waiver.code not in codes:
            yield _unknown(waiver.code, nowhere, codes, can_fix=False)
        elif not waiver.reason:
            yield _without_reason(waiver.code, nowhere)
        elif waiver.code not in silenced:
            yield _stale(waiver.code, nowhere)


def _unknown(code: str, span: Span, codes: Collection[str], *, can_fix: bool) -> Diagnostic:
    close = get_close_matches(code, sorted(codes), n=1, cutoff=0.7)
    fix = Fix(span=span, text=close[0], label=f"waive {close[0]}") if close and can_fix else None
    return Diagnostic(
        code="unknown-waiver",
        level=Level.WARNING,
        message=f"No check that can be waived is called `{code}`.",
        span=span,
        help=f"Did you mean `{close[0]}`?" if close else "Errors of the grammar cannot be waived.",
        fix=fix,
    )


def _without_reason(code: str, span: Span) -> Diagnostic:
    return Diagnostic(
        code="waiver-without-reason",
        level=Level.ERROR,
        message=f"This waiver of `{code}` gives no reason.",
        span=span,
        help=f"Write `// lint: allow {code} why it is right here`.",
    )


def _stale(code: str, span: Span) -> Diagnostic:
    return Diagnostic(
        code="stale-waiver",
        level=Level.WARNING,
        message=f"This waiver of `{code}` silences nothing.",
        span=span,
        help="Delete it; or put it behind the step it is for, or on the line above.",
    )


def _next_code(query: Query) -> list[int]:
    """Return for each comment where the next thing stands that is no comment."""
    text = query.text
    found: list[int] = []
    following, code = len(text), len(text)
    for comment in reversed(query.comments):
        between = text[comment.span.end : following]
        if between.strip():
            code = comment.span.end + len(between) - len(between.lstrip())
        found.append(code)
        following = comment.span.start
    return found[::-1]
