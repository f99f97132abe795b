"""Checks of comparisons: missing parentheses, and values that are not read as they look."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cql.catalogue import FunctionKind, find
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.nodes import (
    And,
    Boolean,
    Call,
    Comparison,
    ComparisonOperator,
    FieldOperator,
    Filter,
    FreeText,
    Not,
    Or,
    Quoted,
    Step,
    Word,
)
from orchestrator.cql.parser.characters import quote

_FILTERS = (And, Or, Not, Comparison, FreeText, FieldOperator, Boolean, Call)


def _mixed_logic(context: Context) -> Iterator[Found]:
    text = context.query.text
    told = 0
    for node in context.each(And):
        for before, operand, after in _with_neighbours(node):
            # What stands inside of a place that is told comes up when that is mended.
            if operand.span.start < told:
                continue
            if isinstance(operand, Or) and not _in_parentheses(text, before, operand, after):
                told = operand.span.end
                yield Found(
                    message="`or` binds tighter than `and` here, unlike in other languages.",
                    span=operand.span,
                    help="Put parentheses around the part that belongs together.",
                    fix=Fix(
                        span=operand.span,
                        text=f"({context.source(operand.span)})",
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


def _or_without_field(context: Context) -> Iterator[Found]:
    """Find `name = a or b`, whose b is searched for in the whole event."""
    for node in context.each(Or):
        first = node.operands[0]
        if not isinstance(first, Comparison) or first.operator is not ComparisonOperator.EQUAL:
            continue
        rest = [term for term in node.operands[1:] if isinstance(term, FreeText)]
        values = [first.value, *(term.pattern for term in rest)]
        texts = [_text(value) for value in values]
        # Text beside other comparisons is meant as a search more often than not.
        if len(rest) + 1 < len(node.operands) or None in texts or len(texts) < 2:
            continue
        name = context.source(first.field.span)
        meant = f"in({name}, values=[{', '.join(quote(text or '') for text in texts)}])"
        for place, term in enumerate(rest):
            fix = Fix(span=node.span, text=meant, label="write in()") if place == 0 else None
            yield Found(
                message=f"`{first.field.name}` is compared with the first value only; this one is "
                "searched for in the whole event.",
                span=term.span,
                help=f"Write `{meant}`.",
                fix=fix,
            )


def _text(value: object) -> str | None:
    match value:
        case Word(text=text):
            return text
        case Quoted(value=text):
            return text
        case _:
            return None


def _absent_passes(context: Context) -> Iterator[Found]:
    """Find a query whose events are chosen by nothing but what they must not hold."""
    denied: list[Comparison] = []
    for outline in context.steps:
        if outline.is_open or not isinstance(outline.step, _FILTERS):
            break
        for term, negated in _terms(outline.step):
            if isinstance(term, Comparison) and not negated:
                if term.operator is ComparisonOperator.NOT_EQUAL:
                    if not _is_star(term.value):
                        denied.append(term)
                    continue
            elif negated:
                continue
            if isinstance(term, Boolean) or (isinstance(term, FreeText) and _is_star(term.pattern)):
                continue
            return
    # Aggregates give nothing for events without the field that they group or calculate by.
    keys = frozenset[str]().union(*(o.reads for o in context.steps if o.is_aggregate))
    for term in denied[:1]:
        if term.field.name not in keys:
            name = context.source(term.field.span)
            yield Found(
                message=f"Events without `{term.field.name}` pass too, and nothing else chooses.",
                span=term.span,
                help=f"Say what events are meant, or add `{name}=*`.",
            )


def _terms(step: Step) -> Iterator[tuple[Filter, bool]]:
    """Yield the comparisons, calls and texts of a filter, each with whether it is negated."""
    pending: list[tuple[Filter, bool]] = [(step, False)] if isinstance(step, _FILTERS) else []
    while pending:
        node, negated = pending.pop()
        match node:
            case And() | Or():
                pending += ((operand, negated) for operand in reversed(node.operands))
            case Not():
                pending.append((node.operand, not negated))
            case FieldOperator():
                yield node, negated != node.negated
            case Call():
                function = find(node.name)
                if function is None or function.kind in (FunctionKind.FILTER, FunctionKind.JOIN):
                    yield node, negated
            case _:
                yield node, negated


def _is_star(value: object) -> bool:
    match value:
        case Word(text=text):
            return set(text) == {"*"}
        case Quoted(value=text):
            return text == "*"
        case _:
            return False


def _empty_text(context: Context) -> Iterator[Found]:
    asked = {
        node.field.name
        for node in context.each(Comparison)
        if node.operator is ComparisonOperator.EQUAL
    }
    for node in context.each(Comparison):
        if node.operator is not ComparisonOperator.NOT_EQUAL or node.field.name in asked:
            continue
        if isinstance(node.value, Quoted) and node.value.value == "":
            name = context.source(node.field.span)
            yield Found(
                message=f"`{node.field.name}` may be absent here: `!=` holds without the field.",
                span=node.span,
                help=f'Write `{name}=* {name}!=""` where it must hold something.',
                fix=Fix(
                    span=node.span,
                    text=f"({name}=* {context.source(node.span)})",
                    label="require the field",
                ),
            )


CHECKS = (
    Check(
        code="mixed-and-or",
        level=Level.WARNING,
        about="`a or b c` is `(a or b) and c`: `or` binds tighter than `and`, and than standing "
        "side by side. Readers who know other languages read it the other way round, and so did "
        "perhaps the author. Parentheses make it plain.",
        source="LogScale: grammar guide, appendix A",
        find=_mixed_logic,
    ),
    Check(
        code="or-without-field",
        level=Level.WARNING,
        about="Each side of `or` is a filter of its own: in `name = a or b` the second is free "
        "text, searched for in the whole event. Name the field again, or write `in(name, "
        "values=[a, b])`.",
        source="LogScale: query filters; in()",
        find=_or_without_field,
    ),
    Check(
        code="absent-passes",
        level=Level.HINT,
        about="`!=` and `not` hold for events that lack the field. Where nothing else chooses the "
        "events, nearly all that pass are of other kinds. Begin with what the events are (a tag, "
        "a type), or require the field with `field=*`.",
        source="LogScale: operators",
        find=_absent_passes,
        needs_whole=True,
    ),
    Check(
        code="empty-or-absent",
        level=Level.HINT,
        about='`field != ""` holds where the field is absent, which is the usual way for a value '
        'to be missing. To ask for a value write `field=* field!=""`.',
        source="LogScale: operators",
        find=_empty_text,
    ),
)
