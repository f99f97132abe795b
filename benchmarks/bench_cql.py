"""The parser and the linter: queries a second over a corpus, and time against length.

Run `python benchmarks/bench_cql.py [queries]`. The corpus is made here, from one seed: hunting
queries, dashboard widgets with long case ladders, parser scripts, joins, one-liners, with comments
and regexes, in the sizes that published collections have (2,700 texts, 1.5 MB). Prints one JSON
object. `floor` is what cutting the same texts into lexemes with one compiled regex costs: no parser
in this language does without it. `growth` fits time to length over three decades, from one
kilobyte to one megabyte; an exponent of 1 is linear.
"""

from __future__ import annotations

import gc
import json
import math
import platform
import random
import re
import sys
import time
from collections.abc import Callable

from orchestrator.cql import QueryKind, lint, parse

KINDS = ("ProcessStart", "FileWrite", "DnsLookup", "SocketOpen", "Logon", "ServiceInstall")
FIELDS = (
    "ComputerName", "UserName", "ImagePath", "CommandLine", "ParentImage", "RemoteAddress",
    "RemotePort", "DomainName", "TargetPath", "Sha256", "LogonType", "Severity", "aid", "cid",
)  # fmt: skip
PROGRAMS = (
    "powershell",
    "cmd",
    "wscript",
    "rundll32",
    "curl",
    "certutil",
    "msbuild",
    "bash",
    "ssh",
)
PLACES = (
    r"\\Users\\[^\\]+\\Downloads",
    r"\\Temp\\",
    r"\/tmp\/",
    r"\/dev\/shm\/",
    r"\\ProgramData\\",
)
LEXEME = re.compile(
    r"""[ \t\r\n]+|//[^\n]*|/\*.*?\*/|"(?:[^"\\]|\\.)*"|/(?:[^/\\\n]|\\.)+/[a-zA-Z]*"""
    r"""|[A-Za-z0-9_.#@%&\\^~*+\-]+|:=|=~|=>|[<>!=]=|[|;(){}\[\],=<>!?$:/]|.""",
    re.DOTALL,
)
SECONDS = 0.4
"""How long each measurement goes on, at least."""


class Maker:
    """Writes queries from one source of chance."""

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)

    def query(self) -> str:
        """Return the next query; the shares are those of published collections, roughly."""
        shapes: tuple[tuple[Callable[[], str], int], ...] = (
            (self.one_liner, 46),
            (self.hunt, 28),
            (self.widget, 13),
            (self.join, 6),
            (self.ladder, 4),
            (self.script, 3),
        )
        chosen = self._source.choices(
            [shape for shape, _ in shapes], [weight for _, weight in shapes]
        )
        return chosen[0]()

    def _field(self) -> str:
        return self._source.choice(FIELDS)

    def _fields(self, count: int) -> str:
        return ", ".join(self._source.sample(FIELDS, count))

    def _kind(self) -> str:
        return f"#kind={self._source.choice(KINDS)}"

    def _word(self) -> str:
        return f"{self._source.choice(PROGRAMS)}{self._source.randint(1, 99)}"

    def _regex(self) -> str:
        place, programs = self._source.choice(PLACES), self._source.sample(PROGRAMS, 3)
        return f"/{place}.*\\b(?<tool>{'|'.join(programs)})(\\.exe)?$/i"

    def _filter(self) -> str:
        return self._source.choice(
            (
                f'{self._field()}="*{self._word()}*"',
                f"{self._field()}={self._regex()}",
                f"{self._field()}!={self._regex()}",
                f'in(field="{self._field()}", values=["{self._word()}", "{self._word()}*"])',
                f"({self._field()}={self._word()} or {self._field()}=*{self._word()})",
                f'!cidr({self._field()}, subnet=["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"])',
                f"wildcard(field={self._field()}, pattern=?{self._field()}, ignoreCase=true)",
                f"{self._field()} >= {self._source.randint(1, 65_000)}",
            )
        )

    def _aggregate(self) -> str:
        return (
            f"groupBy([{self._fields(3)}], function=[count(as=events), "
            f"count({self._field()}, distinct=true, as=distinct_values), "
            f"min(@timestamp, as=first), max(@timestamp, as=last), "
            f"collect([{self._fields(2)}], limit=20)], limit=max)"
        )

    def one_liner(self) -> str:
        """Return a widget's short query."""
        return f"{self._kind()} {self._filter()}\n| " + self._source.choice(
            (
                "count(as=total)",
                f"top({self._field()}, limit=10)",
                f"timeChart(series={self._field()}, span=1h, limit=20)",
                f"groupBy({self._field()}, limit=max) | sort(_count, limit=50)",
            )
        )

    def hunt(self) -> str:
        """Return a query as a hunter writes it: comments, filters, an aggregate, a table."""
        lines = [f"// Looks for {self._word()} started by something it is seldom started by"]
        lines.append(f"{self._kind()} {self._filter()}")
        for _ in range(self._source.randint(2, 6)):
            if self._source.random() < 0.3:
                lines.append(f"// {self._field()} tells the two cases apart: see {self._word()}")
            lines.append(f"| {self._filter()}")
        lines.append(f'| line := format("%s > %s", field=[{self._fields(2)}])')
        lines.append(f"| {self._aggregate()}")
        lines.append(f"| events > {self._source.randint(1, 50)} distinct_values >= 2")
        lines.append('| first := formatTime("%Y-%m-%d %H:%M:%S", field=first, timezone="UTC")')
        lines.append("| sort(last, order=desc, limit=200)")
        return "\n".join(lines)

    def _clauses(self, count: int) -> str:
        made = [
            f'    {self._field()}="{self._word()}" | label := "{self._word()} {self._word()}"'
            f" | points := {self._source.randint(1, 9)} ;"
            for _ in range(count)
        ]
        return "case {\n" + "\n".join([*made, '    * | label := "-" | points := 0 ;']) + "\n  }"

    def widget(self) -> str:
        """Return a dashboard's query: parameters, a case, arithmetic, a chart."""
        return "\n".join(
            (
                f'?{{{self._field()}="*"}}',
                f"| {self._kind()} {self._filter()} {self._filter()}",
                f"| {self._clauses(self._source.randint(2, 6))}",
                "| score := (points * 10 + 5) / 2 - 1",
                f"| test(score > {self._source.randint(1, 40)})",
                f"| {self._aggregate()}",
                "| rate := events / (last - first) * 1000",
                "| round(rate)",
            )
        )

    def ladder(self) -> str:
        """Return a query that is one long case."""
        return f"{self._kind()}\n| {self._clauses(self._source.randint(20, 45))}\n| count(label)"

    def join(self) -> str:
        """Return a query that joins two kinds of events."""
        known, other = self._filter(), self._filter()
        return "\n".join(
            (
                f"defineTable(query={{ {self._kind()} | {known} | {self._filter()} }},",
                f'    include=[{self._fields(3)}], name="known", start=7d)',
                f"| {self._kind()} {self._filter()}",
                f'| match(file="known", field={self._field()}, column=aid, strict=false)',
                f"| join(query={{ {self._kind()} | {other} }}, field=[aid], key=aid,",
                f"    include=[{self._fields(2)}], mode=left)",
                f"| coalesce([{self._fields(2)}], as=owner)",
                f"| {self._aggregate()}",
            )
        )

    def script(self) -> str:
        """Return a parser script: text to fields, vendor by vendor."""
        arms = "\n".join(
            f'    "{self._word()}" => event.action := "{self._word()}" | rename({self._field()}, '
            f'as="vendor.{self._word()}") ;'
            for _ in range(self._source.randint(8, 24))
        )
        return "\n".join(
            (
                "/* one line of JSON an event; the time is the vendor's */",
                'parseJson(prefix="raw.", handleNull=discard)',
                "| parseTimestamp(\"yyyy-MM-dd'T'HH:mm:ss[.SSS]X\", field=raw.time)",
                "| kvParse(raw.extra)",
                "| raw.kind match {",
                arms,
                "    * => * ;",
                "  }",
                '| array:contains("raw.tags[]", value="audit") // only the trail',
                '| drop([raw.time, "raw.extra"])',
            )
        )


