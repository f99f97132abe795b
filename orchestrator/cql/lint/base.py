"""What a check is, and what it is told about the query it looks at.

What several checks need is worked out once, in `Context.of`: nodes by type, calls with what is
known of their functions, and the steps of the main pipeline with the fields they set and read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from orchestrator.cql.catalogue import Function, find
from orchestrator.cql.diagnostics import Diagnostic, Fix, Level
from orchestrator.cql.lint.outline import Outline, outline
from orchestrator.cql.lint.phrases import phrases, taken_by_words
from orchestrator.cql.lint.statements import Statement, statements
from orchestrator.cql.nodes import Call, Filter, Node, Query
from orchestrator.cql.span import Span
from orchestrator.cql.walk import walk

Kind = TypeVar("Kind", bound=Node)


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
    is_broken: bool
    """The grammar found an error: what the query lacks may stand in the part nobody could read."""
    nodes: tuple[Node, ...]
    """Every node, parents first."""
    by_type: Mapping[type[Node], Sequence[Node]]
    calls: tuple[tuple[Call, Function], ...]
    """The calls of known functions, in the order of the text."""
    steps: tuple[Outline, ...]
    """The main pipeline."""
    phrases: tuple[tuple[Filter, ...], ...]
    """Filters that stand side by side: the operands of each `and`, and every other lone one."""
    statements: tuple[Statement, ...]
    """Steps in another language; what else is found inside of them is not told."""
    taken: frozenset[int]
    """Ids of the nodes of phrases with words of other languages, which are told as one mistake."""

    @classmethod
    def of(cls, query: Query, *, kind: QueryKind, is_broken: bool) -> Context:
        """Work out what the checks share, in time linear in the query's size."""
        nodes = tuple(walk(query))
        by_type: dict[type[Node], list[Node]] = defaultdict(list)
        for node in nodes:
            by_type[type(node)].append(node)
        calls = tuple(
            (node, function)
            for node in by_type.get(Call, ())
            if isinstance(node, Call) and (function := find(node.name)) is not None
        )
        side_by_side = phrases(nodes)
        return cls(
            query=query,
            kind=kind,
            is_broken=is_broken,
            nodes=nodes,
            by_type=by_type,
            calls=calls,
            steps=outline(query.pipeline),
            phrases=side_by_side,
            statements=tuple(statements(query)),
            taken=taken_by_words(side_by_side),
        )

    def each(self, kind: type[Kind]) -> list[Kind]:
        """Return the nodes of exactly this type, in the order of the text."""
        return [node for node in self.by_type.get(kind, ()) if isinstance(node, kind)]

    def source(self, span: Span) -> str:
        """Return the text at `span`."""
        return self.query.text[span.start : span.end]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One lint rule: its code, what it is about, and the function that looks."""

    code: str
    level: Level
    about: str
    """One paragraph for people: what, why, and what to write instead."""
    source: str
    """Where we know it from."""
    find: Callable[[Context], Iterator[Found]]
    needs_whole: bool = False
    """It reasons from what the query lacks, so it is silent about one with an error of grammar."""

    def run(self, context: Context) -> Iterator[Diagnostic]:
        """Yield a diagnostic for each place that the check found."""
        if self.needs_whole and context.is_broken:
            return
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
