"""Runs every case of tests/data/engine/*.toml: a query, events, and the rows that must come out.

A case's `source` says where the expectation is from: a page of the product's documentation, or
`choice` where the documentation is silent and the engine's own documented choice is meant.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.events import Events
from orchestrator.engine.lookups import Lookup
from orchestrator.engine.run import Context, run_query
from orchestrator.engine.support import supported
from orchestrator.errors import CqlError

DATA = Path(__file__).parents[2] / "data" / "engine"
CASES = [
    pytest.param(case, id=f"{path.stem}-{case['name']}")
    for path in sorted(DATA.glob("*.toml"))
    for case in tomllib.loads(path.read_text("utf-8"))["case"]
]


def context_of(case: dict[str, Any]) -> Context:
    lookups = {name: Lookup.from_csv(text) for name, text in case.get("files", {}).items()}
    return Context(
        start_ms=case.get("start_ms", 0),
        end_ms=case.get("end_ms", 1_000_000),
        now_ms=case.get("now_ms", 1_000_000),
        arguments=case.get("arguments", {}),
        saved=case.get("saved", {}),
        lookups=lookups,
    )


def events_of(case: dict[str, Any]) -> Events:
    return Events.from_rows(
        {"@timestamp": str(1000 * i), "@id": str(i), "@rawstring": "", **event}
        for i, event in enumerate(case.get("events", []))
    )


@pytest.mark.parametrize("case", CASES)
def test_case_gives_its_rows(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(CqlError) as caught:
            run_query(case["query"], events_of(case), context=context_of(case))
        assert case["error"] in f"{type(caught.value).__name__}: {caught.value}"
        return

    result = run_query(case["query"], events_of(case), context=context_of(case))

    hidden = set() if result.is_aggregate else {"@id", "@timestamp", "@ingesttimestamp"}
    hidden |= {"@rawstring"}
    rows = [{k: v for k, v in row.items() if k not in hidden - set(case.get("show", []))}
            for row in result.rows]  # fmt: skip
    assert rows == case["rows"]
    assert any(case.get("warning", "") in text for text in (*result.warnings, ""))


def test_every_supported_function_has_a_case() -> None:
    texts = " ".join(str(param.values[0]["query"]) for param in CASES)  # type: ignore[index]
    lacking = sorted(name for name in supported() if f"{name}(" not in texts)

    assert lacking == []


def test_every_case_names_its_source() -> None:
    lacking = [param.id for param in CASES if not param.values[0].get("source")]  # type: ignore[union-attr]

    assert lacking == []
