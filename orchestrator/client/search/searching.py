"""What can be searched, whichever server it is: the part that `LogScale` and `Falcon` share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime, timedelta

from orchestrator.client.search.live import live_snapshots
from orchestrator.client.search.options import PLAIN, SearchOptions
from orchestrator.client.search.query_jobs import QueryJobs
from orchestrator.client.search.spec import QuerySpec
from orchestrator.client.search.walk import walk_events
from orchestrator.client.types import JobProgress, QueryResult
from orchestrator.clock import Clock
from orchestrator.units import to_epoch_ms

PAGE_EVENTS = 1_000


class Searching:
    """Searches over the query jobs of one server.

    Args:
        jobs: The server's query-job endpoints.
        clock: For pauses and deadlines.
    """

    def __init__(self, jobs: QueryJobs, *, clock: Clock) -> None:
        self._jobs, self._clock = jobs, clock

    def jobs(self) -> QueryJobs:
        """Return the query-job endpoints, for callers that keep a job themselves."""
        return self._jobs

    async def search(
        self,
        repository: str,
        query: str,
        *,
        start: datetime,
        end: datetime,
        deadline: timedelta,
        use_ingest_time: bool = False,
        arguments: Mapping[str, str] | None = None,
        options: SearchOptions = PLAIN,
        on_progress: Callable[[JobProgress], None] | None = None,
    ) -> QueryResult:
        """Return the result of `query` over `[start, end)`; see `QueryJobs.run`.

        On Falcon the repositories are `search-all`, `investigate_view`, `third-party` and others.

        Args:
            repository: Repository or view.
            query: CQL.
            start: Aware, inclusive, cut to the millisecond.
            end: Aware, exclusive, cut to the millisecond.
            deadline: Longest time in all.
            use_ingest_time: Bound the ingest time rather than the event time.
            arguments: Values of the query's `?name` parameters.
            options: What else the job is asked, and what else is asked of it.
            on_progress: Told of every poll; must not block.

        Raises:
            QueryRejected: The server refused the query.
            QueryIncomplete: The deadline passed or the job was cancelled.
            QueryJobExpired: The job was lost twice.
            ClientError: The server could not be asked.
        """
        spec = QuerySpec(
            query=query,
            start_ms=to_epoch_ms(start),
            end_ms=to_epoch_ms(end),
            use_ingest_time=use_ingest_time,
            arguments=arguments or {},
            options=options,
        )
        return await self._jobs.run(repository, spec, deadline=deadline, on_progress=on_progress)

    def events(
        self,
        repository: str,
        query: str,
        *,
        start: datetime,
        end: datetime,
        deadline: timedelta,
        page_events: int = PAGE_EVENTS,
        arguments: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Mapping[str, str]]:
        """Yield every event that a filter query finds in `[start, end)`; see `walk_events`.

        Raises:
            QueryRejected: The query is an aggregate, or the server refused it.
            QueryIncomplete: A page is not whole.
            ClientError: The server could not be asked.
        """
        spec = QuerySpec(
            query=query,
            start_ms=to_epoch_ms(start),
            end_ms=to_epoch_ms(end),
            arguments=arguments or {},
        )
        return walk_events(self._jobs, repository, spec, deadline=deadline, page_events=page_events)

    def live(
        self,
        repository: str,
        query: str,
        *,
        window: timedelta,
        arguments: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[QueryResult]:
        """Yield the result over the last `window` again and again; see `live_snapshots`.

        Raises:
            QueryRejected: The server refused the query.
            QueryIncomplete: The server cancelled the job.
            QueryJobExpired: The job was lost twice in a row.
            ClientError: The server could not be asked.
        """
        return live_snapshots(
            self._jobs, repository, query, window=window, clock=self._clock, arguments=arguments
        )
