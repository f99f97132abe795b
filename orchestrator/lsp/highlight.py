"""Highlighting from the lexemes: for editors that have no grammar of CQL."""

from __future__ import annotations

from enum import Enum

from orchestrator.cql.span import Span
from orchestrator.lsp.lexemes import Kind, lex


class Tone(Enum):
    """What a piece looks like; the value is the protocol's name of it."""

    COMMENT = "comment"
    STRING = "string"
    REGEX = "regexp"
    NUMBER = "number"
    FIELD = "property"
    FUNCTION = "function"
    ARGUMENT = "parameter"
    KEYWORD = "keyword"
    SAVED = "macro"
    VARIABLE = "variable"
    OPERATOR = "operator"


_TONES = {
    Kind.COMMENT: Tone.COMMENT,
    Kind.STRING: Tone.STRING,
    Kind.TEXT: Tone.STRING,
    Kind.REGEX: Tone.REGEX,
    Kind.NUMBER: Tone.NUMBER,
    Kind.FIELD: Tone.FIELD,
    Kind.CALL: Tone.FUNCTION,
    Kind.ARGUMENT: Tone.ARGUMENT,
    Kind.KEYWORD: Tone.KEYWORD,
    Kind.SAVED: Tone.SAVED,
    Kind.VARIABLE: Tone.VARIABLE,
    Kind.OPERATOR: Tone.OPERATOR,
}


def highlights(text: str) -> list[tuple[Span, Tone]]:
    """Return the pieces that have a tone, in order; a piece may span lines."""
    found: list[tuple[Span, Tone]] = []
    for lexeme in lex(text).lexemes:
        tone = Tone.OPERATOR if lexeme.text in ("|", ";") else _TONES.get(lexeme.kind)
        if tone is not None:
            found.append((lexeme.span, tone))
    return found
