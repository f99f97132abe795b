"""How far one trigger is and how its last run went; the part of it that is kept.

Times are epoch ms, 0 where there was none yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(slots=True, kw_only=True)
class RunState:
    """One trigger's state; mutable, changed by the runner alone."""

    is_active: bool = False
    """Enabled and with at least one action: LogScale runs nothing else."""
    query: str = ""
    """The query that the last error was about."""
    done_ms: int = 0
    """Everything planned up to here is answered: a cron's slot, a live window's end."""
    cursors: dict[str, int] = field(default_factory=dict)
    """Repository to how many of its events, in order of arrival, were looked at."""
    retry_ms: int = 0
    """Not before this instant: the last try failed, or met warnings that may clear."""
    next_ms: int = 0
    """When it is due next by its schedule."""
    throttled_ms: int = 0
    """Silent until then, where it is throttled as a whole."""
    throttled_values: dict[str, int] = field(default_factory=dict)
    """Value of the throttle field to the instant until which it is silent, oldest first."""
    minute_ms: int = 0
    minute_count: int = 0
    """Firings within the minute that began at `minute_ms`; a filter alert may have so many."""
    last_executed_ms: int = 0
    """End of the window that was searched last."""
    last_poll_ms: int = 0
    """When a search went well last."""
    last_triggered_ms: int = 0
    error: str = ""
    error_ms: int = 0
    warnings: list[str] = field(default_factory=list)
    execution: dict[str, Any] = field(default_factory=dict)
    """A correlation rule's `last_execution`."""

    def fail(self, problem: str, *, now_ms: int) -> None:
        """Keep an error until it is cleared, or the query changes."""
        self.error, self.error_ms = problem, now_ms

    def clear(self) -> None:
        """Forget errors and warnings, and the wait that they caused."""
        self.error, self.error_ms, self.warnings, self.retry_ms = "", 0, [], 0

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return asdict(self)


def state_from_json(raw: Mapping[str, Any]) -> RunState:
    """Return the state that `RunState.to_json` described; members of other versions are ignored."""
    known = {f.name for f in fields(RunState)}
    return RunState(**{name: value for name, value in raw.items() if name in known})
