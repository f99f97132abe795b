"""Each member of a query job's request: honoured by value, or refused with its name."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.sandbox.settings import Right, SandboxSettings, TokenRole, recorded_pace
from orchestrator.sandbox.storage.events import frame_of

NOW_MS = 1_773_108_000_000
DAY_MS = 86_400_000
HOUR_MS = 3_600_000


async def refusal(client: Any, **members: Any) -> str:
    body = {"queryString": "*", **members}
    answer = await client.call("POST", "/api/v1/repositories/falcon/queryjobs", json=body)

    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
    text: str = answer.text
    return text


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"isLive": "true"}, "isLive must be true or false"),
        ({"useIngestTime": 1}, "useIngestTime must be true or false"),
        ({"noResultUntilDone": "no"}, "noResultUntilDone must be true or false"),
        ({"timeZoneOffsetMinutes": "60"}, "timeZoneOffsetMinutes must be a whole number"),
        ({"timeZoneOffsetMinutes": True}, "timeZoneOffsetMinutes must be a whole number"),
        ({"timeZone": 5}, "timeZone must be a string"),
        ({"languageVersion": {"name": "legacy"}}, "languageVersion must be a string"),
        ({"arguments": ["a"]}, "arguments must be an object of names and strings"),
        ({"arguments": {"a": 5}}, "arguments must be an object of names and strings"),
        ({"extraLogFields": {"a": 5}}, "extraLogFields must be an object of names and strings"),
        ({"autobucketCount": -1}, "autobucketCount must be a count"),
        ({"around": "x"}, "around must be an object"),
        ({"around": {"timestamp": 1}}, "around needs eventId"),
        ({"around": {"eventId": "x"}}, "around needs timestamp"),
        (
            {"around": {"eventId": "x", "timestamp": 1, "numberOfEventsAfter": -1}},
            "around.numberOfEventsAfter must be a count",
        ),
        (
            {"doneCriteria": {"fractionOfDataScanned": 0}},
            "doneCriteria.fractionOfDataScanned must be a number above 0 and up to 1",
        ),
        (
            {"doneCriteria": {"minimumResultRows": "5"}},
            "doneCriteria.minimumResultRows must be a count",
        ),
        ({"nextRunInterval": {"start": 5}}, "nextRunInterval needs end"),
        ({"timeZoneOffsetMinutes": 10**12}, "is not a time zone"),
        ({"start": 10**30, "end": 10**31}, "year 10000"),
        ({"start": "9" * 5_000}, "is not a relative time"),
        ({"isLive": True, "start": "1700000000000"}, "a live query takes relative times"),
        ({"isLive": True, "end": "1h"}, "a live query ends now"),
        ({"dashboardFilter": "count() | a=1"}, "filter"),
    ],
)
async def test_member_of_a_wrong_type_or_value_is_refused_by_name(
    client: Any, members: dict[str, Any], named: str
) -> None:
    assert named in await refusal(client, **members)


@pytest.mark.parametrize(
    "members",
    [
        {"isLive": None, "start": None, "around": None},
        {"isInteractive": True, "isAlertQuery": True, "languageVersion": "legacy"},
        {"doneCriteria": {"minimumMatchedEvents": 1, "minimumResultRows": 1}},
        {"doneCriteria": {"fractionOfDataScanned": 1}},
        {"doneCriteria": {"fractionOfDataScanned": 0.5}, "isLive": True},
        {"nextRunInterval": {"start": 1, "end": 2}, "extraLogFields": {"a": "b"}},
        {"end": "", "start": "1h"},
        {"someMember": {"of": "a newer server"}},
    ],
)
async def test_members_that_change_nothing_are_let_through(
    client: Any, members: dict[str, Any]
) -> None:
    await client.ingest({"a": "1"})

    assert (await client.search("count()", **members))["events"] == [{"_count": "1"}]


@pytest.mark.parametrize("text", ['"a=\\ud800"', '"\\udfff"'])
async def test_half_a_surrogate_pair_is_refused(client: Any, text: str) -> None:
    answer = await client.call(
        "POST",
        "/api/v1/repositories/falcon/queryjobs",
        content=b'{"queryString": %s}' % text.encode(),
    )

    assert (answer.status_code, "malformed" in answer.text) == (400, True)


async def test_whole_surrogate_pair_is_a_character(client: Any) -> None:
    await client.ingest({"a": "\U0001f600"})
    answer = await client.call(
        "POST",
        "/api/v1/repositories/falcon/queryjobs",
        content=b'{"queryString": "a=\\"\\ud83d\\ude00\\""}',
    )

    found = await client.poll(answer.json()["id"])

    assert [row["a"] for row in found["events"]] == ["\U0001f600"]


async def test_dashboard_filter_stands_in_front_of_the_query(client: Any) -> None:
    await client.ingest({"a": "1", "b": "1"}, {"a": "1", "b": "2"}, {"a": "2", "b": "1"})
    await client.graphql(
        """mutation { createView(name: "ones",
             connections: [{repositoryName: "falcon", filter: "a=1"}]) { name } }"""
    )

    plain = await client.search("count()", dashboardFilter="b=1 or b=3")
    job = await client.start("count()", repository="ones", dashboardFilter="b=1 or b=3")
    viewed = await client.poll(job, repository="ones")

    assert plain["events"] == [{"_count": "2"}]
    assert viewed["events"] == [{"_count": "1"}]


@pytest.mark.parametrize(
    ("members", "start_of_day"),
    [
        ({}, 0),
        ({"timeZone": "Europe/Copenhagen"}, -1),
        ({"timeZoneOffsetMinutes": 120}, -2),
        ({"timeZone": "-03:00", "timeZoneOffsetMinutes": 120}, 3),
    ],
)
async def test_time_zone_says_where_the_days_of_buckets_begin(
    client: Any, members: dict[str, Any], start_of_day: int
) -> None:
    await client.ingest({"a": "1", "ms": -20 * HOUR_MS})
    midnight = NOW_MS - 2 * HOUR_MS
    day = midnight - DAY_MS

    found = await client.search("bucket(span=1d)", start="2d", **members)

    assert found["events"] == [{"_bucket": str(day + start_of_day * HOUR_MS), "_count": "1"}]


async def test_zone_of_the_call_wins_over_the_request(client: Any) -> None:
    await client.ingest({"a": "1", "ms": -20 * HOUR_MS})

    found = await client.search('bucket(span=1d, timezone="+01:00")', start="2d", timeZone="Z")

    assert found["events"][0]["_bucket"] == str(NOW_MS - 27 * HOUR_MS)


@pytest.mark.parametrize(("count", "span"), [(5, "6 hours"), (24, "1 hour"), (1000, "2 minutes")])
async def test_wanted_number_of_buckets_chooses_the_span(
    client: Any, count: int, span: str
) -> None:
    found = await client.search("timeChart()", autobucketCount=count)
    named = await client.search("timeChart(span=3h)", autobucketCount=count)

    assert found["metaData"]["extraData"]["bucket_span_humanized"] == span
    assert len(found["events"]) <= count + 1
    assert named["metaData"]["extraData"]["bucket_span_humanized"] == "3 hours"


async def test_interval_in_the_query_overrides_the_request_s(client: Any) -> None:
    await client.ingest({"a": "1", "ms": -3 * DAY_MS}, {"a": "2"})
    await client.graphql(
        """mutation { createView(name: "view",
             connections: [{repositoryName: "falcon", filter: "a=*"}]) { name } }"""
    )
    query = "setTimeInterval(start=7d, end=1d) | groupBy(a)"

    found = await client.search(query, start="1h", timeZone="Europe/Copenhagen")
    viewed = await client.poll(await client.start(query, repository="view"), repository="view")

    assert found["events"] == viewed["events"] == [{"a": "1", "_count": "1"}]
    assert found["metaData"]["queryStart"] == NOW_MS - 7 * DAY_MS
    assert found["metaData"]["queryEnd"] == NOW_MS - DAY_MS
    assert found["metaData"]["extraData"]["timeSettingsOverwrittenFromQuery"] == {
        "start": "7d",
        "end": "1d",
        "timezoneName": "Europe/Copenhagen",
    }


async def test_time_zone_in_the_query_overrides_the_request_s(client: Any) -> None:
    await client.ingest({"a": "1", "ms": -20 * HOUR_MS})

    found = await client.search(
        'setTimeInterval(start=2d, timezone="+03:00") | bucket(span=1d)', timeZone="+01:00"
    )

    assert [row["_bucket"] for row in found["events"]] == [str(NOW_MS - 29 * HOUR_MS)]
    overwritten = found["metaData"]["extraData"]["timeSettingsOverwrittenFromQuery"]
    assert overwritten == {"start": "2d", "end": "now", "timezoneName": "+03:00"}


async def test_field_stats_count_what_the_rows_hold(client: Any) -> None:
    await client.ingest({"a": "x"}, {"a": "x"}, {"a": "y", "b": "1"})

    found = await client.search("select([a, b])", computeFieldStats=True)
    plain = await client.search("select([a, b])")

    assert found["fieldStats"] == [
        {
            "fieldName": "a",
            "numOfOccurrences": 3,
            "numOfDistinctValues": 2,
            "topValues": {"x": 2, "y": 1},
        },
        {
            "fieldName": "b",
            "numOfOccurrences": 1,
            "numOfDistinctValues": 1,
            "topValues": {"1": 1},
        },
    ]
    assert "fieldStats" not in plain


async def test_field_stats_keep_the_ten_most_frequent_values(client: Any) -> None:
    await client.ingest(*({"n": str(n)} for n in range(30)))

    [stat] = (await client.search("select(n)", computeFieldStats=True))["fieldStats"]

    assert (stat["numOfDistinctValues"], len(stat["topValues"])) == (30, 10)


async def test_answer_names_the_lookup_files_that_were_read(client: Any) -> None:
    for name in ("hosts.csv", "other.csv"):
        await client.call(
            "POST", "/api/v1/repositories/falcon/files", files={"file": (name, b"a,b\n1,2\n")}
        )

    found = await client.search('x="other.csv" or y=* | match("hosts.csv", field=a)')

    assert [(file["name"], file["tableType"]) for file in found["filesUsed"]] == [
        ("hosts.csv", "File")
    ]
    assert found["filesUsed"][0]["modifiedTimestamp"] == NOW_MS
    assert len(found["filesUsed"][0]["contentHash"]) == 64


async def test_fraction_that_is_enough_is_the_newest_and_leaves_work_undone(client: Any) -> None:
    await client.ingest(*({"n": str(n), "ms": -n * 1000} for n in range(1, 10)))

    found = await client.search("*", doneCriteria={"fractionOfDataScanned": 0.3})
    whole = await client.search("*")

    assert [row["n"] for row in found["events"]] == ["1", "2", "3"]
    assert (found["done"], found["metaData"]["processedEvents"]) == (True, 3)
    assert (found["metaData"]["workDone"], found["metaData"]["totalWork"]) == (1, 2)
    assert whole["metaData"]["workDone"] == 2


async def test_around_an_event_that_does_not_match_looks_at_its_time(client: Any) -> None:
    await client.ingest(*({"n": str(n), "ms": -n * 1000} for n in range(1, 11)))

    found = await client.search(
        "n!=5",
        around={
            "eventId": "of-another-query",
            "timestamp": NOW_MS - 5000,
            "numberOfEventsBefore": 2,
            "numberOfEventsAfter": 1,
        },
    )

    assert [row["n"] for row in found["events"]] == ["4", "6", "7"]


async def test_unknown_parameter_is_refused_as_recorded(client: Any) -> None:
    text = await refusal(client, queryString="timechart(func=nowork)")

    assert text == "parameter func is not supported in function timeChart\n```\n\n```"


async def test_running_time_chart_knows_its_buckets_as_recorded(open_client: Any) -> None:
    async with open_client(first_poll_done=False) as client:
        found = await client.poll(await client.start("timechart()"))

    assert (found["done"], found["events"]) == (False, [])
    assert found["metaData"]["extraData"] == {
        "timechart": "true",
        "ui:suggested-widget": "time-chart",
        "bucket_first_bucket": str(NOW_MS - DAY_MS),
        # The end is exclusive, and here it is where the next bucket would begin.
        "bucket_last_bucket": str(NOW_MS - 900_000),
        "bucket_span_millis": "900000",
        "bucket_span_humanized": "15 minutes",
    }


async def test_buckets_of_a_chart_by_series_are_those_of_its_window(client: Any) -> None:
    await client.ingest({"a": "1", "ms": -5 * HOUR_MS}, {"a": "1"})

    chart = await client.search("timeChart(a, span=1h)", start="6h")
    counted = await client.search("timeChart(span=1h) | count()")

    assert chart["metaData"]["extraData"]["bucket_span_humanized"] == "1 hour"
    assert counted["metaData"]["extraData"] == {}


async def test_window_on_whole_buckets_has_these_buckets_and_no_other(client: Any) -> None:
    found = await client.search("timeChart(span=15m)", start="1h")

    starts = [int(row["_bucket"]) for row in found["events"]]
    assert starts == [NOW_MS - quarters * 900_000 for quarters in (4, 3, 2, 1)]


async def test_recorded_pace_is_that_of_the_recordings(open_client: Any) -> None:
    paced = recorded_pace(SandboxSettings())
    names = ("poll_after_running_ms", "poll_after_done_ms", "poll_after_live_ms")
    settings = {name: getattr(paced, name) for name in (*names, "first_poll_done")}
    async with open_client(**settings) as client:
        static, live = await client.start("count()"), await client.start("count()", isLive=True)
        polls = [await client.poll(job) for job in (static, static, live, live)]

    assert [(poll["done"], poll["metaData"]["pollAfter"]) for poll in polls] == [
        (False, 2_800),
        (True, 19_700),
        (False, 2_800),
        (True, 2_550),
    ]


@pytest.mark.parametrize("path", ["/api/v1/status", "/api/v1/nowhere"])
async def test_every_answer_is_compressed_as_recorded(client: Any, path: str) -> None:
    answer = await client.call("GET", path)

    assert answer.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({}, 200),
        ({"mimeType": "application/json"}, 200),
        ({"mimeType": "application/x-ndjson"}, 200),
        ({"mimeType": "text/plain"}, 200),
        ({"mimeType": "text/csv", "fieldsToExport": "a"}, 200),
        ({"onlyHeartbeat": "TRUE"}, 200),
        ({"mimeType": "text/html"}, 400),
        ({"paginationLimit": "9" * 5_000}, 400),
        ({"paginationOffset": str(2**31)}, 400),
        ({"sortBy": "a", "sortOrder": "up"}, 400),
        ({"onlyHeartbeat": "please"}, 400),
    ],
)
async def test_only_a_success_carries_the_security_headers(
    client: Any, parameters: dict[str, str], status: int
) -> None:
    job = await client.start("*")

    answer = await client.call("GET", f"/api/v1/queryjobs/{job}", params=parameters)

    assert answer.status_code == status
    assert ("strict-transport-security" in answer.headers) is (status == 200)
    assert ("x-xss-protection" in answer.headers) is (status == 200)


async def test_heartbeat_wins_over_an_export(client: Any) -> None:
    await client.ingest({"a": "1"})
    job = await client.start("*")

    beat = await client.poll(job, onlyHeartbeat="true", mimeType="text/csv", paginationLimit=5)

    assert (beat["done"], beat["events"], beat["metaData"]["eventCount"]) == (True, [], 1)


async def test_token_of_one_repository_reaches_its_own_jobs_by_the_short_path(
    open_client: Any,
) -> None:
    reads = frozenset({Right.READ})
    tokens = {
        "admin": TokenRole(name="admin"),
        "bound": TokenRole(name="bound", rights=reads, repository="falcon"),
    }
    async with open_client(tokens=tokens, repositories=("falcon", "other")) as client:
        own, foreign = await client.start("*"), await client.start("*", repository="other")
        answers = [
            await client.call(method, f"/api/v1/queryjobs/{job}", token="bound")
            for method, job in (("GET", own), ("GET", foreign), ("DELETE", foreign))
        ]

    assert [answer.status_code for answer in answers] == [200, 403, 403]
    assert answers[1].text == (
        "The supplied authentication is not authorized to access this resource"
    )


async def test_personal_repository_is_reached_by_its_alias_as_recorded(client: Any) -> None:
    body = [{"messages": ["a line of text"]}]
    sent = await client.call("POST", "/api/v1/dataspaces/sandbox/ingest-messages", json=body)
    client.clock.advance(timedelta(seconds=1))
    job = await client.start("", repository="sandbox")
    found = await client.poll(job, repository="sandbox")
    path = f"/api/v1/dataspaces/sandbox/queryjobs/{job}"
    gone = await client.call("DELETE", path)

    [event] = found["events"]
    assert (sent.status_code, gone.status_code) == (200, 204)
    assert (event["#type"], event["@rawstring"]) == ("kv", "a line of text")
    assert re.fullmatch(r"sandbox_[0-9a-zA-Z]{24}", event["#repo"])


async def test_repository_that_is_called_sandbox_is_meant_first(open_client: Any) -> None:
    async with open_client(repositories=("sandbox",)) as client:
        await client.ingest({"a": "1"}, repository="sandbox")
        found = await client.poll(
            await client.start("*", repository="sandbox"), repository="sandbox"
        )

    assert found["events"][0]["#repo"] == "sandbox"


async def test_personal_repository_is_there_again_after_a_restart(
    open_client: Any, tmp_path: Path
) -> None:
    async with open_client(data_dir=tmp_path) as client:
        await client.ingest({"a": "1"}, repository="sandbox")
    async with open_client(data_dir=tmp_path) as client:
        found = await client.poll(
            await client.start("count()", repository="sandbox"), repository="sandbox"
        )

    assert found["events"] == [{"_count": "1"}]


async def test_filter_query_and_distribution_take_filter_functions_in(client: Any) -> None:
    await client.ingest({"a": "1"}, {"a": "2"}, {"a": "3"})

    found = await client.search(
        "a=* | in(a, values=[1, 2]) | b := a | b=1", showQueryEventDistribution=True
    )

    counts = found["queryEventDistribution"]["events"]
    assert found["metaData"]["filterQuery"]["queryString"] == "a=* | in(a, values=[1, 2])"
    assert sum(int(row["_count"]) for row in counts) == 2


async def test_result_becomes_a_lookup_file_that_queries_read(client: Any) -> None:
    await client.ingest({"host": "a"}, {"host": "a"}, {"host": 'b,"c"'})
    job = await client.start("groupBy(host)")

    answer = await client.call(
        "POST",
        "/api/v1/repositories/falcon/filefromquery",
        params={"queryId": job, "filename": "hosts.csv"},
    )
    file = await client.call("GET", "/api/v1/repositories/falcon/files/hosts.csv")
    found = await client.search('match("hosts.csv", field=host) | select([host, _count])')

    assert (answer.status_code, set(answer.json())) == (200, {"id"})
    assert file.text == 'host,_count\na,2\n"b,""c""",1\n'
    assert [row["_count"] for row in found["events"]] == ["1", "2", "2"]


