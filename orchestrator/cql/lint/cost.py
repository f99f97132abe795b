"""Checks of what a query costs: work that could come later, be cheaper, or be left out.

All of them are hints: the query is right. They are silent where the cheaper form is a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from orchestrator.cql.catalogue import FunctionKind, find
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.fields import argument, names
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.branches import matches_all
from orchestrator.cql.lint.outline import Outline
from orchestrator.cql.nodes import (
    Array,
    Assignment,
    Call,
    Case,
    Comparison,
    ComparisonOperator,
    Match,
    Node,
    Not,
    Number,
    Parameter,
    Quoted,
    Regex,
    Subquery,
    Word,
)
from orchestrator.cql.printer import quote
from orchestrator.cql.walk import walk

_EQUALITY = (ComparisonOperator.EQUAL, ComparisonOperator.NOT_EQUAL)
_LITERAL = re.compile(r"(?:[A-Za-z0-9_ @#%&~:;,<>='\"!-]|\\[^A-Za-z0-9*\n])+")
_LIST = re.compile(r"\^(?:\((?:\?:)?([^()]*)\)|([^()|]*))\$\Z")
_SOURCES = (FunctionKind.SOURCE, FunctionKind.JOIN)
_PRETTY = frozenset(("format", "formatTime", "formatDuration"))
_LONG_TEXTS = frozenset(("CommandLine", "@rawstring", "ScriptContent", "message"))
_EVENT_IDS = frozenset(("@id", "@rawstring"))
_SMALL = 100


def _no_tag(context: Context) -> Iterator[Found]:
    steps = context.steps
    if not steps or context.kind.value == "condition":
        return
    chosen = False
    for outline in steps:
        # A table, a saved query or a stored lookup brings its own choice of events.
        if _brings_events(outline):
            return
        for node in walk(outline.step):
            if isinstance(node, Comparison) and node.field.name.startswith("#"):
                return
            if isinstance(node, Call) and not outline.is_aggregate and _asks_tag(node):
                return
            if isinstance(node, Parameter):
                # What stands for it when the query runs is not known here.
                chosen = True
        if isinstance(outline.step, Match) and outline.step.field.name.startswith("#"):
            return
        if outline.is_aggregate:
            break
    if not chosen and any(outline.is_aggregate for outline in steps):
        yield Found(
            message="No tag chooses the events, so every data source is read.",
            span=steps[0].step.span,
            help="Begin with a tag that holds for them: `#type=…`, `#event_simpleName=…`.",
        )


def _asks_tag(call: Call) -> bool:
    return any(name.startswith("#") for item in call.arguments for name in names(item.value))


def _brings_events(outline: Outline) -> bool:
    step = outline.step
    if isinstance(step, Call):
        function = find(step.name)
        return function is None or function.kind in _SOURCES
    return outline.is_open and not isinstance(step, Assignment | Case | Match)


def _late_filters(context: Context) -> Iterator[Found]:
    """Find a filter of the event's own fields behind work done for every event."""
    made: set[str] = set()
    costly: str | None = None
    for outline in context.steps:
        step = outline.step
        if outline.is_open or outline.is_aggregate:
            return
        if isinstance(step, Case | Match):
            # A clause may end in a filter, and what it then costs to come first is unknown.
            costly = costly or ("case" if isinstance(step, Case) else "match")
        elif isinstance(step, Call):
            function = find(step.name)
            if function is not None and function.name in ("match", "regex", "parseJson"):
                costly = f"{function.name}()"
        elif costly is not None and isinstance(step, Comparison):
            own = step.field.name not in made and not isinstance(step.value, Regex | Parameter)
            tag = step.field.name.startswith("#")
            if own and not tag and step.operator is not ComparisonOperator.NOT_EQUAL:
                yield Found(
                    message=f"This filter could stand before {costly}, which runs for every event.",
                    span=step.span,
                    help="Move it to the front.",
                )
        made |= outline.makes


def _regex_before_filter(context: Context) -> Iterator[Found]:
    steps = context.steps
    for outline, following in pairwise(steps):
        step = outline.step
        if outline.is_behind or not isinstance(step, Comparison) or outline.makes:
            continue
        later = following.step
        if not isinstance(step.value, Regex) or not isinstance(later, Comparison):
            continue
        # Tags choose the data sources wherever they stand.
        if step.field.name.startswith("#"):
            continue
        if isinstance(later.value, Word | Number) and later.operator in _EQUALITY:
            if not later.field.name.startswith("#") and "*" not in context.source(later.value.span):
                yield Found(
                    message="A regex is tried on every event here, before a cheaper comparison.",
                    span=step.span,
                    help="Compare first, and put the regex behind it.",
                )


