from __future__ import annotations

import pytest

from orchestrator.cql import Level, QueryKind, find, lint, render
from orchestrator.cql.catalogue import FunctionKind, functions
from orchestrator.cql.lint import CHECKS, Waiver
from orchestrator.cql.span import LineIndex, Span

BROKEN = r"""// cloud keys read by processes that should not
#kind in ("Open", "Connect")
| case {
    // by network
    #kind = "Connect" AND Address = "192.0.2.7"
    | where not Program = /agent\.exe|update\.exe/i
    | group := "network"
    | label := "net"
    | points := 3;

    // by file
    #kind in ("Open")
    AND Path = /\/keys\/|\/tokens/
    | where not Program = /(reader)(\.exe)?$|^tool$/
    | group := "file"
    | label := "disk"
    | points := 3;

    // by cache
    #kind in ("Open")
    | where not Program = /cli(\.exe)?$|^code$/i
    | group := "cache"
    | label := case(
        Path = /\.aws\/|x/i, "aws",
        Path = /gcp/, "gcp",
        "other"
      )
    | points := 2;

    * | drop()
  }
| groupBy([Host, group, label], function=[
    count(as=n),
    max(@timestamp, as=last),
    collect(Command, limit=5, as=commands)
  ])
| points := case(
    group = "network", 3,
    1
  )
| word := case(points >= 3, "HIGH", points = 2, "MEDIUM", "LOW")
| sort(last, order=desc)
"""


def test_broken_query_gives_each_mistake_once_and_nothing_else() -> None:
    index = LineIndex(BROKEN)

    found = [
        (index.position(d.span.start).line, d.code, d.level.value)
        for d in lint(BROKEN, kind=QueryKind.SEARCH)
    ]

    assert found == [
        (2, "infix-in", "error"),
        (6, "foreign-word", "error"),
        (9, "field-lost", "hint"),
        (12, "infix-in", "error"),
        (14, "foreign-word", "error"),
        (20, "infix-in", "error"),
        (21, "foreign-word", "error"),
        (23, "case-call", "error"),
        (24, "regex-in-expression", "error"),
        (25, "regex-in-expression", "error"),
        (30, "drop-without-fields", "error"),
        (32, "default-limit", "hint"),
        (35, "collect-as", "error"),
        (37, "case-call", "error"),
        (41, "case-call", "error"),
        (42, "default-limit", "hint"),
    ]


def test_where_names_the_filter_that_it_should_be_and_its_fix_leaves_that() -> None:
    said = "Delete it: every step is a filter already."

    found = [d for d in lint(BROKEN, kind=QueryKind.SEARCH) if d.code == "foreign-word"]

    assert [d.help for d in found] == [
        rf"{said} Write `not Program = /agent\.exe|update\.exe/i`.",
        rf"{said} Write `not Program = /(reader)(\.exe)?$|^tool$/`.",
        rf"{said} Write `not Program = /cli(\.exe)?$|^code$/i`.",
    ]
    assert [BROKEN[d.fix.span.start : d.fix.span.end] for d in found if d.fix] == ["where "] * 3


def test_limits_and_lost_fields_say_what_is_cut_and_where() -> None:
    found = {
        d.span.start: d.message
        for d in lint(BROKEN, kind=QueryKind.SEARCH)
        if d.code in ("default-limit", "field-lost")
    }

    assert found == {
        BROKEN.index("points"): "`points` is set here and lost by the aggregate that follows.",
        BROKEN.index("groupBy"): "groupBy() keeps 20,000 groups unless told otherwise.",
        BROKEN.index("sort"): "sort() keeps 200 rows unless told otherwise.",
    }


GOOD = r"""// readers of key files, by host
#kind=Open in(Path, values=["*/keys/*", "*/tokens/*"])
| Program!="*/agent"
| case {
    Path="*/keys/*" | group := "keys" ;
    * | group := "tokens"
  }
| groupBy([Host, group], function=[
    count(as=n),
    max(@timestamp, as=last),
    collect(Program, limit=10)
  ], limit=max)
| n > 3
| sort(last, order=desc, limit=1000)
"""


@pytest.mark.parametrize(
    "kind", [k for k in QueryKind if k not in (QueryKind.FILTER_ALERT, QueryKind.CONDITION)]
)
def test_good_query_gives_nothing(kind: QueryKind) -> None:
    assert lint(GOOD, kind=kind) == []


