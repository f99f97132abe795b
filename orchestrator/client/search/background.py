"""Work that is brought to its end, though whoever began it has left."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

GRACE_S = 5.0
"""Longest that anyone waits for such work, which goes on behind him."""


class Background:
    """The work of one owner."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def finish(self, work: Coroutine[None, None, None]) -> None:
        """Run `work` to its end and wait a little, even if the caller is cancelled again."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        done, _ = await asyncio.wait({task}, timeout=GRACE_S)
        for ended in done:
            ended.result()

    async def drain(self) -> None:
        """Wait a little for what is not at its end yet."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE_S)
