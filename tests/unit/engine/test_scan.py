"""Scans of event files: what is read, what is kept, what is named, and how values are spelled."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from orchestrator.cql.parser import parse_or_raise
from orchestrator.engine.context import Context
from orchestrator.engine.scan import source, ways
from orchestrator.engine.scan.explain import explain
from orchestrator.engine.scan.merge import mergeable
from orchestrator.engine.scan.need import line_regexes, need_of
from orchestrator.engine.scan.plan import plan_scan
from orchestrator.engine.scan.run import FIRST_MS, LAST_MS, ScanResult, scan_query
from orchestrator.errors import CqlUnsupported

ALL = Context(start_ms=FIRST_MS, end_ms=LAST_MS, now_ms=1_000)


def scanned(query: str, path: Path, *, context: Context = ALL) -> ScanResult:
    return scan_query(query, [path], context=context)


def written(path: Path, *lines: str) -> Path:
    data = "\n".join(lines).encode("utf-8", "surrogateescape")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def fields_of(query: str) -> tuple[str, ...] | None:
    return plan_scan(parse_or_raise(query)).taps[0].fields


# --- what is read ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("count()", ("@timestamp",)),
        ("a=1 | groupBy(b, function=sum(c)) | sort(_sum)", ("@timestamp", "a", "b", "c")),
        ("x := lower(a) | table([x, b])", ("@timestamp", "a", "b", "x")),
        ("select([a, b]) | c=1", ("@timestamp", "a", "b")),
        ("a=1", None),
        ("needle | count()", None),
        ("a=1 | head(5)", None),
        ("parseJson(a) | groupBy(b)", ("@timestamp", "a", "b")),
        ("fieldset()", None),
        ("groupBy(?key)", None),
        ("a=?value | count()", ("@timestamp", "a")),
        ("$saved() | count()", None),
    ],
)
def test_only_fields_that_the_query_reads_are_kept(
    query: str, fields: tuple[str, ...] | None
) -> None:
    assert fields_of(query) == fields


def test_subquery_has_fields_filters_and_a_window_of_its_own() -> None:
    tree = parse_or_raise(
        "defineTable(query={a=hits | b=* | groupBy([b, c])}, include=[b], name=t, start=7d) "
        "| d=other | match(table=t, field=b) | count()"
    )

    main, table = explain(plan_scan(tree), tree)

    assert main.fields == ("@timestamp", "b", "d")
    assert main.filters == ("d=other",)
    assert table.fields == ("@timestamp", "a", "b", "c")
    assert (table.filters, table.window) == (("a=hits", "b=*"), "own")


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("a=needle", [{"needle"}]),
        ('a="*first*longest*"', [{"longest"}]),
        ("a=4625", [{'a"'}]),
        ("a!=needle", []),
        ("a=needle or b=thing", [{"needle", "thing"}]),
        ("a=needle or b!=thing", []),
        ('in(a, values=["one1", "two2"])', [{"one1", "two2"}]),
        ('in(a, values=["one1", "two2"], ignoreCase=true)', [{'a"'}]),
        ("a=/re/", [{'a"'}]),
        ('#event_simpleName="ProcessRollup2"', [{"ProcessRollup2"}]),
        ("#event_simpleName=*", [{'event_simpleName"'}]),
        ("@timestamp>5", []),
        ("x.y=*", []),
        ('a="C:\\\\Users\\\\me"', [{"Users"}]),
        ("a := lower(b) | a=needle", []),
        ("rename(b, as=a) | a=needle", []),
        ("case { a=needle | c := 1 ; b=thing } | c=longer", [{"needle", "thing"}]),
        ("case { a=needle ; * } | b=thing", [{"thing"}]),
        ("regex(x, field=a, strict=false)", []),
        ("groupBy([a, b])", [{'a"'}, {'b"'}]),
        ("match(file=f, field=a)", [{'a"'}]),
        ("match(file=f, field=a, strict=false)", []),
        ("not a=needle", []),
        ("selfJoinFilter(a, where=[{b=1}]) | c=needle", [{'a"'}]),
        ("head(5) | a=needle", []),
    ],
)
def test_need_is_what_every_kept_line_holds(query: str, texts: list[set[str]]) -> None:
    assert [set(one) for one in need_of(parse_or_raise(query).pipeline.steps)] == texts


def test_need_lets_lines_with_escapes_pass() -> None:
    (regex,) = line_regexes(need_of(parse_or_raise("a=needle").pipeline.steps))

    lines = pl.Series([r'{"a":"needle"}', r'{"a":"\u006eeedle"}', r'{"a":"c:\\users"}'])
    assert lines.str.contains(regex).to_list() == [True, True, False]


# --- how values are spelled -----------------------------------------------------------------

SPELLINGS = {
    "1.0": "1.0", "1e5": "1e5", "-0": "-0", "12345678901234567890": "12345678901234567890",
    "9" * 50: "9" * 50, "1e999": "1e999", "true": "true", "false": "false", "null": "null",
    r'"\u00e9\n"': "é\n", r'"\ud83d\ude00"': "😀", r'"\ud800"': "?", r'"C:\\a"': "C:\\a",
}  # fmt: skip


@pytest.mark.parametrize("name", ["e.ndjson", "e.ndjson.gz"])
@pytest.mark.parametrize(("json_text", "text"), SPELLINGS.items())
def test_value_is_the_text_that_json_wrote(
    tmp_path: Path, name: str, json_text: str, text: str
) -> None:
    path = written(tmp_path / name, f'{{"a": {json_text}, "b":1}}', '{"a":"plain"}')

    rows = scanned("select(a)", path).result.rows

    assert rows == [{"a": text}, {"a": "plain"}]


def test_nested_json_is_read_by_dotted_names_beside_flat_ones(tmp_path: Path) -> None:
    path = written(
        tmp_path / "e.ndjson",
        '{"a":{"b":"deep","c":[{"d":1.50}]}}',
        '{"a.b":"flat","a.c[0].d":"2"}',
        '{"a":"text"}',
    )

    rows = scanned('select([a, "a.b", "a.c[0].d"])', path).result.rows

    assert rows == [{"a.b": "deep", "a.c[0].d": "1.50"}, {"a.b": "flat", "a.c[0].d": "2"},
                    {"a": "text"}]  # fmt: skip


def test_field_may_hold_another_type_in_each_event(tmp_path: Path) -> None:
    path = written(tmp_path / "e.ndjson", '{"a":1}', '{"a":"x"}', '{"a":[1]}', '{"a":true}')

    assert scanned("groupBy(a)", path).result.rows == [
        {"a": "1", "_count": "1"}, {"a": "x", "_count": "1"}, {"a": "true", "_count": "1"},
    ]  # fmt: skip


def test_fdr_names_become_those_of_logscale(tmp_path: Path) -> None:
    path = written(tmp_path / "e", '{"event_simpleName":"DnsRequest","timestamp":"1773134042120"}')

    rows = scanned("table([#event_simpleName, @timestamp, event_simpleName])", path).result.rows

    assert rows == [{"#event_simpleName": "DnsRequest", "@timestamp": "1773134042120"}]


# --- what is named --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["e.ndjson", "e.ndjson.gz"])
def test_broken_lines_are_counted_and_named_and_the_others_kept(tmp_path: Path, name: str) -> None:
    lines = ['{"a":"1"}', "not json", "", '{"a":1,}', '{"a":"2","timestamp":"noon"}', '{"a":"3"}']

    found = scanned("a=* | count()", written(tmp_path / name, *lines))

    assert found.result.rows == [{"_count": "2"}]
    assert found.lines_skipped == 3
    assert [p.split(": ", 1)[0] for p in found.problems] == [f"{name}:{n}" for n in (2, 4, 5)]
    assert "yesterday" not in found.problems[2]
    assert "is not a number of milliseconds: 'noon'" in found.problems[2]


def test_broken_lines_are_counted_once_though_the_file_is_read_again(tmp_path: Path) -> None:
    found = scanned("a=*", written(tmp_path / "e.ndjson", "not json", "no", '{"a":1,}'))

    assert found.lines_skipped == len(found.problems) == 3


def test_text_that_is_no_utf8_is_read_with_marks_in_place(tmp_path: Path) -> None:
    path = tmp_path / "e.ndjson"
    path.write_bytes(b'{"a":"caf\xe9"}\r\n{"a":"b"}\r\n')

    assert scanned("select(a)", path).result.rows == [{"a": "caf\ufffd"}, {"a": "b"}]


def test_events_are_counted_though_the_query_spares_them(tmp_path: Path) -> None:
    lines = [json.dumps({"a": f"x{n}", "b": "needle" if n == 7 else "hay"}) for n in range(400)]

    found = scanned("b=needle | select(a)", written(tmp_path / "e.ndjson", *lines))

    assert found.result.rows == [{"a": "x7"}]
    assert (found.events, found.result.events_scanned, found.files) == (400, 400, 1)


def test_what_the_engine_cannot_run_is_refused_before_reading(tmp_path: Path) -> None:
    with pytest.raises(CqlUnsupported):
        scan_query("brandNew(a)", [written(tmp_path / "e", '{"a":1}')], context=ALL)


# --- order, windows, many events ------------------------------------------------------------


def test_events_of_several_files_come_in_the_order_of_time(tmp_path: Path) -> None:
    late = written(
        tmp_path / "a.ndjson", '{"timestamp":"30","a":"c"}', '{"timestamp":"10","a":"a"}'
    )
    early = written(tmp_path / "b.ndjson.gz", '{"timestamp":"20","a":"b"}')

    rows = scan_query("select(a)", [late, early], context=ALL).result.rows

    assert rows == [{"a": "a"}, {"a": "b"}, {"a": "c"}]


def test_window_is_half_open_and_that_of_the_events_where_none_is_given(tmp_path: Path) -> None:
    path = written(tmp_path / "e", *(f'{{"timestamp":"{t}","a":"{t}"}}' for t in (10, 20, 30)))
    window = Context(start_ms=10, end_ms=30, now_ms=0)

    bounded = scanned("select(a)", path, context=window).result.rows
    whole = scanned("s := start() | e := end() | a=10 | select([s, e])", path).result.rows

    assert bounded == [{"a": "10"}, {"a": "20"}]
    assert whole == [{"s": "10", "e": "11"}]


def test_filters_are_applied_while_events_gather(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "GATHERED_EVENTS", 10)
    monkeypatch.setattr(ways, "BATCH_EVENTS", 5)
    lines = [f'{{"timestamp":"{n}","a":"{n % 50}","b":"x"}}' for n in range(200)]

    found = scanned("a>=49 | select([a, b])", written(tmp_path / "e.ndjson", *lines))

    assert found.result.rows == [{"a": "49", "b": "x"}] * 4
    assert found.events_kept == 4


@pytest.mark.parametrize(
    ("query", "groups"),
    [
        ("groupBy(a)", True),
        ("b=1 | x := lower(b) | groupBy([a, x], function=[count(), max(c)]) | sort(_count)", True),
        ("case { a=1 | k := 2 ; * } | groupBy(k, function=sum(c, as=s), limit=max)", True),
        ("groupBy(a, function=collect(b))", False),
        ("groupBy(a, function=count(b, distinct=true))", False),
        ("count()", False),
        ("@timestamp := b | groupBy(a)", False),
        ("head(5) | groupBy(a)", False),
        # A filter by its kind, and yet it looks at all events.
        ("selfJoinFilter(a, where=[{b=1}, {b=2}]) | groupBy(a)", False),
        ("groupBy(a) | x := end()", False),
    ],
)
def test_groups_are_made_while_reading_where_parts_can_be_put_together(
    query: str, groups: bool
) -> None:
    tree = parse_or_raise(query)

    assert (mergeable(tree, plan_scan(tree), use_ingest_time=False) is not None) is groups


def test_self_join_sees_all_events_however_few_gather_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "GATHERED_EVENTS", 2)
    monkeypatch.setattr(ways, "BATCH_EVENTS", 2)
    lines = [f'{{"timestamp":"{n}","a":"{n % 4}","b":"{n}"}}' for n in range(40)]

    found = scanned(
        "selfJoinFilter(a, where=[{b=1}, {b=37}]) | b>30 | groupBy(a)",
        written(tmp_path / "e.ndjson", *lines),
    )

    assert found.result.rows == [{"a": "1", "_count": "2"}]


def test_groups_that_were_made_in_parts_are_whole_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "GATHERED_EVENTS", 10)
    monkeypatch.setattr(ways, "BATCH_EVENTS", 5)
    lines = [f'{{"timestamp":"{99 - n}","a":"{n % 3}","b":"{n}"}}' for n in range(100)]

    found = scanned(
        "groupBy(a, function=[count(as=n), sum(b), min(b), max(b)])",
        written(tmp_path / "e.ndjson", *lines),
    )

    assert found.events_kept < 40
    assert found.result.rows == [
        {"a": "0", "n": "34", "_sum": "1683", "_min": "0", "_max": "99"},
        {"a": "2", "n": "33", "_sum": "1650", "_min": "2", "_max": "98"},
        {"a": "1", "n": "33", "_sum": "1617", "_min": "1", "_max": "97"},
    ]


def test_id_is_the_same_whatever_the_query_reads(tmp_path: Path) -> None:
    lines = [f'{{"timestamp":"{n}","a":"{n}"}}' for n in range(3)]
    path = written(tmp_path / "e.ndjson", *lines)

    by_table = scanned("a=2 | select([@id])", path).result.rows
    whole = scanned("a=2", path).result.rows

    assert by_table[0]["@id"] == whole[0]["@id"]
    assert len({row["@id"] for row in scanned("a=*", path).result.rows}) == 3


def test_whole_events_show_all_that_logscale_always_has(tmp_path: Path) -> None:
    line = '{"a":"x","n":1.0}'

    (row,) = scanned("a=x", written(tmp_path / "e.ndjson", line)).result.rows

    assert {**row, "@id": ""} == {
        "a": "x", "n": "1.0", "@timestamp": "0", "@ingesttimestamp": "0", "@rawstring": line,
        "@id": "",
    }  # fmt: skip


# --- Parquet --------------------------------------------------------------------------------


def test_parquet_columns_of_any_type_are_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    pl.DataFrame(
        {
            "timestamp": ["2", "1"], "n": [1.0, 2.5], "i": [7, None], "t": [True, False],
            "s": [{"b": "x"}, {"b": None}], "event_simpleName": ["K", "L"],
        }
    ).write_parquet(path)  # fmt: skip

    flat = scanned("groupBy([#event_simpleName, n, t])", path).result.rows
    nested = scanned("table([s.b, i, n])", path).result.rows

    assert [(r["#event_simpleName"], r["n"], r["t"]) for r in flat] == [
        ("L", "2.5", "false"), ("K", "1", "true"),
    ]  # fmt: skip
    assert nested == [{"s.b": "x", "i": "7", "n": "1"}, {"n": "2.5"}]


def test_damaged_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    path.write_bytes(b"PAR1 this is not all of it")

    found = scanned("count()", path)

    assert found.result.rows == [{"_count": "0"}]
    assert found.problems[0].startswith("e.parquet: the Parquet file cannot be read")


@pytest.mark.parametrize(
    "query",
    [
        'regex("(?<n>[0-9])", field=a, repeat=true) | groupBy(n) | sort(n, order=asc)',
        "a=/(?<n>[0-9])/g | groupBy(n) | sort(n, order=asc)",
    ],
)
def test_regex_that_makes_several_events_of_one_is_not_run_twice(
    query: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "e.ndjson", '{"@timestamp":"1","a":"1 2 1"}', '{"@timestamp":"2"}')

    rows = scanned(query, path).result.rows

    assert [(row["n"], row["_count"]) for row in rows] == [("1", "2"), ("2", "1")]
