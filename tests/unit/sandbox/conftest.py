"""An in-process sandbox under a frozen clock, and the recordings it is held against."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from orchestrator.clock import FrozenClock
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.settings import Right, SandboxSettings, TokenRole
from orchestrator.sandbox.state import Sandbox

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
NOW_MS = 1_773_108_000_000
TOKENS = {
    "admin": TokenRole(name="admin"),
    "reader": TokenRole(name="reader", rights=frozenset({Right.READ})),
    "sender": TokenRole(
        name="sender", rights=frozenset({Right.INGEST}), repository="falcon", parser=None
    ),
}


class Client:
    """Talks to one sandbox, as admin unless told otherwise."""

    def __init__(self, http: httpx.AsyncClient, sandbox: Sandbox, clock: FrozenClock) -> None:
        self.http, self.sandbox, self.clock = http, sandbox, clock

    async def call(
        self, method: str, path: str, *, token: str | None = "admin", **rest: Any
    ) -> httpx.Response:
        headers = rest.pop("headers", {})
        if token is not None:
            headers = {"Authorization": f"Bearer {token}", **headers}
        return await self.http.request(method, path, headers=headers, **rest)

    async def ingest(self, *events: dict[str, Any], repository: str = "falcon") -> None:
        """Store events given as attributes with `ms`, the distance to now."""
        body = [
            {
                "events": [
                    {"timestamp": NOW_MS + int(e.get("ms", -1000)), "attributes": _attributes(e)}
                    for e in events
                ]
            }
        ]
        answer = await self.call("POST", f"/api/v1/repositories/{repository}/ingest", json=body)
        assert (answer.status_code, answer.json()) == (200, {})

    async def start(self, query: str, *, repository: str = "falcon", **members: Any) -> str:
        answer = await self.call(
            "POST",
            f"/api/v1/repositories/{repository}/queryjobs",
            json={"queryString": query, **members},
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    async def poll(self, job: str, *, repository: str = "falcon", **page: Any) -> dict[str, Any]:
        answer = await self.call(
            "GET", f"/api/v1/repositories/{repository}/queryjobs/{job}", params=page
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def search(self, query: str, **members: Any) -> dict[str, Any]:
        return await self.poll(await self.start(query, **members))

    async def graphql(self, query: str, token: str = "admin", **variables: Any) -> dict[str, Any]:
        answer = await self.call(
            "POST", "/graphql", token=token, json={"query": query, "variables": variables}
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def _attributes(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "ms"}


class OpenClient(Protocol):
    def __call__(
        self, *, clock: FrozenClock | None = None, **settings: Any
    ) -> AbstractAsyncContextManager[Client]: ...


@pytest.fixture
def open_client() -> OpenClient:
    """Return what opens a sandbox with the given settings."""

    @asynccontextmanager
    async def opened(*, clock: FrozenClock | None = None, **settings: Any) -> Any:
        clock = clock or FrozenClock(NOW)
        app = create_app(SandboxSettings(**{"tokens": TOKENS, **settings}), clock=clock)
        transport = httpx.ASGITransport(app)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as http:
                yield Client(http, app.state.sandbox, clock)
        finally:
            app.state.sandbox.close()

    return opened


@pytest.fixture
async def client(open_client: OpenClient) -> Any:
    """Return a client of a sandbox with the default settings."""
    async with open_client() as opened:
        yield opened


@pytest.fixture(scope="session")
def recorded_shapes() -> dict[str, Any]:
    """Return the member names and types of recorded answers."""
    path = Path(__file__).with_name("recorded_shapes.json")
    answers: dict[str, Any] = json.loads(path.read_text("utf-8"))["answers"]
    return answers
