"""Query jobs: the shapes of recorded answers, paging, life, refusals."""

from __future__ import annotations

import gc
import json
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.sandbox.search.run import Answer

NOW_MS = 1_773_108_000_000
DAY_MS = 86_400_000


def shape_of(value: Any) -> Any:
    match value:
        case bool():
            return "bool"
        case int():
            return "int"
        case str():
            return "string"
        case list():
            return [shape_of(value[0])] if value else []
        case dict():
            return {name: shape_of(member) for name, member in sorted(value.items())}
    return None


async def test_start_in_2020_mode_answers_as_recorded(
    open_client: Any, recorded_shapes: Any
) -> None:
    async with open_client(recorded_metadata_only=True) as client:
        answer = await client.call(
            "POST", "/api/v1/dataspaces/falcon/queryjobs", json={"queryString": "timechart()"}
        )

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert shape_of(answer.json()) == recorded_shapes["start"]
    assert answer.json()["queryOnView"] == "timechart()"
    number, _, rest = answer.json()["id"].partition("-")
    assert number.isdecimal()
    assert len(rest) == 24


async def test_done_aggregate_in_2020_mode_answers_as_recorded(
    open_client: Any, recorded_shapes: Any
) -> None:
    async with open_client(recorded_metadata_only=True) as client:
        await client.ingest({"a": "1"})
        found = await client.search("timechart()", isLive=False)

    assert shape_of(found) == recorded_shapes["static_aggregate"]
    assert found["metaData"]["extraData"]["bucket_span_humanized"] == "15 minutes"
    assert found["metaData"]["eventCount"] == len(found["events"])
    assert sum(int(row["_count"]) for row in found["events"]) == 1


async def test_done_filter_in_2020_mode_answers_as_recorded(
    open_client: Any, recorded_shapes: Any
) -> None:
    async with open_client(recorded_metadata_only=True) as client:
        body = [{"messages": ["a line of text"]}]
        await client.call("POST", "/api/v1/dataspaces/falcon/ingest-messages", json=body)
        client.clock.advance(timedelta(seconds=1))
        found = await client.search("", isLive=False)

    assert shape_of(found) == recorded_shapes["static_filter"]
    assert found["metaData"]["filterQuery"]["queryString"] == "*"


async def test_done_live_aggregate_in_2020_mode_answers_as_recorded(
    open_client: Any, recorded_shapes: Any
) -> None:
    async with open_client(recorded_metadata_only=True) as client:
        found = await client.search("timechart()", isLive=True)

    assert shape_of(found) == recorded_shapes["live_aggregate"]
    assert found["metaData"]["filterQuery"]["isLive"] is False


async def test_newer_answers_add_what_the_openapi_text_requires(client: Any) -> None:
    found = await client.search("count()")

    assert found["warnings"] == []
    assert found["metaData"]["fieldOrder"] == ["_count"]
    assert found["metaData"]["costs"]["staticCost"] == 0
    assert found["metaData"]["querySpent"]["hour"]["queryCount"] == 0


async def test_values_are_strings_and_the_timestamp_is_a_number(client: Any) -> None:
    await client.ingest({"n": 5, "flag": True, "deep": {"list": [1, None, "x"]}, "none": None})

    [event] = (await client.search("*"))["events"]

    assert event["@timestamp"] == NOW_MS - 1000
    assert event["@ingesttimestamp"] == str(NOW_MS)
    assert (event["n"], event["flag"], event["deep.list[0]"]) == ("5", "true", "1")
    assert event["deep.list[2]"] == "x"
    assert "none" not in event
    assert event["@id"].endswith(f"_{(NOW_MS - 1000) // 1000}")
    assert event["#repo"] == "falcon"


async def test_filter_keeps_the_newest_200_and_says_there_are_more(client: Any) -> None:
    await client.ingest(*({"n": str(n), "ms": -n} for n in range(1, 251)))

    found = await client.search("")

    assert [row["n"] for row in found["events"]] == [str(n) for n in range(1, 201)]
    assert found["metaData"]["extraData"] == {"hasMoreEvents": "true"}
    assert found["metaData"]["eventCount"] == 200
    assert found["metaData"]["processedEvents"] == 250


async def test_paging_cuts_the_buffer_and_never_reaches_beyond_it(client: Any) -> None:
    await client.ingest(*({"n": str(n), "ms": -n} for n in range(1, 11)))
    job = await client.start("*")

    page = await client.poll(job, paginationLimit=3, paginationOffset=8)
    sorted_page = await client.poll(job, paginationLimit=2, sortBy="n", sortOrder="desc")

    assert [row["n"] for row in page["events"]] == ["9", "10"]
    assert page["metaData"]["resultBufferSize"] == 10
    assert [row["n"] for row in sorted_page["events"]] == ["10", "9"]


