r"""LogScale's regex dialect, turned into the two that can run it here.

Rust's engine (inside Polars) runs what has no look-ahead, in linear time; Python's `re` runs the
rest and the row-at-a-time conditions. Classes such as `\d` are ASCII in LogScale, so they are
written out for Rust, whose own are Unicode. Numbered groups capture nothing. What LogScale does not
support is refused, as LogScale would.
Source: library.humio.com, data-analysis/syntax-regex-syntax.html, syntax-regex-unsupported.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from orchestrator.errors import CqlSemanticError

FLAGS = frozenset("imdgF")
_MEMBERS = {"d": "0-9", "w": "A-Za-z0-9_", "s": r" \t\n\r\f\x0b"}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a"}
_REFUSED_ESCAPES = frozenset("pPhHvVRXNeCGk")
_NAME = re.compile(r"\(\?P?<([^>=!][^>]*)>")
_INLINE = re.compile(r"\(\?([a-zA-Z-]+)([:)])")
_REPEAT = re.compile(r"\{(\d+)(,\d*)?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialects:
    """One regex for both engines; its groups are called `g0`, `g1`, ... in the order written."""

    rust: str
    python: str
    fields: tuple[str, ...]
    """The field that group `g<i>` fills; a name may occur twice."""
    looks_ahead: bool
    """Rust's engine cannot run it."""
    repeats: bool
    """Flag `g`: every match counts, not only the first."""

    def compiled(self) -> re.Pattern[str]:
        """Return the regex for Python, compiled once per text."""
        return _compile_python(self.python)


@lru_cache(maxsize=1024)
def translate(
    body: str, flags: str = "", *, literal: bool = False, numbered: bool = False
) -> Dialects:
    r"""Return the regex in both dialects.

    Args:
        body: The regex; between slashes as written if `literal`.
        flags: LogScale's letters: `i`, `m`, `d`, `g`, `F`.
        literal: `\/` stands for a slash.
        numbered: Groups without a name capture too; their field is empty.

    Raises:
        CqlSemanticError: A flag or construct that LogScale does not support, or a broken regex.
    """
    unknown = set(flags) - FLAGS
    if unknown:
        raise CqlSemanticError(f"unknown regex flag {min(unknown)!r}; use i, m, d, g or F")
    if literal:
        body = body.replace(r"\/", "/")
    return _Translator(body, numbered=numbered).run(flags)


_REFERENCE = re.compile(r"\\(.)|\$(?:(\d)|\{(\w[\w.]*)\}|([A-Za-z_]\w*))", re.DOTALL)


def replacement(text: str, regex: Dialects) -> str:
    """Return a replacement in the form `${g0}`, with `$$` for a dollar sign.

    `$1` is the first group in the order written, `$name` and `${name}` one by its name; a
    backslash takes the meaning from the sign behind it.

    Raises:
        CqlSemanticError: It refers to a group that the regex does not have.
    """
    pieces, at = [], 0
    for found in _REFERENCE.finditer(text):
        pieces.append(text[at : found.start()].replace("$", "$$"))
        at = found.end()
        if found[1] is not None:
            pieces.append(found[1].replace("$", "$$") if found[1] in "$\\" else found[0])
            continue
        name = found[3] or found[4]
        number = int(found[2]) - 1 if found[2] else -1
        if name is not None and name in regex.fields:
            number = regex.fields.index(name)
        if not 0 <= number < len(regex.fields):
            raise CqlSemanticError(f"the regex has no group {found[0]}")
        pieces.append(f"${{g{number}}}")
    pieces.append(text[at:].replace("$", "$$"))
    return "".join(pieces)


