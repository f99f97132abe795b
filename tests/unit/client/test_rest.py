"""Status, streaming and ingest."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.client.cassettes.scripted import ScriptedTransport, json_response, text_response
from orchestrator.client.http.retry import RetryPolicy
from orchestrator.client.http.transport import Response
from orchestrator.client.logscale import LogScale
from orchestrator.client.rest import BATCH_BYTES, BATCH_EVENTS, StreamProgress, batched_lines
from orchestrator.client.types import ServerStatus
from orchestrator.clock import FrozenClock
from orchestrator.errors import (
    QueryRejected,
    RequestRejected,
    RequestTimedOut,
    ServerFailed,
    UnexpectedResponse,
)
from orchestrator.secret import SecretText

NOW = datetime(2026, 3, 10, tzinfo=UTC)
INGEST_TOKEN = SecretText("ingest-canary")


def make_client(
    *steps: Response | RequestTimedOut, attempts: int = 1
) -> tuple[LogScale, ScriptedTransport]:
    transport = ScriptedTransport(*steps)
    client = LogScale(
        "https://logscale.example/",
        token=SecretText("token-canary"),
        clock=FrozenClock(NOW),
        transport=transport,
        retry=RetryPolicy(attempts=attempts),
    )
    return client, transport


async def test_status_of_a_very_old_server_is_upper_case() -> None:
    client, _ = make_client(json_response({"status": "ok", "version": "1.2.3"}))

    assert await client.status() == ServerStatus(status="OK", version="1.2.3")


async def test_status_down_comes_with_503() -> None:
    client, _ = make_client(json_response({"status": "DOWN", "version": "1"}, status=503))

    with pytest.raises(ServerFailed) as caught:
        await client.status()

    assert caught.value.status == 503


async def test_status_of_another_shape_is_unexpected() -> None:
    client, _ = make_client(json_response([1]))

    with pytest.raises(UnexpectedResponse, match="status should be an object, is list"):
        await client.status()


async def test_stream_keeps_value_texts() -> None:
    answer = text_response(
        '{"a":"1","n":1.50,"@timestamp":1585145569394}\n{"b":true,"none":null}\n',
        content_type="application/x-ndjson",
    )
    client, transport = make_client(answer)

    seen: list[StreamProgress] = []
    stream = client.stream("fdr", "", start=NOW, end=NOW, on_progress=seen.append)
    rows = [row async for row in stream]

    assert rows == [{"a": "1", "n": "1.50", "@timestamp": "1585145569394"}, {"b": "true"}]
    assert seen[-1] == StreamProgress(rows=2, received_bytes=len(answer.body))
    assert transport.requests[0].headers["Accept"] == "application/x-ndjson"


async def test_stream_waits_for_its_first_row_as_long_as_it_is_told() -> None:
    answers = [text_response("", content_type="application/x-ndjson")] * 2
    client, transport = make_client(*answers)

    _ = [row async for row in client.stream("fdr", "count()", start=NOW, end=NOW)]
    hour = timedelta(hours=1)
    _ = [row async for row in client.stream("fdr", "count()", start=NOW, end=NOW, silence=hour)]

    assert [request.silence for request in transport.requests] == [timedelta(minutes=10), hour]


async def test_stream_by_ingest_time_says_so() -> None:
    client, transport = make_client(text_response("", content_type="application/x-ndjson"))

    stream = client.stream("fdr", "a=b", start=NOW, end=NOW, use_ingest_time=True)
    assert [row async for row in stream] == []

    assert json.loads(transport.requests[0].content)["useIngestTime"] is True


async def test_stream_of_a_query_that_is_refused_says_what_is_wrong_with_it() -> None:
    client, _ = make_client(text_response("no such function: nowork\n```\n\n```", status=400))

    with pytest.raises(QueryRejected) as caught:
        await anext(client.stream("fdr", "nowork()", start=NOW, end=NOW))

    assert caught.value.problem == "no such function: nowork"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (text_response("<html>", content_type="text/html"), "a web page came back"),
        (text_response("a=1", content_type="text/plain"), "stream should be NDJSON"),
        (
            text_response('{"a":', content_type="application/x-ndjson"),
            "stream line 1 ends in the middle",
        ),
        (text_response("a=1", content_type="application/x-ndjson"), "stream line 1 is not JSON"),
        (text_response("[]", content_type="application/x-ndjson"), "stream line 1 is not an obj"),
    ],
)
async def test_stream_of_another_shape_is_unexpected(answer: Response, problem: str) -> None:
    client, _ = make_client(answer)

    with pytest.raises(UnexpectedResponse, match=problem):
        await anext(client.stream("fdr", "", start=NOW, end=NOW))


async def test_structured_ingest_uses_the_ingest_token() -> None:
    client, transport = make_client(json_response({}))
    batch = {"tags": {"host": "a"}, "events": [{"timestamp": 1, "attributes": {"k": "v"}}]}

    await client.ingest(INGEST_TOKEN).structured([batch])  # type: ignore[list-item]  # as a dict

    request = transport.requests[0]
    assert request.path == "api/v1/ingest/humio-structured"
    assert request.bearer == INGEST_TOKEN
    assert json.loads(request.content) == [batch]


async def test_ingest_of_unknown_fate_is_not_repeated() -> None:
    client, transport = make_client(RequestTimedOut("x"), json_response({}), attempts=3)

    with pytest.raises(RequestTimedOut):
        await client.ingest().structured([])

    assert transport.left == 1


async def test_ingest_under_back_pressure_is_repeated() -> None:
    client, _ = make_client(text_response("busy", status=503), json_response({}), attempts=2)

    await client.ingest().structured([])


async def test_ingest_answered_by_a_login_page_is_not_a_success() -> None:
    client, _ = make_client(text_response("<html>", content_type="text/html"))

    with pytest.raises(UnexpectedResponse):
        await client.ingest().structured([])


async def test_hec_sends_batches_and_counts() -> None:
    success = json_response({"text": "Success", "code": 0})
    client, transport = make_client(success, json_response({}))
    events = [{"event": f"e{n}"} for n in range(BATCH_EVENTS + 1)]

    assert await client.ingest(INGEST_TOKEN).hec(events) == BATCH_EVENTS + 1  # type: ignore[arg-type]  # as dicts

    first, second = transport.requests
    assert first.headers["Content-Encoding"] == "gzip"
    assert len(gzip.decompress(first.content).split(b"\n")) == 500
    assert second.content == b'{"event": "e500"}'


async def test_hec_refusal_in_a_200_is_an_error() -> None:
    client, _ = make_client(json_response({"text": "Invalid data format", "code": 6}))

    with pytest.raises(RequestRejected, match="Invalid data format"):
        await client.ingest().hec([{"event": "e"}])


async def test_hec_of_nothing_sends_nothing() -> None:
    client, transport = make_client()

    assert await client.ingest().hec([]) == 0
    assert transport.requests == []


def test_batches_are_bounded_by_bytes_and_a_large_event_goes_alone() -> None:
    half, huge = "x" * (BATCH_BYTES // 2), "y" * (BATCH_BYTES + 1)

    batches = [[len(line) for line in batch] for batch in batched_lines([half, half, huge, "z"])]

    assert batches == [[len(half)], [len(half)], [len(huge)], [1]]
