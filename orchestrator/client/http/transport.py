"""The seam to HTTP: everything above speaks `Request`, `Response` and `ClientError`.

The library under it (`carrier`, `connections`) has known faults, which are dealt with here:

* a cancelled exchange leaves its connection in doubt, so each runs as a task owned by the
  transport, and a cancelled caller only stops waiting for it;
* its time-outs count silence, so a server that drips holds a call for ever: a deadline ends it;
* its pool limit deadlocks once it lost a place, so the number of exchanges is the gate's business;
* it has no limit of size, and its exceptions quote whole URLs or say nothing: they are translated.

Source: encode/httpcore issue 1093; encode/httpx documentation, advanced/timeouts.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Protocol, Self
from urllib.parse import urlencode

from orchestrator.client.http.carrier import LIBRARY_ERRORS, AsgiApp, Carried, Carrier
from orchestrator.client.http.failures import translate
from orchestrator.client.http.limits import BULK_BYTES, Gate, Lane, Timeouts
from orchestrator.errors import AnswerTooLarge, RateLimited, RequestTimedOut
from orchestrator.secret import SecretText

DEFAULT_MAX_BODY_BYTES = 256 * 1024 * 1024
"""Decoded bytes of one answer: 200 000 rows of a wide query fit, an endless stream does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request. Neither its secret nor its body shows in a repr."""

    method: str
    path: str
    """Relative to the base address, segments already percent-encoded, no leading slash."""
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)
    bearer: SecretText | None = None
    """Sent as `Authorization: Bearer`; revealed only on the wire."""
    idempotent: bool = False
    """Whether sending it twice does no harm; decides about retries, not sent."""
    timeout: timedelta | None = None
    """Longest time in all, the wait for its turn included, where shorter than the transport's."""
    lane: Lane = Lane.CALL
    """What it waits with; an upload and an open answer wait with the bulk in any case."""
    silence: timedelta | None = None
    """Longest time until the next piece of an open answer, in place of the transport's."""

    @property
    def is_upload(self) -> bool:
        """Return whether its body is so large that sending it takes its time."""
        return len(self.content) >= BULK_BYTES

    def at_most(self, limit: timedelta) -> timedelta:
        """Return `limit`, or the request's own where it is shorter."""
        return limit if self.timeout is None else min(limit, self.timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One HTTP answer, read to its end and decompressed. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def content_type(self) -> str:
        """Return the media type without parameters, lower case; empty if the server named none."""
        return _media_type(self.headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenResponse:
    """One HTTP answer whose body is still on its way. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    chunks: AsyncIterator[bytes] = field(repr=False)
    """The body, decompressed, piece by piece; raises `ClientError` where it breaks."""

    @property
    def content_type(self) -> str:
        """Return the media type without parameters, lower case; empty if the server named none."""
        return _media_type(self.headers)

    async def read(self, limit: int) -> Response:
        """Return the answer with at most the first `limit` bytes of its body."""
        body = bytearray()
        async for chunk in self.chunks:
            body += chunk
            if len(body) >= limit:
                break
        return Response(status=self.status, headers=self.headers, body=bytes(body[:limit]))


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


class Transport(Protocol):
    """What can carry a request."""

    async def send(self, request: Request) -> Response:
        """Return the answer, whatever its status.

        Raises:
            ClientError: No answer, or one that cannot be read; nothing else is raised.
        """
        ...

    def open(self, request: Request) -> AbstractAsyncContextManager[OpenResponse]:
        """Yield the answer as soon as its head is there; leaving the block ends it.

        Raises:
            ClientError: No answer; nothing else is raised.
        """
        ...

    async def close(self) -> None:
        """Let running requests end and free the connections."""
        ...


class HttpTransport:
    """HTTP/1.1 to one base address, or in process to an ASGI app.

    Args:
        base_url: Scheme, host and an optional path prefix, which is kept.
        timeouts: The longest that each phase may take.
        gate: Places for exchanges, to share with other transports to the same host.
        asgi_app: Answers instead of the network; for tests and the embedded server.
        tls: Trust settings; None trusts the system's authorities.
        trust_env: Whether proxies and certificate paths are taken from the environment.
        max_body_bytes: Largest answer, decompressed, that is read.

    Raises:
        ConfigError: The base address cannot be asked, or holds a name or a password.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeouts: Timeouts | None = None,
        gate: Gate | None = None,
        asgi_app: AsgiApp | None = None,
        tls: ssl.SSLContext | None = None,
        trust_env: bool = False,
        max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
    ) -> None:
        self._timeouts, self._gate = timeouts or Timeouts(), gate or Gate()
        self._max_body_bytes = max_body_bytes
        self._tasks: set[asyncio.Task[Response]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._carrier = Carrier(
            base_url, timeouts=self._timeouts, app=asgi_app, tls=tls, trust_env=trust_env
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def send(self, request: Request) -> Response:
        """Return the answer; a cancelled caller leaves the request to end by its own deadline."""
        ends_at = _end_of(request)
        lane = Lane.BULK if request.is_upload else request.lane
        await self._turn(lane, request)
        task = asyncio.create_task(self._exchange(request, ends_at=ends_at))
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, lane))
        return await asyncio.shield(task)

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[OpenResponse]:
        """Yield the answer while it arrives; only silence is limited, not the whole length."""
        ends_at = _end_of(request)
        await self._turn(Lane.BULK, request)
        try:
            answer = await self._opened(request, ends_at=ends_at)
            try:
                yield OpenResponse(
                    status=answer.status,
                    headers=answer.headers,
                    chunks=self._chunks(answer, request=request),
                )
            finally:
                await answer.close()
        finally:
            self._gate.leave(Lane.BULK)

    async def _turn(self, lane: Lane, request: Request) -> None:
        """Take a place in the lane.

        Raises:
            RateLimited: None became free in time.
        """
        longest, host = self._timeouts.turn, self._carrier.host
        try:
            await self._gate.enter(lane, within=request.at_most(longest))
        except TimeoutError as exc:
            raise RateLimited(
                f"all {self._gate.places[lane]} places of the {lane} lane to {host} stayed taken",
                retry_after=longest,
                method=request.method,
                path=request.path,
                advice="Ask for less at once, or give the transport a wider gate",
            ) from exc

    async def _opened(self, request: Request, *, ends_at: float | None) -> Carried:
        """Connect in a task of our own: a caller who leaves meanwhile leaks no connection."""
        opening = asyncio.create_task(self._head(request, ends_at=ends_at))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            closing = asyncio.create_task(_close_when_open(opening))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            raise

    async def _head(self, request: Request, *, ends_at: float | None) -> Carried:
        with self._translated(request, limit=request.timeout):
            async with asyncio.timeout_at(ends_at):
                silence = request.silence or self._timeouts.silence
                return await self._carried(request, silence=silence)

    async def _chunks(self, answer: Carried, *, request: Request) -> AsyncIterator[bytes]:
        with self._translated(request, limit=None):
            async for chunk in answer.pieces:
                yield chunk

    async def close(self) -> None:
        """Wait for requests whose callers left, at most one connect, then close what is open."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._timeouts.connect.total_seconds())
        for task in (*self._tasks, *self._closing):
            task.cancel()
        await self._carrier.close()

    def _ended(self, lane: Lane, task: asyncio.Task[Response]) -> None:
        self._tasks.discard(task)
        self._gate.leave(lane)
        # Fetched, so that an abandoned failure is not reported as never retrieved.
        if not task.cancelled():
            task.exception()

    async def _exchange(self, request: Request, *, ends_at: float | None) -> Response:
        loop, whole = asyncio.get_running_loop(), self._timeouts.whole

        def last() -> float:
            return _earlier(loop.time() + whole.total_seconds(), ends_at)

        limit, silence = request.at_most(whole), None
        if request.is_upload:
            # Until the head of its answer only a stop on the way ends it.
            limit, silence = request.timeout or whole, self._timeouts.silence
        with self._translated(request, limit=limit):
            async with asyncio.timeout_at(ends_at if request.is_upload else last()) as end:
                answer = await self._carried(request, silence=silence)
                if request.is_upload:
                    end.reschedule(last())
                try:
                    body = await self._read(answer, request=request)
                finally:
                    await answer.close()
        return Response(status=answer.status, headers=answer.headers, body=body)

    async def _carried(self, request: Request, *, silence: timedelta | None = None) -> Carried:
        """Return the answer's head; the end of an exchange is left to whoever calls."""
        headers = request.headers
        if request.bearer is not None:
            headers = {**headers, "Authorization": f"Bearer {request.bearer.reveal()}"}
        return await self._carrier.carry(
            request.method,
            f"{request.path}?{urlencode(request.query)}" if request.query else request.path,
            headers=headers,
            content=request.content,
            silence=silence,
        )

    async def _read(self, answer: Carried, *, request: Request) -> bytes:
        body = bytearray()
        async for chunk in answer.pieces:
            body += chunk
            if len(body) > self._max_body_bytes:
                raise AnswerTooLarge(
                    f"the answer is larger than {self._max_body_bytes} bytes",
                    method=request.method,
                    path=request.path,
                    advice="Aggregate in the query, or search less at once",
                )
        return bytes(body)

    @contextmanager
    def _translated(self, request: Request, *, limit: timedelta | None) -> Iterator[None]:
        """Turn the library's exceptions, and a deadline that passed, into ours."""
        try:
            yield
        except TimeoutError as exc:
            within = f" within {limit.total_seconds():g} s" if limit is not None else ""
            raise RequestTimedOut(
                f"no whole answer{within}",
                method=request.method,
                path=request.path,
            ) from exc
        except LIBRARY_ERRORS as exc:
            where = {"method": request.method, "path": request.path}
            raise translate(exc, host=self._carrier.host, **where) from exc


def _end_of(request: Request) -> float | None:
    """Return when the loop's clock ends a request that has a limit of its own."""
    if request.timeout is None:
        return None
    return asyncio.get_running_loop().time() + request.timeout.total_seconds()


def _earlier(at: float, other: float | None) -> float:
    return at if other is None else min(at, other)


async def _close_when_open(opening: asyncio.Task[Carried]) -> None:
    """Close an answer that came after its caller left."""
    await asyncio.wait({opening})
    if not opening.cancelled() and opening.exception() is None:
        await opening.result().close()
