"""What one function of LogScale is: its kind, its parameters, what it writes.

Shapes only; the table itself is read in this package's `__init__`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_PAGES = "https://library.humio.com/data-analysis/functions-{}.html"


class FunctionKind(StrEnum):
    """What a function does to the events, which says where it may stand."""

    FILTER = "filter"
    """Keeps or drops each event; may be negated and joined."""
    TRANSFORM = "transform"
    """Adds, changes or removes fields."""
    AGGREGATE = "aggregate"
    """Turns many events into rows; only the fields it produces exist afterwards."""
    SEQUENCE = "sequence"
    """Like an aggregate, over rows that are in order already."""
    SOURCE = "source"
    """Produces events; stands first."""
    JOIN = "join"
    """Reads a second time: joins, tables and settings of the search."""


class ParameterType(StrEnum):
    """What a parameter takes; `about` says it for people."""

    ARRAY = "array"
    BOOLEAN = "boolean"
    CONDITION = "condition"
    DURATION = "duration"
    EXPRESSION = "expression"
    EXPRESSION_LIST = "expression-list"
    FIELD = "field"
    FIELD_LIST = "field-list"
    FILE = "file"
    FILE_LIST = "file-list"
    FUNCTION = "function"
    FUNCTION_LIST = "function-list"
    INTEGER = "integer"
    KEYWORD = "keyword"
    KEYWORD_LIST = "keyword-list"
    LIMIT = "limit"
    NAME = "name"
    NAME_LIST = "name-list"
    NUMBER = "number"
    NUMBER_LIST = "number-list"
    PAIR_LIST = "pair-list"
    PATTERN = "pattern"
    PATTERN_LIST = "pattern-list"
    QUERY = "query"
    QUERY_LIST = "query-list"
    REGEX = "regex"
    SPAN = "span"
    STRING = "string"
    STRING_LIST = "string-list"
    TIME = "time"
    TIMEZONE = "timezone"

    @property
    def is_list(self) -> bool:
        """Say whether it takes an array; a single value may stand without brackets."""
        return self.value.endswith("-list")

    @property
    def about(self) -> str:
        """Return what such a value is, in a sentence."""
        return _ABOUT[self.value.removesuffix("-list")]


_ABOUT = {
    "array": 'The name of a whole array, with its brackets and in quotes: `"a[]"`.',
    "boolean": "`true` or `false`.",
    "condition": "A filter in braces, or an expression that is true or false.",
    "duration": "A length of time such as `15m`: a whole number and one unit.",
    "expression": "Anything with a value; a bare word is a field there, quotes make a text.",
    "field": "The name of a field that exists, with or without quotes; no expression.",
    "file": "The name of a lookup file, or of a table that defineTable() made.",
    "function": "An aggregate, or a pipeline in braces that ends in one.",
    "integer": "A whole number.",
    "keyword": "One of the words that are listed.",
    "limit": "A whole number, or `max`.",
    "name": "The name of a field that the call makes.",
    "number": "A number.",
    "pair": "An array of two, such as `[old, new]`.",
    "pattern": "A text in which `*` stands for any text.",
    "query": "A pipeline in braces.",
    "regex": "A regex as a quoted text, never between slashes.",
    "span": "A length of time such as `1h`, or `auto`.",
    "string": "A text.",
    "time": "A point in time: `7d` ago, `now`, epoch milliseconds or ISO 8601.",
    "timezone": "A name such as Europe/Berlin, an offset such as +02:00, or `Z`.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionParameter:
    """One parameter of a function."""

    name: str
    type: ParameterType
    about: str = ""
    """What it is for; empty where its name and type say so."""
    unnamed: bool = False
    """May be given without its name."""
    required: bool = False
    default: str | None = None
    """As it would be written; in parentheses where it is described instead: `(field)`."""
    allowed: tuple[str, ...] = ()
    """The only values it takes; empty if open."""
    minimum: int | None = None
    """The least number it takes."""
    maximum: int | None = None
    """The greatest number it takes, on every server."""
    usual_maximum: int | None = None
    """The greatest number a server takes unless its settings say otherwise."""
    deprecated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function of LogScale."""

    name: str
    """In its canonical spelling."""
    kind: FunctionKind
    about: str
    """What it does, in a sentence or two."""
    topic: str
    """What it deals with, such as `text`: the name of the data file that it stands in."""
    parameters: tuple[FunctionParameter, ...] = ()
    outputs: tuple[str, ...] = ()
    """The fields it writes. `{p}` is the value of parameter p: a field name, the outputs of a
    function, the groups of a regex. Empty if none, or if only the data say which.
    """
    is_value: bool = False
    """Gives one value, so it may stand inside an expression."""
    is_open: bool = False
    """Takes arguments of any name (eval, correlate)."""
    aliases: tuple[str, ...] = ()
    """Older names that still work."""
    since: str | None = None
    """The first release that has it, where known."""
    deprecated: str | None = None
    """What to use instead, if it will go."""

    @property
    def unnamed(self) -> str | None:
        """Return the name of the parameter that may be given without it, if there is one."""
        return next((p.name for p in self.parameters if p.unnamed), None)

    @property
    def page(self) -> str:
        """Return the address of its page in the vendor's library."""
        return _PAGES.format(self.name.lower().replace(":", "-"))

    def parameter(self, name: str) -> FunctionParameter | None:
        """Return the parameter of this name, compared exactly."""
        return next((p for p in self.parameters if p.name == name), None)

    def signature(self) -> str:
        """Return the call in one line: `head([limit=200])`, brackets around what may be left out.

        The unnamed parameter stands first; deprecated ones are left out.
        """
        ordered = sorted(self.parameters, key=lambda p: (not p.unnamed, not p.required))
        parts = [_shown(p) for p in ordered if not p.deprecated]
        if self.is_open:
            parts.append("…")
        return f"{self.name}({', '.join(parts)})"


def _shown(parameter: FunctionParameter) -> str:
    if parameter.required:
        return parameter.name
    default = parameter.default
    if default is None or default.startswith("("):
        return f"[{parameter.name}]"
    if not default or default.isspace():
        escaped = default.replace("\n", "\\n")
        default = f'"{escaped}"'
    return f"[{parameter.name}={default}]"
