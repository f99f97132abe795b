"""`orchestrator query`: rows on standard output, talk on standard error, exit codes, formats."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli.main import cli
from orchestrator.cli.rows import defused
from orchestrator.cql.catalogue import functions

ROOT = Path(__file__).parents[3]


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "day.ndjson"
    path.write_text(
        '{"timestamp":"1000","aid":"a1","UserName":"ann","cmd":"=1+1"}\n'
        '{"timestamp":"2000","aid":"a2","UserName":"bob\\u001b[2J","cmd":"-5"}\n'
        "not json\n"
        '{"timestamp":"3000","aid":"a1","UserName":"ann","cmd":"x, \\"y\\""}\n'
    )
    return path


def run(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["query", "run", *map(str, arguments)], input=stdin)


def test_rows_go_out_and_talk_goes_to_standard_error(events: Path) -> None:
    result = run("groupBy(aid)", "-e", events, "--format", "json")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == [
        {"aid": "a1", "_count": "2"}, {"aid": "a2", "_count": "1"},
    ]  # fmt: skip
    assert "warning: day.ndjson:3: not JSON" in result.stderr
    assert "2 rows from 3 events in 1 file" in result.stderr


def test_query_is_read_from_a_file_or_from_standard_input(events: Path, tmp_path: Path) -> None:
    (tmp_path / "q.cql").write_text("count()")

    by_file = run(tmp_path / "q.cql", "-e", events, "--format", "ndjson")
    by_pipe = run("-", "-e", events, "--format", "ndjson", stdin="count()")

    assert by_file.stdout == by_pipe.stdout == '{"_count": "3"}\n'


def test_table_shows_control_characters_and_cuts_with_a_note(events: Path) -> None:
    result = run("select([UserName])", "-e", events, "--limit", "2")

    assert "bob\\u001b[2J" in result.stdout
    assert "\x1b" not in result.stdout
    assert "the first 2 of 3 rows are shown" in result.stderr


def test_table_of_events_shows_time_first_and_says_which_fields_it_leaves_out(
    tmp_path: Path,
) -> None:
    path = tmp_path / "wide.ndjson"
    path.write_text(json.dumps({f"f{n}": "x" for n in range(30)} | {"timestamp": "7"}))

    result = run("f1=x", "-e", path)

    assert result.stdout.split()[0] == "@timestamp"
    assert "more fields are not shown" in result.stderr


def test_csv_defuses_formulas_unless_told_not_to(events: Path) -> None:
    safe = run("table([cmd], sortby=@timestamp, order=asc)", "-e", events, "--format", "csv")
    exact = run("select([cmd])", "-e", events, "--format", "csv", "--exact-csv")

    assert list(csv.reader(io.StringIO(safe.stdout))) == [["cmd"], ["'=1+1"], ["-5"], ['x, "y"']]
    assert list(csv.reader(io.StringIO(exact.stdout)))[1] == ["=1+1"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1-2", "'+1-2"),
        ("-1.5e3", "-1.5e3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("@timestamp", "@timestamp"),
        ("\t=1", "'\t=1"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_defused_quotes_what_a_spreadsheet_would_run(text: str, shown: str) -> None:
    assert defused(text) == shown


@pytest.mark.parametrize(
    ("query", "code", "caret"),
    [
        ("a = (", "error[", "^"),
        ("count() | needle", "error[refused]", "          ^^^^^^"),
        ("brandNew(aid)", "error[unsupported]", "^^^^^^^^^^^^^"),
    ],
)
def test_query_that_cannot_run_is_exit_code_5_with_its_place(
    events: Path, query: str, code: str, caret: str
) -> None:
    result = run(query, "-e", events)

    assert result.exit_code == 5
    assert result.stdout == ""
    assert code in result.stderr
    assert caret in result.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["count()"], "--events PATH"),
        (["count()", "-e", "none.ndjson"], "the file does not exist"),
        (["none.cql", "-e", "."], "none.cql does not exist"),
        (["count()", "-e", "{e}", "--start", "soon"], "--start: 'soon' is not a time"),
        (["count()", "-e", "{e}", "--start", "1h", "--end", "2h"], "--start must lie before"),
        (["count()", "-e", "{e}", "--arg", "x"], "--arg takes NAME=VALUE"),
        (["count()", "-e", "{e}", "--lookup", "none.csv"], "--lookup none.csv: No such file"),
    ],
)
def test_wrong_file_or_option_is_exit_code_2(
    events: Path, arguments: list[str], problem: str
) -> None:
    result = run(*(argument.replace("{e}", str(events)) for argument in arguments))

    assert result.exit_code == 2
    assert problem in result.stderr


def test_window_arguments_lookups_and_saved_queries_reach_the_engine(
    events: Path, tmp_path: Path
) -> None:
    (tmp_path / "owners.csv").write_text("aid,owner\na1,sam\n")
    (tmp_path / "sites.json").write_text('[{"aid": "a1", "site": "ams"}]')
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "recent.cql").write_text("aid=?which")

    result = run(
        "$recent() | match(file=owners.csv, field=aid) | match(file=places, field=aid) "
        "| select([@timestamp, owner, site])",
        "-e", events, "--start", "1970-01-01T00:00:00Z", "--end", "2500", "--arg", "which=a1",
        "--lookup", tmp_path / "owners.csv", "--lookup", f"places={tmp_path / 'sites.json'}",
        "--saved", tmp_path / "saved", "--format", "json",
    )  # fmt: skip

    assert json.loads(result.stdout) == [{"@timestamp": "1000", "owner": "sam", "site": "ams"}]


def test_start_counts_back_from_now(events: Path) -> None:
    result = run(
        "count()", "-e", events, "--now", "4000", "--start", "2s", "--end", "now",
        "--format", "ndjson",
    )  # fmt: skip

    assert json.loads(result.stdout) == {"_count": "2"}


def test_lookup_that_is_broken_is_named(events: Path, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("a,a\n1,2\n")

    result = run("count()", "-e", events, "--lookup", tmp_path / "l.csv")

    assert result.exit_code == 5
    assert "l.csv: the lookup file names the column 'a' twice" in result.stderr


def test_explain_says_what_is_read_without_reading() -> None:
    text = run('UserName="ann*" | groupBy(aid)', "--explain")
    data = run('UserName="annabel" | groupBy(aid)', "--explain", "--format", "json")

    assert "reads    @timestamp, UserName, aid" in text.stdout
    assert 'filters  UserName="ann*"' in text.stdout
    assert "groups   while reading" in text.stdout
    (entry,) = json.loads(data.stdout)
    assert entry["fields"] == ["@timestamp", "UserName", "aid"]
    assert entry["texts"] == [["annabel"], ['aid"']]


def test_functions_lists_all_of_the_catalogue() -> None:
    result = CliRunner().invoke(cli, ["query", "functions", "--format", "json"])

    rows = json.loads(result.stdout)
    assert {row["function"] for row in rows} == {f.name for f in functions().values()}
    known = {row["function"]: row for row in rows}
    assert known["groupBy"]["supported"] is True
    assert all(row["supported"] or row["why"] for row in rows)


def test_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "many.ndjson"
    path.write_text('{"a":"some text that fills the pipe"}\n' * 20_000)
    command = [
        sys.executable, "-m", "orchestrator", "query", "run", "a=*", "-e", str(path),
        "--format", "ndjson",
    ]  # fmt: skip

    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        talk = process.stderr.read()

    assert process.returncode == 0
    assert "Traceback" not in talk


def test_outside_data_comes_from_files(tmp_path: Path) -> None:
    events = tmp_path / "day.ndjson"
    events.write_text(
        '{"timestamp":"1000","ip":"192.0.2.7"}\n{"timestamp":"2000","ip":"10.0.0.1"}\n'
    )
    iocs = tmp_path / "iocs.csv"
    iocs.write_text("type,indicator,confidence,labels\nip_address,192.0.2.7,high,imds\n")
    names = tmp_path / "names.json"
    names.write_text('[{"ip": "10.0.0.1", "name": "web-1.example.com"}]')

    hits = run(
        'ioc:lookup(field=ip, type="ip_address", strict=true) | select([ip])',
        "-e", events, "--iocs", iocs, "--format", "ndjson",
    )  # fmt: skip
    named = run(
        "reverseDns(ip, as=name) | name=* | select([name])",
        "-e", events, "--host-names", names, "--format", "ndjson",
    )  # fmt: skip

    assert json.loads(hits.stdout) == {"ip": "192.0.2.7"}
    assert json.loads(named.stdout) == {"name": "web-1.example.com"}


def test_outside_data_that_is_not_given_is_refused_with_the_option(events: Path) -> None:
    result = run('ioc:lookup(field=aid, type="domain")', "-e", events)

    assert result.exit_code == 5
    assert "--iocs FILE" in result.stderr


def test_table_of_indicators_without_its_columns_is_refused(events: Path, tmp_path: Path) -> None:
    iocs = tmp_path / "iocs.csv"
    iocs.write_text("kind,indicator\nip,1\n")

    result = run('ioc:lookup(field=aid, type="domain")', "-e", events, "--iocs", iocs)

    assert result.exit_code == 5
    assert "has no column 'type'" in result.stderr


def test_lookup_is_json_of_either_form(tmp_path: Path) -> None:
    events = tmp_path / "day.ndjson"
    events.write_text('{"timestamp":"1000","host":"web-1"}\n{"timestamp":"2000","host":"web-9"}\n')
    listed, named = tmp_path / "listed.json", tmp_path / "named.json"
    listed.write_text('[{"host": "web-1", "owner": "red", "floor": 3}, {"host": "web-2"}]')
    named.write_text('{"web-1": {"owner": "red", "floor": 3}, "web-2": {"owner": "blue"}}')

    for path in (listed, named):
        found = run(
            f'match(file="{path.name}", field=host) | select([host, owner, floor])',
            "-e", events, "--lookup", path, "--format", "ndjson",
        )  # fmt: skip
        assert json.loads(found.stdout) == {"host": "web-1", "owner": "red", "floor": "3"}

    wrong = run(
        'match(file="named.json", field=host, include=[nothing])', "-e", events, "--lookup", named
    )
    assert wrong.exit_code == 5
    assert "has no column 'nothing'; it has host, owner, floor" in wrong.stderr
