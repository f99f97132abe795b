"""The seam to HTTP, and the one file that knows the HTTP library.

Everything above speaks `Request`, `Response` and `ClientError`. The library's known faults are
dealt with here, so that it can be swapped in one place:

* it leaks pool slots when a request is cancelled while it connects, so each request runs as a task
  owned by the transport and a cancelled caller only stops waiting for it;
* its timeouts count silence, so a server that drips holds a call for ever: a deadline ends it;
* its pool limit deadlocks after a leak, so the pool is unbounded behind our own semaphore;
* it logs whole URLs, follows the environment's proxies and has no size limit: all three are set.

Source: encode/httpcore issue 1093; encode/httpx documentation, advanced/timeouts.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, Self

import httpx

from orchestrator.client.reach import known_cause, way_to
from orchestrator.client.unpack import KNOWN, unpacked
from orchestrator.errors import (
    AnswerTooLarge,
    ClientError,
    ConfigError,
    ConnectionFailed,
    RequestRejected,
    RequestTimedOut,
    UnexpectedResponse,
)
from orchestrator.secret import SecretText

DEFAULT_TIMEOUT = timedelta(seconds=30)
"""Whole length of one exchange; polls answer in well under a second, uploads may take longer."""
DEFAULT_MAX_BODY_BYTES = 256 * 1024 * 1024
"""Decoded bytes of one answer: 200 000 rows of a wide query fit, an endless stream does not."""
_CONNECT_TIMEOUT_S = 5.0
_MAX_CONCURRENT = 32

AsgiApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


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
    """Whole length of this exchange, where shorter than the transport's own."""


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
        timeout: Whole length of one exchange.
        asgi_app: Answers instead of the network; for tests and the embedded server.
        tls: Trust settings; None trusts the system's authorities.
        trust_env: Whether proxies and certificate paths are taken from the environment.
        max_body_bytes: Largest answer, decompressed, that is read.

    Raises:
        ConfigError: The base address is not a URL.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: timedelta = DEFAULT_TIMEOUT,
        asgi_app: AsgiApp | None = None,
        tls: ssl.SSLContext | None = None,
        trust_env: bool = False,
        max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
    ) -> None:
        self._timeout, self._max_body_bytes = timeout, max_body_bytes
        self._slots = asyncio.Semaphore(_MAX_CONCURRENT)
        self._tasks: set[asyncio.Task[Response]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        # Both loggers print every full URL at INFO; URLs may hold secrets.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=_MAX_CONCURRENT)
        carrier: httpx.AsyncBaseTransport | None = None
        if asgi_app is not None:
            carrier = httpx.ASGITransport(app=asgi_app, raise_app_exceptions=False)
        elif not trust_env:
            # One retry of the connect alone: safe for every method.
            carrier = httpx.AsyncHTTPTransport(
                verify=tls or trust_for(base_url), limits=limits, retries=1
            )
        try:
            self._client = httpx.AsyncClient(
                base_url=base_url.rstrip("/") + "/",
                transport=carrier,
                verify=tls or True,
                limits=limits,
                trust_env=trust_env,
                follow_redirects=False,
            )
        except httpx.InvalidURL as exc:
            raise ConfigError("the base address is not a URL") from exc
        base = self._client.base_url
        self._host = way_to(base.host, scheme=base.scheme) if trust_env else base.host

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def send(self, request: Request) -> Response:
        """Return the answer; a cancelled caller leaves the request to end by its own deadline."""
        await self._slots.acquire()
        task = asyncio.create_task(self._exchange(request))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[OpenResponse]:
        """Yield the answer while it arrives; only silence is limited, not the whole length."""
        limit_s = min(request.timeout or self._timeout, self._timeout).total_seconds()
        async with self._slots:
            answer = await self._opened(request, timeout_s=limit_s)
            try:
                yield OpenResponse(
                    status=answer.status_code,
                    headers=_lowered(answer.headers),
                    chunks=self._chunks(answer, request=request),
                )
            finally:
                await answer.aclose()

    async def _opened(self, request: Request, *, timeout_s: float) -> httpx.Response:
        """Connect in a task of our own: a caller who leaves meanwhile leaks no connection."""
        opening = asyncio.create_task(self._head(request, timeout_s=timeout_s))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            closing = asyncio.create_task(_close_when_open(opening))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            raise

    async def _head(self, request: Request, *, timeout_s: float) -> httpx.Response:
        outgoing = self._built(request, timeout_s=timeout_s)
        try:
            return await self._client.send(outgoing, stream=True)
        except _LIBRARY_ERRORS as exc:
            raise translate(exc, request=request, host=self._host) from exc

    async def _chunks(self, answer: httpx.Response, *, request: Request) -> AsyncIterator[bytes]:
        try:
            async for chunk in _pieces(answer, request):
                yield chunk
        except _LIBRARY_ERRORS as exc:
            raise translate(exc, request=request, host=self._host) from exc

    async def close(self) -> None:
        """Wait for requests whose callers left, at most one connect, then close the pool."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CONNECT_TIMEOUT_S)
        for task in (*self._tasks, *self._closing):
            task.cancel()
        await self._client.aclose()

    def _ended(self, task: asyncio.Task[Response]) -> None:
        self._tasks.discard(task)
        self._slots.release()
        # Fetched, so that an abandoned failure is not reported as never retrieved.
        if not task.cancelled():
            task.exception()

    async def _exchange(self, request: Request) -> Response:
        limit = min(request.timeout or self._timeout, self._timeout)
        try:
            async with asyncio.timeout(limit.total_seconds()):
                return await self._send(request, timeout_s=limit.total_seconds())
        except TimeoutError as exc:
            raise RequestTimedOut(
                f"no whole answer within {limit.total_seconds():g} s",
                method=request.method,
                path=request.path,
            ) from exc
        except _LIBRARY_ERRORS as exc:
            raise translate(exc, request=request, host=self._host) from exc

    async def _send(self, request: Request, *, timeout_s: float) -> Response:
        answer = await self._client.send(self._built(request, timeout_s=timeout_s), stream=True)
        try:
            body = await self._read(answer, request=request)
        finally:
            await answer.aclose()
        return Response(status=answer.status_code, headers=_lowered(answer.headers), body=body)

    def _built(self, request: Request, *, timeout_s: float) -> httpx.Request:
        headers = dict(request.headers)
        if request.bearer is not None:
            headers["Authorization"] = f"Bearer {request.bearer.reveal()}"
        timeout = httpx.Timeout(timeout_s, connect=min(_CONNECT_TIMEOUT_S, timeout_s))
        return self._client.build_request(
            request.method,
            request.path,
            params=list(request.query) or None,
            headers=headers,
            content=request.content or None,
            timeout=timeout,
        )

    async def _read(self, answer: httpx.Response, *, request: Request) -> bytes:
        body = bytearray()
        async for chunk in _pieces(answer, request):
            body += chunk
            if len(body) > self._max_body_bytes:
                raise AnswerTooLarge(
                    f"the answer is larger than {self._max_body_bytes} bytes",
                    method=request.method,
                    path=request.path,
                    advice="Aggregate in the query, or search less at once",
                )
        return bytes(body)


def _pieces(answer: httpx.Response, request: Request) -> AsyncIterator[bytes]:
    """Return the body's pieces, decompressed."""
    if answer.headers.get("content-encoding", "").strip().lower() in KNOWN:
        return unpacked(answer.aiter_raw(), method=request.method, path=request.path)
    return answer.aiter_bytes()


_LIBRARY_ERRORS = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    httpx.CookieConflict,
)


