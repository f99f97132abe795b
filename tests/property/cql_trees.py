"""Strategies for syntax trees of every node kind, with contents that are easy to print wrongly.

The trees are such that a parser could have made them: what the grammar cannot say (an empty clause,
a name that reads as a keyword where it stands) is left out.
"""

from __future__ import annotations

from typing import cast

from hypothesis import strategies as st

from orchestrator.cql.nodes import (
    And,
    Argument,
    Arm,
    Array,
    Assignment,
    Attribute,
    Binary,
    BinaryOperator,
    Boolean,
    Call,
    Case,
    Comparison,
    ComparisonOperator,
    Duration,
    Expression,
    FieldName,
    FieldOperator,
    Filter,
    FreeText,
    Match,
    Not,
    Number,
    Or,
    Parameter,
    Pattern,
    Pipeline,
    Quoted,
    Regex,
    SavedArgument,
    SavedQuery,
    StatsShorthand,
    Step,
    Subquery,
    Unary,
    UnaryOperator,
    Word,
)
from orchestrator.cql.parser.characters import quote
from orchestrator.cql.span import Span

AT = Span(0, 0)
TEXTS = st.text(st.sampled_from("ab \"\\/'*|;:=(){}[],?$#~!é\u00a0\n\t// <>`-"), max_size=8)
PLAIN_NAMES = st.sampled_from(
    ["a", "b.c", "#kind", "@timestamp", "x1", "Ünïcode", "a[0].b[12]", "400", "_n", "a\\b", "m%&~^"]
)
IDENTIFIERS = st.sampled_from(["include", "A", "b_2", "_x"])
FUNCTIONS = st.sampled_from(["count", "groupby", "array:contains", "unknown1", "test", "in"])
WORDS = st.sampled_from(
    ["abc", "*", "**", "a*b", "10", "-5", "m/n", "a-b", "http://h/x", "x:y", "+1", "5m", "c:\\d",
     "a//b", "¬é", "a:", "..."]
)  # fmt: skip
REGEX_PIECES = st.sampled_from(
    ["a", " ", "\\/", "[/]", "[^\\]/\"]", "|", "(?<n>b)", "\\\\", '"', "\\/\\/", "é", ".+", "{2}"]
)  # fmt: skip

FIELD_NAMES = st.builds(FieldName, span=st.just(AT), name=PLAIN_NAMES) | st.builds(
    FieldName, span=st.just(AT), name=TEXTS, quoted=st.just(True)
)
QUOTED = TEXTS.map(lambda text: Quoted(span=AT, value=text, raw=quote(text)))
REGEXES = st.builds(
    lambda pieces, flags: Regex(span=AT, body="a" + "".join(pieces), flags=flags),
    st.lists(REGEX_PIECES, max_size=4),
    st.sampled_from(["", "i", "F", "gmd"]),
)
PARAMETERS = st.builds(
    Parameter,
    span=st.just(AT),
    name=PLAIN_NAMES | TEXTS,
    default=st.none() | TEXTS,
)
PATTERNS: st.SearchStrategy[Pattern] = (
    st.builds(Word, span=st.just(AT), text=WORDS) | QUOTED | REGEXES | PARAMETERS
)
STARS = st.sampled_from(["*", "a*", "*b", "*c*"]).map(lambda text: Word(span=AT, text=text))
SAVED = st.builds(
    SavedQuery,
    span=st.just(AT),
    name=st.sampled_from(["s", "v/p:n", "a b", 'q"']),
    arguments=st.lists(
        st.builds(SavedArgument, span=st.just(AT), name=PLAIN_NAMES, value=TEXTS | PARAMETERS),
        max_size=2,
    ).map(tuple),
)
LEAVES = st.one_of(
    st.builds(Word, span=st.just(AT), text=st.sampled_from(["a", "b.c", "#k", "max", "x[0]", "é"])),
    QUOTED,
    PARAMETERS,
    SAVED,
    st.builds(Number, span=st.just(AT), text=st.sampled_from(["0", "10", "2.5", "1e3", "1.5E-2"])),
    st.sampled_from([("5m", 300_000), ("2 hours", 7_200_000), ("10ms", 10)]).map(
        lambda pair: Duration(span=AT, text=pair[0], length_ms=pair[1])
    ),
)


def _comparison(field: FieldName, operator: ComparisonOperator, drawn: object) -> Comparison:
    return Comparison(
        span=AT, field=field, operator=operator, value=cast("Pattern | Number | FieldName", drawn)
    )


COMPARISONS = st.one_of(
    st.builds(
        _comparison,
        FIELD_NAMES,
        st.sampled_from([ComparisonOperator.EQUAL, ComparisonOperator.NOT_EQUAL]),
        PATTERNS,
    ),
    st.builds(
        _comparison,
        FIELD_NAMES,
        st.just(ComparisonOperator.LIKE),
        PATTERNS.filter(lambda pattern: not isinstance(pattern, Regex)),
    ),
    st.builds(
        _comparison,
        FIELD_NAMES,
        st.sampled_from(
            [
                ComparisonOperator.LESS,
                ComparisonOperator.LESS_OR_EQUAL,
                ComparisonOperator.GREATER,
                ComparisonOperator.GREATER_OR_EQUAL,
            ]
        ),
        PARAMETERS
        | st.sampled_from(["1", "-2.5", "1e3"]).map(lambda text: Number(span=AT, text=text)),
    ),
    st.builds(_comparison, FIELD_NAMES, st.just(ComparisonOperator.LINK), FIELD_NAMES),
)


