"""Structured events column by column and row by row are the same events."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.sandbox.ingest.columns import structured_frame
from orchestrator.sandbox.ingest.refusals import BodyRefused
from orchestrator.sandbox.ingest.shapes import structured_rows
from orchestrator.sandbox.storage.events import frame_of, rows_of

# Little of everything that decides the way, so that both are taken and every turn in them.
VALUES = st.one_of(
    st.sampled_from(
        [
            "",
            "a",
            "a b",
            'say "x"',
            "C:\\Program Files\\x",
            "a\\b",
            "a\tb",
            "a\x1cb",
            "é\u2028",
            " ",
        ]
    ),
    st.text(max_size=6),
    st.sampled_from([None, 7, 1.50, True, ["a", None], {"b": "c"}, "\ud800"]),
)
TEXTS = st.sampled_from(["a", "b b", 'c"', "d\\ d", "\x00 ", ""])
NAMES = st.sampled_from(["a", "b", "c d", "@rawstring", "@timestamp", "#t", "é"])
STAMPS = st.sampled_from(
    [1, -5, 1_773_108_000_000, "12", "0012", "-3", "2026-03-10T02:00:00Z", "x", 10**30, None, "٣"]
)


def events(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"timestamp": STAMPS, "attributes": st.dictionaries(NAMES, values, max_size=4)},
        optional={"rawstring": TEXTS, "timezone": st.sampled_from(["UTC", None])},
    )


def plain_events() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "timestamp": st.integers(-(10**13), 10**13),
            "attributes": st.dictionaries(NAMES, TEXTS, min_size=1, max_size=4),
        }
    )


def groups(event: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    tags = st.dictionaries(st.sampled_from(["t", "#t", "u"]), TEXTS, max_size=2)
    return st.lists(
        st.fixed_dictionaries({"tags": tags, "events": st.lists(event, max_size=5)}), max_size=3
    )


@given(body=st.one_of(groups(plain_events()), groups(events(VALUES))))
@example(body=[{"tags": {"t": "x"}, "events": [{"timestamp": 1, "attributes": {"#t": "own"}}]}])
@example(
    body=[
        {"tags": {"t": "x"}, "events": [{"timestamp": 1, "attributes": {"#t": "a", "b": "c"}}]},
        {"tags": {}, "events": [{"timestamp": 2, "attributes": {"#t": "own"}}]},
    ]
)
@example(body=[{"tags": {}, "events": [{"timestamp": 1, "attributes": {"a": "\ud800"}}]}])
def test_columns_hold_what_rows_hold(body: list[dict[str, Any]]) -> None:
    content = json.dumps(body).encode()

    by_row = outcome(lambda: frame_of(structured_rows(content)))

    assert outcome(lambda: structured_frame(content)) == by_row


def outcome(make: Callable[[], pl.DataFrame]) -> list[dict[str, str]] | str:
    """Return the rows, or why there are none."""
    try:
        return rows_of(make())
    except BodyRefused as refusal:
        return str(refusal)
