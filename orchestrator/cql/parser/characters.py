"""Which characters make a field name, a word, a number: the lexical tables of CQL.

Compiled patterns only, no state. A field name knows neither `-` nor `/`, a word (an unquoted
pattern) knows both: that difference is why the parser says which of the two it wants at each place.
Source: LogScale's syntax grammar guide, appendix C (character table).
"""

from __future__ import annotations

import re

# Letters from U+00A1 up, without the two guillemets, the not sign and the soft hyphen.
_LETTERS = "\u00a1-\u00aa\u00ae-\u00ba\u00bc-\U0010ffff"
_FIELD = rf"A-Za-z0-9_.#@%&\\^~{_LETTERS}"
_WORD = rf"{_FIELD}*+\-\u00ac"

FIELD = re.compile(rf"[{_FIELD}](?:[{_FIELD}]|\[[0-9]+\])*")
"""An unquoted field name; array indexes may stand anywhere after the first character."""

WORD = re.compile(rf"(?:[{_WORD}]|:(?!=))(?:[{_WORD}/]|:(?!=))*")
"""An unquoted pattern. `/` is text inside a word and never starts one; `:=` ends it."""

CALL_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*(?::[A-Za-z_][A-Za-z0-9_]*)?)\(")
"""A function's name with the parenthesis that touches it."""

CALL_NAME_ONLY = re.compile(r"[A-Za-z0-9_:]*")
"""The name of a call that is known to be one."""

SPACED_CALL_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*(?::[A-Za-z_][A-Za-z0-9_]*)?)[ \t\r\n\f]+\(")
"""The same with white space before the parenthesis."""

LABEL = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)[ \t\r\n\f]*:(?!=)[ \t\r\n\f]*")
"""`name:` before a labelled subquery or an attribute of correlate()."""

NUMBER = re.compile(rf"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![{_FIELD}])")
"""A number of an expression; the sign is an operator."""

SIGNED_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
"""What a whole word must be to be a number right of `<` and its kin in a filter."""

UNIT_MS: dict[str, int] = {
    unit: length
    for units, length in (
        ("millisecond milliseconds millis ms", 1),
        ("second seconds s sec secs", 1_000),
        ("minute minutes m min", 60_000),
        ("hour hours h hr hrs", 3_600_000),
        ("day days d", 86_400_000),
        ("week weeks w", 7 * 86_400_000),
        ("month months mon", 30 * 86_400_000),
        ("quarter quarters q qtr qtrs", 90 * 86_400_000),
        ("year years y yr yrs", 365 * 86_400_000),
    )
    for unit in units.split()
}
"""Length of each unit of a relative time. Source: LogScale, relative time syntax."""

DURATION = re.compile(
    rf"([0-9]+) ?({'|'.join(sorted(UNIT_MS, key=len, reverse=True))})(?![{_FIELD}(])"
)
"""A relative time in an expression, with at most one blank before its unit."""

NO_BREAK = "\u00a0"
BLANK = re.compile(r"[ \t\r\n\f\u00a0]*")
"""White space, and the non-breaking space that stands in for it in copied text."""

STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
"""A quoted string, over lines if need be."""

STRING_ON_LINE = re.compile(r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"')
"""A quoted string that ends on its line: what is read once a string of the text never ends."""

TRIPLE_QUOTED = re.compile(r'"""((?:[^"\n]|"{1,2}(?!"))*+)"""(?!")')
"""Another language's long string, on one line."""

REGEX_BODY = re.compile(
    r"[^/\\\[\n]*+(?:(?:\\[^\n]|\[(?:[^\]\\\n]|\\[^\n])*+(?:\]|(?=\n|\Z)))[^/\\\[\n]*+)*+"
)
"""A regex up to its closing slash. A slash inside a character class does not close it."""

REGEX_OVER_LINES = re.compile(
    r"/((?:[^/\\\[\"]|\\.|\[(?:[^\]\\\n]|\\.)*+\])*+)/[imdgF]*"
    r"(?=[ \t\r]*(?:\n|\||;|\)|\}|\Z))",
    re.DOTALL,
)
"""A regex that another language lets run over lines, where what follows it ends a filter."""

FLAGS = re.compile(r"[A-Za-z0-9]*")
"""What stands behind the closing slash of a regex."""

KEYWORD = re.compile(rf"(and|or|not)(?![{_WORD}/:\[])", re.IGNORECASE)
"""A logical operator as a whole word."""

OPERATOR = re.compile(r"<=>|<>|:=|=~|==|=>|!~(?=[ \t]{0,9}[/\"])|!=|<=|>=|=(?![=~>])|<|>")
"""What may follow a field name, longest first."""

PLACEHOLDER = re.compile(r"<[A-Za-z][^<>=|\n\"]{0,60}>(?![=~])")
"""What templates write where a value is to be put in: `<user name>`."""

TEMPLATE = re.compile(r"\{\{[ \t]*(\w[\w.-]*)[ \t]*\}\}|\$\{(\w[\w.-]*)\}|\$(\w+)\$(?!\w)")
"""What templates of other tools write where a value is to be put in: `{{name}}`, `${name}`."""

VERBATIM = re.compile(r'@("(?:[^"\n]|"")*+")')
"""Another language's string without escapes."""

REGEX_FLAGS = "imdgF"
"""Flags of a regex literal. Source: LogScale, regular expression flags."""


def is_field_name(text: str) -> bool:
    """Say whether `text` may stand as a field name without quotes."""
    return FIELD.fullmatch(text) is not None


def is_word(text: str) -> bool:
    """Say whether `text` may stand as a pattern without quotes."""
    return WORD.fullmatch(text) is not None and not text.endswith("//")


def quote(text: str) -> str:
    """Return `text` as a quoted string on one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "\\t") + '"'
