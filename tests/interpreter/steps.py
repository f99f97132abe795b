"""Steps over a list of rows: every step takes rows and gives rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from orchestrator.cql import nodes
from orchestrator.cql.parser import parse_or_raise
from tests.interpreter.expressions import (
    TARGETS,
    VALUES,
    Call,
    World,
    array,
    parsed_json,
    passes,
    python_regex,
    value,
)
from tests.interpreter.values import Row, number, text


@dataclass
class Line:
    """One row, and the event it was, which free text looks at; None behind an aggregate."""

    row: Row
    event: Row | None = None

    def changed(self, row: Row) -> Line:
        return Line(row, self.event)


Lines = list[Line]


def interpret(query: str, world: World) -> list[Row]:
    """Run a query over the world's events."""
    lines = [Line(dict(event), event) for event in world.events]
    return [line.row for line in run(parse_or_raise(query).pipeline.steps, lines, world)]


def run(steps: Iterable[nodes.Step], lines: Lines, world: World) -> Lines:
    for step in steps:
        lines = _step(step, lines, world)
    return lines


def _step(step: nodes.Step, lines: Lines, world: World) -> Lines:
    match step:
        case nodes.StatsShorthand(functions=functions):
            return _rows(_aggregate(functions, lines, world))
        case nodes.Assignment(field=name, value=node):
            if isinstance(node, nodes.Call) and Call(node, world).name in AGGREGATES:
                return _rows(
                    _aggregate(nodes.Array(span=node.span, elements=(step,)), lines, world)
                )
            return [line.changed(_set(line.row, name.name, text(value(node, line.row, world))))
                    for line in lines]  # fmt: skip
        case nodes.Case(clauses=clauses):
            return [kept for line in lines for kept in _first(
                [clause.steps for clause in clauses], line, world)]  # fmt: skip
        case nodes.Match(field=name, arms=arms):
            bodies = [(_guard(arm, name), *arm.body.steps) for arm in arms]
            return [kept for line in lines for kept in _first(bodies, line, world)]
        case nodes.FieldOperator(field=name, negated=negated, call=inner) if (
            Call(inner, world).name in STAGES
        ):
            call = Call(inner, world)
            call.given["field"] = nodes.Quoted(span=name.span, value=name.name, raw="")
            return STAGES[call.name](call, lines, world, negated)
        case nodes.Not(operand=nodes.Call() as inner) if Call(inner, world).name in STAGES:
            return STAGES[Call(inner, world).name](Call(inner, world), lines, world, True)
        case nodes.Call():
            return _call(Call(step, world), step, lines, world)
        case _:
            kept = [line for line in lines if passes(step, line.row, line.event, world)]
            return [line.changed(_captured(step, line.row)) for line in kept]


def _guard(arm: nodes.Arm, name: nodes.FieldName) -> nodes.Step:
    guard = arm.guard
    if isinstance(guard, nodes.Boolean):
        return guard
    if isinstance(guard, nodes.Word) and guard.text == "*":
        return nodes.Boolean(span=arm.span, value=True)
    if isinstance(guard, nodes.Call):
        return nodes.FieldOperator(span=arm.span, field=name, negated=False, call=guard)
    return nodes.Comparison(
        span=arm.span, field=name, operator=nodes.ComparisonOperator.EQUAL, value=guard
    )


def _first(bodies: Sequence[Sequence[nodes.Step]], line: Line, world: World) -> Lines:
    for steps in bodies:
        found = run(steps, [Line(dict(line.row), line.event)], world)
        if found:
            return found
    return []


def _set(row: Row, name: str, cell: str | None) -> Row:
    return row if cell is None else {**row, name: cell}


def _captured(step: nodes.Step, row: Row) -> Row:
    """Set the named groups of a regex that stands alone or in an `and`."""
    if isinstance(step, nodes.And):
        for operand in step.operands:
            row = _captured(operand, row)
    if (
        isinstance(step, nodes.Comparison)
        and isinstance(step.value, nodes.Regex)
        and step.operator is nodes.ComparisonOperator.EQUAL
    ):
        found = python_regex(step.value.body, step.value.flags).search(row.get(step.field.name, ""))
        for name, cell in (found.groupdict() if found else {}).items():
            row = _set(row, name, cell)
    return row