async def test_page_that_is_no_count_is_refused(client: Any) -> None:
    job = await client.start("*")

    answer = await client.call(
        "GET", f"/api/v1/queryjobs/{job}", params={"paginationLimit": "many"}
    )

    assert answer.status_code == 400


async def test_heartbeat_returns_no_rows_and_keeps_the_job_alive(client: Any) -> None:
    await client.ingest({"a": "1"})
    job = await client.start("*")

    for _ in range(3):
        client.clock.advance(timedelta(seconds=80))
        beat = await client.poll(job, onlyHeartbeat="true")

    assert beat["events"] == []
    assert len((await client.poll(job))["events"]) == 1


@pytest.mark.parametrize(
    ("is_live", "life"), [(False, timedelta(seconds=90)), (True, timedelta(hours=1))]
)
async def test_unpolled_job_is_gone_after_its_life(
    client: Any, *, is_live: bool, life: timedelta
) -> None:
    job = await client.start("*", isLive=is_live)
    client.clock.advance(life)
    await client.poll(job)
    client.clock.advance(life + timedelta(seconds=1))

    answer = await client.call("GET", f"/api/v1/queryjobs/{job}")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"


async def test_deleted_job_is_gone(client: Any) -> None:
    job = await client.start("*")

    first = await client.call("DELETE", f"/api/v1/repositories/falcon/queryjobs/{job}")
    again = await client.call("DELETE", f"/api/v1/repositories/falcon/queryjobs/{job}")

    assert (first.status_code, first.content) == (204, b"")
    assert again.status_code == 404


async def test_job_of_another_repository_is_not_found(open_client: Any) -> None:
    async with open_client(repositories=("falcon", "other")) as client:
        job = await client.start("*", repository="falcon")

        answer = await client.call("GET", f"/api/v1/repositories/other/queryjobs/{job}")

    assert answer.status_code == 404


async def test_first_poll_can_be_unfinished(open_client: Any, recorded_shapes: Any) -> None:
    async with open_client(first_poll_done=False) as client:
        await client.ingest({"a": "1"})
        job = await client.start("count()")

        first, second = await client.poll(job), await client.poll(job)

    assert (first["done"], first["events"], first["metaData"]["workDone"]) == (False, [], 0)
    assert first["metaData"]["pollAfter"] == 50
    assert (second["done"], second["events"]) == (True, [{"_count": "1"}])
    assert second["metaData"]["workDone"] == second["metaData"]["totalWork"] == 2
    assert set(recorded_shapes["running_aggregate"]) < set(first)


async def test_live_job_slides_with_the_clock_and_answers_whole_snapshots(client: Any) -> None:
    await client.ingest({"a": "1", "ms": -1000})
    job = await client.start("count()", isLive=True, start="1m")
    before = await client.poll(job)
    client.clock.advance(timedelta(minutes=5))
    await client.ingest({"a": "2", "ms": 299_000}, {"a": "3", "ms": 298_000})

    after = await client.poll(job)

    assert before["events"] == [{"_count": "1"}]
    assert after["events"] == [{"_count": "2"}]
    assert after["done"] is True
    assert after["metaData"]["queryEnd"] - before["metaData"]["queryEnd"] == 300_000


async def test_window_is_half_open_on_event_time(client: Any) -> None:
    await client.ingest(
        {"n": "before", "ms": -3000}, {"n": "in", "ms": -2000}, {"n": "end", "ms": -1000}
    )

    found = await client.search("*", start=NOW_MS - 2000, end=NOW_MS - 1000)

    assert [row["n"] for row in found["events"]] == ["in"]
    assert found["metaData"]["queryStart"] == NOW_MS - 2000


async def test_ingest_time_windows_and_bounds_look_at_ingest_time(open_client: Any) -> None:
    async with open_client(trust_ingest_timestamp=True) as client:
        for minutes_late in (0, 10, 20):
            await client.ingest(
                {"late": str(minutes_late), "@ingesttimestamp": NOW_MS + minutes_late * 60_000}
            )
        client.clock.advance(timedelta(hours=1))
        window = {"start": NOW_MS + 300_000, "end": NOW_MS + 900_000}

        by_ingest = await client.search("*", useIngestTime=True, **window)
        by_event = await client.search("*", **window)
        bounded = await client.search("*", ingestStart=NOW_MS + 600_000, ingestEnd="now")

    assert [row["late"] for row in by_ingest["events"]] == ["10"]
    assert by_event["events"] == []
    assert sorted(row["late"] for row in bounded["events"]) == ["10", "20"]


async def test_sent_ingest_time_is_not_trusted_by_default(client: Any) -> None:
    await client.ingest({"@ingesttimestamp": 5, "@id": "mine"})

    [event] = (await client.search("*"))["events"]

    assert event["@ingesttimestamp"] == str(NOW_MS)
    assert event["@id"] != "mine"