def _plain_regexes(context: Context) -> Iterator[Found]:
    for node in context.each(Comparison):
        regex = node.value
        if not isinstance(regex, Regex) or regex.flags or node.operator not in _EQUALITY:
            continue
        start, end = regex.body.startswith("^"), regex.body.endswith("$")
        body = regex.body[1 if start else 0 : -1 if end else None]
        if not body or _LITERAL.fullmatch(body) is None:
            continue
        text = re.sub(r"\\(.)", r"\1", body)
        glob = quote(f"{'' if start else '*'}{text}{'' if end else '*'}")
        sign = node.operator.value
        yield Found(
            message="This regex holds nothing but text.",
            span=regex.span,
            help=f"Write `{node.field.name}{sign}{glob}`.",
            fix=Fix(span=regex.span, text=glob, label="compare with a pattern"),
        )


def _alternations(context: Context) -> Iterator[Found]:
    for node in context.each(Comparison):
        regex = node.value
        if not isinstance(regex, Regex) or regex.flags or node.operator not in _EQUALITY:
            continue
        match = _LIST.match(regex.body)
        parts = (match.group(1) or "").split("|") if match is not None else []
        if len(parts) < 2 or not all(_LITERAL.fullmatch(part) for part in parts):
            continue
        values = ", ".join(quote(re.sub(r"\\(.)", r"\1", part)) for part in parts)
        bang = "!" if node.operator is ComparisonOperator.NOT_EQUAL else ""
        text = f"{bang}in({context.source(node.field.span)}, values=[{values}])"
        yield Found(
            message="This regex is a list of values.",
            span=regex.span,
            help=f"Write `{text}`.",
            fix=Fix(span=node.span, text=text, label="write in()"),
        )


def _tag_wildcards(context: Context) -> Iterator[Found]:
    for node in context.each(Comparison):
        value = node.value
        if not node.field.name.startswith("#") or not isinstance(value, Word | Quoted):
            continue
        text = value.text if isinstance(value, Word) else value.value
        if text.startswith("*") and set(text) != {"*"} and node.operator in _EQUALITY:
            yield Found(
                message="A pattern that begins with `*` is tried on every value of the tag.",
                span=value.span,
                help="Name the values: `in(…, values=[…])`.",
            )


def _formatted_early(context: Context) -> Iterator[Found]:
    """Find format() before an aggregate that only carries its result along."""
    formatted: dict[str, Call] = {}
    for outline in context.steps:
        step = outline.step
        if outline.is_aggregate:
            carried = _carried(step)
            for name, call in formatted.items():
                if name in carried:
                    yield Found(
                        message=f"{call.name}() runs for every event, and only a few of its results "
                        "are shown.",
                        span=call.span,
                        help="Carry the plain field through the aggregate, and format behind it.",
                    )
            return
        for name in [name for name in formatted if name in outline.reads]:
            del formatted[name]
        maker = step.value if isinstance(step, Assignment) else step
        if isinstance(maker, Call) and _name(maker) in _PRETTY:
            alias = names(argument(maker, "as"))
            target = [step.field.name] if isinstance(step, Assignment) else alias
            formatted |= dict.fromkeys(target, maker)


def _carried(step: Node) -> set[str]:
    """Return the fields that selectLast() and its kin carry, and that are not keys."""
    found: set[str] = set()
    for node in walk(step):
        function = find(node.name) if isinstance(node, Call) else None
        if function is not None and isinstance(node, Call):
            if function.name in ("selectLast", "selectFromMax", "selectFromMin"):
                found.update(names(argument(node, "fields")), names(argument(node, "include")))
    return found


