"""Applying the fixes that diagnostics carry, and never making a query worse by it.

A fix is taken only if the parser then finds no more errors than before and as many comments. Of two
that overlap the first in the text is taken; the other has its turn in the next round, if it still
applies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.cql.diagnostics import Diagnostic, Fix, Level
from orchestrator.cql.lint import QueryKind, Waiver, lint
from orchestrator.cql.parser import Parsed, parse

MAX_ROUNDS = 10
"""Fixes can uncover others: a quoted name that then needs a pipe. Real queries settle in three."""
GUESSES = frozenset(("unknown-function", "unknown-parameter"))
"""Codes whose fix is the nearest name that is known: offered, and never applied unasked."""

SAME_MEANING = frozenset(
    (
        "argument-in-parentheses", "empty-step", "fields-without-array", "function-spelling",
        "keyword-case", "mixed-and-or", "quoted-number", "regex-needless-dots",
        "space-before-parenthesis", "trailing-comma", "unequal-sign", "unescaped-slash",
    )
)  # fmt: skip
"""Codes of queries that run, whose fix changes how they are written and not what they find."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """A text after its fixes."""

    text: str
    applied: tuple[Diagnostic, ...]
    """What was fixed, in the order it was done; places are those of the text of that round."""
    left: tuple[Diagnostic, ...]
    """What remains to be said about `text`."""


def is_safe(code: str, level: Level) -> bool:
    """Say whether a fix may be applied unasked.

    An error's may: what LogScale refuses cannot get worse. What runs must go on finding the same.
    """
    return code not in GUESSES and (level is Level.ERROR or code in SAME_MEANING)


def apply_fixes(text: str, diagnostics: Sequence[Diagnostic]) -> Fixed:
    """Return the text with every fix of `diagnostics` that is safe and overlaps no earlier one.

    One round: `left` are those without a fix or with one that was not taken, their places still
    those of the text given. `fix_query` repeats and looks again.
    """
    chosen = _apart(diagnostics)
    if not _is_better(text, _edited(text, chosen)):
        chosen = _one_by_one(text, chosen)
    left = tuple(item for item in diagnostics if not any(item is taken for taken in chosen))
    return Fixed(text=_edited(text, chosen), applied=tuple(chosen), left=left)


def fix_query(
    text: str,
    *,
    kind: QueryKind,
    waivers: Sequence[Waiver] = (),
    check: Callable[[str], Sequence[Diagnostic]] | None = None,
) -> Fixed:
    """Return the query with all its safe fixes, repeated until there are no more.

    Args:
        text: The whole query.
        kind: Where it will run.
        waivers: Checks that are silent for it, and whose fixes are not taken.
        check: What finds the diagnostics of a text; the linter by default.
    """
    look = check or (lambda found: lint(found, kind=kind, waivers=waivers))
    applied: list[Diagnostic] = []
    seen = {text}
    for _ in range(MAX_ROUNDS):
        done = apply_fixes(text, look(text))
        # A text that was there before means two fixes that undo each other: the first one stays.
        if done.text in seen:
            break
        seen.add(done.text)
        text = done.text
        applied += done.applied
    return Fixed(text=text, applied=tuple(applied), left=tuple(look(text)))


def _apart(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Return those with a fix, by place, without the ones that touch an earlier one."""
    chosen: list[Diagnostic] = []
    end = -1
    with_fix = [
        (item.fix, item)
        for item in diagnostics
        if item.fix is not None and is_safe(item.code, item.level)
    ]
    for fix, item in sorted(with_fix, key=lambda pair: (pair[0].span, pair[0].text)):
        # Touching counts as overlapping: what two insertions at one place mean is a guess.
        if fix.span.start > end:
            chosen.append(item)
            end = fix.span.end
    return chosen


def _one_by_one(text: str, chosen: Sequence[Diagnostic]) -> list[Diagnostic]:
    kept: list[Diagnostic] = []
    for item in chosen:
        if _is_better(text, _edited(text, [*kept, item])):
            kept.append(item)
    return kept


def _edited(text: str, chosen: Sequence[Diagnostic]) -> str:
    fixes: list[Fix] = [item.fix for item in chosen if item.fix is not None]
    parts, place = list[str](), 0
    for fix in fixes:
        parts += (text[place : fix.span.start], fix.text)
        place = fix.span.end
    return "".join([*parts, text[place:]])


def _is_better(before: str, after: str) -> bool:
    """Say whether the parser finds no more errors, and no comment was swallowed."""
    old, new = parse(before), parse(after)
    return _errors(new) <= _errors(old) and len(new.query.comments) >= len(old.query.comments)


def _errors(parsed: Parsed) -> int:
    return sum(found.level is Level.ERROR for found in parsed.diagnostics)
