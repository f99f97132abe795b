"""The layer in front of every route: a request may meet a fault before, or after, it is handled.

Plain ASGI, because a broken connection is something that no response object can be.
"""

from __future__ import annotations

from typing import assert_never

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.sandbox.answers import (
    INVALID_TOKEN,
    NOT_AUTHORIZED,
    json_answer,
    page,
    text_answer,
)
from orchestrator.sandbox.faults import Fault, FaultKind, FaultPlan

CONTROL_PREFIX = "/_sandbox/"
_BROKEN_BYTES = 4_096


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
        case FaultKind.GRAPHQL_ERROR:
            return json_answer(_graphql_error(text or "try again later"))
        case (
            FaultKind.RESET
            | FaultKind.RESET_AFTER
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


async def _swallow(message: Message) -> None:
    del message
