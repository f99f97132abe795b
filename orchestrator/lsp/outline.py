"""The outline of a query (its steps, tables and assignments) and what of it folds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from orchestrator.cql.fields import argument, names
from orchestrator.cql.nodes import (
    Assignment,
    Call,
    Case,
    Match,
    Pipeline,
    SavedQuery,
    StatsShorthand,
    Step,
    Subquery,
)
from orchestrator.cql.parser import parse
from orchestrator.cql.span import Span
from orchestrator.cql.walk import children
from orchestrator.lsp.lexemes import Kind, lex

_LONGEST = 60
"""Longest name of an entry, in characters."""


class SymbolKind(Enum):
    """What an entry is, for its icon."""

    FILTER = auto()
    CALL = auto()
    TABLE = auto()
    ASSIGNMENT = auto()
    BRANCHES = auto()
    SAVED_QUERY = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """One entry: its whole extent, the part that names it, what is inside."""

    name: str
    kind: SymbolKind
    span: Span
    name_span: Span
    children: tuple[Symbol, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """A piece that folds, from the end of its first line to the start of its last."""

    span: Span
    is_comment: bool = False


def symbols(text: str) -> list[Symbol]:
    """Return an entry for each step, with the steps of its branches and subqueries inside."""
    return list(_of_pipeline(parse(text).query.pipeline, text))


def folds(text: str) -> list[Fold]:
    """Return the brackets that span lines, and the comments that do or follow each other."""
    found: list[Fold] = []
    opened: list[tuple[str, int]] = []
    run: Span | None = None
    for lexeme in lex(text).lexemes:
        if lexeme.kind is Kind.COMMENT:
            apart = run is not None and text[run.end : lexeme.span.start].strip(" \t\r\n\f") != ""
            begins = run is None or apart
            run = lexeme.span if begins or run is None else run.to(lexeme.span)
            continue
        if run is not None:
            found.append(Fold(span=run, is_comment=True))
            run = None
        if lexeme.kind is Kind.OPEN:
            opened.append((lexeme.text, lexeme.span.start))
        elif lexeme.kind is Kind.CLOSE and opened:
            _, start = opened.pop()
            found.append(Fold(span=Span(start, lexeme.span.start)))
    if run is not None:
        found.append(Fold(span=run, is_comment=True))
    return [fold for fold in found if "\n" in text[fold.span.start : fold.span.end]]


def _of_pipeline(pipeline: Pipeline, text: str) -> Iterator[Symbol]:
    for step in pipeline.steps:
        if step.span.end > step.span.start:
            yield _of_step(step, text)


def _of_step(step: Step, text: str) -> Symbol:
    kind, name, name_span = _named(step, text)
    return Symbol(
        name=name,
        kind=kind,
        span=step.span,
        name_span=name_span,
        children=tuple(
            symbol for inner in _pipelines(step) for symbol in _of_pipeline(inner, text)
        ),
    )


def _named(step: Step, text: str) -> tuple[SymbolKind, str, Span]:
    match step:
        case Assignment():
            return SymbolKind.ASSIGNMENT, step.field.name or '""', step.field.span
        case Call() if step.name.lower() == "definetable" and (
            table := names(argument(step, "name"))
        ):
            return SymbolKind.TABLE, _short(table[0]) or step.name, step.name_span
        case Call():
            return SymbolKind.CALL, step.name, step.name_span
        case Case():
            return SymbolKind.BRANCHES, "case", Span(step.span.start, step.span.start + 4)
        case Match():
            return SymbolKind.BRANCHES, f"match {_short(step.field.name)}", step.field.span
        case StatsShorthand():
            return SymbolKind.CALL, "stats", step.span
        case SavedQuery():
            return SymbolKind.SAVED_QUERY, f"${_short(step.name)}()", step.span
        case _:
            return SymbolKind.FILTER, _short(text[step.span.start : step.span.end]), step.span


def _pipelines(step: Step) -> Iterator[Pipeline]:
    """Yield the pipelines directly inside a step, in order of the text."""
    match step:
        case Case():
            yield from step.clauses
        case Match():
            yield from (arm.body for arm in step.arms)
        case _:
            pending = list(reversed(children(step)))
            while pending:
                node = pending.pop()
                if isinstance(node, Subquery):
                    yield node.pipeline
                else:
                    pending.extend(reversed(children(node)))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