@lru_cache(maxsize=1024)
def _compile_python(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


class _Translator:
    """One pass over a regex, writing both dialects side by side."""

    def __init__(self, body: str, *, numbered: bool) -> None:
        self._body, self._at, self._numbered = body, 0, numbered
        self._rust: list[str] = []
        self._python: list[str] = []
        self._fields: list[str] = []
        self._looks_ahead = False

    def run(self, flags: str) -> Dialects:
        inline = "".join(sorted({"i": "i", "m": "m", "d": "s"}.get(f, "") for f in flags))
        multiline = "m" in flags
        while self._at < len(self._body):
            self._piece(multiline=multiline)
        prefix = f"(?{inline})" if inline else ""
        rust, python = prefix + "".join(self._rust), prefix + "".join(self._python)
        try:
            _compile_python(python)
        except (re.error, RecursionError, OverflowError) as exc:
            raise CqlSemanticError(f"the regex /{self._body}/ is broken: {exc}") from exc
        return Dialects(
            rust=rust,
            python=python,
            fields=tuple(self._fields),
            looks_ahead=self._looks_ahead,
            repeats="g" in flags,
        )

    def _put(self, rust: str, python: str | None = None) -> None:
        self._rust.append(rust)
        self._python.append(rust if python is None else python)

    def _piece(self, *, multiline: bool) -> None:
        char = self._body[self._at]
        if char == "\\":
            self._escape()
        elif char == "[":
            self._char_class()
        elif char == "(":
            self._group()
        elif char == "$" and not multiline:
            self._at += 1
            # Python's `$` also matches before a last newline; the end of the text is meant.
            self._put("$", r"\Z")
        elif char in "*+?}" and self._body[self._at + 1 : self._at + 2] == "+":
            raise CqlSemanticError("LogScale's regexes have no possessive quantifiers")
        elif char == "{" and _REPEAT.match(self._body, self._at) is None:
            self._at += 1
            self._put(r"\{")
        elif char == "{":
            found = _REPEAT.match(self._body, self._at)
            text = found[0] if found else ""
            self._at += len(text)
            if self._body[self._at : self._at + 1] == "+":
                raise CqlSemanticError("LogScale's regexes have no possessive quantifiers")
            self._put(text)
        else:
            self._at += 1
            self._put(char)

    def _group(self) -> None:
        rest = self._body[self._at :]
        named, inline = _NAME.match(rest), _INLINE.match(rest)
        if named:
            self._at += len(named[0])
            self._put(f"(?P<g{len(self._fields)}>")
            self._fields.append(named[1])
        elif rest.startswith(("(?=", "(?!")):
            self._at += 3
            self._looks_ahead = True
            self._put(rest[:3])
        elif rest.startswith(("(?<=", "(?<!", "(?>")):
            raise CqlSemanticError("LogScale's regexes have no look-behind and no atomic groups")
        elif inline:
            self._at += len(inline[0])
            letters = inline[1].replace("d", "s").replace("F", "")
            self._put(f"(?{letters}{inline[2]}" if letters else f"(?{inline[2]}")
        elif rest.startswith("(?:"):
            self._at += 3
            self._put("(?:")
        elif rest.startswith("(?"):
            raise CqlSemanticError(f"LogScale's regexes have no {rest[:3]!r} group")
        elif self._numbered:
            self._at += 1
            self._put(f"(?P<g{len(self._fields)}>")
            self._fields.append("")
        else:
            self._at += 1
            self._put("(?:")

    def _escape(self) -> None:
        char = self._body[self._at + 1 : self._at + 2]
        if char == "Q":
            end = self._body.find(r"\E", self._at)
            end = len(self._body) if end < 0 else end
            self._put_literal(self._body[self._at + 2 : end])
            self._at = end + 2
            return
        self._at += 2
        if char in _MEMBERS:
            self._put(f"[{_MEMBERS[char]}]")
        elif char.lower() in _MEMBERS:
            self._put(f"[^{_MEMBERS[char.lower()]}]")
        elif char == "b":
            self._put(r"(?-u:\b)", r"\b")
        elif char == "B":
            self._put(r"\B")
        elif char in ("A", "z", "Z"):
            anchor = {"A": r"\A", "z": r"\z", "Z": r"\n?\z"}[char]
            self._put(anchor, anchor.replace("z", "Z"))
        else:
            self._put_literal(self._escaped(char))

    def _escaped(self, char: str) -> str:
        """Return the character that an escape stands for, moving past what belongs to it."""
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char in _REFUSED_ESCAPES or char in "123456789" or char == "":
            raise CqlSemanticError(f"LogScale's regexes have no \\{char}")
        for lead, pattern, base in (
            ("x", r"[0-9A-Fa-f]{2}", 16),
            ("u", r"[0-9A-Fa-f]{4}", 16),
            ("0", r"[0-7]{1,3}", 8),
        ):
            digits = re.compile(pattern).match(self._body, self._at)
            if char == lead and digits:
                self._at += len(digits[0])
                return chr(int(digits[0], base))
        if char == "c" and self._at < len(self._body):
            self._at += 1
            return chr(ord(self._body[self._at - 1].upper()) ^ 64)
        if char in "xuc0":
            raise CqlSemanticError(f"the regex escape \\{char} needs digits")
        return char

    def _put_literal(self, text: str) -> None:
        for char in text:
            if char.isalnum() or char == "_" or ord(char) > 127:
                self._put(char)
            elif char.isprintable() and char not in "<> ":
                self._put("\\" + char)
            else:
                self._put(f"\\x{ord(char):02x}")

    def _char_class(self) -> None:
        self._at += 1
        rust, python = ["["], ["["]
        if self._body[self._at : self._at + 1] == "^":
            self._at += 1
            rust.append("^")
            python.append("^")
        first = True
        while True:
            char = self._body[self._at : self._at + 1]
            if char == "":
                raise CqlSemanticError(f"the regex /{self._body}/ has an unclosed class")
            if char == "]" and not first:
                self._at += 1
                break
            first = False
            self._class_member(char, rust, python)
        self._put("".join(rust) + "]", "".join(python) + "]")

    def _class_member(self, char: str, rust: list[str], python: list[str]) -> None:
        self._at += 1
        if char == "[":
            if self._body[self._at : self._at + 1] == ":":
                raise CqlSemanticError("LogScale's regexes have no [:name:] classes")
            literal = "["
        elif char == "\\":
            letter = self._body[self._at : self._at + 1]
            self._at += 1
            if letter in _MEMBERS:
                rust.append(_MEMBERS[letter])
                python.append(_MEMBERS[letter])
                return
            if letter.lower() in _MEMBERS and letter:
                rust.append(f"[^{_MEMBERS[letter.lower()]}]")
                python.append("\\" + letter)
                return
            literal = self._escaped(letter) if letter != "b" else "\b"
        elif char == "-":
            # A dash is a range only between two plain characters; where it is, it is the author's.
            rust.append(self._dash())
            python.append(self._dash())
            return
        else:
            literal = char
        text = literal if literal.isalnum() or ord(literal) > 127 else f"\\x{ord(literal):02x}"
        rust.append(text)
        python.append(text)

    def _dash(self) -> str:
        before = self._body[self._at - 2 : self._at - 1]
        shorthand = self._body[self._at - 3 : self._at - 1]
        after = self._body[self._at : self._at + 1]
        follows = self._body[self._at : self._at + 2]
        is_range = (
            before not in ("[", "^", "")
            and after not in ("]", "")
            and not (shorthand[:1] == "\\" and shorthand[1:] in "dwsDWS")
            and not (follows[:1] == "\\" and follows[1:] in "dwsDWS")
        )
        return "-" if is_range else r"\-"
