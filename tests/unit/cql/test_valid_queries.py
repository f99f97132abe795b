"""Queries that hold: not one may be reported as wrong, and the clean ones are not even warned of."""

from __future__ import annotations

import pytest

from orchestrator.cql import Level, lint
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
