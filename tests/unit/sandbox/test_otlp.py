"""OpenTelemetry's log records: bytes as an exporter writes them become events."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from orchestrator.sandbox.ingest.otlp import otlp_log_rows
from orchestrator.sandbox.ingest.refusals import BodyRefused

NANOS = 1_773_104_400_250_000_000
PATH = "/api/v1/ingest/otlp/v1/logs"
PROTOBUF = {"Content-Type": "application/x-protobuf"}


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def held(number: int, content: bytes | str) -> bytes:
    """Return a field of text, bytes, or a message."""
    data = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(data)) + data


def whole(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def fixed(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 1) + content


def pair(key: str, value: bytes) -> bytes:
    return held(1, key) + held(2, value)


def request(record: bytes, *, resource: bytes = b"", scope: bytes = b"") -> bytes:
    scoped = (held(1, scope) if scope else b"") + held(2, record)
    return held(1, (held(1, resource) if resource else b"") + held(2, scoped))


RECORD = (
    fixed(1, struct.pack("<Q", NANOS))
    + whole(2, 9)
    + held(3, "INFO")
    + held(5, held(1, "hello"))
    + held(6, pair("count", whole(3, -7)))
    + held(6, pair("ratio", fixed(4, struct.pack("<d", 0.5))))
    + held(6, pair("ok", whole(2, 1)))
    + held(6, pair("list", held(5, held(1, held(1, "a")) + held(1, whole(3, 2)))))
    + held(6, pair("map", held(6, held(1, pair("in", held(1, "side"))))))
    + held(6, pair("raw", held(7, b"\x01\xff")))
    + held(9, bytes(range(16)))
    # A field that no release so far has, and that a later one may.
    + held(99, "later")
)


def test_record_becomes_an_event_with_every_kind_of_value() -> None:
    body = request(
        RECORD, resource=held(1, pair("service.name", held(1, "svc"))), scope=held(1, "logger")
    )

    (row,) = otlp_log_rows(body, now_ms=5)

    assert row.pop("@rawstring").startswith('{"resource": {"service.name": "svc"}')
    assert row == {
        "@timestamp": "1773104400250",
        "@timezone": "Z",
        "#type": "json",
        "resource.service.name": "svc",
        "scope.name": "logger",
        "attributes.count": "-7",
        "attributes.ratio": "0.5",
        "attributes.ok": "true",
        "attributes.list[0]": "a",
        "attributes.list[1]": "2",
        "attributes.map.in": "side",
        "attributes.raw": "01ff",
        "body": "hello",
        "severityText": "INFO",
        "severityNumber": "9",
        "traceId": "000102030405060708090a0b0c0d0e0f",
    }


@pytest.mark.parametrize(
    ("record", "at"),
    [
        (fixed(11, struct.pack("<Q", NANOS)), "1773104400250"),
        (fixed(1, struct.pack("<Q", 0)), "5"),
        (b"", "5"),
    ],
)
def test_time_is_that_of_the_observation_or_of_arrival(record: bytes, at: str) -> None:
    assert [row["@timestamp"] for row in otlp_log_rows(request(record), now_ms=5)] == [at]


def test_time_keeps_its_nanoseconds() -> None:
    record = fixed(1, struct.pack("<Q", NANOS + 123_456))

    (row,) = otlp_log_rows(request(record), now_ms=5)

    assert (row["@timestamp"], row["@timestamp.nanos"]) == ("1773104400250", "123456")


def nested(levels: int) -> bytes:
    value = held(1, "deep")
    for _ in range(levels):
        value = held(5, held(1, value))
    return request(held(5, value))


@pytest.mark.parametrize(
    "body",
    [
        b'{"resourceLogs": []}',
        request(RECORD)[:-3],
        held(1, held(2, held(2, whole(5, 1)))),
        held(1, held(2, held(2, whole(3, 1)))),
        varint(1 << 3 | 3),
        b"\xff" * 12,
        nested(60),
        nested(1000),
    ],
    ids=["json", "cut", "body-is-no-message", "text-is-a-number", "group", "tag", "deep", "deeper"],
)
def test_body_of_another_kind_is_refused(body: bytes) -> None:
    with pytest.raises(BodyRefused):
        otlp_log_rows(body, now_ms=5)


def test_empty_request_brings_nothing() -> None:
    assert otlp_log_rows(b"", now_ms=5) == []


async def test_exporter_is_answered_with_an_empty_message(client: Any) -> None:
    answer = await client.call(
        "POST", PATH, token="sender", content=request(RECORD), headers=PROTOBUF
    )

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"
    found = await client.search("select([body, attributes.count])", start=0)
    assert found["events"] == [{"body": "hello", "attributes.count": "-7"}]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (PATH, {"Content-Type": "application/json"}, 415),
        ("/api/v1/ingest/otlp/v1/traces", PROTOBUF, 501),
        ("/api/v1/ingest/otlp/v1/metrics", PROTOBUF, 501),
    ],
)
async def test_what_is_not_taken_is_refused(
    client: Any, path: str, headers: dict[str, str], status: int
) -> None:
    answer = await client.call("POST", path, token="sender", content=b"{}", headers=headers)

    assert answer.status_code == status
