"""A sandbox on a socket, served from a thread of its own: these clients block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from starlette.applications import Starlette

from orchestrator.clock import FrozenClock
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.receivers.loopback import serve_on_loopback
from orchestrator.sandbox.settings import sandbox_settings

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
NOW_MS = 1_773_108_000_000
TOKEN = "peer-token"


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """Serve a sandbox while the block runs, and yield its address."""
    address: list[str] = []
    is_up, is_over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with serve_on_loopback(app) as url:
            address.append(url)
            is_up.set()
            await asyncio.to_thread(is_over.wait)
        app.state.sandbox.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert is_up.wait(timeout=20), "the sandbox did not start"
    try:
        yield address[0]
    finally:
        is_over.set()
        thread.join(timeout=20)


@pytest.fixture
def sandbox_url() -> Iterator[str]:
    """Serve a sandbox with the repository `falcon` while the test runs."""
    settings = sandbox_settings(token=TOKEN, repositories=("falcon",))
    with served(create_app(settings, clock=FrozenClock(NOW))) as url:
        yield url
