"""Checks of regexes: what LogScale's engine does not know, and what is read otherwise than meant.

Literals and the regexes in strings (`regex("…")`) alike; places point at the character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.cql.diagnostics import Level
from orchestrator.cql.fields import argument, group_names
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.nodes import Not, Or, Quoted, Regex, Word
from orchestrator.cql.span import Span
from orchestrator.cql.walk import walk

_UNSUPPORTED = (
    (re.compile(r"\(\?<[=!]"), "lookbehind", "Match the text before it too, or use two steps."),
    (re.compile(r"\(\?>"), "atomic groups", "Use a plain group."),
    (
        re.compile(r"\\k<|\\[1-9]|\(\?P=[^)]*\)?"),
        "back-references",
        "Extract with a named group, then test(a == b).",
    ),
    (re.compile(r"\\[pP](?:\{[^}]*\}|.)?"), "Unicode classes", "List the characters: `[a-zA-Z]`."),
    (re.compile(r"\\K"), "`\\K`", "Extract with a named group, `(?<name>…)`, in place of it."),
    (re.compile(r"\\[hH]"), "this escape", "List the characters: `[ \\t]`."),
    (re.compile(r"\\R"), "this escape", "Write `\\r?\\n`."),
    (re.compile(r"\\[vVXNeCG]|\\u\{"), "this escape", "List the characters: `[…]`."),
)
_POSIX = re.compile(r"\[:\^?[a-z]+:\]")
# Behind a count in braces a `+` is accepted in practice: vendor packages write it.
_POSSESSIVE = re.compile(r"[*+?]\+")
_REPEAT = re.compile(r"\{(\d+),(\d+)\}")
_RANGE = re.compile(r"[A-Za-z0-9]-[A-Za-z0-9]")
_FLAGS = re.compile(r"\(\?([A-Za-z-]+)[:)]")
_ARGUMENT_FLAGS = frozenset("imdF")
_KNOWN_FLAGS = frozenset("imdgF-")
# A quotation, an escape with braces, an escape, or one character.
_TOKEN = re.compile(r"\\Q.*?(?:\\E|\Z)|\\[pPxuNk]\{[^}]*\}|\\.|.", re.DOTALL)
_NESTED_CLASS = re.compile(r"\[[^\[\]]+\][^\[\]()|]*\]")
REGEX_FUNCTIONS = frozenset(("regex", "replace", "array:regex"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """The text of a regex, and where each of its characters stands in the query."""

    text: str
    places: Sequence[int]
    """One more than there are characters: the last is the end."""

    def span(self, start: int, end: int) -> Span:
        """Return the place of `text[start:end]` in the query."""
        return Span(self.places[start], self.places[end])


def literals(context: Context) -> Iterator[Regex]:
    """Yield the regex literals that are closed; of the others the grammar has told."""
    for regex in context.each(Regex):
        end = regex.span.start + 1 + len(regex.body)
        if context.query.text[end : end + 1] == "/":
            yield regex


def _bodies(context: Context) -> Iterator[_Body]:
    for regex in literals(context):
        first = regex.span.start + 1
        yield _Body(text=regex.body, places=range(first, first + len(regex.body) + 1))
    for call, function in context.calls:
        pattern = argument(call, "regex") if function.name in REGEX_FUNCTIONS else None
        if isinstance(pattern, Quoted):
            yield _unescaped(pattern)


def _unescaped(pattern: Quoted) -> _Body:
    """Return the regex that a string holds; an unknown escape is passed on."""
    text: list[str] = []
    places: list[int] = []
    start = pattern.span.start
    place, raw = 1, pattern.raw
    # The string of a broken query may lack its closing quote.
    end = len(raw) - 1 if len(raw) > 1 and raw.endswith('"') else len(raw)
    while place < end:
        length = 2 if raw[place] == "\\" and raw[place + 1 : place + 2] in ("\\", '"') else 1
        places.append(start + place)
        text.append(raw[place + length - 1])
        place += length
    return _Body(text="".join(text), places=(*places, start + end))


def tokens(body: str) -> Iterator[tuple[int, str, bool]]:
    """Yield each character or escape with its place and whether a class holds it."""
    in_class = False
    opened = -2
    for match in _TOKEN.finditer(body):
        text = match.group()
        yield match.start(), text, in_class
        if text == "[" and not in_class:
            in_class, opened = True, match.start()
        elif text == "]" and in_class:
            # Right behind `[` or `[^` it is a character of the class.
            first = match.start() == opened + 1 or body[opened + 1 : match.start()] == "^"
            in_class = first


def _unsupported(context: Context) -> Iterator[Found]:
    for body in _bodies(context):
        skip = 0
        for start, text, in_class in tokens(body.text):
            if start < skip:
                continue
            if in_class:
                found = _in_class(body, start, text)
            elif len(text) > 1 or text in "(*+?":
                found = _outside(body, start)
            else:
                continue
            if found is not None:
                # What belongs to the construct is not told again.
                skip = max(found[0], _class_end(body.text, start) if in_class else 0)
                yield found[1]


def _class_end(body: str, start: int) -> int:
    end = body.find("]", start)
    while end != -1 and body[end + 1 : end + 2] == "]":
        end += 1
    return len(body) if end == -1 else end


def _in_class(body: _Body, start: int, text: str) -> tuple[int, Found] | None:
    """Return what the class cannot hold, and where in the regex it ends."""
    if text == "[":
        advice = "List the characters: `[a-zA-Z]`; a bracket that is meant is written `\\[`."
        match = _POSIX.match(body.text, start)
        if match is not None:
            return _not_known(body, start, match.end(), "POSIX classes", advice)
        if _NESTED_CLASS.match(body.text, start) is None:
            return None
        return _not_known(body, start, start + 1, "classes inside classes", advice)
    if text == "&" and body.text.startswith("&&", start):
        advice = "List the characters that remain: `[b-df-hj-np-tv-z]`."
        return _not_known(body, start, start + 2, "intersections of classes", advice)
    return _unknown(body, start) if len(text) > 1 else None


def _outside(body: _Body, start: int) -> tuple[int, Found] | None:
    match = _POSSESSIVE.match(body.text, start)
    if match is not None:
        advice = "Leave the second `+` out."
        return _not_known(body, start, match.end(), "possessive quantifiers", advice)
    return _unknown(body, start)


def _unknown(body: _Body, start: int) -> tuple[int, Found] | None:
    for pattern, what, advice in _UNSUPPORTED:
        match = pattern.match(body.text, start)
        if match is not None:
            return _not_known(body, start, match.end(), what, advice)
    return None


def _not_known(body: _Body, start: int, end: int, what: str, advice: str) -> tuple[int, Found]:
    message = f"LogScale's regexes do not know {what}."
    return end, Found(message=message, span=body.span(start, end), help=advice)


def _brackets(context: Context) -> Iterator[Found]:
    for body in _bodies(context):
        opened: list[int] = []
        for start, text, in_class in tokens(body.text):
            if in_class:
                continue
            if text == "(":
                opened.append(start)
            elif text == ")" and opened:
                opened.pop()
            elif text == ")":
                yield Found(
                    message="This `)` closes no group.",
                    span=body.span(start, start + 1),
                    help="Write `\\)` for the character.",
                )
        for place in opened:
            yield Found(
                message="This group is never closed.",
                span=body.span(place, place + 1),
                help="Write `\\(` for the character.",
            )


def _invalid(context: Context) -> Iterator[Found]:
    yield from _argument_flags(context)
    for body in _bodies(context):
        for start, text, in_class in tokens(body.text):
            if in_class:
                yield from _backward_range(body, start, text)
            elif text == "(":
                yield from _inline_flags(body, start)
            elif text == "{" and (repeat := _REPEAT.match(body.text, start)) is not None:
                low, high = repeat.groups()
                # Longer numbers than these are no counts of anything.
                if len(low) < 10 and len(high) < 10 and int(low) > int(high):
                    yield Found(
                        message="The count of this repetition runs backwards.",
                        span=body.span(start, repeat.end()),
                        help=f"Write `{{{high},{low}}}`.",
                    )


def _backward_range(body: _Body, start: int, text: str) -> Iterator[Found]:
    """Tell a range of plain letters or digits whose first is behind its last."""
    pair = body.text[start : start + 3]
    if len(text) != 1 or _RANGE.fullmatch(pair) is None or body.text[start - 1] == "-":
        return
    if pair[0] > pair[2]:
        yield Found(
            message=f"The range `{pair}` runs backwards.",
            span=body.span(start, start + 3),
            help=f"Write `{pair[2]}-{pair[0]}`.",
        )


def _argument_flags(context: Context) -> Iterator[Found]:
    for call, function in context.calls:
        value = argument(call, "flags") if function.name in REGEX_FUNCTIONS else None
        if not isinstance(value, Quoted | Word):
            continue
        text = value.value if isinstance(value, Quoted) else value.text
        unknown = [flag for flag in text if flag not in _ARGUMENT_FLAGS]
        if unknown:
            advice = "There are i, m, d and F."
            if unknown[0] == "g":
                advice = "Write `repeat=true`."
            elif unknown[0] == "s":
                advice = "To let the dot take line breaks write `d`."
            yield Found(
                message=f"`{unknown[0]}` is no flag of {function.name}().",
                span=value.span,
                help=advice,
            )


def _inline_flags(body: _Body, start: int) -> Iterator[Found]:
    match = _FLAGS.match(body.text, start)
    if match is None:
        return
    unknown = [flag for flag in match.group(1) if flag not in _KNOWN_FLAGS]
    # `(?P:` and its kin are told by others.
    if unknown and match.group(1) != "P":
        advice = "There are i, m, d, g and F."
        if "s" in unknown:
            advice = "To let the dot take line breaks write `(?d)`."
        yield Found(
            message=f"`{unknown[0]}` is not a regex flag.",
            span=body.span(start, match.end()),
            help=advice,
        )


def _lost_groups(context: Context) -> Iterator[Found]:
    told: set[int] = set()
    for node in (*context.each(Or), *context.each(Not)):
        for inner in walk(node):
            if isinstance(inner, Regex) and group_names(inner.body) and id(inner) not in told:
                told.add(id(inner))
                yield Found(
                    message="Named groups are not extracted under `or` and `not`.",
                    span=inner.span,
                    help="Make the regex a step of its own.",
                )


CHECKS = (
    Check(
        code="regex-unsupported",
        level=Level.ERROR,
        about="LogScale's regexes have no lookbehind, back-references, atomic groups, possessive "
        "quantifiers, Unicode or POSIX classes, and no classes inside classes; a query with one "
        "is refused. Lookahead, lazy quantifiers and named groups exist.",
        source="LogScale: unsupported regular expression syntax",
        find=_unsupported,
    ),
    Check(
        code="regex-unbalanced",
        level=Level.ERROR,
        about="A group of the regex is not closed, or closed without being open. A parenthesis "
        "that is meant as a character needs a backslash.",
        source="LogScale: regular expression syntax",
        find=_brackets,
    ),
    Check(
        code="regex-invalid",
        level=Level.ERROR,
        about="No engine reads this regex: a range of a class or a count of repetitions runs "
        "backwards, or a flag does not exist. In a function g is written `repeat=true`.",
        source="LogScale: regular expression syntax, regex flags",
        find=_invalid,
    ),
    Check(
        code="regex-group-lost",
        level=Level.WARNING,
        about="A named group becomes a field only in a regex that must match: not under `or`, not "
        "under `not`. Extract in a step of its own, with regex(strict=false) if it may not match.",
        source="LogScale: field extraction",
        find=_lost_groups,
    ),
)
