"""Cases as data: one line, one claim (tests/data/cql)."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cql import Level, QueryKind, lint, parse, print_query
from orchestrator.cql.span import LineIndex

DATA = Path(__file__).parents[2] / "data" / "cql"


def lines(name: str) -> list[str]:
    text = (DATA / name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("# ")]


def places(text: str, found: list[tuple[str, int]]) -> str:
    index = LineIndex(text)
    positions = ((code, index.position(start)) for code, start in found)
    return " ".join(f"{code} {at.line}:{at.column}" for code, at in positions)


@pytest.mark.parametrize("text", lines("identity.txt"))
def test_canonical_line_prints_back_as_itself(text: str) -> None:
    parsed = parse(text)

    assert parsed.ok, parsed.diagnostics
    assert print_query(parsed.query) == text


@pytest.mark.parametrize("line", lines("errors.txt"))
def test_wrong_text_is_reported_with_code_and_place(line: str) -> None:
    text, _, expected = line.rpartition(" => ")
    text = text.replace("\\n", "\n")

    errors = [d for d in parse(text).diagnostics if d.level is Level.ERROR]

    assert places(text, [(d.code, d.span.start) for d in errors]) == expected


@pytest.mark.parametrize("line", lines("lint.txt"))
def test_query_is_linted_with_exactly_these_codes(line: str) -> None:
    kind, _, rest = line.partition(" | ")
    text, _, expected = rest.rpartition(" => ")
    text = text.replace("\\n", "\n")

    found = lint(text, kind=QueryKind(kind))

    assert (places(text, [(d.code, d.span.start) for d in found]) or "ok") == expected
