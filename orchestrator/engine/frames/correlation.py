"""correlate(): sets of events, one for each named query, that links and times hold together.

Every query runs over the events of the main one. Constellations grow from the root, one query
after the other; links, order and span prune them on the way. An event stands for one query of a
constellation only. LogScale may stop at a part of the answer; here it is whole, up to a bound that
is said when it cuts.
Source: library.humio.com, data-analysis/functions-correlate.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import polars as pl

from orchestrator.cql.nodes import (
    And,
    Array,
    Comparison,
    ComparisonOperator,
    Expression,
    FieldName,
    Step,
    Subquery,
    Word,
)
from orchestrator.engine.arguments import Args, semantic, unsupported
from orchestrator.engine.flow import Flow
from orchestrator.engine.patterns.globs import parse_number
from orchestrator.engine.steps.row_steps import refuse_aggregates

MOST_CONSTELLATIONS = 2_000_000
_ALWAYS = ("@id", "@timestamp", "@ingesttimestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    """`field <=> other.other_field` in a query."""

    field: str
    other: str
    other_field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Query:
    """One named query and its events, with hidden columns for joining."""

    label: str
    links: tuple[_Link, ...]
    include: tuple[str, ...] | None
    """Fields to show besides; None is all."""
    events: pl.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    """What the times of a constellation must hold to, in milliseconds."""

    is_sequence: bool
    within: int | None
    jitter: int
    by: tuple[str, ...] = field(default=())


def correlate(args: Args, flow: Flow) -> Flow:
    """Return one row for each constellation, oldest root first."""
    if flow.is_aggregate:
        raise semantic(args.call, "correlate() cannot stand behind an aggregate")
    if args.has("aggregation"):
        raise unsupported(args.call, "correlate(aggregation=)", "aggregate behind it instead")
    if args.has("jitterTolerance") and not args.flag("sequence"):
        raise semantic(args.call, "jitterTolerance= needs sequence=true")
    if args.has("sequenceBy") and not args.flag("sequence"):
        raise semantic(args.call, "sequenceBy= needs sequence=true")
    numbered = replace(flow, frame=flow.frame.with_row_index("\x00event").collect().lazy())
    queries = [_query(node, numbered) for node in args.elements("query")]
    labels = [query.label for query in queries]
    if len(queries) < 2 or len(set(labels)) != len(labels):
        raise semantic(args.call, "correlate() takes two or more queries of different names")
    for query in queries:
        for link in query.links:
            if link.other not in labels:
                raise semantic(args.call, f"there is no query {link.other!r} to link to")
    times = _Times(
        is_sequence=args.flag("sequence"),
        within=args.duration_ms("within") if args.has("within") else None,
        jitter=args.duration_ms("jitterTolerance") if args.has("jitterTolerance") else 0,
        by=tuple(args.texts("sequenceBy")),
    )
    root = args.text("root", labels[0]) if args.has("root") else labels[0]
    if root not in labels:
        raise semantic(args.call, f"there is no query {root!r} to be the root")
    constraints = args.texts("globalConstraints")
    found = _grow(_ranked(queries, times), labels, root, constraints, times, flow)
    found = _chosen(found, labels, root, args)
    return _shown(found, queries, constraints, args, flow)


# --- queries --------------------------------------------------------------------------------


def _query(node: Expression, flow: Flow) -> _Query:
    if not isinstance(node, Subquery) or node.label is None:
        raise semantic(node, "correlate() takes named queries: name: { ... }")
    links: list[_Link] = []
    steps = [kept for step in node.pipeline.steps for kept in _without_links(step, links)]
    refuse_aggregates(steps)
    found = flow.engine.run_steps(steps, flow)
    frame = found.frame.select("\x00event", "\x00time", *found.columns).collect()
    return _Query(label=node.label, links=tuple(links), include=_include(node), events=frame)


def _without_links(step: Step, links: list[_Link]) -> Iterable[Step]:
    """Yield what a step filters besides its links, which are noted."""
    operands = step.operands if isinstance(step, And) else (step,)
    for operand in operands:
        if isinstance(operand, Comparison) and operand.operator is ComparisonOperator.LINK:
            other = operand.value
            name = other.name if isinstance(other, FieldName) else ""
            label, dot, rest = name.partition(".")
            if not dot or not rest:
                raise semantic(operand, "a link names a query and its field: name.field")
            links.append(_Link(field=operand.field.name, other=label, other_field=rest))
        else:
            yield operand


def _include(node: Subquery) -> tuple[str, ...] | None:
    for attribute in node.attributes:
        if attribute.name != "include":
            raise semantic(attribute, f"a query of correlate() has no {attribute.name}:")
        value = attribute.value
        items = value.elements if isinstance(value, Array) else (value,)
        names = [getattr(item, "text", getattr(item, "value", "")) for item in items]
        if any(isinstance(item, Word) and item.text == "*" for item in items):
            return None
        return tuple(str(name) for name in names)
    return ()


def _ranked(queries: Sequence[_Query], times: _Times) -> list[_Query]:
    """Return the queries with each event's place in the order that a sequence follows."""
    place = "\x00order"
    if not times.by:
        return [
            replace(q, events=q.events.with_columns(pl.col("\x00time").alias(place)))
            for q in queries
        ]
    keys: dict[int, tuple[tuple[bool, float, str], ...]] = {}
    for query in queries:
        for row in query.events.iter_rows(named=True):
            cells = [row.get(name) or "" for name in times.by]
            numbers = [parse_number(cell) for cell in cells]
            keys[row["\x00event"]] = tuple(
                (number is None, number or 0.0, cell)
                for number, cell in zip(numbers, cells, strict=True)
            )
    ranks = {key: rank for rank, key in enumerate(sorted(set(keys.values())))}
    return [
        replace(
            q,
            events=q.events.with_columns(
                pl.Series(place, [ranks[keys[e]] for e in q.events["\x00event"]], dtype=pl.Int64)
            ),
        )
        for q in queries
    ]


