"""What every receiver has: its app, its notes on broken rules, and the faults to play next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One bad answer."""

    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = "<html>proxy says no</html>"
    media_type: str = "text/html"
    after_storing: bool = False
    """Whether the request takes effect although the answer says it failed."""
    delay_seconds: float = 0.0
    """How long the answer takes."""
    path: str = ""
    """Part of the path that it waits for; empty takes the next request."""


class Receiver:
    """An ASGI app that plays one service.

    Attributes:
        violations: One sentence for each rule of the real service that a request broke.
        faults: Played in order, each once, by the first request its path fits.
        requests: Method and path of every request, in order.
    """

    def __init__(self, routes: Sequence[tuple[str, str, Endpoint]]) -> None:
        self.violations: list[str] = []
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self._app = Starlette(
            routes=[
                Route(path, self._faulty(endpoint), methods=[method])
                for method, path, endpoint in routes
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI wants it."""
        await self._app(scope, receive, send)

    def violate(self, problem: str) -> None:
        """Note a broken rule."""
        self.violations.append(problem)

    def _faulty(self, endpoint: Endpoint) -> Endpoint:
        async def answer(request: Request) -> Response:
            self.requests.append((request.method, request.url.path))
            fault = self._next_fault(request.url.path)
            if fault is None:
                return await endpoint(request)
            if fault.after_storing:
                await endpoint(request)
            if fault.delay_seconds:
                await asyncio.sleep(fault.delay_seconds)
            return PlainTextResponse(
                fault.body, fault.status, dict(fault.headers), media_type=fault.media_type
            )

        return answer

    def _next_fault(self, path: str) -> Fault | None:
        for position, fault in enumerate(self.faults):
            if fault.path in path:
                return self.faults.pop(position)
        return None
