"""One cell of a fact against one value of a finding: every match mode but `HOST`.

Pure functions of text. Patterns know `*` alone and are matched by looking for their literal pieces
in order, so that no pattern can be slow; no regular expression is built from a file or an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from orchestrator.inventory.names import is_placeholder, lower_ascii
from orchestrator.model.inventory import MatchMode

NO_VALUE = "none"
"""Cell of an `ABSENT` part that demands that the finding has no such value."""


def alternatives(cell: str) -> list[str]:
    """Return the lines of a cell, trimmed, without blank ones; any of them may match."""
    return [line.strip() for line in cell.split("\n") if line.strip()]


def cell_matches(cell: str, values: Sequence[str] | None, mode: MatchMode) -> bool:
    """Return whether every one of `values` matches one alternative of `cell`.

    Args:
        cell: The fact's text, not empty.
        values: The finding's distinct values. Empty: it is known to have none. None: the rule
            does not say, which matches nothing, not even `ABSENT`.
        mode: Any mode but `HOST`, which needs the host table.
    """
    if values is None:
        return False
    choices = alternatives(cell)
    if mode is MatchMode.ABSENT:
        if choices == [NO_VALUE]:
            return not values
        mode = MatchMode.EXACT
    return bool(values) and all(
        any(_one_matches(choice, value, mode) for choice in choices) for value in values
    )


def _one_matches(choice: str, value: str, mode: MatchMode) -> bool:
    if is_placeholder(value):
        return False
    match mode:
        case MatchMode.EXACT:
            return choice == value
        case MatchMode.EXACT_CI:
            return lower_ascii(choice) == lower_ascii(value)
        case MatchMode.GLOB:
            return glob_matches(choice, value)
        case MatchMode.GLOB_CI:
            # A Unix path keeps its case: `/USR/BIN/Git` is another file.
            if value.startswith("/"):
                return glob_matches(choice, value)
            return glob_matches(lower_ascii(choice), lower_ascii(value))
        case MatchMode.HOST | MatchMode.ABSENT:
            raise ValueError(f"{mode} is not compared value by value")
        case _:
            assert_never(mode)


def glob_matches(pattern: str, value: str) -> bool:
    """Return whether the whole `value` fits `pattern`; only `*` is special, time is linear.

    A value that climbs with `..` fits only a pattern without wildcard: the path that it names is
    not the one that it spells.
    """
    pieces = pattern.split("*")
    if len(pieces) == 1:
        return pattern == value
    first, *middle, last = pieces
    if climbs(value) or len(value) < len(first) + len(last):
        return False
    if not (value.startswith(first) and value.endswith(last)):
        return False
    place, end = len(first), len(value) - len(last)
    for piece in middle:
        found = value.find(piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return True


def climbs(path: str) -> bool:
    """Return whether a path-like text holds a `..` segment."""
    return ".." in path.replace("\\", "/").split("/")
