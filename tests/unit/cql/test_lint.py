from __future__ import annotations

from collections import Counter

import pytest

from orchestrator.cql import Level, QueryKind, find, lint, render
from orchestrator.cql.catalogue import FunctionKind, functions
from orchestrator.cql.lint import CHECKS

BROKEN = r"""// cloud keys read by processes that should not
#kind in ("Open", "Connect")
| case {
    // by network
    #kind = "Connect" AND Address = "192.0.2.7"
    | where not Program = /agent\.exe|update\.exe/i
    | group := "network"
    | points := 3;

    // by file
    #kind in ("Open")
    | where not Program = /(reader)(\.exe)?$|^tool$/
    | group := case(
        Path = /\.aws\/|x/i, "aws",
        "other"
      )
    | points := 2;

    * | drop()
  }
| groupBy([Host, group], function=[
    count(as=n),
    max(@timestamp, as=last),
    collect(Command, limit=5, as=commands)
  ])
| label := case(n >= 3, "HIGH", "LOW")
| sort(last, order=desc)
"""


def test_broken_query_gives_each_mistake_once_and_nothing_else() -> None:
    found = Counter((d.code, d.level.value) for d in lint(BROKEN, kind=QueryKind.SEARCH))

    assert found == {
        ("infix-in", "error"): 2,
        ("foreign-word", "error"): 2,
        ("case-call", "error"): 2,
        ("regex-in-expression", "error"): 1,
        ("drop-without-fields", "error"): 1,
        ("collect-as", "error"): 1,
        ("default-limit", "hint"): 2,
        ("field-lost", "hint"): 1,
    }


def test_diagnostics_stand_in_order_of_place() -> None:
    starts = [d.span.start for d in lint(BROKEN, kind=QueryKind.SEARCH)]

    assert starts == sorted(starts)


def test_codes_of_checks_are_unique_and_explained() -> None:
    codes = [check.code for check in CHECKS]

    assert len(codes) == len(set(codes))
    assert all(check.about and check.source for check in CHECKS)


def test_catalogue_holds_every_function_whatever_the_case() -> None:
    function = find("GROUPBY")

    assert function is not None
    assert (function.name, function.kind, function.unnamed) == (
        "groupBy",
        FunctionKind.AGGREGATE,
        "field",
    )
    assert len({f.name for f in functions().values()}) == 196


@pytest.mark.parametrize("name", ["", "nothing", "where"])
def test_catalogue_does_not_know_other_words(name: str) -> None:
    assert find(name) is None


def test_render_shows_line_carets_and_help() -> None:
    text = "a=1\n| b == 2"
    (found,) = lint(text, kind=QueryKind.SEARCH)

    assert render(found, text=text, path="q.cql", colour=False).splitlines() == [
        "error[double-equals]: A filter compares with a single `=`; `==` is an expression's.",
        "  --> q.cql:2:5",
        "  |",
        "2 | | b == 2",
        "  |     ^^",
        "  = help: Write `=`, or `test(a == b)` to compare two fields.",
        "  = fix: compare with =",
        "2 - | b == 2",
        "2 + | b = 2",
    ]


def test_render_at_the_end_of_the_text_still_points() -> None:
    found = lint("a and", kind=QueryKind.SEARCH)[0]

    assert found.level is Level.ERROR
    assert "     ^" in render(found, text="a and", path="", colour=False)
