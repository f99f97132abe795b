"""A query cut into lexemes, whatever state it is in: half-typed text is the rule in an editor.

The parser has no token list and reads a whole text; a cursor stands in a text that does not parse
yet. Here each piece gets the kind that it most likely has, from the brackets it stands in: inside a
call's parentheses and behind `:=` an expression is read, elsewhere a filter. Never raises; the
lexemes are in order, do not overlap and leave out white space only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto

from orchestrator.cql.catalogue import find
from orchestrator.cql.parser.characters import (
    CALL_NAME,
    DURATION,
    FIELD,
    KEYWORD,
    NUMBER,
    OPERATOR,
    SPACED_CALL_NAME,
    WORD,
)
from orchestrator.cql.span import Span

_BLANK = re.compile("[ \t\r\n\f\u00a0]+")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_STRING_ON_LINE = re.compile(r'"(?:[^"\\\r\n]|\\[^\r\n])*+"')
_REGEX = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\r\n])*+\]|[^/\\\[\r\n])*+/[A-Za-z0-9]*")
_SAVED = re.compile(r'\$(?:"[^"\r\n]*"?|[A-Za-z0-9_.@&~+\-*%#\\^/:\u00a1-\U0010ffff]*)')
_VARIABLE = re.compile(rf"\?(?:\{{[^{{}}\r\n]*\}}?|{FIELD.pattern})?")
_STATEMENT = re.compile(r"(case|match)(?=[ \t\r\n\f]*\{)", re.IGNORECASE)
_LIKE = re.compile(r"like(?![A-Za-z0-9_.(])", re.IGNORECASE)
# `array:` at the very end is a name being typed; before anything else it is a label.
_QUALIFIED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*:(?:[A-Za-z_][A-Za-z0-9_]*|\Z)")
_REST_OF_LINE = re.compile(r"[^\r\n]*")
_ARGUMENT_SIGN = re.compile(r"[ \t\r\n\f]*=(?![=~>])")
_SIGNS = re.compile(rf"{OPERATOR.pattern}|[-+*/%!]")
_CLOSES = {")": "(", "]": "[", "}": "{"}
_COMPARES = frozenset({"=", "!=", "<", "<=", ">", ">=", "like", "<=>"})
_JOINS = frozenset({"and", "or", "not"})


class Kind(Enum):
    """What a lexeme is."""

    COMMENT = auto()
    STRING = auto()
    REGEX = auto()
    NUMBER = auto()
    """A number or a relative time."""
    FIELD = auto()
    """A name that is read as a field."""
    TEXT = auto()
    """An unquoted pattern, or a word of which nothing says yet what it is."""
    CALL = auto()
    """A function's name before its parenthesis."""
    ARGUMENT = auto()
    """An argument's name before its `=`."""
    KEYWORD = auto()
    SAVED = auto()
    """`$name`."""
    VARIABLE = auto()
    """`?name` or `?{name=default}`."""
    OPERATOR = auto()
    OPEN = auto()
    CLOSE = auto()
    SEPARATOR = auto()
    """`|`, `;` or `,`."""
    OTHER = auto()


NAMES = frozenset({Kind.FIELD, Kind.TEXT, Kind.KEYWORD, Kind.NUMBER, Kind.ARGUMENT})
"""Kinds of what is being typed when a cursor stands behind letters."""


@dataclass(frozen=True, slots=True)
class Lexeme:
    """One piece of the text."""

    kind: Kind
    span: Span
    text: str

    @property
    def is_open(self) -> bool:
        """Say whether a string, regex or comment ends without being closed."""
        match self.kind:
            case Kind.STRING:
                return _STRING.fullmatch(self.text) is None
            case Kind.REGEX:
                return _REGEX.fullmatch(self.text) is None
            case Kind.COMMENT:
                return not (self.text.startswith("/*") and self.text.endswith("*/"))
            case _:
                return False


