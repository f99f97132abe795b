"""Which parameter of which function is being written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.cql.catalogue import Function
from orchestrator.cql.span import Span
from orchestrator.lsp.cursor import Cursor, cursor_at
from orchestrator.lsp.hover import about_parameter
from orchestrator.lsp.lexemes import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownParameter:
    """A parameter: where its name stands in the signature, and what it is for."""

    span: Span
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The call being written."""

    label: str
    about: str
    parameters: tuple[ShownParameter, ...]
    active: int | None
    """Index of the parameter being written; None where none is."""


def signature(text: str, offset: int) -> Signature | None:
    """Return the signature of the call that `offset` is in; None outside of calls."""
    cursor = cursor_at(text, offset)
    function = cursor.function
    if function is None or (cursor.inside is not None and cursor.inside.kind is Kind.COMMENT):
        return None
    label = function.signature()
    active = _active(cursor, function)
    shown: list[ShownParameter] = []
    number = None
    for parameter in function.parameters:
        # Behind the name and before `=`: `as` is also a piece of other names.
        place = re.search(
            rf"(?<![\w=]){re.escape(parameter.name)}(?![\w])", label[len(function.name) :]
        )
        if place is None:
            continue
        if parameter.name == active:
            number = len(shown)
        start = len(function.name) + place.start()
        span = Span(start, start + len(parameter.name))
        shown.append(ShownParameter(span=span, about=about_parameter(parameter)))
    return Signature(label=label, about=function.about, parameters=tuple(shown), active=number)


def _active(cursor: Cursor, function: Function) -> str | None:
    frame = cursor.call
    if frame is None:
        return None
    if frame.argument:
        return frame.argument
    typed = cursor.text[cursor.typed.start :]
    if typed and any(p.name == typed for p in function.parameters):
        return typed
    return function.unnamed if "" not in frame.given else None
