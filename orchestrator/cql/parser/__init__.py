"""Text to tree: a recursive-descent parser that reports every error of a query in one run.

`parse` never raises. The areas, each on top of the one before: `characters` (tables), `scanner`
(the reading head and recovery), `leaves`, `expressions`, `comparisons`, `slips`, `filters`,
`steps`.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.cql.diagnostics import Diagnostic, Level
from orchestrator.cql.nodes import (
    Assignment,
    Bad,
    Case,
    Match,
    Pipeline,
    Query,
    StatsShorthand,
    Step,
)
from orchestrator.cql.parser.scanner import ParseAborted
from orchestrator.cql.parser.steps import StepParser
from orchestrator.cql.span import Span
from orchestrator.cql.walk import height
from orchestrator.errors import CqlSyntaxError

__all__ = ["MAX_HEIGHT", "Parsed", "parse", "parse_filter", "parse_or_raise"]

MAX_HEIGHT = 150
"""Highest tree that is handed out, in nodes from root to leaf: those who read trees recurse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A tree and what is wrong with its text; the diagnostics are in order of place."""

    query: Query
    diagnostics: tuple[Diagnostic, ...]

    @property
    def ok(self) -> bool:
        """Say whether there is no error; warnings and hints do not count."""
        return not any(found.level is Level.ERROR for found in self.diagnostics)


def parse(text: str) -> Parsed:
    """Return the tree of `text` and all that the grammar has to say about it.

    Never raises. Where a step cannot be read the tree holds `Bad` in its place, and `ok` is False.
    """
    parser = StepParser(text)
    try:
        pipeline = parser.query()
    except ParseAborted:
        pipeline = _unread(text)
    # Between two levels of nesting lie at most eight nodes besides operators and parentheses:
    # nearly every query is known to be low without a look at its tree.
    may_be_high = (parser.deepest + 1) * (8 + parser.longest_chain) > MAX_HEIGHT
    if may_be_high and height(pipeline) > MAX_HEIGHT:
        parser.report(
            "too-deep",
            f"The query's tree is higher than {MAX_HEIGHT} nodes.",
            Span(0, len(text)),
            help="Split long chains of operators into several assignments.",
        )
        pipeline = _unread(text)
    comments = tuple(parser.comments[start] for start in sorted(parser.comments))
    span = Span(0, len(text))
    query = Query(span=span, pipeline=pipeline, comments=comments, text=text)
    return Parsed(query=query, diagnostics=in_order(parser.diagnostics))


def parse_or_raise(text: str) -> Query:
    """Return the tree of a query without errors.

    Raises:
        CqlSyntaxError: The first error, with its place.
    """
    parsed = parse(text)
    for found in parsed.diagnostics:
        if found.level is Level.ERROR:
            problem = f"{found.message} {found.help}".strip()
            raise CqlSyntaxError(problem, start=found.span.start, end=found.span.end)
    return parsed.query


def parse_filter(text: str) -> Parsed:
    """Return the tree of a text that must be exactly one filter step.

    Suppression conditions and route matchers are written so. Anything else (no step, several,
    an assignment, a case or match statement) is an error `not-one-filter`.
    """
    parsed = parse(text)
    steps = parsed.query.pipeline.steps
    if len(steps) == 1 and not isinstance(steps[0], Assignment | Case | Match | StatsShorthand):
        return parsed
    found = Diagnostic(
        code="not-one-filter",
        level=Level.ERROR,
        message=_not_one_filter(steps),
        span=Span(0, len(text)) if len(steps) < 2 else steps[1].span,
        help="Write one filter; join its parts with `and`, `or` and parentheses.",
    )
    return Parsed(query=parsed.query, diagnostics=in_order([*parsed.diagnostics, found]))


def in_order(diagnostics: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return the diagnostics by place, each said once."""
    unique = {(d.span, d.code, d.message): d for d in diagnostics}
    return tuple(sorted(unique.values(), key=lambda d: (d.span, d.level != Level.ERROR, d.code)))


def _not_one_filter(steps: tuple[Step, ...]) -> str:
    if not steps:
        return "A condition cannot be empty."
    if len(steps) > 1:
        return "A condition is one filter, not several steps."
    return "A condition is a filter, not a statement."


def _unread(text: str) -> Pipeline:
    span = Span(0, len(text))
    return Pipeline(span=span, steps=(Bad(span=span, text=text),))
