"""What only a server can show: replicas side by side, killed connections, its own clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from orchestrator.clock import FrozenClock, SystemClock
from orchestrator.errors import StoreError
from orchestrator.store import SqlStore, open_store
from tests.unit.store.backends import POSTGRES, postgres_schema
from tests.unit.store.making import (
    LEASE,
    NOON,
    RULE,
    claim,
    commit,
    make_delivery,
    make_finding,
    must_claim,
    window,
)


@pytest.fixture
def url() -> Iterator[str]:
    with postgres_schema() as made:
        yield made


class TestPostgres:
    """Exists only where a server is named."""

    __test__ = bool(POSTGRES)

    async def test_replicas_finish_each_window_once_and_send_each_entry_once(
        self, url: str
    ) -> None:
        windows, replicas, sent = 12, 4, []

        async def work(store: SqlStore, owner: str) -> int:
            done = 0
            while (mark := await store.watermark(RULE) or window(0).start) < window(windows).start:
                index = int((mark - NOON) / timedelta(minutes=5))
                run = await claim(store, index, owner=owner)
                if run is not None:
                    found = make_finding(f"ci-{index}")
                    await commit(store, run, found, receivers=("slack", "jira"))
                    done += 1
                for entry in await store.claim_entries(owner=owner, lease=LEASE, limit=2):
                    sent.append(entry.id)
                    await store.mark_sent(entry, make_delivery(entry))
            return done

        async with AsyncExitStack() as stack:
            # Opened at once: the schema is made by one of them while the others wait.
            stores = await asyncio.gather(
                *(
                    stack.enter_async_context(open_store(url, clock=SystemClock()))
                    for _ in range(replicas)
                )
            )
            sql_stores = [store for store in stores if isinstance(store, SqlStore)]
            counts = await asyncio.gather(
                *(work(store, f"replica-{number}") for number, store in enumerate(sql_stores))
            )
            while entries := await stores[0].claim_entries(owner="last", lease=LEASE, limit=50):
                for entry in entries:
                    sent.append(entry.id)
                    await stores[0].mark_sent(entry, make_delivery(entry))

            assert sum(counts) == windows
            assert len(sent) == len(set(sent)) == 2 * windows
            assert await stores[0].check() == []

    async def test_a_killed_connection_is_made_again(self, url: str) -> None:
        async with open_store(url, clock=FrozenClock(NOON), server_time=False) as store:
            run = await must_claim(store)
            admin = sa.create_engine(sa.make_url(POSTGRES).set(drivername="postgresql+psycopg"))
            with admin.begin() as connection:
                connection.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'orchestrator'"
                )
            admin.dispose()

            await commit(store, run, make_finding())

            assert await store.watermark(RULE) == window(0).end
            assert await store.check() == []

    async def test_leases_are_measured_by_the_server(self, url: str) -> None:
        """A replica whose clock is a year ahead must not take over what is held."""
        ahead = FrozenClock(datetime.now(UTC) + timedelta(days=365))
        async with (
            open_store(url, clock=SystemClock()) as punctual,
            open_store(url, clock=ahead) as wrong,
        ):
            run = await must_claim(punctual)

            assert await claim(wrong, owner="b") is None
            assert abs(run.lease_until - LEASE - datetime.now(UTC)) < timedelta(seconds=30)

    async def test_open_for_reading_reads_and_refuses_to_write(self, url: str) -> None:
        clock = FrozenClock(NOON)
        async with open_store(url, clock=clock, server_time=False) as store:
            await commit(store, await must_claim(store), make_finding())
        async with open_store(url, clock=clock, read_only=True) as store:
            assert await store.findings() == [make_finding()]
            with pytest.raises(StoreError, match="reading only"):
                await claim(store, 1)

    async def test_open_of_a_server_that_is_not_there_names_it_without_the_password(self) -> None:
        place = "postgresql://user:hunter2@127.0.0.1:1/state"
        with pytest.raises(StoreError, match=r"127\.0\.0\.1:1/state") as caught:
            async with open_store(place, clock=FrozenClock(NOON)):
                pass

        assert "hunter2" not in str(caught.value)
