"""What the triggers promise over a kill: no window twice, none lost, nothing sent unrecorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from orchestrator.clock import FrozenClock
from orchestrator.errors import StoreFull
from orchestrator.sandbox.receivers import Fault, inbox_app
from orchestrator.sandbox.storage.events import frame_of
from orchestrator.sandbox.storage.journal import Journal
from orchestrator.sandbox.triggers.arrivals import Arrivals
from orchestrator.sandbox.triggers.book import Book, Invocation
from tests.unit.sandbox.conftest import NOW, OpenClient
from tests.unit.sandbox.test_persistence import row
from tests.unit.sandbox.triggers_stage import Stage, open_stage

MINUTE = timedelta(minutes=1)
KEPT = 5


async def test_events_that_no_alert_saw_before_the_kill_fire_after_it(
    open_client: OpenClient, tmp_path: Path
) -> None:
    clock, inbox = FrozenClock(NOW), inbox_app()
    async with open_stage(open_client, clock=clock, inbox=inbox, data_dir=tmp_path) as stage:
        await stage.client.ingest({"n": "before"})
        await stage.trigger("FilterAlert", "*")
        await stage.client.ingest({"n": "seen"})
        await stage.run()
        await stage.client.ingest({"n": "unseen"})

    async with open_stage(open_client, clock=clock, inbox=inbox, data_dir=tmp_path) as stage:
        await stage.run()
        await stage.run()

        assert stage.fields("n") == [["seen"], ["unseen"]]


async def test_window_searched_before_the_kill_is_sent_after_it_and_not_searched_again(
    open_client: OpenClient, tmp_path: Path
) -> None:
    clock, inbox = FrozenClock(NOW), inbox_app()
    async with open_stage(open_client, clock=clock, inbox=inbox, data_dir=tmp_path) as stage:
        await stage.trigger("ScheduledSearch", "*")
        await stage.client.ingest({"n": "1", "ms": 1})
        clock.advance(5 * MINUTE)
        await stage.triggers.search_due()
        (pending,) = stage.triggers.book.pending

    async with open_stage(open_client, clock=clock, inbox=inbox, data_dir=tmp_path) as stage:
        await stage.run()
        await stage.run()

        assert stage.fields("n") == [["1"]]
        assert [(i["id"], i["status"]) for i in await stage.invocations()] == [(pending.id, "sent")]


async def test_kill_between_the_send_and_its_record_sends_again_under_the_same_number(
    open_client: OpenClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, inbox = FrozenClock(NOW), inbox_app()
    async with open_stage(open_client, clock=clock, inbox=inbox, data_dir=tmp_path) as stage:
        hook = await stage.action(bodyTemplate='"{action_invocation_id}"')
        await stage.trigger("FilterAlert", "*", hook)
        await stage.client.ingest({"n": "1"})
        await stage.triggers.search_due()
        # From here on nothing reaches the disk.
        monkeypatch.setattr(Journal, "_replace", _dead)
        with pytest.raises(StoreFull):
            await stage.triggers.send_due()
        monkeypatch.undo()
    assert inbox.store == []

    async with open_stage(open_client, clock=clock, inbox=inbox, data_dir=tmp_path) as stage:
        saved = stage.triggers.book.save
        saves = 0

        def dies_at_second() -> None:
            nonlocal saves
            saves += 1
            if saves > 1:
                raise StoreFull("dead")
            saved()

        monkeypatch.setattr(Book, "save", lambda _self: dies_at_second())
        with pytest.raises(StoreFull):
            await stage.triggers.send_due()
        monkeypatch.undo()
    async with open_stage(open_client, clock=clock, inbox=inbox, data_dir=tmp_path) as stage:
        await stage.run()

        first, second = stage.bodies()
        assert first == second


def _dead(*_: object) -> None:
    raise StoreFull("dead")


@pytest.mark.parametrize("writes", range(14))
async def test_death_at_any_write_loses_nothing_and_searches_nothing_twice(
    open_client: OpenClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """After so many writes the disk takes no more, and the process is gone."""
    clock, inbox = FrozenClock(NOW), inbox_app()
    expected = {("all", "1"), ("all", "2"), ("five", "1"), ("five", "2")}
    async with open_stage(open_client, clock=clock, inbox=inbox, data_dir=tmp_path) as stage:
        body = '{"alert":"{alert_name}","id":"{action_invocation_id}","events":{events}}'
        hook = await stage.action(bodyTemplate=body)
        await stage.trigger("FilterAlert", "*", hook, name="all")
        await stage.trigger("ScheduledSearch", "*", hook, name="five", backfillLimit=1)
        await stage.client.ingest({"n": "1", "ms": 1})
        await stage.client.ingest({"n": "2", "ms": 6 * 60_000})
        left, replace = writes, Journal._replace

        def dying(journal: Journal, name: str, content: bytes) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise StoreFull("dead")
            replace(journal, name, content)

        monkeypatch.setattr(Journal, "_replace", dying)
        with suppress(StoreFull):
            await stage.run()
            await stage.run(after=5 * MINUTE)
            await stage.run(after=5 * MINUTE)
        monkeypatch.undo()
    clock.move_to(NOW + 10 * MINUTE)

    async with open_stage(open_client, clock=clock, inbox=inbox, data_dir=tmp_path) as stage:
        await stage.run()
        await stage.run(after=MINUTE)

    sent = [(b["alert"], event["n"], b["id"]) for b in stage.bodies() for event in b["events"]]
    assert {(alert, n) for alert, n, _ in sent} == expected
    # What came twice came under one number: it was searched once.
    assert len(set(sent)) == len(expected)


async def test_retry_states_and_record_survive(open_client: OpenClient, tmp_path: Path) -> None:
    clock, inbox = FrozenClock(NOW), inbox_app()
    inbox.faults.append(Fault(status=503))
    async with open_stage(open_client, clock=clock, inbox=inbox, data_dir=tmp_path) as stage:
        await stage.trigger("FilterAlert", "*", throttleTimeSeconds=3600)
        await stage.client.ingest({"n": "1"})
        await stage.run()
        before = await stage.status("FilterAlert")

    async with open_stage(open_client, clock=clock, inbox=inbox, data_dir=tmp_path) as stage:
        assert await stage.status("FilterAlert") == before
        await stage.client.ingest({"n": "2"})
        await stage.run(after=timedelta(seconds=10))

        assert stage.fields("n") == [["1"]]
        assert [i["status"] for i in await stage.invocations()] == ["sent", "retrying"]


async def test_scheduled_search_catches_up_after_a_downtime_within_its_limit(
    open_client: OpenClient, tmp_path: Path
) -> None:
    clock, inbox = FrozenClock(NOW), inbox_app()
    async with open_stage(open_client, clock=clock, inbox=inbox, data_dir=tmp_path) as stage:
        await stage.trigger("ScheduledSearch", "*", backfillLimit=1)
        for number in range(1, 5):
            await stage.client.ingest({"n": str(number), "ms": (number * 5 - 1) * 60_000})
        await stage.run(after=5 * MINUTE)

    clock.advance(15 * MINUTE)
    async with open_stage(open_client, clock=clock, inbox=inbox, data_dir=tmp_path) as stage:
        await stage.run()

        assert stage.fields("n") == [["1"], ["3"], ["4"]]


async def test_mail_is_a_file_that_survives(open_client: OpenClient, tmp_path: Path) -> None:
    async with open_stage(open_client, data_dir=tmp_path) as stage:
        mail = await stage.action("Email", recipients=["a@example.com"], useProxy=False)
        await stage.trigger("FilterAlert", "*", mail)
        await stage.client.ingest({"n": "1"})
        await stage.run()

    async with open_stage(open_client, data_dir=tmp_path) as stage:
        (found,) = (await stage.client.call("GET", "/_sandbox/mail")).json()["mail"]

    (path,) = (tmp_path / "mail").iterdir()
    assert (found["name"], found["to"]) == (path.name, "a@example.com")


async def test_repository_made_anew_is_counted_from_its_beginning(
    open_client: OpenClient, tmp_path: Path
) -> None:
    create = 'mutation { createRepository(name: "old") { repository { name } } }'
    clock, inbox = FrozenClock(NOW), inbox_app()
    async with open_stage(open_client, clock=clock, inbox=inbox, data_dir=tmp_path) as stage:
        await stage.mutate(create)
        await stage.mutate(
            """mutation { createView(name: "both", connections: [
            {repositoryName: "old", filter: "*"}]) { name } }"""
        )
        hook = await stage.action(viewName="both")
        await stage.trigger("FilterAlert", "*", hook, viewName="both")
        await stage.client.ingest(*[{"n": "1"}] * 3, repository="old")
        await stage.run()
        await stage.mutate('mutation { deleteSearchDomain(name: "old") { result } }')
        await stage.mutate(create)
        await stage.client.ingest({"n": "new"}, repository="old")

    async with open_stage(open_client, clock=clock, inbox=inbox, data_dir=tmp_path) as stage:
        await stage.run()

        assert stage.fields("n") == [["1"], ["1"], ["1"], ["new"]]


def test_log_of_invocations_is_cut_and_read_back_with_its_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.sandbox.triggers.book.KEPT_INVOCATIONS", KEPT)
    journal = Journal(tmp_path)
    book = Book(journal)
    for number in range(2 * KEPT + 3):
        book.log(_invocation(str(number)))
    path = tmp_path / "invocations.ndjson"
    path.write_bytes(path.read_bytes() + b'{"id": "torn')
    again = Book(journal)
    again.load()
    journal.close()

    assert len(again.invocations) == KEPT
    assert again.invocations == book.invocations
    assert again.invocations[-1]["id"] == str(2 * KEPT + 2)
    assert len(path.read_text("utf-8").splitlines()) == KEPT + 2


def _invocation(number: str) -> Invocation:
    return Invocation(
        id=number,
        at="",
        trigger="t",
        trigger_id="",
        domain="",
        action="",
        action_id="",
        kind="",
        status="sent",
        detail="",
        attempt=1,
        event_count=0,
    )


def test_arrivals_hold_only_what_somebody_waits_for() -> None:
    arrivals = Arrivals()
    arrivals.append("a", frame_of([row(1)]))
    arrivals.await_from({"a": 1})
    arrivals.append("a", frame_of([row(2), row(3)]))
    arrivals.append("b", frame_of([row(4)]))

    total, frames = arrivals.after("a", 2)
    assert (total, [frame.height for frame in frames]) == (3, [1])
    assert arrivals.after("b", 0) == (1, [])
    arrivals.await_from({"a": 3})
    assert arrivals.after("a", 1) == (3, [])


async def test_alert_that_cannot_run_holds_its_events_for_a_day(open_client: OpenClient) -> None:
    hosts = {"file": ("hosts.csv", b"n,owner\n1,ann\n2,bob\n")}
    async with open_stage(open_client) as stage:
        await stage.trigger("FilterAlert", 'match("hosts.csv", field=n)')
        await stage.client.ingest({"n": "1"})
        await stage.run(after=timedelta(hours=1))
        await stage.client.ingest({"n": "2"})
        await stage.run(after=timedelta(hours=23, minutes=1))
        await stage.client.call("POST", "/api/v1/repositories/falcon/files", files=hosts)
        await stage.run(after=MINUTE)

        assert stage.fields("owner") == [["bob"]]


async def test_driver_fires_on_ingest_without_being_asked(open_client: OpenClient) -> None:
    """No clock moves here: the ingest alone wakes it, and the send follows."""
    inbox, arrived = inbox_app(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await inbox(scope, receive, send)
        arrived.set()

    async with open_stage(open_client, app=app, inbox=inbox) as stage, driven(stage):
        await stage.trigger("FilterAlert", "*")
        await stage.client.ingest({"n": "1"})
        await soon(arrived)

        assert stage.fields("n") == [["1"]]


async def test_full_disk_stops_no_driver_and_shows(
    open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = asyncio.Event()

    def full(_self: Book) -> None:
        met.set()
        raise StoreFull("dead")

    async with open_stage(open_client) as stage:
        await stage.trigger("FilterAlert", "*")
        await stage.client.ingest({"n": "1"})
        monkeypatch.setattr(Book, "save", full)
        async with driven(stage):
            await soon(met)
            state = (await stage.client.call("GET", "/_sandbox/overview")).json()

        assert state["triggers"] == {"running": 1, "pending": 1, "problem": "StoreFull: dead"}
        assert stage.bodies() == []


@asynccontextmanager
async def driven(stage: Stage) -> AsyncIterator[None]:
    """Let the triggers' driver run as in a server."""
    driver = asyncio.create_task(stage.triggers.serve())
    try:
        yield
    finally:
        driver.cancel()
        await asyncio.wait({driver})


async def soon(event: asyncio.Event) -> None:
    async with asyncio.timeout(10):
        await event.wait()
