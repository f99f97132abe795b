"""Queries that hold: none may be reported as wrong, and of the clean ones not even a warning."""

from __future__ import annotations

import pytest

from orchestrator.cql import Level, find, lint, parse, walk
from orchestrator.cql.catalogue import functions
from orchestrator.cql.nodes import Call
from tests.unit.cql.proof_sets import Case, read_cases

CASES = read_cases("valid")
CLEAN = [case for case in CASES if case.clean]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_valid_query_gives_no_error(case: Case) -> None:
    found = lint(case.text, kind=case.kind)

    assert [f"{d.code}: {d.message}" for d in found if d.level is Level.ERROR] == []


@pytest.mark.parametrize("case", CLEAN, ids=[case.name for case in CLEAN])
def test_clean_query_gives_no_warning(case: Case) -> None:
    found = lint(case.text, kind=case.kind)

    assert [f"{d.code}: {d.message}" for d in found if d.level is not Level.HINT] == []


def test_valid_queries_call_every_function_of_the_catalogue() -> None:
    called = {
        function.name
        for case in CASES
        for node in walk(parse(case.text).query)
        if isinstance(node, Call) and (function := find(node.name)) is not None
    }

    known = {function.name for function in map(find, functions()) if function is not None}
    assert known - called == set()
