"""What is wrong with a query beyond its grammar: checks by topic, run in the order written here.

A waiver in a comment, `// lint: allow CODE reason`, silences CODE on the rest of its line, on the
next line that holds code, or (before the first step) in the whole query; errors of the grammar
cannot be waived.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.cql.diagnostics import Diagnostic
from orchestrator.cql.lint import (
    aggregates,
    arguments,
    filters,
    kinds,
    ranges,
    regexes,
    results,
    schema,
    unnamed,
    values,
)
from orchestrator.cql.lint.base import Check, Context, QueryKind
from orchestrator.cql.lint.waivers import Waiver, apply_waivers
from orchestrator.cql.parser import in_order, parse
from orchestrator.cql.walk import walk

__all__ = ["CHECKS", "Check", "QueryKind", "Waiver", "lint"]

CHECKS: tuple[Check, ...] = (
    *filters.CHECKS,
    *arguments.CHECKS,
    *unnamed.CHECKS,
    *values.CHECKS,
    *ranges.CHECKS,
    *results.CHECKS,
    *aggregates.CHECKS,
    *regexes.CHECKS,
    *kinds.CHECKS,
    *schema.CHECKS,
)


def lint(text: str, *, kind: QueryKind, waivers: Sequence[Waiver] = ()) -> list[Diagnostic]:
    """Return all there is to say about `text` as a query of this kind, by place.

    The parser's own diagnostics are included. Never raises.

    Args:
        text: The whole query.
        kind: Where it will run.
        waivers: Checks that are silent for the whole query; a stale one is told at the start.
    """
    parsed = parse(text)
    context = Context(query=parsed.query, kind=kind, nodes=tuple(walk(parsed.query)))
    found = [diagnostic for check in CHECKS for diagnostic in check.run(context)]
    kept = apply_waivers(found, query=parsed.query, waivers=waivers)
    return list(in_order([*parsed.diagnostics, *kept]))
