"""Filters side by side, and the words of other languages among them.

`x contains "a"` is three terms to LogScale and one mistake to people; whoever tells one of the
terms asks here whether the mistake is told already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cql.nodes import (
    And,
    Comparison,
    FieldOperator,
    Filter,
    FreeText,
    Node,
    Not,
    Or,
    Pipeline,
    Word,
)

FOREIGN = {
    "where": "Delete it: every step is a filter already, such as `field = value`.",
    "search": "Delete it: every step is a filter already.",
    "by": "Grouping is `groupBy([field], function=…)`.",
    "limit": "Write `head(10)`, or the `limit=` of the function before.",
    "fields": "Write `select([a, b])`.",
    "dedup": "Write `groupBy([field], function=[])`.",
    "project": "Write `select([a, b])`.",
    "extend": "Write `field := expression`.",
    "summarize": "Write `groupBy([field], function=count())`.",
    "contains": "Write `field = *text*`.",
    "has": "Write `field = *text*`.",
    "startswith": "Write `field = text*`.",
    "endswith": "Write `field = *text`.",
    "like~": "Write `wildcard(field=field, pattern=…, ignoreCase=true)`.",
    "regex~": "Write `field = /…/i`.",
    "matches": "Write `field = /regex/`.",
    "equals": "Write `field = value`.",
    "between": "Write `field >= 1 field <= 2`.",
    "is": "Write `field != *` for absent, `field = *` for present.",
    "null": "Write `field != *` for absent, `field = *` for present.",
    "asc": "Write `sort(field, order=asc)`.",
    "desc": "Write `sort(field, order=desc)`.",
    "distinct": "Write `count(field, distinct=true)`.",
    "from": "The repository is chosen outside the query; a tag filter is `#repo = name`.",
    "as": "Write `function(…, as=name)`, or `name := function(…)`.",
    "order": "Write `sort(field)`.",
    "having": "Write a filter as the step after the aggregate.",
    "when": "A clause is `condition | field := value`, without `when`.",
    "then": "A clause is `condition | field := value`, with a pipe.",
    "else": "The default clause is `*`.",
}
MODIFIERS = {
    "contains": "*{}*", "contains_cs": "*{}*", "has": "*{}*", "has_cs": "*{}*",
    "startswith": "{}*", "startswith_cs": "{}*", "hasprefix": "{}*", "hasprefix_cs": "{}*",
    "endswith": "*{}", "endswith_cs": "*{}", "hassuffix": "*{}", "hassuffix_cs": "*{}",
}  # fmt: skip
"""Operators of other languages between a field and a text, and the pattern that they are."""
INTRODUCTIONS = frozenset(
    ("where", "search", "limit", "fields", "dedup", "project", "extend", "summarize", "order")
)
"""Words that begin a step in other languages."""


def phrases(nodes: Sequence[Node]) -> tuple[tuple[Filter, ...], ...]:
    """Return the operands of each `and`, and each other filter that is a step or an operand."""
    found: list[tuple[Filter, ...]] = []
    for node in nodes:
        match node:
            case And():
                found.append(node.operands)
            case Pipeline():
                found.extend((step,) for step in node.steps if isinstance(step, _TERMS))
            case Or():
                found.extend((term,) for term in node.operands if isinstance(term, _TERMS))
            case Not(operand=FreeText() | Comparison() as term):
                found.append((term,))
    return tuple(found)


_TERMS = (FreeText, Comparison, FieldOperator)


def foreign_places(phrase: Sequence[Filter]) -> Iterator[int]:
    """Yield where a mistake begins: the first of each run of foreign words of the phrase.

    None in a search for a sentence of a log line, where they are what they seem.
    """
    if is_prose(phrase):
        return
    before = False
    for place, term in enumerate(phrase):
        word = word_of(term)
        foreign = word is not None and foreign_word(word) is not None
        foreign = foreign or (place > 0 and negated_word(term) is not None)
        # A single `has` is a word like any other; with a field before it, it asks.
        if word is not None and word.lower() in _ENGLISH and not _asks(phrase, place):
            foreign = False
        if foreign and not before:
            yield place
        before = foreign


def foreign_word(text: str) -> str | None:
    """Return the word of another language that `text` is, in lower case."""
    lower = text.lower()
    if lower in FOREIGN:
        return lower
    # `CommandLine|contains: text` of detection rules written in YAML.
    modifier = lower.removesuffix(":")
    return modifier if modifier in MODIFIERS else None


def negated_word(term: Node) -> str | None:
    """Return the operator of another language that `term` denies, as in `a !contains b`."""
    if isinstance(term, Not) and term.bang:
        word = word_of(term.operand) or ""
        return word.lower() if word.lower() in MODIFIERS else None
    return None


_ENGLISH = frozenset(("has",))


def _asks(phrase: Sequence[Filter], place: int) -> bool:
    """Say whether a field stands before the word, and a quoted text behind it."""
    before = word_of(phrase[place - 1]) if place else None
    behind = phrase[place + 1] if place + 1 < len(phrase) else None
    return before is not None and isinstance(behind, FreeText) and word_of(behind) is None


def word_of(term: Node) -> str | None:
    """Return the word that `term` searches for as free text, if it is one."""
    if isinstance(term, FreeText) and isinstance(term.pattern, Word):
        return term.pattern.text
    return None


def is_prose(phrase: Sequence[Filter]) -> bool:
    """Say whether the phrase is words only, as in a search for a sentence of a log line."""
    words = [(word_of(term) or "").lower() for term in phrase]
    if len(words) < 3 or "" in words or words[0] in INTRODUCTIONS:
        return False
    operator, right = words[1], words[2]
    is_asked = (operator == "is" and right == "null") or (operator == "between" and _digits(right))
    compares = operator == "equals" or operator in MODIFIERS
    return not is_asked and not (len(words) == 3 and compares)


def _digits(word: str) -> bool:
    return word.removeprefix("-").replace(".", "", 1).isdecimal()


def taken_by_words(found: Sequence[tuple[Filter, ...]]) -> frozenset[int]:
    """Return the ids of the terms of every phrase that holds a foreign word."""
    return frozenset(
        id(term)
        for phrase in found
        if next(foreign_places(phrase), None) is not None
        for term in phrase
    )