def _call(call: Call, step: nodes.Call, lines: Lines, world: World) -> Lines:
    if call.name in STAGES and not (call.name == "splitString" and "index" in call.given):
        return STAGES[call.name](call, lines, world, False)
    if call.name in AGGREGATES:
        return _rows(_aggregate(nodes.Array(span=step.span, elements=(step,)), lines, world))
    if call.name in VALUES:
        target = call.output(TARGETS.get(call.name, call.text("field", "@rawstring")))
        return [x.changed(_set(x.row, target, text(VALUES[call.name](call, x.row)))) for x in lines]
    return [line for line in lines if passes(step, line.row, line.event, world)]


def _rows(rows: Iterable[Row]) -> Lines:
    return [Line(row) for row in rows]


# --- aggregates -----------------------------------------------------------------------------


def _numbers(lines: Lines, name: str) -> list[float]:
    found = [number(line.row.get(name)) for line in lines]
    return [n for n in found if n is not None]


def _deviation(numbers: list[float]) -> float:
    mean = sum(numbers) / len(numbers)
    return float((sum((n - mean) ** 2 for n in numbers) / len(numbers)) ** 0.5)


def _statistic(name: str, compute: Callable[[list[float]], float]) -> Callable[[Call, Lines], Row]:
    def aggregate(call: Call, lines: Lines) -> Row:
        numbers = _numbers(lines, call.text("field"))
        return {call.output(name): str(text(compute(numbers)))} if numbers else {}

    return aggregate


def _count(call: Call, lines: Lines) -> Row:
    if "field" not in call.given:
        return {call.output("_count"): str(len(lines))}
    cells = [line.row[call.text("field")] for line in lines if call.text("field") in line.row]
    return {call.output("_count"): str(len(set(cells) if call.flag("distinct") else cells))}


def _collect(call: Call, lines: Lines) -> Row:
    found: Row = {}
    for name in call.texts("fields"):
        cells = list(dict.fromkeys(line.row[name] for line in lines if name in line.row))
        if cells:
            found[name] = call.text("separator", "\n").join(cells)
    return found


def _select_last(call: Call, lines: Lines) -> Row:
    # The lines come oldest first.
    return {n: [x.row[n] for x in lines if n in x.row][-1] for n in call.texts("fields")
            if any(n in x.row for x in lines)}  # fmt: skip


def _select_from(*, largest: bool) -> Callable[[Call, Lines], Row]:
    def aggregate(call: Call, lines: Lines) -> Row:
        known = [(n, line.row) for line in lines
                 if (n := number(line.row.get(call.text("field")))) is not None]  # fmt: skip
        if not known:
            return {}
        best = (max if largest else min)(known, key=lambda pair: pair[0])[1]
        return {name: best[name] for name in call.texts("include") if name in best}

    return aggregate


def _percentile(call: Call, lines: Lines) -> Row:
    numbers = sorted(_numbers(lines, call.text("field")))
    if not numbers:
        return {}
    found: Row = {}
    for wanted in call.texts("percentiles") or ["50", "75", "99"]:
        place = int((len(numbers) - 1) * float(wanted) / 100 + 0.5)
        found[f"{call.output('')}_{wanted}"] = str(text(numbers[place]))
    return found


AGGREGATES: dict[str, Callable[[Call, Lines], Row]] = {
    "count": _count,
    "sum": _statistic("_sum", sum),
    "avg": _statistic("_avg", lambda n: sum(n) / len(n)),
    "min": _statistic("_min", min),
    "max": _statistic("_max", max),
    "range": _statistic("_range", lambda n: max(n) - min(n)),
    "stdDev": _statistic("_stddev", _deviation),
    "percentile": _percentile,
    "collect": _collect,
    "selectLast": _select_last,
    "selectFromMax": _select_from(largest=True),
    "selectFromMin": _select_from(largest=False),
}


def _aggregate(node: nodes.Expression | None, lines: Lines, world: World) -> list[Row]:
    """Combine the functions of a list: rows multiply, a function without rows counts as one."""
    items = node.elements if isinstance(node, nodes.Array) else () if node is None else (node,)
    if node is None:
        return [{"_count": str(len(lines))}]
    product: list[Row] = [{}]
    for item in items:
        found = _one(item, lines, world) or [{}]
        product = [{**row, **more} for row in product for more in found]
    return product


def _one(item: nodes.Node, lines: Lines, world: World) -> list[Row]:
    match item:
        case nodes.Array():
            return _aggregate(item, lines, world)
        case nodes.Subquery(pipeline=pipeline):
            return [line.row for line in run(pipeline.steps, lines, world)]
        case nodes.Assignment(field=name, value=nodes.Call() as inner):
            call = Call(inner, world)
            call.given["as"] = nodes.Quoted(span=inner.span, value=name.name, raw="")
            return [AGGREGATES[call.name](call, lines)]
        case nodes.Call():
            call = Call(item, world)
            if call.name in AGGREGATES:
                return [AGGREGATES[call.name](call, lines)]
            return [line.row for line in STAGES[call.name](call, lines, world, False)]
    raise AssertionError(item)


