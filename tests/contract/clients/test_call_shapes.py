"""What published clients send, call by call, and what they read of the answer.

Each line is one call as its client puts it on the wire: address, headers, body. Clients that can
run here do, in the other files of this folder; these are those that cannot.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from orchestrator.clock import FrozenClock
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.settings import ingest_token, sandbox_settings
from tests.contract.clients.conftest import NOW, NOW_MS, TOKEN

SENDER = ingest_token("falcon", token=TOKEN)
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SPLUNK = {"Authorization": f"Splunk {SENDER}"}
INGEST = {"Authorization": f"Bearer {SENDER}"}
BASIC = {"Authorization": "Basic " + base64.b64encode(f"any:{SENDER}".encode()).decode()}
GZIP = {"Content-Encoding": "gzip"}
SUCCESS = {"text": "Success", "code": 0}
BULK = "/api/v1/ingest/elastic-bulk"
ALWAYS = {"@id", "@ingesttimestamp", "@timestamp.nanos", "@timezone", "#repo", "@rawstring"}
"""Fields of every event; the tables below leave them out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request and what is expected of its answer."""

    client: str
    line: str
    """Method and path."""
    headers: Mapping[str, str]
    body: bytes = b""
    status: int = 200
    answer: Mapping[str, object] | str | None = None
    """Members of the JSON, or all of the text; None looks at the status alone."""
    stored: list[dict[str, Any]] = field(default_factory=list)
    """The events that are there afterwards, oldest first."""

    def __str__(self) -> str:
        return f"{self.client}: {self.line}"


def lines(*values: object) -> bytes:
    """Return one JSON document a line, the last one ended as well."""
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


CALLS = (
    # Vector, humio_logs and splunk_hec_logs.
    Call(
        client="vector",
        line="GET /services/collector/health/1.0",
        headers=SPLUNK,
        answer={"code": 17},
    ),
    Call(
        client="vector",
        line="POST /services/collector/event",
        headers={**SPLUNK, **GZIP, "Content-Type": "application/json"},
        body=gzip.compress(
            b'{"event":{"message":"up"},"fields":{"unit":"a"},"time":1773108000.25,"host":"h1",'
            b'"source":"file","sourcetype":"json"}{"event":"level=info","time":1773108000}'
        ),
        answer=SUCCESS,
        stored=[
            {"@timestamp": NOW_MS, "#type": "kv", "level": "info"},
            {
                "@timestamp": NOW_MS + 250,
                "#type": "json",
                "@host": "h1",
                "@source": "file",
                "message": "up",
                "unit": "a",
            },
        ],
    ),
    # Docker's splunk log driver: asks with OPTIONS first, and sends times as text.
    Call(client="docker", line="OPTIONS /services/collector/event/1.0", headers=SPLUNK),
    Call(
        client="docker",
        line="POST /services/collector/event/1.0",
        headers=SPLUNK,
        body=b'{"event":{"line":"hi","source":"stdout","tag":"c0"},"time":"1773108000.125",'
        b'"host":"h1"}{"event":{"line":"ho","source":"stdout","tag":"c0"},"time":"1773108001"}',
        answer=SUCCESS,
        stored=[
            {
                "@timestamp": NOW_MS + 125,
                "@host": "h1",
                "line": "hi",
                "source": "stdout",
                "tag": "c0",
            },
            {"@timestamp": NOW_MS + 1000, "line": "ho", "source": "stdout", "tag": "c0"},
        ],
    ),
    # Fluent Bit's splunk output, raw and not.
    Call(
        client="fluent-bit",
        line="POST /services/collector/event",
        headers={**SPLUNK, **GZIP, "User-Agent": "Fluent-Bit"},
        body=gzip.compress(b'{"time":1773108000.0,"event":{"log":"x","nested":{"a":[1,2]}}}'),
        answer=SUCCESS,
        stored=[
            {"@timestamp": NOW_MS, "log": "x", "nested.a[0]": "1", "nested.a[1]": "2"},
        ],
    ),
    Call(
        client="fluent-bit",
        line="POST /services/collector/raw",
        headers={**SPLUNK, "X-Splunk-Request-Channel": "c-1"},
        body=b"a=1\r\na=2\n",
        answer=SUCCESS,
        stored=[
            {"@timestamp": NOW_MS, "#type": "kv", "a": "1", "channel": "c-1"},
            {"@timestamp": NOW_MS, "#type": "kv", "a": "2", "channel": "c-1"},
        ],
    ),
    # OpenTelemetry's splunk_hec exporter.
    Call(client="otel", line="GET /services/collector/health", headers={}, answer={"code": 17}),
    Call(
        client="otel",
        line="POST /services/collector",
        headers={**SPLUNK, **GZIP, "__splunk_app_name": "OpenTelemetry Collector Contrib"},
        body=gzip.compress(
            b'{"time":1773108000.5,"host":"unknown","event":"v=9","fields":{"k":"b","n":["x"]}}'
        ),
        answer=SUCCESS,
        stored=[
            {
                "@timestamp": NOW_MS + 500,
                "#type": "kv",
                "@host": "unknown",
                "v": "9",
                "k": "b",
                "n[0]": "x",
            }
        ],
    ),
    # Splunk's SDKs for Java and Python.
    Call(
        client="splunk-sdk",
        line="POST /services/collector/raw/1.0?channel=c-2&host=h1&source=s&sourcetype=json",
        headers=SPLUNK,
        body=b'{"a": 1}',
        answer=SUCCESS,
        stored=[
            {
                "@timestamp": NOW_MS,
                "#type": "json",
                "a": "1",
                "channel": "c-2",
                "@host": "h1",
                "@source": "s",
            }
        ],
    ),
    Call(
        client="splunk-sdk",
        line="POST /services/collector/event",
        headers={"Authorization": "Splunk wrong"},
        body=b'{"event":"x"}',
        status=401,
        answer="The supplied authentication is invalid",
    ),
    # Cribl's LogScale destination, and its index that is another repository's.
    Call(
        client="cribl",
        line="POST /api/v1/ingest/hec/event",
        headers=INGEST,
        body=b'{"event":"a=1","time":1773108000,"index":"falcon"}',
        answer=SUCCESS,
        stored=[{"@timestamp": NOW_MS, "#type": "kv", "a": "1"}],
    ),
    Call(
        client="cribl",
        line="POST /api/v1/ingest/hec",
        headers=INGEST,
        body=b'{"event":"a=1","time":1773108000,"index":"other"}',
        status=403,
    ),
    # Logstash and Beats: who is there, then bulk.
    Call(
        client="logstash",
        line=f"GET {BULK}/",
        headers=BASIC,
        answer={"tagline": "You Know, for Search"},
    ),
    Call(client="logstash", line=f"HEAD {BULK}/", headers=BASIC),
    Call(
        client="logstash",
        line=f"GET {BULK}/_license",
        headers=BASIC,
        answer={"license": {"uid": "sandbox", "type": "basic", "status": "active"}},
    ),
    Call(
        client="logstash",
        line=f"POST {BULK}/_bulk",
        headers={**BASIC, **GZIP, "Content-Type": "application/json"},
        body=gzip.compress(
            lines(
                {"index": {"_index": "logstash", "routing": None}},
                {"@timestamp": "2026-03-10T02:00:00.250Z", "message": "a=1", "host": {"name": "h"}},
            )
        ),
        answer={"errors": False},
        stored=[
            {"@timestamp": NOW_MS + 250, "message": "a=1", "host.name": "h"},
        ],
    ),
    Call(
        client="filebeat",
        line=f"POST {BULK}/_bulk?filter_path=errors,items",
        headers={**BASIC, "Content-Type": "application/json; charset=UTF-8"},
        body=lines({"create": {"_index": "filebeat"}}, {"@timestamp": NOW_MS, "message": "up"}),
        answer={"errors": False},
        stored=[{"@timestamp": NOW_MS, "message": "up"}],
    ),
    Call(
        client="filebeat", line=f"HEAD {BULK}/_index_template/filebeat", headers=BASIC, status=404
    ),
    Call(
        client="filebeat",
        line=f"PUT {BULK}/_ilm/policy/filebeat",
        headers=BASIC,
        body=b"{}",
        status=404,
        answer={"status": 404},
    ),
    Call(
        client="vector",
        line=f"GET {BULK}/_cluster/health",
        headers=BASIC,
        answer={"status": "green"},
    ),
    Call(
        client="fluentd",
        line="POST /_bulk",
        headers=BASIC,
        body=lines({"index": {"_index": "x"}}, {"@timestamp": NOW_MS, "a": "1"}),
        answer={"errors": False},
        stored=[{"@timestamp": NOW_MS, "a": "1"}],
    ),
    # The Node client; a browser's fetch with deflate; the chaos toolkit's control.
    Call(
        client="humio-node",
        line="POST /api/v1/ingest/humio-structured",
        headers={**INGEST, "Content-Type": "application/json"},
        body=lines(
            [
                {
                    "tags": {},
                    "events": [
                        {
                            "attributes": {"a": 1, "@client": "humio-node", "deep": {"b": None}},
                            "timestamp": "2026-03-10T02:00:00.001Z",
                        }
                    ],
                }
            ]
        ),
        answer={},
        stored=[{"@timestamp": NOW_MS + 1, "a": "1", "@client": "humio-node"}],
    ),
    Call(
        client="browser",
        line="POST /api/v1/ingest/json",
        headers={**INGEST, "Content-Encoding": "deflate"},
        body=zlib.compress(b'[{"a": 1}, {"a": 2}]'),
        answer={},
        stored=[
            {"@timestamp": NOW_MS, "#type": "json", "a": "1"},
            {"@timestamp": NOW_MS, "#type": "json", "a": "2"},
        ],
    ),
    Call(
        client="browser",
        line="POST /api/v1/ingest/json",
        headers={**INGEST, "Content-Encoding": "deflate"},
        body=zlib.compress(b'[{"a": 1}]')[:-6],
        status=400,
        answer="The request content was malformed: not deflate",
    ),
    Call(
        client="humioctl",
        line="POST /api/v1/ingest/humio-unstructured",
        headers=INGEST,
        body=lines(
            [{"type": "kv", "messages": ["a=1"], "fields": {"@session": "s", "@label": "l"}}]
        ),
        answer={},
        stored=[
            {"@timestamp": NOW_MS, "#type": "kv", "a": "1", "@session": "s", "@label": "l"},
        ],
    ),
    # PowerShell scripts run on hosts: a slash at the end, text for numbers.
    Call(
        client="psfalcon",
        line="POST /api/v1/ingest/humio-structured/",
        headers=INGEST,
        body=lines(
            [
                {
                    "tags": {"script": "run.ps1", "host": "h1"},
                    "events": [
                        {"timestamp": "2026-03-10T03:00:00.5+01:00", "attributes": {"pid": 4}}
                    ],
                }
            ]
        ),
        answer={},
        stored=[
            {"@timestamp": NOW_MS + 500, "#script": "run.ps1", "#host": "h1", "pid": "4"},
        ],
    ),
    # Scripts that multiply a clock's seconds, which leaves a fraction.
    Call(
        client="script",
        line="POST /api/v1/ingest/humio-structured",
        headers=INGEST,
        body=b'[{"events":[{"timestamp":1773108000123.4568,"attributes":{"a":"1"}},'
        b'{"timestamp":1.773108000124E12,"attributes":{"a":"2"}}]}]',
        answer={},
        stored=[
            {"@timestamp": NOW_MS + 123, "a": "1"},
            {"@timestamp": NOW_MS + 124, "a": "2"},
        ],
    ),
    # Connectors that look before they search.
    Call(
        client="stix-shifter",
        line="GET /api/v1/repositories/falcon/max-datasources",
        headers={**BEARER, "Accept": "text/plain"},
        answer="10000",
    ),
    Call(
        client="stix-shifter",
        line="GET /api/v1/repositories/none/max-datasources",
        headers=BEARER,
        status=404,
        answer="The repository or view 'none' does not exist",
    ),
    Call(
        client="grafana",
        line="POST /api/v1/repositories/falcon/queryjobs",
        headers={**BEARER, "Content-Type": "application/json"},
        body=b'{"queryString":"","start":"1773107999000","end":"1773108000000","isLive":false}',
        answer={"queryOnView": "*"},
    ),
    Call(
        client="grafana",
        line="POST /graphql",
        headers={**BEARER, "Content-Type": "application/json"},
        body=b'{"query":"{searchDomains{name}}"}',
        answer={"data": {"searchDomains": [{"name": "falcon"}, {"name": "other"}]}},
    ),
    Call(
        client="genqlient",
        line="POST /graphql?id=Me",
        headers={**BEARER, "Content-Type": "application/json"},
        body=b'{"query":"query Me { viewer { username } }","variables":null,"operationName":""}',
        answer={"data": {"viewer": {"username": "admin"}}},
    ),
)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    settings = sandbox_settings(token=TOKEN, repositories=("falcon", "other"))
    app = create_app(settings, clock=FrozenClock(NOW))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as opened:
        yield opened
    app.state.sandbox.close()


async def stored_events(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return what the repository holds, oldest first, without the fields of every event."""
    answer = await http.post(
        "/api/v1/repositories/falcon/query",
        json={"queryString": "*", "start": 0, "end": NOW_MS + 60_000},
        headers={**BEARER, "Accept": "application/json"},
    )
    assert answer.status_code == 200, answer.text
    found = [
        {name: value for name, value in event.items() if name not in ALWAYS}
        for event in answer.json()
    ]
    return list(reversed(found))


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_call_is_answered_as_its_client_expects(http: httpx.AsyncClient, call: Call) -> None:
    method, path = call.line.split(" ", 1)

    answer = await http.request(method, path, headers=call.headers, content=call.body)

    assert answer.status_code == call.status, answer.text
    if isinstance(call.answer, str):
        assert answer.text == call.answer
    elif call.answer is not None:
        got = answer.json()
        assert {name: got.get(name) for name in call.answer} == call.answer
    assert await stored_events(http) == call.stored


