"""Query jobs: started, polled, forgotten.

A job lives until it is deleted or nobody polled it for its life (90 s static, 1 h live), by the
injected clock. Its work runs in a thread; a poll waits a moment for it, then says `done: false`.
A live job is searched again at each poll, over a window that slides with the clock.
"""

from __future__ import annotations

import asyncio
import secrets
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from orchestrator.clock import Clock
from orchestrator.errors import CqlError
from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.faults.kinds import Fault, FaultKind
from orchestrator.sandbox.quotas import QuotaBook
from orchestrator.sandbox.search.job_history import Gone, JobHistory, JobState, JobSummary
from orchestrator.sandbox.search.job_wire import TOTAL_WORK, PollState, Warned
from orchestrator.sandbox.search.run import Answer, Search, run
from orchestrator.sandbox.settings import SandboxSettings
from orchestrator.sandbox.storage.events import Snapshot

_ID_CHARS = string.ascii_letters + string.digits
_SECOND = timedelta(seconds=1)

Snapshots = Callable[[], Sequence[Snapshot]]
"""Reads the events of a search domain as they are now."""


@dataclass(slots=True, kw_only=True)
class Job:
    """One query job; mutable, and known only to `QueryJobs`."""

    id: str
    domain: str
    search: Search
    snapshots: Snapshots
    is_live: bool
    owner: str
    started_at: datetime
    started: float
    """Monotonic seconds."""
    polled: float
    began: float | None = None
    """When the work left the queue; monotonic seconds, as `ended`."""
    ended: float | None = None
    polls: int = 0
    answer: Answer | None = None
    problem: str = ""
    """Why the work failed; such a job reads as cancelled."""
    queued_ms: int = 0
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class QueryJobs:
    """The jobs of a sandbox."""

    def __init__(self, settings: SandboxSettings, *, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._jobs: dict[str, Job] = {}
        self._history = JobHistory()
        self.quotas = QuotaBook(settings.query_quotas, clock=clock)
        self._slots = asyncio.Semaphore(settings.concurrent_queries)

    def __len__(self) -> int:
        self._expire()
        return len(self._jobs)

    def ids(self) -> list[str]:
        """Return the ids of the jobs that are alive, oldest first."""
        self._expire()
        return list(self._jobs)

    def recent(self) -> list[JobSummary]:
        """Return the jobs that are alive and the last ones that are gone, newest first."""
        self._expire()
        alive = [_summary(job) for job in self._jobs.values()]
        found = [*reversed(alive), *self._history.newest_first()]
        return sorted(found, key=lambda summary: summary.started_at, reverse=True)

    def start(
        self, domain: str, search: Search, snapshots: Snapshots, *, is_live: bool, owner: str = ""
    ) -> Job:
        """Start a job and return at once; `owner` is whose it is, for quotas and the history.

        Raises:
            Refusal: 429, a quota is used up, or too many jobs run.
        """
        self._expire()
        if len(self._jobs) >= self._settings.most_jobs:
            raise Refusal(429, f"{self._settings.most_jobs} query jobs run already; delete some")
        self.quotas.admit(owner)
        now = self._clock.monotonic()
        job = Job(
            id=f"24-{_random_text(24)}",
            domain=domain,
            search=search,
            snapshots=snapshots,
            is_live=is_live,
            owner=owner,
            started_at=self._clock.now(),
            started=now,
            polled=now,
        )
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._work(job))
        return job

    def find(self, job_id: str, *, domain: str | None) -> Job | None:
        """Return a job that is alive, None for an unknown, expired or foreign one."""
        self._expire()
        job = self._jobs.get(job_id)
        return None if job is None or domain not in {None, job.domain} else job

    def forget(self, job: Job, *, why: Gone = Gone.DELETED) -> None:
        """Stop the job and drop it; a search already in its thread runs to its end, unheard."""
        if self._jobs.pop(job.id, None) is not None:
            self._history.add(_summary(job, gone=why))
        if job.task is not None:
            job.task.cancel()

    def kill(self, job: Job, *, by: str) -> None:
        """End the job and keep it: it reads as cancelled."""
        job.problem, job.answer = f"the query was killed by {by}", None
        if job.task is not None:
            job.task.cancel()

    def close(self) -> None:
        """Forget every job."""
        for job in list(self._jobs.values()):
            self.forget(job)

    async def poll(self, job: Job, *, fault: Fault | None = None) -> PollState:
        """Return the job's state now, bent by the fault it meets, and count it as polled.

        `LOST` is the caller's to answer.
        """
        job.polled = self._clock.monotonic()
        job.polls += 1
        is_held = job.polls == 1 and not self._settings.first_poll_done
        if job.is_live and job.polls > 1 and not job.problem:
            # A search that still runs is of an older window: this poll wants the newest.
            await self._settle(job)
            if job.task is None or job.task.done():
                self._slide(job)
        if not is_held:
            await self._settle(job)
        return self._bent(self._state(job, is_held=is_held), fault)

    async def _settle(self, job: Job) -> None:
        """Wait for the job's search to end, as long as a poll may take."""
        if job.task is not None:
            await asyncio.wait({job.task}, timeout=self._settings.poll_patience.total_seconds())

    async def finished(self, search: Search, snapshots: Snapshots) -> Answer:
        """Run a search to its end, without a job: the streaming endpoint.

        Raises:
            CqlError: The engine cannot run it.
        """
        async with self._slots:
            return await asyncio.to_thread(run, search, snapshots())

    def _slide(self, job: Job) -> None:
        """Search again, over a window of the same length that ends now."""
        now_ms = int(self._clock.now().timestamp() * 1000)
        moved_ms = now_ms - job.search.now_ms
        job.search = replace(
            job.search,
            start_ms=job.search.start_ms + moved_ms,
            end_ms=job.search.end_ms + moved_ms,
            now_ms=now_ms,
        )
        job.task = asyncio.create_task(self._work(job))

    async def _work(self, job: Job) -> None:
        queued_at = self._clock.monotonic()
        async with self._slots:
            job.began, job.ended = self._clock.monotonic(), None
            job.queued_ms = int((job.began - queued_at) * 1000)
            try:
                job.answer = await asyncio.to_thread(run, job.search, job.snapshots())
            except CqlError as exc:
                job.problem = str(exc)
            except Exception as exc:  # noqa: BLE001 -- a fault of the engine ends this job, not the server
                job.problem = f"the search failed: {type(exc).__name__}: {exc}"
            job.ended = self._clock.monotonic()

    def _state(self, job: Job, *, is_held: bool) -> PollState:
        answer = None if is_held else job.answer
        done = not is_held and (answer is not None or bool(job.problem))
        settings = self._settings
        if not done:
            poll_after_ms = settings.poll_after_running_ms
        elif job.is_live:
            poll_after_ms = settings.poll_after_live_ms
        else:
            poll_after_ms = settings.poll_after_done_ms
        warnings = [Warned(code="QueryWarning", message=text) for text in _warnings_of(answer)]
        if job.problem and done:
            warnings.append(Warned(code="QueryFailed", message=job.problem))
        return PollState(
            search=job.search,
            is_live=job.is_live,
            done=done,
            cancelled=bool(job.problem) and done,
            answer=answer,
            warnings=warnings,
            poll_after_ms=poll_after_ms,
            age_ms=int((self._clock.monotonic() - job.started) * 1000),
            queued_ms=job.queued_ms,
            work_done=_work_done(answer) if done else 0,
            spent=self.quotas.spent(job.owner),
        )

    def _bent(self, state: PollState, fault: Fault | None) -> PollState:
        """Return the state as the fault makes it look."""
        if fault is None:
            return state
        message = fault.message
        match fault.kind:
            case FaultKind.SLOW:
                return replace(
                    state,
                    done=False,
                    answer=None,
                    work_done=0,
                    warnings=(),
                    poll_after_ms=self._settings.poll_after_running_ms,
                )
            case FaultKind.CANCELLED:
                return replace(state, done=True, cancelled=True, answer=None, work_done=0)
            case FaultKind.WARNINGS:
                text = message or "Ingest is delayed; recent events may be missing."
                warned = Warned(code="IngestDelayed", message=text, category="CLUSTER")
                return replace(state, warnings=[*state.warnings, warned])
            case FaultKind.PARTIAL:
                text = message or "Some data could not be searched."
                answer = state.answer
                if answer is not None:
                    answer = replace(answer, rows=answer.rows[: len(answer.rows) // 2])
                return replace(
                    state,
                    answer=answer,
                    work_done=TOTAL_WORK - 1,
                    warnings=[*state.warnings, Warned(code="DataUnavailable", message=text)],
                )
            case _:
                return state

    def _expire(self) -> None:
        now = self._clock.monotonic()
        for job in list(self._jobs.values()):
            settings = self._settings
            life = settings.live_job_life if job.is_live else settings.static_job_life
            if now - job.polled > life / _SECOND:
                self.forget(job, why=Gone.EXPIRED)


def _summary(job: Job, *, gone: Gone | None = None) -> JobSummary:
    if job.problem:
        state = JobState.FAILED
    elif job.answer is not None:
        state = JobState.DONE
    elif gone is not None:
        state = JobState.STOPPED
    else:
        state = JobState.QUEUED if job.began is None else JobState.RUNNING
    spent = None if job.began is None or job.ended is None else job.ended - job.began
    return JobSummary(
        id=job.id,
        domain=job.domain,
        query=job.search.checked.text,
        owner=job.owner,
        is_live=job.is_live,
        started_at=job.started_at,
        state=state,
        duration_ms=None if spent is None else round(spent * 1000),
        rows=None if job.answer is None else len(job.answer.rows),
        problem=job.problem,
        polls=job.polls,
        gone=gone,
    )


def query_id() -> str:
    """Return an id for the `humio-query-id` header of a streamed answer."""
    return f"IQ-{_random_text(24)}"


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ID_CHARS) for _ in range(length))


def _work_done(answer: Answer | None) -> int:
    """Return how much of the work an ended search has done: not all where a share was enough."""
    return TOTAL_WORK - 1 if answer is not None and answer.is_sample else TOTAL_WORK


def _warnings_of(answer: Answer | None) -> Sequence[str]:
    return () if answer is None else answer.warnings
