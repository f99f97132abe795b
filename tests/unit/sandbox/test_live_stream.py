"""The live stream: what is there, what comes, and its three ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from orchestrator.sandbox.search import live_stream
from orchestrator.sandbox.search.live_stream import LiveTail, streamable
from orchestrator.sandbox.search.run import check
from orchestrator.sandbox.storage.events import EventLog

PATH = "/api/v1/repositories/falcon/query"
PATIENCE_S = 10.0


class Stream:
    """One request to the app, its answer taken message by message."""

    def __init__(self, client: Any, query: str, accept: str) -> None:
        self._body = json.dumps({"queryString": query, "isLive": True, "start": "1h"}).encode()
        self._asked = False
        self._left = asyncio.Event()
        self._sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        headers = [(b"authorization", b"Bearer admin"), (b"accept", accept.encode())]
        # A client that takes gzip must get its rows as early as any other.
        headers.append((b"accept-encoding", b"gzip"))
        scope = {
            "type": "http",
            "asgi": {"spec_version": "2.3"},
            "method": "POST",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"",
            "headers": headers,
            "http_version": "1.1",
            "scheme": "http",
            "server": ("sandbox", 80),
        }
        app = client.http._transport.app
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        await self._sent.put(message)

    async def message(self) -> dict[str, Any]:
        return await asyncio.wait_for(self._sent.get(), PATIENCE_S)

    async def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the next chunk; empty at the end."""
        body: bytes = (await self.message())["body"]
        return [json.loads(line) for line in body.splitlines()]

    async def leave(self) -> None:
        self._left.set()
        await asyncio.wait_for(self.task, PATIENCE_S)


@asynccontextmanager
async def streaming(
    client: Any, query: str, accept: str = "application/x-ndjson"
) -> AsyncIterator[Stream]:
    stream = Stream(client, query, accept)
    try:
        yield stream
    finally:
        await stream.leave()


async def test_stream_gives_what_is_there_then_what_comes(client: Any) -> None:
    await client.ingest({"n": "1", "ms": -2000}, {"n": "2", "ms": -1000}, {"m": "no"})

    async with streaming(client, "n=* | k := n * 10") as stream:
        start = await stream.message()
        before = await stream.rows()
        await client.ingest({"n": "3"}, {"m": "no"})
        await client.ingest({"m": "no"})
        await client.ingest({"n": "4"})
        came = [await stream.rows(), await stream.rows()]

    headers = dict(start["headers"])
    assert start["status"] == 200
    assert headers[b"content-type"].startswith(b"application/x-ndjson")
    assert headers[b"humio-query-id"].startswith(b"IQ-")
    assert [row["n"] for row in before] == ["1", "2"]
    assert [[(row["n"], row["k"]) for row in rows] for rows in came] == [
        [("3", "30")],
        [("4", "40")],
    ]


async def test_window_slides_but_keeps_an_event_of_this_very_moment(client: Any) -> None:
    async with streaming(client, "n=*") as stream:
        await stream.message()
        client.clock.advance(timedelta(hours=2))
        # An hour before now by then: the first is too old, the second is not.
        await client.ingest({"n": "old", "ms": 59 * 60_000}, {"n": "new", "ms": 2 * 3_600_000})
        rows = await stream.rows()

    assert [row["n"] for row in rows] == ["new"]


async def test_stream_as_text_gives_the_raw_strings(client: Any) -> None:
    async with streaming(client, "*", accept="*/*") as stream:
        await stream.message()
        await client.ingest({"n": "1"})
        chunk = (await stream.message())["body"]

    assert chunk == b"n=1\n"


async def test_client_that_leaves_is_forgotten(client: Any) -> None:
    async with streaming(client, "*") as stream:
        await stream.message()
        while_reading = len(client.sandbox.tails)

    assert (while_reading, len(client.sandbox.tails)) == (1, 0)
    assert client.sandbox.domain("falcon").log._listeners == []


async def test_sandbox_that_stops_ends_its_streams(client: Any) -> None:
    async with streaming(client, "*") as stream:
        await stream.message()
        client.sandbox.end_streams()
        end = await stream.message()
        await asyncio.wait_for(stream.task, PATIENCE_S)

    assert (end["body"], end.get("more_body", False)) == (b"", False)


@pytest.mark.parametrize(
    ("query", "accept"),
    [
        ("count()", "application/x-ndjson"),
        ("a=1 | groupBy(a)", "application/x-ndjson"),
        ("head(5)", "application/x-ndjson"),
        ("*", "application/json"),
    ],
)
async def test_what_cannot_be_streamed_is_refused(client: Any, query: str, accept: str) -> None:
    answer = await client.call(
        "POST",
        PATH,
        json={"queryString": query, "isLive": True},
        headers={"Accept": accept},
    )

    assert answer.status_code == 400
    assert "live query" in answer.text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("*", True),
        ("a=1 or b=/x/ | c := upper(a) | select([a, c])", True),
        ("case { a=1 | t := 1; * }", True),
        ("tail(3)", False),
        ("a=1 | case { b=1 | count(); * | count() }", False),
        ("join({b=1}, field=a)", False),
        ("$mine()", False),
    ],
)
def test_only_a_query_of_single_events_is_streamable(query: str, expected: bool) -> None:
    try:
        checked = check(query)
    except Exception:  # noqa: BLE001 -- refused earlier is refused as well
        assert not expected
        return

    assert streamable(checked) is expected


def batch(count: int) -> pl.DataFrame:
    return pl.DataFrame({"@timestamp": ["1"] * count, "@ingesttimestamp": ["1"] * count})


async def test_reader_that_falls_behind_loses_its_stream_and_the_memory_is_freed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_stream, "MOST_WAITING_EVENTS", 10)
    log = EventLog()
    tail = LiveTail([log])
    tail.open()

    for _ in range(4):
        log.append(batch(4))
        await asyncio.sleep(0)
    found = [snapshot.count async for snapshot in tail.batches()]

    assert found == []
    assert log._listeners == []


async def test_no_event_is_lost_or_repeated_between_past_and_stream() -> None:
    log = EventLog()
    tail = LiveTail([log])
    counts = [0]

    async def open_and_read() -> None:
        counts[0] = sum(snapshot.count for snapshot in tail.open())
        async for snapshot in tail.batches():
            counts[0] += snapshot.count

    def send() -> None:
        for _ in range(200):
            log.append(batch(3))

    sending = asyncio.create_task(asyncio.to_thread(send))
    reading = asyncio.create_task(open_and_read())
    await sending
    await asyncio.sleep(0)
    tail.end()
    await asyncio.wait_for(reading, PATIENCE_S)

    assert counts == [600]
