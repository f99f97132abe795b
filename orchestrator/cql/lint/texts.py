"""Checks of texts that have a form of their own: patterns of times, networks, lists in one text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_network

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.calls import bound, calls, elements, literal
from orchestrator.cql.nodes import Quoted
from orchestrator.cql.parser.characters import quote

# formatTime() writes with the signs of strftime, parseTimestamp() reads with Java's letters.
_SIGNS = {
    "yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "SSS": "%L",
}  # fmt: skip
_LETTERS = {sign: letters for letters, sign in _SIGNS.items()} | {
    "%F": "yyyy-MM-dd",
    "%T": "HH:mm:ss",
    "%R": "HH:mm",
    "%z": "Z",
    "%Z": "zzz",
    "%e": "d",
    "%b": "MMM",
}
_JAVA = re.compile("|".join(sorted(_SIGNS, key=len, reverse=True)))
_STRFTIME = re.compile("%[A-Za-z]")
_NETWORK_LIKE = re.compile(r"[0-9A-Fa-f.:/*, -]+")
_STARRED = re.compile(r"((?:\d{1,3}\.){1,3})(?:\*\.?)+")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_PART = re.compile(r"[\w.*@:\\-]+")


def _time_patterns(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        if function.name not in ("formatTime", "parseTimestamp"):
            continue
        for parameter, value in bound(call, function):
            if parameter.name != "format" or not isinstance(value, Quoted):
                continue
            writes = function.name == "formatTime"
            meant = _as_signs(value.value) if writes else _as_letters(value.value)
            if meant is None:
                continue
            yield Found(
                message=f"{function.name}() "
                f"{'writes with signs such as `%Y`' if writes else 'reads with letters: `yyyy`'}; "
                "this is a pattern of the other kind.",
                span=value.span,
                help=f"Write `{quote(meant)}`.",
                fix=Fix(span=value.span, text=quote(meant), label="write its pattern"),
            )


def _as_signs(text: str) -> str | None:
    """Return a pattern in Java's letters as one of signs; None if it is not one."""
    if "%" in text or len(_JAVA.findall(text)) < 2:
        return None
    return _JAVA.sub(lambda match: _SIGNS[match.group()], text).replace("'", "")


def _as_letters(text: str) -> str | None:
    """Return a pattern of signs as one in Java's letters; None if it is not one."""
    if not _STRFTIME.search(text):
        return None
    # A letter that stands for itself is quoted in Java's patterns.
    literal_letters = re.sub(r"(?<!%)\b([T])|(?<=[a-z])(T)(?=%)", r"'\1\2'", text)
    return _STRFTIME.sub(lambda match: _LETTERS.get(match.group(), match.group()), literal_letters)


def _subnets(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        if function.name != "cidr":
            continue
        for parameter, value in bound(call, function):
            for item in elements(value) if parameter.name == "subnet" else ():
                text = literal(item)
                # A placeholder of a template, or a name, is not ours to judge.
                if text is None or _NETWORK_LIKE.fullmatch(text) is None or _is_network(text):
                    continue
                yield Found(
                    message=f"`{text}` is not a network.",
                    span=item.span,
                    help=_subnet_help(text),
                )


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _subnet_help(text: str) -> str:
    starred = _STARRED.fullmatch(text)
    if starred is not None:
        octets = starred.group(1).removesuffix(".").split(".")
        net = ".".join([*octets, "0", "0", "0"][:4])
        return f'A pattern is none; write `"{net}/{8 * len(octets)}"`.'
    if "," in text:
        parts = ", ".join(quote(part.strip()) for part in text.split(",")[:3])
        return f"Several networks stand in an array: `subnet=[{parts}]`."
    return (
        "Write an address and the length of its prefix, from 0 to 32 (IPv6: to 128), such as "
        '`"10.0.0.0/8"`.'
    )


def _lists_in_text(context: Context) -> Iterator[Found]:
    for call, function in calls(context):
        if function.name != "in":
            continue
        for parameter, value in bound(call, function):
            if parameter.name != "values" or not isinstance(value, Quoted):
                continue
            parts = [part.strip() for part in value.value.split(",")]
            if len(parts) < 2 or _THOUSANDS.fullmatch(value.value):
                continue
            if any(_PART.fullmatch(part) is None for part in parts):
                continue
            array = f"[{', '.join(map(quote, parts))}]"
            yield Found(
                message="This is one value with commas in it, not a list.",
                span=value.span,
                help=f"Write `{array}`." if len(array) <= 100 else "Write an array.",
                fix=Fix(span=value.span, text=array, label="write an array"),
            )


CHECKS = (
    Check(
        code="time-pattern",
        level=Level.WARNING,
        about="formatTime() writes times with the signs of strftime, `%Y-%m-%d`; parseTimestamp() "
        "reads them with Java's letters, `yyyy-MM-dd`. Given the other kind, formatTime() prints "
        "the letters as they stand, and parseTimestamp() finds no time.",
        source="LogScale: formatTime(), parseTimestamp()",
        find=_time_patterns,
    ),
    Check(
        code="subnet",
        level=Level.ERROR,
        about="cidr() takes networks as an address and the length of its prefix, `10.0.0.0/8`. "
        "A prefix is at most 32 bits long (128 for IPv6), and a pattern such as `10.*` is no "
        "network.",
        source="LogScale: cidr()",
        find=_subnets,
    ),
    Check(
        code="list-in-text",
        level=Level.WARNING,
        about="The values of in() stand in an array. A text with commas in it is one value, which "
        "hardly any field holds.",
        source="LogScale: in()",
        find=_lists_in_text,
    ),
)
