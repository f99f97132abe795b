"""Every recorded exchange of a real server, sent by the client and decoded."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.client import (
    LogScale,
    Origin,
    ReplayTransport,
    ServerStatus,
    load_cassette,
)
from orchestrator.client.http.auth import StaticToken
from orchestrator.client.http.retry import NO_RETRIES
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.wire import WireMessages, WireQueryJobInput, WireStructuredBatch
from orchestrator.clock import FrozenClock
from orchestrator.errors import Forbidden, QueryRejected
from orchestrator.secret import SecretText
from orchestrator.units import from_epoch_ms

CASSETTES = Path(__file__).parents[3] / "cassettes"
RECORDED_AT = datetime.fromisoformat("2020-03-25T14:24:18Z")
# path, live, polls, is aggregate, rows of the last poll, whether it was deleted
JOBS = [
    ("query_jobs/poll/live.yaml", True, 1, True, 97, True),
    ("query_jobs/poll/live_after_fully_polled_fail.yaml", True, 2, True, 97, False),
    ("query_jobs/poll/live_aggregate_query.yaml", True, 1, True, 97, True),
    ("query_jobs/poll/live_non_aggregate_query.yaml", True, 1, False, 64, True),
    ("query_jobs/poll/live_poll_after_done_success.yaml", True, 3, True, 97, True),
    ("query_jobs/poll/static.yaml", False, 2, True, 97, False),
    ("query_jobs/poll/static_after_fully_polled_fail.yaml", False, 1, True, 97, False),
    ("query_jobs/poll/static_aggregate_query.yaml", False, 1, True, 97, False),
    ("query_jobs/poll/static_non_aggregate_query.yaml", False, 1, False, 64, False),
]
INGEST = [
    ("ingest/structured/ingest_token.yaml", None),
    ("ingest/structured/user_token.yaml", "sandbox"),
]
MESSAGES = [
    ("ingest/unstructured/ingest_token.yaml", None),
    ("ingest/unstructured/user_token.yaml", "sandbox"),
]


def replay(*names: str) -> ReplayTransport:
    return ReplayTransport(*(load_cassette(CASSETTES / name) for name in names))


def make_client(transport: ReplayTransport) -> LogScale:
    return LogScale(
        "https://logscale.example",
        token=SecretText("placeholder"),
        clock=FrozenClock(RECORDED_AT),
        transport=transport,
        retry=NO_RETRIES,
    )


@pytest.mark.parametrize(("name", "live", "polls", "is_aggregate", "rows", "deleted"), JOBS)
async def test_job_decodes(
    name: str, *, live: bool, polls: int, is_aggregate: bool, rows: int, deleted: bool
) -> None:
    transport = replay(name)
    jobs = make_client(transport).jobs()
    query = "timechart()" if is_aggregate else ""

    job = await jobs.submit("sandbox", WireQueryJobInput(queryString=query, isLive=live))
    answers = [await jobs.poll("sandbox", job) for _ in range(polls)]
    if deleted:
        await jobs.delete("sandbox", job)

    last = answers[-1]
    assert transport.left == ()
    assert (last.is_done, last.is_cancelled, last.is_aggregate) == (True, False, is_aggregate)
    assert (len(last.rows), last.row_count, last.has_more_events) == (rows, rows, False)
    assert last.warnings == ()
    assert last.facts.bucket_span == (timedelta(minutes=15) if is_aggregate else None)
    assert last.facts.buffer_rows == rows
    assert (last.end_ms - last.start_ms) == 86_400_000


async def test_first_poll_of_a_running_job_has_no_rows_and_a_pace() -> None:
    jobs = make_client(replay("query_jobs/poll/static.yaml")).jobs()
    job = await jobs.submit("sandbox", WireQueryJobInput(queryString="timechart()", isLive=False))

    first = await jobs.poll("sandbox", job)

    assert (first.is_done, first.rows, first.work_done, first.total_work) == (False, (), 0, 2)
    assert first.poll_after == timedelta(milliseconds=2802)


async def test_values_are_text_timestamps_too() -> None:
    jobs = make_client(replay("query_jobs/poll/static_non_aggregate_query.yaml")).jobs()
    job = await jobs.submit("sandbox", WireQueryJobInput(queryString="", isLive=False))

    newest = (await jobs.poll("sandbox", job)).rows[0]

    assert newest["@timestamp"] == "1585145569394"
    assert newest["#type"] == "kv"


async def test_whole_search_over_a_recording_is_complete() -> None:
    transport = replay("query_jobs/poll/static.yaml", "query_jobs/delete/gone.yaml")

    result = await make_client(transport).search(
        "sandbox",
        "timechart()",
        start=from_epoch_ms(1585059857845),
        end=from_epoch_ms(1585146257845),
        deadline=timedelta(minutes=1),
    )

    assert transport.left == ()
    assert result.completeness.is_complete
    assert result.fields == ("_count", "_bucket")
    assert (len(result.rows), result.stats.polls, result.stats.processed_events) == (97, 2, 64)
    assert sum(int(row["_count"]) for row in result.rows) == 64


async def test_accepted_query_has_an_opaque_id() -> None:
    jobs = make_client(replay("query_jobs/submit/accepted.yaml")).jobs()

    job = await jobs.submit("sandbox", WireQueryJobInput(queryString="timechart()"))

    assert job == "24-JJJJJJJJJJJJJJJJJJJJ0001"


async def test_refused_query_says_why() -> None:
    jobs = make_client(replay("query_jobs/submit/refused.yaml")).jobs()

    with pytest.raises(QueryRejected) as caught:
        await jobs.submit("sandbox", WireQueryJobInput(queryString="timechart(func=nowork)"))

    assert caught.value.problem == "parameter func is not supported in function timeChart"


async def test_status() -> None:
    client = make_client(replay("status/read/ok.yaml"))

    assert await client.status() == ServerStatus(
        status="OK", version="1.9.2--build-12365--sha-bf4188482a"
    )


async def test_version_is_the_part_before_the_build() -> None:
    assert await make_client(replay("status/read/ok.yaml")).version() == (1, 9, 2)


async def test_forbidden_quotes_the_servers_text() -> None:
    session = Session(
        replay("errors/status_403/text.yaml"),
        auth=StaticToken(SecretText("placeholder")),
        clock=FrozenClock(RECORDED_AT),
        policy=NO_RETRIES,
    )

    with pytest.raises(Forbidden, match="is not authorized to access this resource"):
        await session.call(json_request("GET", "api/v1/users"))


@pytest.mark.parametrize(("name", "repository"), INGEST)
async def test_structured_ingest(name: str, repository: str | None) -> None:
    transport = replay(name)
    batch = WireStructuredBatch(
        tags={"host": "server1", "source": "application.log"},
        events=[
            {
                "timestamp": "2020-03-23T00:00:00+00:00",
                "attributes": {"key1": "value1", "key2": "value2"},
            }
        ],
    )

    await make_client(transport).ingest().structured([batch], repository=repository)

    assert transport.left == ()


@pytest.mark.parametrize(("name", "repository"), MESSAGES)
async def test_unstructured_ingest(name: str, repository: str | None) -> None:
    transport = replay(name)
    request = "POST /humio/api/v1/ingest/elastic-bulk HTTP/1.1"
    tail = ('200 0 "-" "useragent" 0.014 657 0.014', '200 0 "-" "useragent" 0.013 565 0.013')
    lines = [
        f'192.168.1.49 - user1 [02/Nov/2017:13:48:33 +0000] "{request}" {tail[0]}',
        f'192.168.1..21 - user2 [02/Nov/2017:13:49:09 +0000] "{request}" {tail[1]}',
    ]

    await (
        make_client(transport)
        .ingest()
        .unstructured([WireMessages(messages=lines)], repository=repository)
    )

    assert transport.left == ()


async def test_stream() -> None:
    client = make_client(replay("stream/rows/timechart.yaml"))

    stream = client.stream("sandbox", "timechart()", start=RECORDED_AT, end=RECORDED_AT)
    rows = tuple([row async for row in stream])

    assert len(rows) == 97
    assert rows[-1] == {"_count": "4", "_bucket": "1585144800000"}


def test_recordings_say_that_they_are() -> None:
    names = [row[0] for row in JOBS] + [row[0] for row in (*INGEST, *MESSAGES)]

    assert {load_cassette(CASSETTES / name).origin for name in names} == {Origin.RECORDED}
