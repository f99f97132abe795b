"""What a query job searches, and the body that says so.

Source: LogScale Query API 1.1.0, QueryJobInput.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.client.search.options import PLAIN, SearchOptions
from orchestrator.client.search.paging import PLAIN_PAGING, Paging
from orchestrator.client.wire import WireAround, WireQueryJobInput
from orchestrator.errors import UnexpectedResponse

EVENT_ID, TIMESTAMP = "@id", "@timestamp"
_ADVICE_KEEP = "Keep @id and @timestamp in the query's fields, as they are."


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySpec:
    """What a job searches: absolute epoch milliseconds, so that a second submit is the same."""

    query: str
    start_ms: int
    end_ms: int
    use_ingest_time: bool = False
    arguments: Mapping[str, str] = field(default_factory=dict)
    around: WireAround | None = None
    """Read the events next to this one, rather than the newest."""
    options: SearchOptions = PLAIN
    paging: Paging = PLAIN_PAGING

    def to_wire(self) -> WireQueryJobInput:
        """Return the body of the submit; members that do not apply are left out."""
        body = WireQueryJobInput(
            queryString=self.query, start=self.start_ms, end=self.end_ms, isLive=False
        )
        if self.use_ingest_time:
            body["useIngestTime"] = True
        if self.arguments:
            body["arguments"] = dict(self.arguments)
        if self.around is not None:
            body["around"] = self.around
        self.options.write(body)
        return body


def around_of(event: Mapping[str, str], *, before: int, after: int) -> WireAround:
    """Return what asks for the events next to one.

    Args:
        event: A row of a filter query, with its `@id` and `@timestamp`.
        before: Older events, at most.
        after: Newer events, at most.

    Raises:
        UnexpectedResponse: It has no `@id` or `@timestamp`.
    """
    return WireAround(
        eventId=member_of(event, EVENT_ID),
        timestamp=time_ms_of(event),
        numberOfEventsBefore=before,
        numberOfEventsAfter=after,
    )


def member_of(event: Mapping[str, str], name: str) -> str:
    """Return a member that every event has.

    Raises:
        UnexpectedResponse: It is not there.
    """
    if name not in event:
        raise UnexpectedResponse(f"an event came without {name}", advice=_ADVICE_KEEP)
    return event[name]


def time_ms_of(event: Mapping[str, str]) -> int:
    """Return when an event happened, in epoch milliseconds.

    Raises:
        UnexpectedResponse: It does not say so.
    """
    try:
        return int(member_of(event, TIMESTAMP))
    except ValueError as exc:
        problem = f"an event's {TIMESTAMP} is not a number of milliseconds"
        raise UnexpectedResponse(problem, advice=_ADVICE_KEEP) from exc
