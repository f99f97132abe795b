"""Ingest: what goes out in which requests, and what counts as taken."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.client.cassettes.scripted import ScriptedTransport, json_response, text_response
from orchestrator.client.http.retry import RetryPolicy
from orchestrator.client.http.transport import Request, Response
from orchestrator.client.ingest import BATCH_BYTES, BATCH_EVENTS, BatchSize, Ingest, batched_lines
from orchestrator.client.logscale import LogScale
from orchestrator.clock import FrozenClock
from orchestrator.errors import RequestRejected, RequestTimedOut, ServerFailed, UnexpectedResponse
from orchestrator.secret import SecretText

NOW = datetime(2026, 3, 10, tzinfo=UTC)
INGEST_TOKEN = SecretText("ingest-canary")
ACCEPTED = json_response({})


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


def body_of(request: Request) -> Any:
    packed = request.headers.get("Content-Encoding") == "gzip"
    return json.loads(gzip.decompress(request.content) if packed else request.content)


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


@pytest.mark.parametrize(
    "answer",
    [
        Response(status=200),
        Response(status=204),
        text_response("", content_type="text/plain"),
        text_response("Success", content_type="text/plain"),
        text_response("{}", content_type="text/plain"),
        json_response({"text": "Success", "code": 0}),
    ],
)
async def test_ingest_is_taken_whatever_short_word_says_so(answer: Response) -> None:
    """The events are stored by then: an error would have them sent twice."""
    client, _ = make_client(*[answer] * 3)
    ingest = client.ingest()

    await ingest.raw("a=b")
    assert await ingest.json([{"a": "b"}]) == 1
    assert await ingest.hec([{"event": "e"}]) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (text_response("x" * 257, content_type="text/plain"), UnexpectedResponse),
        (text_response("<html>hi", content_type="text/plain"), UnexpectedResponse),
        (text_response("a,b", content_type="text/csv"), UnexpectedResponse),
        (json_response([]), UnexpectedResponse),
        (text_response('{"a', content_type="application/json"), UnexpectedResponse),
        (text_response("", content_type="application/json"), UnexpectedResponse),
        (Response(status=200, body=b"ok"), UnexpectedResponse),
        (text_response('{"text":"No","code":6}', content_type="text/plain"), RequestRejected),
    ],
)
async def test_ingest_answered_by_something_else_is_not_taken(
    answer: Response, error: type[Exception]
) -> None:
    client, _ = make_client(answer)

    with pytest.raises(error):
        await client.ingest().raw("a=b")


EVENT: Any = {"timestamp": 1, "attributes": {"k": "é"}}


async def test_structured_goes_out_in_batches_with_their_tags() -> None:
    client, transport = make_client(*[ACCEPTED] * 3)
    groups: Any = [
        {"tags": {"host": "a"}, "events": [EVENT] * 400},
        {"tags": {"host": "b"}, "events": [EVENT] * 700},
        {"tags": {"host": "c"}, "events": []},
    ]

    assert await client.ingest().structured(groups) == 1100

    sent = [
        [(group["tags"]["host"], len(group["events"])) for group in body_of(request)]
        for request in transport.requests
    ]
    assert sent == [[("a", 400), ("b", 100)], [("b", 500)], [("b", 100), ("c", 0)]]
    assert body_of(transport.requests[1])[0]["events"][-1] == EVENT


async def test_unstructured_goes_out_in_batches_with_their_parser() -> None:
    client, transport = make_client(ACCEPTED, ACCEPTED)
    half = "x" * (BATCH_BYTES // 2)
    groups: Any = [
        {"messages": ["n=1", half], "type": "kv", "fields": {"f": "1"}},
        {"messages": [half, "n=2"], "tags": {"t": "2"}},
    ]

    assert await client.ingest().unstructured(groups, repository="r") == 4

    first, second = transport.requests
    assert body_of(first) == [groups[0]]
    assert body_of(second) == [groups[1]]
    assert first.path == "api/v1/repositories/r/ingest-messages"


async def test_batches_are_as_large_as_they_are_wanted() -> None:
    client, transport = make_client(*[ACCEPTED] * 5)
    ingest = client.ingest(batch=BatchSize(events=2000, size_bytes=10 * BATCH_BYTES))

    await ingest.structured([{"tags": {}, "events": [EVENT] * 2001}])
    await client.ingest(INGEST_TOKEN, batch=BatchSize(size_bytes=20)).json([{"n": 1}] * 5)

    sizes = [len(body_of(request)) for request in transport.requests[2:]]
    assert [len(body_of(request)[0]["events"]) for request in transport.requests[:2]] == [2000, 1]
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize("groups", [[], [{"tags": {}, "events": []}]])
async def test_structured_of_nothing_is_one_request(groups: Any) -> None:
    client, transport = make_client(ACCEPTED)

    assert await client.ingest().structured(groups) == 0
    assert body_of(transport.requests[0]) == groups


MANY = 2 * BATCH_EVENTS + 200
SENDERS: dict[str, Callable[[Ingest], Awaitable[int]]] = {
    "hec": lambda ingest: ingest.hec({"event": "e"} for _ in range(MANY)),
    "hec raw": lambda ingest: ingest.hec_raw("e" for _ in range(MANY)),
    "json": lambda ingest: ingest.json({"e": "e"} for _ in range(MANY)),
    "structured": lambda ingest: ingest.structured([{"tags": {}, "events": [EVENT] * MANY}]),
    "unstructured": lambda ingest: ingest.unstructured([{"messages": ["e"] * MANY}]),
}


@pytest.mark.parametrize("name", SENDERS)
async def test_error_on_the_way_says_how_many_events_were_taken(name: str) -> None:
    client, transport = make_client(ACCEPTED, ACCEPTED, text_response("full", status=500))

    with pytest.raises(ServerFailed) as caught:
        await SENDERS[name](client.ingest())

    assert caught.value.events_taken == 2 * BATCH_EVENTS
    assert "full; 1000 events before were taken. " in str(caught.value)
    assert transport.left == 0


async def test_error_of_the_first_request_took_nothing() -> None:
    client, _ = make_client(text_response("full", status=500))

    with pytest.raises(ServerFailed) as caught:
        await client.ingest().json([{"a": "b"}])

    assert caught.value.events_taken == 0
    assert "were taken" not in str(caught.value)
