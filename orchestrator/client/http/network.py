"""Sockets for the HTTP engine, by asyncio alone.

The engine's own layer serves two event loops and wakes a task several times for each piece it reads
or writes; asyncio's streams do with one. TLS is spoken from the first byte, so `connect_tcp` makes
the whole connection and `start_tls` finds it made.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore

_SECOND_ADDRESS_AFTER_S = 0.25
"""Where a name has several addresses, the next one is tried after this long (RFC 8305)."""


class AsyncioNetwork(httpcore.AsyncNetworkBackend):
    """Connections over TCP, or over TLS if `tls` is given."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        if tls is not None:
            tls.set_alpn_protocols(["http/1.1"])

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the engine's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return a connection that is ready for HTTP.

        Raises:
            httpcore.ConnectTimeout: Not within `timeout` seconds.
            httpcore.ConnectError: Refused, not found or not trusted.
        """
        del local_address, socket_options  # asyncio sets TCP_NODELAY by itself
        with _raised_as(late=httpcore.ConnectTimeout, broken=httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                reader, writer = await asyncio.open_connection(
                    host, port, ssl=self._tls, happy_eyeballs_delay=_SECOND_ADDRESS_AFTER_S
                )
        return _Stream(reader, writer)

    async def sleep(self, seconds: float) -> None:
        """Wait before another connect."""
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        with _raised_as(late=httpcore.ReadTimeout, broken=httpcore.ReadError):
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        with _raised_as(late=httpcore.WriteTimeout, broken=httpcore.WriteError):
            async with asyncio.timeout(timeout):
                self._writer.write(buffer)
                await self._writer.drain()

    async def aclose(self) -> None:
        # Nothing is left to be sent: a message's own length says where it ends.
        self._writer.transport.abort()
        # The loop closes the socket in its next round.
        await asyncio.sleep(0)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        del ssl_context, server_hostname, timeout
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            # What can be read of a connection at rest is its end.
            return self._reader.at_eof() or _can_be_read(self._writer)
        return self._writer.get_extra_info(info)


def _can_be_read(writer: asyncio.StreamWriter) -> bool:
    number = writer.get_extra_info("socket").fileno()
    if number < 0:
        return True
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


@contextmanager
def _raised_as(*, late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as exc:
        raise late(str(exc)) from exc
    except (OSError, UnicodeError) as exc:
        # A label of the name may be too long.
        raise broken(str(exc)) from exc
