"""One sandbox for the whole ring, one bench for each test; all in one event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.stage import Bench, Sandbox, make_bench, open_sandbox


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox() as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def bench(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Bench]:
    yield make_bench(tmp_path, sandbox)
    sandbox.faults.clear()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ran(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A bench on which `run` went well; only for reading."""
    made = make_bench(tmp_path_factory.mktemp("ran"), sandbox)
    await made.begin()
    done = await made.invoke("run", "--repo", "falcon")
    assert done.code == 0, done.err
    return made
