"""Live snapshots and walks past the result's limit: our client against the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.client.logscale import LogScale
from orchestrator.client.search.options import SearchOptions
from orchestrator.clock import FrozenClock
from orchestrator.errors import (
    QueryIncomplete,
    QueryJobExpired,
    QueryRejected,
    UnexpectedResponse,
)
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.faults.kinds import FOREVER, Fault, FaultKind
from orchestrator.sandbox.settings import SandboxSettings, TokenRole
from orchestrator.sandbox.state import Sandbox
from orchestrator.secret import SecretText
from orchestrator.units import to_epoch_ms

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SPAN: dict[str, Any] = {"start": NOW - HOUR, "end": NOW, "deadline": MINUTE}
POLLS = "GET */queryjobs/*"


@dataclass(slots=True)
class Stage:
    scale: LogScale
    sandbox: Sandbox
    clock: FrozenClock

    async def send(self, *ages: timedelta, **attributes: str) -> None:
        """Store one event per age, counted back from now."""
        events: Any = [
            {
                "timestamp": to_epoch_ms(self.clock.now() - age),
                "attributes": {"n": str(place), **attributes},
            }
            for place, age in enumerate(ages)
        ]
        batch: Any = [{"tags": {}, "events": events}]
        await self.scale.ingest().structured(batch, repository="falcon")


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    clock = FrozenClock(NOW)
    settings = SandboxSettings(tokens={"live-token": TokenRole(name="admin")})
    app = create_app(settings, clock=clock)
    token = SecretText("live-token")
    async with LogScale("http://x", token=token, clock=clock, asgi_app=app) as scale:
        yield Stage(scale, app.state.sandbox, clock)
    app.state.sandbox.close()


async def test_snapshots_follow_what_arrives_and_what_grows_old(stage: Stage) -> None:
    await stage.send(timedelta(minutes=59), MINUTE)
    counts = []
    async with aclosing(stage.scale.live("falcon", "count()", window=HOUR)) as snapshots:
        async for snapshot in snapshots:
            counts.append(snapshot.rows[0]["_count"])
            assert snapshot.completeness.is_complete
            if len(counts) == 1:
                await stage.send(timedelta(seconds=1))
            elif len(counts) == 2:
                stage.clock.advance(2 * MINUTE)
            else:
                break

    assert counts == ["2", "3", "2"]
    assert stage.sandbox.jobs.ids() == []


async def test_live_job_is_deleted_when_its_reader_is_cancelled(stage: Stage) -> None:
    is_reading = asyncio.Event()

    async def read() -> None:
        async with aclosing(stage.scale.live("falcon", "count()", window=HOUR)) as snapshots:
            async for _ in snapshots:
                is_reading.set()

    reader = asyncio.create_task(read())
    await is_reading.wait()
    assert len(stage.sandbox.jobs.ids()) == 1
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader

    assert stage.sandbox.jobs.ids() == []


async def test_lost_live_job_is_started_again_once_in_a_row(stage: Stage) -> None:
    stage.sandbox.faults.set(POLLS, [Fault(kind=FaultKind.LOST)])
    async with aclosing(stage.scale.live("falcon", "count()", window=HOUR)) as snapshots:
        first = await anext(snapshots)
        stage.sandbox.faults.set(POLLS, [Fault(kind=FaultKind.LOST, count=FOREVER)])
        with pytest.raises(QueryJobExpired, match="again"):
            await anext(snapshots)

    assert first.rows == ({"_count": "0"},)


async def test_cancelled_live_job_says_so(stage: Stage) -> None:
    stage.sandbox.faults.set(POLLS, [Fault(kind=FaultKind.CANCELLED)])
    async with aclosing(stage.scale.live("falcon", "count()", window=HOUR)) as snapshots:
        with pytest.raises(QueryIncomplete, match="cancelled"):
            await anext(snapshots)

    assert stage.sandbox.jobs.ids() == []


async def walked(stage: Stage, query: str, *, page_events: int = 1_000) -> list[str]:
    events = stage.scale.events(
        "falcon",
        query,
        start=NOW - HOUR,
        end=NOW,
        deadline=MINUTE,
        page_events=page_events,
    )
    async with aclosing(events):
        return [event["n"] async for event in events]


@pytest.mark.parametrize("page_events", [50, 199, 1_000])
async def test_every_event_comes_once_newest_first(stage: Stage, page_events: int) -> None:
    count = 730
    await stage.send(*(timedelta(seconds=count - n) for n in range(count)))

    found = await walked(stage, "n=*", page_events=page_events)

    assert found == [str(n) for n in reversed(range(count))]
    assert stage.sandbox.jobs.ids() == []


async def test_events_of_one_moment_come_once_each(stage: Stage) -> None:
    await stage.send(*([MINUTE] * 450))

    found = await walked(stage, "n=*", page_events=60)

    assert sorted(found, key=int) == [str(n) for n in range(450)]


async def test_walk_over_few_events_is_one_job(stage: Stage) -> None:
    await stage.send(MINUTE, 2 * MINUTE)

    assert await walked(stage, "n=*") == ["0", "1"]
    assert await walked(stage, "n=none") == []


async def test_aggregate_has_no_events_to_walk(stage: Stage) -> None:
    with pytest.raises(QueryRejected, match="filter query"):
        await walked(stage, "count()")


async def test_events_without_their_id_cannot_be_walked(stage: Stage) -> None:
    await stage.send(MINUTE)

    with pytest.raises(UnexpectedResponse, match="without @id"):
        await walked(stage, "select([n])")


async def test_page_that_is_not_whole_ends_the_walk(stage: Stage) -> None:
    await stage.send(MINUTE)
    fault = Fault(kind=FaultKind.WARNINGS, count=FOREVER, message="a node is missing")
    stage.sandbox.faults.set(POLLS, [fault])

    with pytest.raises(QueryIncomplete, match="a node is missing"):
        await walked(stage, "n=*")


async def test_events_next_to_one_are_shown_with_it_newest_first(stage: Stage) -> None:
    await stage.send(*(n * MINUTE for n in range(1, 10)))
    (event,) = [e async for e in stage.scale.events("falcon", "n=4", **SPAN)]

    near = await stage.scale.around("falcon", event, before=2, after=1, deadline=MINUTE)
    some = await stage.scale.around("falcon", event, query="n=/[24579]/", after=1, deadline=MINUTE)
    close = await stage.scale.around("falcon", event, within=MINUTE, deadline=MINUTE)

    assert [row["n"] for row in near.rows] == ["3", "4", "5", "6"]
    assert [row["n"] for row in some.rows] == ["2", "4", "5", "7"]
    assert [row["n"] for row in close.rows] == ["3", "4", "5"]
    assert near.completeness.is_complete
    assert stage.sandbox.jobs.ids() == []


async def test_events_next_to_one_need_to_know_it(stage: Stage) -> None:
    with pytest.raises(UnexpectedResponse, match="without @timestamp"):
        await stage.scale.around("falcon", {"@id": "x"}, deadline=MINUTE)
    with pytest.raises(UnexpectedResponse, match="not a number of milliseconds"):
        await stage.scale.around("falcon", {"@id": "x", "@timestamp": "noon"}, deadline=MINUTE)
    event = {"@id": "x", "@timestamp": "1773108000000"}
    with pytest.raises(QueryRejected, match="around needs a filter query"):
        await stage.scale.around("falcon", event, query="count()", deadline=MINUTE)


async def test_walk_by_ingest_time_finds_old_events_that_came_now(stage: Stage) -> None:
    await stage.send(300 * HOUR)
    by_ingest = {**SPAN, "end": NOW + MINUTE, "use_ingest_time": True}

    assert [e async for e in stage.scale.events("falcon", "n=*", **SPAN)] == []
    assert [e["n"] async for e in stage.scale.events("falcon", "n=*", **by_ingest)] == ["0"]


async def test_walk_passes_options_on_with_every_page(stage: Stage) -> None:
    await stage.send(MINUTE)
    later = SearchOptions(ingest_start=NOW + MINUTE)

    assert [e async for e in stage.scale.events("falcon", "n=*", options=later, **SPAN)] == []


async def test_live_window_may_be_one_of_ingest_time_and_takes_options(stage: Stage) -> None:
    await stage.send(300 * HOUR)
    live = stage.scale.live(
        "falcon",
        "n=*",
        window=HOUR,
        use_ingest_time=True,
        options=SearchOptions(wants_field_stats=True),
    )
    stage.clock.advance(MINUTE)

    async with aclosing(live) as snapshots:
        snapshot = await anext(snapshots)

    assert [row["n"] for row in snapshot.rows] == ["0"]
    assert "n" in [stats.name for stats in snapshot.field_stats]
