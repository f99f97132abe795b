"""Wrong queries, most of them in the manner of another language, and what must be said of them."""

from __future__ import annotations

import pytest

from orchestrator.cql import Level, lint
from tests.unit.cql.proof_sets import Case, read_cases

CASES = read_cases("invalid")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_invalid_query_is_reported_with_place_and_fix(case: Case) -> None:
    found = lint(case.text, kind=case.kind)

    said = [f"{d.span.start} {d.level} {d.code}: {d.message} {d.help}" for d in found]
    unmet = [e for e in case.expected if not any(e.is_met_by(d) for d in found)]
    assert unmet == [], said


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_invalid_query_gives_one_error_for_each_mistake(case: Case) -> None:
    found = lint(case.text, kind=case.kind)

    errors = [f"{d.span.start} {d.code}: {d.message}" for d in found if d.level is Level.ERROR]
    assert len(errors) == sum(e.level is Level.ERROR for e in case.expected), errors
