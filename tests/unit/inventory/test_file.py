from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.inventory.sources.base import SourceRead
from orchestrator.inventory.sources.file import MAX_PROBLEMS, read_facts
from tests.unit.inventory.making import NOW, at, table_of

HEADER = "host,account,program,job,valid_from,valid_until\n"
GOOD = "gh-runner-04,ghrunner,/opt/az/bin/*,deploy,2026-03-10T02:00:00Z,2026-03-10T03:30:00Z\n"


def read(tmp_path: Path, text: str, *, name: str = "x.csv", table: str = "pipeline") -> SourceRead:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_facts(path, table_of(table), now=NOW)


def messages(source: SourceRead) -> list[tuple[int, str]]:
    return [(problem.line, problem.message) for problem in source.problems]


def test_read_facts_csv_gives_values_validity_and_place(tmp_path: Path) -> None:
    source = read(tmp_path, HEADER + GOOD)

    assert source.problems == ()
    (fact,) = source.facts
    assert fact.id == "x.csv:2"
    assert fact.values == {
        "host": "gh-runner-04",
        "account": "ghrunner",
        "program": "/opt/az/bin/*",
        "job": "deploy",
    }
    assert (fact.valid_from, fact.valid_until) == (at("02:00"), at("03:30"))


def test_read_facts_open_ends_and_other_zones_are_utc(tmp_path: Path) -> None:
    source = read(tmp_path, HEADER + "h1,u,/bin/x,,2026-03-10T04:00:00+02:00,\n")

    assert source.facts[0].valid_from == at("02:00")
    assert source.facts[0].valid_until is None


def test_read_facts_ndjson_lists_are_alternatives(tmp_path: Path) -> None:
    line = '{"application": "Rooms", "actor": ["a@x", "b@x"], "valid_until": null}\n'
    source = read(tmp_path, line, name="apps.ndjson", table="approved_app")

    assert source.problems == ()
    assert source.facts[0].values == {"application": "Rooms", "actor": "a@x\nb@x"}


def test_read_facts_as_of_comment_wins_over_the_file_time(tmp_path: Path) -> None:
    source = read(tmp_path, "# exported nightly\n# as_of: 2026-03-10T01:00:00Z\n" + HEADER + GOOD)

    assert source.as_of == at("01:00")
    assert source.facts[0].id == "x.csv:4"


