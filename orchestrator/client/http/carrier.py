"""The one file of the client that knows the HTTP library: a request goes out, an answer comes back.

The least of the library that serves is used. Its client costs a third of a request for redirects,
authentication and defaults that are not wanted, and reads the environment's proxies, so it carries
only where those are asked for; its pool costs the square of its connections, so these are our own
(`connections`). What is left of it are addresses, decompression, cookies and applications in
process.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    MutableMapping,
)
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

import httpx

from orchestrator import __version__
from orchestrator.client.http.connections import ENGINE_ERRORS, Body, Connections
from orchestrator.client.http.limits import BULK_BYTES, Timeouts
from orchestrator.client.http.reach import way_to
from orchestrator.client.http.unpack import KNOWN, unpacked
from orchestrator.errors import ConfigError

LIBRARY_ERRORS: tuple[type[Exception], ...] = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    httpx.CookieConflict,
    *ENGINE_ERRORS,
)
_UNLIMITED = httpx.Limits(max_connections=None)
_PORTS = {"http": 80, "https": 443}
_KNOWN_URLS = 1024
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_STANDING_HEADERS = {
    "accept": "*/*",
    "accept-encoding": "gzip, deflate",
    "user-agent": f"orchestrator/{__version__}",
}

AsgiApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The head of an answer, header names in lower case, and its body to come."""

    status: int
    headers: Mapping[str, str]
    pieces: AsyncIterable[bytes]
    """The body, decompressed; raises one of `LIBRARY_ERRORS` where it breaks."""
    close: Callable[[], Awaitable[None]]
    """Ends the answer, whether it was read or not; to be called in any case."""


class Carrier:
    """HTTP/1.1 to one base address, or in process to an ASGI app.

    Args:
        base_url: Scheme, host and an optional path prefix, which is kept.
        timeouts: Those of the phases `connect` and `write` are used here.
        app: Answers instead of the network.
        tls: Trust settings; None trusts the system's authorities.
        trust_env: Whether proxies and certificate paths are taken from the environment.

    Raises:
        ConfigError: The base address cannot be asked, or holds a name or a password.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeouts: Timeouts,
        app: AsgiApp | None,
        tls: ssl.SSLContext | None,
        trust_env: bool,
    ) -> None:
        self._base = base_url.rstrip("/") + "/"
        base = _base_address(self._base)
        self.host = way_to(base.host, scheme=base.scheme) if trust_env else base.host
        self._standing = {"host": base.netloc.decode("ascii"), **_STANDING_HEADERS}
        self._phases = {
            "connect": timeouts.connect.total_seconds(),
            "write": timeouts.write.total_seconds(),
        }
        # Reading a URL costs as much as the rest of a request; a job's polls share one.
        self._url = lru_cache(maxsize=_KNOWN_URLS)(httpx.URL)
        self._cookies = httpx.Cookies()
        # Both loggers print every full URL at INFO; URLs may hold secrets.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._way = _way(base, app=app, tls=tls, trust_env=trust_env)

    async def carry(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        content: bytes,
        silence: timedelta | None = None,
    ) -> Carried:
        """Send a request and return the head of its answer.

        Args:
            method: HTTP method.
            target: Path below the base address and query, encoded.
            headers: The request's own, which come before those that every request has.
            content: The body.
            silence: Longest time until the next piece of the answer; None does not limit.

        Raises:
            Exception: One of `LIBRARY_ERRORS`.
        """
        all_headers = {**self._standing, **{name.lower(): headers[name] for name in headers}}
        if content or method in _METHODS_WITH_BODY:
            all_headers["content-length"] = str(len(content))
        read = silence.total_seconds() if silence is not None else None
        request = httpx.Request(
            method,
            self._url(self._base + target),
            headers=[(name.encode(), value.encode()) for name, value in all_headers.items()],
            stream=httpx.ByteStream(content) if len(content) < BULK_BYTES else _Upload(content),
            extensions={"timeout": {**self._phases, "read": read}},
        )
        if self._cookies.jar:
            self._cookies.set_cookie_header(request)
        answer = await self._way.handle_async_request(request)
        found, path = _lowered(answer.headers), target.partition("?")[0]
        if "set-cookie" in found:
            # Balancers keep a client at one node by a cookie.
            answer.request = request
            self._cookies.extract_cookies(answer)
        return Carried(
            status=answer.status_code,
            headers=found,
            pieces=_pieces(
                answer, encoding=found.get("content-encoding", ""), method=method, path=path
            ),
            close=answer.aclose,
        )

    async def close(self) -> None:
        """Close what is open and not in use."""
        await self._way.aclose()


class _EnvironmentProxies(httpx.AsyncBaseTransport):
    """The proxies and certificates that the environment names, which only the client reads."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._client.send(request, stream=True, follow_redirects=False)

    async def aclose(self) -> None:
        await self._client.aclose()


class _Direct(httpx.AsyncBaseTransport):
    """Connections of our own, whose answers the library decompresses."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.connections.exchange(
            request.method,
            request.url.raw_path,
            headers=request.headers.raw,
            content=body if isinstance(body := request.stream, _Upload) else await request.aread(),
            timeouts=request.extensions["timeout"],
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Stream(answer.body))

    async def aclose(self) -> None:
        await self.connections.aclose()


class _Upload(httpx.AsyncByteStream):
    """A large body in pieces: each is sent in the time for one, however many there are."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), BULK_BYTES):
            yield self._content[start : start + BULK_BYTES]


class _Stream(httpx.AsyncByteStream):
    """A body under the name that the library asks for."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._body)

    async def aclose(self) -> None:
        await self._body.aclose()


def _way(
    base: httpx.URL, *, app: AsgiApp | None, tls: ssl.SSLContext | None, trust_env: bool
) -> httpx.AsyncBaseTransport:
    if app is not None:
        return httpx.ASGITransport(app=app, raise_app_exceptions=False)
    if trust_env:
        return _EnvironmentProxies(httpx.AsyncClient(verify=tls or True, limits=_UNLIMITED))
    return _Direct(
        Connections(
            scheme=base.raw_scheme,
            host=base.raw_host,
            port=base.port or _PORTS[base.scheme],
            tls=tls or trust_for(base.scheme),
        )
    )


def trust_for(scheme: str) -> ssl.SSLContext:
    """Return the system's authorities, which take 20 ms to read; without TLS, trust in nobody."""
    if scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return ssl.create_default_context()


def _base_address(text: str) -> httpx.URL:
    """Return the base address as a URL.

    Raises:
        ConfigError: It is not one that can be asked, or holds a name or a password.
    """
    try:
        base = httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise ConfigError("the base address is not a URL") from exc
    if base.scheme not in _PORTS:
        raise ConfigError("the base address must start with http:// or https://")
    if not base.host:
        raise ConfigError("the base address names no host")
    if base.userinfo:
        raise ConfigError(
            "the base address holds a name or a password", advice="Give the token by itself"
        )
    return base


def _pieces(
    answer: httpx.Response, encoding: str, *, method: str, path: str
) -> AsyncIterable[bytes]:
    """Return the body's pieces, unpacked; the library's reader has layers for compressed ones."""
    stream = answer.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        return answer.aiter_bytes()
    if not encoding:
        return stream
    if encoding.strip().lower() in KNOWN:
        return unpacked(stream, method=method, path=path)
    return answer.aiter_bytes()


def _lowered(headers: httpx.Headers) -> dict[str, str]:
    """Return names in lower case; the values of one that repeats are joined."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
