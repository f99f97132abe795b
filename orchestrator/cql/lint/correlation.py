"""Checks of correlate(): links, labels, and arguments that need one another."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cql.diagnostics import Level
from orchestrator.cql.fields import argument
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.outline import is_aggregate_step
from orchestrator.cql.nodes import (
    And,
    Assignment,
    Call,
    Comparison,
    ComparisonOperator,
    FieldName,
    Node,
    Or,
    Quoted,
    Step,
    Subquery,
    Word,
)
from orchestrator.cql.walk import walk

_NEED_SEQUENCE = ("sequenceBy", "jitterTolerance")


def _correlations(context: Context) -> Iterator[tuple[Call, list[Subquery]]]:
    """Yield each correlate() with its labelled queries."""
    for call, function in context.calls:
        if function.name == "correlate":
            queries = [item.value for item in call.arguments if isinstance(item.value, Subquery)]
            yield call, [query for query in queries if query.label is not None]


def _links(context: Context) -> Iterator[Found]:
    links = [n for n in context.each(Comparison) if n.operator is ComparisonOperator.LINK]
    if not links:
        return
    inside: set[int] = set()
    for _, queries in _correlations(context):
        inside |= {id(inner) for query in queries for inner in walk(query)}
    for node in links:
        if id(node) not in inside:
            yield Found(
                message="`<=>` links the queries of correlate() and stands nowhere else.",
                span=node.span,
                help="Compare two fields with `test(a == b)`.",
            )


def _labels(context: Context) -> Iterator[Found]:
    for call, queries in _correlations(context):
        labels: set[str] = set()
        for query in queries:
            if query.label in labels:
                yield Found(
                    message=f"Two queries of this correlate() are called `{query.label}`.",
                    span=query.span,
                    help="Give each a name of its own.",
                )
            labels.add(query.label or "")
        unnamed = [item.value for item in call.arguments if isinstance(item.value, Subquery)]
        bare = [query for query in unnamed if query.label is None]
        for query in bare[:1]:
            yield Found(
                message="The queries of correlate() need names.",
                span=query.span,
                help="Write `A: { … }, B: { … }`.",
            )
        if len(queries) == 1 and not bare:
            yield Found(
                message="correlate() needs two queries at least.",
                span=call.name_span,
                help="Add another, `B: { … }`, or filter without correlate().",
            )
        if len(queries) > 1:
            yield from _linked_labels(queries, sorted(labels))


def _linked_labels(queries: list[Subquery], labels: list[str]) -> Iterator[Found]:
    known = ", ".join(f"`{name}`" for name in labels)
    for query in queries:
        other = next((name for name in labels if name != query.label), "")
        for value in _linked(query):
            label, dot, _ = value.name.partition(".")
            if dot and label not in labels:
                yield Found(
                    message=f"No query of this correlate() is called `{label}`.",
                    span=value.span,
                    help=f"The queries are {known}.",
                )
            elif not dot:
                yield Found(
                    message="A link names the field of another query.",
                    span=value.span,
                    help=f"Write `{other}.{value.name}`.",
                )


def _linked(query: Subquery) -> Iterator[FieldName]:
    for node in walk(query):
        if isinstance(node, Comparison) and isinstance(node.value, FieldName):
            yield node.value


def _unlinked(context: Context) -> Iterator[Found]:
    for call, queries in _correlations(context):
        shared = argument(call, "globalConstraints") is not None
        if len(queries) > 1 and not shared and not any(any(_linked(q)) for q in queries):
            yield Found(
                message="Nothing links the queries of this correlate(): any events go together.",
                span=call.name_span,
                help="Link them, `field <=> A.field`, or give globalConstraints.",
            )


def _compared(context: Context) -> Iterator[Found]:
    """Find `x != Other.y`, which compares with text."""
    for _, queries in _correlations(context):
        labels = {query.label for query in queries}
        for query in queries:
            for node in walk(query):
                if not isinstance(node, Comparison) or not isinstance(node.value, Word):
                    continue
                label, dot, _ = node.value.text.partition(".")
                if dot and label in labels and label != query.label:
                    yield Found(
                        message=f"This compares with the text `{node.value.text}`; only `<=>` "
                        "links queries.",
                        span=node.span,
                        help="Write `<=>` for equal; compare otherwise behind correlate() with "
                        "`test()`.",
                    )


def _aggregates(context: Context) -> Iterator[Found]:
    for _, queries in _correlations(context):
        for query in queries:
            for step in query.pipeline.steps:
                if is_aggregate_step(step):
                    yield Found(
                        message="A query of correlate() chooses events and cannot aggregate.",
                        span=step.span,
                        help="Aggregate behind correlate().",
                    )


def _places(context: Context) -> Iterator[Found]:
    """Find a correlate() behind an aggregate, or inside of another call."""
    allowed = {id(_call(outline.step)) for outline in context.steps}
    # Among filters it is told as the aggregate that it is.
    joints: list[And | Or] = [*context.each(And), *context.each(Or)]
    for joined in joints:
        allowed |= {id(operand) for operand in joined.operands}
    for call, function in context.calls:
        query = argument(call, "query") if function.name in ("defineTable", "join") else None
        if isinstance(query, Subquery):
            allowed |= {id(_call(step)) for step in query.pipeline.steps}
    for call, _ in _correlations(context):
        if id(call) not in allowed:
            yield Found(
                message="correlate() cannot stand inside of another call or statement.",
                span=call.name_span,
                help="Make it a step of its own.",
            )
    for outline in context.steps:
        step = _call(outline.step)
        if outline.is_behind and isinstance(step, Call) and step.name.lower() == "correlate":
            yield Found(
                message="correlate() needs events; behind an aggregate there are only rows.",
                span=step.name_span,
                help="Put it before the aggregate.",
            )


def _call(step: Step) -> Node:
    return step.value if isinstance(step, Assignment) else step


def _sequences(context: Context) -> Iterator[Found]:
    for call, _ in _correlations(context):
        value = argument(call, "sequence")
        text = value.text if isinstance(value, Word) else ""
        text = value.value if isinstance(value, Quoted) else text
        if text.lower() == "true":
            continue
        for item in call.arguments:
            if item.name in _NEED_SEQUENCE:
                yield Found(
                    message=f"`{item.name}` orders a sequence, and this correlate() has none.",
                    span=item.span,
                    help="Add `sequence=true`.",
                )


CHECKS = (
    Check(
        code="link-outside-correlate",
        level=Level.ERROR,
        about="The link operator joins the labelled queries of correlate(). Two fields of one "
        "event are compared with `test(a == b)`.",
        source="LogScale: correlate()",
        find=_links,
    ),
    Check(
        code="correlate-label",
        level=Level.ERROR,
        about="The queries of correlate() are told apart by their labels: two queries at least, "
        "each label once, and links only to labels that exist.",
        source="LogScale: correlate()",
        find=_labels,
    ),
    Check(
        code="correlate-unlinked",
        level=Level.WARNING,
        about="The events that correlate() puts together are those whose linked fields are equal. "
        "Without a link and without globalConstraints every event of one query goes with every "
        "event of the other.",
        source="LogScale: correlate()",
        find=_unlinked,
    ),
    Check(
        code="correlate-compare",
        level=Level.ERROR,
        about="Inside correlate() only `<=>` reaches the fields of another query. `=` and `!=` "
        "compare with the text that stands on their right, label and dot included.",
        source="LogScale: correlate()",
        find=_compared,
    ),
    Check(
        code="correlate-aggregate",
        level=Level.ERROR,
        about="The queries inside correlate() choose single events. Aggregate what correlate() "
        "found in a step behind it.",
        source="LogScale: correlate()",
        find=_aggregates,
    ),
    Check(
        code="correlate-place",
        level=Level.ERROR,
        about="correlate() searches events: it is a step, and stands before any aggregate. Behind "
        "one there are only rows.",
        source="LogScale: correlate()",
        find=_places,
    ),
    Check(
        code="correlate-sequence",
        level=Level.ERROR,
        about="sequenceBy and jitterTolerance say how a sequence is ordered; without "
        "sequence=true LogScale refuses them.",
        source="LogScale: correlate()",
        find=_sequences,
    ),
)
