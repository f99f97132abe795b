"""Durations and instants as the gateway writes them, in Go's way."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from orchestrator.client.http.members import Members

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?\Z")


def parse_go_duration(text: str) -> timedelta:
    """Return the length of a Go duration of whole hours, minutes and seconds, such as `1h15m`.

    Raises:
        ValueError: Another form.
    """
    match = _DURATION.match(text.strip())
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is not a duration; write 1h15m")
    hours, minutes, seconds = (int(group or 0) for group in match.groups())
    try:
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError as exc:
        raise ValueError("the duration is longer than the calendar") from exc


def format_go_duration(duration: timedelta) -> str:
    """Return a Go duration of hours and minutes, and seconds where there are some: `1h0m`."""
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m" + (f"{seconds}s" if seconds else "")


def instant_of(members: Members, name: str) -> datetime | None:
    """Return an instant in ISO 8601; None for an absent one.

    Raises:
        UnexpectedResponse: Another form.
    """
    if not members.text(name, ""):
        return None
    found = members.instant(name)
    # Go writes an instant that was never set as the first of the year one.
    return found if found.year > 1 else None
