"""Calls and what only their arguments hold: arrays, subqueries, labels.

An argument or an element that cannot be read is reported and left out; the others are read on.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.nodes import (
    Argument,
    Array,
    Assignment,
    Attribute,
    Call,
    Expression,
    FieldName,
    Pipeline,
    Quoted,
    Subquery,
)
from orchestrator.cql.parser.characters import CALL_NAME_ONLY, FIELD, LABEL, WORD
from orchestrator.cql.parser.leaves import LeafParser
from orchestrator.cql.parser.scanner import StepFailed
from orchestrator.cql.span import Span

_TOLD_INSIDE_CASE = ("case-call", "regex-in-expression")
_NAME_IN_PARENTHESES = re.compile(rf"\([ \t\r\n\f]*(?={FIELD.pattern}[ \t\r\n\f]*=(?![=~>]))")
_NAMED_BEHIND_COMMA = re.compile(r",[ \t\r\n\f]*[A-Za-z]+[ \t]*=(?![=~>])")
_ATTRIBUTE = re.compile(r"(include)[ \t]*=")
# A value of several words, perhaps behind its name.
_PHRASE = re.compile(
    r"([A-Za-z]{1,40}[ \t]{0,4}=[ \t]{0,4})?"
    r"([\w.]{1,40}(?:[ \t]{1,4}[\w.]{1,40}){1,8})(?=[ \t]{0,4}[,)\]])"
)
_LAST_WORD = re.compile(r"[\w.#@]+\Z")
_SQL_ADVICE = {"as": "Name the output inside the call: `sum(field, as=name)`."}
_Item = TypeVar("_Item")


class CallParser(LeafParser, ABC):
    """Reads calls; `expression` and `pipeline` come from the areas above."""

    arguments_ahead: dict[int, tuple[tuple[Argument, ...], int]]
    """Arguments that were read before it was known whose they are, and where they end."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.arguments_ahead = {}

    @abstractmethod
    def expression(self) -> Expression:
        """Read an expression up to what cannot belong to it."""

    @abstractmethod
    def pipeline(self, *, stops: str) -> Pipeline:
        """Read steps up to one of `stops` or the end of the text."""

    def call(self) -> Call:
        """Read `name(arguments)` from its name; white space before `(` is the caller's to judge."""
        text, start = self.text, self.pos
        match = CALL_NAME_ONLY.match(text, start)
        name_end = start if match is None else match.end()
        name = text[start:name_end]
        known = len(self.diagnostics)
        self.pos = self.after_blank(name_end)
        arguments = self.arguments()
        if name == "correlate":
            arguments = tuple(map(self._labelled, arguments))
        if name.lower() == "case":
            # Its arguments are another language's; only the regex literals are worth a word.
            for found in self.forget(known):
                if found.code in _TOLD_INSIDE_CASE:
                    self.add(found)
            self.report_case_call(Span(start, name_end))
        return Call(
            span=Span(start, self.pos),
            name=name,
            name_span=Span(start, name_end),
            arguments=arguments,
        )

    def report_case_call(self, span: Span) -> None:
        """Say that `case` is a statement, not a function."""
        self.report(
            "case-call",
            "`case` is a statement, not a function, and has no value.",
            span,
            help='Write `case { condition | field := "a" ; * | field := "b" }` as its own step, '
            'or `field := if(condition, then="a", else="b")`.',
        )

    def arguments(self) -> tuple[Argument, ...]:
        """Read `( … )`; each argument that fails is reported, skipped and left out."""
        read_ahead = self.arguments_ahead.pop(self.pos, None)
        if read_ahead is not None:
            found, self.pos = read_ahead
            return found
        return tuple(self._items(")", "unclosed-parenthesis", self._argument))

    def _items(self, closer: str, code: str, read: Callable[[], _Item]) -> list[_Item]:
        """Read what stands between two brackets, separated by commas."""
        opened = self.pos
        self.enter(opened)
        self.pos += 1
        found: list[_Item] = []
        while True:
            self.skip_blank()
            if self.peek() in (closer, "", "|", ";"):
                break
            depth, start = self.depth, self.pos
            try:
                found.append(read())
                self.skip_blank()
                if self.peek() != closer and self.closes_for_other(opened):
                    self._other_closer(opened, closer, code)
                    self.leave()
                    return found
                if self.peek() not in (",", closer, "") and not self._is_left_open(opened):
                    raise self._unexpected_item(closer, start)
            except StepFailed:
                self.depth = depth
                self._skip_item(opened)
            if self.peek() != ",":
                break
            if closer == "]" and self._is_array_left_open(opened):
                self.unclosed(opened, closer, code)
                self.leave()
                return found
            self._comma(closer)
        self._close(opened, closer, code)
        self.leave()
        return found

    def _other_closer(self, opened: int, closer: str, code: str) -> None:
        self.report(
            code,
            f"This `{self.text[opened]}` is closed by another kind of bracket.",
            Span(opened, opened + 1),
            help=f"Write `{closer}` instead of the `{self.peek()}` behind {self._before()}.",
            fix=Fix(span=Span(self.pos, self.pos + 1), text=closer, label=f"write {closer}"),
        )
        self.pos += 1

    def _before(self) -> str:
        """Name the word that ends here."""
        start = max(0, self.pos - 40)
        word = _LAST_WORD.search(self.text[start : self.end])
        return f"`{word.group()}`" if word is not None else "the last element"

    def _is_left_open(self, opened: int) -> bool:
        """Say whether something else ends here and nothing closes the bracket: it was forgotten."""
        return self.peek() in ("|", ";", ")", "]", "}") and self.partner(opened) is None

    def _is_array_left_open(self, opened: int) -> bool:
        """Say whether a named argument stands behind this comma, and no bracket closes."""
        behind = _NAMED_BEHIND_COMMA.match(self.text, self.pos)
        return behind is not None and self.partner(opened) is None

    def _skip_item(self, opened: int) -> None:
        """Move to the next comma of these brackets, or to the one that closes them."""
        partner = self.partner(opened)
        self.skip_to(",)]}" if partner is not None else ",)]}|;")
        while partner is not None and self.pos < partner and self.peek() != ",":
            self.pos += 1
            self.skip_to(",)]}")

    def _unexpected_item(self, closer: str, item: int) -> StepFailed:
        start = self.pos
        help_text, word = "", None
        if self.peek() == "|":
            help_text = "A pipeline as an argument stands in braces: `{ … | … }`."
        elif self.peek(2) == ":=":
            help_text = "An argument is named with `=`, not with `:=`."
        elif (word := WORD.match(self.text, start)) is not None:
            help_text = _SQL_ADVICE.get(word.group().lower(), "")
            if self.text[max(0, self.end - 9) : self.end].lower() in ("(distinct", " distinct"):
                help_text = "Write `count(field, distinct=true)`."
        if word is not None and not help_text:
            help_text = self._word_advice(item)
        return self.fail(
            "unexpected-text",
            f"`,` or `{closer}` is expected here, not {self.found_here()}.",
            self.place(start),
            help=help_text,
        )

    def _word_advice(self, item: int) -> str:
        """Say what to write where a word follows the argument that starts at `item`."""
        text, start = self.text, self.pos
        word = text[start : self.place(start).end].lower()
        if word in ("asc", "desc"):
            return f"Write `, order={word}`."
        if word == "like":
            return (
                'An expression has no `like`: write `text:contains(field, substring="…")`, or a '
                'filter, `field like "…"`.'
            )
        if (attribute := _ATTRIBUTE.match(text, start)) is not None and text[item] != "{":
            return f"Behind a labelled query a colon follows the name: `{attribute.group(1)}: […]`."
        phrase = _PHRASE.match(text, item)
        if phrase is not None and item < start < phrase.end():
            return f'Separate arguments with `,`, or quote: `{phrase[1] or ""}"{phrase[2]}"`.'
        return "Separate arguments with `,`, or quote text that holds blanks."

    def _labelled(self, argument: Argument) -> Argument:
        """Read `name={ … }` of correlate() as the labelled query that it means."""
        value, name, span = argument.value, argument.name, argument.name_span
        if not isinstance(value, Subquery) or value.label is not None or not name or not span:
            return argument
        sign = Span(span.end, value.span.start)
        self.report(
            "label-sign",
            "A query of correlate() is named with a colon.",
            Span(span.start, value.span.start),
            help=f"Write `{name}: {{ … }}`.",
            fix=Fix(span=sign, text=": ", label="write a colon"),
        )
        labelled = Subquery(span=argument.span, pipeline=value.pipeline, label=name, attributes=())
        return Argument(span=argument.span, name=None, name_span=None, value=labelled)

    def _argument(self) -> Argument:
        start = self.pos
        if (wrapped := _NAME_IN_PARENTHESES.match(self.text, start)) is not None:
            return self._wrapped_argument(wrapped.end())
        name, name_span = self._argument_name()
        value = self.expression()
        return Argument(span=Span(start, self.end), name=name, name_span=name_span, value=value)

    def _wrapped_argument(self, inner: int) -> Argument:
        """Read `(name=value)`: published queries hold it, the grammar guide does not."""
        start = self.pos
        self.pos = inner
        argument = self._argument()
        span = argument.span
        self._close(start, ")", "unclosed-parenthesis")
        shown = self.text[span.start : span.end]
        self.report(
            "argument-in-parentheses",
            "The parentheses around a named argument are not documented.",
            Span(start, self.pos),
            help=f"Write `{shown}`." if len(shown) <= 60 else "Take them away.",
            level=Level.WARNING,
            fix=Fix(span=Span(start, self.pos), text=shown, label="take them away"),
        )
        return argument

    def _argument_name(self) -> tuple[str | None, Span | None]:
        """Read `name =` if it is there; `==` and `=~` belong to an expression."""
        start = self.pos
        if self.peek() == '"':
            return self._quoted_argument_name()
        match = FIELD.match(self.text, start)
        if match is None:
            return None, None
        equals = self.after_blank(match.end())
        if not self._is_single_equals(equals):
            return None, None
        self.pos = equals + 1
        return match.group(), Span(start, match.end())

    def _quoted_argument_name(self) -> tuple[str | None, Span | None]:
        start, known = self.pos, len(self.diagnostics)
        string = self.quoted()
        end, equals = self.pos, self.after_blank(self.pos)
        if self._is_single_equals(equals):
            self.pos = equals + 1
            return string.value, Span(start, end)
        self.pos = start
        self.forget(known)
        return None, None

    def _is_single_equals(self, place: int) -> bool:
        text = self.text
        return text.startswith("=", place) and not text.startswith(("==", "=~", "=>"), place)

    # --- arrays and subqueries --------------------------------------------------------------

    def array(self) -> Array:
        """Read `[ … ]` from its bracket."""
        opened = self.pos
        elements = self._items("]", "unclosed-bracket", self._element)
        # Without its bracket it ends with what was read last, not with the blank behind that.
        return Array(span=Span(opened, max(opened + 1, self.end)), elements=tuple(elements))

    def _element(self) -> Expression | Assignment:
        start = self.pos
        match = FIELD.match(self.text, start)
        if match is not None:
            sign = self.after_blank(match.end())
            if self.text.startswith(":=", sign):
                self.pos = sign + 2
                field = FieldName(span=Span(start, match.end()), name=match.group())
                value = self.expression()
                return Assignment(span=Span(start, self.end), field=field, value=value)
        node = self.expression()
        if isinstance(node, Quoted) and self.peek(2) == ":=":
            self.pos += 2
            value = self.expression()
            field = FieldName(span=node.span, name=node.value, quoted=True)
            return Assignment(span=Span(start, self.end), field=field, value=value)
        return node

    def subquery(self, *, label: str | None, start: int) -> Expression:
        """Read `{ … }`, with its attributes if it has a label, from its brace."""
        if self.peek() != "{":
            raise self.fail(
                "unexpected-text",
                "`{` is expected after a label.",
                self.place(self.pos),
            )
        opened = self.pos
        self.enter(opened)
        self.pos += 1
        pipeline = self.pipeline(stops="}")
        self._close(opened, "}", "unclosed-brace")
        self.leave()
        attributes: list[Attribute] = []
        end = self.pos
        while label is not None:
            at = self.after_blank(self.pos)
            match = LABEL.match(self.text, at)
            if match is None or self.text.startswith("{", match.end()):
                break
            self.pos = match.end()
            value = self.expression()
            end = self.end
            attributes.append(Attribute(span=Span(at, end), name=match.group(1), value=value))
        return Subquery(
            span=Span(start, end), pipeline=pipeline, label=label, attributes=tuple(attributes)
        )