def _top_by_hand(context: Context) -> Iterator[Found]:
    steps = context.steps
    for group, ordered in pairwise(steps):
        call, sort = group.step, ordered.step
        if not isinstance(call, Call) or not isinstance(sort, Call):
            continue
        if _name(call) != "groupBy" or _name(sort) != "sort":
            continue
        counted = argument(call, "function")
        if isinstance(counted, Array) and len(counted.elements) == 1:
            counted = None if isinstance(counted.elements[0], Assignment) else counted.elements[0]
        is_count = (
            isinstance(counted, Call)
            and _name(counted) == "count"
            and not names(argument(counted, "field"))
        )
        limit, order = argument(sort, "limit"), argument(sort, "order")
        small = isinstance(limit, Number) and limit.text.isdecimal() and int(limit.text) <= _SMALL
        output = names(argument(counted, "as")) or ["_count"] if isinstance(counted, Call) else []
        descending = order is None or names(order) == ["desc"]
        keys = names(argument(call, "field"))
        by_count = names(argument(sort, "field"))[:1] == output
        if (is_count or counted is None) and small and descending and keys and by_count:
            shown = keys[0] if len(keys) == 1 else f"[{', '.join(keys)}]"
            yield Found(
                message="The largest groups by count are what top() is made for.",
                span=call.name_span,
                help=f"Write `top({shown}, limit={context.source(limit.span) if limit else ''})`.",
            )


def _name(call: Call) -> str:
    function = find(call.name)
    return function.name if function is not None else call.name


def _joins(context: Context) -> Iterator[Found]:
    negated = _negated(context)
    for call, function in context.calls:
        if function.name == "join" and id(call) not in negated:
            yield Found(
                message="A join reads twice, and is cut at 100,000 rows of the subquery.",
                span=call.name_span,
                help="defineTable() with match(), selfJoinFilter() or correlate() do with less.",
            )


def _negated_joins(context: Context) -> Iterator[Found]:
    negated = _negated(context)
    for call, function in context.calls:
        if function.name == "join" and id(call) in negated:
            yield Found(
                message="A negated join keeps the events whose rows were cut off at its limit.",
                span=call.name_span,
                help="Write `defineTable(…)` first, and `!match(…)` here.",
            )


def _negated(context: Context) -> set[int]:
    return {id(node.operand) for node in context.each(Not)}


def _open_subqueries(context: Context) -> Iterator[Found]:
    for call, function in context.calls:
        if function.name not in ("join", "defineTable"):
            continue
        query = argument(call, "query")
        if not isinstance(query, Subquery) or not query.pipeline.steps:
            continue
        first = query.pipeline.steps[0]
        if matches_all(first) or (isinstance(first, Call) and _is_row_maker(first)):
            yield Found(
                message=f"The subquery of {function.name}() reads every event.",
                span=query.span,
                help="Begin it with a filter; what exceeds its limit is cut off.",
            )


def _is_row_maker(call: Call) -> bool:
    function = find(call.name)
    return function is not None and function.kind is FunctionKind.AGGREGATE


def _long_texts(context: Context) -> Iterator[Found]:
    for call, function in context.calls:
        if function.name != "collect" or argument(call, "limit") is not None:
            continue
        for name in names(argument(call, "fields")):
            if name in _LONG_TEXTS:
                yield Found(
                    message=f"collect() of `{name}` gathers up to 2,000 long texts a group.",
                    span=call.name_span,
                    help="Add `limit=`, or carry one with selectLast().",
                )
                break


def _everything_included(context: Context) -> Iterator[Found]:
    for call, function in context.calls:
        if function.name not in ("defineTable", "join", "selfJoin"):
            continue
        include = argument(call, "include")
        if include is not None and names(include) == ["*"]:
            yield Found(
                message=f"{function.name}() keeps every field of its rows.",
                span=include.span,
                help="Name the fields that the query needs.",
            )
    for subquery in context.each(Subquery):
        for attribute in subquery.attributes:
            if attribute.name == "include" and names(attribute.value) == ["*"]:
                yield Found(
                    message="correlate() keeps every field of these events.",
                    span=attribute.span,
                    help="Name the fields that the query needs.",
                )


def _large_globs(context: Context) -> Iterator[Found]:
    for call, function in context.calls:
        mode = argument(call, "mode")
        if function.name == "match" and mode is not None and names(mode) == ["glob"]:
            yield Found(
                message="match(mode=glob) reads at most 20,000 rows of its file.",
                span=mode.span,
                help="Compare exactly where the file may grow beyond that.",
            )


def _grouped_by_event(context: Context) -> Iterator[Found]:
    for call, function in context.calls:
        if function.name != "groupBy":
            continue
        for name in names(argument(call, "field")):
            if name in _EVENT_IDS:
                yield Found(
                    message=f"`{name}` differs for every event, so every event is a group.",
                    span=call.name_span,
                    help="Group by what the events have in common; bucket() groups by time.",
                )
                break