def _arguments(values: st.SearchStrategy[Expression]) -> st.SearchStrategy[tuple[Argument, ...]]:
    named = st.builds(
        lambda name, value: Argument(span=AT, name=name, name_span=AT, value=value),
        PLAIN_NAMES | TEXTS,
        values | STARS,
    )
    unnamed = (values | STARS).map(
        lambda value: Argument(span=AT, name=None, name_span=None, value=value)
    )
    # At least one is named: `a in(b)` reads as another language's `in`.
    return st.builds(
        lambda first, others: (first, *others), named, st.lists(named | unnamed, max_size=2)
    )


def _calls(values: st.SearchStrategy[Expression]) -> st.SearchStrategy[Call]:
    return st.builds(
        lambda name, arguments: Call(span=AT, name=name, name_span=AT, arguments=arguments),
        FUNCTIONS,
        _arguments(values),
    )


def _wider(values: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    assignments = st.builds(Assignment, span=st.just(AT), field=FIELD_NAMES, value=values)
    return st.one_of(
        st.builds(
            Binary,
            span=st.just(AT),
            operator=st.sampled_from(BinaryOperator),
            left=values,
            right=values,
        ),
        st.builds(Unary, span=st.just(AT), operator=st.sampled_from(UnaryOperator), operand=values),
        _calls(values),
        st.lists(values | STARS | assignments, max_size=3).map(
            lambda items: Array(span=AT, elements=tuple(items))
        ),
    )


EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(LEAVES, _wider, max_leaves=6)
CALLS = _calls(EXPRESSIONS)
FREE_TEXTS = PATTERNS.map(lambda pattern: FreeText(span=AT, pattern=pattern))


def _joined(filters: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(filters, min_size=2, max_size=3)
    return st.one_of(
        several.map(lambda operands: Or(span=AT, operands=tuple(operands))),
        st.builds(
            lambda operands, marks: And(
                span=AT, operands=tuple(operands), explicit=tuple(marks[: len(operands) - 1])
            ),
            several,
            st.lists(st.booleans(), min_size=2, max_size=2),
        ),
        st.builds(Not, span=st.just(AT), operand=filters, bang=st.booleans()),
    )


FILTERS: st.SearchStrategy[Filter] = st.recursive(
    st.one_of(
        COMPARISONS,
        FREE_TEXTS,
        CALLS,
        SAVED,
        st.builds(
            FieldOperator,
            span=st.just(AT),
            field=FIELD_NAMES,
            negated=st.booleans(),
            call=CALLS,
        ),
        st.builds(Boolean, span=st.just(AT), value=st.booleans()),
    ),
    _joined,
    max_leaves=5,
)


def _pipelines(steps: st.SearchStrategy[Step], *, least: int = 0) -> st.SearchStrategy[Pipeline]:
    return st.lists(steps, min_size=least, max_size=3).map(
        lambda drawn: Pipeline(span=AT, steps=tuple(drawn))
    )


def _holding(steps: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    """Return steps that hold pipelines of other steps."""
    plain = _pipelines(steps)
    arms = st.builds(
        Arm,
        span=st.just(AT),
        guard=PATTERNS | CALLS | st.builds(Boolean, span=st.just(AT), value=st.booleans()),
        body=plain,
    )
    attributes = st.lists(
        st.builds(Attribute, span=st.just(AT), name=IDENTIFIERS, value=EXPRESSIONS), max_size=2
    ).map(tuple)
    subqueries = st.builds(Subquery, span=st.just(AT), pipeline=plain) | st.builds(
        Subquery, span=st.just(AT), pipeline=plain, label=IDENTIFIERS | TEXTS, attributes=attributes
    )
    return st.one_of(
        st.lists(_pipelines(steps, least=1), max_size=3).map(
            lambda clauses: Case(span=AT, clauses=tuple(clauses))
        ),
        st.builds(
            lambda field, drawn: Match(span=AT, field=field, arms=tuple(drawn)),
            FIELD_NAMES,
            st.lists(arms, max_size=3),
        ),
        _calls(subqueries),
        st.builds(Assignment, span=st.just(AT), field=FIELD_NAMES, value=subqueries),
    )


STEPS: st.SearchStrategy[Step] = st.recursive(
    st.one_of(
        FILTERS,
        st.builds(Assignment, span=st.just(AT), field=FIELD_NAMES, value=EXPRESSIONS),
        st.lists(CALLS, min_size=1, max_size=2).map(
            lambda calls: StatsShorthand(span=AT, functions=Array(span=AT, elements=tuple(calls)))
        ),
    ),
    _holding,
    max_leaves=4,
)
PIPELINES = _pipelines(STEPS)