LIVE = frozenset((QueryKind.FILTER_ALERT, QueryKind.AGGREGATE_ALERT))
PLANNED = LIVE | {QueryKind.SCHEDULED_SEARCH, QueryKind.CORRELATION_RULE}


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("#k=v", {QueryKind.AGGREGATE_ALERT}),
        ("#k=v | x := 1", {QueryKind.AGGREGATE_ALERT, QueryKind.CONDITION}),
        ("#k=v | count()", {QueryKind.FILTER_ALERT, QueryKind.CONDITION}),
        ("#k=v | join({#k=w}, field=x) | count()", LIVE | {QueryKind.CONDITION}),
        (
            'defineTable(query={#k=w}, include=[x], name="t") | #k=v | count()',
            LIVE | {QueryKind.CONDITION},
        ),
        (
            'setTimeInterval(start="1d@d") | #k=v | count()',
            LIVE | {QueryKind.CONDITION, QueryKind.SCHEDULED_SEARCH},
        ),
        ("correlate(A: {#k=v}, B: {#k=w | x <=> A.x})", LIVE | {QueryKind.CONDITION}),
        ("#k=v | select([x])", LIVE | {QueryKind.CONDITION}),
        ("#k=?p", {QueryKind.AGGREGATE_ALERT, QueryKind.CONDITION}),
    ],
)
def test_kinds_of_searches_refuse_what_they_cannot_run(
    text: str, refused: frozenset[QueryKind]
) -> None:
    found = {
        kind for kind in QueryKind if any(d.level is Level.ERROR for d in lint(text, kind=kind))
    }

    assert found == refused


@pytest.mark.parametrize("kind", sorted(PLANNED))
def test_parameter_that_nobody_fills_in_is_told_where_nobody_is_there(kind: QueryKind) -> None:
    codes = [d.code for d in lint("#k=?p", kind=kind)]

    assert "parameter-without-default" in codes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#k=v | stats count by x, y", [("reserved-word", 7, "groupBy(")]),
        ("#k=v | dedup x, y | a=1", [("foreign-word", 7, "groupBy([field], function=[])")]),
        ("#k=v | fields - x", [("foreign-word", 7, "drop([a, b])")]),
        ("#k=v | summarize n = count() by x", [("foreign-word", 7, "groupBy(")]),
        ("select x, y from t where z = 1", [("reserved-word", 0, "select([a, b])")]),
        ("SELECT x, COUNT(*) FROM t GROUP BY x", [("foreign-word", 0, "groupBy(")]),
        ("#k=v | top 10 x", [("reserved-word", 7, "top(field, limit=10)")]),
        ("#k=v | bin _time span=5m", [("foreign-word", 7, "bucket(span=5m")]),
        (
            "#k=v | eval a=1 | where a > 0",
            [("reserved-word", 7, "field := expression"), ("foreign-word", 18, "a > 0")],
        ),
    ],
)
def test_step_of_another_language_is_one_error_that_names_the_step_of_cql(
    text: str, expected: list[tuple[str, int, str]]
) -> None:
    found = lint(text, kind=QueryKind.SEARCH)

    assert [(d.code, d.span.start) for d in found] == [row[:2] for row in expected]
    assert all(said in d.help for d, (_, _, said) in zip(found, expected, strict=True))


@pytest.mark.parametrize("text", ["table=1", "fields(a)", "order=5 group=x", "append bread"])
def test_words_of_other_languages_may_be_fields_and_texts(text: str) -> None:
    assert not [d for d in lint(text, kind=QueryKind.SEARCH) if d.code == "foreign-word"]


@pytest.mark.parametrize(
    ("read", "said"),
    [
        ("numberOfHost", "Did you mean `numberOfHosts`?"),
        ("_count", "There are `host`, `numberOfHosts`."),
        ("other", "Add it to the group's fields"),
    ],
)
def test_field_that_is_gone_gets_the_nearest_or_what_there_is(read: str, said: str) -> None:
    text = f"#k=v | groupBy(host, function=count(as=numberOfHosts), limit=max) | {read}=1"

    (found,) = lint(text, kind=QueryKind.SEARCH)

    assert found.code == "field-not-produced"
    assert found.help.startswith(said)


def test_diagnostics_stand_in_order_of_place() -> None:
    starts = [d.span.start for d in lint(BROKEN, kind=QueryKind.SEARCH)]

    assert starts == sorted(starts)


