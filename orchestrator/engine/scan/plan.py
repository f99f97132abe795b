"""What a query reads of its events: one tap for each pipeline that starts at them.

A tap's `fields` are None where every field may matter, which is so for event results, free text
and each function that is not known to name its fields. A tap's `filters` are its leading steps that
decide on one event alone; they may be applied while reading, and again by the query.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.cql.catalogue import FunctionKind, find
from orchestrator.cql.fields import (
    argument,
    fields_read,
    is_aggregate,
    names,
    reads_everything,
)
from orchestrator.cql.nodes import (
    And,
    Assignment,
    Bad,
    Boolean,
    Call,
    Case,
    Comparison,
    FieldOperator,
    FreeText,
    Match,
    Node,
    Not,
    Or,
    Parameter,
    Pipeline,
    Query,
    Regex,
    SavedQuery,
    StatsShorthand,
    Step,
    Subquery,
)
from orchestrator.cql.walk import walk
from orchestrator.engine.events import INGEST_TIMESTAMP, TIMESTAMP
from orchestrator.engine.frames.stages import FILTER_STAGES, STAGES
from orchestrator.engine.functions.filters import FILTERS
from orchestrator.engine.functions.values import VALUES
from orchestrator.engine.scan.need import ANYTHING, Need, either, need_of
from orchestrator.engine.steps.transforms import TRANSFORMS

# Functions whose arguments say which fields they read, so that nothing else need be kept.
NAMES_ITS_FIELDS = frozenset(
    (
        "avg", "base64Decode", "bucket", "cidr", "coalesce", "collect", "concat", "count",
        "default", "defineTable", "drop", "dropEvent", "duration", "end", "eval", "format",
        "formatDuration", "formatTime", "groupBy", "head", "if", "in", "join", "kvParse",
        "length", "lower", "match", "max", "min", "now", "parseInt", "parseJson",
        "parseTimestamp", "percentage", "percentile", "range", "regex", "rename", "replace",
        "round", "select", "selectFromMax", "selectFromMin", "selectLast", "selfJoinFilter",
        "session", "shannonEntropy", "sort", "splitString", "start", "stats", "stdDev", "sum",
        "table", "tail", "test", "text:contains", "text:endsWith", "text:length",
        "text:positionOf", "text:startsWith", "text:substring", "text:trim", "timeChart", "top",
        "upper", "urlDecode",
    )
)  # fmt: skip
_PIPELINES = {"definetable": "query", "join": "query"}
_NAMES_NO_FIELD = frozenset(
    ("value", "values", "pattern", "limit", "span", "subnet", "buckets", "regex", "as", "start")
)
"""Parameters that a `?name` may stand in without hiding which field is read."""
_WINDOW = ("start", "end")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """What one pipeline takes of the events."""

    pipeline: Pipeline
    fields: tuple[str, ...] | None
    """In order of name; None: every field."""
    filters: tuple[Step, ...]
    """Leading steps, the last of them one that drops events; empty if none does."""
    filter_fields: tuple[str, ...]
    need: Need
    has_own_window: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanPlan:
    """All taps of a query."""

    taps: tuple[Tap, ...]
    whole: bool
    """Pipelines are only known at the run: every event is kept whole for all of them."""

    @property
    def need(self) -> Need:
        """Return what a line must hold for any tap to take it."""
        return either(tap.need for tap in self.taps) if len(self.taps) > 1 else self.taps[0].need

    @property
    def keeps_lines(self) -> bool:
        """Return whether some tap takes whole events."""
        return any(tap.fields is None for tap in self.taps)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the fields that are read out of every line that may matter."""
        found: set[str] = {TIMESTAMP}
        for tap in self.taps:
            found.update(tap.filter_fields if tap.fields is None else tap.fields)
        return tuple(sorted(found))


def plan_scan(query: Query, *, use_ingest_time: bool = False) -> ScanPlan:
    """Return what a reader of event files must keep for the query."""
    if _is_hidden(query):
        whole = Tap(
            pipeline=query.pipeline, fields=None, filters=(), filter_fields=(), need=ANYTHING
        )
        return ScanPlan(taps=(whole,), whole=True)
    always = {TIMESTAMP, INGEST_TIMESTAMP} if use_ingest_time else {TIMESTAMP}
    taps = [_tap(query.pipeline, wanted=(), always=always)]
    for node in walk(query):
        parameter = _PIPELINES.get(node.name.lower()) if isinstance(node, Call) else None
        if parameter is None or not isinstance(node, Call):
            continue
        subquery = argument(node, parameter)
        if isinstance(subquery, Subquery):
            wanted = (
                *names(argument(node, "include")),
                *names(argument(node, "key") or argument(node, "field")),
            )
            own = any(argument(node, name) is not None for name in _WINDOW)
            taps.append(_tap(subquery.pipeline, wanted=wanted, always=always, own_window=own))
    return ScanPlan(taps=tuple(taps), whole=False)


def _is_hidden(query: Query) -> bool:
    """Return whether the query has a pipeline over events that its own text does not show."""
    for node in walk(query):
        if isinstance(node, SavedQuery | Bad):
            return True
        function = find(node.name) if isinstance(node, Call) else None
        if function is not None and function.kind is FunctionKind.JOIN:
            known = (*_PIPELINES, "match", "readfile")
            if function.name.lower() not in known:
                return True
    return False


