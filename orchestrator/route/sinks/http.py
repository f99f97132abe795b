"""The one file of `route` that knows the HTTP library: one request in, an answer or a reason out.

Three defects of httpx 0.28 are dealt with here. Cancelling a request during connection set-up leaks
its pool slot for ever, so a request runs as a shielded task of its own and callers only stop
waiting. Its time-outs count inactivity, so there is an outer deadline, and a drip is cut off. Its
loggers and exception texts show whole URLs, which may be secrets, so both are silenced. Redirects
are never followed and nothing is retried: the outbox owns retries.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from orchestrator.model.notification import DeliveryReason
from orchestrator.route.sinks.base import Failed

ANSWER_BYTES = 1_048_576
"""Longest answer read; a page of search results fits, an endless one does not."""

AsgiApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]

# Nothing was sent when one of these ends a request; after any other it may have arrived.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer, whatever its status; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        """Return the body as JSON, None where it is something else."""
        try:
            value: object = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value


class HttpSeam:
    """A connection to one host group.

    Args:
        deadline: Longest a request may take, from the first byte to the last.
        ca_file: Certificates to trust instead of the system's.
        app: An ASGI app to call in process instead of the network.
    """

    def __init__(
        self, *, deadline: timedelta, ca_file: Path | None = None, app: AsgiApp | None = None
    ) -> None:
        self._deadline = deadline.total_seconds()
        self._ca_file, self._app = ca_file, app
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[Answer | Failed]] = set()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Answer | Failed:
        """Return the answer, or why there is none; never raises for what the network does."""
        task = asyncio.create_task(self._perform(method, url, headers, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # `wait` leaves the task alone, both at the deadline and when the caller is cancelled.
        done, _ = await asyncio.wait({task}, timeout=self._deadline)
        if done:
            return task.result()
        return Failed(
            DeliveryReason.UNCERTAIN, f"{method}: no whole answer within {self._deadline:g} s"
        )

    async def close(self) -> None:
        """Wait for requests in hand, at most one more deadline, and close the connections."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=self._deadline)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _perform(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer | Failed:
        ends_at = asyncio.get_running_loop().time() + self._deadline
        try:
            request = self._opened().build_request(
                method, url, headers={"Accept-Encoding": "identity", **headers}, content=body
            )
            response = await self._opened().send(request, stream=True, follow_redirects=False)
            try:
                return await self._read(response, method, ends_at)
            finally:
                await response.aclose()
        except _NOT_SENT as exc:
            return Failed(DeliveryReason.UNREACHABLE, f"{method}: {type(exc).__name__}")
        except httpx.InvalidURL:
            return Failed(DeliveryReason.MISCONFIGURED, f"{method}: the URL cannot be read")
        except (httpx.HTTPError, httpx.StreamError) as exc:
            # Only the kind: the text of an httpx error may hold the URL.
            return Failed(DeliveryReason.UNCERTAIN, f"{method}: {type(exc).__name__}")

    async def _read(self, response: httpx.Response, method: str, ends_at: float) -> Answer | Failed:
        parts, size = [], 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > ANSWER_BYTES or asyncio.get_running_loop().time() > ends_at:
                problem = "is too long" if size > ANSWER_BYTES else "took too long"
                return Failed(DeliveryReason.UNCERTAIN, f"{method}: the answer {problem}")
            parts.append(part)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, b"".join(parts))

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            for name in ("httpx", "httpcore"):
                library = logging.getLogger(name)
                library.setLevel(max(library.level, logging.WARNING))
            transport: httpx.AsyncBaseTransport
            if self._app is not None:
                transport = httpx.ASGITransport(app=self._app, raise_app_exceptions=False)
            else:
                transport = httpx.AsyncHTTPTransport(
                    verify=ssl.create_default_context(cafile=self._ca_file),
                    trust_env=False,
                    limits=httpx.Limits(max_connections=None, max_keepalive_connections=4),
                )
            self._client = httpx.AsyncClient(
                transport=transport,
                timeout=httpx.Timeout(self._deadline),
                follow_redirects=False,
                trust_env=False,
            )
        return self._client


def reason_for_status(status: int, *, is_idempotent: bool) -> DeliveryReason | None:
    """Return why an HTTP status means failure, None for 2xx.

    Args:
        status: Of the answer.
        is_idempotent: Whether the same request may simply be sent again; if not, a server that
            failed may have done the work, and that is uncertain.
    """
    match status:
        case 200 | 201 | 202 | 203 | 204 | 205 | 206:
            return None
        case 401 | 403:
            return DeliveryReason.UNAUTHORIZED
        case 404 | 410:
            return DeliveryReason.NOT_FOUND
        case 408:
            return DeliveryReason.TIMED_OUT
        case 425 | 429:
            return DeliveryReason.RATE_LIMITED
    if status >= 500:
        return DeliveryReason.SERVER_FAILED if is_idempotent else DeliveryReason.UNCERTAIN
    if 300 <= status < 400 or status in (405, 407):
        return DeliveryReason.MISCONFIGURED
    return DeliveryReason.REFUSED
