"""The layer in front of every route: a request may meet a fault before, or after, it is handled.

Plain ASGI, because a broken connection is something that no response object can be. `Dated`, the
outermost layer, gives every answer its `Date` unless a fault had it wrong before: the machine's
time, not the sandbox's, as that is what the caller's clock is compared with.
"""

from __future__ import annotations

import gzip
from datetime import timedelta
from email.utils import format_datetime
from functools import partial
from typing import assert_never

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.clock import SystemClock
from orchestrator.sandbox.answers import (
    INVALID_TOKEN,
    NOT_AUTHORIZED,
    json_answer,
    page,
    text_answer,
)
from orchestrator.sandbox.faults.kinds import Fault, FaultKind, FaultPlan

CONTROL_PREFIX = "/_sandbox/"
_BROKEN_BYTES = 4_096
_SKEW = timedelta(minutes=10)
_SKEWS = {FaultKind.CLOCK_AHEAD: _SKEW, FaultKind.CLOCK_BEHIND: -_SKEW}
_LOGIN = "https://login.example.com/sso?state=0123456789"


class Dated:
    """Gives every answer that has none its `Date`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and date its answer."""
        await self._app(scope, receive, partial(_dated, send, timedelta(0)))


class FaultLayer:
    """Wraps the app; `plan` says what each request meets."""

    def __init__(self, app: ASGIApp, plan: FaultPlan) -> None:
        self._app, self._plan = app, plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer as its fault says."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL_PREFIX):
            await self._app(scope, receive, send)
            return
        fault = self._plan.take(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
            return
        match fault.kind:
            case FaultKind.CLOCK_AHEAD | FaultKind.CLOCK_BEHIND:
                await self._app(scope, receive, partial(_dated, send, _SKEWS[fault.kind]))
            case FaultKind.RESET:
                await _break(send)
            case FaultKind.RESET_AFTER:
                await self._app(scope, receive, _swallow)
                await _break(send)
            case _:
                await _answer(fault)(scope, receive, send)


def _answer(fault: Fault) -> Response:
    text = fault.message
    match fault.kind:
        case FaultKind.RATE_LIMITED:
            delay = str(fault.retry_after_s)
            return text_answer(429, text or "Too many requests", {"Retry-After": delay})
        case FaultKind.UNAVAILABLE:
            return text_answer(503, text or "The server is overloaded")
        case FaultKind.SERVER_ERROR:
            return text_answer(500, text or "There was an internal server error.")
        case FaultKind.EXPIRED_TOKEN:
            return text_answer(401, INVALID_TOKEN)
        case FaultKind.FORBIDDEN:
            return text_answer(403, NOT_AUTHORIZED)
        case FaultKind.HTML:
            return page("Sign in")
        case FaultKind.BROKEN_JSON:
            return Response('{"id":"24-', media_type="application/json")
        case FaultKind.CUT_GZIP:
            packed = gzip.compress(b'{"id":"24-' + b"0" * _BROKEN_BYTES + b'"}', mtime=0)[:-12]
            headers = {"Content-Encoding": "gzip"}
            return Response(packed, headers=headers, media_type="application/json")
        case FaultKind.EMPTY:
            return Response(b"", media_type="application/json")
        case FaultKind.OTHER_SHAPE:
            return json_answer([{"unheard": "of"}])
        case FaultKind.WRONG_ENCODING:
            return Response('{"id":"é"}'.encode("latin-1"), media_type="application/json")
        case FaultKind.LOGIN_REDIRECT:
            return Response(status_code=302, headers={"Location": _LOGIN})
        case FaultKind.PROXY_PAGE:
            answer = page("502 Bad Gateway")
            answer.status_code = 502
            return answer
        case FaultKind.GRAPHQL_ERROR:
            return json_answer(_graphql_error(text or "try again later"))
        case (
            FaultKind.RESET
            | FaultKind.RESET_AFTER
            | FaultKind.CLOCK_AHEAD
            | FaultKind.CLOCK_BEHIND
            | FaultKind.LOST
            | FaultKind.SLOW
            | FaultKind.CANCELLED
            | FaultKind.WARNINGS
            | FaultKind.PARTIAL
        ):
            raise ValueError(f"{fault.kind} is not an answer")
        case other:
            assert_never(other)


def _graphql_error(reason: str) -> dict[str, object]:
    error = {"message": "There were errors in the input.", "path": [], "state": {"input": reason}}
    return {"data": None, "errors": [error]}


async def _break(send: Send) -> None:
    """Start an answer, then fail: the server closes the connection in the middle of the body.

    An in-process transport passes the ConnectionResetError on to its caller.
    """
    length = str(_BROKEN_BYTES).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"', "more_body": True})
    raise ConnectionResetError("fault injected: the connection breaks here")


async def _dated(send: Send, skew: timedelta, message: Message) -> None:
    """Pass a message on, with the time in its head if none is there."""
    if message["type"] == "http.response.start":
        headers = list(message.get("headers", ()))
        if all(name != b"date" for name, _ in headers):
            date = format_datetime(SystemClock().now() + skew, usegmt=True).encode()
            message = {**message, "headers": [*headers, (b"date", date)]}
    await send(message)


async def _swallow(message: Message) -> None:
    del message
