"""Which functions the engine runs: read off the tables that it dispatches on."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.cql.catalogue import find, functions
from orchestrator.engine.aggregates import AGGREGATES
from orchestrator.engine.compile import TABLE_STEPS
from orchestrator.engine.filter_functions import FILTERS
from orchestrator.engine.row_steps import TRANSFORMS
from orchestrator.engine.stages import STAGES
from orchestrator.engine.value_functions import VALUES


def supported() -> frozenset[str]:
    """Return the canonical names of the functions that the engine runs.

    Some of them refuse one or the other argument by name, when they meet it.
    """
    tables = (FILTERS, VALUES, TRANSFORMS, AGGREGATES, STAGES, TABLE_STEPS)
    return frozenset(name for table in tables for name in table)


def unsupported() -> frozenset[str]:
    """Return the known functions that the engine refuses with `CqlUnsupported`."""
    return frozenset(function.name for function in functions().values()) - supported()


def is_supported(name: str) -> bool:
    """Return whether the engine runs the function, whatever the name's case."""
    return name.lower() in {known.lower() for known in supported()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """Whether the engine runs a function."""

    supported: bool
    tier: str
    """How it runs: `native`, or empty where it does not."""
    why: str
    """Why it does not run; empty where it does."""


def support_of(name: str) -> Support:
    """Return what the engine makes of a function, whatever the name's case."""
    function = find(name)
    if function is not None and function.name in supported():
        return Support(supported=True, tier="native", why="")
    why = "the engine does not have it" if function else "no such function is known"
    return Support(supported=False, tier="", why=why)
