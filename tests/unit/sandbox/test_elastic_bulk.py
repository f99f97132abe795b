"""Elasticsearch's bulk form: what is stored, and what the answer says of each document."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

NOW_MS = 1_773_108_000_000
PATH = "/api/v1/ingest/elastic-bulk"


async def send(client: Any, body: bytes | str, token: str = "sender") -> Any:
    return await client.call("POST", PATH, token=token, content=body)


async def events_of(client: Any) -> list[dict[str, Any]]:
    client.clock.advance(timedelta(milliseconds=1))
    found: list[dict[str, Any]] = (await client.search("*"))["events"]
    return found


async def test_documents_become_events_and_the_answer_names_each(client: Any) -> None:
    answer = await send(
        client,
        '{"index": {"_index": "logs", "_id": "one"}}\n'
        '{"@timestamp": "2026-03-10T01:00:00Z", "message": "a=1 b=2", "host": {"name": "h"}}\n'
        '{"create": {}}\n'
        '{"n": 18446744073709551615}\n',
    )

    newest, oldest = await events_of(client)
    told = answer.json()
    assert (answer.status_code, told["errors"], told["took"]) == (200, False, 0)
    assert told["items"][0] == {
        "index": {"_index": "logs", "_id": "one", "result": "created", "status": 201}
    }
    assert told["items"][1]["create"]["status"] == 201
    assert (oldest["@timestamp"], oldest["@rawstring"], oldest["host.name"]) == (
        NOW_MS - 3_600_000,
        "a=1 b=2",
        "h",
    )
    assert (newest["@timestamp"], newest["n"]) == (NOW_MS, "18446744073709551615")
    assert newest["@rawstring"] == '{"n": 18446744073709551615}'
    assert "a" not in oldest


async def test_what_cannot_be_done_fails_alone(client: Any) -> None:
    answer = await send(
        client,
        '{"delete": {"_index": "logs", "_id": "x"}}\n'
        '{"update": {"_id": "y"}}\n{"doc": {"a": 1}}\n'
        '{"index": {}}\n{"@timestamp": "yesterday"}\n'
        '{"index": {}}\nnot json\n'
        '{"index": {}}\n{"kept": "yes"}\n',
    )

    told = answer.json()
    statuses = [next(iter(item.values()))["status"] for item in told["items"]]
    assert (told["errors"], statuses) == (True, [400, 400, 400, 400, 201])
    assert "never changed" in told["items"][0]["delete"]["error"]["reason"]
    assert "'yesterday' is not a timestamp" in told["items"][2]["index"]["error"]["reason"]
    assert [event["kept"] for event in await events_of(client)] == ["yes"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"not json\n",
        b'{"index": {}}\n',
        b'{"index": []}\n{}\n',
        b'{"index": {}, "create": {}}\n{}\n',
        b'{"destroy": {}}\n{}\n',
        b"[]\n{}\n",
        b"\xff\n{}\n",
    ],
)
async def test_body_that_is_not_bulk_is_refused_and_nothing_is_stored(
    client: Any, body: bytes
) -> None:
    answer = await send(client, body)

    assert answer.status_code == 400
    assert answer.text.startswith("The request content was malformed: ")
    assert await events_of(client) == []


async def test_reader_may_not_send(client: Any) -> None:
    assert (await send(client, b'{"index":{}}\n{}\n', token="reader")).status_code == 403
