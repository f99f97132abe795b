"""The command that counts published queries: what it takes for a query, and what it prints."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.corpus import main, of_markdown, of_yaml, queries

DASHBOARD = """
name: d
sections: {a: {title: x}}
widgets:
  one:
    type: query
    queryString: |-
      a=1
      | count()
  two:
    queryString: "b=2"
parameters:
  p:
    type: query
    query: c=3
    queryStart: 1d
"""


def test_yaml_gives_the_texts_under_the_keys_of_queries_at_any_depth() -> None:
    assert list(of_yaml(DASHBOARD)) == ["a=1\n| count()", "b=2", "c=3"]


@pytest.mark.parametrize("text", ["a: [", "query: {a: 1}", "just text", "", "cql: 5"])
def test_yaml_without_a_query_gives_nothing(text: str) -> None:
    assert list(of_yaml(text)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# T\n```cql\nanything\n```\n", ["anything\n"]),
        ("```\n#event_simpleName=A\n| count()\n```", ["#event_simpleName=A\n| count()\n"]),
        ("```\na=1\n| groupBy(b)\n```", ["a=1\n| groupBy(b)\n"]),
        ("- x\n  ```\n  a := 1\n  ```\n", ["a := 1\n"]),
        ("```bash\ncount()\n```", []),
        ("```\nls -l\n```", []),
        ('```\n{"a": "count(x)"}\n```', []),
        ("```\nindex=main | stats count() by x\n```", []),
        ("```\nx := 1\n| stats count by x\n```", []),
        ("```\nnever closed := 1\n", []),
    ],
)
def test_markdown_gives_the_blocks_that_are_cql(text: str, expected: list[str]) -> None:
    assert list(of_markdown(text)) == expected


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text(DASHBOARD)
    (tmp_path / "b.logscale").write_text("a=1\r\n| count()\r\n")
    (tmp_path / "c.logscale").write_text("x == 1\n| y == 2")
    (tmp_path / "note.txt").write_text("x == 3")
    (tmp_path / "empty.cql").write_text(" \n")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as package:
        package.writestr("dashboards/d.yaml", "queryString: d=4\n")
        package.writestr("queries/e.yaml", "queryString: b=2\n")
    return tmp_path


def test_each_distinct_text_of_a_checkout_is_one_query_under_its_first_place(
    checkout: Path,
) -> None:
    found = [(query.place, query.text.strip()) for query in queries(checkout)]

    assert found == [
        ("a.yaml", "a=1\n| count()"),
        ("a.yaml", "b=2"),
        ("a.yaml", "c=3"),
        ("c.logscale", "x == 1\n| y == 2"),
        ("p.zip!dashboards/d.yaml", "d=4"),
    ]


def test_command_says_how_many_are_read_and_where_the_others_fail(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(checkout), "--json"]) == 0

    figures = json.loads(capsys.readouterr().out)
    assert (figures["queries"], figures["without_error"], figures["percent"]) == (5, 4, 80.0)
    assert figures["codes"] == {"double-equals": 2}
    (refused,) = figures["refused"]
    assert refused["place"] == "c.logscale"
    assert [error.split(" ")[0] for error in refused["errors"]] == ["1:3", "2:5"]


def test_command_counts_errors_of_the_checks_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.cql").write_text("where a=1")

    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path), "--lint"]) == 0

    first, second = capsys.readouterr().out.split("a.cql")
    assert first == "1 of 1 queries, 100.0 %\n"
    assert "1:1 foreign-word" in second
    assert second.endswith("0 of 1 queries, 0.0 %\n")