async def test_elasticsearch_senders_know_the_product_by_its_header(
    http: httpx.AsyncClient,
) -> None:
    named = await http.get(BULK, headers=BASIC)
    sent = await http.put(
        f"{BULK}/_bulk", headers=BASIC, content=lines({"index": {}}, {"message": "up"})
    )

    assert named.json()["version"]["number"] == "7.17.0"
    assert sent.json()["items"][0]["index"]["result"] == "created"
    for answer in (named, sent):
        assert answer.headers["X-Elastic-Product"] == "Elasticsearch"


async def test_stix_shifter_pages_around_the_last_event(http: httpx.AsyncClient) -> None:
    """It reads `filterQuery` of the first job and starts the next around its last event."""
    events = [{"timestamp": NOW_MS - age, "attributes": {"age": str(age)}} for age in range(1, 8)]
    sent = await http.post(
        "/api/v1/ingest/humio-structured", json=[{"events": events}], headers=INGEST
    )
    assert sent.status_code == 200
    jobs = "/api/v1/repositories/falcon/queryjobs"

    async def found(body: Mapping[str, object]) -> dict[str, Any]:
        started = await http.post(jobs, json=body, headers=BEARER)
        polled = await http.get(f"{jobs}/{started.json()['id']}", headers=BEARER)
        result: dict[str, Any] = polled.json()
        return result

    first = await found({"queryString": "age=*", "start": NOW_MS - 3, "end": "now"})
    asked, last = first["metaData"]["filterQuery"], first["events"][-1]
    around = {
        "eventId": last["@id"],
        "numberOfEventsAfter": 0,
        "numberOfEventsBefore": 2,
        "timestamp": last["@timestamp"],
    }
    following = await found(
        {
            "queryString": "age=*",
            "around": around,
            "start": asked["start"] - 10,
            "end": last["@timestamp"] + 1,
        }
    )

    assert [event["age"] for event in first["events"]] == ["1", "2", "3"]
    assert [event["age"] for event in following["events"]] == ["3", "4", "5"]
