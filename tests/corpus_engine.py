"""How much of a folder of queries the engine compiles: `python -m tests.corpus_engine PATH`.

Reads `.logscale` files, `queryString:` and `query:` values of YAML files, and code fences of
Markdown pages. Texts that are not CQL are counted apart. Dashboards repeat themselves, so the
share of hunting queries (saved queries, alerts, pages, files) is the figure that counts.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from orchestrator.cql.diagnostics import Level
from orchestrator.cql.parser import parse
from orchestrator.engine.compile import compile_query
from orchestrator.errors import CqlError, CqlUnsupported

_FENCE = re.compile(r"^[ \t]*```+([^\n`]*)\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)
_LANGUAGES = frozenset(("", "cql", "logscale", "humio", "sql", "text", "f#", "crowdstrike", "txt"))
_LOOKS_LIKE_CQL = re.compile(r"\||#event_simpleName|:=|=~|\w+\(")


@dataclass(slots=True)
class Tally:
    """What became of the queries of one kind."""

    compiled: int = 0
    refused: list[tuple[Path, str]] = field(default_factory=list)
    """CQL that the engine does not run, or that LogScale itself would refuse."""
    foreign: int = 0
    """Texts that are not CQL."""

    @property
    def share(self) -> float:
        """Return the share of the CQL texts that compile, in percent."""
        known = self.compiled + len(self.refused)
        return 100 * self.compiled / known if known else 100.0


def texts(folder: Path) -> Iterator[tuple[str, Path, str]]:
    """Yield every query text with its kind (`hunting` or `dashboard`) and its file."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".logscale":
            yield "hunting", path, path.read_text("utf-8", "replace")
        elif path.suffix == ".md":
            for language, body in _FENCE.findall(path.read_text("utf-8", "replace")):
                if language.strip().lower() in _LANGUAGES and _LOOKS_LIKE_CQL.search(body):
                    yield "hunting", path, body
        elif path.suffix in (".yaml", ".yml"):
            yield from _of_yaml(path)


def _of_yaml(path: Path) -> Iterator[tuple[str, Path, str]]:
    try:
        documents = list(yaml.safe_load_all(path.read_text("utf-8", "replace")))
    except yaml.YAMLError:
        return
    is_dashboard = "$schema" in str(documents)[:400] and "dashboard" in str(documents)[:400]
    pending: list[object] = list(documents)
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending += item
        elif isinstance(item, dict):
            is_dashboard = is_dashboard or "widgets" in item or "sections" in item
            for name, value in item.items():
                if name in ("queryString", "query", "cql") and isinstance(value, str):
                    yield "dashboard" if is_dashboard else "hunting", path, value
                else:
                    pending.append(value)


def measure(folder: Path) -> dict[str, Tally]:
    """Return the tally of each kind; a text that stands twice counts once."""
    tallies = {"hunting": Tally(), "dashboard": Tally()}
    seen: set[str] = set()
    for kind, path, text in texts(folder):
        key = " ".join(text.split())
        if not key or key in seen:
            continue
        seen.add(key)
        tally = tallies[kind]
        parsed = parse(text)
        if any(found.level is Level.ERROR for found in parsed.diagnostics):
            tally.foreign += 1
            continue
        try:
            compile_query(parsed.query)
        except CqlError as exc:
            name = exc.name if isinstance(exc, CqlUnsupported) else "refused by LogScale too"
            tally.refused.append((path, f"{name}: {exc}"))
        else:
            tally.compiled += 1
    return tallies


def main(arguments: list[str]) -> int:
    """Print the shares and what was refused; 1 if less than 95 % of the hunting queries compile."""
    tallies = measure(Path(arguments[0]))
    for kind, tally in tallies.items():
        known = tally.compiled + len(tally.refused)
        sys.stdout.write(
            f"{kind}: {tally.compiled} of {known} compile ({tally.share:.1f} %), "
            f"{tally.foreign} texts are not CQL\n"
        )
        for reason, count in Counter(reason for _, reason in tally.refused).most_common():
            sys.stdout.write(f"  {count:4d}  {reason}\n")
    return 0 if tallies["hunting"].share >= 95 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
