"""What alerts and scheduled searches have in common: whose rights they run with, and how they fare.

Source: GraphQL schema of server 1.204.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class QueryOwnership(StrEnum):
    """Whose rights a stored query runs with."""

    USER = "User"
    """A user's; such a search stops when the person leaves."""
    ORGANIZATION = "Organization"
    """The organization; the token needs the right to own such queries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryOwner:
    """Who an alert or a scheduled search runs as."""

    ownership: QueryOwnership
    user_id: str = ""
    """The user's id; empty is the token's own user, or no user at all for an organization. To
    name another one the token needs the right ChangeTriggersToRunAsOtherUsers.
    """

    def __post_init__(self) -> None:
        if self.user_id and self.ownership is QueryOwnership.ORGANIZATION:
            raise ValueError("what an organization owns runs as no user")


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerHealth:
    """How an alert or a scheduled search fares, as its server told; nothing of it can be set.

    Where a kind or a server does not tell something, it is empty.
    """

    last_error: str = ""
    last_error_at: datetime | None = None
    """Filter alerts alone."""
    last_warnings: tuple[str, ...] = ()
    last_triggered_at: datetime | None = None
    """Of a scheduled search the end of the window that was searched, not the time of the run."""
    last_poll_at: datetime | None = None
    """When its search went well last; filter and aggregate alerts."""
    searched_until: datetime | None = None
    """End of the window that was searched last; scheduled searches."""
    next_run_at: datetime | None = None
    """Scheduled searches alone."""
