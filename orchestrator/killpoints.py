"""Named places on the path of a finding where a test may kill the process.

`reach("after-commit")` does nothing unless that very point was armed, which only the service's
start-up does, from `ORCHESTRATOR_KILL_AT=point:n`. Then the n-th pass sends SIGKILL to the process:
no handler runs, nothing is flushed, as when the machine dies. The crash tests visit every point.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    "after-claim",
    "after-search",
    "before-commit",
    "after-commit",
    "after-outbox-claim",
    "after-send",
    "after-mark",
)
"""In the order of the path: claim, search, judge, commit, take from the outbox, send, record."""

_armed: dict[str, int] = {}


def arm(text: str) -> None:
    """Arm one point from `point:n`, n from 1; an empty text disarms.

    Raises:
        ValueError: There is no such point, or n is not a positive number.
    """
    _armed.clear()
    if not text:
        return
    point, _, count = text.partition(":")
    if point not in POINTS or not (count or "1").isdecimal() or count == "0":
        raise ValueError(f"{text!r} is not one of {', '.join(POINTS)} with :n")
    _armed[point] = int(count or "1")


def reach(point: str) -> None:
    """Pass `point`: a dictionary look-up, and the end of the process if it is armed for now."""
    if point not in _armed:
        return
    _armed[point] -= 1
    if _armed[point] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
