from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
import zstandard

from orchestrator.engine.events import Events, event_from_json, flatten
from orchestrator.engine.sources.lookups import Lookup
from orchestrator.errors import CqlSemanticError

FDR = {"event_simpleName": "ProcessRollup2", "timestamp": "1773134042120", "aid": "a1", "n": 1.50}


def test_flatten_nested_json_uses_logscale_names() -> None:
    record = {"a": {"b": "1", "c": [{"d": True}, None, ["x"]]}, "e": ""}

    assert flatten(record) == {
        "a.b": "1", "a.c[0].d": "true", "a.c[1]": "null", "a.c[2][0]": "x", "e": "",
    }  # fmt: skip


def test_event_from_fdr_line_gets_the_names_of_logscale_and_keeps_numbers_as_written() -> None:
    line = '{"event_simpleName": "X", "timestamp": 1773134042120, "n": 1.50}'

    event = event_from_json(line)

    assert event == {
        "#event_simpleName": "X", "@timestamp": "1773134042120", "n": "1.50", "@rawstring": line,
    }  # fmt: skip


@pytest.mark.parametrize("line", ["{", "[1]", '"x"', '{"timestamp": "yesterday"}'])
def test_event_from_a_broken_line_says_what_is_wrong(line: str) -> None:
    assert isinstance(event_from_json(line), str)


def _write(path: Path, text: str) -> Path:
    data = text.encode()
    match path.suffix:
        case ".gz":
            path.write_bytes(gzip.compress(data))
        case ".zst":
            path.write_bytes(zstandard.ZstdCompressor().compress(data))
        case _:
            path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["e.ndjson", "e.ndjson.gz", "e.ndjson.zst"])
def test_scan_reads_each_packing_and_names_broken_lines(tmp_path: Path, name: str) -> None:
    late = {**FDR, "timestamp": "1773134042121", "aid": "a2"}
    path = _write(tmp_path / name, f"{json.dumps(late)}\n\nnot json\n{json.dumps(FDR)}\n")

    events = Events.scan([path])

    assert events.frame.get_column("aid").to_list() == ["a1", "a2"]
    assert events.lines_skipped == 1
    assert events.problems[0].startswith(f"{name}:3: not JSON")


def test_scan_parquet_renames_fdr_fields(tmp_path: Path) -> None:
    pl.DataFrame([{k: str(v) for k, v in FDR.items()}]).write_parquet(tmp_path / "e.parquet")

    events = Events.scan(tmp_path / "e.parquet")

    assert events.frame.get_column("#event_simpleName").to_list() == ["ProcessRollup2"]


def test_scan_of_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Events.scan([tmp_path / "none.ndjson"])


def test_from_rows_adds_what_every_event_has() -> None:
    events = Events.from_rows([{"@timestamp": "5", "a": "1"}])

    row = events.frame.row(0, named=True)
    assert (row["@ingesttimestamp"], json.loads(row["@rawstring"])["a"]) == ("5", "1")
    assert len(row["@id"]) == 32


def test_from_rows_with_a_bad_timestamp_is_an_error() -> None:
    with pytest.raises(CqlSemanticError, match="milliseconds"):
        Events.from_rows([{"@timestamp": "noon"}])


def test_between_is_half_open_and_can_bound_ingest_time() -> None:
    events = Events.from_rows(
        {"@timestamp": str(t), "@ingesttimestamp": str(t + 100), "a": str(t)} for t in (1, 2, 3)
    )

    by_event = events.between(1, 3, use_ingest_time=False)
    by_ingest = events.between(102, 104, use_ingest_time=True)
    assert by_event.get_column("a").to_list() == ["1", "2"]
    assert by_ingest.get_column("a").to_list() == ["2", "3"]


def test_lookup_from_csv_reads_text_bytes_and_path_alike(tmp_path: Path) -> None:
    text = 'a,b\n1,"x, y"\n'
    (tmp_path / "f.csv").write_text(text)

    tables = [
        Lookup.from_csv(s) for s in (text, b"\xef\xbb\xbf" + text.encode(), tmp_path / "f.csv")
    ]

    assert all(t.frame.rows() == [("1", "x, y")] for t in tables)


@pytest.mark.parametrize(
    ("content", "problem"),
    [("", "empty"), ("a,a\n1,2\n", "twice"), ("a,b\n1\n", "1 cells"), (b"\xff\xfe", "UTF-8")],
)
def test_lookup_from_a_broken_csv_says_what_is_wrong(content: str | bytes, problem: str) -> None:
    with pytest.raises(CqlSemanticError, match=problem):
        Lookup.from_csv(content)


def test_lookup_from_json_is_an_array_of_flat_objects(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text('\ufeff[{"a": 1.0, "b": "x"}, {"a": true, "c": null}]', encoding="utf-8")

    lookup = Lookup.from_file(path)

    assert lookup.frame.to_dicts() == [
        {"a": "1.0", "b": "x", "c": None}, {"a": "true", "b": None, "c": None},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "not JSON"),
        (b"{}", "an array of at least one object"),
        (b"[]", "an array of at least one object"),
        (b"[1]", "entry 1 of the lookup file is not an object"),
        (b'[{"a": "x"}, {"a": [1]}]', "entry 2 of the lookup file holds more than texts"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_lookup_from_broken_json_says_what_is_wrong(content: bytes, problem: str) -> None:
    with pytest.raises(CqlSemanticError, match=problem):
        Lookup.from_json(content)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"a": NaN}', "NaN is not a JSON value"),
        ('{"timestamp": 1e12}', "is not a number of milliseconds: '1e12'"),
        ('{"timestamp": "99999999999999999999"}', "is not a number of milliseconds"),
        ("[" * 100_000, "not JSON"),
        (json.dumps({"a": list(range(10_001))}), "more than 10000 fields"),
    ],
)
def test_event_from_a_line_that_no_event_can_be(line: str, problem: str) -> None:
    assert problem in str(event_from_json(line))


def test_event_keeps_the_first_of_two_members_and_replaces_half_surrogates() -> None:
    event = event_from_json('{"a":"1","a":"2","b":"\\ud800x"}')

    assert isinstance(event, dict)
    assert (event["a"], event["b"]) == ("1", "?x")
