"""Functions that compute one text or number from texts: positions, distances, layouts.

Source: library.humio.com, data-analysis/functions-text-positionof.html and the functions' pages.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, ip_network
from xml.dom.minidom import parseString
from xml.parsers.expat import ExpatError

import polars as pl

from orchestrator.engine.arguments import Args, semantic
from orchestrator.engine.functions.records import read_xml
from orchestrator.engine.patterns.networks import parse_address
from orchestrator.engine.patterns.regexes import translate
from orchestrator.engine.rows import Rows
from orchestrator.engine.values import Kind, Value, each_distinct, each_row, text_number
from orchestrator.errors import CqlSemanticError

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
MOST_DISTANCE = 1_000


def length(text: pl.Expr) -> Value:
    """Return the number of UTF-16 units, as Java counts: most characters are one."""
    utf8, chars = text.str.len_bytes(), text.str.len_chars()
    # Only a character of four bytes is two units; a text of one-byte characters has none.
    found = pl.when(utf8 == chars).then(chars).otherwise(chars + text.str.count_matches(
        r"[\x{10000}-\x{10FFFF}]"))  # fmt: skip
    return Value(expr=found.cast(pl.Float64), kind=Kind.NUMBER)


def clusters(text: pl.Expr) -> Value:
    """Return the number of characters as people count them (grapheme clusters)."""
    counted = each_distinct(text, lambda cell: str(_clusters(cell)))
    plain = text.str.len_bytes() == text.str.len_chars()
    number = pl.when(plain).then(text.str.len_chars().cast(pl.Float64))
    return Value(expr=number.otherwise(text_number(counted)), kind=Kind.NUMBER)


def _clusters(text: str) -> int:
    """Count base characters: marks, joiners and skin tones belong to the one before, flags pair."""
    count, flags, joined = 0, 0, False
    for char in text:
        code = ord(char)
        extends = unicodedata.category(char) in ("Mn", "Me", "Mc") or 0x1F3FB <= code <= 0x1F3FF
        is_flag = 0x1F1E6 <= code <= 0x1F1FF
        flags = flags + 1 if is_flag else 0
        if char == "\u200d":
            joined = True
            continue
        if not extends and not joined and not (is_flag and flags % 2 == 0):
            count += 1
        joined = False
    return max(count, 1 if text else 0)


def substring(args: Args, rows: Rows) -> Value:
    """Cut `[begin, end)` out of a text; both may be computed."""
    text = args.value("string").text()
    begin = args.value("begin").number() if args.has("begin") else pl.lit(0.0)
    begin = begin.cast(pl.Int64, strict=False)
    if not args.has("end"):
        return Value(expr=text.str.slice(begin))
    end = args.value("end").number().cast(pl.Int64, strict=False)
    return Value(expr=pl.when(end >= begin).then(text.str.slice(begin, end - begin)))


def position_of(args: Args, rows: Rows) -> Value:
    """Find the place of the nth occurrence, counted from 0; nothing where there is none."""
    texts = [args.value("string").text(), args.value("character").text()]
    for name, default in (("begin", "0"), ("occurrence", "1")):
        given = args.value(name).number().cast(pl.String) if args.has(name) else None
        texts.append(pl.lit(default) if given is None else given)

    def find(cells: Sequence[str | None]) -> str | None:
        text, wanted, begin, occurrence = cells
        if text is None or not wanted or begin is None or occurrence is None:
            return None
        at = int(float(begin)) - 1
        for _ in range(int(float(occurrence))):
            at = text.find(wanted, at + 1)
            if at < 0:
                return None
        return str(at)

    return Value(expr=text_number(each_row(texts, find)), kind=Kind.NUMBER)


def _distance(first: str, second: str, most: int, *, swaps: bool) -> int | None:
    """Return the number of edits between the texts, None if there are more than `most`."""
    if abs(len(first) - len(second)) > most:
        return None
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        current = [i]
        for j, b in enumerate(second, start=1):
            cost = min(row[j] + 1, current[j - 1] + 1, row[j - 1] + (a != b))
            if swaps and i > 1 and j > 1 and a == second[j - 2] and first[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        if min(current) > most:
            return None
        before, row = row, current
    return row[-1] if row[-1] <= most else None


def _edit(args: Args) -> tuple[int, bool, bool]:
    most = args.integer("maxDistance", default=0, maximum=MOST_DISTANCE)
    return most, args.flag("ignoreCase"), args.flag("allowTranspositions", default=True)


def edit_distance(args: Args, rows: Rows) -> Value:
    """Count the edits between two texts; nothing where there are more than `maxDistance`."""
    most, fold, swaps = _edit(args)

    def compute(cells: Sequence[str | None]) -> str | None:
        first, second = cells
        if first is None or second is None:
            return None
        if fold:
            first, second = first.lower(), second.lower()
        found = _distance(first, second, most, swaps=swaps)
        return None if found is None else str(found)

    texts = [args.value("target").text(), args.value("reference").text()]
    return Value(expr=text_number(each_row(texts, compute)), kind=Kind.NUMBER)


def edit_distance_as_array(args: Args, rows: Rows) -> None:
    """Write the distance to each reference, and the reference, as an array of objects."""
    most, fold, swaps = _edit(args)
    base, target = args.text("asArray", "_distance").removesuffix("[]"), args.value("target").text()
    for place, reference in enumerate(args.values("references")):

        def compute(cells: Sequence[str | None]) -> str | None:
            first, second = cells
            if first is None or second is None:
                return None
            if fold:
                first, second = first.lower(), second.lower()
            found = _distance(first, second, most, swaps=swaps)
            return None if found is None else str(found)

        distance = each_row([target, reference.text()], compute)
        known = pl.when(distance.is_not_null())
        rows.replace(f"{base}[{place}].distance", Value(expr=distance))
        rows.replace(f"{base}[{place}].reference", Value(expr=known.then(reference.text())))


def strip_ansi(args: Args, rows: Rows) -> Value:
    """Remove a terminal's control sequences."""
    text = rows.field(args.text("field", "@rawstring")).text()
    return Value(expr=each_distinct(text, lambda cell: _ANSI.sub("", cell)))


