"""The HTTP seam on a real socket of this machine: what only a connection can show."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from orchestrator.client import HttpTransport, Request
from orchestrator.errors import ConnectionFailed, RequestTimedOut, UnexpectedResponse

REQUEST = Request(method="POST", path="p", content=b"body")
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def whole(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def test_compressed_answer_is_read_whole() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(gzip.compress(b"hello"), "Content-Encoding: gzip"))
        await writer.drain()

    async with serving(answer) as url, HttpTransport(url) as transport:
        assert (await transport.send(REQUEST)).body == b"hello"


async def test_broken_compression_is_unexpected() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"not gzip", "Content-Encoding: gzip"))
        await writer.drain()

    async with serving(answer) as url, HttpTransport(url) as transport:
        with pytest.raises(UnexpectedResponse, match="compression is broken"):
            await transport.send(REQUEST)


async def test_refused_connection_was_not_sent() -> None:
    async def never(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None: ...

    async with serving(never) as url:
        pass
    async with HttpTransport(url) as transport:
        with pytest.raises(ConnectionFailed) as caught:
            await transport.send(REQUEST)

    assert caught.value.sent is False


async def test_connection_closed_after_the_request_may_have_been_sent() -> None:
    async def hang_up(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None: ...

    async with serving(hang_up) as url, HttpTransport(url) as transport:
        with pytest.raises(ConnectionFailed) as caught:
            await transport.send(REQUEST)

    assert caught.value.sent is True


async def test_answer_cut_in_the_middle_may_have_been_sent() -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"x" * 100)[:-50])
        await writer.drain()

    async with serving(cut) as url, HttpTransport(url) as transport:
        with pytest.raises(ConnectionFailed) as caught:
            await transport.send(REQUEST)

    assert caught.value.sent is True


async def test_dripping_answer_ends_at_the_deadline() -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _byte in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    limit = timedelta(milliseconds=100)
    async with serving(drip) as url, HttpTransport(url, timeout=limit) as transport:
        with pytest.raises(RequestTimedOut):
            await transport.send(REQUEST)


async def test_cancelled_callers_leave_no_slot_behind() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"ok"))
        await writer.drain()

    async with serving(answer) as url, HttpTransport(url) as transport:
        for turn in range(200):
            caller = asyncio.create_task(transport.send(REQUEST))
            # Cancel at a different point of the connection set-up each time.
            for _ in range(turn % 23):
                await asyncio.sleep(0)
            caller.cancel()
            await asyncio.gather(caller, return_exceptions=True)
        await asyncio.wait(transport._tasks) if transport._tasks else None

        assert (await transport.send(REQUEST)).body == b"ok"
        assert transport._slots._value == 32
