"""Operators of expressions, and what stands in their place in other languages.

There is no `and`, no `or`, no `not` and no `?:`.
"""

from __future__ import annotations

import re

from orchestrator.cql.diagnostics import Fix
from orchestrator.cql.nodes import BinaryOperator
from orchestrator.cql.parser.calls import CallParser
from orchestrator.cql.parser.characters import KEYWORD
from orchestrator.cql.span import Span

_BINARY = re.compile(r"==|!=|<=>|<=|>=|<|>|[-+*/%]")
_NOT = re.compile(r"not[ \t]+(?=[A-Za-z0-9_@#\"(])", re.IGNORECASE)
_ALONE = re.compile(r"\(|[A-Za-z_@#][\w.@#]*+[ \t\r\n\f]*+(?:[|;),\]}]|\Z)")
"""An operand that `!` before it denies as `not` would: no comparison goes on behind it."""
_TERNARY = re.compile(r"\?(?=[ \t\r\n\f\"'0-9(])")
_STEP = re.compile(r"\+\+|--")


class OperatorParser(CallParser):
    """Reads operators between the operands of expressions."""

    def binary_operator(self) -> BinaryOperator | None:
        """Read the next operator, if one follows."""
        start = self.pos
        match = _BINARY.match(self.text, start)
        if match is None:
            return self._mistaken_operator()
        if match.group() == "*" and self.text.startswith("=>", self.after_blank(match.end())):
            # The guard of an arm before which a `;` is missing.
            return None
        if _STEP.match(self.text, start) and self._is_increment(start + 2):
            return None
        self.pos = match.end()
        if match.group() in ("==", "!=") and self.peek() == "=":
            return self._third_sign(start, match.group())
        if match.group() != "<=>":
            return BinaryOperator(match.group())
        self.report(
            "link-in-expression",
            "`<=>` links the queries of correlate(); an expression has no such operator.",
            Span(start, self.pos),
            help="Compare with `==`.",
        )
        return BinaryOperator.EQUAL

    def _third_sign(self, start: int, sign: str) -> BinaryOperator:
        self.pos += 1
        span = Span(start, self.pos)
        self.report(
            "mistaken-operator",
            f"CQL has no operator `{sign}=`.",
            span,
            help=f"Write `{sign}`.",
            fix=Fix(span=span, text=sign, label=f"write {sign}"),
        )
        return BinaryOperator(sign)

    def _is_increment(self, end: int) -> bool:
        """Report `x++` and move over it if the expression ends with it."""
        behind = self.after_blank(end)
        if self.text[behind : behind + 1] not in ("", "|", ";", ")", "}", "]", ","):
            return False
        span = Span(self.pos, end)
        sign = self.text[span.start]
        self.report(
            "increment",
            f"CQL has no `{sign}{sign}`.",
            span,
            help=f"Write `{sign} 1`.",
            fix=Fix(span=span, text=f" {sign} 1", label=f"write {sign} 1"),
        )
        self.jump(end)
        self.skip_blank()
        return True

    def _mistaken_operator(self) -> BinaryOperator | None:
        """Report an operator that expressions do not have, and read on past it."""
        start = self.pos
        if self.peek() == "=" and self.peek(2) != "=>":
            span = Span(start, start + (2 if self.peek(2) == "=~" else 1))
            self.pos = span.end
            self.report(
                "single-equals",
                "An expression compares with `==`; a single `=` is a filter's.",
                span,
                help="Write `==`.",
                fix=Fix(span=span, text="==", label="compare with =="),
            )
            return BinaryOperator.EQUAL
        keyword = KEYWORD.match(self.text, start)
        length = keyword.end() - start if keyword else 2
        if (keyword and keyword.group(1).lower() != "not") or self.peek(2) == "&&":
            span = Span(start, start + length)
            self.pos = span.end
            self.report(
                "logic-in-expression",
                f"Expressions have no `{self.text[start : span.end]}`.",
                span,
                help="Use two steps, nested if() or a case { … }.",
            )
            return BinaryOperator.EQUAL
        return None

    def not_word(self) -> bool:
        """Report `not` before an operand, and move over it."""
        match = _NOT.match(self.text, self.pos)
        if match is None or KEYWORD.match(self.text, match.end()):
            return False
        span = Span(match.start(), match.start() + len("not"))
        denied = Fix(span=Span(match.start(), match.end()), text="!", label="write !")
        self.report(
            "logic-in-expression",
            "Expressions have no `not`.",
            span,
            help="Write `!`, with parentheses around a comparison.",
            fix=denied if _ALONE.match(self.text, match.end()) else None,
        )
        self.pos = match.end()
        return True

    def skip_ternary(self) -> None:
        """Report `? a : b` behind a condition, and move over it."""
        start = self.pos
        if _TERNARY.match(self.text, start) is None:
            return
        self.skip_to("|;,)]}")
        self.report(
            "ternary",
            "CQL has no `? :`.",
            Span(start, start + 1),
            help="Write `if(condition, then=a, else=b)`.",
        )
