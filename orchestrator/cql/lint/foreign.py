"""Checks of what queries of other languages begin with and look like: tables, comments, colons."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.phrases import word_of
from orchestrator.cql.nodes import And, Comparison, FreeText
from orchestrator.cql.span import Span

# Tables of Microsoft's security products, and categories of Elastic's events.
_TABLE = re.compile(
    r"Device\w*(?:Events|Info)|Identity\w*Events|Email\w*Events|CloudAppEvents|SecurityEvent|"
    r"SigninLogs|AuditLogs|CommonSecurityLog|OfficeActivity|AzureActivity"
)
_LINE = 200
"""The rest of a longer line is not looked through."""
_CATEGORIES = frozenset(("process", "file", "network", "registry", "dns", "library", "any"))
# A dotted name, or the word that asks for a field; `name: text` of a log line is a text.
_COLON = re.compile(r"([+-]?)([A-Za-z_@#][\w@#]*(?:\.[\w@#]+)+|_exists_):([\w.*-]+)")
_FOREIGN_FIELDS = {
    "index": "The repository is chosen outside the query, or with `#repo = name`.",
    "sourcetype": "The kind of event is a tag: `#type = name`.",
    "earliest": "The time interval is chosen outside the query, or with setTimeInterval().",
    "latest": "The time interval is chosen outside the query, or with setTimeInterval().",
}


def _dash_comments(context: Context) -> Iterator[Found]:
    for node in context.each(FreeText):
        if word_of(node) == "--":
            fix = Fix(span=node.span, text="//", label="make it a comment")
            yield Found(
                message="`--` begins no comment: LogScale searches events for what follows.",
                span=node.span,
                help="A comment is `// …`.",
                fix=None if _closes_something(context.query.text, node.span.end) else fix,
            )


def _closes_something(text: str, place: int) -> bool:
    """Say whether the rest of the line holds signs that the query needs."""
    line, newline, _ = text[place : place + _LINE].partition("\n")
    return not (newline or place + len(line) == len(text)) or any(c in line for c in "(){}[]|;,")


def _colons(context: Context) -> Iterator[Found]:
    """Find `user.name:root`, a comparison in other languages and one word in CQL."""
    for node in context.each(FreeText):
        match = _COLON.fullmatch(word_of(node) or "")
        if match is None or id(node) in context.taken:
            continue
        sign, field, value = match.groups()
        if field == "_exists_":
            text = f"{value}=*"
        else:
            text = f"{field}{'!=' if sign == '-' else '='}{value}"
        yield Found(
            message=f"`{word_of(node)}` is one word: LogScale searches events for it.",
            span=node.span,
            help=f"To compare write `{text}`.",
            fix=Fix(span=node.span, text=text, label="compare"),
        )


def _foreign_fields(context: Context) -> Iterator[Found]:
    first = context.steps[0].step if context.steps else None
    terms = first.operands if isinstance(first, And) else (first,)
    for term in terms:
        advice = _FOREIGN_FIELDS.get(term.field.name) if isinstance(term, Comparison) else None
        if isinstance(term, Comparison) and advice is not None:
            yield Found(
                message=f"`{term.field.name}` is a field like any other here.",
                span=term.span,
                help=advice,
            )


def _foreign_tables(context: Context) -> Iterator[Found]:
    """Find the table that a query of another language begins with."""
    for outline in context.steps[:1]:
        step = outline.step
        word = word_of(step)
        if word is not None and len(context.steps) > 1 and _TABLE.fullmatch(word):
            yield _foreign_table(word, step.span)
        elif isinstance(step, And):
            words = [(word_of(term) or "").lower() for term in step.operands[:2]]
            if words[0] in _CATEGORIES and words[1] == "where":
                yield _foreign_table(words[0], step.operands[0].span)


def _foreign_table(word: str, span: Span) -> Found:
    return Found(
        message=f"`{word}` is no table: LogScale searches events for that text.",
        span=span,
        help="Say by a tag which events are meant: `#type=…`, `#event_simpleName=…`.",
    )


def _rule_conditions(context: Context) -> Iterator[Found]:
    """Find `1 of selection*`, the condition of a rule that is not written in CQL."""
    for phrase in context.phrases:
        words = [(word_of(term) or "").lower() for term in phrase[:2]]
        if len(words) == 2 and words[1] == "of" and words[0] in ("1", "all", "any"):
            yield Found(
                message=f"`{words[0]} of` is free text here, not a choice between filters.",
                span=phrase[0].span.to(phrase[1].span),
                help="Write the filters out, and join them with `or` (all of them: `and`).",
            )


CHECKS = (
    Check(
        code="dash-comment",
        level=Level.ERROR,
        about="Two dashes begin a comment in SQL. In CQL they are a word, and so is each word "
        "behind them: the query finds only events that hold them all. A comment begins with `//`.",
        source="LogScale: comments",
        find=_dash_comments,
    ),
    Check(
        code="colon-comparison",
        level=Level.WARNING,
        about="A colon compares in other languages. In CQL it is a letter of a word, so "
        "`user.name:root` is searched for as it stands. Write `user.name=root`.",
        source="LogScale: grammar guide, appendix C",
        find=_colons,
    ),
    Check(
        code="foreign-table",
        level=Level.WARNING,
        about="Queries of other languages begin with a table or a category of events. CQL has "
        "none: the word is searched for in every event. Which events are meant is said by a tag.",
        source="LogScale: query filters, tag fields",
        find=_foreign_tables,
    ),
    Check(
        code="foreign-field",
        level=Level.WARNING,
        about="Index, source type and time interval are chosen in other ways here: by the "
        "repository, by tags, and beside the query. As a comparison each asks for a field of that "
        "name, which events rarely have.",
        source="LogScale: event fields, tag fields",
        find=_foreign_fields,
    ),
    Check(
        code="rule-condition",
        level=Level.WARNING,
        about="`1 of selection*` is how conditions of portable rules choose between their parts. "
        "CQL has no names for filters: every word is searched for. Write the filters out.",
        source="LogScale: query filters",
        find=_rule_conditions,
    ),
)
