"""A transport that answers from a list, for tests of whatever stands on the client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

from orchestrator.client.http.transport import OpenResponse, Request, Response
from orchestrator.errors import ClientError

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
Step = Response | ClientError | Callable[[Request], Awaitable[Response]]


class ScriptedTransport:
    """Answers from a list, in order, and keeps what it was sent; for tests.

    A step is an answer, an error to raise, or a coroutine function of the request.
    """

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self.requests: list[Request] = []
        self.is_closed = False

    @property
    def left(self) -> int:
        """Return how many steps nobody asked for."""
        return len(self._steps)

    async def send(self, request: Request) -> Response:
        """Return or raise the next step.

        Raises:
            LookupError: The script is over.
        """
        self.requests.append(request)
        if not self._steps:
            raise LookupError(f"nothing scripted for {request.method} {request.path}")
        step = self._steps.pop(0)
        match step:
            case Response():
                return step
            case ClientError():
                raise step
            case _:
                return await step(request)

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[OpenResponse]:
        """Yield the next step, its body in two pieces."""
        response = await self.send(request)
        middle = len(response.body) // 2

        async def chunks() -> AsyncIterator[bytes]:
            yield response.body[:middle]
            yield response.body[middle:]

        yield OpenResponse(status=response.status, headers=response.headers, chunks=chunks())

    async def close(self) -> None:
        """Note that the transport was closed."""
        self.is_closed = True


def json_response(
    content: object, *, status: int = 200, headers: Mapping[str, str] = _NO_HEADERS
) -> Response:
    """Return an answer with a JSON body."""
    all_headers = {"content-type": "application/json", **headers}
    return Response(status=status, headers=all_headers, body=json.dumps(content).encode())


def text_response(
    text: str,
    *,
    status: int = 200,
    content_type: str = "text/plain; charset=UTF-8",
    headers: Mapping[str, str] = _NO_HEADERS,
) -> Response:
    """Return an answer with a text body."""
    all_headers = {"content-type": content_type, **headers}
    return Response(status=status, headers=all_headers, body=text.encode())