def test_read_facts_without_as_of_takes_the_file_time(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(HEADER + GOOD)
    os.utime(path, (1_773_100_800, 1_773_100_800))

    source = read_facts(path, table_of("pipeline"), now=NOW)

    assert source.as_of == datetime.fromtimestamp(1_773_100_800, UTC)


def test_read_facts_byte_order_mark_is_tolerated(tmp_path: Path) -> None:
    assert len(read(tmp_path, "\ufeff" + HEADER + GOOD).facts) == 1


def test_read_facts_quoted_cell_of_several_lines_counts_lines_right(tmp_path: Path) -> None:
    text = 'application,actor\nRooms,"a@x\nb@x"\nOther,\n'
    source = read(tmp_path, text, table="approved_app")

    assert messages(source) == [(4, "actor is empty")]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("host,acount,program\n", 1, "unknown column 'acount'"),
        ("host,program\nh1,/bin/x\n", 1, "column account is missing"),
        ("host,host,account,program\n", 1, "column host comes twice"),
        (HEADER + "h1,u,/bin/x\n", 2, "3 cells under 6 columns"),
        (HEADER + ",u,/bin/x,,,\n", 2, "host is empty"),
        (HEADER + "h1,-,/bin/x,,,\n", 2, "account is a placeholder"),
        (HEADER + "localhost,u,/bin/x,,,\n", 2, "localhost names no single host"),
        (HEADER + "10.0.0.1,u,/bin/x,,,\n", 2, "10.0.0.1 names no single host"),
        (HEADER + "h1,u,*,,,\n", 2, "* matches nearly everything"),
        (HEADER + "h1,u,/*/*,,,\n", 2, "/*/* matches nearly everything"),
        (
            HEADER + "h1,u,/bin/x,,2026-03-10T03:00:00Z,2026-03-10T03:00:00Z\n",
            2,
            "valid_until is not after valid_from",
        ),
        (HEADER + GOOD + GOOD, 3, "the same fact as line 2"),
        (HEADER + 'h1,u,"/bin/x,,,\n', 2, "not CSV: unexpected end of data"),
    ],
)
def test_read_facts_wrong_row_refuses_the_file_and_names_the_line(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    """Fault D7 among them: a pattern that would excuse everything."""
    source = read(tmp_path, text)

    assert (line, message) in messages(source)
    assert source.facts == ()


def test_read_facts_unknown_column_names_the_nearest(tmp_path: Path) -> None:
    (problem,) = read(tmp_path, "host,account,program,repositry\n").problems

    assert str(problem).endswith("x.csv:1: unknown column 'repositry'. Did you mean repository?")


def test_read_facts_time_without_zone_is_refused(tmp_path: Path) -> None:
    source = read(tmp_path, HEADER + "h1,u,/bin/x,,2026-03-10T02:00:00,tomorrow\n")

    assert [message for _, message in messages(source)] == [
        "valid_from: '2026-03-10T02:00:00' has no zone; end it with Z for UTC",
        "valid_until: 'tomorrow' is not a time; write 2026-03-10T02:00:00Z",
    ]


def test_read_facts_collects_the_problems_of_all_rows(tmp_path: Path) -> None:
    source = read(tmp_path, HEADER + ",u,/bin/x,,,\n" + GOOD + "h1,,/bin/x,,,\n")

    assert messages(source) == [(2, "host is empty"), (4, "account is empty")]
    assert source.facts == ()


def test_read_facts_very_many_problems_are_counted(tmp_path: Path) -> None:
    source = read(tmp_path, HEADER + ",u,/bin/x,,,x\n" * (MAX_PROBLEMS * 2))

    assert len(source.problems) == MAX_PROBLEMS + 1
    assert source.problems[-1].message.endswith("more problems are not listed")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", "not an object"),
        ('{"host": "h1"', "not JSON: Expecting ',' delimiter: line 1 column 14 (char 13)"),
        ('{"host": "h1", "host": "h2"}', "not JSON: a key comes twice"),
        ('{"host": 5, "account": "u"}', "host is neither text nor a list of text"),
        ('{"hst": "h1", "account": "u"}', "unknown column 'hst'"),
        ('{"account": "u"}', "host is empty"),
        ("[" * 100_000, "not JSON: maximum recursion depth exceeded while decoding a JSON array"),
    ],
)
def test_read_facts_wrong_ndjson_is_refused_by_line(
    tmp_path: Path, line: str, message: str
) -> None:
    source = read(tmp_path, "\n" + line + "\n", name="x.ndjson", table="runner")

    assert any(place == 2 and text.startswith(message[:40]) for place, text in messages(source)), (
        messages(source)
    )
    assert source.facts == ()


def test_read_facts_missing_file_says_so(tmp_path: Path) -> None:
    source = read_facts(tmp_path / "no.csv", table_of("host"), now=NOW)

    assert messages(source) == [(0, "cannot be read: No such file or directory")]
    assert source.as_of is None


def test_read_facts_directory_or_device_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/null")):
        source = read_facts(path, table_of("host"), now=NOW)

        assert messages(source) == [(0, "not a regular file")]


def test_read_facts_other_suffix_is_refused(tmp_path: Path) -> None:
    assert messages(read(tmp_path, "x", name="x.txt")) == [(0, ".txt is unknown")]


def test_read_facts_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(HEADER.encode() + b"h\xe9,u,/bin/x,,,\n")

    assert messages(read_facts(path, table_of("pipeline"), now=NOW)) == [(2, "not UTF-8")]


def test_read_facts_as_of_ahead_of_the_clock_is_refused(tmp_path: Path) -> None:
    """Such a file would never become stale."""
    source = read(tmp_path, "# as_of: 2099-01-01T00:00:00Z\n" + HEADER + GOOD)

    assert messages(source) == [(1, "as_of lies in the future")]


def test_read_facts_unreadable_as_of_is_refused(tmp_path: Path) -> None:
    source = read(tmp_path, "# as_of: yesterday\n" + HEADER + GOOD)

    assert messages(source) == [(1, "as_of: 'yesterday' is not a time; write 2026-03-10T02:00:00Z")]
    assert source.facts == ()
