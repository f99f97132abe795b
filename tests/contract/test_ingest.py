"""Every path by which events go in, plain and packed: our client against the sandbox."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from orchestrator.client.http.transport import HttpTransport, Request, Response
from orchestrator.client.ingest import BATCH_EVENTS, COMPRESS_BYTES
from orchestrator.client.logscale import LogScale
from orchestrator.clock import FrozenClock
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.settings import SandboxSettings, TokenRole
from orchestrator.secret import SecretText

NOW = datetime(2026, 3, 10, tzinfo=UTC)
PACKED = gzip.compress(b"[]", mtime=0)
SECOND = timedelta(seconds=1)


class Watched(HttpTransport):
    """A transport that keeps what went out."""

    def __init__(self, app: Any) -> None:
        super().__init__("http://x", asgi_app=app)
        self.sent: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        return await super().send(request)


@pytest.fixture
async def app() -> AsyncIterator[Any]:
    settings = SandboxSettings(tokens={"t": TokenRole(name="admin")})
    made = create_app(settings, clock=FrozenClock(NOW))
    yield made
    made.state.sandbox.close()


async def stored(scale: LogScale, query: str) -> list[dict[str, str]]:
    result = await scale.search(
        "falcon",
        f"{query} | sort(n, order=asc, limit=max)",
        start=NOW - SECOND,
        end=NOW + SECOND,
        deadline=timedelta(minutes=1),
    )
    return [dict(row) for row in result.rows]


@pytest.fixture
def scale(app: Any) -> LogScale:
    return LogScale(
        "http://x",
        token=SecretText("t"),
        clock=app.state.sandbox.clock,
        transport=Watched(app),
    )


async def test_json_goes_in_batches_and_packed(app: Any) -> None:
    transport = Watched(app)
    count = BATCH_EVENTS + 20
    clock = app.state.sandbox.clock
    async with LogScale("http://x", token=SecretText("t"), clock=clock, transport=transport) as it:
        taken = await it.ingest().json({"n": n, "text": "é" * 20} for n in range(count))
        sent = list(transport.sent)
        rows = await stored(it, "#type=json")

    assert taken == count
    assert [row["n"] for row in rows] == [str(n) for n in range(count)]
    assert rows[0]["text"] == "é" * 20
    assert [request.headers["Content-Encoding"] for request in sent] == ["gzip", "gzip"]
    assert len(gzip.decompress(sent[0].content)) > COMPRESS_BYTES > len(sent[1].content)


async def test_text_goes_in_whole_or_line_by_line(scale: LogScale) -> None:
    async with scale:
        await scale.ingest().raw("n=1 whole=yes\nand more")
        taken = await scale.ingest().hec_raw(["n=2", "", '{"n": 3}'], source_type="kv")
        rows = await stored(scale, "*")

    assert taken == 2
    assert [row["@rawstring"] for row in rows] == ["n=1 whole=yes\nand more", "n=2", '{"n": 3}']
    assert [row.get("n") for row in rows] == ["1", "2", None]


async def test_hec_event_has_a_time_zone_of_its_own(scale: LogScale) -> None:
    async with scale:
        taken = await scale.ingest().hec(
            [{"event": {"n": 1}, "timezone": "Europe/Oslo"}, {"event": {"n": 2}}]
        )
        rows = await stored(scale, "*")

    assert taken == 2
    assert [row["@timezone"] for row in rows] == ["Europe/Oslo", "Z"]


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", b"not gzip", 400),
        ("gzip", PACKED[:-9], 400),
        ("br", b"[]", 415),
        ("gzip", PACKED, 200),
        ("identity", b"[]", 200),
    ],
    ids=["not gzip", "cut short", "another encoding", "gzip", "plain"],
)
async def test_packed_body_that_is_broken_is_refused(
    app: Any, encoding: str, body: bytes, status: int
) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
        answer = await http.post(
            "/api/v1/ingest/json",
            content=body,
            headers={"Authorization": "Bearer t", "Content-Encoding": encoding},
        )

    assert answer.status_code == status
