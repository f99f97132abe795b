"""The parser, the printer, the checks and the field sets against generated and damaged queries.

    python -m tests.fuzz_cql [--runs 100000] [--seed N] [--only NUMBER]

Each run makes one text from the seed and its number alone, so a failure is repeated with `--seed`
and `--only`. Half of the texts come from a small grammar and are mostly right; the others are
those, damaged: cut, doubled, spliced, with lexemes and odd characters put in. What must hold of
each is in `problem_of`. The exit code is 1 if anything did not.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields

from orchestrator.cql import (
    Diagnostic,
    Parsed,
    QueryKind,
    fields_out,
    fields_read,
    lint,
    parse,
    print_query,
    walk,
)
from orchestrator.cql.nodes import Node, Query
from orchestrator.cql.parser.scanner import ParseAborted
from orchestrator.cql.parser.steps import StepParser
from orchestrator.cql.walk import children

STEPS_PER_CHARACTER = 40
"""Most moves of the reading head for one character; a text that needs more is read again and
again.
"""
_POSITIONS = frozenset({"span", "name_span", "raw"})


# --- what must hold ---------------------------------------------------------------------------


def problem_of(text: str) -> str | None:
    """Return what is wrong with what the language tools say about `text`; None if nothing."""
    return problem_with(text, parse(text))


def problem_with(text: str, parsed: Parsed) -> str | None:
    """Return the same of a text that is parsed already."""
    parser = StepParser(text)
    with suppress(ParseAborted):
        parser.query()
    if parser.steps_read > STEPS_PER_CHARACTER * len(text) + 200:
        return f"{parser.steps_read} steps for {len(text)} characters"
    found = lint(text, kind=QueryKind.SEARCH)
    fields_read(parsed.query)
    fields_out(parsed.query)
    printed = print_query(parsed.query)
    return (
        _misplaced_node(parsed.query)
        or _misplaced_diagnostic(text, [*parsed.diagnostics, *found])
        or (_changed_by_printing(parsed, printed) if parsed.ok else None)
    )


def _misplaced_node(query: Query) -> str | None:
    for node in walk(query):
        if not 0 <= node.span.start <= node.span.end <= len(query.text):
            return f"{node} lies outside the text"
        for child in children(node):
            if not node.span.start <= child.span.start <= child.span.end <= node.span.end:
                return f"{child} lies outside its parent {node}"
    return None


def _misplaced_diagnostic(text: str, found: Sequence[Diagnostic]) -> str | None:
    for item in found:
        spans = [item.span] + ([item.fix.span] if item.fix is not None else [])
        for span in spans:
            if not 0 <= span.start <= span.end <= len(text):
                return f"{item} lies outside the text"
    return None


def _changed_by_printing(parsed: Parsed, printed: str) -> str | None:
    again = parse(printed)
    if not again.ok:
        return f"printed as {printed!r}, which is refused: {again.diagnostics[0]}"
    if shape(again.query.pipeline) != shape(parsed.query.pipeline):
        return f"printed as {printed!r}, which is another query"
    if print_query(again.query) != printed:
        return f"printed as {printed!r}, and then as {print_query(again.query)!r}"
    return None


def shape(node: Node) -> list[object]:
    """Return the tree as nested lists without its places and the spelling of its strings."""
    made: list[object] = [type(node).__name__]
    for field in fields(node):
        if field.name in _POSITIONS:
            continue
        value = getattr(node, field.name)
        if isinstance(value, tuple):
            made.append([shape(item) if isinstance(item, Node) else item for item in value])
        else:
            made.append(shape(value) if isinstance(value, Node) else value)
    return made


# --- queries that are mostly right ----------------------------------------------------------------

_NAMES = (
    "a", "b.c", "#kind", "@timestamp", "x1", "Ünïcode", "_n", "a[0]", "400", "case", "like", "or",
    "true", "in", "m%&~^", "a\\b",
)  # fmt: skip
_WORDS = (
    "abc", "*", "**", "a*b", "10", "-5", "m/n", "a-b", "http://h/x", "x:y", "+1", "5m", "not-x",
    "andy", "c:\\d", "a//b", "¬é",
)  # fmt: skip
_STRINGS = (
    "",
    "a b",
    'q"r',
    "back\\slash",
    "\\d+\\W",
    "// no",
    "/* no */",
    "a | b",
    "é\u00a0\t",
    "'",
)
_REGEXES = (
    "a", "a b", "\\/x\\/", "[/\\]]", "^a|b$", '"', "(?<n>a)\\/", "\\\\", "[^\"/]+",
    "{2,3}", "é",
)  # fmt: skip
_CALLS = (
    "count",
    "groupBy",
    "in",
    "lower",
    "array:contains",
    "test",
    "if",
    "format",
    "unknown",
    "max",
)
_DURATIONS = ("5m", "1h", "90d", "3 hours", "10ms", "2mon")


class Grammar:
    """Makes queries by recursive descent; `depth` bounds how far calls and cases nest."""

    def __init__(self, source: random.Random) -> None:
        self._source = source

    def _one(self, *options: str) -> str:
        return self._source.choice(options)

    def _blank(self) -> str:
        roll = self._source.random()
        if roll < 0.9:
            return " "
        return self._one("\n", "\t", "  ", " // c }\n", " /* ) */ ", "\r\n")

    def query(self) -> str:
        """Return a query of one to five steps."""
        lead = self._one("", "", "", "| ")
        return lead + self._pipeline(self._source.choice((0, 1, 1, 2)), most=4)

    def _pipeline(self, depth: int, *, most: int = 3) -> str:
        steps = [self._step(depth) for _ in range(self._source.randint(1, most))]
        return f"{self._blank()}|{self._blank()}".join(steps)

    def _step(self, depth: int) -> str:
        roll = self._source.random()
        if depth and roll < 0.1:
            clauses = [self._pipeline(depth - 1) for _ in range(self._source.randint(1, 3))]
            body = f" ;{self._blank()}".join(clauses)
            return f"case {{{self._blank()}{body}{self._one('', ' ;')} }}"
        if depth and roll < 0.16:
            arms = [
                f"{self._guard(depth - 1)} => {self._pipeline(depth - 1)}"
                for _ in range(self._source.randint(1, 3))
            ]
            return f"{self._field()} match {{ {' ; '.join(arms)} }}"
        if roll < 0.35:
            return f"{self._field()}{self._one(' := ', ':=')}{self._expression(depth)}"
        if roll < 0.42:
            return self._array(depth, of="call")
        if roll < 0.6:
            return self._call(depth)
        return self._filter(depth)

    def _field(self) -> str:
        return self._source.choice(_NAMES) if self._source.random() < 0.85 else self._string()

    def _string(self) -> str:
        text = self._source.choice(_STRINGS)
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def _regex(self) -> str:
        return f"/{self._source.choice(_REGEXES)}/{self._one('', 'i', 'F', 'gi', 'dm')}"

    def _parameter(self) -> str:
        return self._one("?p", '?"p q"', "?{p=x}", '?{p="*"}', '?{"p q"="r s"}')

    def _guard(self, depth: int) -> str:
        roll = self._source.random()
        if roll < 0.5:
            return self._one("*", "**", "true", "abc", "a*", "?p")
        return self._one(self._string(), self._regex(), self._call(depth))

    def _filter(self, depth: int) -> str:
        terms = [self._term(depth) for _ in range(self._source.choice((1, 1, 2, 3)))]
        made = terms[0]
        for term in terms[1:]:
            made += f"{self._blank()}{self._one('', 'and ', 'or ', 'AND ', 'Or ')}{term}"
        return made

    def _term(self, depth: int) -> str:
        roll = self._source.random()
        if roll < 0.12:
            return f"{self._one('not ', '!', '! ', 'NOT ')}{self._term(depth)}"
        if depth and roll < 0.27:
            return f"({self._filter(depth - 1)})"
        if roll < 0.6:
            return self._comparison()
        if roll < 0.7:
            return f"{self._field()} =~ {self._one('', '!')}{self._call(depth)}"
        return self._one(
            self._source.choice(_WORDS[:5]),
            self._string(),
            self._regex(),
            self._parameter(),
            "true",
            '$s/t:u(a="b", c=?d)',
            self._call(depth),
        )

    def _comparison(self) -> str:
        name = self._field()
        if self._source.random() < 0.25:
            return f"{name} {self._one('<', '<=', '>', '>=')} {self._one('1', '-2.5', '1e3', '?p')}"
        if self._source.random() < 0.1:
            name = self._source.choice(_NAMES[:10])
            return f"{name} like {self._one(self._source.choice(_WORDS), self._string(), '?p')}"
        value = self._one(
            self._source.choice(_WORDS), self._string(), self._regex(), self._parameter()
        )
        return f"{name}{self._one('=', '!=', ' = ', ' != ')}{value}"

    def _expression(self, depth: int) -> str:
        roll = self._source.random()
        if depth and roll < 0.25:
            sign = self._one("+", "-", "*", "/", "%", "==", "!=", "<", ">=")
            return f"{self._expression(depth - 1)} {sign} {self._expression(depth - 1)}"
        if depth and roll < 0.35:
            return f"({self._expression(depth - 1)})"
        if roll < 0.42:
            return f"{self._one('-', '!')}{self._expression(0)}"
        if depth and roll < 0.55:
            return self._call(depth - 1)
        if depth and roll < 0.62:
            return self._array(depth - 1)
        if depth and roll < 0.68:
            return f"{{ {self._pipeline(depth - 1)} }}"
        return self._one(
            "a", "b.c", "1", "2.5", "max", self._source.choice(_DURATIONS), self._string(), "?p"
        )

    def _array(self, depth: int, *, of: str = "any") -> str:
        items = []
        for _ in range(self._source.randint(0 if of == "any" else 1, 3)):
            made = self._call(depth) if of == "call" else self._expression(depth)
            items.append(f"{self._field()} := {made}" if self._source.random() < 0.15 else made)
        return f"[{', '.join(items)}]"

    def _call(self, depth: int) -> str:
        arguments = []
        for _ in range(self._source.randint(0, 3)):
            value = self._expression(max(0, depth - 1))
            if self._source.random() < 0.6:
                value = f"{self._one('field', 'as', 'values', 'function', 'limit')}={value}"
            elif self._source.random() < 0.1:
                value = f"A: {{ {self._pipeline(0)} }} include: [x]"
            elif self._source.random() < 0.1:
                value = self._one("*", "a*", "*b")
            arguments.append(value)
        name = self._source.choice(_CALLS)
        if name == "in":
            arguments.append("values=[a]")
        return f"{name}({', '.join(arguments)})"


# --- damage ---------------------------------------------------------------------------------

_LEXEMES = (
    "|", ";", "=>", ":=", "=~", "=", "==", "!=", "<=>", "<", "(", ")", "[", "]", "{", "}", ",",
    '"', "'", "/", "//", "/*", "*/", "\\", "`", "?", "?{", "$", "$f(", "!", "and", "or", "not",
    "case {", "x match {", "in (", "like", "count(", "[]", ":", "*", "\n", "\u00a0", "\u2028",
    "<x>", '"""', "\x00", "\ud800", "é", "&&", "||", "where", "as", "0", "1.", "9e",
)  # fmt: skip


