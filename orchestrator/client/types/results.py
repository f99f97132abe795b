"""What a search gave: rows, and all that is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """Whether a result is the whole answer; `reasons` is empty exactly if it is."""

    reasons: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Return whether nothing is known to be missing."""
        return not self.reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStats:
    """What the server and the poll loop counted for one query job."""

    job_id: str
    polls: int = 0
    elapsed: timedelta = timedelta(0)
    event_count: int = 0
    processed_bytes: int = 0
    processed_events: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldStats:
    """How often a field occurs in a result, and its most frequent values with their counts."""

    name: str
    occurrences: int
    distinct_values: int
    top_values: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedFile:
    """A lookup file that a query read."""

    name: str
    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """Rows of a finished query job; every value is text, as LogScale has it."""

    rows: tuple[Mapping[str, str], ...]
    fields: tuple[str, ...]
    """Column order: the server's where it names one, else by first appearance."""
    is_aggregate: bool
    completeness: Completeness
    warnings: tuple[str, ...]
    stats: JobStats
    has_more_events: bool = False
    """Whether more events matched a filter query than the server holds for it."""
    distribution: Mapping[datetime, int] = field(default_factory=dict)
    """Events that match, by the beginning of a bucket of time; empty unless asked for."""
    field_stats: tuple[FieldStats, ...] = ()
    """Empty unless asked for."""
    files: tuple[UsedFile, ...] = ()
    """Lookup files that were read, by name, where the server tells them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """One poll of a running job, for progress bars."""

    work_done: int
    total_work: int
    event_count: int
    polled_at: datetime
