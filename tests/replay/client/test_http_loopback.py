"""The HTTP seam on a real socket of this machine: what only a connection can show."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.client import HttpTransport, Request
from orchestrator.client.http.limits import Gate, Lane, Timeouts
from orchestrator.errors import ConnectionFailed, RequestTimedOut, TlsFailed, UnexpectedResponse

REQUEST = Request(method="POST", path="p", content=b"body")
GET = Request(method="GET", path="p")
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

    limits = Timeouts(whole=timedelta(milliseconds=100))
    async with serving(drip) as url, HttpTransport(url, timeouts=limits) as transport:
        with pytest.raises(RequestTimedOut):
            await transport.send(REQUEST)


async def test_cancelled_callers_leave_no_slot_behind() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"ok"))
        await writer.drain()

    gate = Gate()
    async with serving(answer) as url, HttpTransport(url, gate=gate) as transport:
        for turn in range(200):
            caller = asyncio.create_task(transport.send(REQUEST))
            # Cancel at a different point of the connection set-up each time.
            for _ in range(turn % 23):
                await asyncio.sleep(0)
            caller.cancel()
            await asyncio.gather(caller, return_exceptions=True)
        await asyncio.wait(transport._tasks) if transport._tasks else None

        assert (await transport.send(REQUEST)).body == b"ok"
        assert gate.taken(Lane.CALL) == 0


class Server:
    """Answers on each connection until told to close; counts what it accepted."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.open: list[asyncio.StreamWriter] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(whole(b"ok"))
                await writer.drain()

    async def hang_up(self) -> None:
        for writer in self.open:
            writer.close()
            await writer.wait_closed()
        # The client's side hears of it.
        await asyncio.sleep(0.01)


