"""What the thing under the pointer is, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.cql.catalogue import Function, FunctionParameter, find
from orchestrator.cql.fields import group_names
from orchestrator.cql.parser import parse
from orchestrator.cql.schema import event, known_fields
from orchestrator.cql.span import Span
from orchestrator.lsp.cursor import FIELD_TYPES, cursor_at
from orchestrator.lsp.lexemes import Kind, Lexeme, lex
from orchestrator.lsp.made import makers
from orchestrator.lsp.saved import SavedText

FLAGS = {
    "i": "case does not matter",
    "m": "`^` and `$` match at the ends of lines too",
    "d": "`.` matches a line break too",
    "g": "one event for each match",
    "F": "the newer regex engine",
}
"""What each flag of a regex means. Source: LogScale, regular expression flags."""
_SIGNS = frozenset({Kind.OPEN, Kind.CLOSE, Kind.SEPARATOR, Kind.OPERATOR})
_SHOWN_LINES = 30
"""Most lines of a saved query that are shown; the rest is a jump away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hover:
    """What to show, and what it is about."""

    span: Span
    markdown: str


def hover(text: str, offset: int, *, saved: Callable[[str], SavedText | None]) -> Hover | None:
    """Return what is known of the thing at `offset`; None if nothing is.

    Args:
        text: The whole document.
        offset: The pointer's place in it.
        saved: Called with the name of a saved query for its text.
    """
    lexeme = lexeme_at(text, offset)
    if lexeme is None:
        return None
    markdown = _markdown(text, lexeme, saved)
    return Hover(span=lexeme.span, markdown=markdown) if markdown else None


def lexeme_at(text: str, offset: int) -> Lexeme | None:
    """Return the lexeme at `offset`; where two touch, the one that is a name."""
    touching = [x for x in lex(text).lexemes if x.span.start <= offset <= x.span.end]
    telling = [x for x in touching if x.kind not in _SIGNS]
    return telling[-1] if telling else None


def about_function(function: Function) -> str:
    """Return a function's card: signature, what it does, its parameters, its page."""
    lines = [f"```cql\n{function.signature()}\n```", f"*{function.kind.value}*. {function.about}"]
    if function.deprecated:
        lines.append(f"**Deprecated.** {function.deprecated}")
    shown = [f"- {about_parameter(p)}" for p in function.parameters if not p.deprecated]
    if shown:
        lines.append("\n".join(shown))
    lines.append(f"[{function.name}() in LogScale's library]({function.page})")
    return "\n\n".join(lines)


def about_parameter(parameter: FunctionParameter) -> str:
    """Return a parameter's line: its name, what it takes, what it is for."""
    facts = [parameter.type.value]
    if parameter.unnamed:
        facts.append("may stand without its name")
    if parameter.required:
        facts.append("required")
    elif parameter.default is not None:
        facts.append(f"default {_code(parameter.default)}")
    if parameter.allowed:
        facts.append("one of " + ", ".join(_code(value) for value in parameter.allowed))
    about = f": {parameter.about}" if parameter.about else ""
    return f"`{parameter.name}` ({'; '.join(facts)}){about}"


def _markdown(text: str, lexeme: Lexeme, saved: Callable[[str], SavedText | None]) -> str:
    match lexeme.kind:
        case Kind.CALL:
            function = find(lexeme.text)
            return about_function(function) if function is not None else ""
        case Kind.ARGUMENT:
            return _argument(text, lexeme)
        case Kind.REGEX:
            return _regex(lexeme.text)
        case Kind.SAVED:
            found = saved(lexeme.text[1:].strip('"'))
            return _saved(found) if found is not None else ""
        case Kind.FIELD:
            return _field(text, lexeme.text)
        case Kind.TEXT | Kind.STRING:
            return _value(text, lexeme)
        case _:
            return ""


def _argument(text: str, lexeme: Lexeme) -> str:
    function = cursor_at(text, lexeme.span.start).function
    parameter = function.parameter(lexeme.text) if function is not None else None
    if function is None or parameter is None:
        return ""
    return f"{about_parameter(parameter)}\n\n[{function.name}()]({function.page})"


def _value(text: str, lexeme: Lexeme) -> str:
    """Return what is known of a text: an event's name, or a field's where one is meant."""
    plain = lexeme.text.strip('"')
    found = event(plain)
    if found is not None:
        platforms = f" of {', '.join(found.platforms)}" if found.platforms else ""
        return f"**{found.name}** (event{platforms})\n\n{found.about}"
    parameter = cursor_at(text, lexeme.span.start).parameter
    if parameter is not None and lexeme.kind is Kind.STRING:
        return _field(text, plain) if parameter.type in FIELD_TYPES else ""
    return _field(text, plain) if lexeme.kind is Kind.TEXT else ""


def _field(text: str, name: str) -> str:
    lines: list[str] = []
    known = known_fields().get(name)
    if known is not None:
        unit = f", {known.unit}" if known.unit is not None else ""
        lines.append(f"**{name}** ({'tag' if known.tag else 'field'}{unit})\n\n{known.about}")
    query = parse(text).query
    made = [node for made_name, node in makers(query) if made_name == name]
    if made:
        first = text[made[0].span.start : made[0].span.end]
        lines.append(f"Made by this query:\n\n{_fenced(first)}")
    return "\n\n".join(lines)


def _regex(text: str) -> str:
    body, _, flags = text.rpartition("/")
    told = [f"`{flag}`: {FLAGS.get(flag, 'not a flag')}" for flag in flags]
    groups = sorted(group_names(body))
    lines = ["**Regex**, found anywhere in the value unless `^` and `$` say otherwise."]
    lines.append("Flags: " + ("; ".join(told) if told else "none, so that case matters") + ".")
    if groups:
        lines.append("Makes " + ", ".join(f"`{name}`" for name in groups) + ".")
    return "\n\n".join(lines)


def _saved(found: SavedText) -> str:
    return f"Saved query `{found.name}`, {found.path.name}\n\n{_fenced(found.text)}"


def _fenced(text: str) -> str:
    lines = text.strip().splitlines()
    shown = "\n".join(lines[:_SHOWN_LINES])
    more = "\n…" if len(lines) > _SHOWN_LINES else ""
    # A fence longer than any run of backticks in the text cannot be closed by it.
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence}cql\n{shown}{more}\n{fence}"


def _code(text: str) -> str:
    shown = text.replace("\n", "\\n")
    return f"`{shown}`" if shown.strip() else "blank"
