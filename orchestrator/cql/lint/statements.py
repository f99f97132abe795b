"""Steps written in another language as a whole: `stats count by x`, `SELECT a FROM b`.

The grammar stumbles over such a step in several places, and each stumble is the same mistake. It
is told once, at its first word, with the CQL step that does the same; `extents` says which stretch
of the text that covers, so that nothing else is said about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from orchestrator.cql.nodes import Query, Step
from orchestrator.cql.span import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One step in another language."""

    word: Span
    """Its first word."""
    extent: Span
    """All of it."""
    advice: str


_GROUP = "Write `groupBy([field], function=[count()])`; without fields, `stats([…])`."
_SORT = "Write `sort(field, order=desc, limit=10)`."
_KEEP = "Write `select([a, b])`."
_ASSIGN = "Write `field := expression`."
_TIME = "Write `timeChart(series, function=count(), span=1h)`."
_FIRST = "Write `head(10)`; for the newest, `tail(10)`."
# What has to follow the word, since some of them are words of log lines too.
_ANY = r"\S"
_COMMANDS: dict[str, tuple[str, str]] = {
    "stats": (_ANY, _GROUP),
    "tstats": (_ANY, _GROUP),
    "summarize": (r".*(?:\(|\bby\b)", _GROUP),
    "eventstats": (_ANY, "Write `groupBy(…)` in a defineTable(), and look it up with match()."),
    "streamstats": (_ANY, "Write `sort(…)`, then `accumulate(count())`."),
    "chart": (r".*\b(?:by|over)\b", _GROUP),
    "rare": (
        r"[\w@#.]+\s*\Z",
        "Write `groupBy(field, limit=max)`, then `sort(_count, order=asc)`.",
    ),
    "eval": (_ANY, _ASSIGN),
    "extend": (r"[\w@#.]+\s*=", _ASSIGN),
    "let": (
        r"\w+\s*=",
        "Write the value where it is used; a table of values is a `defineTable(…)`.",
    ),
    "table": (_ANY, "Write `table([a, b])`."),
    "fields": (r"\+?\s*[\w@#.*]+(?:\s*,|\s*\Z|\s+[\w@#.*]+)", _KEEP),
    "project": (r"[\w@#.]+\s*(?:,|=|\Z)", _KEEP),
    "project-keep": (_ANY, _KEEP),
    "project-away": (_ANY, "Write `drop([a, b])`."),
    "project-rename": (_ANY, "Write `rename(field=old, as=new)`."),
    "keep": (r"[\w@#.]+\s*(?:,|\Z)", _KEEP),
    "rename": (_ANY, "Write `rename(field=old, as=new)`."),
    "dedup": (
        r"(?:\d+\s+)?[\w@#.]+\s*(?:,|\Z|\s[\w@#.]+\s*\Z)",
        "Write `groupBy([field], function=[])`, or carry the rest with selectLast().",
    ),
    "distinct": (r"[\w@#.]+\s*(?:,|\Z)", "Write `groupBy([field], function=[])`."),
    "head": (_ANY, _FIRST),
    "tail": (_ANY, "Write `tail(10)`."),
    "take": (r"\d+\s*\Z", _FIRST),
    "limit": (r"\d+\s*\Z", _FIRST),
    "sort": (_ANY, _SORT),
    "order": (r"by\b", _SORT),
    "group": (r"by\b", _GROUP),
    "top": (_ANY, "Write `top(field, limit=10)`."),
    "count": (r"by\b|\Z", _GROUP),
    "timechart": (_ANY, _TIME),
    "render": (r"\w+", "Write `timeChart(…)`; how a result is drawn is chosen outside the query."),
    "bin": (r".*\bspan\s*=", "Write `bucket(span=5m, field=[…], function=…)`."),
    "iplocation": (_ANY, "Write `ipLocation(field)`."),
    "rex": (r"(?:field|mode)\s*=|\"", 'Write `regex("(?<name>…)", field=field)`.'),
    "parse": (r".*\bwith\b", 'Write `regex("(?<name>…)", field=field)`.'),
    "spath": (_ANY, "Write `parseJson(field=field)`."),
    "fillnull": (_ANY, 'Write `default(value="…", field=[a, b])`.'),
    "mvexpand": (_ANY, "Write `split(field)`."),
    "mv-expand": (_ANY, "Write `split(field)`."),
    "inputlookup": (_ANY, 'Write `readFile("file.csv")`.'),
    "outputlookup": (_ANY, "A query cannot write a file; upload it, and read it with match()."),
    "lookup": (
        r".*(?:\.csv\b|\bOUTPUT(?:NEW)?\b|\bon\b)",
        'Write `match(file="file.csv", field=field, column=column, strict=false)`.',
    ),
    "transaction": (
        r".*\bmax(?:span|pause)\s*=",
        "Write `groupBy(field, function=session(…, maxpause=5m))`.",
    ),
    "convert": (r"\w+\s*\(", 'Write `formatTime("%Y-%m-%d %H:%M:%S", field=field)`.'),
    "append": (r"\[", "Join filters of both with `or`; a table is read in with defineTable()."),
    "join": (_ANY, "Write `join({…}, field=key)`, or defineTable() with match()."),
    "union": (r"\w+\s*(?:,|\Z)", "Join the filters of both with `or`."),
    "with": (r"\w+\s+as\s*\(", 'Write `defineTable(query={…}, include=[…], name="…")`.'),
    "sequence": (r"by\b|with\b|\[", "Write `correlate(A: {…}, B: {…}, sequence=true, within=5m)`."),
}
_SQL = re.compile(
    r"select\s+(?:distinct\b|\*|[\w@#.\"]+\s*(?:,|\bfrom\b)|\w+\s*\()", re.IGNORECASE | re.DOTALL
)
_FIRST_WORD = re.compile(r"[A-Za-z][A-Za-z-]*")
_SHAPES = {
    word: re.compile(shape, re.IGNORECASE | re.DOTALL) for word, (shape, _) in _COMMANDS.items()
}
_PIECES = 100
"""Into so many pieces at most the grammar breaks one step of another language."""
# A word before one of these is a field, or a call.
_OPERATOR = re.compile(r"\s*(?:[=!<>(|;)}\],]|:=|like\b|match\s*\{)|\s*\Z", re.IGNORECASE)


