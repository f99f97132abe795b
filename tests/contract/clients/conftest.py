"""A sandbox on a socket, served from a thread of its own: these clients block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

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


Service = Callable[..., Any]


@pytest.fixture
def service(sandbox_url: str) -> Service:
    """Return what makes a service class of falconpy for the sandbox."""

    def made(kind: Callable[..., Any]) -> Any:
        return kind(client_id="sandbox", client_secret=TOKEN, base_url=sandbox_url)

    return made


def body_of(answer: Any, *, status: int = 200) -> Any:
    """Return the body of an answer of falconpy's with this status."""
    assert answer["status_code"] == status, answer
    return answer["body"]


def resources(answer: Any, *, status: int = 200) -> Any:
    """Return the resources of an answer of falconpy's without errors."""
    body = body_of(answer, status=status)
    assert body["errors"] == [], body
    return body["resources"]


def message_of(answer: Any, *, status: int) -> str:
    """Return the text of a refusal, whose code is that of the answer."""
    (error,) = body_of(answer, status=status)["errors"]
    assert error["code"] == status
    return str(error["message"])
