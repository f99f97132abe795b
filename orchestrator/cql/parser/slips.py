"""Slips of filters that are read on as what they mean: compared calls, ranges in brackets."""

from __future__ import annotations

import re

from orchestrator.cql.catalogue import FunctionKind, find
from orchestrator.cql.nodes import Call, Filter, FreeText, Word
from orchestrator.cql.parser.characters import FIELD, OPERATOR, quote
from orchestrator.cql.parser.comparisons import ComparisonParser
from orchestrator.cql.span import Span

RANGE = re.compile(r"\[[ \t]{0,4}([\w.*-]{1,40})[ \t]{1,4}TO[ \t]{1,4}([\w.*-]{1,40})[ \t]{0,4}\]")
"""A range of another language, behind `field:`."""


class SlipParser(ComparisonParser):
    """Reports what stands where an operand of a filter should."""

    def not_compared(self, call: Call) -> Call:
        """Return the call unless it is compared, as in `count() > 5`: no step does that."""
        operator = OPERATOR.match(self.text, self.after_blank(call.span.end))
        if operator is None or operator.group() in ("=>", ":=") or self.text[self.pos - 1] != ")":
            return call
        name, sign = call.name, operator.group()
        sign = {"=": "==", "=~": "=="}.get(sign, sign)
        function = find(name)
        help_text = f"Write `test({name}(…) {sign} …)`."
        if function is not None and function.kind in (
            FunctionKind.AGGREGATE,
            FunctionKind.SEQUENCE,
        ):
            help_text = f"Name the result, `{name}(…, as=n)`, and compare it in the next step."
        elif function is not None and function.kind is FunctionKind.FILTER:
            help_text = f"{name}() is a filter: leave the comparison out, or write `!{name}(…)`."
        raise self.fail(
            "call-compared",
            f"A filter compares a field; {name}() is a call.",
            Span(call.span.start, operator.end()),
            help=help_text,
        )

    def range_in_brackets(self, span: Span, name: str, limits: re.Match[str]) -> Filter:
        """Report `field:[1 TO 9]`, and read it as a word."""
        self.pos = span.end
        shown = name if FIELD.fullmatch(name) else quote(name)
        signs = ((">=", limits.group(1)), ("<=", limits.group(2)))
        both = " ".join(f"{shown} {sign} {limit}" for sign, limit in signs if limit != "*")
        self.report(
            "range-in-brackets",
            "CQL has no ranges in brackets; a number is compared with each of its limits.",
            span,
            help=f"Write `{both or f'{shown} = *'}`.",
        )
        return FreeText(span=span, pattern=Word(span=span, text=name))
