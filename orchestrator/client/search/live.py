"""Live queries: a search whose window slides with the clock, read as snapshots.

Each poll is the whole result of the moment, never a difference. The server drops a live job that
nobody polls for an hour; a job that is lost is started again, once in a row.
Source: library.humio.com, logscale-api/api-search-query; cassettes/query_jobs/.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta

from orchestrator.client.search.job_machine import LONGEST_PAUSE, SHORTEST_PAUSE
from orchestrator.client.search.options import PLAIN, SearchOptions
from orchestrator.client.search.query_jobs import QueryJobs
from orchestrator.client.search.verdict import cancelled, result_of, shortfalls
from orchestrator.client.types import Completeness, QueryResult
from orchestrator.client.wire import WireQueryJobInput
from orchestrator.clock import Clock
from orchestrator.errors import NotFound, QueryIncomplete, QueryJobExpired


async def live_snapshots(
    jobs: QueryJobs,
    repository: str,
    query: str,
    *,
    window: timedelta,
    clock: Clock,
    use_ingest_time: bool = False,
    arguments: Mapping[str, str] | None = None,
    options: SearchOptions = PLAIN,
) -> AsyncGenerator[QueryResult]:
    """Yield the result over the last `window`, anew at the server's own pace, until closed.

    The first snapshot comes once the window's past is read. Close it (`contextlib.aclosing`) to
    delete the job at once; a generator that is only dropped deletes it when the loop collects it.

    Raises:
        QueryRejected: The server refused the query, such as for a join in a live one.
        QueryIncomplete: The server cancelled the job.
        QueryJobExpired: The job was lost twice without an answer in between.
        ClientError: The server could not be asked.
    """
    body = WireQueryJobInput(
        queryString=query, start=f"{int(window.total_seconds())}s", end="now", isLive=True
    )
    if use_ingest_time:
        body["useIngestTime"] = True
    if arguments:
        body["arguments"] = dict(arguments)
    options.write(body)
    losses = 0
    while True:
        async with jobs.started(repository, body) as job_id:
            snapshots = _snapshots(jobs, repository, job_id, clock=clock)
            try:
                async for snapshot in snapshots:
                    losses = 0
                    yield snapshot
            except NotFound as exc:
                losses += 1
                if losses > 1:
                    raise QueryJobExpired(f"job {job_id} is gone on the server, again") from exc


async def _snapshots(
    jobs: QueryJobs, repository: str, job_id: str, *, clock: Clock
) -> AsyncGenerator[QueryResult]:
    started, polls = clock.monotonic(), 0
    while True:
        answer = await jobs.poll(repository, job_id)
        polls += 1
        if answer.is_cancelled:
            raise QueryIncomplete(cancelled(answer))
        if answer.is_done:
            reasons = shortfalls(answer, received_rows=len(answer.rows))
            yield result_of(
                answer,
                rows=answer.rows,
                completeness=Completeness(reasons=tuple(reasons)),
                job_id=job_id,
                polls=polls,
                elapsed=timedelta(seconds=clock.monotonic() - started),
            )
        await clock.sleep(min(max(answer.poll_after, SHORTEST_PAUSE), LONGEST_PAUSE))
