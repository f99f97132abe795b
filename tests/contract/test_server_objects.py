"""Repositories, views, rights and query checks: our client against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.client.types import (
    LookupFile,
    LookupRows,
    QueryShape,
    RepositoryFacts,
    Retention,
    SavedQuery,
    View,
    ViewConnection,
)
from orchestrator.errors import (
    Forbidden,
    GraphqlError,
    NotFound,
    RequestRejected,
    UnknownRepository,
)
from orchestrator.sandbox.settings import TokenRole
from tests.contract.objects_stage import HOUR, client_of, sandbox


@pytest.fixture
def app() -> Iterator[Any]:
    with sandbox() as made:
        yield made


BOTH = (
    ViewConnection(repository="falcon", filter="a=b"),
    ViewConnection(repository="raw", filter="*"),
)


async def test_views_through_their_whole_life(app: Any) -> None:
    async with client_of(app) as scale:
        views = scale.views()
        await views.create_repository("raw", description="for tests")
        await views.create_view("both", BOTH)
        listed = await views.list()
        await views.update_view(listed[0], [ViewConnection(repository="raw", filter="c=d")])
        changed = {view.name: view.connections for view in await views.list()}
        with pytest.raises(GraphqlError):
            await views.create_repository("raw")
        await views.delete("both", reason="test is over")
        await views.delete("raw", reason="test is over")
        left = [view.name for view in await views.list()]

    both, falcon, raw = listed
    assert both.connections == BOTH
    assert (both.is_repository, falcon.is_repository) == (False, True)
    assert raw == View(id=raw.id, name="raw", description="for tests", is_repository=True)
    assert changed["both"] == (ViewConnection(repository="raw", filter="c=d"),)
    assert left == ["falcon"]


async def test_view_keeps_each_connection_when_it_is_read_and_written(app: Any) -> None:
    two = (
        ViewConnection(repository="falcon", filter="a=b"),
        ViewConnection(repository="falcon", filter="c=d", language="xdr1"),
    )
    async with client_of(app) as scale:
        views = scale.views()
        await views.create_view("twice", two)
        before = next(view for view in await views.list() if view.name == "twice")
        more = ViewConnection(repository="falcon", filter="e=f")
        await views.update_view(before, [*before.connections, more])
        after = next(view for view in await views.list() if view.name == "twice")
        await scale.ingest().structured(
            [{"tags": {}, "events": [{"timestamp": 1, "attributes": {"a": "b", "c": "d"}}]}],
            repository="falcon",
        )
        start, end = datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC)
        found = await scale.search("twice", "*", start=start, end=end, deadline=HOUR)

    assert before.connections == two
    assert before.repositories == ("falcon",)
    assert after.connections == (*two, more)
    # An event that two connections let through is there once.
    assert [row["a"] for row in found.rows] == ["b"]


async def test_repository_is_set_up_and_read_back(app: Any) -> None:
    day = timedelta(days=1)
    async with client_of(app) as scale:
        views = scale.views()
        await views.create_repository("raw", max_age=36 * HOUR, max_storage_bytes=5 * 1024**3)
        made = await views.get("raw")
        await views.set_retention("raw", Retention(max_age=30.5 * day, ingest_gb=2.5))
        await views.describe("raw", "of the west")
        await views.set_automatic_search("raw", is_on=False)
        changed = await views.get("raw")
        await views.set_retention("raw", Retention())
        free = await views.get("raw")
        await scale.ingest().hec([{"event": "a=b", "index": "falcon"}])
        full = await views.get("falcon")
        with pytest.raises(GraphqlError, match="timeBasedRetention: must be positive"):
            await views.set_retention("raw", Retention(max_age=-day))
        with pytest.raises(UnknownRepository, match="no repository or view 'void'"):
            await views.get("void")

    assert made.retention == Retention(max_age=36 * HOUR, storage_gb=5)
    assert made.facts == RepositoryFacts(
        kind="DEFAULT",
        data="ANYDATA",
        compressed_bytes=0,
        uncompressed_bytes=0,
        latest_ingest_at=None,
    )
    assert changed == View(
        id=made.id,
        name="raw",
        description="of the west",
        is_repository=True,
        has_automatic_search=False,
        retention=Retention(max_age=30.5 * day, ingest_gb=2.5),
    )
    assert free.retention == Retention()
    assert full.facts is not None
    assert full.facts.latest_ingest_at == datetime(2026, 3, 10, tzinfo=UTC)
    assert full.facts.compressed_bytes > 0


async def test_view_that_somebody_else_changed_is_left_as_it_is(app: Any) -> None:
    async with client_of(app) as scale:
        views = scale.views()
        await views.create_view("both", [ViewConnection(repository="falcon")])
        mine = (await views.list())[0]
        theirs = (ViewConnection(repository="falcon", filter="a=b"),)
        await views.update_view(mine, theirs)

        with pytest.raises(RequestRejected, match="connections of both changed since it was read"):
            await views.update_view(mine, [ViewConnection(repository="falcon", filter="c=d")])

        left = (await views.list())[0]
        await views.delete("both", reason="over")
        with pytest.raises(NotFound, match="both is gone"):
            await views.update_view(left, theirs)

    assert left.connections == theirs


async def test_token_is_told_what_it_may_do(app: Any) -> None:
    async with client_of(app) as scale, client_of(app, "reader-token") as reader:
        viewer = await reader.views().viewer()
        allowed = await scale.views().allowed_actions("falcon")
        read_only = await reader.views().allowed_actions("falcon")
        with pytest.raises(Forbidden):
            await reader.views().create_repository("mine")
        packages = await reader.packages("falcon").list()

    assert (viewer.name, viewer.is_root) == ("reader", False)
    assert {"ReadEvents", "ChangeTriggers", "ChangeFiles"} <= allowed
    assert "ReadEvents" in read_only
    assert "ChangeTriggers" not in read_only
    assert packages == ()


async def test_query_is_validated_by_the_server(app: Any) -> None:
    async with client_of(app) as scale:
        assert await scale.views().validate("a=b | count()") == ()
        (problem, *_) = await scale.views().validate("x = | count(")

    assert problem.severity == "Error"
    assert problem.message != ""


@pytest.mark.parametrize(
    ("query", "alert_type", "codes"),
    [
        ("a=b", "FilterAlert", []),
        ("a=b | count()", "AggregateAlert", []),
        ("join({a=b}, field=x)", "LegacyAlert", []),
        ("x = | count(", "", None),
        ('$known() | match(file="known.csv", field=a)', "FilterAlert", []),
        (
            '$unknown() | match(file="unknown.csv", field=a)',
            "",
            ["unknown-saved-query", "unknown-file"],
        ),
        ('a=b | Format("%s", field=a) | sort(a)', "", ["function-rejected"]),
    ],
)
async def test_query_is_analyzed_by_the_server(
    app: Any, query: str, alert_type: str, codes: list[str] | None
) -> None:
    async with client_of(app) as scale:
        await scale.assets("falcon").create(SavedQuery(name="known", query="a=b"))
        await scale.files("falcon").upload("known.csv", b"a\n1\n")

        found = await scale.views().analyze(
            query, view="falcon", arguments={"x": "1"}, reject_functions=["format"]
        )

    assert found.alert_type == alert_type
    assert found.is_valid is bool(alert_type)
    assert found.is_valid is not any(problem.severity == "Error" for problem in found.problems)
    if codes is not None:
        assert [problem.code for problem in found.problems] == codes


@pytest.mark.parametrize(
    ("query", "shape"),
    [
        (
            "a=b | c=d",
            QueryShape(
                is_aggregate=False,
                is_single_phase=True,
                filter_part="a=b | c=d",
                suits_filter_alert=True,
            ),
        ),
        (
            "a=b | count()",
            QueryShape(
                is_aggregate=True,
                is_single_phase=True,
                filter_part="a=b",
                suits_filter_alert=False,
            ),
        ),
    ],
)
async def test_query_has_a_shape(app: Any, query: str, shape: QueryShape) -> None:
    async with client_of(app) as scale:
        assert await scale.views().shape(query, view="falcon") == shape


async def test_query_with_another_before_it_has_two_phases(app: Any) -> None:
    async with client_of(app) as scale:
        found = await scale.views().shape("join({a=b}, field=x)", view="falcon")
        with pytest.raises(GraphqlError):
            await scale.views().shape("x = | count(", view="falcon")

    assert (found.is_single_phase, found.suits_filter_alert) == (False, False)


async def test_query_is_analyzed_without_a_view(app: Any) -> None:
    async with client_of(app) as scale:
        found = await scale.views().analyze("$anywhere()")
        with pytest.raises(GraphqlError, match="Could not find a search domain"):
            await scale.views().analyze("a=b", view="nowhere")

    assert (found.is_valid, found.problems) == (True, ())


async def test_rows_of_a_lookup_file_are_read_and_written(app: Any) -> None:
    async with client_of(app) as scale:
        files = scale.files("falcon")
        empty = await files.create("hosts.csv")
        columns = ("host", "role")
        await files.replace_rows("hosts.csv", empty, ROWS, columns=columns)
        some = await files.page("hosts.csv", offset=1, limit=2)
        chosen = await files.page("hosts.csv", containing="web-4")
        await files.replace_rows("hosts.csv", some, [["db-1", "store"]])
        with pytest.raises(RequestRejected, match=r"hosts\.csv in falcon changed since it was"):
            await files.replace_rows("hosts.csv", some, [])
        end = await files.page("hosts.csv", offset=449)
        await files.replace_rows("hosts.csv", end, [["last", "a,b"]])
        read = [row async for row in files.rows("hosts.csv")]
        found = [row["host"] async for row in files.rows("hosts.csv", containing="web-44")]
        content = await files.download("hosts.csv")
        with pytest.raises(GraphqlError, match=r"'gone\.csv' does not exist"):
            await files.page("gone.csv")

    assert empty == LookupRows(columns=(), rows=(), offset=0, total=0)
    assert some == LookupRows(columns=columns, rows=ROWS[1:3], offset=1, total=450)
    assert (chosen.total, chosen.rows[0], chosen.containing) == (61, ("web-4", "ci"), "web-4")
    assert end == LookupRows(columns=columns, rows=(), offset=449, total=449)
    assert len(read) == 450
    assert [read[0], read[1], read[2], read[-1]] == [
        {"host": "web-0", "role": "ci"},
        {"host": "db-1", "role": "store"},
        {"host": "web-3", "role": "ci"},
        {"host": "last", "role": "a,b"},
    ]
    assert found == ["web-44", *(f"web-44{n}" for n in range(10))]
    assert content.startswith(b"host,role\nweb-0,ci\ndb-1,store\nweb-3,ci\n")


ROWS = tuple((f"web-{n}", "ci") for n in range(450))


async def test_lookup_file_says_who_made_it_and_how_large_it_is(app: Any) -> None:
    async with client_of(app) as scale:
        files = scale.files("falcon")
        await files.upload("a.csv", b"k,v\n1,2\n")
        (made,) = await files.list()
        app.state.sandbox.clock.advance(HOUR)
        changer = TokenRole(name="changer")
        app.state.sandbox.tokens["changer-token"] = changer
        async with client_of(app, "changer-token") as other:
            await other.files("falcon").upload("a.csv", b"k,v\n")
        (changed,) = await files.list()

    start = datetime(2026, 3, 10, tzinfo=UTC)
    assert made == LookupFile(
        name="a.csv",
        size_bytes=8,
        created_by="admin",
        created_at=start,
        modified_by="admin",
        modified_at=start,
    )
    assert changed == replace(made, size_bytes=4, modified_by="changer", modified_at=start + HOUR)
