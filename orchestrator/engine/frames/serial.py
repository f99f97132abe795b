"""series(): the values of fields in order of time, cut into transactions.

Source: library.humio.com, data-analysis/functions-series.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from orchestrator.engine.arguments import Args
from orchestrator.engine.flow import Flow
from orchestrator.engine.frames.sequences import by_time, condition_of
from orchestrator.engine.patterns.globs import format_number

DEFAULT_BYTES, MOST_BYTES = 1024, 1024
_SIZES = {"": 1, "b": 1, "kb": 1000, "kib": 1024}


@dataclass(slots=True, kw_only=True)
class _Transaction:
    """One run of events under way."""

    start_ms: float
    end_ms: float
    values: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """Where a transaction begins and ends."""

    starts: str | None
    """Hidden column: the event begins a transaction; None where no start is asked for."""
    ends: str | None
    pause_ms: float | None
    duration_ms: float | None


def series(args: Args, flow: Flow) -> Flow:
    """Join the fields' values of each transaction; adds `_duration` (ms) and its first time."""
    execution = flow.execution
    own = ("@timestamp", "_duration")
    names = [name for name in dict.fromkeys(args.texts("collect")) if name not in own]
    time, rows = execution.mark("time"), flow.rows()
    marks = {name: execution.mark("value") for name in names}
    rules = _Rules(
        starts=execution.mark("start") if args.has("startmatch") else None,
        ends=execution.mark("end") if args.has("endmatch") else None,
        pause_ms=args.duration_ms("maxpause") if args.has("maxpause") else None,
        duration_ms=args.duration_ms("maxduration") if args.has("maxduration") else None,
    )
    added = [rows.field(name).text().alias(mark) for name, mark in marks.items()]
    for name, mark in (("startmatch", rules.starts), ("endmatch", rules.ends)):
        if mark is not None:
            added.append(condition_of(args.node(name), rows).alias(mark))
    frame = by_time(flow.with_frame(flow.frame.with_columns(added)), time).frame
    separator, limit = args.text("separator", "\n"), _byte_limit(args)
    found: dict[str, list[str | int | None]] = {name: [] for name in _columns(flow, names)}
    for group, part in _parts(frame.collect(), flow):
        left = limit
        for transaction in _transactions(part, rules, marks, time):
            for name in flow.outer():
                found[name].append(group)
            found["@timestamp"].append(format_number(transaction.start_ms))
            found["_duration"].append(format_number(transaction.end_ms - transaction.start_ms))
            for name in names:
                kept = []
                for value in transaction.values.get(name, []):
                    left -= len(value.encode("utf-8", "replace"))
                    if left < 0:
                        execution.warn(f"series() kept {limit} bytes of a group; raise memlimit=")
                        break
                    kept.append(value)
                found[name].append(separator.join(kept) if kept else None)
    schema = {name: pl.UInt32 if name == flow.group else pl.String for name in found}
    return flow.behind_aggregate(pl.DataFrame(found, schema=schema))


def _columns(flow: Flow, names: list[str]) -> list[str]:
    return [*flow.outer(), "@timestamp", "_duration", *names]


def _byte_limit(args: Args) -> int:
    text = args.text("memlimit", str(DEFAULT_BYTES)).strip().lower()
    digits = text.rstrip("bki ")
    size = _SIZES.get(text[len(digits) :].strip(), 1)
    return int(digits) * size if digits.isdecimal() else MOST_BYTES


def _parts(frame: pl.DataFrame, flow: Flow) -> Iterator[tuple[int, pl.DataFrame]]:
    if not flow.group:
        yield 0, frame
        return
    for (group,), part in frame.group_by([flow.group], maintain_order=True):
        yield int(str(group)), part


def _transactions(
    frame: pl.DataFrame, rules: _Rules, marks: dict[str, str], time: str
) -> Iterator[_Transaction]:
    current: _Transaction | None = None
    for event in frame.iter_rows(named=True):
        at = event[time]
        if current is not None and (
            (rules.pause_ms is not None and at - current.end_ms > rules.pause_ms)
            or (rules.duration_ms is not None and at - current.start_ms > rules.duration_ms)
            or (rules.starts is not None and event[rules.starts])
        ):
            yield current
            current = None
        if current is None:
            # With a start asked for, what comes before one is in no transaction.
            if rules.starts is not None and not event[rules.starts]:
                continue
            current = _Transaction(start_ms=at, end_ms=at)
        current.end_ms = at
        for name, mark in marks.items():
            if event[mark] is not None:
                current.values.setdefault(name, []).append(event[mark])
        if rules.ends is not None and event[rules.ends]:
            yield current
            current = None
    if current is not None:
        yield current