def subnet(args: Args, rows: Rows) -> Value:
    """Compute the subnet of an IPv4 address, with its length behind a stroke."""
    bits = args.integer("bits", default=32)
    if not 0 <= bits <= 32:
        raise semantic(args.call, "bits= takes a number from 0 to 32")

    def compute(cell: str) -> str | None:
        address = parse_address(cell)
        if not isinstance(address, IPv4Address):
            return None
        return str(ip_network((address, bits), strict=False))

    return Value(expr=each_distinct(rows.field(args.text("field")).text(), compute))


# --- layouts --------------------------------------------------------------------------------


def json_pretty(args: Args, rows: Rows) -> Value:
    """Indent JSON; other text stays as it is, or gives nothing under `strict`."""
    step, strict = max(2, args.integer("step", default=2)), args.flag("strict")

    def layout(cell: str) -> str | None:
        try:
            value = json.loads(cell)
        except (ValueError, RecursionError):
            return None if strict else cell
        return json.dumps(value, indent=step, ensure_ascii=False)

    text = rows.field(args.text("field", "@rawstring")).text()
    return Value(expr=each_distinct(text, layout))


def xml_pretty(args: Args, rows: Rows) -> Value:
    """Indent XML; other text stays as it is, or gives nothing under `strict`."""
    step, strict = args.integer("step", default=2), args.flag("strict")

    def layout(cell: str) -> str | None:
        # The reader refuses document types and what is nested too deep.
        if read_xml(cell) is None:
            return None if strict else cell
        try:
            document = parseString(cell)  # noqa: S318  # checked by the line above
        except (ExpatError, ValueError):
            return None if strict else cell
        root = document.documentElement
        lines = root.toprettyxml(indent=" " * step).splitlines() if root is not None else [cell]
        return "\n".join(line for line in lines if line.strip())

    text = rows.field(args.text("field", "@rawstring")).text()
    return Value(expr=each_distinct(text, layout))


_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


def write_json(args: Args, rows: Rows) -> Value:
    """Write fields as one JSON object; a name stands for all fields that begin with it."""
    wanted = [
        re.compile(re.escape(name).replace(r"\[\*\]", r"\[\d+\]").replace(r"\*", ".*"))
        for name in args.texts("field") or ["@rawstring"]
    ]
    names = [name for name in rows.names() if any(p.match(name) for p in wanted)]
    if not names:
        return Value(expr=pl.lit("{}"))

    def write(cells: Sequence[str | None]) -> str:
        root: dict[str, object] = {}
        for name, cell in zip(names, cells, strict=True):
            if cell is not None:
                _put(root, name, _json_value(cell))
        return json.dumps(_lists(root), ensure_ascii=False, separators=(",", ":"))

    return Value(expr=each_row([rows.field(name).text() for name in names], write))


def _json_value(cell: str) -> object:
    if re.fullmatch(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", cell) and len(cell) <= 15:
        return json.loads(cell)
    return {"true": True, "false": False}.get(cell, cell)


def _put(root: dict[str, object], name: str, value: object) -> None:
    path = [found[1] if found[1] is not None else f"[{found[2]}]" for found in _PART.finditer(name)]
    place = root
    for part in path[:-1]:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        place = inner
    if path and not isinstance(place.get(path[-1]), dict):
        place[path[-1]] = value


def _lists(value: object) -> object:
    """Return the tree with each object of `[0]`, `[1]`, ... as a list."""
    if not isinstance(value, dict):
        return value
    tree: Mapping[str, object] = value
    if tree and all(name.startswith("[") for name in tree):
        places = sorted(tree, key=lambda name: int(name[1:-1]))
        return [_lists(tree[place]) for place in places]
    return {name: _lists(item) for name, item in tree.items()}


def split_pattern(args: Args) -> Callable[[str], Sequence[str]]:
    """Return how splitString() cuts a text."""
    try:
        pattern = translate(args.text("by")).compiled()
    except CqlSemanticError as exc:
        raise semantic(args.call, exc.problem) from exc

    def cut(cell: str) -> Sequence[str]:
        parts, at = [], 0
        for found in pattern.finditer(cell):
            # Java drops an empty part before a match without width at the start.
            if found.end() == 0:
                continue
            parts.append(cell[at : found.start()])
            at = found.end()
        return [*parts, cell[at:]]

    return cut
