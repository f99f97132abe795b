"""Every code that a query can get, explained: the grammar's, the checks', the waivers'."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import CodeType, FunctionType

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.lint import CHECKS
from orchestrator.cql.lint.base import Check
from orchestrator.cql.lint.grammar import GRAMMAR_CODES


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One code and what people should know about it."""

    code: str
    level: Level
    about: str
    source: str
    has_fix: bool
    topic: str
    """The heading it stands under: `grammar`, `waivers`, or the module of its check."""


_WAIVERS = (
    Explained(
        code="waiver-without-reason",
        level=Level.ERROR,
        about="A waiver says why the check is wrong here; without a reason it waives nothing.",
        source="this project: a waiver is read by the next author",
        has_fix=False,
        topic="waivers",
    ),
    Explained(
        code="unknown-waiver",
        level=Level.WARNING,
        about="A waiver of a code that no check has waives nothing; mostly a slip of the pen.",
        source="this project: a waiver is read by the next author",
        has_fix=True,
        topic="waivers",
    ),
    Explained(
        code="stale-waiver",
        level=Level.WARNING,
        about="A waiver that waives nothing any more hides the next real mistake.",
        source="this project: a waiver is read by the next author",
        has_fix=False,
        topic="waivers",
    ),
)


@cache
def codes() -> Mapping[str, Explained]:
    """Return every code by name: grammar first, then checks by topic, then waivers."""
    grammar = (
        Explained(
            code=item.code,
            level=item.level,
            about=item.about,
            source=item.source,
            has_fix=item.has_fix,
            topic="grammar",
        )
        for item in sorted(GRAMMAR_CODES, key=lambda item: item.code)
    )
    return {item.code: item for item in (*grammar, *map(_explained, CHECKS), *_WAIVERS)}


def _explained(check: Check) -> Explained:
    return Explained(
        code=check.code,
        level=check.level,
        about=check.about,
        source=check.source,
        has_fix=_offers_fix(check),
        topic=check.find.__module__.rpartition(".")[2],
    )


def _offers_fix(check: Check) -> bool:
    """Say whether the check's function, or one that it calls in its module, builds a `Fix`."""
    if not isinstance(check.find, FunctionType):
        return False
    pending, seen = [check.find], {check.find}
    while pending:
        function = pending.pop()
        names = _names(function.__code__)
        if Fix.__name__ in names:
            return True
        for name in names:
            called = function.__globals__.get(name)
            is_near = isinstance(called, FunctionType) and called.__module__ == function.__module__
            if isinstance(called, FunctionType) and is_near and called not in seen:
                seen.add(called)
                pending.append(called)
    return False


def _names(code: CodeType) -> set[str]:
    inner = (const for const in code.co_consts if isinstance(const, CodeType))
    return set(code.co_names).union(*map(_names, inner))