@pytest.mark.parametrize(
    ("parameters", "token", "status"),
    [
        ({"filename": "x.csv"}, "admin", 404),
        ({"filename": "x.csv", "queryId": "24-none"}, "admin", 404),
        ({"filename": "x.json", "queryId": "24-none"}, "admin", 400),
        ({"queryId": "24-none"}, "admin", 400),
        ({"filename": "x.csv", "queryId": "24-none"}, "reader", 403),
    ],
)
async def test_file_from_nothing_is_refused(
    client: Any, parameters: dict[str, str], token: str, status: int
) -> None:
    path = "/api/v1/dataspaces/falcon/filefromquery"

    assert (await client.call("POST", path, token=token, params=parameters)).status_code == status


@pytest.mark.parametrize(
    ("accept", "content_type", "body"),
    [
        ("*/*", "text/plain; charset=UTF-8", "a raw line\n@rawstring->, a->1, b->2\n"),
        ("text/plain", "text/plain; charset=UTF-8", "a raw line\n@rawstring->, a->1, b->2\n"),
        ("application/json", "application/json", None),
        ("application/x-ndjson", "application/x-ndjson", None),
    ],
)
async def test_stream_takes_the_form_that_is_asked_for(
    client: Any, accept: str, content_type: str, body: str | None
) -> None:
    rows = [
        {"@timestamp": str(NOW_MS - 1000), "a": "0", "@rawstring": "a raw line"},
        {"@timestamp": str(NOW_MS - 2000), "a": "1", "b": "2", "@rawstring": ""},
    ]
    await client.sandbox.ingest("falcon", frame_of(rows))
    answer = await client.call(
        "POST",
        "/api/v1/repositories/falcon/query",
        json={"queryString": "select([@rawstring, a, b])"},
        headers={"Accept": accept, "X-Desired-Filename": 'my "rows"\u00e9;.txt'.encode("latin-1")},
    )

    assert answer.headers["content-type"] == content_type
    assert answer.headers["content-disposition"].startswith('attachment; filename="my rows')
    assert answer.headers["x-content-type-options"] == "nosniff"
    if body is None:
        lines = answer.json() if "x-" not in accept else map(json.loads, answer.text.splitlines())
        assert [row["a"] for row in lines] == ["0", "1"]
    else:
        assert answer.text == body
