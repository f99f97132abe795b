"""Checks of what a query costs: steps that could be written cheaper. All of them are hints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.fields import argument, names
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.outline import called
from orchestrator.cql.nodes import (
    Array,
    Assignment,
    Call,
    Comparison,
    ComparisonOperator,
    Number,
    Quoted,
    Regex,
    Subquery,
    Word,
)
from orchestrator.cql.parser.characters import quote

_EQUALITY = (ComparisonOperator.EQUAL, ComparisonOperator.NOT_EQUAL)
_LITERAL = re.compile(r"(?:[A-Za-z0-9_ @#%&~:;,<>='\"!-]|\\[^A-Za-z0-9*\n])+")
_LIST = re.compile(r"\^(?:\((?:\?:)?([^()]*)\)|([^()|]*))\$\Z")
_LONG_TEXTS = frozenset(("CommandLine", "@rawstring", "ScriptContent", "message"))
_EVENT_IDS = frozenset(("@id", "@rawstring"))
_SMALL = 100


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


def _top_by_hand(context: Context) -> Iterator[Found]:
    steps = context.steps
    for group, ordered in pairwise(steps):
        call, sort = group.step, ordered.step
        if not isinstance(call, Call) or not isinstance(sort, Call):
            continue
        if called(call) != "groupBy" or called(sort) != "sort":
            continue
        counted = argument(call, "function")
        if isinstance(counted, Array) and len(counted.elements) == 1:
            counted = None if isinstance(counted.elements[0], Assignment) else counted.elements[0]
        is_count = (
            isinstance(counted, Call)
            and called(counted) == "count"
            and not names(argument(counted, "field"))
        )
        limit, order = argument(sort, "limit"), argument(sort, "order")
        small = isinstance(limit, Number) and limit.text.isdecimal() and int(limit.text) <= _SMALL
        output = ["_count"]
        if isinstance(counted, Call):
            output = names(argument(counted, "as")) or output
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
        code="regex-plain",
        level=Level.HINT,
        about="A regex without any operator, or with anchors only, is a comparison: `text`, "
        "`text*`, `*text` or `*text*`. Plain comparisons are cheaper, and need no escapes.",
        source="LogScale: best practices; query filters",
        find=_plain_regexes,
    ),
    Check(
        code="regex-list",
        level=Level.HINT,
        about="A regex that is anchored on both sides and holds nothing but alternatives is a "
        "list of values; in() compares with a list, and reads as one.",
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
        code="top-by-hand",
        level=Level.HINT,
        about="Grouping, sorting by the count and keeping a few is what top() does, with less "
        "memory. Its counts are estimates where there are very many different values.",
        source="LogScale: top()",
        find=_top_by_hand,
    ),
    Check(
        code="collect-long-text",
        level=Level.HINT,
        about="collect() keeps up to 2,000 values and a megabyte for each group. With command "
        "lines or raw events that is soon full; name a limit, or carry the last one with "
        "selectLast().",
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
        about="With mode=glob match() tries every row of the file as a pattern, and refuses files "
        "of more than 20,000 rows.",
        source="LogScale: match()",
        find=_large_globs,
    ),
    Check(
        code="group-per-event",
        level=Level.HINT,
        about="A key that differs for every event makes every event a group: nothing is summed "
        "up, and the limit of groups is soon reached.",
        source="LogScale: groupBy(), best practices",
        find=_grouped_by_event,
    ),
)
