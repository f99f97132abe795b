"""The sandbox on a socket: uvicorn, loopback unless told otherwise, a clean stop on SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from orchestrator.clock import Clock, SystemClock
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.settings import SandboxSettings
from orchestrator.sandbox.tls import TlsFiles

LOOPBACK = "127.0.0.1"
_DRAIN_SECONDS = 5


async def serve(
    settings: SandboxSettings,
    *,
    host: str = LOOPBACK,
    port: int = 8080,
    lookups: Sequence[Path] = (),
    tls: TlsFiles | None = None,
    clock: Clock | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; requests in hand get five seconds to end.

    Port 0 takes any free one. Each of `lookups` is held as a lookup file in every repository. With
    `tls` it speaks HTTPS and nothing else.

    Raises:
        StoreBusy: Another process holds the data directory.
    """
    app = create_app(settings, clock=clock or SystemClock())
    sandbox = app.state.sandbox
    for path in lookups:
        content = await asyncio.to_thread(path.read_bytes)
        for name in settings.repositories:
            sandbox.put_file(sandbox.domain(name), path.name, content, by="start-up")
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        ssl_certfile=None if tls is None else tls.certificate,
        ssl_keyfile=None if tls is None else tls.key,
        # The answers are dated already, by the layer that can have the time wrong.
        date_header=False,
    )
    # What is there now stays: looking through it for garbage costs a fifth of an ingest.
    gc.freeze()
    server = Server(config, before_shutdown=sandbox.end_streams)
    try:
        with _stopping(server):
            await server.serve()
    finally:
        app.state.sandbox.close()


class Server(uvicorn.Server):
    """A server that leaves signals to `_stopping`: uvicorn's own raises them again at its end."""

    def __init__(self, config: uvicorn.Config, *, before_shutdown: Callable[[], None]) -> None:
        super().__init__(config)
        self._before_shutdown = before_shutdown

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; first end what would stay open by itself."""
        self._before_shutdown()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


@contextmanager
def _stopping(server: uvicorn.Server) -> Iterator[None]:
    """Let SIGINT and SIGTERM stop the server; in a thread that gets no signals, do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
