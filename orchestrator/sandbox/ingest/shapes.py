"""The bodies that ingest accepts, turned into flat rows of strings.

A row has `@timestamp` in ms and what the sender said; `@id`, `@ingesttimestamp` and `#repo` are the
server's to add. Numbers keep the digits they were sent with. Nested objects become `a.b`, arrays
`a[0]`; null is no value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from orchestrator.sandbox.ingest.json_texts import element_texts, member_text
from orchestrator.sandbox.ingest.refusals import BodyRefused
from orchestrator.sandbox.ingest.times import event_times, hec_times
from orchestrator.sandbox.storage.events import TIMESTAMP

DEFAULT_PARSER = "kv"
_MAX_DEPTH = 50
_PAIR = re.compile(r'([\w.@#:/-]+)=("(?:[^"\\]|\\.)*"|[^\s,"]+)')
_PLAIN = re.compile(r'[^\s"]+\Z')
_quoted = json.JSONEncoder(ensure_ascii=False).encode
_BLANK = re.compile(r"\s*")

Row = dict[str, str]


def structured_rows(body: bytes) -> list[Row]:
    """Return one row per event of a humio-structured body.

    Raises:
        BodyRefused: Not JSON, or not an array of `{tags, events}`.
    """
    rows: list[Row] = []
    for group in _objects(loads(body)):
        tags = tags_of(group)
        for event in _objects(group.get("events")):
            if "timestamp" not in event:
                raise BodyRefused("an event needs a timestamp")
            attributes = event.get("attributes")
            row = flat_row({} if attributes is None else attributes)
            rawstring = event.get("rawstring")
            row["@rawstring"] = rawstring if isinstance(rawstring, str) else rawstring_of(row)
            row.update(tags)
            row.update(event_times(event["timestamp"]))
            row["@timezone"] = str(event.get("timezone") or "Z")
            rows.append(row)
    return rows


def tags_of(group: Mapping[str, object]) -> Row:
    """Return a group's tags as `#name` fields."""
    return {f"#{name.lstrip('#')}": value for name, value in _flat(group.get("tags") or {})}


def unstructured_rows(body: bytes, *, now_ms: int, parser: str | None) -> list[Row]:
    """Return one row per message of a humio-unstructured body; the time is that of arrival.

    `parser` is the token's own, which wins over the body's `type`.

    Raises:
        BodyRefused: Not JSON, or not an array of `{messages}`.
    """
    rows: list[Row] = []
    for group in _objects(loads(body)):
        kind = parser or str(group.get("type") or DEFAULT_PARSER)
        messages = group.get("messages")
        if not isinstance(messages, list):
            raise BodyRefused("messages must be an array of strings")
        fields = dict(_flat(group.get("fields") or {}))
        tags = tags_of(group)
        rows += [
            text_row(str(message), now_ms=now_ms, parser=kind) | fields | tags
            for message in messages
        ]
    return rows


def json_rows(body: bytes, *, now_ms: int) -> list[Row]:
    """Return one row per JSON object: a single one, or an array of them.

    Raises:
        BodyRefused: Not JSON, or something other than objects.
    """
    shared = {TIMESTAMP: str(now_ms), "@timezone": "Z", "#type": "json"}
    return [
        {**shared, "@rawstring": text, **flat_row(event)}
        for event, text in _with_texts(loads(body), text_of(body))
    ]


def hec_rows(
    body: bytes, *, now_ms: int, parser: str | None = None
) -> list[tuple[str | None, Row]]:
    """Return `(index, row)` per event of a HEC body: objects one after the other, or an array.

    `parser` is the token's own, which wins over an event's `sourcetype`.

    Raises:
        BodyRefused: Not JSON, or an object without an event.
    """
    return [
        _hec_row(event, text, now_ms, parser)
        for raw, whole in _concatenated(body)
        for event, text in _with_texts(raw, whole)
    ]


def text_row(text: str, *, now_ms: int, parser: str) -> Row:
    """Return the row of one raw line: `@rawstring` and what `parser` finds in it.

    `json` and `kv` are known; any other parser leaves the text unparsed. A text that is not JSON
    is kept, with `@error`, as LogScale does.
    """
    row = {TIMESTAMP: str(now_ms), "@timezone": "Z", "@rawstring": text, "#type": parser}
    if parser == "json":
        try:
            parsed = loads(text.encode("utf-8", "replace"))
            row |= dict(_flat(parsed)) if isinstance(parsed, Mapping) else {}
        except BodyRefused as exc:
            row |= {"@error": "true", "@error_msg": str(exc)}
    elif parser == DEFAULT_PARSER:
        row |= {name: _unquoted(value) for name, value in _PAIR.findall(text)}
    return row


