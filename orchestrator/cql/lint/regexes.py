"""Checks of regexes: what LogScale's engine does not know, and what is read otherwise than meant.

Places point inside the literal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.fields import argument, group_names
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.nodes import Not, Or, Quoted, Regex
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
_EXTENSIONS = "exe|dll|ps1|bat|cmd|vbs|hta|js|jar|py|sh|json|zip|com|net|org|io"
_DOUBLED = re.compile(rf"(?<!\\)\\\\\.(?=(?:{_EXTENSIONS})\b)")
_LOOSE_DOT = re.compile(rf"[A-Za-z0-9_](\.)(?:{_EXTENSIONS})(?=$|[|)$/\\])")
_STRING_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def _unsupported(context: Context) -> Iterator[Found]:
    for regex in context.each(Regex):
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
    for regex in context.each(Regex):
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


def _needless_dots(context: Context) -> Iterator[Found]:
    for regex in context.each(Regex):
        body = regex.body
        # A greedy start decides what a group takes, and with g where the next match begins.
        if "g" in regex.flags or len(body) < 3:
            continue
        leading = body.startswith(".*") and body[2:3] not in "?+{*" and "(?" not in body
        trailing = _TRAILING.search(body) is not None
        if "|" in body and not _is_wrapped(body):
            continue
        bare = body[2 if leading else 0 : -2 if trailing else None]
        if (leading or trailing) and bare and not bare.startswith(("*", "?")):
            yield Found(
                message="A regex is searched for anywhere; `.*` at its edge costs time only.",
                span=regex.span,
                help="Leave it out.",
                fix=Fix(
                    span=regex.span, text=f"/{bare}/{regex.flags}", label="leave the edges out"
                ),
            )


_TRAILING = re.compile(r"(?<!\\)(?:\\\\)*\.\*\Z")


def _is_wrapped(body: str) -> bool:
    """Say whether every `|` of the body stands in a group or class."""
    depth = 0
    for _, text, in_class in _tokens(body):
        if in_class:
            continue
        depth += (text == "(") - (text == ")")
        if text == "|" and depth == 0:
            return False
    return True


def _doubled(context: Context) -> Iterator[Found]:
    """Find `\\\\.exe`: an escaped backslash and any character, where a dot was meant."""
    for regex in context.each(Regex):
        for match in _DOUBLED.finditer(regex.body):
            start = regex.span.start + 1 + match.start()
            yield Found(
                message="This asks for a backslash and then any character.",
                span=Span(start, start + 3),
                help="In a regex literal one backslash makes the dot a dot: `\\.`.",
                fix=Fix(span=Span(start, start + 3), text="\\.", label="ask for a dot"),
            )


def _single_backslashes(context: Context) -> Iterator[Found]:
    for call, function in context.calls:
        if function.name not in ("regex", "replace", "array:regex"):
            continue
        pattern = argument(call, "regex")
        if not isinstance(pattern, Quoted) or "\\" not in pattern.raw:
            continue
        single = [m for m in _STRING_ESCAPE.finditer(pattern.raw) if m.group(1) not in '"\\nt']
        if single:
            start = pattern.span.start + single[0].start()
            text = _STRING_ESCAPE.sub(
                lambda m: m.group() if m.group(1) in '"\\nt' else f"\\{m.group()}", pattern.raw
            )
            yield Found(
                message=f"A string is no regex literal: `{single[0].group()}` is no escape of it.",
                span=Span(start, start + 2),
                help=f"Write `\\{single[0].group()}`: the string takes one backslash away.",
                fix=Fix(span=pattern.span, text=text, label="double the backslashes"),
            )


def _loose_dots(context: Context) -> Iterator[Found]:
    for regex in context.each(Regex):
        for match in _LOOSE_DOT.finditer(regex.body):
            start = regex.span.start + 1 + match.start(1)
            yield Found(
                message="This dot takes any character.",
                span=Span(start, start + 1),
                help="Write `\\.` for a dot.",
                fix=Fix(span=Span(start, start + 1), text="\\.", label="ask for a dot"),
            )


CHECKS = (
    Check(
        code="regex-unsupported",
        level=Level.ERROR,
        about="LogScale's regexes have no lookbehind, back-references, atomic groups, possessive "
        "quantifiers, Unicode or POSIX classes; a query with one is refused. Lookahead, lazy "
        "quantifiers and named groups exist.",
        source="LogScale: unsupported regular expression syntax",
        find=_unsupported,
    ),
    Check(
        code="regex-unbalanced",
        level=Level.ERROR,
        about="A group of the regex is not closed, or closed without being open. A parenthesis that "
        "is meant as a character needs a backslash.",
        source="LogScale: regular expression syntax",
        find=_brackets,
    ),
    Check(
        code="regex-group-lost",
        level=Level.WARNING,
        about="A named group becomes a field only in a regex that must match: not under `or`, not "
        "under `not`. Extract in a step of its own, with regex(strict=false) if it may not match.",
        source="LogScale: field extraction",
        find=_lost_groups,
    ),
    Check(
        code="regex-needless-dots",
        level=Level.HINT,
        about="A regex is found anywhere in the value, so a leading or trailing `.*` changes nothing "
        "and makes the engine read on. Named groups behind a leading one are another matter, and not "
        "told.",
        source="LogScale: best practices",
        find=_needless_dots,
    ),
    Check(
        code="regex-doubled-backslash",
        level=Level.WARNING,
        about="A regex between slashes has one level of escapes, one in a string has two. "
        r"`/\\\\.exe/` copied out of a string asks for a backslash and any character before `exe`.",
        source="LogScale: regex()",
        find=_doubled,
    ),
    Check(
        code="regex-single-backslash",
        level=Level.HINT,
        about="In a string a backslash is an escape before the regex sees it. LogScale passes unknown "
        "escapes on as far as is known, but does not promise to, and `\\n`, `\\t`, `\\\\` and "
        '`\\"` mean something else. Double every backslash of a regex in a string.',
        source="LogScale: regex(); strings",
        find=_single_backslashes,
    ),
    Check(
        code="regex-loose-dot",
        level=Level.HINT,
        about="A dot takes any character, so the regex of a file or host name takes more names than "
        "the one it spells. A backslash before it makes it a dot.",
        source="LogScale: regular expression syntax",
        find=_loose_dots,
    ),
)