@dataclass(slots=True)
class Frame:
    """A bracket that is open, or the whole text, up to some place."""

    opener: str
    """`(`, `[`, `{`, or nothing for the whole text."""
    call: str = ""
    """The function whose parentheses these are; empty for other brackets."""
    subject: str = ""
    """The keyword (`case`, `match`) whose braces these are."""
    expression: bool = False
    """Whether an expression is read from the start of each piece."""
    start: int = 0
    """Offset behind the opener."""
    boundary: int = 0
    """Offset of the separator that began the piece; `start` in the first."""
    separator: str = ""
    """The separator itself: `|`, `;`, `,` or `=>`; empty in the first piece."""
    pieces: int = 0
    """How many separators were passed."""
    given: list[str] = field(default_factory=list)
    """Names of the arguments of the pieces passed; an empty one for an unnamed argument."""
    piece: list[Lexeme] = field(default_factory=list)
    """The lexemes since the last separator, brackets with their content left out."""
    assigns: bool = False
    """Whether the piece holds a `:=`."""

    def split(self, separator: str, offset: int) -> None:
        """Begin the next piece at a separator."""
        if self.call and self.piece:
            self.given.append(self.argument)
        self.separator, self.boundary, self.pieces = separator, offset, self.pieces + 1
        self.piece, self.assigns = [], False

    @property
    def argument(self) -> str:
        """Return the name of the argument that the piece spells; empty for an unnamed one."""
        first = self.piece[0] if self.piece else None
        return first.text if first is not None and first.kind is Kind.ARGUMENT else ""

    @property
    def reads_expression(self) -> bool:
        """Say whether an expression is read here, not a filter."""
        return self.expression or self.assigns


@dataclass(frozen=True, slots=True)
class Lexed:
    """The lexemes of a text, and what is still open at its end, outermost first."""

    lexemes: list[Lexeme]
    frames: list[Frame]


