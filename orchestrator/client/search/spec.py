"""What a query job searches, and the body that says so.

Source: LogScale Query API 1.1.0, QueryJobInput.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.client.search.options import PLAIN, SearchOptions
from orchestrator.client.wire import WireAround, WireQueryJobInput


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
