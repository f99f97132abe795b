"""Hostile text made safe to show: nothing hidden, nothing live, nothing too long.

Whoever controls an endpoint chooses its host names, command lines, users and files. `visible`
replaces what a reader cannot see (controls, bidi, zero width, ANSI escapes, lone surrogates),
`defang` stops addresses from becoming links, `cut` says how much it left out. Markup is each
sink's own business: escaping comes after `telemetry` or `authored`, never before.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# Printable by category, yet drawn as nothing: fillers, the blank braille cell, selectors.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x180B, 0x180E))
_MAYBE_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u2800\u3164\uffa0\ufe00-\ufe0f"
    "\U000e0100-\U000e01ef]"
)
_NEWLINE = re.compile(r"\r\n|\n")
_HTTP = re.compile(r"(?i)(h)tt(ps?)(?=:)")
# Whatever stands before it: a letter glued to a scheme must not keep it alive.
_OTHER_SCHEME = re.compile(r"(?i)(?<!hxxp)(?<!hxxps):(?=//)")
_ACTIVE = re.compile(r"(?i)\b(mailto|javascript|data|vbscript|tel):")
_IPV4 = re.compile(r"(?<![\d.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\d]|\.\d)")
_WWW = re.compile(r"(?i)\bwww\.")
_AUTHORITY = re.compile(r"(?<=://)[^/\s?#]+")


def visible(text: str) -> str:
    r"""Return `text` with every character that a reader cannot see in a visible form.

    A line break becomes `⏎`, another control or format character its `\u{…}` code, so that a
    value can fake neither a second line nor another order of letters.
    """
    text = _NEWLINE.sub(" ⏎ ", text)
    if text.isprintable() and not _MAYBE_INVISIBLE.search(text):
        return text
    return "".join(_seen(char) for char in text)


def _seen(char: str) -> str:
    if char.isprintable() and char not in _INVISIBLE:
        code = ord(char)
        if not any(code in selectors for selectors in _SELECTORS):
            return char
    return f"\\u{{{ord(char):x}}}"


def defang(text: str) -> str:
    """Return `text` with URLs and IPv4 addresses that nothing will turn into a link."""
    text = _AUTHORITY.sub(lambda match: match[0].replace(".", "[.]"), text)
    text = _HTTP.sub(r"\1xx\2", text)
    text = _OTHER_SCHEME.sub("[:]", text)
    text = _ACTIVE.sub(r"\1[:]", text)
    text = _WWW.sub("www[.]", text)
    return _IPV4.sub(r"\1[.]\2[.]\3[.]\4", text)


def cut(text: str, limit: int, *, of: int | None = None) -> str:
    """Return at most `limit` characters of `text`, with a note where some were left out.

    Args:
        text: What is shown, already safe.
        limit: Characters, note included; at least 40.
        of: Length of the whole in characters, where `text` is already a part of it.
    """
    whole = len(text) if of is None else of
    if len(text) <= limit and whole == len(text):
        return text
    note = f" … [cut: {whole:,} characters in all]"
    return text[: max(0, limit - len(note))] + note


def telemetry(text: str, limit: int) -> str:
    """Return text that an endpoint chose: visible, defanged, at most `limit` characters."""
    return _shown(text, limit, lambda part: defang(visible(part)))


def authored(text: str, limit: int) -> str:
    """Return text that a rule's author or we wrote: visible, at most `limit` characters."""
    return _shown(text, limit, visible)


def _shown(text: str, limit: int, cook: Callable[[str], str]) -> str:
    # Each character becomes at least one, so no more than these can be needed: a value of a
    # megabyte costs no more than a short one.
    part = text[: limit + 1]
    cooked = cook(part)
    if len(part) == len(text):
        return cut(cooked, limit)
    return cut(cooked, limit, of=len(text))
