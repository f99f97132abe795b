"""Changes to a text that are offered or asked for: fixes, waivers, formatting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.cql.diagnostics import Diagnostic
from orchestrator.cql.format import format_text
from orchestrator.cql.lint import CHECKS
from orchestrator.cql.span import Span
from orchestrator.errors import CqlSyntaxError
from orchestrator.lsp.lexemes import lex

_WAIVABLE = frozenset(check.code for check in CHECKS)


@dataclass(frozen=True, slots=True)
class Edit:
    """`text` in place of `span`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A change that answers a diagnostic."""

    title: str
    diagnostic: Diagnostic
    edit: Edit
    is_fix: bool
    """Whether it mends what is wrong; a waiver only silences it."""


def actions(text: str, span: Span, *, found: Sequence[Diagnostic]) -> list[Action]:
    """Return what can be done about the diagnostics that touch `span`, fixes first.

    Args:
        text: The whole document.
        span: What is selected; empty for a cursor.
        found: The document's diagnostics.
    """
    near = [d for d in found if d.span.start <= span.end and span.start <= d.span.end]
    fixes = [
        Action(
            title=f"Fix: {diagnostic.fix.label}",
            diagnostic=diagnostic,
            edit=Edit(diagnostic.fix.span, diagnostic.fix.text),
            is_fix=True,
        )
        for diagnostic in near
        if diagnostic.fix is not None
    ]
    waivers = [waived for diagnostic in near if (waived := _waiver(text, diagnostic)) is not None]
    return [*fixes, *waivers]


def all_fixes(found: Sequence[Diagnostic]) -> list[Edit]:
    """Return every fix that meets no fix before it, in order of the text."""
    edits: list[Edit] = []
    for fix in sorted((d.fix for d in found if d.fix is not None), key=lambda fix: fix.span):
        if not edits or fix.span.start >= edits[-1].span.end:
            edits.append(Edit(fix.span, fix.text))
    return edits


def formatting(text: str) -> list[Edit]:
    """Return the one change that formats `text`; none if it is formatted or does not parse."""
    try:
        wanted = format_text(text)
    except CqlSyntaxError:
        return []
    if wanted == text:
        return []
    # Only what differs, so that the cursor and folds of the rest stay where they are.
    shorter = min(len(text), len(wanted))
    start = next((i for i in range(shorter) if text[i] != wanted[i]), shorter)
    tail = next(
        (i for i in range(shorter - start) if text[-1 - i] != wanted[-1 - i]), shorter - start
    )
    return [Edit(Span(start, len(text) - tail), wanted[start : len(wanted) - tail])]


def _waiver(text: str, diagnostic: Diagnostic) -> Action | None:
    """Return a comment above the diagnostic's line; its reason is left to the author.

    Without a reason the waiver itself is an error, which is as it should be.
    """
    place = diagnostic.span.start
    start = max(text.rfind("\n", 0, place), text.rfind("\r", 0, place)) + 1
    inside = any(x.span.start < start < x.span.end for x in lex(text).lexemes)
    if diagnostic.code not in _WAIVABLE or inside:
        return None
    line = text[start:place]
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    newline = "\r\n" if "\r\n" in text else "\n"
    return Action(
        title=f"Waive `{diagnostic.code}` here (write the reason behind it)",
        diagnostic=diagnostic,
        edit=Edit(Span(start, start), f"{indent}// lint: allow {diagnostic.code} {newline}"),
        is_fix=False,
    )
