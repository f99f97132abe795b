"""What is wrong with a query beyond its grammar: checks by topic, run in the order written here.

A waiver in a comment, `// lint: allow CODE reason`, silences CODE on the rest of its line, on the
next line that holds code, or (before the first step) in the whole query; errors of the grammar
cannot be waived.
"""

from __future__ import annotations

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
    kinds,
    lookups,
    lost,
    ordering,
    patterns,
    regexes,
    signs,
    words,
)
from orchestrator.cql.lint.base import Check, Context, QueryKind
from orchestrator.cql.lint.statements import Statement
from orchestrator.cql.lint.waivers import Waiver, apply_waivers
from orchestrator.cql.parser import in_order, parse

__all__ = ["CHECKS", "Check", "QueryKind", "Waiver", "lint"]

CHECKS: tuple[Check, ...] = (
    *words.CHECKS,
    *signs.CHECKS,
    *filters.CHECKS,
    *patterns.CHECKS,
    *assignments.CHECKS,
    *expressions.CHECKS,
    *arguments.CHECKS,
    *branches.CHECKS,
    *aggregates.CHECKS,
    *ordering.CHECKS,
    *lost.CHECKS,
    *regexes.CHECKS,
    *escapes.CHECKS,
    *lookups.CHECKS,
    *correlation.CHECKS,
    *kinds.CHECKS,
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
    for statement in context.statements:
        by_grammar, found = _told_once(statement, by_grammar, found)
    kept = apply_waivers(found, query=parsed.query, waivers=waivers, codes=_CODES)
    return list(in_order([*by_grammar, *kept]))


def _told_once(
    statement: Statement, by_grammar: list[Diagnostic], found: list[Diagnostic]
) -> tuple[list[Diagnostic], list[Diagnostic]]:
    """Leave of what is said about a step in another language only what tells it as a whole."""
    word, extent = statement.word, statement.extent
    by_parser = [d for d in by_grammar if d.code == "reserved-word" and d.span == word]
    code = "reserved-word" if by_parser else "foreign-word"

    def is_outside(item: Diagnostic) -> bool:
        return not extent.start <= item.span.start < extent.end

    told = [replace(d, help=statement.advice) for d in by_parser]
    kept = [d for d in found if is_outside(d) or (d.code == code and d.span == word)]
    return [*filter(is_outside, by_grammar), *told], kept