@pytest.mark.parametrize(
    ("text", "span", "mended"),
    [
        ("\ufeff#a=1", Span(0, 1), "#a=1"),
        ("\ufeff#a=1 | b=2", Span(0, 1), "#a=1 | b=2"),
        ("\ufeffcase { #a=1 }", Span(0, 1), "case { #a=1 }"),
        ("\u200bgroupBy(a)", Span(0, 1), "groupBy(a)"),
        ("\ufeff// x\n#a=1", Span(0, 1), "// x\n#a=1"),
        ("#a=1 | \u200bb=2", Span(7, 9), "#a=1 | b=2"),
        ("#a=1 | \u200bb := 2", Span(7, 9), "#a=1 | b := 2"),
        ("#a=1 | \u200bcase { b=2 }", Span(7, 8), "#a=1 | case { b=2 }"),
        ('#a=1 | "\u200bb"=2', Span(7, 11), '#a=1 | "b"=2'),
    ],
)
def test_invisible_character_at_the_start_is_told_once_and_taken_away(
    text: str, span: Span, mended: str
) -> None:
    said = lint(text, kind=QueryKind.SEARCH)

    (found,) = [item for item in said if item.code == "typographic-character"]
    assert found.span == span
    assert found.fix is not None
    assert text[: found.fix.span.start] + found.fix.text + text[found.fix.span.end :] == mended


def test_codes_of_checks_are_unique_and_explained() -> None:
    codes = [check.code for check in CHECKS]

    assert len(codes) == len(set(codes))
    assert all(check.about and check.source for check in CHECKS)


WAIVED = Waiver(code="default-limit", reason="the table is small")


def test_waiver_from_outside_silences_its_code_in_the_whole_query() -> None:
    assert lint("groupBy(a) | sort(a)", kind=QueryKind.SEARCH, waivers=[WAIVED]) == []


@pytest.mark.parametrize(
    ("waiver", "code", "level"),
    [
        (WAIVED, "stale-waiver", Level.WARNING),
        (Waiver(code="default-limits", reason="small"), "unknown-waiver", Level.WARNING),
        (Waiver(code="infix-in", reason="a habit"), "unknown-waiver", Level.WARNING),
        (Waiver(code="default-limit", reason=""), "waiver-without-reason", Level.ERROR),
    ],
)
def test_wrong_waiver_from_outside_is_told_at_the_start(
    waiver: Waiver, code: str, level: Level
) -> None:
    (found,) = lint("a=1", kind=QueryKind.SEARCH, waivers=[waiver])

    assert (found.code, found.level, found.span) == (code, level, Span(0, 0))
    assert waiver.code in found.message


def test_waiver_that_a_comment_repeats_is_not_stale() -> None:
    text = "// lint: allow default-limit the table is small\ngroupBy(a)"

    assert lint(text, kind=QueryKind.SEARCH, waivers=[WAIVED]) == []


@pytest.mark.parametrize(
    "text",
    [
        "#a=1\n| groupBy(\n    a\n  ) // lint: allow default-limit few",
        "#a=1\n| groupBy(\n    a\n  ) | // lint: allow default-limit few\n  b=1",
        "#a=1\n// lint: allow default-limit few\n| stats(\n    [{ groupBy(a) }]\n  )",
        "#a=1\n| // lint: allow default-limit few\n  groupBy(\n    a\n  )",
        "#a=1\n| case {\n  c=1\n  | groupBy(a)\n  | d=1 ; // lint: allow default-limit few\n}",
        "#a=1\n| case {\n  // lint: allow default-limit few\n  c=1\n  | groupBy(a) ;\n}",
        "#a=1\n| x match {\n  c =>\n  groupBy(a)\n  | d=1 ; // lint: allow default-limit few\n}",
    ],
)
def test_waiver_counts_for_all_lines_of_its_step_or_clause(text: str) -> None:
    codes = {found.code for found in lint(text, kind=QueryKind.SEARCH)}

    assert codes & {"default-limit", "stale-waiver"} == set()


@pytest.mark.parametrize(
    "text",
    [
        "#a=1\n| groupBy(a)\n| b=1 // lint: allow default-limit few",
        "#a=1\n| groupBy(a)\n// lint: allow default-limit few\n| b=1",
        "#a=1\n| case {\n  groupBy(a) ;\n  b=1\n  | c=1 ; // lint: allow default-limit few\n}",
        "#a=1\n| groupBy(a)\n| b=1 | // lint: allow default-limit few\n  c=1",
    ],
)
def test_waiver_does_not_count_for_another_step(text: str) -> None:
    codes = {found.code for found in lint(text, kind=QueryKind.SEARCH)}

    assert codes >= {"default-limit", "stale-waiver"}


def test_unknown_waiver_names_the_nearest_code_and_the_fix_writes_it() -> None:
    text = "a=1 // lint: allow defalt-limit few"

    (found,) = lint(text, kind=QueryKind.SEARCH)

    assert found.help == "Did you mean `default-limit`?"
    assert found.fix is not None
    assert text[found.fix.span.start : found.fix.span.end] == "defalt-limit"
    assert found.fix.text == "default-limit"


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
