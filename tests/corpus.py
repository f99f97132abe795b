"""Published CQL through the parser: how much of it is read, and what is refused where.

    python -m tests.corpus CHECKOUT… [--lint] [--json]

A checkout is any folder that holds CQL: dashboards, parsers and saved queries in YAML (loose, or
in `.zip` packages), `.logscale` and `.cql` files, and fenced code in Markdown. Each distinct text
is counted once, under the first place that holds it. The exit code is 0 whatever is refused: what
the figures mean is for docs/cql-corpus.md to say.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import yaml

from orchestrator.cql import Diagnostic, Level, QueryKind, find, lint, parse
from orchestrator.cql.span import LineIndex

_YAML_KEYS = frozenset({"queryString", "query", "cql", "script"})
_YAML = (".yaml", ".yml")
_PLAIN = (".logscale", ".cql", ".humio")
_LANGUAGES = frozenset({"cql", "logscale", "humio", "lql", "crowdstrike"})
_FENCE = re.compile(
    r"^([ \t]*)(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n]*\n(.*?)^\1\2[ \t]*$", re.MULTILINE | re.DOTALL
)
_SIGNS = re.compile(
    r"#event_simpleName|#repo\b|#type\b|:=|=~|\bcase\s*\{|\bmatch\s*\{|event_platform="
)
_CALL = re.compile(r"(?:^|[|\[{(,=])\s*([A-Za-z]+(?::[A-Za-z]+)?)\(")
_OTHER = re.compile(
    r"^\s*(?:index\s*=|\$ |#!|curl\b|sudo\b|SELECT\b|<\?xml|[{\[]\s*\")"
    r"|\|\s*(?:eval|stats|rex|table|rename|where|search|lookup|fields|dedup)\s+[^\s(=:|]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One query and where it was found."""

    place: str
    """Path within the checkout, then `!` and the member inside a package."""
    text: str


def queries(checkout: Path) -> Iterator[Published]:
    """Yield each distinct query below a folder, files in order of their paths."""
    seen: set[str] = set()
    for path in sorted(checkout.rglob("*")):
        if not path.is_file() or ".git" in path.parts:
            continue
        place = str(path.relative_to(checkout))
        for where, text in _of_file(place, path.read_bytes()):
            key = text.strip()
            if key and key not in seen:
                seen.add(key)
                yield Published(place=where, text=text)


def _of_file(place: str, data: bytes) -> Iterator[tuple[str, str]]:
    suffix = Path(place).suffix.lower()
    if suffix == ".zip":
        yield from _of_package(place, data)
        return
    text = data.decode("utf-8", errors="replace").replace("\r\n", "\n")
    if suffix in _YAML:
        yield from ((place, query) for query in of_yaml(text))
    elif suffix in _PLAIN:
        yield place, text
    elif suffix == ".md":
        yield from ((place, query) for query in of_markdown(text))


def _of_package(place: str, data: bytes) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(BytesIO(data)) as package:
        for name in sorted(package.namelist()):
            if name.endswith(_YAML):
                yield from _of_file(f"{place}!{name}", package.read(name))


def of_yaml(text: str) -> Iterator[str]:
    """Yield the texts under the keys that hold queries, at any depth; none if it is no YAML."""
    try:
        pending: list[object] = list(yaml.safe_load_all(text))[::-1]
    except (yaml.YAMLError, ValueError):
        return
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            for key, value in node.items():
                if key in _YAML_KEYS and isinstance(value, str):
                    yield value
            pending.extend(reversed(list(node.values())))
        elif isinstance(node, list):
            pending.extend(reversed(node))


def of_markdown(text: str) -> Iterator[str]:
    """Yield the fenced blocks that are CQL: said to be, or untagged and looking like it."""
    for match in _FENCE.finditer(text):
        indent, _, language, body = match.groups()
        if indent:
            body = "\n".join(line.removeprefix(indent) for line in body.split("\n"))
        if language.lower() in _LANGUAGES or (not language and looks_like_cql(body)):
            yield body


def looks_like_cql(text: str) -> bool:
    """Say whether a text of unknown language has CQL's signs and no other language's."""
    if _OTHER.search(text):
        return False
    return bool(_SIGNS.search(text)) or any(find(name) for name in _CALL.findall(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One query with an error, and each error as `line:column code message`."""

    place: str
    errors: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return the object that `--json` prints."""
        return {"place": self.place, "errors": list(self.errors)}


def errors_of(query: Published, *, checked: bool) -> Refused | None:
    """Return the errors of the parser, with `checked` those of the checks too; None if none."""
    found: Sequence[Diagnostic]
    found = lint(query.text, kind=QueryKind.SEARCH) if checked else parse(query.text).diagnostics
    index = LineIndex(query.text)
    errors = []
    for item in found:
        if item.level is Level.ERROR:
            at = index.position(item.span.start)
            errors.append(f"{at.line}:{at.column} {item.code} {item.message}")
    return Refused(place=query.place, errors=tuple(errors)) if errors else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Read checkouts, print figures and each refused query; return 0."""
    options = argparse.ArgumentParser(prog="python -m tests.corpus", description=__doc__)
    options.add_argument("checkout", type=Path, nargs="+")
    options.add_argument("--lint", action="store_true", help="count errors of the checks too")
    options.add_argument("--json", action="store_true", help="one JSON object")
    chosen = options.parse_args(arguments)
    everything = [query for checkout in chosen.checkout for query in queries(checkout)]
    results = [errors_of(query, checked=chosen.lint) for query in everything]
    refused = [result for result in results if result is not None]
    codes = Counter(error.split()[1] for result in refused for error in result.errors)
    share = 1.0 if not everything else 1 - len(refused) / len(everything)
    figures = {
        "queries": len(everything),
        "characters": sum(len(query.text) for query in everything),
        "without_error": len(everything) - len(refused),
        "percent": round(100 * share, 2),
        "codes": dict(codes.most_common()),
        "refused": [result.to_json() for result in refused],
    }
    if chosen.json:
        _say(json.dumps(figures, indent=2))
        return 0
    for result in refused:
        _say(result.place)
        for error in result.errors:
            _say(f"    {error}")
    _say(f"{figures['without_error']} of {figures['queries']} queries, {figures['percent']} %")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
