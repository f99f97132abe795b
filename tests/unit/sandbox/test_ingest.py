"""Ingest in each of its shapes, and who may send where."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

NOW_MS = 1_773_108_000_000
RECORDED_BODY = [
    {
        "tags": {"host": "server1", "source": "application.log"},
        "events": [
            {
                "timestamp": "2026-03-10T01:00:00+00:00",
                "attributes": {"key1": "value1", "key2": "value 2"},
            }
        ],
    }
]


async def events_of(client: Any, query: str = "*") -> list[dict[str, Any]]:
    client.clock.advance(timedelta(milliseconds=1))
    found: list[dict[str, Any]] = (await client.search(query))["events"]
    return found


async def test_structured_event_gets_its_tags_and_a_raw_string(client: Any) -> None:
    answer = await client.call(
        "POST", "/api/v1/ingest/humio-structured", token="sender", json=RECORDED_BODY
    )

    [event] = await events_of(client)
    assert (answer.status_code, answer.json()) == (200, {})
    assert event["#host"] == "server1"
    assert event["@timestamp"] == NOW_MS - 3_600_000
    assert event["@rawstring"] == 'key1=value1 key2="value 2"'


async def test_structured_event_keeps_its_own_raw_string(client: Any) -> None:
    body = [{"events": [{"timestamp": NOW_MS - 1, "rawstring": "as sent", "attributes": {}}]}]
    await client.call("POST", "/api/v1/ingest/humio-structured", token="sender", json=body)

    [event] = await events_of(client)
    assert event["@rawstring"] == "as sent"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"a": "1", "b": "x=y"}, "a=1 b=x=y"),
        ({"a": "", "b": "c"}, 'a="" b=c'),
        ({"a": "\u00a0", "b": "c"}, 'a="\u00a0" b=c'),
        ({"a b": "c"}, "a b=c"),
        ({"a": 'say "hi"'}, 'a="say \\"hi\\""'),
        ({}, ""),
    ],
)
async def test_raw_string_is_quoted_where_it_would_be_misread(
    client: Any, attributes: dict[str, str], expected: str
) -> None:
    body = [{"events": [{"timestamp": NOW_MS - 1, "attributes": attributes}]}]
    await client.call("POST", "/api/v1/ingest/humio-structured", token="sender", json=body)

    [event] = await events_of(client)
    assert event["@rawstring"] == expected


async def test_large_numbers_keep_their_digits(client: Any) -> None:
    raw = b'[{"events":[{"timestamp":%d,"attributes":{"id":18446744073709551615,"x":1.50}}]}]'
    await client.call(
        "POST", "/api/v1/ingest/humio-structured", token="sender", content=raw % (NOW_MS - 1)
    )

    [event] = await events_of(client)
    assert (event["id"], event["x"]) == ("18446744073709551615", "1.50")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (b'{"a":1.50,"b":"x"}', {"a": "1.50", "b": "x"}),
        (b'{"a":-0}', {"a": "-0"}),
        (b'{"a":[-0, 1E5, {"b":2}]}', {"a[0]": "-0", "a[1]": "1E5", "a[2].b": "2"}),
        (b'{"a":"-0","b":":-0"}', {"a": "-0", "b": ":-0"}),
        (b'{"a":true,"b":null,"c":false}', {"a": "true", "b": None, "c": "false"}),
        (b'{"a":' + b"9" * 5000 + b"}", {"a": "9" * 5000}),
        (b'{"a":1,"a":"last"}', {"a": "last"}),
        (b'{"a":{"b":{"c":0}},"d":[]}', {"a.b.c": "0", "d": None}),
    ],
    ids=[
        "fraction",
        "negative-zero",
        "nested",
        "text",
        "words",
        "long-number",
        "twice",
        "deep",
    ],
)
async def test_attribute_is_kept_as_it_was_written(
    client: Any, attributes: bytes, expected: dict[str, str | None]
) -> None:
    raw = b'[{"events":[{"timestamp":%d,"attributes":%b}]}]' % (NOW_MS - 1, attributes)
    await client.call("POST", "/api/v1/ingest/humio-structured", token="sender", content=raw)

    [event] = await events_of(client)
    assert {name: event.get(name) for name in expected} == expected


async def test_attributes_that_are_null_are_none(client: Any) -> None:
    body = [
        {
            "events": [
                {"timestamp": NOW_MS - n, "attributes": a} for n, a in ((1, None), (2, {"a": "b"}))
            ]
        }
    ]

    answer = await client.call("POST", "/api/v1/repositories/falcon/ingest", json=body)

    newest, oldest = await events_of(client)
    assert (answer.status_code, oldest["a"]) == (200, "b")
    assert (newest["@rawstring"], newest["@timestamp"]) == ("", NOW_MS - 1)


@pytest.mark.parametrize(
    ("stamp", "ms", "nanos"),
    [
        ("1773107999000", -1_000, "0"),
        ("1773107999000.5", -1_000, "500000"),
        ('"2026-03-10T01:59:59Z"', -1_000, "0"),
        ('"2026-03-10T01:59:59.25+00:00"', -750, "0"),
        ('"2026-03-10T01:59:59.123456789Z"', -877, "456789"),
        ('"2026-03-10T01:59:59.0001Z"', -1_000, "100000"),
        ("-0.5", -NOW_MS, "0"),
    ],
)
async def test_time_below_a_millisecond_is_kept_apart(
    client: Any, stamp: str, ms: int, nanos: str
) -> None:
    raw = f'[{{"events":[{{"timestamp":{stamp},"attributes":{{"a":"b"}}}}]}}]'.encode()
    await client.call("POST", "/api/v1/ingest/humio-structured", token="sender", content=raw)

    client.clock.advance(timedelta(milliseconds=1))
    [event] = (await client.search("*", start=0))["events"]
    assert (event["@timestamp"], event["@timestamp.nanos"]) == (NOW_MS + ms, nanos)


async def test_other_senders_times_are_kept_below_a_millisecond_too(client: Any) -> None:
    hec = b'{"time":1773107999.123456789,"event":"hec"}'
    bulk = b'{"index":{}}\n{"@timestamp":"2026-03-10T01:59:59.123456Z","message":"bulk"}\n'
    await client.call("POST", "/services/collector", token="sender", content=hec)
    await client.call("POST", "/api/v1/ingest/elastic-bulk", token="sender", content=bulk)
    await client.call("POST", "/api/v1/ingest/raw", token="sender", content=b"raw")

    found = {e["@rawstring"]: e["@timestamp.nanos"] for e in await events_of(client)}
    assert found == {"hec": "456789", "bulk": "456000", "raw": "0"}


async def test_zone_that_is_a_number_keeps_its_digits(client: Any) -> None:
    raw = b'[{"events":[{"timestamp":%d,"timezone":0}]}]' % (NOW_MS - 1)
    await client.call("POST", "/api/v1/ingest/humio-structured", token="sender", content=raw)

    [event] = await events_of(client)
    assert event["@timezone"] == "0"


async def test_events_of_many_shapes_keep_their_order_and_fields(client: Any) -> None:
    sent = [{"n": str(n), f"field{n % 70}": str(n)} for n in range(150)]
    events = [{"timestamp": NOW_MS - 1, "attributes": attributes} for attributes in sent]
    for part in (events[:50], events[50:]):
        await client.call("POST", "/api/v1/repositories/falcon/ingest", json=[{"events": part}])

    found = await events_of(client, "tail(1000)")
    assert [event["n"] for event in found] == [str(n) for n in range(150)]
    assert all(event[f"field{int(event['n']) % 70}"] == event["n"] for event in found)
    assert [event["@id"].split("_")[2] for event in found] == [
        str(n) for n in (*range(50), *range(100))
    ]


async def test_half_a_surrogate_pair_does_not_stop_a_batch(client: Any) -> None:
    raw = rb'[{"events":[{"timestamp":%d,"attributes":{"name":"a\ud800b"}}]}]' % (NOW_MS - 1)

    answer = await client.call(
        "POST", "/api/v1/ingest/humio-structured", token="sender", content=raw
    )

    [event] = await events_of(client)
    assert answer.status_code == 200
    assert event["name"] == "a?b"


@pytest.mark.parametrize("body", [[], [{"events": []}]])
async def test_batch_of_nothing_is_accepted(client: Any, body: list[Any]) -> None:
    answer = await client.call("POST", "/api/v1/repositories/falcon/ingest", json=body)

    assert (answer.status_code, answer.json()) == (200, {})


async def test_unstructured_text_is_read_as_key_values_at_arrival_time(client: Any) -> None:
    body = [{"messages": ['level=error msg="disk full" code=5'], "fields": {"env": "prod"}}]
    answer = await client.call(
        "POST", "/api/v1/ingest/humio-unstructured", token="sender", json=body
    )

    [event] = await events_of(client)
    assert answer.json() == {}
    assert event["@timestamp"] == NOW_MS
    assert (event["#type"], event["level"], event["msg"]) == ("kv", "error", "disk full")
    assert event["env"] == "prod"


async def test_unstructured_text_that_its_parser_cannot_read_is_kept_with_an_error(
    client: Any,
) -> None:
    body = [{"type": "json", "messages": ["not json"]}]
    answer = await client.call(
        "POST", "/api/v1/ingest/humio-unstructured", token="sender", json=body
    )

    [event] = await events_of(client)
    assert answer.status_code == 200
    assert (event["@rawstring"], event["@error"]) == ("not json", "true")


async def test_json_array_is_an_event_each(client: Any) -> None:
    await client.call("POST", "/api/v1/ingest/json", token="sender", json=[{"a": 1}, {"a": 2}])

    assert sorted(event["a"] for event in await events_of(client)) == ["1", "2"]


async def test_raw_body_is_one_event(client: Any) -> None:
    await client.call("POST", "/api/v1/ingest/raw", token="sender", content=b"two\nlines")

    [event] = await events_of(client)
    assert event["@rawstring"] == "two\nlines"


@pytest.mark.parametrize("path", ["/api/v1/ingest/hec", "/services/collector"])
async def test_hec_objects_stand_one_after_the_other(client: Any, path: str) -> None:
    one = {"time": f"{NOW_MS / 1000 - 5}", "event": {"a": 1}, "fields": {"#env": "prod"}}
    two = {"event": "k=v", "host": "h1", "source": "s1", "sourcetype": "kv"}
    body = json.dumps(one) + "\n" + json.dumps(two) + json.dumps({"event": "third"})

    answer = await client.call("POST", path, token="sender", content=body)

    third, second, first = await events_of(client)
    assert answer.json() == {"text": "Success", "code": 0}
    assert (first["a"], first["#env"], first["@timestamp"]) == ("1", "prod", NOW_MS - 5000)
    by_text = {event["@rawstring"]: event for event in (second, third)}
    assert by_text["k=v"]["k"] == "v"
    assert by_text["k=v"]["@host"] == "h1"


@pytest.mark.parametrize(
    ("written", "field", "value"),
    [
        (r'{"n":1,"x":1.50,"big":18446744073709551615}', "big", "18446744073709551615"),
        (r'{ "t": true, "no": null, "s":"1" }', "t", "true"),
        (r'{"event":{"event":"inner"},"a":"\u00e9\"}"}', "a", 'é"}'),
        (r'{"a":[1,{"b":"]"}]}', "a[1].b", "]"),
        (r'{"a":"1","a":"2"}', "a", "2"),
        ("{}", "@timezone", "Z"),
        ('["a",1]', "#type", "kv"),
        ("[]", "#type", "kv"),
        ("1.50", "#type", "kv"),
        ("true", "#type", "kv"),
        ("null", "#type", "kv"),
        ('""', "#type", "kv"),
    ],
)
async def test_hec_event_keeps_the_text_that_it_was_sent_as(
    client: Any, written: str, field: str, value: str
) -> None:
    sent = f'{{"host" : "h1","event": {written} ,"fields":{{"event":"e"}}}}'
    alone, in_an_array = sent.encode(), f" [{sent} ,\n{sent}]".encode()
    for body in (alone, in_an_array):
        answer = await client.call("POST", "/services/collector", token="sender", content=body)
        assert answer.status_code == 200

    found = await events_of(client)
    expected = "" if written == '""' else written
    assert [(e["@rawstring"], e[field], e["@host"]) for e in found] == [(expected, value, "h1")] * 3


async def test_json_events_keep_the_text_that_they_were_sent_as(client: Any) -> None:
    for body in (b' [{"n":1} , { "n": 2.0, "t":[true,null] }]\n', b'\n{"n":\t3}\n'):
        await client.call("POST", "/api/v1/ingest/json", token="sender", content=body)

    found = await events_of(client)
    assert {(event["@rawstring"], event["n"]) for event in found} == {
        ('{"n":1}', "1"),
        ('{ "n": 2.0, "t":[true,null] }', "2.0"),
        ('{"n":\t3}', "3"),
    }


async def test_hec_index_picks_the_repository_of_an_unbound_token(open_client: Any) -> None:
    async with open_client(repositories=("falcon", "other")) as client:
        body = json.dumps({"event": "x", "index": "other"})

        answer = await client.call("POST", "/services/collector", content=body)

        assert answer.status_code == 200
        assert client.sandbox.domain("other").log.count == 1


@pytest.mark.parametrize("scheme", ["Splunk sender", "Basic eDpzZW5kZXI="])
async def test_hec_senders_may_spell_the_token_their_way(client: Any, scheme: str) -> None:
    answer = await client.call(
        "POST",
        "/services/collector",
        token=None,
        headers={"Authorization": scheme},
        content=b'{"event":"x"}',
    )

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("humio-structured", b"{"),
        ("humio-structured", b"{}"),
        ("humio-structured", b"[5]"),
        ("humio-structured", b'[{"events":[{"attributes":{}}]}]'),
        ("humio-structured", b'[{"events":[{"timestamp":"soon"}]}]'),
        ("humio-structured", b'[{"events":[{"timestamp":1,"attributes":[]}]}]'),
        ("humio-structured", b'[{"events":[{"timestamp":"--5"}]}]'),
        ("humio-structured", b'[{"events":[{"timestamp":1000000000000000000000000}]}]'),
        ("humio-structured", b'[{"tags":0,"events":[{"timestamp":1}]}]'),
        ("humio-unstructured", b'[{"messages":["x"],"fields":{"@timestamp":"soon"}}]'),
        ("hec", b'{"event":"x","time":1e300}'),
        ("humio-structured", b'[{"events":[{"timestamp":1,"attributes":{"a":NaN}}]}]'),
        ("humio-unstructured", b'[{"messages":"one"}]'),
        ("json", b"5"),
        ("hec", b'{"event":"x"} oops'),
        ("hec", b'{"time":1}'),
        ("hec", b'{"event":"x","time":"noon"}'),
    ],
)
async def test_malformed_body_is_refused_and_nothing_is_stored(
    client: Any, path: str, body: bytes
) -> None:
    answer = await client.call("POST", f"/api/v1/ingest/{path}", token="sender", content=body)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
    assert client.sandbox.domain("falcon").log.count == 0


async def test_deeply_nested_body_is_refused(client: Any) -> None:
    body = b'{"a":' * 60 + b"1" + b"}" * 60

    answer = await client.call(
        "POST", "/api/v1/ingest/hec", token="sender", content=b'{"event":' + body + b"}"
    )

    assert answer.status_code == 400


async def test_bad_explicit_ingest_time_is_refused(open_client: Any) -> None:
    async with open_client(trust_ingest_timestamp=True) as client:
        body = [{"events": [{"timestamp": 1, "attributes": {"@ingesttimestamp": "soon"}}]}]

        answer = await client.call(
            "POST", "/api/v1/ingest/humio-structured", token="sender", json=body
        )

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "time",
    [
        "99999999999999999999999",
        "-62135596800001",
        "253402300800000",
        "1e30",
        "1e999999",
        '"1e999999"',
        '"9999-12-31T23:59:59-23:59"',
        f'"{"9" * 5000}"',
        '"Infinity"',
        '"nan"',
        "true",
        "[]",
    ],
    ids=lambda text: text[:12],
)
async def test_time_that_no_calendar_names_is_refused_and_nothing_is_kept(
    open_client: Any, tmp_path: Any, time: str
) -> None:
    structured = f'[{{"events": [{{"timestamp": {time}, "attributes": {{"a": "1"}}}}]}}]'
    bulk = f'{{"index": {{}}}}\n{{"@timestamp": {time}, "a": "1"}}\n'
    async with open_client(data_dir=tmp_path) as client:
        for path, body, status in (
            ("/api/v1/ingest/humio-structured", structured, 400),
            ("/services/collector", f'{{"event": "x", "time": {time}}}', 400),
            ("/api/v1/ingest/elastic-bulk/_bulk", bulk, 200),
        ):
            answer = await client.call("POST", path, token="sender", content=body)
            assert answer.status_code == status, answer.text
        assert answer.json()["errors"] is True

    # Kept, it would keep the next start from reading the events back.
    async with open_client(data_dir=tmp_path) as client:
        assert client.sandbox.domains["falcon"].log.count == 0
