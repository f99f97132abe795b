"""What may be written where the cursor stands.

Everything that fits the place is offered, whatever is typed already: editors filter, each in its
own way, and keep the list while one goes on typing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from orchestrator.cql.catalogue import (
    Function,
    FunctionKind,
    FunctionParameter,
    ParameterType,
    functions,
)
from orchestrator.cql.parser.characters import is_field_name
from orchestrator.cql.schema import EVENT_TAG, events, known_fields
from orchestrator.cql.span import Span
from orchestrator.lsp.cursor import FIELD_TYPES, Cursor, cursor_at, names_after
from orchestrator.lsp.lexemes import Frame, Kind
from orchestrator.lsp.made import columns_before, fields_at, tables_before

_EXPRESSIONS = frozenset(
    {ParameterType.EXPRESSION, ParameterType.EXPRESSION_LIST, ParameterType.CONDITION}
)
_FUNCTIONS = frozenset({ParameterType.FUNCTION, ParameterType.FUNCTION_LIST})
_QUERIES = frozenset({ParameterType.QUERY, ParameterType.QUERY_LIST})
_FILES = frozenset({ParameterType.FILE, ParameterType.FILE_LIST})
_COLUMNS = frozenset({"column", "key", "include"})
"""Parameters that name columns of what match() and its kin look into, not fields of the event."""
_AGGREGATES = frozenset({FunctionKind.AGGREGATE, FunctionKind.SEQUENCE})
_LAST = 9
"""Rank of what is better not taken."""
_STEPS = frozenset(FunctionKind) - {FunctionKind.SOURCE}


class ItemKind(Enum):
    """What an offer is, for its icon."""

    FUNCTION = auto()
    PARAMETER = auto()
    FIELD = auto()
    EVENT = auto()
    VALUE = auto()
    KEYWORD = auto()
    SAVED_QUERY = auto()
    TABLE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One offer: `text` in place of `span`."""

    label: str
    kind: ItemKind
    text: str
    span: Span
    detail: str = ""
    """One line beside the label."""
    about: str = ""
    """What it is, in Markdown."""
    caret: int | None = None
    """Where in `text` the cursor belongs afterwards; None for its end."""
    rank: int = 0
    """Lower ones first."""
    is_deprecated: bool = False


def completion(text: str, offset: int, *, saved: Callable[[], Sequence[str]]) -> list[Item]:
    """Return what may stand at `offset`, best first.

    Args:
        text: The whole document.
        offset: The cursor's place in it.
        saved: Called for the names of saved queries where one is being typed.
    """
    cursor = cursor_at(text, offset)
    inside = cursor.inside
    if inside is not None and inside.kind is not Kind.STRING:
        return []
    if cursor.saved:
        return [_saved_query(name, cursor, text) for name in saved()]
    return sorted(_Offers(cursor, text).items(), key=lambda item: (item.rank, item.label))


