"""humiolib, unmodified, against the sandbox: every public method that applies, by value."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from humiolib.HumioClient import HumioClient, HumioIngestClient
from humiolib.HumioExceptions import (
    HumioConnectionException,
    HumioHTTPException,
    HumioQueryJobExhaustedException,
    HumioQueryJobExpiredException,
)

from orchestrator.sandbox.settings import ingest_token
from tests.contract.clients.conftest import NOW_MS, TOKEN

DAY = {"start": NOW_MS - 86_400_000, "end": NOW_MS}
# Text gets the time of its arrival, and the sandbox's clock stands still: one moment further.
UNTIL_AFTER_NOW = {"start": NOW_MS - 1, "end": NOW_MS + 1}


@pytest.fixture
def client(sandbox_url: str) -> HumioClient:
    return HumioClient(repository="falcon", user_token=TOKEN, base_url=sandbox_url)


@pytest.fixture
def sender(sandbox_url: str) -> HumioIngestClient:
    token = ingest_token("falcon", token=TOKEN)
    return HumioIngestClient(ingest_token=token, base_url=sandbox_url)


@pytest.fixture
def three_hosts(sender: HumioIngestClient) -> Iterator[None]:
    events = [
        {"timestamp": NOW_MS - age_ms, "attributes": {"host": host, "bytes": size}}
        for age_ms, host, size in ((3_000, "web-1", 10), (2_000, "web-2", 20), (1_000, "web-1", 30))
    ]
    assert sender.ingest_json_data([{"tags": {"source": "test"}, "events": events}]) == {}
    yield
    # Live jobs delete themselves on the server when they are collected: while it still runs.
    gc.collect()


def test_status_names_a_state_and_a_version(client: HumioClient) -> None:
    found = client.get_status()

    assert found["status"] == "OK"
    assert found["version"].count(".") >= 2


@pytest.mark.usefixtures("three_hosts")
def test_static_job_of_a_filter_gives_events_newest_first(client: HumioClient) -> None:
    job = client.create_queryjob("host=web-1", is_live=False, **DAY)

    polls = list(job.poll_until_done())

    events = [event for poll in polls for event in poll.events]
    assert [event["bytes"] for event in events] == ["30", "10"]
    assert events[0]["@timestamp"] == NOW_MS - 1_000
    assert events[0]["#source"] == "test"
    assert polls[-1].metadata["isAggregate"] is False
    assert polls[-1].metadata["eventCount"] == 2
    assert polls[-1].metadata["processedEvents"] == 3
    with pytest.raises(HumioQueryJobExhaustedException):
        job.poll()


@pytest.mark.usefixtures("three_hosts")
def test_static_job_of_an_aggregate_gives_rows(client: HumioClient) -> None:
    job = client.create_queryjob("groupBy(host, function=sum(bytes, as=total))", **DAY)

    (poll,) = job.poll_until_done()

    assert sorted(poll.events, key=lambda row: row["host"]) == [
        {"host": "web-1", "total": "40"},
        {"host": "web-2", "total": "20"},
    ]
    assert poll.metadata["isAggregate"] is True


@pytest.mark.usefixtures("three_hosts")
def test_arguments_fill_the_parameters_of_a_query(client: HumioClient) -> None:
    job = client.create_queryjob("host=?wanted | count()", arguments={"wanted": "web-2"}, **DAY)

    assert [poll.events for poll in job.poll_until_done()] == [[{"_count": "1"}]]


@pytest.mark.usefixtures("three_hosts")
def test_relative_times_are_taken(client: HumioClient) -> None:
    job = client.create_queryjob("count()", start="1h", end="now")

    assert [poll.events for poll in job.poll_until_done()] == [[{"_count": "3"}]]


@pytest.mark.usefixtures("three_hosts")
def test_live_job_sees_what_arrives_after_its_start(
    client: HumioClient, sender: HumioIngestClient
) -> None:
    job = client.create_queryjob("count()", start="1h", is_live=True)
    assert job.poll().events == [{"_count": "3"}]

    sender.ingest_json_data(
        [{"tags": {}, "events": [{"timestamp": NOW_MS - 500, "attributes": {"host": "web-3"}}]}]
    )

    assert job.poll().events == [{"_count": "4"}]


@pytest.mark.usefixtures("three_hosts")
def test_job_that_is_gone_is_an_expired_job(client: HumioClient) -> None:
    job = client.create_queryjob("count()", **DAY)
    job.query_id = "IQ-gone"

    with pytest.raises(HumioQueryJobExpiredException):
        job.poll()


@pytest.mark.usefixtures("three_hosts")
def test_streaming_query_gives_one_event_a_line(client: HumioClient) -> None:
    rows = list(client.streaming_query("host=* | select([host, bytes])", **DAY))

    assert sorted((row["host"], row["bytes"]) for row in rows) == [
        ("web-1", "10"),
        ("web-1", "30"),
        ("web-2", "20"),
    ]


def test_query_that_is_not_cql_is_refused_with_its_place(client: HumioClient) -> None:
    with pytest.raises(HumioHTTPException) as caught:
        client.create_queryjob("host = | count(", **DAY)

    assert caught.value.status_code == 400


def test_text_is_parsed_by_the_named_parser(client: HumioClient, sender: HumioIngestClient) -> None:
    line = 'host="db-1" load=7'
    assert sender.ingest_messages([line], parser="kv", tags={"host": "db-1"}) == {}
    assert client.ingest_messages(['host="db-2" load=9'], parser="kv") == {}

    (poll,) = client.create_queryjob(
        "load=* | groupBy(host, function=max(load))", **UNTIL_AFTER_NOW
    ).poll_until_done()

    assert sorted((row["host"], row["_max"]) for row in poll.events) == [
        ("db-1", "7"),
        ("db-2", "9"),
    ]


def test_structured_ingest_with_the_user_token(client: HumioClient) -> None:
    event = {"timestamp": NOW_MS - 10, "attributes": {"nested": {"list": ["a", "b"]}}}
    assert client.ingest_json_data([{"tags": {}, "events": [event]}]) == {}

    (poll,) = client.create_queryjob("nested.list[1]=b", **DAY).poll_until_done()

    assert [event["nested.list[0]"] for event in poll.events] == ["a"]


def test_users_are_made_found_and_deleted(client: HumioClient) -> None:
    client.create_user("analyst@example.com", isRoot=False)

    found = client.get_user_by_email("analyst@example.com")
    assert found["isRoot"] is False
    assert found["email"] in [user["email"] for user in client.get_users()]

    client.delete_user_by_email("analyst@example.com")
    assert client.get_user_by_email("analyst@example.com") is None


def test_saved_query_through_its_whole_life(client: HumioClient) -> None:
    client.create_saved_query("errors", "level=error")
    (made,) = client.list_saved_queries()
    assert (made["name"], made["query"]["queryString"]) == ("errors", "level=error")

    client.update_saved_query(made["id"], "all-errors", "level=error or level=fatal")
    (changed,) = client.list_saved_queries()
    assert changed["id"] == made["id"]
    assert changed["name"] == "all-errors"
    assert changed["query"]["queryString"] == "level=error or level=fatal"


def test_delete_of_a_saved_query_asks_for_what_servers_no_longer_give(client: HumioClient) -> None:
    """Its document selects `savedQuery` of a result that holds only `result` since years."""
    client.create_saved_query("errors", "level=error")
    (made,) = client.list_saved_queries()

    assert client.delete_saved_query(made["id"]) is None

    assert [query["id"] for query in client.list_saved_queries()] == [made["id"]]


def test_lookup_file_is_uploaded_read_and_deleted(client: HumioClient, tmp_path: Path) -> None:
    path = tmp_path / "owners.csv"
    path.write_text("host,owner\nweb-1,red\nweb-2,blue\n", encoding="utf-8")

    client.upload_file(str(path))

    assert [file["nameAndPath"]["name"] for file in client.list_files()] == ["owners.csv"]
    assert client.get_file("owners.csv", encoding="utf-8") == path.read_text("utf-8")
    content = client.get_file_content("owners.csv")["getFileContent"]
    assert content["headers"] == ["host", "owner"]
    assert content["lines"] == [["web-1", "red"], ["web-2", "blue"]]
    assert content["totalLinesCount"] == 2
    filtered = client.get_file_content("owners.csv", filter_string="blue")["getFileContent"]
    assert filtered["lines"] == [["web-2", "blue"]]

    client.delete_file("owners.csv")
    assert client.list_files() == []


def test_lookup_file_is_made_and_filled_row_by_row(client: HumioClient) -> None:
    made = client.create_file("teams.csv")
    assert made["newFile"]["nameAndPath"]["name"] == "teams.csv"

    added = client.add_file_contents(
        "teams.csv", file_headers=["team", "channel"], changed_rows=[["red", "#red"]]
    )

    assert added["updateFile"]["headers"] == ["team", "channel"]
    assert added["updateFile"]["lines"] == [["red", "#red"]]
    assert client.get_file("teams.csv").splitlines() == [b"team,channel", b"red,#red"]

    client.remove_file_contents("teams.csv")
    assert client.get_file_content("teams.csv")["getFileContent"]["lines"] == []


def test_organizations_are_no_part_of_a_single_server(client: HumioClient) -> None:
    """Neither the query nor the mutation is in the schema of servers of today."""
    assert client.create_organization("red", "the red team") is None
    answer = client._list_organizations().json()
    assert answer["data"] is None
    assert "organizations" in answer["errors"][0]["message"]


def test_wrong_token_and_wrong_address_are_its_own_errors(sandbox_url: str) -> None:
    stranger = HumioClient(repository="falcon", user_token="wrong", base_url=sandbox_url)
    with pytest.raises(HumioHTTPException) as caught:
        stranger.create_queryjob("count()", **DAY)
    assert caught.value.status_code == 401

    nowhere = HumioClient(repository="falcon", user_token=TOKEN, base_url="http://127.0.0.1:9")
    with pytest.raises(HumioConnectionException):
        nowhere.get_status()
