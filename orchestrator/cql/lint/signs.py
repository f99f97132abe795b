"""Checks of signs: characters that people mean as operators or quotes, and regexes alone."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.phrases import word_of
from orchestrator.cql.nodes import (
    Bad,
    Comparison,
    ComparisonOperator,
    FieldName,
    Filter,
    FreeText,
    Regex,
    Word,
)
from orchestrator.cql.parser.characters import is_field_name, quote
from orchestrator.cql.span import Span

_INVISIBLE = "\u200b\u200c\u200d\u2028\u2029\u2060\ufeff"
_MATHEMATICS = {"≥": ">=", "≤": "<=", "≠": "!="}
_INDENT = 80
"""So far at most a line of a list is indented."""
_CURLY = "“”„‘’"


def _logic_signs(context: Context) -> Iterator[Found]:
    for node in context.each(FreeText):
        word = word_of(node)
        if word in ("&&", "&"):
            yield Found(
                message=f"`{word}` is not an operator: LogScale searches for that text.",
                span=node.span,
                help="Write `and`, or nothing.",
                fix=Fix(span=node.span, text="and", label="write and"),
            )


def _stray_signs(context: Context) -> Iterator[Found]:
    for phrase in context.phrases:
        for place, term in enumerate(phrase):
            word = word_of(term)
            if word is None or not _is_stray(word) or id(term) in context.taken:
                continue
            if word == "-" and _begins_line(context.query.text, term.span.start):
                # A list of YAML, one value a line.
                yield Found(
                    message="`-` is free text here; CQL has no lists with dashes.",
                    span=term.span,
                    help="Join alternatives with `or`, or write `in(field, values=[…])`.",
                )
                continue
            fix = None
            field = word_of(phrase[place - 1]) if place else None
            value = phrase[place + 1] if place + 1 < len(phrase) else None
            # `x : "a"` is a comparison in other languages, and `$f():` a slip of the hand.
            if word in _MATHEMATICS and field and value is not None:
                sign = Span(phrase[place - 1].span.end, value.span.start)
                fix = Fix(span=sign, text=f" {_MATHEMATICS[word]} ", label="write the operator")
            elif word in (":", "~") and field and is_field_name(field) and value is not None:
                if isinstance(value, FreeText):
                    between = Span(phrase[place - 1].span.end, value.span.start)
                    fix = Fix(span=between, text="=", label="compare")
            elif len(phrase) > 1 and not word[0].isalnum() and not _is_joined(context, term.span):
                fix = Fix(span=term.span, text="", label="delete it")
            yield Found(
                message=f"`{word}` is free text here, not an operator.",
                span=term.span,
                help=_advice(word, phrase[place - 1] if place else None),
                fix=fix,
            )


def _is_joined(context: Context, span: Span) -> bool:
    """Say whether the word `and` stands beside the term, which could not stay without it."""
    text = context.query.text
    before = text[max(0, span.start - _INDENT) : span.start].split()
    behind = text[span.end : span.end + _INDENT].split()
    return "and" in (word.lower() for word in (*before[-1:], *behind[:1]))


def _advice(word: str, before: Filter | None) -> str:
    if word == "#" and before is None:
        return "A comment begins with `//`."
    if word in ("+", "-", "*", "/", "%") and isinstance(before, Comparison):
        return "A filter does not compute: assign first, `x := a + b`, then compare."
    if word in _MATHEMATICS:
        return f"Write `{_MATHEMATICS[word]}`."
    if word == "*/":
        return "Delete it: no comment is open here."
    return "Compare with `field = value`; delete it if it is left over."


def _begins_line(text: str, place: int) -> bool:
    indent = text[max(0, place - _INDENT) : place]
    return "\n" in indent and not indent.rpartition("\n")[2].strip()


def _is_stray(word: str) -> bool:
    if word in _MATHEMATICS or word == "*/":
        return True
    # Two dashes are told as the comment that they are meant to be.
    if word == "--":
        return False
    if word.endswith(":") and "/" not in word:
        return True
    return not any(char.isalnum() or char in "*&" for char in word) and word.isascii()


def _odd_characters(context: Context) -> Iterator[Found]:
    # A byte order mark, mostly; what else is odd in the first word comes up when it is gone.
    begin = _invisible_at(context.query.text, 0)
    if begin:
        yield _invisible_start(Span(0, begin))
    for word in context.each(Word):
        if word.span.start >= begin:
            yield from _odd(word.text, word.span)
    for field in context.each(FieldName):
        if field.quoted and field.name[:1] in _INVISIBLE:
            yield from _odd_name(field)
        elif not field.quoted and field.span.start >= begin:
            yield from _odd(field.name, field.span)
    for bad in context.each(Bad):
        end = _invisible_at(bad.text, 0)
        if end and bad.span.start >= begin:
            yield _invisible_start(Span(bad.span.start, bad.span.start + end))


def _invisible_at(text: str, place: int) -> int:
    """Return where the invisible characters end that stand at a place."""
    while text[place : place + 1] and text[place] in _INVISIBLE:
        place += 1
    return place


def _invisible_start(span: Span) -> Found:
    return Found(
        message="An invisible character stands before the text, and is part of its first word.",
        span=span,
        help="Delete it.",
        fix=Fix(span=span, text="", label="delete it"),
    )


def _odd_name(field: FieldName) -> Iterator[Found]:
    bare = field.name.lstrip(_INVISIBLE)
    if bare:
        yield Found(
            message="The name of this field begins with an invisible character.",
            span=field.span,
            help=f"Write `{quote(bare)}`.",
            fix=Fix(span=field.span, text=quote(bare), label="write plain characters"),
        )


def _odd(text: str, span: Span) -> Iterator[Found]:
    if text.isascii():
        return
    if not any(char in _INVISIBLE + _CURLY or "\uff01" <= char <= "\uff5e" for char in text):
        return
    fix = None
    # Full-width forms of the signs stand 0xFEE0 behind the signs themselves.
    bare = "".join(chr(ord(c) - 0xFEE0) if "\uff01" <= c <= "\uff5e" else c for c in text)
    for char in _INVISIBLE:
        bare = bare.replace(char, "")
    if bare[:1] in _CURLY and bare[-1:] in _CURLY and len(bare) > 2:
        bare = quote(bare[1:-1])
    # A full-width sign may make anything of the word; it is shown, and not put in.
    help_text = 'Quote with `"`.'
    if not any(char in _CURLY for char in bare):
        # The blank keeps apart what the character did.
        fix = Fix(span=span, text=bare or " ", label="write plain characters")
        help_text = f"Write `{bare}`." if bare else "Delete it."
    yield Found(
        message="A typographic quote, a full-width or an invisible character is part of a word.",
        span=span,
        help=help_text,
        fix=fix,
    )


def _bare_regex(context: Context) -> Iterator[Found]:
    for node in context.each(FreeText):
        if isinstance(node.pattern, Regex) and id(node) not in context.taken:
            # One that is not closed is told by the grammar.
            if context.source(node.span).count("/") < 2:
                continue
            yield Found(
                message="A regex on its own searches every field of every event.",
                span=node.span,
                help="Name the field: `field = /…/`.",
            )


def _null_text(context: Context) -> Iterator[Found]:
    # A null of JSON becomes this very text.
    if any(function.name == "parseJson" for _, function in context.calls):
        return
    for node in context.each(Comparison):
        value = node.value
        if not isinstance(value, Word) or value.text not in ("null", "NULL", "None", "nil"):
            continue
        sign = {ComparisonOperator.EQUAL: "!=", ComparisonOperator.NOT_EQUAL: "="}.get(
            node.operator
        )
        if sign is not None:
            name = context.source(node.field.span)
            yield Found(
                message=f"This compares with the text `{value.text}`; absent fields hold none.",
                span=value.span,
                help=f'Write `{name}{sign}*`, or `"{value.text}"` where the text is meant.',
                fix=Fix(span=node.span, text=f"{name}{sign}*", label="ask whether it exists"),
            )


CHECKS = (
    Check(
        code="logic-sign",
        level=Level.ERROR,
        about="`&` may be part of a word, so `&&` is searched for as text. Filters are joined "
        "with `and`, or by standing side by side.",
        source="LogScale: grammar guide, appendix C",
        find=_logic_signs,
    ),
    Check(
        code="stray-sign",
        level=Level.WARNING,
        about="`:`, `~` and other signs may be part of a word; alone they are searched for as "
        "text, and few events contain them. Mostly one is left over, or meant as `=`.",
        source="LogScale: grammar guide, appendix C",
        find=_stray_signs,
    ),
    Check(
        code="typographic-character",
        level=Level.WARNING,
        about="Curly quotes, full-width signs and zero-width characters are letters to LogScale; "
        "they come from text processors and web pages. The value then is not the one that is to "
        "be seen.",
        source="LogScale: grammar guide, appendix C",
        find=_odd_characters,
    ),
    Check(
        code="bare-regex",
        level=Level.HINT,
        about="A regex without a field is tried on every field of the event; naming the field is "
        "cheaper, and says what is looked for.",
        source="LogScale: query filters",
        find=_bare_regex,
    ),
    Check(
        code="null-text",
        level=Level.WARNING,
        about="There is no null in filters: `x = null` compares with four letters. A field that "
        "is absent is found with `x != *`, one that exists with `x = *`. Quote the word where "
        "events really hold it as text.",
        source="LogScale: operators",
        find=_null_text,
    ),
)
