"""What runs on a server and who may do what: our client against the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.client.logscale import LogScale
from orchestrator.client.types import QuotaUsage
from orchestrator.clock import FrozenClock
from orchestrator.errors import Forbidden, NotFound, QueryIncomplete
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.settings import Right, SandboxSettings, TokenRole
from orchestrator.secret import SecretText

NOW = datetime(2026, 3, 10, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
TOKENS = {
    "admin-token": TokenRole(name="admin"),
    "reader-token": TokenRole(name="reader", rights=frozenset({Right.READ})),
    "sender-token": TokenRole(name="sender", rights=frozenset({Right.INGEST}), repository="falcon"),
}


@pytest.fixture
async def app() -> AsyncIterator[Any]:
    settings = SandboxSettings(tokens=TOKENS, repositories=("falcon", "other"))
    made = create_app(settings, clock=FrozenClock(NOW))
    yield made
    made.state.sandbox.close()


def client_of(app: Any, token: str = "admin-token") -> LogScale:
    clock = app.state.sandbox.clock
    return LogScale("http://x", token=SecretText(token), clock=clock, asgi_app=app)


# --- running queries ----------------------------------------------------------------------------


async def test_live_query_is_listed_and_killed(app: Any) -> None:
    async with client_of(app) as scale, client_of(app, "reader-token") as reader:
        live = reader.live("falcon", "kind=bad | count()", window=HOUR)
        async with aclosing(live) as snapshots:
            await anext(snapshots)
            app.state.sandbox.clock.advance(MINUTE)

            (found,) = await scale.running().list(containing="kind=bad")
            others = await scale.running().list(containing="kind=good")
            await scale.running().kill("falcon", "kind=bad")
            with pytest.raises(QueryIncomplete, match="killed by admin"):
                await anext(snapshots)
            left = await scale.running().list()

    assert (found.view, found.query, found.started_by) == ("falcon", "kind=bad | count()", "reader")
    assert (found.is_live, found.age, found.status) == (True, MINUTE, "Running")
    assert found.work_done == found.total_work
    assert others == left == ()


async def test_kill_that_hits_nothing_says_so(app: Any) -> None:
    async with client_of(app) as scale:
        with pytest.raises(NotFound, match="no running query of falcon has 'a' in it"):
            await scale.running().kill("falcon", "a")


async def test_reader_sees_and_ends_only_its_own(app: Any) -> None:
    async with (
        client_of(app) as scale,
        client_of(app, "reader-token") as reader,
        aclosing(scale.live("falcon", "count()", window=HOUR)) as snapshots,
    ):
        await anext(snapshots)

        seen = await reader.running().list()
        with pytest.raises(NotFound):
            await reader.running().kill("falcon", "count")
        still = await scale.running().list()

    assert seen == ()
    assert [query.started_by for query in still] == ["admin"]


async def test_quota_counts_what_was_started_and_is_never_used_up(app: Any) -> None:
    async with client_of(app) as scale, client_of(app, "reader-token") as reader:
        for _ in range(3):
            now = app.state.sandbox.clock.now()
            await reader.search("falcon", "count()", start=now - HOUR, end=now, deadline=MINUTE)
            app.state.sandbox.clock.advance(8 * MINUTE)

        usage = await scale.running().usage("reader")
        own = await reader.running().usage("reader")
        exceeded = await reader.running().exceeded("reader")
        with pytest.raises(Forbidden):
            await reader.running().usage("admin")

    counts = {"PerDay": 3, "PerHour": 3, "PerTenMinutes": 1, "PerMinute": 0}
    assert usage == own
    assert usage == tuple(
        QuotaUsage(interval=name, queries=count, static_cost=0, live_cost=0)
        for name, count in counts.items()
    )
    assert exceeded == frozenset()
