"""Filters: comparisons, free text and what joins them.

`not` binds tighter than `or`, `or` tighter than `and`, and two operands side by side are an `and`.
Source: LogScale's syntax grammar guide, appendix A.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from orchestrator.cql.catalogue import find
from orchestrator.cql.diagnostics import Fix
from orchestrator.cql.nodes import (
    And,
    Boolean,
    FieldName,
    Filter,
    FreeText,
    Not,
    Or,
    Word,
)
from orchestrator.cql.parser.characters import (
    CALL_NAME,
    FIELD,
    KEYWORD,
    OPERATOR,
    PLACEHOLDER,
    SPACED_CALL_NAME,
    TEMPLATE,
    WORD,
    quote,
)
from orchestrator.cql.parser.infix import INFIX_IN, MISTAKEN, NOT_LIKE
from orchestrator.cql.parser.scanner import StepFailed
from orchestrator.cql.parser.slips import RANGE, SlipParser
from orchestrator.cql.span import Span

_LIKE = re.compile(r"like(?=[ \t\r\n\f\"?])", re.IGNORECASE)
_STATEMENT = re.compile(r"(?:case|match)[ \t\r\n\f]*\{", re.IGNORECASE)
_RESERVED = frozenset({"case", "like", "match", "in"})
_STATEMENTS = {
    "if": 'Write `case { condition | field := "a" ; * | field := "b" }`.',
    "case": "A case compares no field: write `field match { … }`, or `case { condition | … }`.",
    "match": "The field stands before it: write `field match { … }`.",
}
_BACK_QUOTED = re.compile(r"`([\w.:-]+)[^`\n]*`")
_SUBSEARCH = re.compile(r"\[[ \t\r\n\f]*(?:search|\||#|from)", re.IGNORECASE)
_FILTER_ENDS = frozenset("|;)}],")


@dataclass(slots=True)
class _Group:
    """What is read of a filter, or of a part of one in parentheses."""

    opened: int
    """Place of the parenthesis; -1 for the filter as a whole."""
    operands: list[Filter] = field(default_factory=list)
    """What `and` joins, each complete."""
    explicit: list[bool] = field(default_factory=list)
    alternatives: list[Filter] = field(default_factory=list)
    """What `or` joins, of the operand that is being read."""
    prefixes: list[tuple[int, bool]] = field(default_factory=list)
    """Place of each `not` and `!` before the alternative being read; True for `!`."""
    start: int = 0
    or_start: int = 0

    def start_operand(self, place: int) -> None:
        """Note where an operand starts, its prefixes and parentheses included."""
        if not self.alternatives:
            self.or_start = place
        if not self.alternatives and not self.operands:
            self.start = place

    def add(self, node: Filter, end: int) -> None:
        """Add an alternative that ends at `end`, under its prefixes."""
        for start, bang in reversed(self.prefixes):
            node = Not(span=Span(start, end), operand=node, bang=bang)
        self.prefixes.clear()
        self.alternatives.append(node)

    def end_alternatives(self, end: int) -> None:
        """Join the alternatives to one operand."""
        found = tuple(self.alternatives)
        single = len(found) == 1
        self.operands.append(
            found[0] if single else Or(span=Span(self.or_start, end), operands=found)
        )
        self.alternatives.clear()

    def whole(self, end: int) -> Filter:
        """Return the filter that the operands make, ending at `end`."""
        if len(self.operands) == 1:
            return self.operands[0]
        return And(
            span=Span(self.start, end),
            operands=tuple(self.operands),
            explicit=tuple(self.explicit),
        )


class FilterParser(SlipParser):
    """Reads filters."""

    def filter(self) -> Filter:
        """Read a filter up to `|`, `;`, a closing bracket or the end.

        An operand that looks like the start of another step (`field :=`, `case {`) ends the filter
        too: the pipeline reports the missing pipe. Parentheses wait on a stack rather than in
        frames, so that their number has no limit here.
        """
        outer: list[_Group] = []
        group, chain = _Group(opened=-1), 0
        while True:
            self._negations(group)
            if self.peek() == "(":
                outer.append(group)
                group = _Group(opened=self.pos)
                self.pos += 1
                continue
            node = self._primary()
            while True:
                end = self.end
                chain += len(group.prefixes)
                group.add(node, end)
                self.skip_blank()
                if self._keyword("or"):
                    break
                group.end_alternatives(end)
                if not (self.at_filter_end() or self._statement_ends(group)):
                    group.explicit.append(self._keyword("and"))
                    break
                node = group.whole(end)
                if not outer:
                    self.longest_chain = max(self.longest_chain, chain)
                    return node
                self._close(group.opened, ")", "unclosed-parenthesis")
                group = outer.pop()
                # An `and` and an `or` at most for each pair of parentheses.
                chain += 2

    def at_filter_end(self) -> bool:
        """Say whether what stands here cannot belong to a filter any more."""
        return self.at_end() or self.peek() in _FILTER_ENDS or self.peek(2) == "=>"

    def at_statement(self) -> bool:
        """Say whether an assignment, a case or a match statement begins here."""
        if _STATEMENT.match(self.text, self.pos):
            return True
        match = FIELD.match(self.text, self.pos)
        if match is None:
            return False
        place = self.after_blank(match.end())
        if self.text.startswith(":=", place):
            return True
        statement = _STATEMENT.match(self.text, place)
        return statement is not None and statement.group().lower().startswith("match")

    def _statement_ends(self, group: _Group) -> bool:
        """Say whether a statement begins here and ends the filter.

        An assignment between parentheses does not: it is told where its sign stands.
        """
        if not self.at_statement():
            return False
        name = FIELD.match(self.text, self.pos)
        inside = group.opened >= 0 and self.partner(group.opened) is not None
        return not (inside and name and self.text.startswith(":=", self.after_blank(name.end())))

    def _keyword(self, word: str) -> bool:
        """Read `word` if it stands here as an operator rather than as a field's name."""
        match = KEYWORD.match(self.text, self.pos)
        if match is None or match.group(1).lower() != word:
            return False
        operator = OPERATOR.match(self.text, self.after_blank(match.end()))
        if operator is not None and operator.group() != "=>":
            return False
        self.pos = match.end()
        return True

    def _negations(self, group: _Group) -> None:
        """Read `not` and `!`, and note where the operand starts."""
        self.skip_blank()
        group.start_operand(self.pos)
        while True:
            start = self.pos
            if self._keyword("not"):
                group.prefixes.append((start, False))
            elif self.peek() == "!" and self.peek(2) != "!=":
                self.pos += 1
                group.prefixes.append((start, True))
            else:
                return
            self.skip_blank()

    # --- operands ---------------------------------------------------------------------------

    def _primary(self) -> Filter:
        start, char = self.pos, self.peek()
        match char:
            case "/":
                regex = self.regex()
                return FreeText(span=regex.span, pattern=regex)
            case "?":
                parameter = self.parameter(in_filter=True)
                return FreeText(span=parameter.span, pattern=parameter)
            case "$" | "{" if (template := TEMPLATE.match(self.text, start)) is not None:
                word = self.template(template)
                if self._operator_follows(self.pos):
                    name = FieldName(span=word.span, name=word.text, quoted=True)
                    return self._after_field(name)
                return FreeText(span=word.span, pattern=word)
            case "$":
                return self.saved_query()
            case '"':
                return self._quoted_operand()
            case "'":
                string = self.single_quoted()
                return FreeText(span=string.span, pattern=string)
            case "" | "|" | ";" | ")" | "}" | "]" | ",":
                raise self.fail(
                    "missing-filter",
                    f"A filter is missing before {self.found_here()}.",
                    self.place(start),
                )
            case "[":
                raise self.fail(
                    "unexpected-character",
                    "`[` can only stand as a step of its own, or inside a call.",
                    Span(start, start + 1),
                    help="A search inside a search is `join({…}, field=key)`."
                    if _SUBSEARCH.match(self.text, start)
                    else "To compare with one of several values write `in(field, values=[…])`.",
                )
            case "`":
                raise self.fail(
                    "unexpected-character",
                    "Back-quotes are reserved.",
                    Span(start, start + 1),
                    help=self._back_quote_advice(),
                )
            case _:
                return self._word_operand_of_filter()

    def _back_quote_advice(self) -> str:
        named = _BACK_QUOTED.match(self.text, self.pos)
        if named is not None and named.group(1).lower() == "comment":
            return "A comment is `// …` or `/* … */`."
        advice = 'Quote with `"`; setField() assigns to a field whose name is computed.'
        if named is not None:
            advice += f" A saved query is called with `${named.group(1)}()`."
        return advice

    def _quoted_operand(self) -> Filter:
        string = self.quoted()
        if not self._operator_follows(self.pos):
            return FreeText(span=string.span, pattern=string)
        return self._after_field(FieldName(span=string.span, name=string.value, quoted=True))

    def _word_operand_of_filter(self) -> Filter:
        text, start = self.text, self.pos
        called = CALL_NAME.match(text, start)
        if called is not None and not KEYWORD.match(text, start):
            return self.not_compared(self.call())
        name, word = FIELD.match(text, start), WORD.match(text, start)
        if word is None:
            return self._no_operand(start)
        if name is not None and name.end() >= word.end():
            if self._operator_follows(name.end()):
                self.pos = name.end()
                return self._after_field(FieldName(span=Span(start, self.pos), name=name.group()))
            if text.startswith("[]", name.end()):
                self.pos = name.end() + 2
                return self._whole_array(Span(start, self.pos))
        elif self._operator_follows(word.end()) and not word.group().endswith(":"):
            self.pos = word.end()
            return self._after_field(self._unquoted_field(word.group(), start))
        return self._free_word(word.group(), start)

    def _whole_array(self, span: Span) -> Filter:
        """Say that a filter cannot compare `name[]`, and read on as if it could."""
        shown = quote(self.text[span.start : span.end])
        self.report(
            "array-needs-quotes",
            "A filter compares one value; the name of a whole array stands in quotes, in a call.",
            span,
            help=f"Write `array:contains({shown}, value=…)`.",
        )
        name = FieldName(span=span, name=self.text[span.start : span.end], quoted=True)
        if self._operator_follows(span.end):
            return self._after_field(name)
        word = Word(span=span, text=name.name)
        return FreeText(span=span, pattern=word)

    def _no_operand(self, start: int) -> Filter:
        placeholder = PLACEHOLDER.match(self.text, start)
        if placeholder is not None:
            word = self.placeholder(placeholder)
            return FreeText(span=word.span, pattern=word)
        if OPERATOR.match(self.text, start):
            raise self.fail(
                "missing-field",
                f"A field's name is missing before {self.found_here()}.",
                self.place(start),
            )
        raise self.fail(
            "unexpected-character",
            f"{_sentence(self.found_here())} is reserved and cannot stand in a filter.",
            Span(start, start + 1),
            help="Quote the text that holds it.",
        )

    def _unquoted_field(self, name: str, start: int) -> FieldName:
        span = Span(start, start + len(name))
        self.report(
            "field-needs-quotes",
            f"`{name}` is not a field name without quotes.",
            span,
            help=f'Write `"{name}"`.',
            fix=Fix(span=span, text=f'"{name}"', label="quote the name"),
        )
        return FieldName(span=span, name=name, quoted=True)

    def _operator_follows(self, end: int) -> bool:
        place = self.after_blank(end)
        if MISTAKEN.match(self.text, place):
            return True
        operator = OPERATOR.match(self.text, place)
        if operator is not None:
            return operator.group() != "=>" or self._is_turned_sign(place)
        return self._like_follows(end)

    def _is_turned_sign(self, place: int) -> bool:
        """Say whether an arrow is `>=` the wrong way, outside of clauses and before a number."""
        behind = self.after_blank(place + 2)
        return not self.in_clause and self.text[behind : behind + 1].isdigit()

    def _like_follows(self, end: int) -> bool:
        place = self.after_blank(end)
        like = _LIKE.match(self.text, place) or NOT_LIKE.match(self.text, place)
        # `like = 1` is a comparison of a field that happens to have this name.
        return like is not None and not OPERATOR.match(self.text, self.after_blank(like.end()))

    def _free_word(self, word: str, start: int) -> Filter:
        """Read a word that no operator follows: free text, or another language's operator."""
        text = self.text
        end = start + len(word)
        infix = INFIX_IN.match(text, self.after_blank(end))
        if infix is not None and word.lower() not in ("and", "or", "not"):
            found = self._infix_in(word, start, infix)
            if found is not None:
                return found
        spaced = SPACED_CALL_NAME.match(text, start)
        if spaced is not None and self._is_call_with_space(spaced.group(1)):
            self.report_space(Span(start, spaced.end()), spaced.group(1))
            return self.call()
        limits = RANGE.match(text, end) if word.endswith(":") else None
        if limits is not None:
            return self.range_in_brackets(Span(start, limits.end()), word[:-1], limits)
        self.pos = end
        span = Span(start, end)
        if word in ("true", "false"):
            return Boolean(span=span, value=word == "true")
        if word.endswith("//"):
            self.report(
                "word-ends-in-slashes",
                "A word cannot end in `//`.",
                span,
                help="Quote it.",
                fix=Fix(span=span, text=f'"{word}"', label="quote it"),
            )
        self._refuse_reserved(word, span)
        return FreeText(span=span, pattern=Word(span=span, text=word))

    def _is_call_with_space(self, name: str) -> bool:
        function = find(name)
        return name == "case" or (function is not None and function.name == name)

    def _refuse_reserved(self, word: str, span: Span) -> None:
        if word.lower() in ("and", "or", "not"):
            self.report(
                "missing-filter",
                f"`{word}` joins two filters; one is missing.",
                span,
            )
            return
        function = find(word)
        known = function is not None and word in (function.name, *function.aliases)
        if not known and word not in _RESERVED:
            return
        search = f'`"{word}"` to search for the text.'
        advice = f"Write `{word}(…)` to call the function, or {search}"
        if not known:
            advice = f"Write {search}"
        self.skip_blank()
        statement = _STATEMENTS.get(word.lower()) if span.start == self.step_start else None
        if statement is not None and not self.at_filter_end():
            advice = statement
        self.report(
            "reserved-word",
            f"`{word}` is a reserved word and cannot stand alone.",
            span,
            help=advice,
        )
        if span.start == self.step_start and not self.at_filter_end():
            # A command of another language: what belongs to it is no second mistake.
            raise StepFailed


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
