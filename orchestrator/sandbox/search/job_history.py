"""What query jobs were and are, for people: who searched what, how long, with how many rows.

A job that is gone leaves its summary behind, never its rows; the oldest summaries go first.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

KEPT = 100
"""Summaries of jobs that are gone."""


class JobState(StrEnum):
    """How far a job came."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """The engine could not run it; on the wire it reads as cancelled."""
    STOPPED = "stopped"
    """Gone before it was done."""


class Gone(StrEnum):
    """Why a job is no longer there."""

    DELETED = "deleted"
    EXPIRED = "expired"
    """Nobody polled it for its life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """One job at one moment; `gone` is None while it lives."""

    id: str
    domain: str
    query: str
    owner: str
    """Name of the token's role."""
    is_live: bool
    started_at: datetime
    state: JobState
    duration_ms: int | None
    """Time of the search itself, without queueing; None before it has ended."""
    rows: int | None
    problem: str
    polls: int
    gone: Gone | None = None


class JobHistory:
    """The summaries of the last `KEPT` jobs that are gone."""

    def __init__(self) -> None:
        self._gone: deque[JobSummary] = deque(maxlen=KEPT)

    def add(self, summary: JobSummary) -> None:
        """Keep the summary of a job that has just gone."""
        self._gone.append(summary)

    def newest_first(self) -> list[JobSummary]:
        """Return what is kept, by when the jobs went."""
        return list(reversed(self._gone))
