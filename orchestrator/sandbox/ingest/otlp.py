"""OpenTelemetry's log records, as its exporters send them: protobuf, read by a table of fields.

One record is one event. Its text is the record as JSON, with attributes as objects, and the fields
are those of that JSON; how LogScale names them is not published, so these names are our own.
Source: open-telemetry, opentelemetry-proto, logs/v1; protobuf.dev, encoding.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.sandbox.ingest.refusals import BodyRefused
from orchestrator.sandbox.ingest.shapes import Row, text_row
from orchestrator.sandbox.ingest.times import nano_times

_FIXED64 = 1
_MAX_DEPTH = 50


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a message: its name, and what its bytes are."""

    name: str
    kind: str
    """`text`, `hex`, `whole`, `signed`, `flag`, `double`, or the name of a message."""
    is_list: bool = False


_MESSAGES: Mapping[str, Mapping[int, _Field]] = {
    "Request": {1: _Field("resources", "ResourceLogs", is_list=True)},
    "ResourceLogs": {
        1: _Field("resource", "Attributed"),
        2: _Field("scopes", "ScopeLogs", is_list=True),
    },
    "Attributed": {1: _Field("attributes", "KeyValue", is_list=True)},
    "ScopeLogs": {1: _Field("scope", "Scope"), 2: _Field("records", "Record", is_list=True)},
    "Scope": {
        1: _Field("name", "text"),
        2: _Field("version", "text"),
    },
    "Record": {
        1: _Field("time", "whole"),
        2: _Field("severityNumber", "whole"),
        3: _Field("severityText", "text"),
        5: _Field("body", "Value"),
        6: _Field("attributes", "KeyValue", is_list=True),
        9: _Field("traceId", "hex"),
        10: _Field("spanId", "hex"),
        11: _Field("observed", "whole"),
        12: _Field("eventName", "text"),
    },
    "KeyValue": {1: _Field("key", "text"), 2: _Field("value", "Value")},
    "Value": {
        1: _Field("text", "text"),
        2: _Field("flag", "flag"),
        3: _Field("whole", "signed"),
        4: _Field("double", "double"),
        5: _Field("list", "List"),
        6: _Field("map", "Map"),
        7: _Field("hex", "hex"),
    },
    "List": {1: _Field("values", "Value", is_list=True)},
    "Map": {1: _Field("values", "KeyValue", is_list=True)},
}

Message = dict[str, Any]


def otlp_log_rows(body: bytes, *, now_ms: int) -> list[Row]:
    """Return one row per log record of an export request, in the order of the request.

    Raises:
        BodyRefused: Not protobuf, or not a request of this kind.
    """
    return [
        _row(resource, scope, record, now_ms)
        for resource in _read("Request", body, 0).get("resources", ())
        for scope in resource.get("scopes", ())
        for record in scope.get("records", ())
    ]


def _row(resource: Message, scope: Message, record: Message, now_ms: int) -> Row:
    named = scope.get("scope", {})
    told = {
        "resource": _object(resource.get("resource", {}).get("attributes", ())),
        "scope": {n: named[n] for n in ("name", "version") if named.get(n)},
        "attributes": _object(record.get("attributes", ())),
        "body": _value(record["body"]) if "body" in record else None,
        **{
            name: record[name]
            for name in ("severityText", "severityNumber", "traceId", "spanId", "eventName")
            if record.get(name)
        },
    }
    text = json.dumps(
        {name: value for name, value in told.items() if value not in ({}, None)},
        ensure_ascii=False,
    )
    row = text_row(text, now_ms=now_ms, parser="json")
    nanos = record.get("time") or record.get("observed")
    return row | (nano_times(nanos) if nanos else {})


def _object(pairs: Any) -> dict[str, object]:
    return {pair.get("key", ""): _value(pair.get("value", {})) for pair in pairs}


def _value(raw: Message) -> object:
    if "map" in raw:
        return _object(raw["map"].get("values", ()))
    if "list" in raw:
        return [_value(item) for item in raw["list"].get("values", ())]
    return next(iter(raw.values()), None)


def _read(kind: str, data: bytes, depth: int) -> Message:
    """Return a message by field names; fields that the table does not name are left out."""
    if depth > _MAX_DEPTH:
        raise BodyRefused(f"a message is nested deeper than {_MAX_DEPTH} levels")
    fields, found = _MESSAGES[kind], Message()
    for number, wire, raw in _parts(data):
        field = fields.get(number)
        if field is None:
            continue
        value = _decoded(field.kind, wire, raw, depth)
        if field.is_list:
            found.setdefault(field.name, []).append(value)
        else:
            found[field.name] = value
    return found


def _decoded(kind: str, wire: int, raw: int | bytes, depth: int) -> object:
    match kind, raw:
        case ("whole", int()):
            return raw
        case ("signed", int()):
            return raw - (1 << 64) if raw >= 1 << 63 else raw
        case ("flag", int()):
            return raw != 0
        case ("double", int()) if wire == _FIXED64:
            return struct.unpack("<d", struct.pack("<Q", raw))[0]
        case ("text", bytes()):
            return raw.decode("utf-8", "replace")
        case ("hex", bytes()):
            return raw.hex()
        case (_, bytes()) if kind in _MESSAGES:
            return _read(kind, raw, depth + 1)
        case _:
            raise BodyRefused(f"a field that should be {kind} is something else")


def _parts(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yield number, wire type and raw value of each field."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        match wire:
            case 0:
                value, position = _varint(data, position)
                yield number, wire, value
            case 1 | 5:
                size = 8 if wire == _FIXED64 else 4
                yield number, wire, int.from_bytes(_cut(data, position, size), "little")
                position += size
            case 2:
                size, position = _varint(data, position)
                yield number, wire, _cut(data, position, size)
                position += size
            case _:
                raise BodyRefused("the body is not protobuf")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise BodyRefused("the body is not protobuf: it ends early")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, position
    raise BodyRefused("the body is not protobuf")


def _cut(data: bytes, position: int, size: int) -> bytes:
    if position + size > len(data):
        raise BodyRefused("the body is not protobuf: it ends early")
    return data[position : position + size]