def _hec_row(
    raw: Mapping[str, object], text: str, now_ms: int, parser: str | None
) -> tuple[str | None, Row]:
    if "event" not in raw:
        raise BodyRefused("a HEC object needs an event")
    event = raw["event"]
    written = event if isinstance(event, str) else member_text("event", text)
    if isinstance(event, Mapping):
        row = flat_row(event) | {"@rawstring": written}
    else:
        kind = parser or str(raw.get("sourcetype") or DEFAULT_PARSER)
        row = text_row(written, now_ms=now_ms, parser=kind)
    sent = raw.get("time")
    row.update({TIMESTAMP: str(now_ms)} if sent is None else hec_times(sent))
    row["@timezone"] = str(raw.get("timezone") or "Z")
    for member, field in (("sourcetype", "#type"), ("source", "@source"), ("host", "@host")):
        if raw.get(member) is not None and not (parser and field == "#type"):
            row[field] = str(raw[member])
    row.update(_flat(raw.get("fields") or {}))
    index = raw.get("index")
    return (str(index) if index else None), row


def loads(body: bytes) -> object:
    """Return the JSON value of `body`, its numbers as texts.

    Raises:
        BodyRefused: Not JSON.
    """
    # Digits stay as sent: a 64-bit id must not pass through a float.
    try:
        return json.loads(body, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise BodyRefused(f"the body is not JSON: {exc}") from exc


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def text_of(body: bytes) -> str:
    """Return the text of a body that was read as JSON, without the blanks around it."""
    return body.decode(json.detect_encoding(body), "surrogatepass").strip()


def _with_texts(raw: object, text: str) -> Iterator[tuple[Mapping[str, object], str]]:
    """Yield the objects of an array, or the one that there is, each with its own text."""
    if isinstance(raw, dict):
        yield raw, text
    else:
        yield from zip(_objects(raw), element_texts(text), strict=True)


def _concatenated(body: bytes) -> list[tuple[object, str]]:
    """Return the JSON values that stand one after the other in `body`, with their texts."""
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)
    found: list[tuple[object, str]] = []
    try:
        text = body.decode("utf-8")
        position = _skip_blank(text, 0)
        while position < len(text):
            value, end = decoder.raw_decode(text, position)
            found.append((value, text[position:end]))
            position = _skip_blank(text, end)
    except (ValueError, RecursionError) as exc:
        raise BodyRefused(f"the body is not JSON: {exc}") from exc
    return found


def _skip_blank(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position


def _objects(raw: object) -> Iterator[Mapping[str, object]]:
    if not isinstance(raw, list):
        raise BodyRefused("an array of objects is expected")
    for item in raw:
        if not isinstance(item, Mapping):
            raise BodyRefused("an array of objects is expected")
        yield item


def flat_row(raw: object) -> Row:
    """Return an object's fields by dotted name, as texts; what is null is left out.

    Raises:
        BodyRefused: Not an object, or nested too deeply.
    """
    # The common case by far: nothing is nested, and everything is text already.
    if isinstance(raw, dict) and set(map(type, raw.values())) <= {str}:
        return dict(raw)
    return dict(_flat(raw))


def _flat(raw: object) -> Iterator[tuple[str, str]]:
    """Yield `(dotted name, text)` of everything in an object that has a value."""
    if not isinstance(raw, Mapping):
        raise BodyRefused("an object of fields is expected")
    for name, value in raw.items():
        # The common case first: this runs once per field of each event.
        if type(value) is str:
            yield name, value
        else:
            yield from _flat_value(name, value, 0)


def _flat_value(name: str, value: object, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _MAX_DEPTH:
        raise BodyRefused(f"an object is nested deeper than {_MAX_DEPTH} levels")
    match value:
        case None:
            return
        case bool():
            yield name, "true" if value else "false"
        case Mapping():
            for key, item in value.items():
                yield from _flat_value(f"{name}.{key}", item, depth + 1)
        case list():
            for position, item in enumerate(value):
                yield from _flat_value(f"{name}[{position}]", item, depth + 1)
        case _:
            yield name, str(value)


def rawstring_of(fields: Mapping[str, str]) -> str:
    """Return the event as `key=value` text, quoted where a blank would split it."""
    text = " ".join([f"{name}={value}" for name, value in fields.items()])
    # The common case first, found out over all fields at once: nothing needs a quote.
    # Of all white space only the blank is printable.
    has_own_blanks = text.count(" ") != len(fields) - 1 or not text.isprintable()
    if not has_own_blanks and '"' not in text and "" not in fields.values():
        return text
    return " ".join(
        [
            f"{name}={value if _PLAIN.match(value) else _quoted(value)}"
            for name, value in fields.items()
        ]
    )


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value[1:-1]
