"""What is acknowledged survives: re-creation, a torn line, a second process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from orchestrator.engine.events import INGEST_MS, TIME_MS
from orchestrator.errors import StoreBusy, StoreFull
from orchestrator.sandbox.storage.events import (
    EventLog,
    Snapshot,
    SortedRun,
    Span,
    frame_of,
    snapshot_of,
)
from orchestrator.sandbox.storage.journal import Journal
from tests.unit.sandbox.test_gateway import RULE

CREATE = """mutation($q: String!) {
  createSavedQuery(input: {viewName: "falcon", name: "kept", queryString: $q, labels: ["a"]})
  { savedQuery { id } } }"""
LIST = '{ searchDomain(name: "falcon") { savedQueries { id name labels } files { contentHash } } }'


def row(at_ms: int, **fields: str) -> dict[str, str]:
    return {"@timestamp": str(at_ms), "@ingesttimestamp": str(at_ms), **fields}


def times(frame: pl.DataFrame) -> list[int]:
    return sorted(int(text) for text in frame.get_column("@timestamp"))


async def test_events_assets_and_files_survive_a_restart(open_client: Any, tmp_path: Path) -> None:
    async with open_client(data_dir=tmp_path) as client:
        await client.ingest({"n": "1"}, {"n": "2", "other": "x", "ms": -5})
        await client.graphql(CREATE, q="*")
        await client.call(
            "POST", "/api/v1/repositories/falcon/files", files={"file": ("a.csv", b"k,v\n1,2\n")}
        )
        before = (await client.search("*"))["events"]
        assets = await client.graphql(LIST)

    async with open_client(data_dir=tmp_path) as client:
        after = (await client.search("*"))["events"]
        file = await client.call("GET", "/api/v1/repositories/falcon/files/a.csv")

        assert after == before
        assert [event["n"] for event in after] == ["2", "1"]
        assert await client.graphql(LIST) == assets
        assert file.content == b"k,v\n1,2\n"


async def test_users_hosts_and_correlation_rules_survive_a_restart(
    open_client: Any, tmp_path: Path
) -> None:
    rules = "/correlation-rules/entities/rules/v1"
    hosts = "/devices/entities/devices/v2?ids=a1"
    async with open_client(data_dir=tmp_path) as client:
        await client.call("POST", "/api/v1/users", json={"email": "a@example.com"})
        await client.call("PUT", "/_sandbox/hosts", json=[{"device_id": "a1", "hostname": "h"}])
        made = (await client.call("POST", rules, json=RULE)).json()["resources"][0]
        patch = [{"id": made["id"], "severity": 90}]
        changed = (await client.call("PATCH", rules, json=patch)).json()["resources"][0]

    async with open_client(data_dir=tmp_path) as client:
        users = (await client.call("GET", "/api/v1/users")).json()
        kept = (await client.call("GET", f"{rules}?ids={made['rule_id']}")).json()["resources"]
        older = await client.call("GET", f"/correlation-rules/entities/rules/v2?ids={made['id']}")
        host = (await client.call("GET", hosts)).json()["resources"]

    assert [user["email"] for user in users] == ["admin", "a@example.com"]
    assert kept == [changed]
    assert older.json()["resources"] == [{**made, "state": "unpublished"}]
    assert host == [{"device_id": "a1", "hostname": "h"}]


async def test_view_survives_a_restart_with_each_of_its_connections(
    open_client: Any, tmp_path: Path
) -> None:
    create = """mutation { createView(name: "both", connections: [
      {repositoryName: "falcon", filter: "a=b", languageVersion: xdr1},
      {repositoryName: "falcon", filter: "c=d"}]) { name } }"""
    read = """{ searchDomain(name: "both") { ... on View { connections {
      filter repository { name } languageVersion { name futureName } } } } }"""
    async with open_client(data_dir=tmp_path) as client:
        await client.graphql(create)
        made = await client.graphql(read)
    async with open_client(data_dir=tmp_path) as client:
        kept = await client.graphql(read)

    first, second = kept["data"]["searchDomain"]["connections"]
    assert kept == made
    assert (first["filter"], first["languageVersion"]["name"]) == ("a=b", "xdr1")
    assert (second["filter"], second["languageVersion"]["name"]) == ("c=d", "legacy")


async def test_file_survives_a_restart_with_its_labels_and_who_made_it(
    open_client: Any, tmp_path: Path
) -> None:
    create = 'mutation { newFile(fileName: "a.csv", name: "falcon", labels: ["l"]) { limit } }'
    read = """{ searchDomain(name: "falcon") { files {
      labels createdBy createdAt modifiedBy modifiedAt } } }"""
    async with open_client(data_dir=tmp_path) as client:
        await client.graphql(create)
        made = await client.graphql(read)
    async with open_client(data_dir=tmp_path) as client:
        kept = await client.graphql(read)

    (file,) = kept["data"]["searchDomain"]["files"]
    assert kept == made
    assert (file["labels"], file["createdBy"]) == (["l"], "admin")


async def test_memory_only_sandbox_keeps_nothing(open_client: Any) -> None:
    async with open_client() as client:
        await client.ingest({"n": "1"})

    async with open_client() as client:
        assert (await client.search("*"))["events"] == []


async def test_torn_last_line_is_dropped_and_the_file_goes_on(
    open_client: Any, tmp_path: Path
) -> None:
    async with open_client(data_dir=tmp_path) as client:
        await client.ingest({"n": "1"})
    path = tmp_path / "falcon.events.ndjson"
    with path.open("ab") as file:
        file.write(b'{"@timestamp":"1773107999000","n":"torn')

    async with open_client(data_dir=tmp_path) as client:
        await client.ingest({"n": "2"})
        first = [event["n"] for event in (await client.search("*"))["events"]]
    async with open_client(data_dir=tmp_path) as client:
        second = [event["n"] for event in (await client.search("*"))["events"]]

    assert sorted(first) == sorted(second) == ["1", "2"]
    assert all(json.loads(line) for line in path.read_text("utf-8").splitlines())


async def test_file_of_one_torn_line_becomes_empty(open_client: Any, tmp_path: Path) -> None:
    (tmp_path / "falcon.events.ndjson").write_bytes(b'{"@timest')

    async with open_client(data_dir=tmp_path) as client:
        assert client.sandbox.domain("falcon").log.count == 0
    assert (tmp_path / "falcon.events.ndjson").read_bytes() == b""


async def test_deleted_repository_does_not_come_back_with_its_events(
    open_client: Any, tmp_path: Path
) -> None:
    create = 'mutation { createRepository(name: "old") { repository { name } } }'
    async with open_client(data_dir=tmp_path) as client:
        await client.graphql(create)
        await client.ingest({"n": "1"}, repository="old")
        await client.graphql('mutation { deleteSearchDomain(name: "old") { result } }')
        await client.graphql(create)

        assert client.sandbox.domain("old").log.count == 0


async def test_made_ingest_token_survives(open_client: Any, tmp_path: Path) -> None:
    mutation = """mutation { addIngestTokenV3(input: {repositoryName: "falcon", name: "t",
      customToken: "made-token"}) { token } }"""
    async with open_client(data_dir=tmp_path) as client:
        await client.graphql(mutation)

    async with open_client(data_dir=tmp_path) as client:
        answer = await client.call("POST", "/api/v1/ingest/json", token="made-token", json={"a": 1})

    assert answer.status_code == 200


async def test_second_process_is_refused(open_client: Any, tmp_path: Path) -> None:
    async with open_client(data_dir=tmp_path):
        with pytest.raises(StoreBusy, match="another process"):
            async with open_client(data_dir=tmp_path):
                pass


async def test_full_disk_refuses_the_batch_and_keeps_what_was(
    open_client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_client(data_dir=tmp_path) as client:
        await client.ingest({"n": "1"})
        size = (tmp_path / "falcon.events.ndjson").stat().st_size

        def full(_handle: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            body = [{"events": [{"timestamp": 1, "attributes": {"n": "2"}}]}]
            answer = await client.call("POST", "/api/v1/repositories/falcon/ingest", json=body)

        assert answer.status_code == 503
        assert (tmp_path / "falcon.events.ndjson").stat().st_size == size
        assert client.sandbox.domain("falcon").log.count == 1


def test_journal_append_that_fails_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(StoreFull, match="No space left"):
            journal.append("r", frame_of([row(1)]))
    journal.close()


def test_repository_names_stay_inside_the_directory(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "data")
    journal.append("../../evil", frame_of([row(1)]))
    journal.close()

    assert [p.name for p in tmp_path.iterdir()] == ["data"]


# --- the event log --------------------------------------------------------------------------


def test_log_reads_a_half_open_window_over_many_batches() -> None:
    log = EventLog()
    for start in (50, 10, 30, 20, 40, 0):
        log.append(frame_of([row(start + n) for n in range(10)]))

    found = log.snapshot().frame(event=Span(start_ms=15, end_ms=35))

    assert times(found) == list(range(15, 35))
    assert log.count == 60


def test_log_merges_its_runs() -> None:
    log = EventLog()
    for n in range(64):
        log.append(frame_of([row(n)]))

    assert len(log.snapshot().runs) <= 7


def test_snapshot_does_not_see_later_batches() -> None:
    log = EventLog()
    log.append(frame_of([row(1)]))
    snapshot = log.snapshot()
    log.append(frame_of([row(2)]))

    assert times(snapshot.frame()) == [1]


def test_columns_of_different_batches_are_joined() -> None:
    log = EventLog()
    log.append(frame_of([row(1, a="x")]))
    log.append(frame_of([row(2, b="y"), row(3, b="z"), row(4, b="z")]))

    frame = log.snapshot().frame()

    assert set(frame.columns) == {"@timestamp", "@ingesttimestamp", TIME_MS, INGEST_MS, "a", "b"}
    assert frame.filter(pl.col("@timestamp") == "1").get_column("b").to_list() == [None]


def test_both_spans_bound_at_once() -> None:
    log = EventLog()
    log.append(
        frame_of([{"@timestamp": str(n), "@ingesttimestamp": str(100 - n)} for n in range(100)])
    )

    found = log.snapshot().frame(event=Span(start_ms=90), ingest=Span(start_ms=5, end_ms=8))

    assert times(found) == [93, 94, 95]


def test_empty_log_has_an_empty_frame_with_both_times() -> None:
    frame = Snapshot(()).frame()

    assert frame.height == 0
    assert frame.columns == ["@timestamp", "@ingesttimestamp", TIME_MS, INGEST_MS]


def overlapping_log() -> EventLog:
    """A log of three runs: 0 to 99 by fours, 50 to 74, and 60 to 65."""
    log = EventLog()
    log.append(frame_of([row(n, batch="1") for n in range(0, 400, 4)]))
    log.append(frame_of([row(n, batch="2") for n in range(50, 75)]))
    log.append(frame_of([row(n, batch="3") for n in range(60, 66)]))
    return log


def test_events_of_overlapping_runs_come_in_order_of_time_and_then_of_arrival() -> None:
    frame = overlapping_log().snapshot().frame(event=Span(start_ms=58, end_ms=65))

    found = list(zip(times(frame), frame.get_column("batch"), strict=True))
    assert found == [
        (58, "2"), (59, "2"), (60, "1"), (60, "2"), (60, "3"), (61, "2"), (61, "3"),
        (62, "2"), (62, "3"), (63, "2"), (63, "3"), (64, "1"), (64, "2"), (64, "3"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("batches", "order"),
    [
        (([1, 2], [3, 4]), "1122"),
        (([3, 4], [1, 2]), "2211"),
        (([1, 2], [2, 3]), "1122"),
        # Of the moment 2 the first batch's event comes first, so these cannot be put end to end.
        (([2, 3], [1, 2]), "2121"),
    ],
)
def test_batches_end_to_end_keep_order_of_arrival(
    batches: tuple[list[int], ...], order: str
) -> None:
    runs: list[SortedRun] = []
    for number, batch in enumerate(batches, start=1):
        frame = frame_of([row(n, batch=str(number)) for n in batch])
        runs += snapshot_of(frame).runs

    frame = Snapshot(tuple(runs)).frame()

    assert "".join(frame.get_column("batch")) == order


def test_reader_of_most_events_leaves_overlapping_runs_as_one() -> None:
    log = overlapping_log()
    narrow = log.snapshot().frame(event=Span(start_ms=58, end_ms=65))
    before = len(log.snapshot().runs)

    whole = log.snapshot().frame()

    assert (narrow.height, before, len(log.snapshot().runs)) == (14, 3, 1)
    assert whole.height == log.count == 131
    assert times(log.snapshot().frame()) == times(whole)


def test_batch_that_arrives_while_runs_are_joined_is_kept() -> None:
    log = overlapping_log()
    old = log.snapshot()
    log.append(frame_of([row(500)]))

    assert times(old.frame())[-1] == 396
    assert times(log.snapshot().frame())[-1] == 500
    assert log.count == 132