# --- stages ---------------------------------------------------------------------------------


def _grouped(names: list[str], lines: Lines) -> dict[tuple[str, ...], Lines]:
    groups: dict[tuple[str, ...], Lines] = {}
    for line in lines:
        if all(name in line.row for name in names):
            groups.setdefault(tuple(line.row[name] for name in names), []).append(line)
    return groups


def _group_by(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    names, found = call.texts("field"), list[Row]()
    for key, members in _grouped(names, lines).items():
        for row in _aggregate(call.given.get("function"), members, world):
            found.append({**row, **dict(zip(names, key, strict=True))})
    return _rows(found)


def _stats(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    return _rows(_aggregate(call.given.get("function"), lines, world))


def _sankey(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    found = []
    names = [call.text("source"), call.text("target")]
    for key, members in _grouped(names, lines).items():
        found += [
            {"source": key[0], "target": key[1], **row}
            for row in _aggregate(call.given.get("weight"), members, world)
        ]
    return _rows(found)


def _top(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    names, found = call.texts("field"), list[tuple[float, Row]]()
    for key, members in _grouped(names, lines).items():
        if "sum" in call.given:
            numbers = _numbers(members, call.text("sum"))
            amount, name = float(sum(numbers)), "_sum"
        else:
            amount, name = float(len(members)), "_count"
        row = {**dict(zip(names, key, strict=True)), call.output(name): str(text(amount))}
        found.append((amount, row))
    found.sort(key=lambda pair: -pair[0])
    return _rows(row for _, row in found[: int(call.text("limit", "10"))])


def _bucket(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    span = int(call.text("span").removesuffix("s")) * 1000
    names = call.texts("field") or call.texts("series")
    marked = [line.changed({**line.row, "_bucket": str(int(line.row["@timestamp"]) // span * span)})
              for line in lines]  # fmt: skip
    found = []
    for key, members in _grouped(["_bucket", *names], marked).items():
        found += [
            {**row, **dict(zip(["_bucket", *names], key, strict=True))}
            for row in _aggregate(call.given.get("function"), members, world)
        ]
    return _rows(sorted(found, key=lambda row: int(row["_bucket"])))


def _key(cell: str | None, kind: str, *, down: bool) -> tuple[bool, float | str]:
    if kind == "string":
        return (cell is None, cell or "")
    found = number(cell)
    return (found is None, 0.0 if found is None else -found if down else found)


def _sorted(lines: Lines, name: str, kind: str, *, down: bool) -> Lines:
    if kind == "string":
        known = [line for line in lines if name in line.row]
        known.sort(key=lambda line: line.row[name], reverse=False)
        if down:
            # Python's reverse keeps ties in order, as a stable sort must.
            known.sort(key=lambda line: line.row[name], reverse=True)
        return known + [line for line in lines if name not in line.row]
    return sorted(lines, key=lambda line: _key(line.row.get(name), kind, down=down))


def _sort(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    names = call.texts("field") or ["_count"]
    down, kind = call.text("order", "desc") == "desc", call.text("type", "number")
    original = {id(line): place for place, line in enumerate(lines)}
    for name in reversed(names):
        lines = _sorted(lines, name, kind, down=down)
    assert len(lines) == len(original)
    return [Line(line.row) for line in lines[: int(call.text("limit", "200"))]]


def _table(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    by = call.text("sortby", "@timestamp")
    down = call.text("order", "desc") == "desc"
    ordered = _sorted(lines, by, call.text("type", "number"), down=down)
    names = call.texts("fields")
    kept = ordered[: int(call.text("limit", "200"))]
    return _rows({n: line.row[n] for n in names if n in line.row} for line in kept)


def _head(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    return lines[: int(call.text("limit", "200"))]


def _tail(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    return lines[-int(call.text("limit", "200")) :]


def _select(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    names = call.texts("fields")
    return [x.changed({n: x.row[n] for n in names if n in x.row}) for x in lines]


def _drop(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    gone = set(call.texts("fields"))
    return [x.changed({n: c for n, c in x.row.items() if n not in gone}) for x in lines]


def _rename(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    old, new = call.text("field"), call.text("as")
    return [
        x.changed({**{n: c for n, c in x.row.items() if n != old}, new: x.row[old]})
        if old in x.row and old != new else x for x in lines
    ]  # fmt: skip


def _default(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    empty = call.flag("replaceEmpty")

    def fill(row: Row) -> Row:
        lacking = [n for n in call.texts("field") if n not in row or (empty and row[n] == "")]
        return {**row, **dict.fromkeys(lacking, call.text("value"))}

    return [line.changed(fill(line.row)) for line in lines]


def _eval(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    for name, node in call.given.items():
        lines = [x.changed(_set(x.row, name, text(value(node, x.row, world)))) for x in lines]
    return lines


def _set_field(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    found = []
    for line in lines:
        target = text(value(call.given["target"], line.row, world))
        cell = text(value(call.given["value"], line.row, world))
        found.append(line if target is None else line.changed(_set(line.row, target, cell)))
    return found


def _regex(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    pattern, found = python_regex(call.text("regex"), call.text("flags")), Lines()
    for line in lines:
        cell = line.row.get(call.text("field", "@rawstring"))
        every = [] if cell is None else list(pattern.finditer(cell))
        every = every if call.flag("repeat") else every[:1]
        for match in every:
            row = line.row
            for name, caught in match.groupdict().items():
                row = _set(row, name, caught)
            found.append(line.changed(row))
        if not every and not call.flag("strict", default=True):
            found.append(line)
    return found


def _split_string(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    base, by, found = call.text("as", "_splitstring"), call.text("by"), Lines()
    for line in lines:
        cell = line.row.get(call.text("field", "@rawstring"))
        parts = [] if cell is None else cell.split(by)
        found.append(line.changed({**line.row, **{f"{base}[{i}]": p for i, p in enumerate(parts)}}))
    return found


def _split(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    base, found = call.text("field"), Lines()
    member = re.compile(re.escape(base) + r"\[(\d+)\]")
    for line in lines:
        rest = {n: c for n, c in line.row.items() if not n.startswith(f"{base}[")}
        places = [(int(found_[1]), n) for n in line.row if (found_ := member.fullmatch(n))]
        for place, name in sorted(places):
            row = {**rest, base: line.row[name], "_index": str(place)}
            if "@id" in row:
                row["@id"] += f"__{place}"
            found.append(line.changed(row))
    return found


def _parse_json(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    found = []
    for line in lines:
        cell = line.row.get(call.text("field", "@rawstring"))
        more = None if cell is None else parsed_json(cell)
        if cell is not None and more is None:
            more = {"@error": "true", "@error_msg": "the text is no JSON object"}
        found.append(line.changed({**line.row, **(more or {})}))
    return found


def _kv_parse(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    found = []
    for line in lines:
        cell = line.row.get(call.text("field", "@rawstring"), "")
        pairs = dict(re.findall(r"(\w+)=(\w*)", cell, re.ASCII))
        override = call.flag("override")
        found.append(line.changed({**line.row, **pairs} if override else {**pairs, **line.row}))
    return found


def _parse_timestamp(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    found = []
    for line in lines:
        cell = line.row.get(call.text("field"))
        if cell is None:
            found.append(line)
        elif re.fullmatch(r"-?\d+(\.\d+)?", cell.strip()):
            whole = cell.strip().split(".")[0]
            more = {call.output("@timestamp"): str(int(whole)), "@timezone": "Z"}
            found.append(line.changed({**line.row, **more}))
        else:
            problem = f"parseTimestamp() found no time in {call.text('field')}"
            found.append(line.changed({**line.row, "@error": "true", "@error_msg": problem}))
    return found


def _look_up(
    call: Call, lines: Lines, table: list[Row], keys: list[str], include: list[str], *,
    keep: str, fill: str | None,
) -> Lines:  # fmt: skip
    fields, found = call.texts("field"), Lines()
    for line in lines:
        wanted = [line.row.get(name) for name in fields]
        hit = next((r for r in table if None not in wanted and [r.get(k) for k in keys] == wanted),
                   None)  # fmt: skip
        if hit is None and keep in ("left", "anti"):
            found.append(line)
        elif hit is not None and keep != "anti":
            more = {n: hit.get(n, fill) for n in include}
            added = {n: c for n, c in more.items() if c is not None}
            found.append(line.changed({**line.row, **added}))
    return found


def _match(call: Call, lines: Lines, world: World, negated: bool) -> Lines:
    # The last row that matches counts.
    table = world.tables[call.text("table") or call.text("file")][::-1]
    keys = call.texts("column") or call.texts("field")
    every = list(dict.fromkeys(name for row in table[::-1] for name in row))
    include = call.texts("include") or [name for name in every if name not in keys]
    keep = "anti" if negated else "inner" if call.flag("strict", default=True) else "left"
    return _look_up(call, lines, table, keys, include, keep=keep, fill=None)


def _inner(call: Call, world: World) -> list[Row]:
    query = call.given["query"]
    assert isinstance(query, nodes.Subquery)
    lines = [Line(dict(event), event) for event in world.events]
    return [line.row for line in run(query.pipeline.steps, lines, world)]


def _join(call: Call, lines: Lines, world: World, negated: bool) -> Lines:
    keys = call.texts("key") or call.texts("field")
    keep = "anti" if negated else call.text("mode", "inner")
    table = _inner(call, world)
    return _look_up(call, lines, table, keys, call.texts("include"), keep=keep, fill="")


def _define_table(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    names = call.texts("include")
    world.tables[call.text("name")] = [
        {n: row[n] for n in names if n in row} for row in _inner(call, world)
    ]
    return lines


def _read_file(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    return _rows(dict(row) for row in world.tables[call.text("file")])


def _create_events(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    rows: list[Row] = [
        {"@timestamp": str(world.now_ms), "@rawstring": raw} for raw in call.texts("rawstring")
    ]
    return [Line(row, row) for row in rows]


def _self_join_filter(call: Call, lines: Lines, world: World, negated: bool) -> Lines:
    names, where = call.texts("field"), call.given["where"]
    assert isinstance(where, nodes.Array)
    good = set()
    for key, members in _grouped(names, lines).items():
        if all(run(w.pipeline.steps, members, world) for w in where.elements
               if isinstance(w, nodes.Subquery)):  # fmt: skip
            good.add(key)
    return [x for x in lines
            if (all(n in x.row for n in names) and tuple(x.row[n] for n in names) in good)
            is not negated]  # fmt: skip


def _reduce_all(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    variable = call.text("var")
    items = [line.changed({**line.row, variable: cell}) for line in lines
             for cell in array(line.row, call.text("array"))]  # fmt: skip
    return _rows(_aggregate(call.given["function"], items, world))


def _fieldset(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    names = dict.fromkeys(name for line in lines for name in line.row)
    return _rows({"fieldset": name} for name in names)


def _transpose(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    names = sorted({name for line in lines for name in line.row})
    rows = [line.row for line in lines[:5]]
    found = [{"column": name, **{f"row[{i}]": row[name] for i, row in enumerate(rows, start=1)
                                 if name in row}} for name in names]  # fmt: skip
    return _rows(found)


def _cell(latitude: float, longitude: float) -> str:
    """Return the geohash of four letters: halve both axes in turn, longitude first."""
    letters, east, north = "", [-180.0, 180.0], [-90.0, 90.0]
    for start in range(0, 20, 5):
        bits = 0
        for step in range(start, start + 5):
            span, at = (north, latitude) if step % 2 else (east, longitude)
            middle = sum(span) / 2
            bits = bits * 2 + (at >= middle)
            span[0 if at >= middle else 1] = middle
        letters += "0123456789bcdefghjkmnpqrstuvwxyz"[bits]
    return letters


def _world_map(call: Call, lines: Lines, world: World, _negated: bool) -> Lines:
    groups: dict[str, int] = {}
    for line in lines:
        latitude = number(line.row.get(call.text("lat")))
        longitude = number(line.row.get(call.text("lon")))
        if latitude is not None and longitude is not None:
            cell = _cell(latitude, longitude)
            groups[cell] = groups.get(cell, 0) + 1
    return _rows({"geohash": cell, "_count": str(n)} for cell, n in groups.items())


Stage = Callable[[Call, Lines, World, bool], Lines]
STAGES: dict[str, Stage] = {
    "groupBy": _group_by, "stats": _stats, "sankey": _sankey, "top": _top, "bucket": _bucket,
    "timeChart": _bucket, "sort": _sort, "table": _table, "head": _head, "tail": _tail,
    "select": _select, "drop": _drop, "rename": _rename, "default": _default, "eval": _eval,
    "setField": _set_field, "regex": _regex, "splitString": _split_string, "split": _split,
    "parseJson": _parse_json, "kvParse": _kv_parse, "parseTimestamp": _parse_timestamp,
    "match": _match, "join": _join, "defineTable": _define_table, "readFile": _read_file,
    "createEvents": _create_events, "selfJoinFilter": _self_join_filter,
    "array:reduceAll": _reduce_all, "fieldset": _fieldset, "transpose": _transpose,
    "worldMap": _world_map,
}  # fmt: skip
