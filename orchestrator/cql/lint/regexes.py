"""Checks of regexes: what LogScale's engine does not know. Places point inside the literal."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.cql.diagnostics import Level
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.nodes import Not, Or, Regex
from orchestrator.cql.span import Span
from orchestrator.cql.walk import walk

_UNSUPPORTED = (
    (re.compile(r"\(\?<[=!]"), "lookbehind", "Match the text before it too, or use two steps."),
    (re.compile(r"\(\?>"), "an atomic group", "Use a plain group."),
    (re.compile(r"\\k<|\\[1-9]"), "a back-reference", "Extract with a named group, then test()."),
    (re.compile(r"\\[pP]\{?"), "a Unicode class", "List the characters: `[a-zA-Z]`."),
    (re.compile(r"\[\[:"), "a POSIX class", "List the characters: `[a-zA-Z]`."),
    (re.compile(r"\\[hHvVRXNeCGu](?=\{|\b|$)"), "this escape", "List the characters."),
)
_POSSESSIVE = re.compile(r"[*+?}]\+")


def _regexes(context: Context) -> Iterator[Regex]:
    for node in context.nodes:
        if isinstance(node, Regex):
            yield node


def _unsupported(context: Context) -> Iterator[Found]:
    for regex in _regexes(context):
        for start, text, in_class in _tokens(regex.body):
            place = regex.span.start + 1 + start
            if in_class and not text.startswith("\\"):
                continue
            for pattern, what, advice in _UNSUPPORTED:
                match = pattern.match(regex.body, start)
                if match is None or (
                    what == "this escape"
                    and text[1:2] == "u"
                    and "{" not in (regex.body[start + 2 : start + 3])
                ):
                    continue
                yield Found(
                    message=f"LogScale's regexes do not know {what}.",
                    span=Span(place, place + len(match.group())),
                    help=advice,
                )
            possessive = _POSSESSIVE.match(regex.body, start)
            if possessive is not None and not in_class and not text.startswith("\\"):
                yield Found(
                    message="LogScale's regexes do not know possessive quantifiers.",
                    span=Span(place, place + 2),
                    help="Leave the second `+` out.",
                )


def _tokens(body: str) -> Iterator[tuple[int, str, bool]]:
    """Yield each character or escape with its place and whether a class holds it."""
    place, in_class = 0, False
    while place < len(body):
        text = body[place : place + 2] if body[place] == "\\" else body[place]
        yield place, text, in_class
        if text == "[":
            in_class = True
        elif text == "]":
            in_class = False
        place += len(text)


def _brackets(context: Context) -> Iterator[Found]:
    for regex in _regexes(context):
        opened: list[int] = []
        for start, text, in_class in _tokens(regex.body):
            place = regex.span.start + 1 + start
            if text == "(" and not in_class:
                opened.append(place)
            elif text == ")" and not in_class:
                if opened:
                    opened.pop()
                else:
                    yield Found(
                        message="This `)` closes no group.",
                        span=Span(place, place + 1),
                        help="Write `\\)` for the character.",
                    )
        for place in opened:
            yield Found(
                message="This group is never closed.",
                span=Span(place, place + 1),
                help="Write `\\(` for the character.",
            )


def _lost_groups(context: Context) -> Iterator[Found]:
    for node in context.nodes:
        if not isinstance(node, Or | Not):
            continue
        for inner in walk(node):
            if isinstance(inner, Regex) and re.search(r"\(\?P?<[^=!]", inner.body):
                yield Found(
                    message="Named groups are not extracted under `or` and `not`.",
                    span=inner.span,
                    help="Make the regex a step of its own.",
                )


def _needless_dots(context: Context) -> Iterator[Found]:
    for regex in _regexes(context):
        body = regex.body
        if len(body) > 2 and (body.startswith(".*") or re.search(r"(?<!\\)\.\*\Z", body)):
            yield Found(
                message="A regex is searched for anywhere; `.*` at its edge costs time only.",
                span=regex.span,
                help="Leave it out.",
            )


CHECKS = (
    Check(
        code="regex-unsupported",
        level=Level.ERROR,
        about="LogScale's regexes have no lookbehind, back-references, atomic groups, possessive "
        "quantifiers, Unicode or POSIX classes.",
        source="LogScale: unsupported regular expression syntax",
        find=_unsupported,
    ),
    Check(
        code="regex-unbalanced",
        level=Level.ERROR,
        about="A group of the regex is not closed, or closed without being open.",
        source="LogScale: regular expression syntax",
        find=_brackets,
    ),
    Check(
        code="regex-group-lost",
        level=Level.WARNING,
        about="A named group becomes a field only in a regex that must match: not under `or`, not "
        "under `not`.",
        source="LogScale: field extraction",
        find=_lost_groups,
    ),
    Check(
        code="regex-needless-dots",
        level=Level.HINT,
        about="The search is not anchored, so a leading or trailing `.*` changes nothing.",
        source="LogScale: best practices",
        find=_needless_dots,
    ),
)