CHECKS = (
    Check(
        code="no-tag",
        level=Level.HINT,
        about="Tags (`#type`, `#event_simpleName`, …) choose the data sources before anything is "
        "read. A query that aggregates without one reads every event of the repository. Where the "
        "repository holds one kind of data only, waive it.",
        source="LogScale: best practices, tag filters",
        find=_no_tag,
        needs_whole=True,
    ),
    Check(
        code="late-filter",
        level=Level.HINT,
        about="A filter of the event's own fields behind a case, a lookup or a regex lets all that "
        "work be done for events that are thrown away. Filters come first.",
        source="LogScale: best practices",
        find=_late_filters,
        needs_whole=True,
    ),
    Check(
        code="regex-first",
        level=Level.HINT,
        about="A comparison with a plain value is much cheaper than a regex. With the comparison in "
        "front the regex is tried on fewer events.",
        source="LogScale: best practices",
        find=_regex_before_filter,
    ),
    Check(
        code="regex-plain",
        level=Level.HINT,
        about="A regex without any operator, or with anchors only, is a comparison: `text`, `text*`, "
        "`*text` or `*text*`. Plain comparisons are cheaper, and need no escapes.",
        source="LogScale: best practices; query filters",
        find=_plain_regexes,
    ),
    Check(
        code="regex-list",
        level=Level.HINT,
        about="A regex that is anchored on both sides and holds nothing but alternatives is a list of "
        "values; in() compares with a list, and reads as one.",
        source="LogScale: in()",
        find=_alternations,
    ),
    Check(
        code="tag-wildcard",
        level=Level.HINT,
        about="Data sources are chosen by the values of their tags. With a leading wildcard every "
        "value has to be tried; name the values that are meant.",
        source="LogScale: best practices, tag filters",
        find=_tag_wildcards,
    ),
    Check(
        code="formatted-early",
        level=Level.HINT,
        about="format() and formatTime() before an aggregate run for each event, though only the "
        "result of a few is carried through. Format the rows instead.",
        source="LogScale: best practices",
        find=_formatted_early,
    ),
    Check(
        code="top-by-hand",
        level=Level.HINT,
        about="Grouping, sorting by the count and keeping a few is what top() does, with less memory. "
        "Its counts are estimates where there are very many different values.",
        source="LogScale: top()",
        find=_top_by_hand,
    ),
    Check(
        code="join",
        level=Level.HINT,
        about="join() runs its subquery first and keeps at most 100,000 rows of it unless told "
        "otherwise; what is cut off is not found. defineTable() "
        "with match() does the same more cheaply; selfJoinFilter() and correlate() join events of "
        "one search.",
        source="LogScale: join(), defineTable(), correlate()",
        find=_joins,
    ),
    Check(
        code="negated-join",
        level=Level.WARNING,
        about="`!join(…)` keeps what the subquery does not know. The subquery's rows are limited, and "
        "events whose rows were cut off are kept as if there were none. The vendor advises "
        "defineTable() with `!match(…)` instead.",
        source="LogScale: join()",
        find=_negated_joins,
    ),
    Check(
        code="open-subquery",
        level=Level.HINT,
        about="The subquery of a join or table runs over everything unless it begins with a filter, "
        "and its rows are limited.",
        source="LogScale: join(), defineTable()",
        find=_open_subqueries,
    ),
    Check(
        code="collect-long-text",
        level=Level.HINT,
        about="collect() keeps up to 2,000 values and a megabyte for each group. With command lines "
        "or raw events that is soon full; name a limit, or carry the last one with selectLast().",
        source="LogScale: collect()",
        find=_long_texts,
    ),
    Check(
        code="include-all",
        level=Level.HINT,
        about="Tables, joins and correlate() hold their rows in memory. `include=*` is good while "
        "drafting; then name the fields.",
        source="LogScale: correlate(), defineTable()",
        find=_everything_included,
    ),
    Check(
        code="glob-file",
        level=Level.HINT,
        about="With mode=glob match() tries every row of the file as a pattern, and refuses files of "
        "more than 20,000 rows.",
        source="LogScale: match()",
        find=_large_globs,
    ),
    Check(
        code="group-per-event",
        level=Level.HINT,
        about="A key that differs for every event makes every event a group: nothing is summed up, "
        "and the limit of groups is soon reached.",
        source="LogScale: groupBy(), best practices",
        find=_grouped_by_event,
    ),
)
