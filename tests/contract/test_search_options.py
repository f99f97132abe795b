"""What a search may be asked besides its query: our client against the sandbox, by value."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.client.logscale import LogScale
from orchestrator.client.search.options import DoneCriteria, SearchOptions
from orchestrator.client.search.paging import ExportForm, Paging
from orchestrator.client.search.spec import QuerySpec
from orchestrator.client.types import FieldStats, QueryResult, UsedFile
from orchestrator.client.wire import WireStructuredBatch
from orchestrator.clock import FrozenClock
from orchestrator.errors import QueryRejected
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.settings import SandboxSettings, TokenRole
from orchestrator.secret import SecretText

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SPAN: dict[str, Any] = {"start": NOW - 12 * HOUR, "end": NOW + MINUTE, "deadline": MINUTE}


@pytest.fixture
async def scale() -> AsyncIterator[LogScale]:
    clock = FrozenClock(NOW)
    app: Any = create_app(SandboxSettings(tokens={"t": TokenRole(name="t")}), clock=clock)
    async with LogScale("http://x", token=SecretText("t"), clock=clock, asgi_app=app) as scale:
        await scale.ingest().structured([batch("old", 4)], repository="falcon")
        clock.advance(HOUR)
        await scale.ingest().structured([batch("new", 6)], repository="falcon")
        yield scale
    app.state.sandbox.close()


def batch(kind: str, count: int) -> WireStructuredBatch:
    return WireStructuredBatch(
        tags={},
        events=[
            {"timestamp": (NOW - n * 20 * MINUTE).isoformat(), "attributes": {"kind": kind}}
            for n in range(count)
        ],
    )


async def search(scale: LogScale, query: str, **options: Any) -> QueryResult:
    return await scale.search(
        "falcon",
        query,
        start=NOW - 12 * HOUR,
        end=NOW + MINUTE,
        deadline=MINUTE,
        options=SearchOptions(**options),
    )


async def test_ingest_time_bounds_in_addition_to_the_span(scale: LogScale) -> None:
    late = await search(scale, "groupBy(kind)", ingest_start=NOW + MINUTE)
    early = await search(scale, "groupBy(kind)", ingest_end=NOW + MINUTE)

    assert late.rows == ({"kind": "new", "_count": "6"},)
    assert early.rows == ({"kind": "old", "_count": "4"},)


async def test_distribution_counts_what_matches_by_time(scale: LogScale) -> None:
    found = await search(scale, "kind=old | count()", wants_distribution=True)
    plain = await search(scale, "kind=old | count()")

    assert sum(found.distribution.values()) == 4
    assert all(start.tzinfo is UTC for start in found.distribution)
    assert plain.distribution == {}


async def test_field_stats_tell_how_often_values_occur(scale: LogScale) -> None:
    found = await search(scale, "select(kind)", wants_field_stats=True)

    assert found.field_stats == (
        FieldStats(
            name="kind",
            occurrences=10,
            distinct_values=2,
            top_values={"new": 6, "old": 4},
        ),
    )


@pytest.mark.parametrize(
    ("options", "hour"),
    [
        (SearchOptions(), 0),
        (SearchOptions(time_zone="Asia/Tokyo"), 15),
        (SearchOptions(time_zone_offset=timedelta(hours=-5)), 5),
    ],
    ids=["utc", "name", "offset"],
)
async def test_days_begin_where_the_zone_says(
    scale: LogScale, options: SearchOptions, hour: int
) -> None:
    found = await scale.search(
        "falcon",
        "bucket(span=1d)",
        start=NOW - 12 * HOUR,
        end=NOW + MINUTE,
        deadline=MINUTE,
        options=options,
    )

    assert {int(row["_bucket"]) // 3_600_000 % 24 for row in found.rows} == {hour}


async def test_job_that_may_stop_early_is_not_taken_for_whole(scale: LogScale) -> None:
    found = await search(scale, "count()", done=DoneCriteria(scanned_fraction=0.5))

    assert found.rows == ({"_count": "5"},)
    assert not found.completeness.is_complete
    assert "the job stopped early" in found.completeness.reasons[-1]


async def test_lookup_file_that_was_read_is_named_with_its_content(scale: LogScale) -> None:
    await scale.files("falcon").upload("owners.csv", b"kind,owner\nold,ann\n")
    (listed,) = await scale.files("falcon").list()

    found = await search(scale, 'match(file="owners.csv", field=kind) | count()')

    assert found.files == (
        UsedFile(name="owners.csv", content_hash=str(listed.raw["contentHash"])),
    )


async def test_filter_of_a_dashboard_comes_before_the_query(scale: LogScale) -> None:
    found = await search(scale, "count()", dashboard_filter="kind=new")

    assert found.rows == ({"_count": "6"},)


async def test_every_option_goes_out_as_the_server_spells_it() -> None:
    options = SearchOptions(
        ingest_start=NOW,
        ingest_end=NOW + MINUTE,
        time_zone="UTC",
        time_zone_offset=timedelta(minutes=90),
        bucket_count=50,
        wants_automatic_buckets=True,
        allows_skipping=True,
        no_rows_until_done=True,
        wants_distribution=True,
        wants_field_stats=True,
        done=DoneCriteria(scanned_fraction=0.5, matched_events=7, result_rows=8),
        language="legacy",
        is_interactive=True,
        is_alert_query=True,
        includes_deleted_events=True,
        is_repeating_subquery=True,
        dashboard_filter="a=b",
        dashboard_filter_version="legacy",
        next_run=(NOW, NOW + MINUTE),
        log_fields={"rule": "x"},
    )
    now_ms = 1_773_108_000_000

    assert QuerySpec(query="*", start_ms=1, end_ms=2, options=options).to_wire() == {
        "queryString": "*",
        "start": 1,
        "end": 2,
        "isLive": False,
        "ingestStart": now_ms,
        "ingestEnd": now_ms + 60_000,
        "timeZone": "UTC",
        "timeZoneOffsetMinutes": 90,
        "autobucketCount": 50,
        "wantsAutoBucketing": True,
        "allowEventSkipping": True,
        "noResultUntilDone": True,
        "showQueryEventDistribution": True,
        "computeFieldStats": True,
        "doneCriteria": {
            "fractionOfDataScanned": 0.5,
            "minimumMatchedEvents": 7,
            "minimumResultRows": 8,
        },
        "languageVersion": "legacy",
        "isInteractive": True,
        "isAlertQuery": True,
        "includeDeletedEvents": True,
        "isRepeatingSubquery": True,
        "dashboardFilter": "a=b",
        "dashboardFilterVersion": "legacy",
        "nextRunInterval": {"start": now_ms, "end": now_ms + 60_000},
        "extraLogFields": {"rule": "x"},
    }


async def test_option_that_the_server_refuses_is_told(scale: LogScale) -> None:
    with pytest.raises(QueryRejected, match="Moon/Tycho"):
        await search(scale, "count()", time_zone="Moon/Tycho")


async def test_rows_are_read_in_the_order_and_the_pages_that_are_wanted(scale: LogScale) -> None:
    found = await scale.search(
        "falcon",
        "groupBy(kind)",
        **SPAN,
        paging=Paging(sort_by="_count", descending=True, rows=1),
    )
    other = await scale.search("falcon", "groupBy(kind)", **SPAN, paging=Paging(sort_by="_count"))

    assert [row["_count"] for row in found.rows] == ["6", "4"]
    assert [row["_count"] for row in other.rows] == ["4", "6"]
    assert found.completeness.is_complete
    assert (found.stats.polls, other.stats.polls) == (2, 1)


@pytest.mark.parametrize(
    ("form", "fields", "content"),
    [
        (ExportForm.CSV, ["_count", "kind"], "_count,kind\n6,new\n4,old\n"),
        (
            ExportForm.NDJSON,
            [],
            '{"kind":"new","_count":"6"}\n{"kind":"old","_count":"4"}\n',
        ),
        (ExportForm.JSON, [], '[{"kind":"new","_count":"6"},{"kind":"old","_count":"4"}]'),
        (ExportForm.TEXT, [], "kind->new, _count->6\nkind->old, _count->4\n"),
    ],
)
async def test_rows_are_exported_in_each_form(
    scale: LogScale, form: ExportForm, fields: list[str], content: str
) -> None:
    query = "groupBy(kind) | sort(_count, order=desc)"
    async with scale.export("falcon", query, **SPAN, form=form, fields=fields) as export:
        read = b"".join([chunk async for chunk in export.chunks])

    assert read.decode() == content
    assert export.result.completeness.is_complete


async def test_export_of_csv_without_columns_is_refused_before_the_search(scale: LogScale) -> None:
    with pytest.raises(ValueError, match="names of its columns"):
        async with scale.export("falcon", "count()", **SPAN, form=ExportForm.CSV):
            pass


async def test_export_says_what_its_bytes_cannot(scale: LogScale) -> None:
    async with scale.export("falcon", "kind=* | tail(3)", **SPAN) as export:
        lines = b"".join([chunk async for chunk in export.chunks]).splitlines()
    whole = await scale.search("falcon", "kind=* | tail(3)", **SPAN)

    assert len(lines) == 3
    assert export.result.completeness == whole.completeness
    assert export.result.rows == ()