def damaged(text: str, other: str, source: random.Random) -> str:
    """Return `text` with one to four pieces cut, doubled, replaced or taken from `other`."""
    for _ in range(source.randint(1, 4)):
        start = source.randint(0, len(text))
        end = min(len(text), start + source.choice((0, 0, 1, 1, 2, 5, 20)))
        match source.randint(0, 4):
            case 0:
                piece = ""
            case 1:
                piece = text[start:end] * source.choice((2, 2, 3, 60))
            case 2:
                place = source.randint(0, len(other))
                piece = other[place : place + source.choice((1, 5, 30))]
            case _:
                piece = source.choice(_LEXEMES) * source.choice((1, 1, 1, 2, 70))
        text = text[:start] + piece + text[end:]
    return text


def text_of(seed: int, number: int) -> str:
    """Return the text of one run."""
    source = random.Random(seed * 1_000_003 + number)
    grammar = Grammar(source)
    text = grammar.query()
    return text if number % 2 else damaged(text, grammar.query(), source)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, say what failed, and return 1 if something did."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz_cql", description=__doc__)
    options.add_argument("--runs", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", type=int, help="run this number and no other")
    chosen = options.parse_args(arguments)
    numbers = range(chosen.runs) if chosen.only is None else (chosen.only,)
    failures = accepted = 0
    began = time.monotonic()
    for number in numbers:
        text = text_of(chosen.seed, number)
        try:
            parsed = parse(text)
            accepted += parsed.ok
            problem = problem_with(text, parsed)
        except Exception:  # noqa: BLE001  # whatever is raised is what is looked for
            problem = traceback.format_exc(limit=-3)
        if problem is not None:
            failures += 1
            _say(f"--seed {chosen.seed} --only {number}: {text!r}\n    {problem}")
        if number % 10_000 == 9_999:
            spent = time.monotonic() - began
            _say(f"{number + 1:,} runs, {failures} failures, {spent:.0f} s")
    _say(f"{len(numbers):,} runs, {accepted:,} texts without an error, {failures} failures")
    return 1 if failures else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
