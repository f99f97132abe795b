"""Runs every case of tests/data/engine/*.toml: a query, events, and the rows that must come out.

A case's `source` says where the expectation is from: a page of the product's documentation
(library.humio.com, data-analysis/ or examples/), or `choice` where the documentation is silent or
contradicts itself and the engine's own documented choice is meant.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cql.catalogue import find
from orchestrator.cql.nodes import Call
from orchestrator.cql.parser import parse_or_raise
from orchestrator.cql.walk import walk
from orchestrator.engine.events import Events
from orchestrator.engine.run import Context, run_query
from orchestrator.engine.sources.lookups import Lookup
from orchestrator.engine.sources.providers import Indicator, Network, Place, Providers
from orchestrator.engine.support import supported
from orchestrator.errors import CqlError

DATA = Path(__file__).parents[2] / "data" / "engine"
CASES = [
    pytest.param(case, id=f"{path.stem}-{case['name']}")
    for path in sorted(DATA.glob("*.toml"))
    for case in tomllib.loads(path.read_text("utf-8"))["case"]
]


class Addresses:
    """Places and networks from a case's own table."""

    def __init__(self, table: dict[str, dict[str, Any]]) -> None:
        self._table = table

    def place(self, address: str) -> Place | None:
        row = self._table.get(address)
        if row is None:
            return None
        return Place(
            country=row.get("country"),
            city=row.get("city"),
            latitude=row.get("lat"),
            longitude=row.get("lon"),
        )

    def network(self, address: str) -> Network | None:
        row = self._table.get(address)
        return None if row is None else Network(number=row["asn"], organization=row.get("org"))


def providers_of(case: dict[str, Any]) -> Providers:
    addresses = Addresses(case["addresses"]) if "addresses" in case else None
    indicators = [
        Indicator(
            type=row["type"],
            indicator=row["indicator"],
            confidence=row["malicious_confidence"],
            columns=row,
        )
        for row in case.get("indicators", [])
    ]
    return Providers(
        places=addresses,
        networks=addresses,
        indicators=tuple(indicators) if "indicators" in case else None,
        host_names=case.get("host_names"),
        salts=case.get("salts"),
    )


def context_of(case: dict[str, Any]) -> Context:
    lookups = {name: Lookup.from_csv(text) for name, text in case.get("files", {}).items()}
    return Context(
        start_ms=case.get("start_ms", 0),
        end_ms=case.get("end_ms", 1_000_000),
        now_ms=case.get("now_ms", 1_000_000),
        arguments=case.get("arguments", {}),
        saved=case.get("saved", {}),
        lookups=lookups,
        providers=providers_of(case),
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


def functions_of(case: dict[str, Any]) -> set[str]:
    """Return the functions that a case calls, its saved queries' too; none if it is refused."""
    if "error" in case:
        return set()
    texts = [case["query"], *case.get("saved", {}).values()]
    calls = [n for text in texts for n in walk(parse_or_raise(text)) if isinstance(n, Call)]
    return {function.name for call in calls if (function := find(call.name)) is not None}


def test_every_supported_function_has_a_case() -> None:
    proven = set().union(*(functions_of(param.values[0]) for param in CASES))  # type: ignore[arg-type]

    assert supported() - proven == set()


def test_every_case_names_its_source() -> None:
    lacking = [param.id for param in CASES if not param.values[0].get("source")]  # type: ignore[union-attr]

    assert lacking == []


def test_case_names_are_unique() -> None:
    ids = [param.id for param in CASES]

    assert sorted(set(ids)) == sorted(ids)  # type: ignore[type-var]
