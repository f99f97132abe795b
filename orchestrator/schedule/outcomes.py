"""What running a window can end in, and which failure is whose fault; values, pure.

A failure *counts* if the window itself may be to blame: enough of those and it is given up as a
gap. An outage, a wrong token or a refused query does not count: the window waits, its watermark
stands, and it is searched once someone has put that right.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from orchestrator.errors import (
    AnswerTooLarge,
    ClientError,
    Forbidden,
    QueryIncomplete,
    QueryJobExpired,
    QueryRejected,
    RateLimited,
    RequestRejected,
    Unauthorized,
)
from orchestrator.model.run import Receipt, Run
from orchestrator.units import format_instant


class Cause(StrEnum):
    """Why a window was given back; closed, and each has its way of waiting."""

    UNREACHABLE = "unreachable"
    """The server, or the way to it, is away or overloaded."""
    UNAUTHORIZED = "unauthorized"
    """The token is missing, expired or lacks a right: an operator must act."""
    MISCONFIGURED = "misconfigured"
    """The repository does not exist, or what answers is not LogScale: an operator must act."""
    REJECTED = "rejected"
    """The server refuses the query: the rule's author must act."""
    JOB_LOST = "job-lost"
    """The query job vanished on the server, again after it was submitted again."""
    INCOMPLETE = "incomplete"
    """The server says that its answer is not the whole one."""
    TOO_LARGE = "too-large"
    """The answer holds more than is read: the rule's author must narrow the query."""
    CONFLICT = "conflict"
    """The findings changed under the run, twice."""
    JUDGING_FAILED = "judging-failed"
    """Building or judging the findings failed: a fault of the rule or of this program."""

    @property
    def counts(self) -> bool:
        """Return whether the attempt is held against the window."""
        return self in _COUNTED

    @property
    def needs_someone(self) -> bool:
        """Return whether only a person can end it, so that frequent retries are no use."""
        return self in _NEEDS_SOMEONE


_COUNTED = frozenset(
    {Cause.JOB_LOST, Cause.INCOMPLETE, Cause.TOO_LARGE, Cause.CONFLICT, Cause.JUDGING_FAILED},
)
_NEEDS_SOMEONE = frozenset({Cause.UNAUTHORIZED, Cause.MISCONFIGURED, Cause.REJECTED})


@dataclass(frozen=True, slots=True)
class Committed:
    """Searched wholly and stored; the watermark moved."""

    run: Run
    receipt: Receipt
    moves_on: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"committed: {self.receipt.search.rows} rows, {self.receipt.findings_new} new"


@dataclass(frozen=True, slots=True)
class NotClaimed:
    """Someone else has it, it is finished, its retry is not due, or another window is first."""

    moves_on: ClassVar[bool] = False

    def __str__(self) -> str:
        return "not claimed: held by another process, or its next try is not due yet"


@dataclass(frozen=True, slots=True)
class Released:
    """Due again at `retry_at`; the watermark stands."""

    run: Run
    cause: Cause
    reason: str
    retry_at: datetime
    moves_on: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"released ({self.cause}): {self.reason}; again at {format_instant(self.retry_at)}"


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Recorded as a gap, and reported; the watermark moved past it."""

    run: Run
    reason: str
    moves_on: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"given up: {self.reason}"


@dataclass(frozen=True, slots=True)
class Fenced:
    """Someone took the window over; this attempt wrote nothing."""

    run: Run
    moves_on: ClassVar[bool] = False

    def __str__(self) -> str:
        return "fenced: the lease was lost"


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """The store could not take the result; the lease ends by itself and the window runs again."""

    reason: str
    moves_on: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"store failed: {self.reason}"


RunOutcome = Committed | NotClaimed | Released | GaveUp | Fenced | StoreFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long a window waits, and when it is given up."""

    max_attempts: int = 10
    """Counted attempts at one window before it becomes a gap."""
    horizon: timedelta | None = None
    """Windows that ended longer ago become gaps unsearched: set it to the repository's retention,
    beyond which an empty answer proves nothing. None searches however old."""
    first_wait: timedelta = timedelta(seconds=30)
    """After the first failure; doubled with each counted attempt."""
    longest_wait: timedelta = timedelta(minutes=15)
    """Also the wait where a person must act first."""
    longest_outage_wait: timedelta = timedelta(minutes=5)
    """Short enough that a service is caught up soon after the server is back."""

    def wait(self, cause: Cause, *, run: Run, now: datetime, asked: timedelta | None) -> timedelta:
        """Return how long to wait before the next attempt.

        An outage is not counted, so its wait grows with the age of the window: a quarter of it.

        Args:
            cause: Why this attempt failed.
            run: The attempt.
            now: Wall time, aware UTC.
            asked: What the server asked for; honoured up to `longest_wait`.
        """
        if cause.needs_someone:
            return self.longest_wait
        if cause.counts:
            doublings = min(max(run.attempt - 1, 0), 16)
            own = min(self.first_wait * (1 << doublings), self.longest_wait)
        else:
            age = max(now - run.window.end, timedelta(0))
            own = min(max(age / 4, self.first_wait), self.longest_outage_wait)
        return max(own, min(asked or timedelta(0), self.longest_wait))


def cause_of(error: ClientError) -> Cause:
    """Return whose fault a failed search is."""
    match error:
        case QueryIncomplete():
            return Cause.INCOMPLETE
        case QueryJobExpired():
            return Cause.JOB_LOST
        case AnswerTooLarge():
            return Cause.TOO_LARGE
        case Unauthorized() | Forbidden():
            return Cause.UNAUTHORIZED
        case QueryRejected() | RequestRejected():
            return Cause.REJECTED
        case _ if error.retryable:
            return Cause.UNREACHABLE
        case _:
            return Cause.MISCONFIGURED


def asked_wait(error: ClientError) -> timedelta | None:
    """Return the delay that the server named, if it did."""
    return error.retry_after if isinstance(error, RateLimited) else None