def trust_for(base_url: str) -> ssl.SSLContext:
    """Return the system's authorities, which take 20 ms to read; without TLS, trust in nobody."""
    if base_url.lower().startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return ssl.create_default_context()


async def _close_when_open(opening: asyncio.Task[httpx.Response]) -> None:
    """Close an answer that came after its caller left."""
    await asyncio.wait({opening})
    if not opening.cancelled() and opening.exception() is None:
        await opening.result().aclose()


def _lowered(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


# The library's exceptions, the narrow before the wide. The sentences are ours: its own are empty
# for timeouts and quote whole URLs for others.
_UNSENT, _UNCERTAIN, _LATE, _OURS, _THEIRS = "unsent", "uncertain", "late", "ours", "theirs"
_TRANSLATIONS: tuple[tuple[type[Exception], str, str], ...] = (
    (httpx.ConnectTimeout, _UNSENT, "the connection was not accepted in time"),
    (httpx.PoolTimeout, _UNSENT, "no connection became free in time"),
    (httpx.ReadTimeout, _LATE, "the server fell silent before its answer was whole"),
    (httpx.WriteTimeout, _LATE, "the server stopped reading the request"),
    (httpx.TimeoutException, _LATE, "the exchange took too long"),
    (httpx.ConnectError, _UNSENT, "no connection"),
    (httpx.ReadError, _UNCERTAIN, "the connection broke while the answer was read"),
    (httpx.WriteError, _UNCERTAIN, "the connection broke while the request was sent"),
    (httpx.CloseError, _UNCERTAIN, "the connection broke while it was closed"),
    (httpx.NetworkError, _UNCERTAIN, "the connection broke"),
    (httpx.LocalProtocolError, _OURS, "the request is not valid HTTP"),
    (httpx.RemoteProtocolError, _UNCERTAIN, "the server closed the connection or broke HTTP"),
    (httpx.ProtocolError, _UNCERTAIN, "HTTP was broken"),
    (httpx.ProxyError, _UNCERTAIN, "the proxy refused"),
    (httpx.UnsupportedProtocol, _OURS, "the address must start with http:// or https://"),
    (httpx.TransportError, _UNCERTAIN, "the connection failed"),
    (httpx.DecodingError, _THEIRS, "the answer's compression is broken"),
    (httpx.TooManyRedirects, _THEIRS, "the server redirects in circles"),
    (httpx.RequestError, _UNCERTAIN, "the request failed"),
    (httpx.HTTPStatusError, _THEIRS, "the server refused"),
    (httpx.HTTPError, _UNCERTAIN, "the request failed"),
    (httpx.InvalidURL, _OURS, "the address is not a URL"),
    (httpx.CookieConflict, _THEIRS, "the server set contradictory cookies"),
    (httpx.StreamError, _THEIRS, "the answer could not be read"),
)


def translate(exc: Exception, *, request: Request, host: str = "") -> ClientError:
    """Return our exception for one of the HTTP library's.

    Raises:
        TypeError: The library has an exception that the table does not know.
    """
    found = next((row for row in _TRANSLATIONS if isinstance(exc, row[0])), None)
    if found is None:
        raise TypeError(f"{type(exc).__name__} has no translation")
    method, path = request.method, request.path
    known = known_cause(exc, host=host, method=method, path=path)
    if known is not None:
        return known
    _, outcome, sentence = found
    problem = f"{sentence} ({host})" if host else sentence
    match outcome:
        case "unsent" | "uncertain":
            sent = outcome == _UNCERTAIN
            advice = (
                "Check that the server runs, and that the url has its port and https:// or http://"
            )
            return ConnectionFailed(problem, sent=sent, method=method, path=path, advice=advice)
        case "late":
            return RequestTimedOut(problem, method=method, path=path)
        case "ours":
            return RequestRejected(problem, method=method, path=path)
        case _:
            return UnexpectedResponse(problem, method=method, path=path)
