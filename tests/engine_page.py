"""The table of functions in docs/engine.md: `python -m tests.engine_page` writes it anew.

What runs comes from `orchestrator.engine.support`; what proves it from the cases' parse trees.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

from orchestrator.cql.catalogue import find
from orchestrator.cql.nodes import Call
from orchestrator.cql.parser import parse_or_raise
from orchestrator.cql.walk import walk
from orchestrator.engine.support import support

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "engine.md"
DATA = ROOT / "tests" / "data" / "engine"
BEGIN, END = "<!-- functions: begin -->\n", "<!-- functions: end -->\n"


def proofs() -> dict[str, Counter[str]]:
    """Return, for each function, how many cases of each file call it and give rows."""
    found: dict[str, Counter[str]] = {}
    for path in sorted(DATA.glob("*.toml")):
        for case in tomllib.loads(path.read_text("utf-8"))["case"]:
            if "error" in case:
                continue
            texts = [case["query"], *case.get("saved", {}).values()]
            calls = [n for t in texts for n in walk(parse_or_raise(t)) if isinstance(n, Call)]
            for name in {f.name for call in calls if (f := find(call.name)) is not None}:
                found.setdefault(name, Counter())[path.stem] += 1
    return found


def table() -> str:
    """Return the table, one line for each known function."""
    known = proofs()
    lines = ["| function | tier | runs | notes | cases |", "| --- | --- | --- | --- | --- |"]
    for row in support():
        files = known.get(row.name, Counter()).most_common(3)
        cases = ", ".join(f"{stem} ({count})" for stem, count in files)
        runs = "yes" if row.supported else "no"
        lines.append(f"| `{row.name}` | {row.tier} | {runs} | {row.why} | {cases} |")
    return "\n".join(lines) + "\n"


def with_table(page: str) -> str:
    """Return the page with the table that is true now."""
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    return page[:start] + table() + page[end:]


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
