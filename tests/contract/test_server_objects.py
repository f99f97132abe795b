"""Repositories, views, rights and query checks: our client against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.client.types import (
    SavedQuery,
    View,
)
from orchestrator.errors import Forbidden, GraphqlError
from tests.contract.objects_stage import (
    client_of,
    sandbox,
)


@pytest.fixture
def app() -> Iterator[Any]:
    with sandbox() as made:
        yield made


async def test_views_through_their_whole_life(app: Any) -> None:
    async with client_of(app) as scale:
        views = scale.views()
        await views.create_repository("raw", description="for tests")
        await views.create_view("both", {"falcon": "a=b", "raw": "*"})
        listed = await views.list()
        await views.update_view("both", {"raw": "c=d"})
        changed = {view.name: view.connections for view in await views.list()}
        with pytest.raises(GraphqlError):
            await views.create_repository("raw")
        await views.delete("both", reason="test is over")
        await views.delete("raw", reason="test is over")
        left = [view.name for view in await views.list()]

    both, falcon, raw = listed
    assert both.connections == {"falcon": "a=b", "raw": "*"}
    assert (both.is_repository, falcon.is_repository) == (False, True)
    assert raw == View(id=raw.id, name="raw", description="for tests", is_repository=True)
    assert changed["both"] == {"raw": "c=d"}
    assert left == ["falcon"]


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


async def test_query_is_analyzed_without_a_view(app: Any) -> None:
    async with client_of(app) as scale:
        found = await scale.views().analyze("$anywhere()")
        with pytest.raises(GraphqlError, match="Could not find a search domain"):
            await scale.views().analyze("a=b", view="nowhere")

    assert (found.is_valid, found.problems) == (True, ())
