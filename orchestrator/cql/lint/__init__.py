"""What is wrong with a query beyond its grammar: checks by topic, run in the order written here.

A waiver in a comment, `// lint: allow CODE reason`, silences CODE on its line and in the step or
clause that ends there; on a line of its own, in the next line and the step or clause that begins
there; before the first step, in the whole query. `lint` takes more of them from its caller. Errors
of the grammar cannot be waived, and a waiver that silences nothing is told.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.cql.diagnostics import Diagnostic
from orchestrator.cql.lint import (
    aggregates,
    arguments,
    assignments,
    branches,
    cheaper,
    correlation,
    cost,
    escapes,
    expressions,
    filters,
    foreign,
    kinds,
    lookups,
    lost,
    ordering,
    patterns,
    ranges,
    regexes,
    results,
    schema,
    signs,
    texts,
    unnamed,
    values,
    words,
)
from orchestrator.cql.lint.base import Check, Context, QueryKind
from orchestrator.cql.lint.statements import Statement
from orchestrator.cql.lint.waivers import Waiver, apply_waivers
from orchestrator.cql.parser import in_order, parse
from orchestrator.cql.span import Span

__all__ = ["CHECKS", "Check", "QueryKind", "Waiver", "lint"]

CHECKS: tuple[Check, ...] = (
    *words.CHECKS,
    *foreign.CHECKS,
    *signs.CHECKS,
    *filters.CHECKS,
    *patterns.CHECKS,
    *assignments.CHECKS,
    *expressions.CHECKS,
    *arguments.CHECKS,
    *unnamed.CHECKS,
    *values.CHECKS,
    *ranges.CHECKS,
    *texts.CHECKS,
    *results.CHECKS,
    *branches.CHECKS,
    *aggregates.CHECKS,
    *ordering.CHECKS,
    *lost.CHECKS,
    *regexes.CHECKS,
    *escapes.CHECKS,
    *lookups.CHECKS,
    *correlation.CHECKS,
    *kinds.CHECKS,
    *schema.CHECKS,
    *cost.CHECKS,
    *cheaper.CHECKS,
)
_CODES = frozenset(check.code for check in CHECKS)


def lint(text: str, *, kind: QueryKind, waivers: Sequence[Waiver] = ()) -> list[Diagnostic]:
    """Return all there is to say about `text` as a query of this kind, by place.

    The parser's own diagnostics are included. Never raises.

    Args:
        text: The query.
        kind: Where it will run.
        waivers: What the query may break in all of its text; one that silences nothing is told
            as `stale-waiver` at 0..0.
    """
    parsed = parse(text)
    context = Context.of(parsed.query, kind=kind, is_broken=not parsed.ok)
    found = [diagnostic for check in CHECKS for diagnostic in check.run(context)]
    by_grammar = list(parsed.diagnostics)
    # A word in the place of a pipe (`x=1 then y := 2`) is told by the grammar.
    piped = {item.span for item in by_grammar if item.code == "missing-pipe"}
    found = [item for item in found if item.code != "foreign-word" or item.span not in piped]
    if context.statements:
        by_grammar, found = _told_once(context.statements, by_grammar, found)
    kept = apply_waivers(found, query=parsed.query, waivers=waivers, codes=_CODES)
    return list(in_order([*by_grammar, *kept]))


def _told_once(
    statements: Sequence[Statement], by_grammar: list[Diagnostic], found: list[Diagnostic]
) -> tuple[list[Diagnostic], list[Diagnostic]]:
    """Leave of what is said about steps in another language only what tells them as a whole."""
    starts = [statement.extent.start for statement in statements]
    reserved: set[Span] = set()

    def within(item: Diagnostic) -> Statement | None:
        place = bisect_right(starts, item.span.start) - 1
        if place < 0 or item.span.start >= statements[place].extent.end:
            return None
        return statements[place]

    kept_by_grammar: list[Diagnostic] = []
    for item in by_grammar:
        statement = within(item)
        if statement is None:
            kept_by_grammar.append(item)
        elif item.code == "reserved-word" and item.span == statement.word:
            reserved.add(item.span)
            kept_by_grammar.append(replace(item, help=statement.advice))
    kept: list[Diagnostic] = []
    for item in found:
        statement = within(item)
        told = statement is not None and item.span == statement.word
        if statement is None or (
            told and item.code == "foreign-word" and item.span not in reserved
        ):
            kept.append(item)
    return kept_by_grammar, kept