@asynccontextmanager
async def keeping_alive() -> AsyncIterator[tuple[str, Server]]:
    kept = Server()
    server = await asyncio.start_server(kept.handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", kept
        await kept.hang_up()


async def test_one_connection_serves_request_after_request() -> None:
    async with keeping_alive() as (url, server), HttpTransport(url) as transport:
        for _ in range(5):
            assert (await transport.send(GET)).body == b"ok"

    assert len(server.open) == 1


async def test_connection_that_the_server_closed_is_not_used_again() -> None:
    async with keeping_alive() as (url, server), HttpTransport(url) as transport:
        await transport.send(GET)
        await server.hang_up()

        assert (await transport.send(GET)).body == b"ok"

    assert len(server.open) == 2


async def test_connections_that_nobody_needs_any_more_are_closed() -> None:
    async with keeping_alive() as (url, server), HttpTransport(url) as transport:
        await asyncio.gather(*(transport.send(GET) for _ in range(9)))
        many = len(server.open)
        await server.hang_up()

        await transport.send(GET)

        idle = transport._carrier._way.connections._idle  # type: ignore[attr-defined]  # the direct one
        assert (many, len(idle)) == (9, 1)


async def test_connection_that_comes_back_after_the_end_is_closed() -> None:
    async with keeping_alive() as (url, _):
        transport = HttpTransport(url)
        async with transport.open(GET) as answer:
            await answer.read(10)
            await transport.close()

        idle = transport._carrier._way.connections._idle  # type: ignore[attr-defined]  # the direct one
        assert len(idle) == 0


async def test_answer_that_is_left_in_the_middle_costs_its_connection_alone() -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
        await writer.drain()
        await asyncio.sleep(10)

    gate = Gate()
    async with serving(endless) as url, HttpTransport(url, gate=gate) as transport:
        for _ in range(3):
            async with transport.open(GET) as answer:
                assert await anext(answer.chunks) == b"x"

        idle = transport._carrier._way.connections._idle  # type: ignore[attr-defined]  # the direct one
        assert (len(idle), gate.taken(Lane.BULK)) == (0, 0)


async def test_environment_names_the_proxy_only_where_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with keeping_alive() as (proxy, server):
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv("HTTP_PROXY", proxy)
        async with HttpTransport("http://logscale.example.com/x", trust_env=True) as transport:
            response = await transport.send(GET)
            async with transport.open(GET) as answer:
                opened = await answer.read(10)
        async with keeping_alive() as (url, direct), HttpTransport(url) as transport:
            await transport.send(GET)

    assert (response.body, opened.body) == (b"ok", b"ok")
    assert [head.split(b"\r\n")[0] for head in server.heads] == [
        b"GET http://logscale.example.com/x/p HTTP/1.1"
    ] * 2
    assert len(direct.heads) == 1


async def test_server_that_stops_reading_ends_the_upload() -> None:
    async def never_read(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(10)

    limits = Timeouts(write=timedelta(milliseconds=50))
    upload = Request(method="POST", path="p", content=b"x" * 32 * 1024 * 1024)
    async with serving(never_read) as url, HttpTransport(url, timeouts=limits) as transport:
        with pytest.raises(RequestTimedOut, match="the server stopped reading the request"):
            await transport.send(upload)


async def test_open_answer_that_falls_silent_ends() -> None:
    async def fall_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
        await writer.drain()
        await asyncio.sleep(10)

    limits = Timeouts(silence=timedelta(milliseconds=50))
    async with serving(fall_silent) as url, HttpTransport(url, timeouts=limits) as transport:
        with pytest.raises(RequestTimedOut, match="the server fell silent"):
            async with transport.open(GET) as answer:
                _ = [chunk async for chunk in answer.chunks]


async def test_head_that_does_not_come_in_the_requests_own_time_ends() -> None:
    async def say_nothing(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(10)

    short = Request(method="GET", path="p", timeout=timedelta(milliseconds=50))
    async with serving(say_nothing) as url, HttpTransport(url) as transport:
        with pytest.raises(RequestTimedOut, match=r"no whole answer within 0\.05 s"):
            async with transport.open(short):
                pass


CERTIFICATE = Path(__file__).parents[2] / "data/tls/localhost.pem"


@asynccontextmanager
async def speaking_tls() -> AsyncIterator[tuple[int, Server]]:
    """Yield the port of a server whose certificate says `localhost` and is signed by itself."""
    kept = Server()
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(CERTIFICATE)
    server = await asyncio.start_server(kept.handle, "127.0.0.1", 0, ssl=own)
    async with server:
        yield server.sockets[0].getsockname()[1], kept
        for writer in kept.open:
            writer.transport.abort()


async def test_connection_over_tls_is_kept() -> None:
    trust = ssl.create_default_context(cafile=str(CERTIFICATE))
    async with (
        speaking_tls() as (port, server),
        HttpTransport(f"https://localhost:{port}", tls=trust) as transport,
    ):
        for _ in range(3):
            assert (await transport.send(GET)).body == b"ok"

    assert len(server.open) == 1


@pytest.mark.parametrize(
    ("host", "trusted", "advice"),
    [
        (
            "localhost",
            False,
            "certificate of localhost is not trusted: self.signed certificate. If",
        ),
        ("127.0.0.1", True, "certificate of 127.0.0.1 is not trusted: IP address mismatch"),
    ],
)
async def test_certificate_that_is_not_trusted_is_named(
    host: str, trusted: bool, advice: str
) -> None:
    trust = ssl.create_default_context(cafile=str(CERTIFICATE) if trusted else None)
    async with (
        speaking_tls() as (port, _),
        HttpTransport(f"https://{host}:{port}", tls=trust) as transport,
    ):
        with pytest.raises(TlsFailed) as caught:
            await transport.send(GET)

    assert re.search(advice, str(caught.value))


async def test_plain_words_to_a_server_that_speaks_tls_are_a_broken_connection() -> None:
    async with (
        speaking_tls() as (port, _),
        HttpTransport(f"http://localhost:{port}") as transport,
    ):
        with pytest.raises(ConnectionFailed, match="broke HTTP"):
            await transport.send(GET)


async def test_name_that_cannot_be_one_is_no_connection() -> None:
    async with HttpTransport(f"http://{'a' * 64}.invalid") as transport:
        with pytest.raises(ConnectionFailed, match="no connection") as caught:
            await transport.send(GET)

    assert caught.value.sent is False
