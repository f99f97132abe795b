"""The open connections to one host, each lent to one exchange at a time.

The engine under the HTTP library is used without its pool, which looks at every connection, and for
an idle one at all of them again, twice a request: with a hundred open that costs several times the
exchange, and a cancelled connect may cost it a place for ever. Here the connection that was used
last is lent next, so that few stay busy and the others end by themselves; how many there may be is
the gate's business.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import httpcore

from orchestrator.client.http.network import AsyncioNetwork

ENGINE_ERRORS: tuple[type[Exception], ...] = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    httpcore.ConnectionNotAvailable,
)
_IDLE_LIFE_S = 5.0
"""Servers close idle connections too, but mostly later than this."""


class Body:
    """The body of an answer, as it came; closing it gives the connection back."""

    def __init__(
        self, response: httpcore.Response, give_back: Callable[[], Awaitable[None]]
    ) -> None:
        self._response, self._give_back = response, give_back

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._response.aiter_stream()

    async def aclose(self) -> None:
        """End the answer, whether it was read or not."""
        await self._response.aclose()
        await self._give_back()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The head of an answer, and its body to come."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: Body


class Connections:
    """HTTP/1.1 to one host.

    Args:
        scheme: `http` or `https`.
        host: Name or address, ASCII.
        port: Where it listens.
        tls: Trust settings, for `https`.
    """

    def __init__(self, *, scheme: bytes, host: bytes, port: int, tls: ssl.SSLContext) -> None:
        self._origin, self._tls = httpcore.Origin(scheme, host, port), tls
        self._network = AsyncioNetwork(tls if scheme == b"https" else None)
        self._idle: deque[httpcore.AsyncHTTPConnection] = deque()
        self._is_closed = False

    async def exchange(
        self,
        method: str,
        target: bytes,
        *,
        headers: Sequence[tuple[bytes, bytes]],
        content: bytes | AsyncIterable[bytes],
        timeouts: Mapping[str, float | None],
    ) -> Answer:
        """Send a request and return the answer's head; its body must be closed.

        Args:
            method: HTTP method.
            target: Path and query, encoded.
            headers: All of them, `Host` and the length included.
            content: The body, whole or in pieces.
            timeouts: Seconds of the phases `connect`, `write` and `read`; None does not limit.

        Raises:
            Exception: One of `ENGINE_ERRORS`.
        """
        origin = self._origin
        request = httpcore.Request(
            method,
            httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target),
            headers=headers,
            content=content,
            extensions={"timeout": timeouts},
        )
        connection = await self._lend()
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            await connection.aclose()
            raise
        return Answer(
            status=response.status,
            headers=response.headers,
            body=Body(response, partial(self._take_back, connection)),
        )

    async def aclose(self) -> None:
        """Close what is idle; what is lent closes when it comes back."""
        self._is_closed = True
        while self._idle:
            await self._idle.pop().aclose()

    async def _lend(self) -> httpcore.AsyncHTTPConnection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        # One retry of the connect alone: safe for every method.
        return httpcore.AsyncHTTPConnection(
            self._origin,
            ssl_context=self._tls,
            keepalive_expiry=_IDLE_LIFE_S,
            retries=1,
            network_backend=self._network,
        )

    async def _take_back(self, connection: httpcore.AsyncHTTPConnection) -> None:
        if self._is_closed:
            await connection.aclose()
        # A body that was not read to its end has closed its connection.
        elif connection.is_idle():
            self._idle.append(connection)
        # The one at the bottom has rested longest.
        while len(self._idle) > 1 and self._idle[0].has_expired():
            await self._idle.popleft().aclose()
