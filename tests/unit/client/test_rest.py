"""Status, health and streaming."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.client.cassettes.scripted import ScriptedTransport, json_response, text_response
from orchestrator.client.http.retry import RetryPolicy
from orchestrator.client.http.transport import Response
from orchestrator.client.logscale import LogScale
from orchestrator.client.rest import StreamProgress
from orchestrator.client.types import ServerStatus
from orchestrator.clock import FrozenClock
from orchestrator.errors import (
    QueryRejected,
    ServerDown,
    ServerFailed,
    UnexpectedResponse,
)
from orchestrator.secret import SecretText

NOW = datetime(2026, 3, 10, tzinfo=UTC)


def make_client(*steps: Response, attempts: int = 1) -> tuple[LogScale, ScriptedTransport]:
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
    assert isinstance(caught.value, ServerDown)
    assert caught.value.problem == "the server, version 1, says that it is DOWN"


@pytest.mark.parametrize(
    "answer",
    [
        text_response("starting", status=503),
        json_response({"status": "DOWN"}, status=503),
        json_response({"status": ["DOWN"], "version": "1"}, status=503),
        json_response({"status": "OK", "version": "1"}, status=503),
        json_response({"status": "DOWN", "version": 1}, status=503),
        text_response("<html>", status=503, content_type="text/html"),
    ],
)
async def test_503_without_the_servers_own_word_is_a_failure(answer: Response) -> None:
    client, _ = make_client(answer)

    with pytest.raises(ServerFailed) as caught:
        await client.status()

    assert type(caught.value) is ServerFailed


async def test_status_of_a_server_that_comes_up_is_asked_again() -> None:
    down = json_response({"status": "DOWN", "version": "1"}, status=503)
    client, _ = make_client(down, json_response({"status": "OK", "version": "1"}), attempts=2)

    assert (await client.status()).status == "OK"


@pytest.mark.parametrize(
    "answer",
    [
        text_response("starting", status=503),
        json_response({"status": "DOWN", "down": "disk"}, status=503),
        json_response({"status": "DOWN", "down": []}, status=500),
    ],
)
async def test_health_that_is_not_told_is_a_failure(answer: Response) -> None:
    client, _ = make_client(answer)

    with pytest.raises(ServerFailed):
        await client.health()


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