class _Offers:
    def __init__(self, cursor: Cursor, text: str) -> None:
        self.cursor, self.span = cursor, cursor.typed
        self.quoted = cursor.inside is not None
        self.called = text[cursor.typed.end : cursor.typed.end + 1] == "("
        self.text = text

    def items(self) -> Iterator[Item]:
        if self.cursor.call is not None and self.cursor.frame.opener != "{":
            yield from self._in_call(self.cursor.call)
        elif self.cursor.frame.opener == "[" and not self.quoted:
            yield from self.functions(lambda f: f.kind in _AGGREGATES)
        elif self.cursor.frame.reads_expression:
            yield from self.expression()
        else:
            yield from self._in_filter(self.cursor.frame)

    # --- places -----------------------------------------------------------------------------

    def _in_call(self, frame: Frame) -> Iterator[Item]:
        function, parameter = self.cursor.function, self.cursor.parameter
        array = self.cursor.frame is not frame
        piece = frame.piece
        if function is None:
            yield from self.expression()
            return
        starts = not piece and not array
        if starts and not self.quoted:
            yield from self.parameters(function, frame)
        unnamed_is_open = not frame.argument and "" not in frame.given
        if parameter is None or not (frame.argument or unnamed_is_open):
            return
        own = self.cursor.frame.piece if array else piece[2:] if frame.argument else piece
        if own and not self.cursor.frame.reads_expression:
            return
        yield from self.values(parameter, function, frame)

    def _in_filter(self, frame: Frame) -> Iterator[Item]:
        piece = [lexeme for lexeme in frame.piece if lexeme.kind is not Kind.COMMENT]
        last = piece[-1] if piece else None
        before = piece[-2] if len(piece) > 1 else None
        if last is not None and last.kind is Kind.OPERATOR:
            if last.text in ("=", "!=") and before is not None:
                yield from self._compared(before.text)
            elif last.text == "=~" and not self.quoted:
                yield from self.functions(lambda f: f.kind is FunctionKind.FILTER)
            elif last.text == "!" and not self.quoted:
                yield from self.filter()
            return
        if self.quoted:
            return
        if last is None:
            yield from self._step(frame)
            return
        yield from self.filter()
        if last.kind is not Kind.KEYWORD:
            yield from self.keywords("and", "or")
            if len(piece) == 1 and last.kind in (Kind.TEXT, Kind.FIELD):
                yield from self.keywords("match", "like")

    def _step(self, frame: Frame) -> Iterator[Item]:
        """Yield what may begin a step, a guard or a group."""
        if frame.opener == "(":
            yield from self.filter()
            return
        if frame.subject == "match" and frame.separator not in ("=>", "|"):
            # A guard: text, a regex, or a filter that is given the field.
            yield from self.functions(lambda f: f.kind is FunctionKind.FILTER)
            return
        first = not frame.opener and not frame.separator
        kinds = frozenset(FunctionKind) if first else _STEPS
        yield from self.functions(lambda f: f.kind in kinds)
        yield from self.fields(rank=1)
        yield from self.keywords("not")
        yield self.item("case", ItemKind.KEYWORD, text="case {  }", caret=7, rank=2)

    def _compared(self, field: str) -> Iterator[Item]:
        if field.strip('"') == EVENT_TAG:
            yield from self.events()

    # --- offers -----------------------------------------------------------------------------

    def filter(self) -> Iterator[Item]:
        yield from self.fields()
        yield from self.functions(lambda f: f.kind is FunctionKind.FILTER, rank=1)
        yield from self.keywords("not")

    def expression(self) -> Iterator[Item]:
        if not self.quoted:
            yield from self.fields()
            yield from self.functions(lambda f: f.is_value, rank=1)

    def values(
        self, parameter: FunctionParameter, function: Function, frame: Frame
    ) -> Iterator[Item]:
        for value in parameter.allowed:
            yield self.item(value, ItemKind.VALUE, text=self._name(value))
        kind = parameter.type
        if kind is ParameterType.BOOLEAN and not self.quoted:
            yield from (self.item(word, ItemKind.VALUE) for word in ("true", "false"))
        elif kind is ParameterType.LIMIT and not parameter.allowed and not self.quoted:
            yield self.item("max", ItemKind.VALUE)
        elif kind in FIELD_TYPES:
            columns = columns_before(self.cursor) if parameter.name in _COLUMNS else []
            for name in columns:
                yield self.item(name, ItemKind.FIELD, text=self._name(name), detail="of the table")
            if not columns:
                yield from self.fields()
        elif kind in _EXPRESSIONS:
            yield from self.expression()
        elif kind in _FUNCTIONS and not self.quoted:
            yield from self.functions(lambda f: f.kind in _AGGREGATES)
        elif kind in _QUERIES and not self.quoted:
            yield self.item("{ … }", ItemKind.VALUE, text="{  }", caret=2)
        elif kind in _FILES or parameter.name == "table":
            for name in tables_before(self.cursor):
                text = name if self.quoted else f'"{name}"'
                yield self.item(name, ItemKind.TABLE, text=text)
        if function.name == "in" and parameter.name == "values" and self._asks_event(frame):
            yield from self.events()

    def _asks_event(self, frame: Frame) -> bool:
        """Say whether the call's arguments so far name the field of event names."""
        return EVENT_TAG in self.cursor.text[frame.start :]

    def parameters(self, function: Function, frame: Frame) -> Iterator[Item]:
        given = {*frame.given, *names_after(self.text, len(self.cursor.text))}
        if "" in given and function.unnamed is not None:
            given.add(function.unnamed)
        for number, parameter in enumerate(function.parameters):
            if parameter.name in given or parameter.deprecated:
                continue
            yield self.item(
                f"{parameter.name}=",
                ItemKind.PARAMETER,
                detail="required" if parameter.required else _default(parameter),
                about=parameter.about,
                rank=(-2 if parameter.required else -1) * 100 + number,
            )

    def functions(self, fits: Callable[[Function], bool], *, rank: int = 0) -> Iterator[Item]:
        for function in _canonical():
            if fits(function):
                yield self.item(
                    function.name,
                    ItemKind.FUNCTION,
                    text=function.name if self.called else f"{function.name}()",
                    detail=function.signature(),
                    about=function.about,
                    caret=None if self.called else len(function.name) + 1,
                    rank=_LAST if function.deprecated else rank,
                    is_deprecated=function.deprecated is not None,
                )

    def fields(self, *, rank: int = 0) -> Iterator[Item]:
        for name, nearness in fields_at(self.cursor).ranked():
            known = known_fields().get(name)
            unit = known.unit if known is not None and known.unit is not None else ""
            yield self.item(
                name,
                ItemKind.FIELD,
                text=self._name(name),
                detail="of this query" if nearness == 0 else unit,
                about=known.about if known is not None else "",
                rank=rank + nearness,
            )

    def events(self) -> Iterator[Item]:
        bare = self.quoted or not self.cursor.frame.reads_expression
        for kind in events().values():
            yield self.item(
                kind.name,
                ItemKind.EVENT,
                text=kind.name if bare else f'"{kind.name}"',
                detail=", ".join(kind.platforms),
                about=kind.about,
            )

    def keywords(self, *words: str) -> Iterator[Item]:
        return (self.item(word, ItemKind.KEYWORD, rank=4) for word in words)

    def item(
        self,
        label: str,
        kind: ItemKind,
        *,
        text: str | None = None,
        detail: str = "",
        about: str = "",
        caret: int | None = None,
        rank: int = 0,
        is_deprecated: bool = False,
    ) -> Item:
        return Item(
            label=label,
            kind=kind,
            text=label if text is None else text,
            span=self.span,
            detail=detail,
            about=about,
            caret=caret,
            rank=rank,
            is_deprecated=is_deprecated,
        )

    def _name(self, name: str) -> str:
        return name if self.quoted or is_field_name(name) else f'"{name}"'


def _canonical() -> Iterable[Function]:
    return {function.name: function for function in functions().values()}.values()


def _default(parameter: FunctionParameter) -> str:
    default = parameter.default
    return f"default {default}" if default and not default.isspace() else ""


def _saved_query(name: str, cursor: Cursor, text: str) -> Item:
    called = text[cursor.typed.end : cursor.typed.end + 1] == "("
    return Item(
        label=name,
        kind=ItemKind.SAVED_QUERY,
        text=name if called else f"{name}()",
        span=cursor.typed,
    )
