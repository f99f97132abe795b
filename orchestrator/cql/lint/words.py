"""Checks of free text: words and signs that people mean as operators, and LogScale searches for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from orchestrator.cql.catalogue import FunctionKind, find
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.phrases import (
    FOREIGN,
    MODIFIERS,
    foreign_places,
    foreign_word,
    negated_word,
    word_of,
)
from orchestrator.cql.nodes import Call, Comparison, Filter, FreeText, Not, Quoted, Regex, Word
from orchestrator.cql.parser import parse_filter
from orchestrator.cql.parser.characters import is_field_name, quote
from orchestrator.cql.span import Span

_SHOWN = 240


def _foreign_words(context: Context) -> Iterator[Found]:
    for statement in context.statements:
        yield Found(
            message=f"`{context.source(statement.word)}` begins no step of CQL.",
            span=statement.word,
            help=statement.advice,
        )
    told: set[int] = set()
    begun = {statement.word.start for statement in context.statements}
    for phrase in context.phrases:
        places = list(foreign_places(phrase))
        for place in places:
            term = phrase[place]
            if id(term) in told or term.span.start in begun:
                continue
            if place + 1 < len(phrase) and isinstance(following := phrase[place + 1], Not):
                # The null of `is not null`.
                told.add(id(following.operand))
            if isinstance(term, Not):
                told.add(id(term.operand))
                term = term.operand
            yield _foreign_word(context, phrase, place, term, is_last=place == places[-1])


def _foreign_word(
    context: Context, phrase: Sequence[Filter], place: int, term: Filter, *, is_last: bool
) -> Found:
    word = word_of(term) or ""
    meaning = foreign_word(word) or ""
    fix = _translated(context, phrase, place)
    advice = FOREIGN.get(meaning, "Write `field = *text*`.")
    if fix is not None and fix.text:
        advice = f"Write `{fix.text}`."
        if meaning in MODIFIERS:
            advice += " To ignore case, write a regex with the flag i."
    elif fix is not None and is_last:
        meant = context.source(Span(term.span.end, phrase[-1].span.end)).strip()
        # What is wrong itself is no advice.
        if meant and parse_filter(meant).ok:
            advice = f"Delete it: every step is a filter already. Write `{_cut(meant)}`."
    return Found(
        message=f"`{word}` is not CQL: LogScale searches events for that text.",
        span=term.span,
        help=advice,
        fix=fix,
    )


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def _translated(context: Context, phrase: Sequence[Filter], place: int) -> Fix | None:
    """Return the CQL for the foreign word and the terms beside it, where that is certain."""
    negated = negated_word(phrase[place])
    word = negated or foreign_word(word_of(phrase[place]) or "") or ""
    after = phrase[place + 1 :]
    if word in ("where", "search") and place == 0:
        start, text = phrase[place].span, context.query.text
        end = start.end
        # Only the blanks behind the word: a line break may end a comment.
        while end < len(text) and text[end] in " \t":
            end += 1
        return Fix(span=Span(start.start, end), text="", label="delete the word")
    if place == 0 or not after:
        return None
    before = phrase[place - 1]
    if isinstance(before, Call):
        return _of_call(context, before, word, after[0])
    field = word_of(before)
    if field is None or not is_field_name(field):
        return None
    last, text = after[0], ""
    value = _text(last)
    match word:
        case _ if word in MODIFIERS and value is not None:
            sign = "=" if negated is None else "!="
            text = f"{field}{sign}{_pattern(MODIFIERS[word].format(value))}"
        case "equals" if value is not None:
            text = f"{field}={_pattern(value)}"
        case "matches" if isinstance(last, FreeText) and isinstance(last.pattern, Regex):
            text = f"{field}={context.source(last.span)}"
        case "is" if (word_of(last) or "").lower() == "null":
            text = f"{field}!=*"
        case "is" if isinstance(last, Not) and (word_of(last.operand) or "").lower() == "null":
            text = f"{field}=*"
        case "between" if len(after) > 1 and _is_number(last) and _is_number(after[1]):
            text = f"{field} >= {word_of(last)} {field} <= {word_of(after[1])}"
            last = after[1]
    if not text:
        return None
    return Fix(span=before.span.to(last.span), text=text, label=f"write it without {word}")


def _of_call(context: Context, call: Call, word: str, term: Filter) -> Fix | None:
    name = word_of(term)
    function = find(call.name)
    if name is None or function is None or function.kind is not FunctionKind.AGGREGATE:
        return None
    if word == "by" and is_field_name(name):
        text = f"groupBy([{name}], function={context.source(call.span)})"
        return Fix(span=call.span.to(term.span), text=text, label="group with groupBy()")
    takes = function.parameter("as") is not None
    if (
        word == "as"
        and takes
        and is_field_name(name)
        and all(i.name != "as" for i in call.arguments)
    ):
        inside = context.source(call.span)[:-1].rstrip()
        text = f"{inside}{', ' if call.arguments else ''}as={name})"
        return Fix(span=call.span.to(term.span), text=text, label="name the output with as=")
    return None


def _text(term: Filter) -> str | None:
    """Return the text of a term that searches for plain text."""
    if not isinstance(term, FreeText):
        return None
    match term.pattern:
        case Word(text=text):
            return text
        case Quoted(value=value):
            return value
        case _:
            return None


def _pattern(text: str) -> str:
    plain = text.replace("*", "")
    # Whether an unquoted word knows escapes is not documented.
    return text if plain and is_field_name(plain) and "\\" not in plain else quote(text)


def _is_number(term: Filter) -> bool:
    word = word_of(term) or ""
    return word.isascii() and word.removeprefix("-").replace(".", "", 1).isdigit()


def _bare_words(context: Context) -> Iterator[Found]:
    """Find `field = some words`, whose second word is a search of its own."""
    for phrase in context.phrases:
        for before, term in pairwise(phrase):
            word = word_of(term)
            if word is None or id(term) in context.taken or not isinstance(before, Comparison):
                continue
            value = before.value
            between = context.source(Span(before.span.end, term.span.start))
            # A tag's value holds no blanks, so what follows it is meant as a search.
            plain = isinstance(value, Word) and not before.field.name.startswith("#")
            if not plain or between.strip(" \t") or not word[:1].isalnum():
                continue
            yield Found(
                message=f"`{word}` is a search of its own and no part of the value before it.",
                span=term.span,
                help=f"Quote a value with blanks: `{before.field.name} = "
                f'"{context.source(value.span)} {word}"`; or write `and` between the two.',
            )


def _pipes_in_values(context: Context) -> Iterator[Found]:
    for step, following in pairwise(context.query.pipeline.steps):
        between = context.source(Span(step.span.end, following.span.start))
        if between != "|" or id(following) in context.taken:
            continue
        word = word_of(following)
        value = step.value if isinstance(step, Comparison) else None
        if isinstance(step, Comparison) and isinstance(value, Word) and word and word != "*":
            either = f'in({step.field.name}, values=["{value.text}", "{word}"])'
            yield Found(
                message=f"The pipe ends the comparison; `{word}` is searched for as free text.",
                span=following.span,
                help=f"For either value write `{either}`.",
            )
        field = word_of(step)
        if field is not None and isinstance(following, Comparison):
            yield from _modified(context, field, step.span.start, following)


def _modified(context: Context, field: str, start: int, term: Comparison) -> Iterator[Found]:
    """Tell `Image|endswith="x"`, the notation of rules that are not written in CQL."""
    shape = MODIFIERS.get(term.field.name.lower())
    value = term.value
    if shape is None or not is_field_name(field) or not isinstance(value, Word | Quoted):
        return
    text = value.text if isinstance(value, Word) else value.value
    meant = f"{field}={_pattern(shape.format(text))}"
    yield Found(
        message=f"`{term.field.name}` is a field here, and `{field}` is searched for as free text.",
        span=term.span,
        help=f"Write `{meant}`.",
        fix=Fix(span=Span(start, term.span.end), text=meant, label="write a pattern"),
    )


CHECKS = (
    Check(
        code="foreign-word",
        level=Level.ERROR,
        about="Words such as `where`, `contains` or `by` are not reserved in CQL. In a filter "
        "they are free text: the query runs, and finds only events that contain the word, mostly "
        "none. Behind an aggregate LogScale refuses it. Every step of a query is a filter "
        "already; write the filter alone. A search for a sentence, words only, is not told.",
        source="LogScale: query filters; release notes 1.190 (free text after an aggregate)",
        find=_foreign_words,
    ),
    Check(
        code="bare-word",
        level=Level.WARNING,
        about="A blank ends an unquoted value: in `name = some words` the field is compared with "
        "`some`, and `words` is searched for in the whole event. Quote the value; if both are "
        "meant, join them with `and` so that readers see it.",
        source="LogScale: query filters",
        find=_bare_words,
    ),
    Check(
        code="pipe-in-value",
        level=Level.WARNING,
        about="A pipe ends the step wherever it stands outside quotes and regexes, so `x=a|b` "
        "compares with `a` and then searches what is left for `b`. For one of several values use "
        "in() or a regex.",
        source="LogScale: grammar guide",
        find=_pipes_in_values,
    ),
)