# --- constellations -------------------------------------------------------------------------


def _grow(
    queries: Sequence[_Query],
    labels: Sequence[str],
    root: str,
    constraints: Sequence[str],
    times: _Times,
    flow: Flow,
) -> pl.DataFrame:
    """Join the queries' events to the root's, the linked ones first."""
    by_label = {query.label: query for query in queries}
    pairs = [
        (query.label, link.field, link.other, link.other_field)
        for query in queries
        for link in query.links
    ]
    pairs += [
        (label, name, root, name) for label in labels if label != root for name in constraints
    ]
    found = _renamed(by_label[root])
    joined = [root]
    while len(joined) < len(labels):
        rest = [label for label in labels if label not in joined]
        linked = [
            label
            for label in rest
            if any({a, b} <= {label, *joined} and label in (a, b) for a, _, b, _ in pairs)
        ]
        label = (linked or rest)[0]
        left, right = [], []
        for a, a_field, b, b_field in pairs:
            if a == label and b in joined:
                left.append(_column(b, b_field))
                right.append(_column(a, a_field))
            elif b == label and a in joined:
                left.append(_column(a, a_field))
                right.append(_column(b, b_field))
        found = _join(found, _renamed(by_label[label]), left, right)
        joined.append(label)
        found = found.filter(_holds([name for name in labels if name in joined], label, times))
        if found.height > MOST_CONSTELLATIONS:
            flow.execution.warn(f"correlate() kept {MOST_CONSTELLATIONS} candidates of more")
            found = found.head(MOST_CONSTELLATIONS)
    return found


def _column(label: str, name: str) -> str:
    return f"{label}.{name}"


def _renamed(query: _Query) -> pl.DataFrame:
    return query.events.rename({name: _column(query.label, name) for name in query.events.columns})


