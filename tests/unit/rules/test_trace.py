"""Asking a query which events its rows were made of, without changing the rows."""

from __future__ import annotations

import pytest

from orchestrator.cql.parser import parse_or_raise
from orchestrator.engine.events import Events
from orchestrator.engine.run import Context, run_query
from orchestrator.rules.trace import EVENT_ID, with_event_ids

CONTEXT = Context(start_ms=0, end_ms=1000, now_ms=1000)
EVENTS = [
    {"@timestamp": str(n), "@id": str(n), "host": host, "user": user}
    for n, host, user in [(1, "a", "x"), (2, "a", "y"), (3, "b", "x"), (4, "a", "x")]
]
QUERIES = [
    "groupBy(host)",
    "groupBy([host], limit=max)",
    "groupBy([host], function=count(as=n), limit=max) | n>1",
    "groupBy([host, user], function=[count(as=n), max(@timestamp, as=last)]) | sort(n)",
    "groupBy([host, user], function=count(as=n)) | groupBy(host, function=sum(n, as=all))",
]


@pytest.mark.parametrize("text", QUERIES)
def test_rows_are_otherwise_equal(text: str) -> None:
    query = parse_or_raise(text)

    plain = run_query(query, Events.from_rows(EVENTS), context=CONTEXT).rows
    traced = run_query(with_event_ids(query), Events.from_rows(EVENTS), context=CONTEXT).rows

    assert [{k: v for k, v in row.items() if k != EVENT_ID} for row in traced] == plain


@pytest.mark.parametrize("text", [QUERIES[0], QUERIES[4]])
def test_each_row_names_its_events_through_every_grouping(text: str) -> None:
    query = with_event_ids(parse_or_raise(text))

    rows = run_query(query, Events.from_rows(EVENTS), context=CONTEXT).rows

    assert {row["host"]: sorted(row[EVENT_ID].split("\n")) for row in rows} == {
        "a": ["1", "2", "4"],
        "b": ["3"],
    }


def test_query_without_grouping_is_left_as_it_is() -> None:
    query = parse_or_raise("host=a | user=x")

    assert with_event_ids(query) == query
