"""Checks of regexes that are read otherwise than meant: doubled escapes, dots that are no dots."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.fields import argument
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.regexes import REGEX_FUNCTIONS, literals, tokens
from orchestrator.cql.nodes import Quoted
from orchestrator.cql.span import Span

_EXTENSIONS = "exe|dll|ps1|bat|cmd|vbs|hta|js|jar|py|sh|json|zip|com|net|org|io"
_DOUBLED = re.compile(rf"(?<!\\)\\\\\.(?=(?:{_EXTENSIONS})\b)")
_LOOSE_DOT = re.compile(rf"[A-Za-z0-9_](\.)(?:{_EXTENSIONS})(?=$|[|)$/\\])")
_STRING_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SLASHED = re.compile(r"\"/(.+)/([imdgF]*)\"")
_TRAILING = re.compile(r"(?<!\\)(?:\\\\)*\.\*\Z")


def _needless_dots(context: Context) -> Iterator[Found]:
    for regex in literals(context):
        body = regex.body
        if "g" in regex.flags or len(body) < 3 or ("|" in body and not _is_wrapped(body)):
            continue
        # A greedy start decides what a group takes, and with g where the next match begins.
        leading = body.startswith(".*") and body[2:3] not in "?+{*" and "(?" not in body
        trailing = _TRAILING.search(body) is not None
        bare = body[2 if leading else 0 : -2 if trailing else None]
        if (leading or trailing) and bare and not bare.startswith(("*", "?", "/")):
            yield Found(
                message="A regex is searched for anywhere; `.*` at its edge costs time only.",
                span=regex.span,
                help="Leave it out.",
                fix=Fix(
                    span=regex.span, text=f"/{bare}/{regex.flags}", label="leave the edges out"
                ),
            )


def _is_wrapped(body: str) -> bool:
    """Say whether every `|` of the body stands in a group or class."""
    depth = 0
    for _, text, in_class in tokens(body):
        if in_class:
            continue
        depth += (text == "(") - (text == ")")
        if text == "|" and depth == 0:
            return False
    return True


def _doubled(context: Context) -> Iterator[Found]:
    """Find an escaped backslash and any character where a dot was meant."""
    for regex in literals(context):
        matches = list(_DOUBLED.finditer(regex.body))
        held = {start for start, _, in_class in tokens(regex.body) if in_class} if matches else ()
        for match in matches:
            if match.start() in held:
                continue
            start = regex.span.start + 1 + match.start()
            yield Found(
                message="This asks for a backslash and then any character.",
                span=Span(start, start + 3),
                help="In a regex literal one backslash makes the dot a dot: `\\.`.",
                fix=Fix(span=Span(start, start + 3), text="\\.", label="ask for a dot"),
            )


def _single_backslashes(context: Context) -> Iterator[Found]:
    for call, function in context.calls:
        if function.name not in REGEX_FUNCTIONS:
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


def _slashes(context: Context) -> Iterator[Found]:
    for call, function in context.calls:
        pattern = argument(call, "regex") if function.name in REGEX_FUNCTIONS else None
        match = _SLASHED.fullmatch(pattern.raw) if isinstance(pattern, Quoted) else None
        if match is not None and isinstance(pattern, Quoted):
            flags = f", and `flags={match.group(2)}` beside it" if match.group(2) else ""
            yield Found(
                message="The slashes are part of the regex here.",
                span=pattern.span,
                help=f'Write `"{match.group(1)}"`{flags}.',
            )


def _loose_dots(context: Context) -> Iterator[Found]:
    for regex in literals(context):
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
        code="regex-needless-dots",
        level=Level.HINT,
        about="A regex is found anywhere in the value, so a leading or trailing `.*` changes "
        "nothing and makes the engine read on. Named groups behind a leading one are another "
        "matter, and not told.",
        source="LogScale: best practices",
        find=_needless_dots,
    ),
    Check(
        code="regex-doubled-backslash",
        level=Level.WARNING,
        about="A regex between slashes has one level of escapes, one in a string has two. A "
        "pattern copied out of a string keeps its doubled backslashes, and then asks for a "
        "backslash and any character where a dot was meant.",
        source="LogScale: regex()",
        find=_doubled,
    ),
    Check(
        code="regex-single-backslash",
        level=Level.HINT,
        about="In a string a backslash is an escape before the regex sees it. LogScale passes "
        "unknown escapes on as far as is known, but does not promise to, and `\\n`, `\\t`, `\\\\` "
        'and `\\"` mean something else. Double every backslash of a regex in a string.',
        source="LogScale: regex(); strings",
        find=_single_backslashes,
    ),
    Check(
        code="regex-slashes",
        level=Level.WARNING,
        about="A regex in a string has no slashes around it and no flags behind it: they would "
        "have to stand in the value. Flags are given with `flags=`.",
        source="LogScale: regex()",
        find=_slashes,
    ),
    Check(
        code="regex-loose-dot",
        level=Level.HINT,
        about="A dot takes any character, so the regex of a file or host name takes more names "
        "than the one it spells. A backslash before it makes it a dot.",
        source="LogScale: regular expression syntax",
        find=_loose_dots,
    ),
)
