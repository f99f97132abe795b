"""Waivers: `// lint: allow CODE reason` in a comment of the query, or a list from its rule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.cql.diagnostics import Diagnostic, Level
from orchestrator.cql.nodes import Query
from orchestrator.cql.span import LineIndex, Span

_WAIVER = re.compile(r"lint:\s*allow\s+([a-z0-9-]+)[ \t]*(.*?)\s*(?:\*/)?\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A check that says nothing about a whole query, and why that is right."""

    code: str
    reason: str


def apply_waivers(
    found: Sequence[Diagnostic], *, query: Query, waivers: Sequence[Waiver] = ()
) -> list[Diagnostic]:
    """Return what is not waived, an error for each waiver without a reason, and stale `waivers`.

    Each of `waivers` counts for the whole query; one that waives nothing there is stale. A comment
    behind code counts for its line; one on its own line for the next line that holds something; one
    before the first step for the whole query.
    """
    index = LineIndex(query.text)
    steps = query.pipeline.steps
    first = steps[0].span.start if steps else len(query.text)
    waived: set[tuple[str, int | None]] = {(waiver.code, None) for waiver in waivers}
    problems = _stale(found, waivers)
    for comment in query.comments:
        match = _WAIVER.search(comment.text)
        if match is None:
            continue
        code, reason = match.groups()
        if not reason:
            problems.append(
                Diagnostic(
                    code="waiver-without-reason",
                    level=Level.ERROR,
                    message=f"This waiver of `{code}` gives no reason.",
                    span=comment.span,
                    help=f"Write `// lint: allow {code} why it is right here`.",
                )
            )
        elif comment.span.end <= first:
            waived.add((code, None))
        else:
            waived.add((code, _line_meant(query.text, comment.span.start, comment.span.end, index)))
    kept = [
        item
        for item in found
        if (item.code, None) not in waived
        and (item.code, index.position(item.span.start).line) not in waived
    ]
    return kept + problems


def _line_meant(text: str, start: int, end: int, index: LineIndex) -> int:
    line_start = text.rfind("\n", 0, start) + 1
    if text[line_start:start].strip():
        return index.position(start).line
    rest = text[end:]
    return index.position(end + len(rest) - len(rest.lstrip())).line


def _stale(found: Sequence[Diagnostic], waivers: Sequence[Waiver]) -> list[Diagnostic]:
    codes = {item.code for item in found}
    return [
        Diagnostic(
            code="stale-waiver",
            level=Level.WARNING,
            message=f"`{waiver.code}` is waived for this query and says nothing about it.",
            span=Span(0, 0),
            help="Remove the waiver.",
        )
        for waiver in waivers
        if waiver.code not in codes
    ]
