"""The syntax tree of a query: one frozen dataclass a construct, a span on each.

The tree keeps what the author wrote (unquoted or quoted, `and` or a blank) where it changes
meaning or printing, and nothing else: parentheses leave no node, since the printer derives them
from precedence.

A step is one of the `Step` union; a filter one of `Filter`; an expression one of `Expression`.
Match on them with `assert_never` at the end.
Source: library.humio.com, data-analysis/syntax.html, and the vendor's published queries.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.cql.span import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Something with a place in the text."""

    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment(Node):
    """A `//` or `/* */` comment; `text` includes its markers."""

    text: str


# --- leaves ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldName(Node):
    """A field on the left of an operator; `name` without quotes."""

    name: str
    quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Word(Node):
    """An unquoted word. As a pattern `*` is a wildcard; as an expression it is a field."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted(Node):
    """A quoted string, escapes resolved. As a pattern `*` is still a wildcard."""

    value: str
    raw: str
    """As written, with its quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regex(Node):
    """A regex literal; `body` as written between the slashes, escapes untouched."""

    body: str
    flags: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Node):
    """A number; `text` as written."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration(Node):
    """A relative time such as `5m`, only in expressions; `text` as written."""

    text: str
    length_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter(Node):
    """`?name` or `?{name=default}`."""

    name: str
    default: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Boolean(Node):
    """`true` or `false` as a filter."""

    value: bool


Pattern = Word | Quoted | Regex | Parameter


# --- calls and expressions ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument(Node):
    """One argument of a call; `name` is None for the unnamed one."""

    name: str | None
    name_span: Span | None
    value: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Node):
    """A function call; `name` as written (`groupby`, `array:contains`)."""

    name: str
    name_span: Span
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Array(Node):
    """`[a, b]`, its elements expressions or assignments."""

    elements: tuple[Expression | Assignment, ...]


class BinaryOperator(StrEnum):
    """Operators of expressions, by their text."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    MODULO = "%"
    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Node):
    """A binary expression, left-associative."""

    operator: BinaryOperator
    left: Expression
    right: Expression


class UnaryOperator(StrEnum):
    """Prefix operators of expressions."""

    MINUS = "-"
    NOT = "!"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary(Node):
    """A prefix expression."""

    operator: UnaryOperator
    operand: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute(Node):
    """`include: [a, b]` behind a labelled subquery of correlate()."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Subquery(Node):
    """`{ pipeline }` as an argument; labelled only inside correlate()."""

    pipeline: Pipeline
    label: str | None = None
    attributes: tuple[Attribute, ...] = ()


# --- filters --------------------------------------------------------------------------------


class ComparisonOperator(StrEnum):
    """Operators of filters, by their text."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LIKE = "like"
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    LINK = "<=>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Node):
    """`field op value`. The value is a pattern, a `Number` for `<` and its kin, a `FieldName`
    for `<=>`.
    """

    field: FieldName
    operator: ComparisonOperator
    value: Pattern | Number | FieldName


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeText(Node):
    """A pattern that stands alone: searched for in every field of the original event."""

    pattern: Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldOperator(Node):
    """`field =~ [!] call`: the call with `field=` added."""

    field: FieldName
    negated: bool
    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class And(Node):
    """Two or more operands; `explicit` marks which joints were the word `and` (len - 1)."""

    operands: tuple[Filter, ...]
    explicit: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Or(Node):
    """Two or more operands; binds tighter than `and`."""

    operands: tuple[Filter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not(Node):
    """`not x` or `!x`; `bang` for the latter."""

    operand: Filter
    bang: bool


# --- steps ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment(Node):
    """`field := expression`."""

    field: FieldName
    value: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Node):
    """`case { … ; … }`: each clause a pipeline, the first that matches wins."""

    clauses: tuple[Pipeline, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm(Node):
    """`guard => pipeline`."""

    guard: Pattern | Call | Boolean
    body: Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Node):
    """`field match { … ; … }`."""

    field: FieldName
    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsShorthand(Node):
    """`[f(), g()]` as a step: the same as `stats([f(), g()])`."""

    functions: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedArgument(Node):
    """`name="text"` or `name=?parameter` of a saved query's call."""

    name: str
    value: str | Parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedQuery(Node):
    """`$name(arg="text")`: the saved query's text in this place."""

    name: str
    arguments: tuple[SavedArgument, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad(Node):
    """What recovery skipped; a tree with one never runs. Diagnostics say what was wrong."""

    text: str


Expression = (
    Binary | Unary | Call | Array | Subquery | SavedQuery | Word | Quoted | Number | Duration
    | Parameter | Bad
)  # fmt: skip
Filter = And | Or | Not | Comparison | FreeText | FieldOperator | Call | SavedQuery | Boolean | Bad
Step = Assignment | Case | Match | StatsShorthand | Filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline(Node):
    """Steps in order; may be empty (`{}`), which passes everything."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Node):
    """A whole query: its pipeline, its comments in order of place, and its text."""

    pipeline: Pipeline
    comments: tuple[Comment, ...]
    text: str
