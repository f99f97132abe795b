"""The sandbox is asked what a real server was asked in 2020, of the same events at the same time.

Whole answers are compared by value. Left out are what no two servers share: ids, measured times,
the bytes that events take, and how long to wait for the next poll.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.client import load_cassette
from orchestrator.clock import FrozenClock
from orchestrator.sandbox.settings import Right, TokenRole
from orchestrator.sandbox.storage.events import frame_of
from orchestrator.units import from_epoch_ms, to_epoch_ms

FOLDER = Path(__file__).parents[3] / "cassettes"
JOBS = sorted((FOLDER / "query_jobs" / "poll").glob("*.yaml"))
RECORDED = [path for path in JOBS if path.read_text("utf-8").startswith("origin: recorded")]
MEASURED = {"processedBytes", "timeMillis", "pollAfter"}


def exchanges(path: Path) -> list[tuple[str, str, Any, Any]]:
    """Return method, path, status and body of each exchange, with the request's body in front."""
    return [
        (exchange.method, exchange.path, exchange.body, exchange.response)
        for exchange in load_cassette(path).exchanges
    ]


def recorded_events() -> list[dict[str, Any]]:
    """Return the 64 events that the recorded repository held, oldest first."""
    found = exchanges(FOLDER / "query_jobs" / "poll" / "static_non_aggregate_query.yaml")
    answer = json.loads(found[1][3].body)
    return list(reversed(answer["events"]))


async def fill(client: Any) -> None:
    rows = [
        {
            "@timestamp": str(event["@timestamp"]),
            **{name: event[name] for name in ("#type", "@timezone", "@rawstring")},
        }
        for event in recorded_events()
    ]
    await client.sandbox.ingest("sandbox", frame_of(rows))


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    metadata = {k: v for k, v in answer["metaData"].items() if k not in MEASURED}
    events = [
        {name: value for name, value in event.items() if name not in {"@id", "#repo"}}
        for event in answer["events"]
    ]
    return {**answer, "metaData": metadata, "events": events}


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_job_answers_as_the_real_server_did(open_client: Any, path: Path) -> None:
    start, *rest = exchanges(path)
    polls = [json.loads(found[3].body) for found in rest if found[0] == "GET"]
    ends = [from_epoch_ms(poll["metaData"]["queryEnd"]) for poll in polls]
    clock = FrozenClock(ends[0])
    async with open_client(
        clock=clock,
        recorded_metadata_only=True,
        first_poll_done=polls[0]["done"],
    ) as client:
        await fill(client)
        started = await client.call("POST", start[1], content=start[2].encode())
        expected = json.loads(start[3].body)
        job, recorded_job = started.json()["id"], expected["id"]
        answers = []
        for end in ends:
            clock.advance(end - clock.now())
            answer = await client.call("GET", f"{start[1]}/{job}")
            answers.append(comparable(answer.json()))
        deleted = [
            (await client.call(method, at.replace(recorded_job, job))).status_code
            for method, at, _, _ in rest
            if method == "DELETE"
        ]

    assert answers == [comparable(poll) for poll in polls]
    assert started.json() == {"id": job, "queryOnView": expected["queryOnView"]}
    assert deleted == [204 for method, *_ in rest if method == "DELETE"]


async def test_rows_are_streamed_as_the_real_server_did(open_client: Any) -> None:
    [(_, path, body, recorded)] = exchanges(FOLDER / "stream" / "rows" / "timechart.yaml")
    rows = [json.loads(line) for line in recorded.body.splitlines()]
    # Somewhere within the last bucket, and behind the last event.
    newest = max(event["@timestamp"] for event in recorded_events())
    clock = FrozenClock(from_epoch_ms(max(newest, int(rows[-1]["_bucket"])) + 1))
    async with open_client(clock=clock) as client:
        await fill(client)
        answer = await client.call(
            "POST", path, content=body.encode(), headers={"Accept": "application/x-ndjson"}
        )

    sent = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.headers["content-type"] == recorded.headers["content-type"]
    assert re.fullmatch(r"IQ-[0-9A-Za-z]{24}", answer.headers["humio-query-id"])
    assert [row["_bucket"] for row in sent] == [row["_bucket"] for row in rows]
    assert {row["_count"] for row in rows} >= {"0"}
    assert [list(row) for row in sent[:1]] == [["_bucket", "_count"]]


@pytest.mark.parametrize(
    "name",
    [
        "query_jobs/submit/refused.yaml",
        "query_jobs/submit/accepted.yaml",
        "ingest/structured/user_token.yaml",
        "ingest/structured/ingest_token.yaml",
        "ingest/unstructured/user_token.yaml",
        "ingest/unstructured/ingest_token.yaml",
        "errors/status_403/text.yaml",
    ],
)
async def test_short_exchanges_answer_as_the_real_server_did(open_client: Any, name: str) -> None:
    tokens = {
        "user": TokenRole(name="user", rights=frozenset({Right.READ, Right.INGEST})),
        "sender": TokenRole(name="sender", rights=frozenset({Right.INGEST}), repository="falcon"),
    }
    token = "sender" if "ingest_token" in name else "user"
    async with open_client(tokens=tokens, recorded_metadata_only=True) as client:
        for method, path, body, recorded in exchanges(FOLDER / name):
            answer = await client.call(method, path, token=token, content=body.encode())

            assert answer.status_code == recorded.status
            assert answer.headers["content-type"] == recorded.headers["content-type"]
            if "submit/accepted" in name:
                assert answer.json()["queryOnView"] == json.loads(recorded.body)["queryOnView"]
            else:
                assert answer.content == recorded.body


def test_every_recorded_job_is_asked_again() -> None:
    assert len(RECORDED) == 9
    assert {event["#type"] for event in recorded_events()} == {"kv"}
    assert to_epoch_ms(from_epoch_ms(recorded_events()[0]["@timestamp"])) == 1_585_139_002_001
