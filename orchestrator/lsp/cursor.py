"""Where a cursor stands in a query: what is being typed, and the brackets around it.

Only the text before the cursor counts: what follows may belong to anything while one types.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.cql.catalogue import Function, FunctionParameter, ParameterType, find
from orchestrator.cql.span import Span
from orchestrator.lsp.lexemes import NAMES, Frame, Kind, Lexeme, lex

FIELD_TYPES = frozenset(
    {ParameterType.FIELD, ParameterType.FIELD_LIST, ParameterType.PAIR_LIST, ParameterType.ARRAY}
)
"""What a parameter takes that wants the names of fields, in quotes or without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place in a text, seen from the left."""

    text: str
    """What stands before the cursor."""
    frames: tuple[Frame, ...]
    """The open brackets, outermost first; the whole text is the first. Pieces hold what stands
    before the word being typed.
    """
    typed: Span
    """The word, or the content of the string, being typed; empty where there is none."""
    inside: Lexeme | None
    """The string, regex or comment that the cursor is in."""
    saved: bool
    """Whether the name of a saved query is being typed."""

    @property
    def frame(self) -> Frame:
        """Return the innermost bracket."""
        return self.frames[-1]

    @property
    def steps(self) -> Frame:
        """Return the innermost bracket that holds steps: the text itself, or braces."""
        return next(f for f in reversed(self.frames) if f.opener in ("", "{"))

    @property
    def call(self) -> Frame | None:
        """Return the parentheses whose argument is being typed; arrays are looked through."""
        for frame in reversed(self.frames):
            if frame.call:
                return frame
            if frame.opener != "[":
                break
        return None

    @property
    def function(self) -> Function | None:
        """Return what is known of the function whose argument is being typed."""
        return find(self.call.call) if self.call is not None else None

    @property
    def parameter(self) -> FunctionParameter | None:
        """Return the parameter whose value is being typed; the unnamed one where no name is."""
        frame, function = self.call, self.function
        if frame is None or function is None:
            return None
        name = frame.argument or function.unnamed
        return function.parameter(name) if name is not None else None


def cursor_at(text: str, offset: int) -> Cursor:
    """Return what stands around `offset`."""
    before = text[: max(0, offset)]
    lexed = lex(before)
    last = lexed.lexemes[-1] if lexed.lexemes else None
    end = len(before)
    typed, inside, saved = Span(end, end), None, False
    if last is not None and last.span.end == end:
        if last.is_open:
            inside = last
            typed = Span(last.span.start + 1, end)
        elif last.kind in NAMES:
            typed = last.span
        elif last.kind is Kind.SAVED:
            typed, saved = Span(last.span.start + 1, end), True
    piece = lexed.frames[-1].piece
    if piece and piece[-1] is last and (inside or saved or typed.start < end):
        piece.pop()
    return Cursor(
        text=before,
        frames=tuple(lexed.frames),
        typed=typed,
        inside=inside,
        saved=saved,
    )


def names_after(text: str, offset: int) -> list[str]:
    """Return the names of the arguments that follow `offset` in the call that it is in."""
    depth, names = 0, list[str]()
    for lexeme in lex(text).lexemes:
        if lexeme.span.start < offset:
            continue
        if lexeme.kind is Kind.OPEN:
            depth += 1
        elif lexeme.kind is Kind.CLOSE:
            depth -= 1
        elif lexeme.kind is Kind.ARGUMENT and depth == 0:
            names.append(lexeme.text)
        if depth < 0 or (depth == 0 and lexeme.text in ("|", ";")):
            break
    return names
