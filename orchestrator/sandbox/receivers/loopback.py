"""Any ASGI app on a free loopback port, for clients that need a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

LOOPBACK = "127.0.0.1"


class _Server(uvicorn.Server):
    """A server inside somebody else's process: signals are that process's own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


@asynccontextmanager
async def serve_on_loopback(app: Any) -> AsyncIterator[str]:
    """Serve `app` while the block runs and yield its base URL; leaves no socket and no task."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        port = listener.getsockname()[1]
        config = uvicorn.Config(
            app,
            log_level="critical",
            lifespan="off",
            timeout_graceful_shutdown=1,
            ws="none",
            # The sandbox dates its answers itself.
            date_header=False,
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started and not task.done():  # noqa: ASYNC110 -- uvicorn has no event
                await asyncio.sleep(0.005)
            yield f"http://{LOOPBACK}:{port}"
        finally:
            server.should_exit = True
            await task
