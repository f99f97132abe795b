"""A sandbox that is killed while events arrive: whatever it said it has, it has."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.client.wire import WireStructuredBatch
from orchestrator.errors import ClientError
from orchestrator.units import to_epoch_ms
from tests.e2e.stage import REPO, Bench, ended, sandbox_process

pytestmark = pytest.mark.asyncio(loop_scope="session")

SENT_AT = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
SENDERS = 4
BEFORE_THE_KILL = 60


def numbered(number: int) -> WireStructuredBatch:
    return {
        "tags": {},
        "events": [{"timestamp": to_epoch_ms(SENT_AT), "attributes": {"n": str(number)}}],
    }


async def test_killed_sandbox_holds_every_event_that_it_acknowledged(
    bench: Bench, tmp_path: Path
) -> None:
    acknowledged: set[int] = set()
    sent = iter(range(1_000_000))
    is_killed = asyncio.Event()

    async with sandbox_process(bench, tmp_path) as (client, process):

        async def send() -> None:
            ingest = client.ingest()
            for number in sent:
                try:
                    await ingest.structured([numbered(number)], repository=REPO)
                except ClientError:
                    return
                acknowledged.add(number)
                if len(acknowledged) >= BEFORE_THE_KILL and not is_killed.is_set():
                    is_killed.set()
                    process.kill()

        async with asyncio.timeout(60):
            await asyncio.gather(*(send() for _ in range(SENDERS)))
        done = await ended(process)

    async with sandbox_process(bench, tmp_path) as (client, _):
        found = await client.search(
            REPO,
            "n=* | groupBy(n, limit=max)",
            start=SENT_AT - timedelta(hours=1),
            end=SENT_AT + timedelta(hours=1),
            deadline=timedelta(seconds=30),
        )
    counts = {int(row["n"]): row["_count"] for row in found.rows}

    assert done.was_killed
    assert len(acknowledged) >= BEFORE_THE_KILL
    assert acknowledged <= counts.keys()
    assert set(counts.values()) == {"1"}
