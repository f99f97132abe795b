"""The HTTP seam: what goes out, deadlines, cancellation, limits."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator import __version__
from orchestrator.client.cassettes.scripted import ScriptedTransport, json_response
from orchestrator.client.http.auth import StaticToken
from orchestrator.client.http.carrier import trust_for
from orchestrator.client.http.limits import BULK_BYTES, Gate, Lane, Timeouts
from orchestrator.client.http.retry import RetryPolicy
from orchestrator.client.http.session import Session
from orchestrator.client.http.transport import HttpTransport, Request, Response
from orchestrator.clock import FrozenClock
from orchestrator.errors import (
    ConfigError,
    ConnectionFailed,
    RateLimited,
    RequestTimedOut,
    UnexpectedResponse,
)
from orchestrator.sandbox.receivers.loopback import serve_on_loopback
from orchestrator.secret import SecretText

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
REQUEST = Request(method="GET", path="api/v1/status")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


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
    transport = HttpTransport(
        "http://h", asgi_app=app, timeouts=Timeouts(whole=timedelta(milliseconds=1))
    )

    with pytest.raises(RequestTimedOut, match=r"no whole answer within 0\.001 s"):
        await transport.send(REQUEST)

    await transport.close()


async def test_send_ends_at_the_shorter_of_both_timeouts() -> None:
    app, _ = app_answering(pause=asyncio.Event())
    transport = HttpTransport(
        "http://h", asgi_app=app, timeouts=Timeouts(whole=timedelta(milliseconds=2))
    )
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


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("http://h:port", "is not a URL"),
        ("ftp://h", "must start with http:// or https://"),
        ("logscale.example.com", "must start with http:// or https://"),
        ("", "must start with http:// or https://"),
        ("http://", "names no host"),
        ("https://user:canary@h", "holds a name or a password"),
    ],
)
def test_base_address_that_cannot_be_asked_is_a_setting_to_edit(address: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        HttpTransport(address)

    assert "canary" not in str(caught.value)


def sent_headers(scope: Message) -> list[tuple[bytes, bytes]]:
    return sorted(scope["headers"])


async def test_send_adds_what_every_request_has() -> None:
    app, scopes = app_answering()
    async with HttpTransport("http://h.example:8080", asgi_app=app) as transport:
        await transport.send(REQUEST)

    assert sent_headers(scopes[0]) == [
        (b"accept", b"*/*"),
        (b"accept-encoding", b"gzip, deflate"),
        (b"host", b"h.example:8080"),
        (b"user-agent", f"orchestrator/{__version__}".encode()),
    ]


async def test_send_puts_the_callers_headers_before_its_own_in_any_spelling() -> None:
    app, scopes = app_answering()
    headers = {"ACCEPT": "application/x-ndjson", "X-Name": "Zoë"}
    request = Request(method="POST", path="p", headers=headers)
    async with HttpTransport("http://h", asgi_app=app) as transport:
        await transport.send(request)

    found = dict(scopes[0]["headers"])
    assert len(found) == len(scopes[0]["headers"])
    assert found[b"accept"] == b"application/x-ndjson"
    assert found[b"x-name"] == "Zoë".encode()
    assert found[b"content-length"] == b"0"


async def test_send_encodes_the_query() -> None:
    app, scopes = app_answering()
    request = Request(method="GET", path="p", query=(("q", "a b&c=ü"), ("q", "?")))
    async with HttpTransport("http://h", asgi_app=app) as transport:
        await transport.send(request)

    assert scopes[0]["query_string"] == b"q=a+b%26c%3D%C3%BC&q=%3F"


async def test_header_that_repeats_is_joined() -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        del scope, receive
        headers = [(b"Warning", b"a"), (b"X-Latin", b"\xe9"), (b"warning", b"b")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async with HttpTransport("http://h", asgi_app=app) as transport:
        response = await transport.send(REQUEST)

    assert response.headers == {"warning": "a, b", "x-latin": "é"}


async def test_cookie_of_a_balancer_is_sent_back() -> None:
    scopes: list[Message] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        del receive
        scopes.append(scope)
        headers = [(b"set-cookie", b"node=7; Path=/")] if len(scopes) == 1 else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async with HttpTransport("http://h.example", asgi_app=app) as transport:
        for _ in range(2):
            await transport.send(REQUEST)

    assert [dict(scope["headers"]).get(b"cookie") for scope in scopes] == [None, b"node=7"]


async def test_send_that_gets_no_turn_was_not_sent() -> None:
    pause, asked = asyncio.Event(), asyncio.Event()
    app, scopes = app_answering(pause=pause, asked=asked)
    limits = Timeouts(turn=timedelta(milliseconds=1))
    transport = HttpTransport("http://h", timeouts=limits, gate=Gate({Lane.CALL: 1}), asgi_app=app)
    first = asyncio.create_task(transport.send(REQUEST))
    await asked.wait()

    with pytest.raises(RateLimited, match="all 1 places of the call lane to h stayed") as caught:
        await transport.send(REQUEST)

    assert caught.value.retry_after == timedelta(milliseconds=1)
    assert len(scopes) == 1
    pause.set()
    await first
    await transport.close()


async def test_send_waits_for_its_turn_no_longer_than_the_request_may_take() -> None:
    gate = Gate({Lane.POLL: 1})
    await gate.enter(Lane.POLL, within=timedelta(0))
    app, _ = app_answering()
    poll = Request(method="GET", path="p", lane=Lane.POLL, timeout=timedelta(milliseconds=1))
    async with HttpTransport("http://h", gate=gate, asgi_app=app) as transport:
        with pytest.raises(RateLimited, match="all 1 places of the poll lane"):
            await transport.send(poll)


async def test_uploads_and_open_answers_share_places_that_polls_do_not_need() -> None:
    gate = Gate({Lane.BULK: 1})
    app, _ = app_answering()
    limits = Timeouts(turn=timedelta(milliseconds=1))
    upload = Request(method="POST", path="p", content=b"x" * BULK_BYTES)
    poll = Request(method="GET", path="p", lane=Lane.POLL)
    async with HttpTransport("http://h", timeouts=limits, gate=gate, asgi_app=app) as transport:
        async with transport.open(REQUEST):
            with pytest.raises(RateLimited, match="all 1 places of the bulk lane"):
                await transport.send(upload)
            polled = await transport.send(poll)
        uploaded = await transport.send(upload)

    assert (polled.status, uploaded.status) == (200, 200)
    assert [gate.taken(lane) for lane in Lane] == [0, 0, 0]


UPLOAD = Request(method="POST", path="files", content=b"x" * (2 * BULK_BYTES + 1), idempotent=True)


async def test_upload_takes_as_long_as_the_line_allows() -> None:
    pause = asyncio.Event()
    app, _ = app_answering(pause=pause)
    limits = Timeouts(whole=timedelta(milliseconds=1))
    asyncio.get_running_loop().call_later(0.02, pause.set)
    async with HttpTransport("http://h", timeouts=limits, asgi_app=app) as transport:
        answer = await transport.send(UPLOAD)

    assert answer.status == 200


async def test_upload_has_a_deadline_of_its_own() -> None:
    app, _ = app_answering(pause=asyncio.Event())
    limits = Timeouts(whole=timedelta(microseconds=1))
    short = replace(UPLOAD, timeout=timedelta(milliseconds=2))
    async with HttpTransport("http://h", timeouts=limits, asgi_app=app) as transport:
        with pytest.raises(RequestTimedOut, match=r"within 0\.002 s"):
            await transport.send(short)


async def test_upload_goes_out_in_pieces() -> None:
    pieces: list[int] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        del scope
        while (message := await receive()).get("more_body"):
            pieces.append(len(message["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with HttpTransport("http://h", asgi_app=app) as transport:
        await transport.send(UPLOAD)

    assert pieces == [BULK_BYTES, BULK_BYTES, 1]


async def test_upload_arrives_whole_and_is_not_sent_again_where_the_server_falls_silent() -> None:
    bodies: list[int] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        del scope, send
        size = 0
        while (message := await receive())["type"] == "http.request":
            size += len(message["body"])
            if not message["more_body"]:
                bodies.append(size)

    limits = Timeouts(silence=timedelta(milliseconds=20))
    async with serve_on_loopback(app) as url, HttpTransport(url, timeouts=limits) as transport:
        with pytest.raises(RequestTimedOut, match="the server fell silent"):
            await session_over(transport).call(UPLOAD)

    assert bodies == [2 * BULK_BYTES + 1]


def session_over(transport: HttpTransport) -> Session:
    token = StaticToken(SecretText("t"))
    return Session(transport, auth=token, clock=FrozenClock(NOW), policy=RetryPolicy(attempts=3))


async def test_open_answer_is_waited_for_as_the_request_says_and_not_asked_for_again() -> None:
    app, scopes = app_answering(pause=asyncio.Event())
    patient = Request(method="POST", path="q", idempotent=True, silence=timedelta(milliseconds=20))
    async with serve_on_loopback(app) as url, HttpTransport(url) as transport:
        with pytest.raises(RequestTimedOut, match="the server fell silent"):
            async with session_over(transport).open(patient):
                pass

    assert len(scopes) == 1


async def test_open_answer_may_stay_out_longer_than_the_transport_allows() -> None:
    pause = asyncio.Event()
    app, _ = app_answering(pause=pause)
    limits = Timeouts(silence=timedelta(milliseconds=1))
    patient = Request(method="POST", path="q", silence=timedelta(minutes=1))
    asyncio.get_running_loop().call_later(0.1, pause.set)
    async with (
        serve_on_loopback(app) as url,
        HttpTransport(url, timeouts=limits) as transport,
        transport.open(patient) as answer,
    ):
        body = (await answer.read(100)).body

    assert body == b"{}"


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

    gate = Gate()
    async with serve_on_loopback(app) as url, HttpTransport(url, gate=gate) as transport:
        with pytest.raises(ConnectionFailed):
            async with transport.open(Request(method="GET", path="x")) as answer:
                _ = [chunk async for chunk in answer.chunks]
    assert gate.taken(Lane.BULK) == 0


def test_authorities_are_read_where_tls_is_spoken() -> None:
    trust = trust_for("https")

    assert trust.verify_mode is ssl.CERT_REQUIRED
    assert trust.check_hostname is True
    assert trust.cert_store_stats() == ssl.create_default_context().cert_store_stats()


def test_nobody_is_trusted_where_no_tls_is_spoken() -> None:
    trust = trust_for("http")

    assert trust.verify_mode is ssl.CERT_REQUIRED
    assert trust.cert_store_stats()["x509"] == 0
