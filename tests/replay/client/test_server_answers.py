"""What a server says of itself and of what it holds, as its documents and schema write it, decoded.

They prove that the client reads the documented shape, not that a server sends it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.client import (
    IngestToken,
    LogScale,
    LookupFile,
    QueryShape,
    ReplayTransport,
    RepositoryFacts,
    Retention,
    ServerFacts,
    View,
    ViewConnection,
    load_cassette,
)
from orchestrator.client.http.retry import NO_RETRIES
from orchestrator.clock import FrozenClock
from orchestrator.errors import ServerDown
from orchestrator.secret import SecretText

CASSETTES = Path(__file__).parents[3] / "cassettes"
NOW = datetime.fromisoformat("2026-03-10T03:00:00Z")


def make_client(*names: str) -> tuple[LogScale, ReplayTransport]:
    transport = ReplayTransport(*(load_cassette(CASSETTES / name) for name in names))
    client = LogScale(
        "https://logscale.example",
        token=SecretText("token"),
        clock=FrozenClock(NOW),
        transport=transport,
        retry=NO_RETRIES,
    )
    return client, transport


async def test_health_of_a_server_that_is_down_names_the_checks_that_fail() -> None:
    client, transport = make_client("status/health/down.yaml")

    health = await client.health()

    assert (health.status, health.message, transport.left) == ("DOWN", "1 of 2 checks fails", ())
    assert [(check.name, check.status, check.message) for check in health.checks] == [
        ("primary-disk-usage", "DOWN", "99 % used"),
        ("version", "OK", "1.204.0"),
    ]


async def test_status_of_a_server_that_is_down_is_an_error_with_its_version() -> None:
    client, _ = make_client("status/read/down.yaml")

    with pytest.raises(
        ServerDown, match=r"version 1\.204\.0--build-1--sha-0000000000, says that it"
    ):
        await client.status()


async def test_views_list() -> None:
    client, transport = make_client("graphql/views/list.yaml")

    repository, view = await client.views().list()

    assert repository == View(
        id="repo-1",
        name="aws",
        description="of the cloud",
        is_repository=True,
        retention=Retention(max_age=timedelta(days=30, hours=12), storage_gb=12.0),
    )
    assert repository.facts == RepositoryFacts(
        kind="DEFAULT",
        data="ANYDATA",
        compressed_bytes=1000,
        uncompressed_bytes=9_000_000_000,
        latest_ingest_at=datetime.fromisoformat("2026-03-10T02:00:00.250Z"),
    )
    assert view == View(
        id="view-1",
        name="soc",
        is_repository=False,
        has_automatic_search=False,
        connections=(
            ViewConnection(repository="aws", filter="#type=cloudtrail"),
            ViewConnection(repository="aws", filter="#type=guardduty", language="xdr1"),
        ),
    )
    assert (view.facts, transport.left) == (None, ())


async def test_ingest_tokens() -> None:
    client, _ = make_client("graphql/views/ingest_tokens.yaml")

    collector, shipper = await client.ingest_tokens("aws").list()

    assert collector == IngestToken(name="collector", secret=SecretText("placeholder-1"))
    assert (shipper.name, shipper.parser) == ("shipper", "json")
    assert "placeholder" not in repr(shipper)


async def test_server_facts() -> None:
    client, _ = make_client("graphql/server/facts.yaml")

    assert await client.facts() == ServerFacts(
        environment="ON_PREM",
        cluster_id="placeholder",
        is_being_updated=False,
        oldest_version="1.204.0--build-1--sha-0000000000",
        max_backfill_runs=None,
        max_csv_bytes=200 * 1024**2,
        max_json_bytes=100 * 1024**2,
    )


async def test_files_with_their_labels() -> None:
    client, transport = make_client("graphql/files/labelled.yaml")

    assert await client.files("fdr").list(with_labels=True) == (
        LookupFile(
            name="runners.csv",
            package="acme/ci",
            labels=("ci", "red"),
            size_bytes=10,
            created_by="jo",
            created_at=datetime.fromisoformat("2026-03-09T02:00:00Z"),
            modified_by="kim",
            modified_at=datetime.fromisoformat("2026-03-10T02:00:00.5Z"),
        ),
    )
    assert transport.left == ()


async def test_rows_of_a_file_page_by_page() -> None:
    client, transport = make_client("graphql/files/rows.yaml")

    assert [row async for row in client.files("fdr").rows("runners.csv")] == [
        {"host": "web-1", "role": "ci"},
        {"host": "web-2", "role": ""},
        {"host": "db-1", "role": "store"},
    ]
    assert transport.left == ()


async def test_query_shape() -> None:
    client, _ = make_client("graphql/server/query_shape.yaml")

    assert await client.views().shape("a=b | count()", view="fdr") == QueryShape(
        is_aggregate=True, is_single_phase=True, filter_part="a=b", suits_filter_alert=False
    )
