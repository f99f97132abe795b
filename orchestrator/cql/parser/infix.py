"""Operators of other languages behind a field's name: `in`, `has_any`, `!~`, `=<`, `not like`.

Each is read as the filter that it means, so that it is one mistake and what follows is read on.
"""

from __future__ import annotations

import re

from orchestrator.cql.diagnostics import Fix
from orchestrator.cql.nodes import (
    Argument,
    Array,
    Assignment,
    Call,
    Expression,
    Filter,
    Not,
    Quoted,
    Word,
)
from orchestrator.cql.parser.characters import FIELD, quote
from orchestrator.cql.parser.expressions import ExpressionParser
from orchestrator.cql.span import Span

INFIX_IN = re.compile(
    r"(?P<negation>not[ \t\r\n\f]+|![ \t]*)?"
    r"(?:in(?P<any_case>~)?|(?P<part>has_any|has_all))[ \t\r\n\f]*(?=[(\[])"
    r"|:[ \t]{1,4}(?=\([^()|\n]{1,200},)",
    re.IGNORECASE,
)
"""What stands between a field and a list where it is written as an operator."""

MISTAKEN = re.compile(
    r"===|!==|=<(?![A-Za-z>])|=!(?!=)|![ \t]+=(?![=~>])|!=?~|matches[ \t]+regex(?=[ \t]*[@\"/])",
    re.IGNORECASE,
)
"""An operator that CQL lacks."""

NOT_LIKE = re.compile(r"not[ \t\r\n\f]+like(?=[ \t\r\n\f\"?])", re.IGNORECASE)

_MEANT = {"===": "=", "!==": "!=", "=<": "<=", "=!": "!=", "!=": "!=", "!~": "!=", "!=~": "!="}


def meant(operator: str) -> str:
    """Return the operator that one of `MISTAKEN` is meant as."""
    return _MEANT.get("".join(operator.split()), "=")


class InfixParser(ExpressionParser):
    """Reads lists behind a word that is no operator, and reports operators that CQL lacks."""

    def _infix_in(self, word: str, start: int, infix: re.Match[str]) -> Filter | None:
        """Read `field in (…)` as the in() it means; None if it is a text beside a real in()."""
        text, opened = self.text, infix.end()
        self.pos = opened
        known = len(self.diagnostics)
        if text[opened] == "[":
            values: tuple[Expression | Assignment, ...] = self.array().elements
        else:
            arguments = self.arguments()
            # `a !in(b)` is a text beside a call; a list of several values is none.
            is_call = infix.group("negation") == "!" and not _is_list(arguments)
            if is_call or any(argument.name is not None for argument in arguments):
                # A call of in() beside a text. It is read here once: the operand that follows
                # takes it over, so that calls inside calls are not read twice each.
                self.arguments_ahead[opened] = (arguments, self.pos)
                self.pos = start
                return None
            values = _listed(arguments)
        self.forget(known)
        span = Span(start, self.pos)
        negated = bool(infix.group("negation"))
        fixed = self._list_test(word, values, infix, negated="!" if negated else "")
        used = text[infix.start() : infix.end()].strip()
        self.report(
            "infix-in",
            f"CQL has no `{used}` between a field and a list; `in` is a function.",
            span,
            help=f"Write `{fixed}`.",
            fix=Fix(span=span, text=fixed, label="write it as CQL"),
        )
        call = _call_of_in(word, Span(start, start + len(word)), values, span)
        return Not(span=span, operand=call, bang=True) if negated else call

    def _list_test(
        self,
        word: str,
        values: tuple[Expression | Assignment, ...],
        infix: re.Match[str],
        *,
        negated: str,
    ) -> str:
        """Return the CQL for a list behind a field."""
        field, part = as_field(word), (infix.group("part") or "").lower()
        shown = [self._shown(value, is_part=bool(part)) for value in values]
        if part == "has_all":
            each = " ".join(f"wildcard({field}, pattern={s}, ignoreCase=true)" for s in shown)
            return f"!({each})" if negated else each
        case = ", ignoreCase=true" if part or infix.group("any_case") else ""
        return f"{negated}in({field}, values=[{', '.join(shown)}]{case})"

    def _shown(self, value: Expression | Assignment, *, is_part: bool) -> str:
        match value:
            case Quoted(value=text, raw=raw):
                return quote(f"*{text}*") if is_part else raw
            case Word(text=text) if is_part:
                return quote(f"*{text}*")
            case _:
                return self.text[value.span.start : value.span.end]

    def _mistaken(self, written: Span, sign: str) -> None:
        """Report an operator that CQL lacks, read as `sign`."""
        shown = " ".join(self.text[written.start : written.end].split())
        advice = f"Write `{sign}`."
        if shown.lower() == "matches regex":
            advice = "Write `= /regex/`."
        elif "~" in shown:
            advice = f"Write `{sign}`; to ignore case, `{sign} /…/i`."
        self.report(
            "mistaken-operator",
            f"CQL has no operator `{shown}`.",
            written,
            help=advice,
            fix=Fix(span=written, text=sign, label=f"write {sign}"),
        )


def as_field(name: str) -> str:
    """Return how a field is named: in quotes if it must be."""
    return name if FIELD.fullmatch(name) else f'"{name}"'


def _is_list(arguments: tuple[Argument, ...]) -> bool:
    return len(arguments) > 1 or any(isinstance(item.value, Array) for item in arguments)


def _listed(arguments: tuple[Argument, ...]) -> tuple[Expression | Assignment, ...]:
    """Return the values of `(a, b)` or of `([a, b])`."""
    if len(arguments) == 1 and isinstance(arguments[0].value, Array):
        return arguments[0].value.elements
    return tuple(argument.value for argument in arguments)


def _call_of_in(
    field: str, at: Span, values: tuple[Expression | Assignment, ...], span: Span
) -> Call:
    name = Quoted(span=at, value=field, raw=f'"{field}"')
    array = Array(span=span, elements=values)
    return Call(
        span=span,
        name="in",
        name_span=span,
        arguments=(
            Argument(span=at, name="field", name_span=at, value=name),
            Argument(span=span, name="values", name_span=span, value=array),
        ),
    )
