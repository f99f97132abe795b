"""Every exception of the HTTP library and of its engine becomes one of ours, and quotes nothing."""

from __future__ import annotations

import inspect
import ssl

import httpcore
import httpx
import pytest

from orchestrator.client.http.connections import ENGINE_ERRORS
from orchestrator.client.http.failures import translate
from orchestrator.errors import (
    ClientError,
    ConnectionFailed,
    RequestRejected,
    RequestTimedOut,
    UnexpectedResponse,
)


def library_exceptions() -> list[type[Exception]]:
    return [
        value
        for library in (httpx, httpcore)
        for _, value in inspect.getmembers(library, inspect.isclass)
        if issubclass(value, Exception)
    ]


def qualified(kind: type[Exception]) -> str:
    return f"{kind.__module__}.{kind.__name__}"


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


@pytest.mark.parametrize("kind", library_exceptions(), ids=qualified)
def test_translate_knows_every_exception_and_quotes_none(kind: type[Exception]) -> None:
    error = translate(make_exception(kind), method="GET", path="api/v1/status", host="h.example")

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
        (httpcore.ConnectError, False),
        (httpcore.ConnectTimeout, False),
        (httpcore.ReadError, True),
        (httpcore.RemoteProtocolError, True),
    ],
)
def test_translate_says_whether_the_request_may_have_arrived(
    kind: type[Exception], expected: bool
) -> None:
    error = translate(make_exception(kind), method="GET", path="p")

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
        (httpcore.ReadTimeout, RequestTimedOut),
        (httpcore.WriteTimeout, RequestTimedOut),
        (httpcore.LocalProtocolError, RequestRejected),
    ],
)
def test_translate_by_kind(kind: type[Exception], expected: type[ClientError]) -> None:
    assert type(translate(make_exception(kind), method="GET", path="p")) is expected


def test_translate_names_an_untrusted_certificate() -> None:
    cause = ssl.SSLCertVerificationError()
    cause.verify_code, cause.verify_message = 10, "certificate has expired"
    outer = httpx.ConnectError("x")
    outer.__cause__ = cause

    error = translate(outer, method="GET", path="api/v1/status", host="h.example")

    assert "certificate has expired" in str(error)
    assert "h.example" in str(error)


def test_translate_unknown_exception_is_our_bug() -> None:
    with pytest.raises(TypeError, match="KeyError has no translation"):
        translate(KeyError("x"), method="GET", path="p")


def test_engine_raises_nothing_that_is_not_caught() -> None:
    kinds = [kind for kind in library_exceptions() if kind.__module__ == "httpcore"]

    # Of a proxy's own pool, which is not used.
    assert [kind for kind in kinds if not issubclass(kind, ENGINE_ERRORS)] == [httpcore.ProxyError]