def lex(text: str) -> Lexed:
    """Return the lexemes of `text`, and what is open at its end: the text itself, then brackets."""
    lexer = _Lexer(text)
    lexer.run()
    return Lexed(lexer.lexemes, lexer.frames)


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text, self.pos = text, 0
        self.lexemes: list[Lexeme] = []
        self.frames = [Frame(opener="")]
        self._string = _STRING

    def run(self) -> None:
        while self.pos < len(self.text):
            blank = _BLANK.match(self.text, self.pos)
            if blank is not None:
                self.pos = blank.end()
                continue
            kind, end = self._next()
            self._add(kind, end)

    def _add(self, kind: Kind, end: int) -> None:
        lexeme = Lexeme(kind, Span(self.pos, end), self.text[self.pos : end])
        self.lexemes.append(lexeme)
        self.pos = end
        frame = self.frames[-1]
        match kind:
            case Kind.COMMENT:
                return
            case Kind.OPEN:
                self._open(lexeme, frame)
            case Kind.CLOSE:
                self._close(lexeme)
            case Kind.SEPARATOR:
                frame.split(lexeme.text, lexeme.span.start)
            case _ if lexeme.text == "=>":
                frame.split(lexeme.text, lexeme.span.start)
            case _:
                frame.piece.append(lexeme)
                frame.assigns = frame.assigns or lexeme.text == ":="

    def _open(self, lexeme: Lexeme, frame: Frame) -> None:
        before = self.lexemes[-2] if len(self.lexemes) > 1 else None
        called = before is not None and before.kind is Kind.CALL and lexeme.text == "("
        statement = before is not None and before.kind is Kind.KEYWORD and lexeme.text == "{"
        self.frames.append(
            Frame(
                opener=lexeme.text,
                call=before.text if called and before is not None else "",
                subject=before.text.lower() if statement and before is not None else "",
                expression=called
                or (lexeme.text != "{" and (frame.reads_expression or lexeme.text == "[")),
                start=lexeme.span.end,
                boundary=lexeme.span.end,
            )
        )
        frame.piece.append(lexeme)

    def _close(self, lexeme: Lexeme) -> None:
        """Leave the innermost bracket of this shape; a closer that fits none is passed over."""
        opener = _CLOSES[lexeme.text]
        for depth in range(len(self.frames) - 1, 0, -1):
            if self.frames[depth].opener == opener:
                del self.frames[depth:]
                break
        self.frames[-1].piece.append(lexeme)

    def _next(self) -> tuple[Kind, int]:
        text, pos = self.text, self.pos
        match text[pos]:
            case "/" if text.startswith(("//", "/*"), pos):
                return Kind.COMMENT, self._comment_end()
            case '"':
                return Kind.STRING, self._string_end()
            case "(" | "[" | "{":
                return Kind.OPEN, pos + 1
            case ")" | "]" | "}":
                return Kind.CLOSE, pos + 1
            case "|" | ";" | ",":
                return Kind.SEPARATOR, pos + 1
            case "$":
                return Kind.SAVED, _end(_SAVED, text, pos)
            case "?":
                return Kind.VARIABLE, _end(_VARIABLE, text, pos)
        named = self._call_name()
        if named is not None:
            return Kind.CALL, named
        return self._expression() if self.frames[-1].reads_expression else self._filter()

    def _comment_end(self) -> int:
        if self.text.startswith("//", self.pos):
            return _end(_REST_OF_LINE, self.text, self.pos)
        close = self.text.find("*/", self.pos + 2)
        return len(self.text) if close < 0 else close + 2

    def _string_end(self) -> int:
        found = self._string.match(self.text, self.pos)
        if found is not None:
            return found.end()
        # As the parser does: a quote that nothing closes ends with its line, and so do all behind.
        self._string = _STRING_ON_LINE
        return _end(_REST_OF_LINE, self.text, self.pos)

    def _call_name(self) -> int | None:
        text, pos = self.text, self.pos
        touching = CALL_NAME.match(text, pos)
        if touching is not None:
            return None if touching.group(1).lower() in _JOINS else touching.end(1)
        spaced = SPACED_CALL_NAME.match(text, pos)
        known = spaced is not None and find(spaced.group(1)) is not None
        return spaced.end(1) if spaced is not None and known else None

    def _expression(self) -> tuple[Kind, int]:
        text, pos, frame = self.text, self.pos, self.frames[-1]
        if text[pos] == "/":
            regex = _REGEX.match(text, pos)
            before = frame.piece[-1].text if frame.piece else "="
            if regex is not None and before == "=":
                return Kind.REGEX, regex.end()
        for pattern in (DURATION, NUMBER):
            number = pattern.match(text, pos)
            if number is not None:
                return Kind.NUMBER, number.end()
        name = _QUALIFIED.match(text, pos) or FIELD.match(text, pos)
        if name is None:
            return self._sign()
        if not frame.piece and frame.call and _ARGUMENT_SIGN.match(text, name.end()):
            return Kind.ARGUMENT, name.end()
        return Kind.FIELD, name.end()

    def _filter(self) -> tuple[Kind, int]:
        text, pos, frame = self.text, self.pos, self.frames[-1]
        before = frame.piece[-1].text if frame.piece else ""
        value = before in _COMPARES
        if text[pos] == "/":
            regex = _REGEX.match(text, pos)
            return Kind.REGEX, regex.end() if regex else _end(_REST_OF_LINE, text, pos)
        for keyword in (KEYWORD, _STATEMENT):
            found = keyword.match(text, pos)
            if found is not None and not value:
                return Kind.KEYWORD, found.end(1)
        if before and not value and frame.piece[-1].kind is not Kind.KEYWORD:
            like = _LIKE.match(text, pos)
            if like is not None:
                return Kind.KEYWORD, like.end()
        ends = [found.end() for p in (WORD, FIELD) if (found := p.match(text, pos)) is not None]
        if not ends:
            return self._sign()
        end = max(ends)
        if value:
            number = NUMBER.fullmatch(text, pos, end)
            return (Kind.NUMBER if number else Kind.TEXT), end
        return (Kind.FIELD if self._is_field(end) else Kind.TEXT), end

    def _is_field(self, end: int) -> bool:
        """Say whether what follows a word makes it a field's name."""
        blank = _BLANK.match(self.text, end)
        after = blank.end() if blank is not None else end
        if OPERATOR.match(self.text, after) is not None:
            return not self.text.startswith("=>", after)
        statement = _STATEMENT.match(self.text, after)
        return statement is not None or _LIKE.match(self.text, after) is not None

    def _sign(self) -> tuple[Kind, int]:
        sign = _SIGNS.match(self.text, self.pos)
        return (Kind.OPERATOR, sign.end()) if sign is not None else (Kind.OTHER, self.pos + 1)


def _end(pattern: re.Pattern[str], text: str, pos: int) -> int:
    found = pattern.match(text, pos)
    return found.end() if found is not None else pos + 1
