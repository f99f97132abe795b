"""Which fields exist where a cursor stands: those of the events, and those that the query made.

The text up to the step being typed is closed with the brackets that are open there and parsed, so
that a half-typed step costs nothing of what stands before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.cql.catalogue import find
from orchestrator.cql.fields import (
    after_step,
    argument,
    fields_out,
    fields_read,
    group_names,
    is_aggregate,
    names,
    produced,
)
from orchestrator.cql.nodes import (
    Assignment,
    Call,
    Case,
    Comparison,
    FieldName,
    Match,
    Node,
    Pipeline,
    Query,
    Quoted,
    Regex,
    Step,
    Subquery,
    Word,
)
from orchestrator.cql.parser import parse
from orchestrator.cql.schema import EVENT_TAG, EventType, event, known_fields
from orchestrator.cql.span import Span
from orchestrator.cql.walk import walk
from orchestrator.lsp.cursor import Cursor
from orchestrator.lsp.lexemes import Frame

_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_TABLE = re.compile(r'\b(?:table|file)[ \t\r\n\f]*=[ \t\r\n\f]*"?([^"\s,()]+)')
_MAKING_ARGUMENTS = frozenset({"as", "asArray", "output"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """The fields that a step may name."""

    made: frozenset[str]
    """Made by the query, or named by it before."""
    near: frozenset[str] = frozenset()
    """Fields of the events that the query asks for."""
    is_closed: bool
    """Whether no field of the events is left: an aggregate stands before."""

    def ranked(self) -> list[tuple[str, int]]:
        """Return every name with its rank: 0 for the query's own, 1 for near ones, 2 for others."""
        own = [(name, 0) for name in sorted(self.made)]
        if self.is_closed:
            return own
        rest = sorted(known_fields().keys() - self.made)
        return [*own, *((name, 1 if name in self.near else 2) for name in rest)]


def fields_at(cursor: Cursor) -> Fields:
    """Return the fields that exist before the step that the cursor is in."""
    query = parse(_closed(cursor)).query
    braces = [frame for frame in cursor.frames[1:] if frame.opener == "{"]
    known = _known(query.pipeline, braces, None)
    if known is not None:
        return Fields(made=known, is_closed=True)
    made = {name for name, _ in makers(query)}
    asked = fields_read(query) - known_fields().keys()
    near = {name for kind in _events_asked(query) for name in kind.fields}
    return Fields(made=frozenset(made | asked), near=frozenset(near), is_closed=False)


def makers(query: Query) -> Iterator[tuple[str, Node]]:
    """Yield each field that the query makes with the node that makes it, in order of the text.

    Assignments make fields, arguments such as `as`, named groups of regexes, and aggregates.
    """
    for node in walk(query):
        match node:
            case Assignment():
                yield node.field.name, node
            case Regex():
                yield from ((name, node) for name in sorted(group_names(node.body)))
            case Call():
                yield from ((name, node) for name in _made_by_call(node))


def tables_before(cursor: Cursor) -> list[str]:
    """Return the names of the tables that steps before the cursor's define, in order."""
    return [name for name, _ in tables(parse(_closed(cursor)).query)]


def columns_before(cursor: Cursor) -> list[str]:
    """Return the columns that the call being typed can bring in; empty if they are not known.

    They are what its own subquery leaves, or those of the table that it names, if the query itself
    defines it.
    """
    frame = cursor.call
    if frame is None:
        return []
    own = _subquery_fields(cursor, frame)
    named = _TABLE.search(cursor.text[frame.start :])
    if own or named is None:
        return own
    defined = dict(tables(parse(_closed(cursor)).query))
    call = defined.get(named.group(1))
    return names(argument(call, "include")) if call is not None else []


def tables(query: Query) -> Iterator[tuple[str, Call]]:
    """Yield each table that the query defines with the call that defines it."""
    for node in walk(query):
        if isinstance(node, Call) and node.name.lower() == "definetable":
            yield from ((name, node) for name in names(argument(node, "name")))


def _made_by_call(call: Call) -> Iterator[str]:
    function = find(call.name)
    if function is not None and function.name == "regex":
        for item in call.arguments:
            if isinstance(item.value, Quoted):
                yield from sorted(group_names(item.value.value))
    for item in call.arguments:
        if item.name in _MAKING_ARGUMENTS:
            yield from names(item.value)
        elif item.name and function is not None and function.name == "eval":
            yield item.name
    if is_aggregate(call):
        yield from sorted(produced(call) or ())


def _events_asked(query: Query) -> Iterator[EventType]:
    """Yield the known kinds of events that comparisons and in() name."""
    for node in walk(query):
        match node:
            case Comparison(field=FieldName(name=name), value=Word() | Quoted() as value):
                asked = names(value) if name == EVENT_TAG else []
            case Call() if node.name.lower() == "in" and EVENT_TAG in names(
                argument(node, "field")
            ):
                asked = names(argument(node, "values"))
            case _:
                continue
        yield from (kind for text in asked if (kind := event(text)) is not None)


def _closed(cursor: Cursor) -> str:
    """Return the text before the step being typed, with every open bracket closed."""
    steps = cursor.steps
    held = cursor.frames[: cursor.frames.index(steps) + 1]
    # A pipe before the step would ask for it; behind other separators nothing is missing.
    cut = steps.boundary + (0 if steps.separator == "|" else len(steps.separator))
    closers = "".join(_CLOSERS[frame.opener] for frame in reversed(held) if frame.opener)
    return f"{cursor.text[:cut]}\n{closers}"


def _subquery_fields(cursor: Cursor, call: Frame) -> list[str]:
    """Return the closed set of fields that the subquery of the call being typed leaves, sorted."""
    if not call.given:
        return []
    held = cursor.frames[: cursor.frames.index(call) + 1]
    closers = "".join(_CLOSERS[frame.opener] for frame in reversed(held) if frame.opener)
    query = parse(f"{cursor.text[: call.boundary]}{closers}").query
    made = [node for node in walk(query) if isinstance(node, Call) and node.name == call.call]
    if not made:
        return []
    # The call being typed ends last; others of its name may stand inside.
    typed = max(made, key=lambda node: node.span.end)
    pipelines = [a.value.pipeline for a in typed.arguments if isinstance(a.value, Subquery)]
    return sorted(fields_out(pipelines[-1]) or ()) if pipelines else []


def _known(
    pipeline: Pipeline, braces: list[Frame], known: frozenset[str] | None
) -> frozenset[str] | None:
    """Return the closed set of fields at the end of the innermost brace; None if it is open."""
    steps = pipeline.steps
    if not braces:
        for step in steps:
            known = after_step(step, known)
        return known
    for step in steps[:-1]:
        known = after_step(step, known)
    inner = _last_pipeline(steps[-1] if steps else None)
    if inner is None:
        return None
    # A subquery of a join or table reads events of its own.
    reads_again = isinstance(inner, Subquery)
    last = inner.pipeline if isinstance(inner, Subquery) else inner
    return _known(last, braces[1:], None if reads_again else known)


def _last_pipeline(step: Step | None) -> Pipeline | Subquery | None:
    match step:
        case Case(clauses=(*_, last)):
            return last
        case Match(arms=(*_, last)):
            return last.body
        case Case() | Match():
            return Pipeline(span=Span(step.span.end, step.span.end), steps=())
        case None:
            return None
        case _:
            subqueries = [node for node in walk(step) if isinstance(node, Subquery)]
            return max(subqueries, key=lambda node: node.span.end) if subqueries else None
