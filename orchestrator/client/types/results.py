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
class QueryWarning:
    """What a server says against a result; reads as its message."""

    message: str
    """For people; may change from version to version."""
    code: str = ""
    """For programs, the same in all versions; empty in what older servers send."""
    category: str = ""
    """QUERY_STATE, CLUSTER, ACCOUNT, REPOSITORY, UNSPECIFIED, or what a newer server adds."""
    classification: str = ""

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryCost:
    """What a query costs by the server's own count, in its work points; quotas count them too."""

    static: float = 0.0
    """Of reading what is stored."""
    live: float = 0.0
    """Of what arrives while a live query runs."""
    static_rate: float = 0.0
    live_rate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How far ingest is behind, as the server knows it (`digestFlow`); None is not told."""

    lag: timedelta | None = None
    """The longest time from an event's arrival to where it can be found (`maxIngestLatency`)."""
    known_good_until: datetime | None = None
    """Ingest time (`ingestTimeKnownGood`)."""
    included_from: datetime | None = None
    """Ingest time (`minIngestTimeIncluded`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStats:
    """What the server and the poll loop counted for one query job; None is not told."""

    job_id: str
    polls: int = 0
    elapsed: timedelta = timedelta(0)
    event_count: int = 0
    processed_bytes: int = 0
    processed_events: int = 0
    age: timedelta | None = None
    """Since the server began with it; grows from poll to poll, done or not."""
    queued: timedelta | None = None
    """How long it waited before the server began."""
    buffer_rows: int | None = None
    """Rows that the server holds for it."""
    cost: QueryCost | None = None


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
    warnings: tuple[QueryWarning, ...]
    stats: JobStats
    start: datetime | None = None
    """Beginning of the span as the server resolved it, inclusive; None if it is no date."""
    end: datetime | None = None
    """Exclusive."""
    has_more_events: bool = False
    """Whether more events matched a filter query than the server holds for it."""
    distribution: Mapping[datetime, int] = field(default_factory=dict)
    """Events that match, by the beginning of a bucket of time; empty unless asked for."""
    field_stats: tuple[FieldStats, ...] = ()
    """Empty unless asked for."""
    files: tuple[UsedFile, ...] = ()
    """Lookup files that were read, by name, where the server tells them."""
    freshness: Freshness | None = None
    bucket_span: timedelta | None = None
    """Length of a bucket, if the rows are buckets of time."""
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """The last poll without its rows; numbers with a fraction are text in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """One poll of a running job, for progress bars."""

    work_done: int
    total_work: int
    event_count: int
    polled_at: datetime
