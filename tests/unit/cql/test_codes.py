"""Every code is explained, and what is explained is true."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cql import QueryKind, lint, parse
from orchestrator.cql.fixes import GUESSES
from orchestrator.cql.lint import CHECKS
from orchestrator.cql.lint.codes import codes
from orchestrator.cql.lint.grammar import GRAMMAR_CODES
from orchestrator.cql.lint.page import checks_page
from orchestrator.rules.codes import all_codes

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "orchestrator"
DATA = ROOT / "tests" / "data" / "cql"
# Calls that say something, and the place of the code among their arguments.
_SAYING = {"report": 0, "fail": 0, "_close": 2, "add": 1, "_error": 1}


def calls(folder: str) -> Iterator[ast.Call]:
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield node


def said_codes(folder: str) -> set[str]:
    """Return the codes that the modules of a folder can say, read from their source."""
    found: set[str] = set()
    for call in calls(folder):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        place = _SAYING.get(name)
        values = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
        if place is not None and len(call.args) > place:
            values.append(call.args[place])
        found |= {
            v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)
        }
    return found


@pytest.mark.parametrize("folder", ["cql/parser", "cql/lint", "rules"])
def test_every_code_that_can_be_said_is_explained(folder: str) -> None:
    said = said_codes(folder)

    assert len(said) > 10
    assert said - set(all_codes()) == set()


def queries() -> Iterator[tuple[str, QueryKind]]:
    for line in (DATA / "errors.txt").read_text("utf-8").splitlines():
        yield line.rpartition(" => ")[0].replace("\\n", "\n"), QueryKind.SEARCH
    for line in (DATA / "lint.txt").read_text("utf-8").splitlines():
        kind, _, rest = line.partition(" | ")
        if kind in list(QueryKind):
            yield rest.rpartition(" => ")[0].replace("\\n", "\n"), QueryKind(kind)


def test_levels_and_fixes_are_as_explained() -> None:
    known = codes()
    for text, kind in queries():
        for found in lint(text, kind=kind):
            assert found.level is known[found.code].level, (text, found.code)
            assert found.fix is None or known[found.code].has_fix, (text, found.code)


def test_each_fix_of_the_grammar_is_told_by_its_row() -> None:
    more = [
        "x := = 1", "a | | b", "a like 'x'", "f match { => a }", "f =~ /x/", "CASE { a }",
        "a\u00a0b", "$f", "x := a = b", "count ()", "f(a,)", "a=/[/]/", "a https://",
        "x == 1", "a-b=1", "x := 1 y=2", 'x in ("a")',
    ]  # fmt: skip
    texts = [*more, *(text for text, _ in queries())]

    seen = {found.code for text in texts for found in parse(text).diagnostics if found.fix}

    assert len(seen) >= 17
    assert seen <= {item.code for item in GRAMMAR_CODES if item.has_fix}


def test_guesses_are_codes_with_a_fix() -> None:
    assert all(codes()[code].has_fix for code in GUESSES)


def test_page_holds_every_code_under_its_own_heading() -> None:
    page = checks_page(all_codes())

    for code in all_codes():
        assert page.count(f"\n### {code}\n") == 1
        assert f"[{code}](#{code})" in page
    assert len(CHECKS) < len(all_codes())


def test_page_in_the_docs_is_what_the_checks_say() -> None:
    assert (ROOT / "docs" / "checks.md").read_text("utf-8") == checks_page(all_codes())
