"""What a run is told, what it gathers on the way, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from orchestrator.cql.nodes import Node, Parameter, Pipeline, Query, SavedQuery
from orchestrator.cql.parser import parse_or_raise
from orchestrator.cql.walk import walk
from orchestrator.engine.sources.lookups import Lookup
from orchestrator.engine.sources.providers import Providers
from orchestrator.errors import CqlSemanticError

MAX_SAVED_DEPTH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The cluster's maxima that `limit=max` stands for."""

    groups: int = 1_000_000
    rows: int = 200_000
    join_rows: int = 200_000


class Source(Protocol):
    """Where a run takes its events from."""

    def read(
        self, pipeline: Pipeline, start_ms: int, end_ms: int, *, use_ingest_time: bool
    ) -> pl.DataFrame:
        """Return the events of `[start_ms, end_ms)` that the pipeline may need, oldest first.

        All columns are text but the hidden times; fields that the pipeline does not look at and
        events that its leading filters drop may be missing.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One search's settings; times in epoch milliseconds, `[start_ms, end_ms)` half-open."""

    start_ms: int
    end_ms: int
    now_ms: int
    use_ingest_time: bool = False
    """The window bounds `@ingesttimestamp` instead of `@timestamp`."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Values of `?name`."""
    lookups: Mapping[str, Lookup] = field(default_factory=dict)
    """Lookup files by name."""
    saved: Mapping[str, str] = field(default_factory=dict)
    """Texts of saved queries by name."""
    repository: str = ""
    zone: str = "UTC"
    """Where days begin for buckets whose call names no zone."""
    bucket_count: int | None = None
    """Most buckets of a call that gives no span; None leaves it to the function."""
    limits: Limits = field(default_factory=Limits)
    providers: Providers = field(default_factory=Providers)
    """Data from outside: places and networks of addresses, indicators, host names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Rows of text; an absent field is an absent key.

    Events come oldest first; aggregate rows in the order the query gives them.
    """

    rows: list[dict[str, str]]
    fields: tuple[str, ...]
    is_aggregate: bool
    warnings: tuple[str, ...]
    events_scanned: int


@dataclass(slots=True, kw_only=True)
class Execution:
    """One run under way: the events, tables made so far, warnings, bound parameters."""

    events: Source
    context: Context
    tables: dict[str, Lookup] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    arguments: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    events_scanned: int = 0
    depth: int = 0
    marks: int = 0
    is_dry: bool = False
    """Only checks: parameters, tables and saved queries that are not there stand for any."""
    trees: dict[str, Query] = field(default_factory=dict)
    """Saved queries read so far."""

    def mark(self, purpose: str) -> str:
        """Return a fresh name for a hidden column."""
        self.marks += 1
        return f"\x00{purpose}{self.marks}"

    def warn(self, text: str) -> None:
        """Note a warning once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def parameter(self, node: Parameter) -> str:
        """Return the text of a parameter.

        Raises:
            CqlSemanticError: It has neither a value nor a default.
        """
        for values in (self.arguments, self.context.arguments, self.defaults):
            if node.name in values:
                return values[node.name]
        if node.default is not None:
            return node.default
        if self.is_dry:
            # A text that is a pattern, a number and a name alike.
            return "1"
        raise CqlSemanticError(
            f"the parameter ?{node.name} has no value", start=node.span.start, end=node.span.end
        )

    def table(self, name: str, *, node: Node) -> Lookup:
        """Return an ad-hoc table or a lookup file.

        Raises:
            CqlSemanticError: There is none of this name.
        """
        found = self.tables.get(name) or self.context.lookups.get(name)
        if found is None and self.is_dry:
            return Lookup.open()
        if found is None:
            known = ", ".join(sorted({*self.tables, *self.context.lookups})) or "none"
            raise CqlSemanticError(
                f"there is no table or lookup file {name!r}; known: {known}",
                start=node.span.start,
                end=node.span.end,
            )
        return found

    @contextmanager
    def bound(self, arguments: Mapping[str, str]) -> Iterator[None]:
        """Bind a saved query's arguments while its steps run."""
        before = self.arguments
        self.arguments = {**before, **arguments}
        try:
            yield
        finally:
            self.arguments = before

    @contextmanager
    def saved_query(self, node: SavedQuery) -> Iterator[Query]:
        """Give a saved query's tree, its arguments bound meanwhile.

        Raises:
            CqlSyntaxError: Its text is not CQL.
            CqlSemanticError: There is none of this name, or they call each other without an end.
        """
        if self.depth >= MAX_SAVED_DEPTH:
            problem = f"saved queries call each other more than {MAX_SAVED_DEPTH} deep"
            raise CqlSemanticError(problem, start=node.span.start, end=node.span.end)
        if node.name not in self.trees:
            self.trees[node.name] = self._read_saved(node)
        self.depth += 1
        try:
            arguments = {
                item.name: self.parameter(item.value)
                if isinstance(item.value, Parameter)
                else item.value
                for item in node.arguments
            }
            with self.bound(arguments):
                yield self.trees[node.name]
        finally:
            self.depth -= 1

    def _read_saved(self, node: SavedQuery) -> Query:
        text = self.context.saved.get(node.name)
        if text is None and self.is_dry:
            text = "*"
        if text is None:
            known = ", ".join(sorted(self.context.saved)) or "none"
            raise CqlSemanticError(
                f"there is no saved query {node.name!r}; known: {known}",
                start=node.span.start,
                end=node.span.end,
            )
        query = parse_or_raise(text)
        for inner in walk(query):
            if isinstance(inner, Parameter) and inner.default is not None:
                self.defaults.setdefault(inner.name, inner.default)
        return query