def _tap(
    pipeline: Pipeline, *, wanted: Sequence[str], always: set[str], own_window: bool = False
) -> Tap:
    own = _without_tables(pipeline)
    filters = _leading(own.steps)
    fields = _fields(own, wanted)
    if fields is not None:
        fields |= always
    filter_fields = fields_read(Pipeline(span=own.span, steps=filters))
    if not _is_static(filters) or any(isinstance(n, FreeText) for s in filters for n in walk(s)):
        # Deciding them takes the whole event, which is what they are meant to spare.
        filters, filter_fields = (), frozenset()
    return Tap(
        pipeline=pipeline,
        fields=None if fields is None else tuple(sorted(fields)),
        filters=filters,
        filter_fields=tuple(sorted(filter_fields | always)),
        need=need_of(own.steps),
        has_own_window=own_window,
    )


def _without_tables(pipeline: Pipeline) -> Pipeline:
    steps = tuple(s for s in pipeline.steps if not _calls(s, "definetable"))
    return Pipeline(span=pipeline.span, steps=steps)


def _calls(step: Step, name: str) -> bool:
    return isinstance(step, Call) and step.name.lower() == name


def _fields(pipeline: Pipeline, wanted: Sequence[str]) -> frozenset[str] | None:
    """Return the event fields that matter to the pipeline's result; None: any may."""
    steps: list[Step] = []
    is_closed = False
    for step in pipeline.steps:
        steps.append(step)
        if _closes(step):
            is_closed = True
            break
    if reads_everything(pipeline) or not _is_static(steps):
        return None
    read = fields_read(Pipeline(span=pipeline.span, steps=tuple(steps)))
    if is_closed:
        return read
    # Rows that are events: all of an event shows, unless the table made of them includes some.
    return read | frozenset(wanted) if wanted and "*" not in wanted else None


def _closes(step: Step) -> bool:
    """Return whether no field of the events themselves is left behind the step."""
    match step:
        case StatsShorthand():
            return True
        case Assignment(value=Call() as call) | FieldOperator(call=call):
            return is_aggregate(call)
        case Call(name=name):
            keeps = name.lower() in ("sort", "head", "tail")
            return name.lower() == "select" or (is_aggregate(step) and not keeps)
        case _:
            return False


def _is_static(steps: Iterable[Step]) -> bool:
    """Return whether the steps' text says which fields they read."""
    for step in steps:
        for node in walk(step):
            if not isinstance(node, Call):
                continue
            function = find(node.name)
            if function is None or not _names_its_fields(function.name):
                return False
            for item in node.arguments:
                name = item.name or function.unnamed
                hides = any(isinstance(n, Parameter) for n in walk(item.value))
                if hides and name not in _NAMES_NO_FIELD:
                    return False
    return True


def _names_its_fields(name: str) -> bool:
    return name in NAMES_ITS_FIELDS or name.startswith(("crypto:", "math:", "time:"))


def _leading(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the leading steps that look at one event alone, up to the last that drops some."""
    length = 0
    for number, step in enumerate(steps, start=1):
        if not is_row_wise(step):
            break
        if _drops(step):
            length = number
    return tuple(steps[:length])


def is_row_wise(step: Step) -> bool:
    """Return whether the step looks at one event alone, whatever other events there are."""
    if isinstance(step, Match):
        return all(_all_row_wise(arm.body.steps) for arm in step.arms)
    if isinstance(step, Case):
        return all(_all_row_wise(clause.steps) for clause in step.clauses)
    if any(isinstance(node, SavedQuery) or _repeats(node) for node in walk(step)):
        return False
    if not isinstance(step, Assignment | And | Or | Not | Comparison | FreeText | Boolean | Call):
        return isinstance(step, FieldOperator) and _is_row_function(step.call)
    return all(_is_row_function(node) for node in walk(step) if isinstance(node, Call))


def _repeats(node: Node) -> bool:
    """Return whether a regex may make several events of one."""
    if isinstance(node, Regex):
        return "g" in node.flags
    return isinstance(node, Call) and any(
        argument.name in ("repeat", "flags") for argument in node.arguments
    )


def _all_row_wise(steps: Iterable[Step]) -> bool:
    return all(is_row_wise(step) for step in steps)


def _is_row_function(call: Call) -> bool:
    function = find(call.name)
    if function is None or function.name in STAGES or function.name in FILTER_STAGES:
        return False
    if function.kind in (FunctionKind.AGGREGATE, FunctionKind.SEQUENCE):
        return False
    return any(function.name in table for table in (FILTERS, VALUES, TRANSFORMS))


def _drops(step: Step) -> bool:
    match step:
        case Assignment():
            return False
        case Call() | FieldOperator():
            call = step.call if isinstance(step, FieldOperator) else step
            function = find(call.name)
            is_regex = function is not None and function.name == "regex"
            return is_regex or (function is not None and function.kind is FunctionKind.FILTER)
        case Case(clauses=clauses):
            return not any(_passes_all(clause.steps) for clause in clauses)
        case _:
            return True


def _passes_all(steps: Sequence[Step]) -> bool:
    return not any(_drops(step) for step in steps if not _is_star(step))


def _is_star(step: Step) -> bool:
    match step:
        case FreeText(pattern=pattern):
            return getattr(pattern, "text", getattr(pattern, "value", "")) == "*"
        case Boolean(value=value):
            return value
        case _:
            return False
