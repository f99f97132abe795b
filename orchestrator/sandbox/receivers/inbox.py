"""An endpoint that takes any request and keeps it: what a LogScale webhook action calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.sandbox.receivers.faults import Receiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        """Return the body as JSON.

        Raises:
            ValueError: It is none.
        """
        value: object = json.loads(self.body)
        return value


class InboxReceiver(Receiver):
    """Answers 200 to everything.

    Attributes:
        store: What came, in order.
    """

    def __init__(self) -> None:
        self.store: list[Received] = []
        super().__init__(
            [(method, "/{rest:path}", self._take) for method in ("GET", "POST", "PUT")]
        )

    async def _take(self, request: Request) -> Response:
        self.store.append(
            Received(
                method=request.method,
                path=request.url.path,
                headers=dict(request.headers),
                body=await request.body(),
            )
        )
        return Response("ok", media_type="text/plain")


def inbox_app() -> InboxReceiver:
    """Return an endpoint with nothing in it."""
    return InboxReceiver()
