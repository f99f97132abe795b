"""What an update must look at first, since it replaces everything and there is no revision.

Members outside equality are those that a server fills in. `health` and `raw` change by themselves
and say nothing; the others count where the caller knew them, and stay where the caller names none.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TypeVar

from orchestrator.client.types import Action, Asset

D = TypeVar("D", bound=Asset | Action)
_BY_ITSELF = frozenset({"health", "raw"})


def has_changed(current: D, expected: D) -> bool:
    """Return whether somebody changed what the caller saw as `expected`."""
    return current != expected or any(
        getattr(expected, name) not in (None, getattr(current, name)) for name in _filled(expected)
    )


def merged(wanted: D, current: D) -> D:
    """Return `wanted` with what it leaves open taken from what is there."""
    open_names = [name for name in _filled(wanted) if getattr(wanted, name) is None]
    return replace(wanted, **{name: getattr(current, name) for name in open_names})


def _filled(value: Asset | Action) -> list[str]:
    names = [field.name for field in fields(value) if not field.compare]
    return [name for name in names if name not in _BY_ITSELF]
