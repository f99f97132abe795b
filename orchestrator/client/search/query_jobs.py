"""Query jobs over a session: the driver of `JobMachine`, and the endpoints one by one.

The machine decides, this module sends. It keeps one promise of its own: a job that was started is
deleted on every way out, also if the caller is cancelled, even while the submit is under way.
Source: library.humio.com, logscale-api/api-search-query; cassettes/query_jobs/.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import assert_never
from urllib.parse import quote

from orchestrator.client.decode import decode_job_id, require_form
from orchestrator.client.http.limits import Lane
from orchestrator.client.http.retry import RetryPolicy
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.http.transport import Request
from orchestrator.client.search.background import GRACE_S, Background
from orchestrator.client.search.job_machine import (
    Finish,
    Heartbeat,
    JobMachine,
    Pause,
    Poll,
    Submit,
)
from orchestrator.client.search.paging import (
    PLAIN_PAGING,
    ExportForm,
    Paging,
    QueryText,
    export_parameters,
)
from orchestrator.client.search.polls import PollAnswer, decode_poll
from orchestrator.client.search.spec import QuerySpec
from orchestrator.client.types import JobProgress, QueryResult
from orchestrator.client.wire import WireQueryJobInput
from orchestrator.errors import ClientError, NotFound, QueryRejected

_DELETE_RETRIES = RetryPolicy(attempts=4)
"""Of its own: a job that is left costs the server work, whatever the session repeats."""
logger = logging.getLogger(__name__)


class QueryJobs:
    """The query-job endpoints of LogScale, or of the gateway under another prefix.

    Args:
        session: Who asks.
        prefix: Path before `repositories`, without slashes at the ends.
    """

    def __init__(self, session: Session, *, prefix: str = "api/v1") -> None:
        self._session, self._prefix = session, prefix
        self._background = Background()

    async def run(
        self,
        repository: str,
        spec: QuerySpec,
        *,
        deadline: timedelta,
        on_progress: Callable[[JobProgress], None] | None = None,
    ) -> QueryResult:
        """Return the result of a search; the job is gone from the server after.

        Args:
            repository: Repository or view.
            spec: What to search, and over which span.
            deadline: Longest time in all.
            on_progress: Told of every poll; must not block.

        Returns:
            All rows. Look at `completeness` before trusting that nothing is missing.

        Raises:
            QueryRejected: The server refused the query.
            QueryIncomplete: The deadline passed or the job was cancelled.
            QueryJobExpired: The job was lost twice.
            ClientError: The server could not be asked.
        """
        machine = JobMachine(spec, deadline=deadline)
        try:
            return await self._drive(repository, spec, machine=machine, on_progress=on_progress)
        finally:
            await self._end(repository, machine.job_id)

    @asynccontextmanager
    async def finished(
        self, repository: str, spec: QuerySpec, *, deadline: timedelta
    ) -> AsyncIterator[QueryResult]:
        """Yield what `run` returns; the job is still there in the block, and gone after it."""
        machine = JobMachine(spec, deadline=deadline)
        try:
            yield await self._drive(repository, spec, machine=machine)
        finally:
            await self._end(repository, machine.job_id)

    @asynccontextmanager
    async def rows(
        self, repository: str, job_id: str, *, form: ExportForm, fields: Sequence[str] = ()
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Yield the rows of a job that is done as they arrive, in the form of a file.

        Raises:
            ValueError: CSV without its columns.
            NotFound: The server does not know the job any more.
            NotTheApi: The server exports nothing, or not in this form.
            ClientError: It could not be asked.
        """
        query = export_parameters(form, fields)
        request = self._keeping("GET", repository, job_id, query=query)
        async with self._session.open(request) as response:
            require_form(response.content_type, form)
            yield response.chunks

    @asynccontextmanager
    async def started(self, repository: str, body: WireQueryJobInput) -> AsyncIterator[str]:
        """Start a job, yield its id, and delete it on every way out.

        Raises:
            QueryRejected: The server refused the query.
        """
        job_id = await self._submit_safely(repository, body)
        try:
            yield job_id
        finally:
            await self._end(repository, job_id)

    async def _drive(
        self,
        repository: str,
        spec: QuerySpec,
        *,
        machine: JobMachine,
        on_progress: Callable[[JobProgress], None] | None = None,
    ) -> QueryResult:
        clock = self._session.clock
        started = clock.monotonic()

        def elapsed() -> timedelta:
            return timedelta(seconds=clock.monotonic() - started)

        while True:
            step = machine.next_step(elapsed())
            match step:
                case Finish():
                    return step.result
                case Submit():
                    body = spec.to_wire()
                    job_id = await self._submit_safely(repository, body, within=step.within)
                    machine.on_submitted(job_id, elapsed())
                case Pause():
                    await clock.sleep(step.duration)
                case Poll() | Heartbeat():
                    await self._ask(repository, step, machine=machine, elapsed=elapsed)
                    progress = machine.progress(clock.now())
                    if isinstance(step, Poll) and progress and on_progress:
                        on_progress(progress)
                case _:
                    assert_never(step)

    async def _ask(
        self,
        repository: str,
        step: Poll | Heartbeat,
        *,
        machine: JobMachine,
        elapsed: Callable[[], timedelta],
    ) -> None:
        try:
            if isinstance(step, Heartbeat):
                await self.heartbeat(repository, step.job_id)
                machine.on_heartbeat(elapsed())
            else:
                answer = await self.poll(
                    repository,
                    step.job_id,
                    offset=step.offset,
                    paging=step.paging,
                    within=step.within,
                )
                machine.on_polled(answer, elapsed())
        except NotFound:
            machine.on_lost()

    async def submit(
        self, repository: str, body: WireQueryJobInput, *, within: timedelta | None = None
    ) -> str:
        """Start a job and return its id; the caller must delete it.

        Args:
            repository: Repository or view.
            body: What to search.
            within: Give up after this long, if the transport would wait longer.

        Raises:
            QueryRejected: The server refused the query; its message is the problem.
            RequestRejected: It refused for another reason, such as a quota.
        """
        # A second submit after a lost answer only wastes a job, which expires by itself.
        request = json_request("POST", self._path(repository), body, idempotent=True)
        request = replace(request, timeout=within)
        return decode_job_id(await self._session.call(request, bad_request=QueryRejected))

    async def poll(
        self,
        repository: str,
        job_id: str,
        *,
        offset: int = 0,
        paging: Paging = PLAIN_PAGING,
        within: timedelta | None = None,
    ) -> PollAnswer:
        """Return the job's snapshot, or the page of it that starts at row `offset`.

        Args:
            repository: The one the job was started in.
            job_id: As `submit` returned it.
            offset: Rows of a finished job to skip.
            paging: Order of its rows, and how many at once.
            within: Give up after this long, if the transport would wait longer.

        Raises:
            NotFound: The server does not know the job any more.
        """
        query = paging.parameters(offset)
        request = self._keeping("GET", repository, job_id, query=query, within=within)
        return decode_poll(await self._session.call(request))

    async def heartbeat(self, repository: str, job_id: str) -> None:
        """Keep the job alive for another 90 s without asking for rows.

        Raises:
            NotFound: The server does not know the job any more.
        """
        query = (("onlyHeartbeat", "true"),)
        await self._session.call(self._keeping("GET", repository, job_id, query=query))

    async def delete(self, repository: str, job_id: str) -> None:
        """Stop and forget the job; one that is gone already is fine.

        Raises:
            ClientError: It could not be told so, several times.
        """
        try:
            request = self._keeping("DELETE", repository, job_id)
            await self._session.call(request, policy=_DELETE_RETRIES)
        except NotFound:
            return

    async def drain(self) -> None:
        """Wait a little for deletions whose callers left."""
        await self._background.drain()

    def _path(self, repository: str, job_id: str = "") -> str:
        path = f"{self._prefix}/repositories/{quote(repository, safe='')}/queryjobs"
        return f"{path}/{quote(job_id, safe='')}" if job_id else path

    def _keeping(
        self,
        method: str,
        repository: str,
        job_id: str,
        *,
        query: QueryText = (),
        within: timedelta | None = None,
    ) -> Request:
        """Return a request about a job that exists, which must not wait behind new ones."""
        return Request(
            method=method,
            path=self._path(repository, job_id),
            query=query,
            idempotent=True,
            timeout=within,
            lane=Lane.POLL,
        )

    async def _submit_safely(
        self, repository: str, body: WireQueryJobInput, *, within: timedelta | None = None
    ) -> str:
        """Submit; if the caller is cancelled meanwhile, delete the job once its id is known."""
        submitting = asyncio.create_task(self.submit(repository, body, within=within))
        try:
            return await asyncio.shield(submitting)
        except asyncio.CancelledError:
            await self._background.finish(self._forget_when_known(repository, submitting))
            raise

    async def _forget_when_known(self, repository: str, submitting: asyncio.Task[str]) -> None:
        await asyncio.wait({submitting}, timeout=GRACE_S)
        if not submitting.done():
            submitting.cancel()
        elif not submitting.cancelled() and submitting.exception() is None:
            await self._forget(repository, submitting.result())

    async def _end(self, repository: str, job_id: str) -> None:
        """Delete a job, also if the caller is cancelled again; an empty id is none."""
        if job_id:
            await self._background.finish(self._forget(repository, job_id))

    async def _forget(self, repository: str, job_id: str) -> None:
        try:
            await self.delete(repository, job_id)
        except ClientError as exc:
            # The result or the error in hand matters more. The server drops a job that nobody
            # polls, after 90 s, a live one after an hour.
            left = {"repository": repository, "job_id": job_id, "reason": str(exc)}
            logger.warning("query-job-left", extra=left)
