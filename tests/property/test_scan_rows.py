"""Scanning files gives the rows that reading every event first gives, whatever the lines hold."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.engine.events import Events
from orchestrator.engine.run import Context, run_query
from orchestrator.engine.scan import source, ways
from orchestrator.engine.scan.run import scan_query

CONTEXT = Context(start_ms=-10, end_ms=1_000_000, now_ms=1_000_000)
NAMES = ["a", "b", "longer", "event_simpleName", "#event_simpleName", "a.b", "x", "@rawstring"]
NUMBERS = [
    "0", "-0", "1", "1.0", "1.50", "1e5", "1E-2", "-7", "12345678901234567890", "9" * 45,
    "1e999", "true", "false", "null", "4625",
]  # fmt: skip
TEXTS = [
    '""', '"x"', '"needle"', '"a needle here"', '"C:\\\\users\\\\udev"', '"\\u006eeedle"',
    '"\\ud83d\\ude00"', '"\\ud800"', '"[x"', '"{"', '"tab\\tnew\\nline"', '"4625"', '"4625.0"',
    '"say \\"x\\": null"', '"straße"', '"\\/run\\/secrets"', '"/run/secrets"',
]  # fmt: skip
scalar = st.sampled_from(NUMBERS + TEXTS)
value = st.one_of(
    scalar,
    st.lists(scalar, max_size=2).map(lambda items: f"[{','.join(items)}]"),
    st.builds('{{"{}": {}}}'.format, st.sampled_from(["a", "b", "longer"]), scalar),
)
colon = st.sampled_from([":", ": ", " :", ":  "])
member = st.builds('"{}"{}{}'.format, st.sampled_from(NAMES), colon, value)
time = st.one_of(
    st.builds('"timestamp":"{}"'.format, st.integers(0, 50)),
    st.builds('"@timestamp":{}'.format, st.integers(-5, 50)),
    st.just('"timestamp":"yesterday"'),
)
event = st.tuples(st.lists(member, max_size=5), st.lists(time, max_size=1)).map(
    lambda parts: "{" + ",".join(parts[0] + parts[1]) + "}"
)
broken = st.sampled_from(
    ["", "   ", "not json", "{", '{"a":1,}', '{"a":1}{"b":2}', "[1]", '"needle"', "{'a':1}",
     '{"a":01}', '{"a":NaN}', '{"a":"tab\tinside"}', ' {"a":"needle"} ', "\x00"]
)  # fmt: skip
line = st.one_of(event, event, event, broken)
QUERIES = [
    "a=needle",
    'a="*needle*" or longer=x | table([a, longer, b], limit=1000, sortby=b)',
    "longer=* | groupBy([longer, a], function=[count(as=n), min(@timestamp, as=t)])",
    'in(field="#event_simpleName", values=["needle", "straße"]) | count()',
    "#event_simpleName=/need/ | groupBy(#event_simpleName)",
    'a=4625 | groupBy(a, function=collect(["a.b", "a.a", "a[0]"]))',
    "needle | select([a, b])",
    'case { a=needle | kind := one ; longer="*secrets" | kind := two } | groupBy([kind, b])',
    "groupBy(event_simpleName)",
    "x=* | select([x, @id])",
    'a="/run/secrets" | select([a, @rawstring])',
    "b<2 | stats([count(), sum(b), max(longer)])",
    'regex("(?<caught>need.)", field=a) | groupBy(caught)',
    "a := lower(a) | a=needle | count()",
    "defineTable(query={longer=needle}, include=[a], name=t) | match(table=t, field=a) | count()",
    "head(3) | table([a, b])",
    "b=* | join(query={a=needle}, field=longer, key=longer, include=[a]) | groupBy([longer, a])",
    "longer=* | selfJoinFilter(longer, where=[{a=needle}, {b=*}]) | groupBy([longer, b])",
    "groupBy(longer)",
    "groupBy([a, b], function=[count(x, as=n), sum(b), min(a, as=low), max(longer)], limit=3)",
    'groupBy("a.b", function=max(@timestamp, as=last)) | sort(last, limit=2) | rename(last, as=l)',
    "case { a=needle | k := one ; b<5 | k := two ; * | k := a } | groupBy(k) | _count>1",
    "selfJoinFilter(longer, where=[{a=needle}, {b=*}]) | x=needle | groupBy(longer)",
    "!join(query={a=needle}, field=longer, include=[]) | x=needle | groupBy(longer)",
    "timeChart(longer, function=count(as=n), span=10ms) | sort(n)",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    content=st.lists(line, max_size=12),
    query=st.sampled_from(QUERIES),
    is_packed=st.booleans(),
    end=st.sampled_from([b"\n", b"\r\n"]),
    gathered=st.sampled_from([1, 3, 250_000]),
)
def test_scan_gives_the_rows_of_a_run_over_all_events(
    content: list[str], query: str, is_packed: bool, end: bytes, gathered: int
) -> None:
    data = end.join(text.encode("utf-8", "replace") for text in content)
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("e.ndjson.gz" if is_packed else "e.ndjson")
        path.write_bytes(gzip.compress(data) if is_packed else data)
        everything = Events.scan(path)
        expected = run_query(query, everything, context=CONTEXT)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(source, "GATHERED_EVENTS", gathered)
            patch.setattr(ways, "BATCH_EVENTS", 2)
            scanned = scan_query(query, [path], context=CONTEXT)

    def plain(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        # An id says where an event stands, which the two count differently.
        return [{k: v for k, v in row.items() if k != "@id"} for row in rows]

    assert plain(scanned.result.rows) == plain(expected.rows)
    assert scanned.events + scanned.lines_skipped >= everything.frame.height
    assert scanned.lines_skipped <= everything.lines_skipped