def corpus(count: int) -> list[str]:
    """Return `count` queries, the same each time."""
    maker = Maker(20_260_401)
    return [maker.query() for _ in range(count)]


def cost(run: Callable[[], object]) -> float:
    """Return the processor seconds of one call: the best of as many as fit in `SECONDS`."""
    best, spent = math.inf, 0.0
    run()
    while spent < SECONDS:
        gc.collect()
        start = time.process_time()
        run()
        took = time.process_time() - start
        best, spent = min(best, took), spent + took
    return best


def per_second(texts: list[str], run: Callable[[str], object]) -> int:
    """Return how many of the texts are worked through in a processor second."""

    def whole() -> None:
        for text in texts:
            run(text)

    return round(len(texts) / cost(whole))


def growth(texts: list[str]) -> dict[str, object]:
    """Return the time of parsing one text of each length, and the exponent that fits them."""
    whole = "\n| ".join(texts)
    times: dict[int, float] = {}
    for length in (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000):
        # Cut at a step, so that what is measured is reading and not recovery.
        text = whole[: whole.rfind("\n| ", 0, length)]
        times[len(text)] = cost(lambda text=text: parse(text))  # type: ignore[misc]
    return {
        "exponent": round(slope([(math.log(n), math.log(t)) for n, t in times.items()]), 3),
        "ms": {str(length): round(1000 * took, 2) for length, took in times.items()},
    }


def slope(points: list[tuple[float, float]]) -> float:
    """Return the slope of the line of least squares."""
    x_mean = sum(x for x, _ in points) / len(points)
    y_mean = sum(y for _, y in points) / len(points)
    over = sum((x - x_mean) * (y - y_mean) for x, y in points)
    return over / sum((x - x_mean) ** 2 for x, _ in points)


def main() -> None:
    """Measure and print the result."""
    texts = corpus(int(sys.argv[1]) if len(sys.argv) > 1 else 2_700)
    characters = sum(len(text) for text in texts)
    refused = sum(not parse(text).ok for text in texts)
    parsed = per_second(texts, parse)
    floor = per_second(texts, LEXEME.findall)
    print(
        json.dumps(
            {
                "benchmark": "cql",
                "queries": len(texts),
                "characters": characters,
                "mean_length": round(characters / len(texts)),
                "refused": refused,
                "parse_per_s": parsed,
                "lint_per_s": per_second(texts, lambda text: lint(text, kind=QueryKind.SEARCH)),
                "floor_per_s": floor,
                "parse_times_floor": round(floor / parsed, 1),
                "growth": growth(texts),
                "python": platform.python_version(),
            }
        )
    )


if __name__ == "__main__":
    main()
