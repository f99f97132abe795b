"""What a check is, and what it is told about the query it looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.cql.diagnostics import Diagnostic, Fix, Level
from orchestrator.cql.nodes import Node, Query
from orchestrator.cql.span import Span


class QueryKind(StrEnum):
    """Where the query will run: not every construct is allowed everywhere."""

    SEARCH = "search"
    """By hand, or by our own scheduler."""
    SCHEDULED_SEARCH = "scheduled-search"
    FILTER_ALERT = "filter-alert"
    """Live, each event on its own: no aggregate, no join."""
    AGGREGATE_ALERT = "aggregate-alert"
    """Live, over a sliding window: needs an aggregate, no join and no table."""
    CORRELATION_RULE = "correlation-rule"
    CONDITION = "condition"
    """One filter over the fields of a finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a check may look at."""

    query: Query
    kind: QueryKind
    nodes: tuple[Node, ...]
    """Every node, parents first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One lint rule: its code, what it is about, and the function that looks."""

    code: str
    level: Level
    about: str
    """One paragraph for people."""
    source: str
    """Where we know it from."""
    find: Callable[[Context], Iterator[Found]]

    def run(self, context: Context) -> Iterator[Diagnostic]:
        """Yield a diagnostic for each place that the check found."""
        for found in self.find(context):
            yield Diagnostic(
                code=self.code,
                level=self.level,
                message=found.message,
                span=found.span,
                help=found.help,
                fix=found.fix,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One place that a check points at."""

    message: str
    span: Span
    help: str = ""
    fix: Fix | None = None
