"""Checks of filters: words of other languages, missing parentheses, values that are not meant."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.nodes import (
    And,
    Comparison,
    ComparisonOperator,
    Filter,
    FreeText,
    Or,
    Quoted,
    Regex,
    Word,
)

_FOREIGN = {
    "where": "Delete it: every step is a filter already, such as `field = value`.",
    "search": "Delete it: every step is a filter already.",
    "by": "Grouping is `groupBy([field], function=…)`.",
    "limit": "Write `head(10)`, or the `limit=` of the function before.",
    "fields": "Write `select([a, b])`.",
    "dedup": "Write `groupBy([field], function=[])`.",
    "project": "Write `select([a, b])`.",
    "extend": "Write `field := expression`.",
    "summarize": "Write `groupBy([field], function=count())`.",
    "contains": "Write `field = *text*`.",
    "startswith": "Write `field = text*`.",
    "endswith": "Write `field = *text`.",
    "matches": "Write `field = /regex/`.",
    "between": "Write `field >= 1 field <= 2`.",
    "is": "Write `field != *` for absent, `field = *` for present.",
    "null": "Write `field != *` for absent, `field = *` for present.",
    "asc": "Write `sort(field, order=asc)`.",
    "desc": "Write `sort(field, order=desc)`.",
    "distinct": "Write `count(field, distinct=true)`.",
    "from": "The repository is chosen outside the query; a tag filter is `#repo = name`.",
    "as": "Write `function(…, as=name)`, or `name := function(…)`.",
    "order": "Write `sort(field)`.",
    "having": "Write a filter as the step after the aggregate.",
}


def _free_words(context: Context) -> Iterator[tuple[FreeText, Word]]:
    for node in context.nodes:
        if isinstance(node, FreeText) and isinstance(node.pattern, Word):
            yield node, node.pattern


def _foreign_words(context: Context) -> Iterator[Found]:
    text = context.query.text
    for node, word in _free_words(context):
        advice = _FOREIGN.get(word.text.lower())
        if advice is None:
            continue
        # Deleting the word is right only where it is a bare introduction.
        end = node.span.end
        while end < len(text) and text[end] in " \t":
            end += 1
        removable = word.text.lower() in ("where", "search")
        fix = Fix(span=type(node.span)(node.span.start, end), text="", label="delete the word")
        yield Found(
            message=f"`{word.text}` is not CQL: LogScale searches events for that text.",
            span=node.span,
            help=advice,
            fix=fix if removable else None,
        )


def _logic_signs(context: Context) -> Iterator[Found]:
    for node, word in _free_words(context):
        if word.text in ("&&", "&"):
            yield Found(
                message=f"`{word.text}` is not an operator: LogScale searches for that text.",
                span=node.span,
                help="Write `and`, or nothing.",
                fix=Fix(span=node.span, text="and", label="write and"),
            )


def _stray_signs(context: Context) -> Iterator[Found]:
    for node, word in _free_words(context):
        if word.text == "~" or (word.text.endswith(":") and "/" not in word.text):
            yield Found(
                message=f"`{word.text}` is free text here, not an operator.",
                span=node.span,
                help="Compare with `field = value`; delete it if it is left over.",
            )


def _mixed_logic(context: Context) -> Iterator[Found]:
    text = context.query.text
    for node in context.nodes:
        if not isinstance(node, And):
            continue
        for before, operand, after in _with_neighbours(node):
            if isinstance(operand, Or) and not _in_parentheses(text, before, operand, after):
                yield Found(
                    message="`or` binds tighter than `and` here, unlike in other languages.",
                    span=operand.span,
                    help="Put parentheses around the part that belongs together.",
                    fix=Fix(
                        span=operand.span,
                        text=f"({text[operand.span.start : operand.span.end]})",
                        label="show how it is read",
                    ),
                )


def _with_neighbours(node: And) -> Iterator[tuple[int, Filter, int]]:
    operands = node.operands
    for place, operand in enumerate(operands):
        before = operands[place - 1].span.end if place else max(0, operand.span.start - 200)
        last = place + 1 == len(operands)
        after = operand.span.end + 200 if last else operands[place + 1].span.start
        yield before, operand, after


def _in_parentheses(text: str, before: int, operand: Filter, after: int) -> bool:
    left = text[before : operand.span.start].rstrip().endswith("(")
    return left and text[operand.span.end : after].lstrip().startswith(")")


def _curly_quotes(context: Context) -> Iterator[Found]:
    for node in context.nodes:
        if isinstance(node, Word):
            for offset, char in enumerate(node.text):
                if char in "“”‘’\u200b\ufeff":
                    place = node.span.start + offset
                    yield Found(
                        message="A typographic quote or an invisible character is part of a word.",
                        span=type(node.span)(place, place + 1),
                        help='Write `"`.',
                    )
                    break


def _regex_as_text(context: Context) -> Iterator[Found]:
    for node in context.nodes:
        if not isinstance(node, Comparison) or not isinstance(node.value, Quoted):
            continue
        value = node.value.value
        body, slash, flags = value[1:].rpartition("/")
        is_regex = value.startswith("/") and slash and flags and set(flags) <= set("imdgF")
        if is_regex and body and node.operator is not ComparisonOperator.LIKE:
            yield Found(
                message="This compares with the text; a regex literal has no quotes.",
                span=node.value.span,
                help=f"Write `{value}`.",
            )


def _sql_wildcards(context: Context) -> Iterator[Found]:
    for node in context.nodes:
        if isinstance(node, Comparison) and node.operator is ComparisonOperator.LIKE:
            value = node.value
            shown = value.value if isinstance(value, Quoted) else ""
            if isinstance(value, Word):
                shown = value.text
            if shown.startswith("%") or shown.endswith("%"):
                yield Found(
                    message="`%` is an ordinary character; `like` already means contains.",
                    span=value.span,
                    help="Leave the `%` out; the wildcard is `*`.",
                )


def _bare_regex(context: Context) -> Iterator[Found]:
    for node in context.nodes:
        if isinstance(node, FreeText) and isinstance(node.pattern, Regex):
            yield Found(
                message="A regex on its own searches every field of every event.",
                span=node.span,
                help="Name the field: `field = /…/`.",
            )


CHECKS = (
    Check(
        code="foreign-word",
        level=Level.ERROR,
        about="Words such as `where` are not reserved in CQL. In a filter they are free text, so "
        "the query runs and finds only events that contain the word.",
        source="LogScale: query filters; release notes 1.190 (free text after an aggregate)",
        find=_foreign_words,
    ),
    Check(
        code="logic-sign",
        level=Level.ERROR,
        about="`&` may be part of a word, so `&&` is searched for as text.",
        source="LogScale: grammar guide, appendix C",
        find=_logic_signs,
    ),
    Check(
        code="stray-sign",
        level=Level.WARNING,
        about="`:` and `~` may be part of a word; alone they are searched for as text.",
        source="LogScale: grammar guide, appendix C",
        find=_stray_signs,
    ),
    Check(
        code="mixed-and-or",
        level=Level.WARNING,
        about="`a or b c` is `(a or b) and c`: `or` binds tighter than `and`. Readers who know "
        "other languages read it the other way round.",
        source="LogScale: grammar guide, appendix A",
        find=_mixed_logic,
    ),
    Check(
        code="typographic-character",
        level=Level.WARNING,
        about="Curly quotes and zero-width characters are letters to LogScale; they come from "
        "text processors.",
        source="LogScale: grammar guide, appendix C",
        find=_curly_quotes,
    ),
    Check(
        code="quoted-regex",
        level=Level.WARNING,
        about='`field = "/x/i"` compares with five characters of text.',
        source="LogScale: query filters",
        find=_regex_as_text,
    ),
    Check(
        code="sql-wildcard",
        level=Level.WARNING,
        about="`like` finds its text anywhere in the value; `%` and `_` are ordinary characters.",
        source="LogScale: operators",
        find=_sql_wildcards,
    ),
    Check(
        code="bare-regex",
        level=Level.HINT,
        about="A regex without a field is tried on every field; naming the field is cheaper.",
        source="LogScale: query filters",
        find=_bare_regex,
    ),
)