async def test_default_window_is_the_last_24_hours(client: Any) -> None:
    metadata = (await client.search("*"))["metaData"]

    assert metadata["queryEnd"] == NOW_MS
    assert metadata["queryStart"] == NOW_MS - DAY_MS


async def test_around_returns_the_neighbours_of_an_event(client: Any) -> None:
    await client.ingest(*({"n": str(n), "ms": -n} for n in range(1, 11)))
    events = (await client.search("*"))["events"]
    middle = next(row for row in events if row["n"] == "5")

    found = await client.search(
        "*",
        around={
            "eventId": middle["@id"],
            "timestamp": middle["@timestamp"],
            "numberOfEventsBefore": 2,
            "numberOfEventsAfter": 1,
        },
    )

    assert [row["n"] for row in found["events"]] == ["4", "5", "6", "7"]


async def test_invalid_query_is_refused_in_the_recorded_shape(client: Any) -> None:
    answer = await client.call(
        "POST", "/api/v1/repositories/falcon/queryjobs", json={"queryString": "count("}
    )

    message, _, fence = answer.text.partition("\n")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
    assert message
    assert fence.startswith("```\n")
    assert fence.endswith("\n```")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"queryString": 5},
        {"queryString": "*", "arguments": {"a": 5}},
        {"queryString": "*", "start": "yesterday"},
        {"queryString": "*", "start": True},
        {"queryString": "*", "start": NOW_MS, "end": NOW_MS - 1},
        {"queryString": "*", "isLive": True, "start": NOW_MS},
        {"queryString": "*", "isLive": True, "start": "1d@d"},
        {"queryString": "*", "timeZone": "Mars/Olympus"},
        {"queryString": "*", "around": {"timestamp": 1}},
        {"queryString": "count()", "around": {"eventId": "x"}},
        {"queryString": "x" * 66_001},
    ],
)
async def test_wrong_request_is_refused(client: Any, body: dict[str, Any]) -> None:
    answer = await client.call("POST", "/api/v1/repositories/falcon/queryjobs", json=body)

    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")


async def test_body_that_is_not_json_is_refused(client: Any) -> None:
    answer = await client.call("POST", "/api/v1/repositories/falcon/queryjobs", content=b"{")

    assert answer.status_code == 400


async def test_unknown_repository_is_not_found(client: Any) -> None:
    answer = await client.call(
        "POST", "/api/v1/repositories/nowhere/queryjobs", json={"queryString": "*"}
    )

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("names", "status", "text"),
    [
        ('"x,y",a', 200, '"x,y",a\n2,1\n'),
        ('a,"x', 400, "The query parameter 'fieldsToExport' was malformed"),
    ],
)
async def test_export_reads_its_columns_as_a_line_of_csv(
    client: Any, names: str, status: int, text: str
) -> None:
    await client.ingest({"a": "1", "x,y": "2"})
    job = await client.start("*")

    csv = await client.call(
        "GET", f"/api/v1/queryjobs/{job}", params={"mimeType": "text/csv", "fieldsToExport": names}
    )

    assert (csv.status_code, csv.text) == (status, text)


async def test_export_is_the_rows_alone(client: Any) -> None:
    await client.ingest({"a": "1", "b": 'x,"y"'}, {"a": "2", "ms": -2000})
    job = await client.start("*")
    path = f"/api/v1/queryjobs/{job}"

    csv = await client.call("GET", path, params={"mimeType": "text/csv", "fieldsToExport": "a,b"})
    lines = await client.call("GET", path, params={"mimeType": "application/x-ndjson"})
    bare = await client.call("GET", path, params={"mimeType": "text/csv"})

    assert csv.text == 'a,b\n1,"x,""y"""\n2,\n'
    assert len(lines.text.splitlines()) == 2
    assert bare.status_code == 400


async def test_export_as_json_has_the_fields_that_are_asked_for(client: Any) -> None:
    await client.ingest({"a": "1", "b": "x", "c": "y"}, {"c": "z", "ms": -2000})
    path = f"/api/v1/queryjobs/{await client.start('*')}"
    fields = {"fieldsToExport": "b,@timestamp"}

    lines = await client.call("GET", path, params={"mimeType": "application/x-ndjson", **fields})
    array = await client.call("GET", path, params={"mimeType": "application/json", **fields})

    assert lines.text.splitlines() == [
        f'{{"b":"x","@timestamp":{NOW_MS - 1000}}}',
        f'{{"@timestamp":{NOW_MS - 2000}}}',
    ]
    assert array.json() == [json.loads(line) for line in lines.text.splitlines()]


