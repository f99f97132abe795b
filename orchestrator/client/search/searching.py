"""What can be searched, whichever server it is: the part that `LogScale` and `Falcon` share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime, timedelta

from orchestrator.client.http.members import MILLISECOND
from orchestrator.client.search.live import live_snapshots
from orchestrator.client.search.options import PLAIN, SearchOptions
from orchestrator.client.search.paging import PLAIN_PAGING, Paging
from orchestrator.client.search.query_jobs import QueryJobs
from orchestrator.client.search.spec import QuerySpec, around_of, time_ms_of
from orchestrator.client.search.walk import walk_events
from orchestrator.client.types import JobProgress, QueryResult
from orchestrator.clock import Clock
from orchestrator.units import to_epoch_ms

PAGE_EVENTS = 1_000
AROUND_EVENTS = 100
"""As the server takes it where nothing is said."""
_HOUR = timedelta(hours=1)


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
        paging: Paging = PLAIN_PAGING,
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
            paging: In which order its rows are read, and how many at once.
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
            paging=paging,
        )
        return await self._jobs.run(repository, spec, deadline=deadline, on_progress=on_progress)

    async def around(
        self,
        repository: str,
        event: Mapping[str, str],
        *,
        query: str = "",
        before: int = AROUND_EVENTS,
        after: int = AROUND_EVENTS,
        within: timedelta = _HOUR,
        deadline: timedelta,
        arguments: Mapping[str, str] | None = None,
        options: SearchOptions = PLAIN,
    ) -> QueryResult:
        """Return the events next to one, and that one if the query finds it, newest first.

        Args:
            repository: Repository or view.
            event: A row of a filter query, with its `@id` and `@timestamp`.
            query: A filter for the events to be shown; empty shows all.
            before: Older events, at most.
            after: Newer events, at most.
            within: How far from the event they may be, on either side.
            deadline: Longest time in all.
            arguments: Values of the query's `?name` parameters.
            options: What else the job is asked, and what else is asked of it.

        Raises:
            UnexpectedResponse: The event has no `@id` or `@timestamp`.
            ClientError: As in `search`.
        """
        at_ms, reach_ms = time_ms_of(event), within // MILLISECOND
        spec = QuerySpec(
            query=query,
            start_ms=at_ms - reach_ms,
            end_ms=at_ms + reach_ms + 1,
            arguments=arguments or {},
            around=around_of(event, before=before, after=after),
            options=options,
        )
        return await self._jobs.run(repository, spec, deadline=deadline)

    def events(
        self,
        repository: str,
        query: str,
        *,
        start: datetime,
        end: datetime,
        deadline: timedelta,
        page_events: int = PAGE_EVENTS,
        use_ingest_time: bool = False,
        arguments: Mapping[str, str] | None = None,
        options: SearchOptions = PLAIN,
    ) -> AsyncGenerator[Mapping[str, str]]:
        """Yield every event that a filter query finds in `[start, end)`; see `walk_events`.

        Args:
            repository: Repository or view.
            query: A filter; its events keep `@id` and `@timestamp`.
            start: Aware, inclusive, cut to the millisecond.
            end: Aware, exclusive, cut to the millisecond.
            deadline: Longest time of one page.
            page_events: Events per page after the first.
            use_ingest_time: Bound the ingest time rather than the event time.
            arguments: Values of the query's `?name` parameters.
            options: What else each page's job is asked.

        Raises:
            QueryRejected: The query is an aggregate, or the server refused it.
            QueryIncomplete: A page is not whole.
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
        return walk_events(self._jobs, repository, spec, deadline=deadline, page_events=page_events)

    def live(
        self,
        repository: str,
        query: str,
        *,
        window: timedelta,
        use_ingest_time: bool = False,
        arguments: Mapping[str, str] | None = None,
        options: SearchOptions = PLAIN,
    ) -> AsyncGenerator[QueryResult]:
        """Yield the result over the last `window` again and again; see `live_snapshots`.

        Args:
            repository: Repository or view.
            query: CQL.
            window: Whole seconds.
            use_ingest_time: Let the window be one of ingest time rather than event time.
            arguments: Values of the query's `?name` parameters.
            options: What else the job is asked, and what else is asked of it.

        Raises:
            QueryRejected: The server refused the query.
            QueryIncomplete: The server cancelled the job.
            QueryJobExpired: The job was lost twice in a row.
            ClientError: The server could not be asked.
        """
        return live_snapshots(
            self._jobs,
            repository,
            query,
            window=window,
            clock=self._clock,
            use_ingest_time=use_ingest_time,
            arguments=arguments,
            options=options,
        )
