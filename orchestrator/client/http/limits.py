"""What is asked of one host at once, and how long each phase of an exchange may take.

`Gate` keeps three lanes apart, each with its own number of places and its own queue, first come,
first served. A poll is due at a moment and a job that nobody polls is dropped by the server, so
polls never wait behind submits, nor behind uploads and streams, which keep their place for minutes
or hours. The lanes bound sockets and bursts; quotas of requests are `quota`'s business, and those
of queries are the server's to state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

BULK_BYTES = 64 * 1024
"""A request with a body of this size is an upload: it takes as long as the line allows. It goes out
in pieces of this size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """The longest that each phase of an exchange may take."""

    turn: timedelta = timedelta(minutes=1)
    """Waiting in the lane for a place."""
    connect: timedelta = timedelta(seconds=5)
    """Name, TCP and TLS together; a connect that fails is tried once more."""
    write: timedelta = timedelta(seconds=30)
    """Until the server has taken the request, or the next piece of an upload."""
    silence: timedelta = timedelta(seconds=60)
    """Until the next piece of the answer: to an upload, and of one that is read as it arrives,
    which nothing else limits. A request may say its own."""
    whole: timedelta = timedelta(seconds=30)
    """From its turn to the last byte of an answer that is read whole, all phases together; of an
    upload, from the head of its answer."""


class Lane(StrEnum):
    """What an exchange waits with."""

    POLL = "poll"
    """Keeps a running job alive, or ends it."""
    CALL = "call"
    """Everything else that is short."""
    BULK = "bulk"
    """An upload, or an answer that is read as it arrives."""


# A running job has one poll under way at most, and a server may hold it until the job is done: a
# place for each of 512 jobs, under the usual 1024 open files and far under the 6000 jobs that
# NG-SIEM runs for a customer. Submits and uploads make the server work, so few of them at once.
DEFAULT_PLACES: Mapping[Lane, int] = MappingProxyType({Lane.POLL: 512, Lane.CALL: 16, Lane.BULK: 8})


class Gate:
    """The places of one host; may be shared by several transports to it, on one event loop.

    Args:
        places: Exchanges at once in each lane, each at least 1; a lane left out has the default.
    """

    def __init__(self, places: Mapping[Lane, int] | None = None) -> None:
        self.places = {**DEFAULT_PLACES, **(places or {})}
        if min(self.places.values()) < 1:
            raise ValueError("a lane needs at least one place")
        # asyncio's semaphores wake in the order of their queue.
        self._lanes = {lane: asyncio.Semaphore(count) for lane, count in self.places.items()}
        self._taken = dict.fromkeys(self.places, 0)

    @property
    def total(self) -> int:
        """Return how many exchanges there can be at once."""
        return sum(self.places.values())

    def taken(self, lane: Lane) -> int:
        """Return how many places of a lane are taken."""
        return self._taken[lane]

    async def enter(self, lane: Lane, *, within: timedelta) -> None:
        """Take a place, behind everyone who asked before.

        Raises:
            TimeoutError: None became free in time.
        """
        queue = self._lanes[lane]
        if queue.locked():
            async with asyncio.timeout(within.total_seconds()):
                await queue.acquire()
        else:
            await queue.acquire()
        self._taken[lane] += 1

    def leave(self, lane: Lane) -> None:
        """Give a place back."""
        self._taken[lane] -= 1
        self._lanes[lane].release()
