"""The HTTP seam: translation of every library exception, deadlines, cancellation, limits."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from orchestrator.client.scripted import ScriptedTransport, json_response
from orchestrator.client.transport import HttpTransport, Request, Response, translate, trust_for
from orchestrator.errors import (
    ClientError,
    ConfigError,
    ConnectionFailed,
    RequestRejected,
    RequestTimedOut,
    UnexpectedResponse,
)
from orchestrator.sandbox.receivers.loopback import serve_on_loopback
from orchestrator.secret import SecretText

REQUEST = Request(method="GET", path="api/v1/status")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def library_exceptions() -> list[type[Exception]]:
    return [
        value
        for _, value in inspect.getmembers(httpx, inspect.isclass)
        if issubclass(value, Exception)
    ]


def make_exception(kind: type[Exception]) -> Exception:
    request = httpx.Request("GET", "https://u:canary@h.example/?token=canary")
    match kind:
        case httpx.HTTPStatusError:
            return httpx.HTTPStatusError("c", request=request, response=httpx.Response(500))
        case httpx.StreamConsumed | httpx.StreamClosed | httpx.RequestNotRead:
            return kind()
        case httpx.ResponseNotRead:
            return kind()
        case _:
            return kind("canary https://u:canary@h.example/?token=canary")


@pytest.mark.parametrize("kind", library_exceptions())
def test_translate_knows_every_exception_and_quotes_none(kind: type[Exception]) -> None:
    error = translate(make_exception(kind), request=REQUEST, host="h.example")

    assert isinstance(error, ClientError)
    assert (error.method, error.path) == ("GET", "api/v1/status")
    assert "canary" not in str(error)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (httpx.ConnectError, False),
        (httpx.ConnectTimeout, False),
        (httpx.PoolTimeout, False),
        (httpx.ReadError, True),
        (httpx.RemoteProtocolError, True),
    ],
)
def test_translate_says_whether_the_request_may_have_arrived(
    kind: type[Exception], expected: bool
) -> None:
    error = translate(make_exception(kind), request=REQUEST)

    assert isinstance(error, ConnectionFailed)
    assert error.sent is expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (httpx.ReadTimeout, RequestTimedOut),
        (httpx.WriteTimeout, RequestTimedOut),
        (httpx.UnsupportedProtocol, RequestRejected),
        (httpx.InvalidURL, RequestRejected),
        (httpx.DecodingError, UnexpectedResponse),
    ],
)
def test_translate_by_kind(kind: type[Exception], expected: type[ClientError]) -> None:
    assert type(translate(make_exception(kind), request=REQUEST)) is expected


def test_translate_names_an_untrusted_certificate() -> None:
    cause = ssl.SSLCertVerificationError()
    cause.verify_code, cause.verify_message = 10, "certificate has expired"
    outer = httpx.ConnectError("x")
    outer.__cause__ = cause

    error = translate(outer, request=REQUEST, host="h.example")

    assert "certificate has expired" in str(error)
    assert "h.example" in str(error)


def test_translate_unknown_exception_is_our_bug() -> None:
    with pytest.raises(TypeError, match="KeyError has no translation"):
        translate(KeyError("x"), request=REQUEST)


def app_answering(
    *,
    body: bytes = b"{}",
    chunks: int = 1,
    pause: asyncio.Event | None = None,
    asked: asyncio.Event | None = None,
) -> tuple[Callable[[Message, Receive, Send], Awaitable[None]], list[Message]]:
    scopes: list[Message] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        if asked is not None:
            asked.set()
        await receive()
        if pause is not None:
            await pause.wait()
        headers = [(b"Content-Type", b"application/json"), (b"X-Trace", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(chunks):
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app, scopes


async def test_send_keeps_a_proxy_prefix_and_sends_the_token() -> None:
    app, scopes = app_answering()
    async with HttpTransport("http://h.example/prefix/", asgi_app=app) as transport:
        response = await transport.send(
            Request(
                method="GET",
                path="api/v1/repositories/a%2Fb/queryjobs",
                query=(("onlyHeartbeat", "true"),),
                bearer=SecretText("token-1"),
            )
        )

    assert response == Response(
        status=200,
        headers={"content-type": "application/json", "x-trace": "1"},
        body=b"{}",
    )
    assert scopes[0]["raw_path"] == b"/prefix/api/v1/repositories/a%2Fb/queryjobs"
    assert scopes[0]["query_string"] == b"onlyHeartbeat=true"
    assert (b"authorization", b"Bearer token-1") in scopes[0]["headers"]


async def test_send_past_its_deadline_times_out() -> None:
    app, _ = app_answering(pause=asyncio.Event())
    transport = HttpTransport("http://h", asgi_app=app, timeout=timedelta(milliseconds=1))

    with pytest.raises(RequestTimedOut, match=r"no whole answer within 0\.001 s"):
        await transport.send(REQUEST)

    await transport.close()


async def test_send_ends_at_the_shorter_of_both_timeouts() -> None:
    app, _ = app_answering(pause=asyncio.Event())
    transport = HttpTransport("http://h", asgi_app=app, timeout=timedelta(milliseconds=2))
    short = Request(method="GET", path="p", timeout=timedelta(milliseconds=1))
    long = Request(method="GET", path="p", timeout=timedelta(hours=1))

    with pytest.raises(RequestTimedOut, match=r"within 0\.001 s"):
        await transport.send(short)
    with pytest.raises(RequestTimedOut, match=r"within 0\.002 s"):
        await transport.send(long)

    await transport.close()


async def test_send_of_an_answer_over_the_limit_is_refused() -> None:
    app, _ = app_answering(body=b"x" * 60, chunks=2)
    transport = HttpTransport("http://h", asgi_app=app, max_body_bytes=100)

    with pytest.raises(UnexpectedResponse, match="larger than 100 bytes"):
        await transport.send(REQUEST)

    await transport.close()


async def test_send_cancelled_caller_leaves_the_request_to_end() -> None:
    pause, asked = asyncio.Event(), asyncio.Event()
    app, _ = app_answering(pause=pause, asked=asked)
    transport = HttpTransport("http://h", asgi_app=app)
    caller = asyncio.create_task(transport.send(REQUEST))
    await asked.wait()

    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    running = len(transport._tasks)
    pause.set()
    await transport.close()

    assert running == 1
    assert transport._tasks == set()


async def test_send_to_a_bad_scheme_is_rejected() -> None:
    async with HttpTransport("ftp://h") as transport:
        with pytest.raises(RequestRejected, match="must start with http"):
            await transport.send(REQUEST)


def test_base_address_that_is_no_url_is_a_setting_to_edit() -> None:
    with pytest.raises(ConfigError, match="not a URL"):
        HttpTransport("http://h:port")


async def test_library_loggers_are_quiet() -> None:
    async with HttpTransport("http://h"):
        pass

    import logging

    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
    assert not logging.getLogger("httpcore").isEnabledFor(logging.DEBUG)


def test_request_repr_shows_neither_secret_nor_body() -> None:
    request = Request(
        method="POST",
        path="p",
        headers={"X": "canary"},
        content=b"canary",
        bearer=SecretText("canary"),
    )

    assert "canary" not in repr(request)


async def test_scripted_transport_over_its_end_says_what_was_asked() -> None:
    transport = ScriptedTransport(json_response({}))
    await transport.send(REQUEST)

    with pytest.raises(LookupError, match="nothing scripted for GET api/v1/status"):
        await transport.send(REQUEST)


@asynccontextmanager
async def dripping(*, pieces: int) -> AsyncIterator[tuple[HttpTransport, list[str], asyncio.Event]]:
    """Yield a transport to a server that sends lines one by one, and what happened to it."""
    seen: list[str] = []
    is_over = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        del scope
        await receive()
        head = {"type": "http.response.start", "status": 200, "headers": []}
        await send({**head, "headers": [(b"content-type", b"application/x-ndjson")]})
        try:
            for number in range(pieces):
                body = f'{{"n":"{number}"}}\n'.encode()
                await send({"type": "http.response.body", "body": body, "more_body": True})
                await asyncio.sleep(0)
            if pieces > 10:
                while (await receive())["type"] != "http.disconnect":
                    pass
                seen.append("the client left")
            await send({"type": "http.response.body", "body": b""})
        finally:
            is_over.set()

    async with serve_on_loopback(app) as url, HttpTransport(url) as transport:
        yield transport, seen, is_over


async def test_open_answer_is_read_as_it_arrives() -> None:
    async with (
        dripping(pieces=3) as (transport, _, _),
        transport.open(Request(method="GET", path="x")) as answer,
    ):
        body = b"".join([chunk async for chunk in answer.chunks])

    assert (answer.status, answer.content_type) == (200, "application/x-ndjson")
    assert body == b'{"n":"0"}\n{"n":"1"}\n{"n":"2"}\n'


async def test_leaving_an_open_answer_ends_it_on_the_server() -> None:
    async with dripping(pieces=11) as (transport, seen, is_over):
        async with transport.open(Request(method="GET", path="x")) as answer:
            first = await anext(answer.chunks)
        await asyncio.wait_for(is_over.wait(), timeout=20)

    assert first.startswith(b'{"n":"0"}')
    assert "the client left" in seen


async def test_stream_that_breaks_is_a_connection_failure() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        del scope, receive
        headers = [(b"content-type", b"application/x-ndjson"), (b"content-length", b"100")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"n":"0"}\n', "more_body": True})
        raise ConnectionResetError

    async with serve_on_loopback(app) as url, HttpTransport(url) as transport:
        with pytest.raises(ConnectionFailed):
            async with transport.open(Request(method="GET", path="x")) as answer:
                _ = [chunk async for chunk in answer.chunks]


@pytest.mark.parametrize("address", ["https://x", "HTTPS://x", "x", ""])
def test_authorities_are_read_wherever_tls_may_be_spoken(address: str) -> None:
    trust = trust_for(address)

    assert trust.verify_mode is ssl.CERT_REQUIRED
    assert trust.check_hostname is True
    assert trust.cert_store_stats() == ssl.create_default_context().cert_store_stats()


@pytest.mark.parametrize("address", ["http://127.0.0.1:8080", "HTTP://x/prefix"])
def test_nobody_is_trusted_where_no_tls_is_spoken(address: str) -> None:
    trust = trust_for(address)

    assert trust.verify_mode is ssl.CERT_REQUIRED
    assert trust.cert_store_stats()["x509"] == 0