async def test_stream_returns_every_row_as_lines(client: Any) -> None:
    await client.ingest(*({"n": str(n), "ms": -n} for n in range(1, 251)))

    answer = await client.call(
        "POST",
        "/api/v1/dataspaces/falcon/query",
        json={"queryString": "*"},
        headers={"Accept": "application/x-ndjson"},
    )

    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert answer.headers["humio-query-id"].startswith("IQ-")
    assert len(answer.text.splitlines()) == 250
    assert answer.text.endswith("\n")


async def test_many_jobs_at_once_all_finish(open_client: Any) -> None:
    async with open_client(concurrent_queries=1) as client:
        await client.ingest({"a": "1"})
        jobs = [await client.start("count()") for _ in range(8)]

        found = [await client.poll(job) for job in jobs]

    assert [answer["events"] for answer in found] == [[{"_count": "1"}]] * 8


# --- what the engine brings in ----------------------------------------------------------------


async def test_query_reads_lookup_files_of_json(client: Any) -> None:
    await client.ingest({"aid": "1"}, {"aid": "2"})
    table = b'[{"aid": "1", "host": "web"}, {"aid": "3", "host": "db"}]'
    for name, content in (("hosts.json", table), ("broken.json", b"{")):
        await client.call(
            "POST", "/api/v1/repositories/falcon/files", files={"file": (name, content)}
        )

    found = await client.search('match("hosts.json", field=aid)')
    refused = await client.search('match("broken.json", field=aid)')

    assert [(row["aid"], row["host"]) for row in found["events"]] == [("1", "web")]
    assert (refused["cancelled"], refused["events"]) == (True, [])


async def test_query_reads_the_repository_s_lookup_files(client: Any) -> None:
    await client.call(
        "POST",
        "/api/v1/repositories/falcon/files",
        files={"file": ("roles.csv", b"host,role\na,db\n")},
    )
    await client.ingest({"host": "a"}, {"host": "b", "ms": -5})

    found = await client.search('match(file="roles.csv", field=host)')

    assert [(row["host"], row["role"]) for row in found["events"]] == [("a", "db")]


async def test_query_calls_the_repository_s_saved_queries(client: Any) -> None:
    await client.graphql("""mutation { createSavedQuery(input: {viewName: "falcon",
      name: "only-a", queryString: "host=a"}) { savedQuery { id } } }""")
    await client.ingest({"host": "a"}, {"host": "b"})

    found = await client.search('$"only-a"() | count()')

    assert found["events"] == [{"_count": "1"}]


async def test_arguments_fill_the_parameters(client: Any) -> None:
    await client.ingest({"host": "a"}, {"host": "b"})

    found = await client.search("host=?host | count()", arguments={"host": "b"})

    assert found["events"] == [{"_count": "1"}]


async def test_subquery_looks_further_back_than_the_window(client: Any) -> None:
    await client.ingest(
        {"kind": "old", "host": "a", "ms": -7_200_000}, {"kind": "new", "host": "a"}
    )

    found = await client.search(
        "defineTable(query={kind=old}, include=[host], name=seen, start=6h) "
        "| kind=new | match(table=seen, field=host) | count()",
        start="1h",
    )

    assert found["events"] == [{"_count": "1"}]


async def test_order_of_an_explicit_sort_is_kept(client: Any) -> None:
    await client.ingest({"n": "2"}, {"n": "10", "ms": -5}, {"n": "1", "ms": -9})

    found = await client.search("sort(n, order=asc, type=number)")

    assert [row["n"] for row in found["events"]] == ["1", "2", "10"]


async def test_what_the_engine_cannot_run_is_refused_by_name(client: Any) -> None:
    answer = await client.call(
        "POST",
        "/api/v1/repositories/falcon/queryjobs",
        json={"queryString": "callFunction(percentile, field=a) | notYetKnown()"},
    )

    assert answer.status_code == 400
    assert "notYetKnown" in answer.text or "callFunction" in answer.text


async def test_parameter_without_a_value_cancels_the_job_and_says_why(client: Any) -> None:
    found = await client.search("host=?host | count()")

    assert (found["done"], found["cancelled"]) == (True, True)
    assert "host" in found["warnings"][0]["message"]


async def test_jobs_that_are_gone_leave_no_rows_behind(client: Any) -> None:
    await client.ingest(*[{"n": "only-in-rows"}] * 50)
    deleted = await client.start("tail(50)")
    expired = await client.start("tail(50)")
    for job in (deleted, expired):
        assert len((await client.poll(job))["events"]) == 50

    await client.call("DELETE", f"/api/v1/repositories/falcon/queryjobs/{deleted}")
    client.clock.advance(timedelta(seconds=91))
    assert client.sandbox.jobs.ids() == []

    gc.collect()
    kept = [found for found in gc.get_objects() if type(found) is Answer]
    assert [answer for answer in kept if answer.rows and answer.rows[0].get("n")] == []
