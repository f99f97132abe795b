"""Cases as data: one line, one claim (tests/data/cql)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from orchestrator.cql import Fix, Level, QueryKind, lint, parse, print_query
from orchestrator.cql.lint import CHECKS
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


def check_cases() -> list[tuple[str, str]]:
    """Return the code and the line of each case of checks.txt."""
    found: list[tuple[str, str]] = []
    code = ""
    for line in lines("checks.txt"):
        if line.startswith("== "):
            code = line.removeprefix("== ")
        else:
            found.append((code, line))
    return found


@pytest.mark.parametrize(("code", "line"), check_cases())
def test_check_says_what_and_where_and_mends_it(code: str, line: str) -> None:
    kind, _, rest = line.partition(" | ")
    text, expected, *fixed = rest.replace("⏎", "\n").split(" ==> ")

    found = [d for d in lint(text, kind=QueryKind(kind)) if d.code == code]

    index = LineIndex(text)
    at = [index.position(d.span.start) for d in found]
    told = " ".join([*{d.level.value for d in found}, *(f"{p.line}:{p.column}" for p in at)])
    assert (told or "-") == expected
    assert apply([d.fix for d in found if d.fix], text) == "".join(fixed or [text])


def apply(fixes: list[Fix], text: str) -> str:
    for fix in sorted(fixes, key=lambda f: f.span, reverse=True):
        text = text[: fix.span.start] + fix.text + text[fix.span.end :]
    return text


def test_every_check_has_a_case_that_it_tells_and_two_near_ones_that_it_does_not() -> None:
    told = Counter(code for code, line in check_cases() if not line.endswith(" ==> -"))
    silent = Counter(code for code, line in check_cases() if line.endswith(" ==> -"))
    # Checks of single calls have their cases one a line, in other files.
    others = "\n".join(path.read_text("utf-8") for path in DATA.glob("*.txt"))

    codes = {check.code for check in CHECKS}

    assert told.keys() <= codes
    assert {code for code in codes - told.keys() if f" {code} " not in others} == set()
    assert {code for code in told if silent[code] < 2} == set()


@pytest.mark.parametrize("line", lines("lint.txt"))
def test_query_is_linted_with_exactly_these_codes(line: str) -> None:
    kind, _, rest = line.partition(" | ")
    text, _, expected = rest.rpartition(" => ")
    text = text.replace("\\n", "\n")

    found = lint(text, kind=QueryKind(kind))

    assert (places(text, [(d.code, d.span.start) for d in found]) or "ok") == expected