def _join(
    found: pl.DataFrame, events: pl.DataFrame, left: Sequence[str], right: Sequence[str]
) -> pl.DataFrame:
    for frame, names in ((found, left), (events, right)):
        if any(name not in frame.columns for name in names):
            # No event has the field, so nothing can be linked by it.
            return pl.concat([found.head(0), events.head(0)], how="horizontal")
    if not left:
        return found.join(events, how="cross")
    keys = {f"\x00l{i}": name for i, name in enumerate(left)}
    others = {f"\x00l{i}": name for i, name in enumerate(right)}
    joined = found.with_columns(pl.col(name).alias(key) for key, name in keys.items()).join(
        events.with_columns(pl.col(name).alias(key) for key, name in others.items()),
        on=list(keys),
        how="inner",
        maintain_order="left_right",
    )
    return joined.drop(list(keys))


def _holds(labels: Sequence[str], new: str, times: _Times) -> pl.Expr:
    """Return whether the constellation so far keeps to the times; `labels` in declared order."""
    event, time, order = (
        {label: pl.col(_column(label, name)) for label in labels}
        for name in ("\x00event", "\x00time", "\x00order")
    )
    holds = pl.lit(value=True)
    for label in labels:
        if label != new:
            holds = holds & (event[label] != event[new])
    if times.is_sequence:
        slack = times.jitter if not times.by else 0
        for before, after in pairwise(labels):
            # Of equal times the order the events came in decides, unless they may jitter.
            later = order[after] > order[before] - slack
            tie = (order[after] == order[before] - slack) & (event[after] > event[before])
            holds = holds & (later | tie if slack == 0 else order[after] >= order[before] - slack)
    if times.within is not None:
        last, first = pl.max_horizontal(*time.values()), pl.min_horizontal(*time.values())
        holds = holds & (last - first <= times.within)
    return holds


def _chosen(found: pl.DataFrame, labels: Sequence[str], root: str, args: Args) -> pl.DataFrame:
    """Keep at most `maxPerRoot` constellations of each root event, the earliest ones."""
    order = [root, *(label for label in labels if label != root)]
    events = [_column(label, "\x00event") for label in order]
    found = found.sort([_column(root, "\x00time"), *events])
    most = args.integer("maxPerRoot", default=1, maximum=1_000_000)
    if not args.flag("includeMatchesOnceOnly"):
        return found.filter(pl.int_range(pl.len()).over(events[0]) < most)
    used: list[set[int]] = [set() for _ in events]
    kept, counts = [], dict[int, int]()
    for number, row in enumerate(found.select(events).iter_rows()):
        if any(event in seen for event, seen in zip(row[1:], used[1:], strict=True)):
            continue
        if counts.get(row[0], 0) >= most or row[0] in used[0]:
            continue
        counts[row[0]] = counts.get(row[0], 0) + 1
        for event, seen in zip(row, used, strict=True):
            seen.add(event)
        kept.append(number)
    return found[kept]


def _shown(
    found: pl.DataFrame,
    queries: Sequence[_Query],
    constraints: Sequence[str],
    args: Args,
    flow: Flow,
) -> Flow:
    """Return the rows with the fields that links, constraints and `include` show."""
    with_values = args.flag("includeConstraintValues", default=True)
    columns: list[str] = []
    for query in queries:
        names = list(_ALWAYS)
        if with_values:
            names += [link.field for link in query.links]
            names += [
                link.other_field
                for other in queries
                for link in other.links
                if link.other == query.label
            ]
            names += constraints
        own = [name for name in query.events.columns if not name.startswith("\x00")]
        names += own if query.include is None else query.include
        columns += [_column(query.label, name) for name in dict.fromkeys(names)]
    lacking = [name for name in columns if name not in found.columns]
    found = found.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in lacking)
    return flow.behind_aggregate(found.select(columns), columns)
