"""What differs between two assets, as lines for people."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import timedelta

from orchestrator.client.types import Asset
from orchestrator.deploy.desired import names_set
from orchestrator.units import format_duration


def differs(before: Asset, after: Asset) -> bool:
    """Return whether any field that we set is not the same."""
    return any(_value(before, name) != _value(after, name) for name in names_set(after))


def diff_lines(before: Asset | None, after: Asset | None) -> tuple[str, ...]:
    """Return the lines of a unified diff, field by field; only fields that differ.

    Values are spelled as in a rule file: `true`, `15m`.
    """
    shown = after or before
    if shown is None:
        return ()
    return tuple(line for name in names_set(shown) for line in _field(name, before, after))


def _field(name: str, before: Asset | None, after: Asset | None) -> Iterator[str]:
    old = _value(before, name) if before is not None else []
    new = _value(after, name) if after is not None else []
    if old == new:
        return
    yield f"  {name}:"
    lines = list(difflib.unified_diff(old, new, lineterm="", n=2))
    yield from (f"    {line}" for line in lines[2:] if not line.startswith("@@"))


def _value(asset: Asset, name: str) -> list[str]:
    value = getattr(asset, name, None)
    match value:
        case None:
            return []
        case bool():
            return [str(value).lower()]
        case timedelta():
            return [format_duration(value)]
        case tuple():
            # Labels and actions are sets: the order in which a server returns them says nothing.
            return sorted(str(item) for item in value)
        case _:
            return str(value).splitlines()
