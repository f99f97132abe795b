"""Strings and regexes: the lexemes that mean the same in a filter and in an expression.

Each is read by one compiled pattern, so its length costs one step of the parser. Where one never
ends, the text behind it is read on as if the author had forgotten the closing character on that
line, and from then on no other one may run over lines: no text is scanned twice for it.
"""

from __future__ import annotations

import re

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.nodes import Quoted, Regex
from orchestrator.cql.parser.characters import (
    FLAGS,
    REGEX_BODY,
    REGEX_FLAGS,
    REGEX_OVER_LINES,
    STRING,
    STRING_ON_LINE,
    TRIPLE_QUOTED,
    WORD,
    quote,
)
from orchestrator.cql.parser.scanner import Scanner
from orchestrator.cql.span import Span

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
_OPEN_CLASS = re.compile(r"(?:[^\\\[]|\\.)*+\[(?:[^\\\]]|\\.)*+\Z")
_ESCAPED_OR_SLASH = re.compile(r"\\.|/")


class LiteralScanner(Scanner):
    """Reads strings and regexes."""

    _strings_end_with_line = False
    _regexes_end_with_line = False

    def quoted(self) -> Quoted:
        """Read a `"string"` from its opening quote."""
        text, start = self.text, self.pos
        if text.startswith('"""', start) and (tripled := self._triple_quoted()) is not None:
            return tripled
        match = (STRING_ON_LINE if self._strings_end_with_line else STRING).match(text, start)
        if match is None:
            return self._unterminated_string(start)
        self.pos = match.end()
        raw = match.group()
        self.steps_read += len(raw)
        if "\n" in raw:
            self.report(
                "multi-line-string",
                "This string spans lines, which the grammar guide does not allow.",
                Span(start, self.pos),
                help="Write `\\n` for the line break, or check for a missing quote.",
                level=Level.HINT,
            )
        value = raw[1:-1]
        if "\\" in value:
            value = _ESCAPE.sub(_unescaped, value)
        return Quoted(span=Span(start, self.pos), value=value, raw=raw)

    def _triple_quoted(self) -> Quoted | None:
        """Read another language's long string as what it means there; None if it is none."""
        start = self.pos
        close = TRIPLE_QUOTED.match(self.text, start)
        if close is None:
            return None
        self.pos = close.end()
        self.steps_read += self.pos - start
        value = close.group(1)
        span = Span(start, self.pos)
        self.report(
            "triple-quotes",
            'CQL has no `"""`: this reads as an empty string that touches another one.',
            span,
            help='Quote once; inside, write a backslash before `"` and `\\`.',
            fix=Fix(span=span, text=quote(value), label="quote once"),
        )
        return Quoted(span=span, value=value, raw=quote(value))

    def _unterminated_string(self, start: int) -> Quoted:
        line_end = self.text.find("\n", start)
        self.steps_read += 1 if self._strings_end_with_line else len(self.text) - start
        end = line_end if line_end >= 0 else len(self.text)
        self._strings_end_with_line = True
        escaped = self.text.rfind('\\"', start, end) >= 0
        self.report(
            "unterminated-string",
            "This string is never closed.",
            Span(start, end),
            help='Close it with `"`: `\\"` is a quote inside it, and a backslash is written `\\\\`.'
            if escaped
            else 'Close it with `"`; a quote inside is written `\\"`.',
        )
        self.pos = end
        value = self.text[start + 1 : end]
        return Quoted(span=Span(start, end), value=value, raw=quote(value))

    def single_quoted(self) -> Quoted:
        """Read `'text'`, say that it is no string, and go on as if it were one."""
        start = self.pos
        line_end = self.text.find("\n", start)
        limit = line_end if line_end >= 0 else len(self.text)
        close = self.text.find("'", start + 1, limit)
        self.pos = close + 1 if close >= 0 else limit
        value = self.text[start + 1 : close if close >= 0 else limit]
        span = Span(start, self.pos)
        self.report(
            "single-quotes",
            "CQL has no single-quoted strings.",
            span,
            help=f"Write {quote(value)}.",
            fix=Fix(span=span, text=quote(value), label="use double quotes"),
        )
        return Quoted(span=span, value=value, raw=quote(value))

    def regex(self) -> Regex:
        """Read a `/regex/flags` literal from its opening slash.

        A slash inside a character class does not close it: published packages rely on that.
        """
        text, start = self.text, self.pos
        match = REGEX_BODY.match(text, start + 1)
        place = start + 1 if match is None else match.end()
        self.steps_read += place - start
        if not text.startswith("/", place):
            return self._unterminated_regex(start)
        loose = _last_loose_slash(text[start + 1 : place])
        if loose >= 0:
            self.report(
                "unescaped-slash",
                "A slash inside a character class is better escaped.",
                Span(start + 1 + loose, start + 2 + loose),
                help="Write `\\/`.",
                level=Level.HINT,
                fix=Fix(
                    span=Span(start + 1 + loose, start + 2 + loose),
                    text="\\/",
                    label="escape the slash",
                ),
            )
        return self._regex_flags(start, place)

    def _unterminated_regex(self, start: int) -> Regex:
        text = self.text
        lines = None if self._regexes_end_with_line else REGEX_OVER_LINES.match(text, start)
        if lines is not None and lines.group(1).rstrip()[-1:] not in ("=", "!", "(", ","):
            self.pos = lines.end()
            self.steps_read += self.pos - start
            self.report(
                "regex-spans-lines",
                "A regex stands on one line; this one is broken over several.",
                Span(start, self.pos),
                help="Join its lines; blanks in it are part of what is searched for.",
            )
            flags = text[lines.end(1) + 1 : self.pos]
            return Regex(span=Span(start, self.pos), body=lines.group(1), flags=flags)
        # What closes none of the regexes before cannot close a later one either.
        self._regexes_end_with_line = True
        line_end = text.find("\n", start)
        self.pos = len(text) if line_end < 0 else line_end
        body = text[start + 1 : self.pos]
        self.steps_read += len(body)
        in_class = " A `[` in it is still open." if _OPEN_CLASS.search(body) else ""
        self.report(
            "unterminated-regex",
            "This regex is not closed on its line.",
            Span(start, self.pos),
            help=f"Close it with `/`; a slash inside is written `\\/`.{in_class}",
        )
        return Regex(span=Span(start, self.pos), body=body, flags="")

    def _regex_flags(self, start: int, slash: int) -> Regex:
        text = self.text
        match = FLAGS.match(text, slash + 1)
        self.pos = slash + 1 if match is None else match.end()
        flags = text[slash + 1 : self.pos]
        unknown = next((index for index, flag in enumerate(flags) if flag not in REGEX_FLAGS), None)
        path = WORD.match(text, slash + 1)
        if path is not None and self._is_path(path.end(), len(flags), known=unknown is None):
            self._path(start, path.end())
        elif unknown is not None:
            place = slash + 1 + unknown
            self.report(
                "unknown-regex-flag",
                f"`{flags[unknown]}` is not a regex flag; there are i, m, d, g and F.",
                Span(place, place + 1),
                help="Dot matches newline is `d`." if flags[unknown] == "s" else "",
            )
        return Regex(span=Span(start, self.pos), body=text[start + 1 : slash], flags=flags)

    def _is_path(self, end: int, length: int, *, known: bool) -> bool:
        """Say whether the word behind a closing slash, up to `end`, continues a path."""
        if end > self.pos:
            return not self.text.startswith(("//", "/*"), self.pos)
        return not known and length > 3

    def _path(self, start: int, end: int) -> None:
        """Report a path such as `/usr/bin/x`, and move over it."""
        shown, span = quote(self.text[start:end]), Span(start, end)
        self.pos = end
        self.report(
            "path-as-regex",
            "A `/` here starts a regex, which the next `/` closes; this is a path.",
            span,
            help=f"Write {shown}.",
            fix=Fix(span=span, text=shown, label="quote the path"),
        )


def _unescaped(match: re.Match[str]) -> str:
    # An escape that the grammar does not name keeps its backslash: strings feed regexes, and
    # published queries write "\S+" for it.
    return _ESCAPES.get(match.group(1), match.group())


def _last_loose_slash(body: str) -> int:
    """Return the place of the last slash without a backslash, -1 if there is none."""
    places = [match.start() for match in _ESCAPED_OR_SLASH.finditer(body) if match.group() == "/"]
    return places[-1] if places else -1