def statements(query: Query) -> Iterator[Statement]:
    """Yield the steps of the main pipeline that are written in another language."""
    text, steps = query.text, query.pipeline.steps
    for place, step in enumerate(steps):
        start = step.span.start
        word = _FIRST_WORD.match(text, start)
        if word is None:
            continue
        name = word.group().lower()
        if name not in _COMMANDS and name != "select":
            continue
        end = _end(text, steps, place)
        rest = text[word.end() : end].rstrip().removesuffix("|").rstrip()
        if not rest[:1].isspace() or _OPERATOR.match(rest) is not None:
            continue
        rest = rest.lstrip()
        advice = _advice(name, text[start:end], rest)
        if advice:
            extent = Span(start, end)
            yield Statement(word=Span(start, word.end()), extent=extent, advice=advice)


def _end(text: str, steps: Sequence[Step], place: int) -> int:
    """Return where the first step behind `place` begins that stands behind a pipe.

    Others are what the grammar made of the rest of the same step.
    """
    for before, step in pairwise(steps[place : place + _PIECES]):
        if text[before.span.end : step.span.start].rstrip().endswith("|"):
            return step.span.start
    return len(text)


def _advice(name: str, whole: str, rest: str) -> str:
    if name == "select":
        if _SQL.match(whole) is None:
            return ""
        grouped = re.search(r"\bgroup\s+by\b|\bdistinct\b", rest, re.IGNORECASE)
        return f"Filters first; then {_GROUP if grouped else _KEEP}".replace("then W", "then w")
    if name == "fields" and rest.startswith("-"):
        return "Write `drop([a, b])`."
    return _COMMANDS[name][1] if _SHAPES[name].match(rest) is not None else ""
