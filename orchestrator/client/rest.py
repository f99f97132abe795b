"""The REST endpoints that only read, besides query jobs: status, health, streaming search.

Source: library.humio.com, logscale-api/api-health-check, api-search-query; cassettes/status/.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import quote

from orchestrator.client.decode import (
    decode_health,
    decode_status,
    is_health,
    require_ndjson,
    stream_row,
)
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.search.options import PLAIN, SearchOptions
from orchestrator.client.search.spec import QuerySpec
from orchestrator.client.types import ServerHealth, ServerStatus
from orchestrator.errors import QueryRejected
from orchestrator.units import to_epoch_ms

STATUS_PATH = "api/v1/status"
STREAM_SILENCE = timedelta(minutes=10)
"""A stream sends nothing until a row is found, one of an aggregate nothing until all are."""


async def fetch_status(session: Session) -> ServerStatus:
    """Return the server's state and version; needs no token and proves nothing about one.

    Raises:
        ServerDown: The server answers that it is down.
        ClientError: It could not be asked.
    """
    request = json_request("GET", STATUS_PATH, idempotent=True)
    return decode_status(await session.call(request))


async def fetch_health(session: Session) -> ServerHealth:
    """Return what the server says about itself; for administrators of the cluster.

    One that is down says so with 503, which is an answer too.

    Raises:
        ClientError: It could not be asked, or no right.
    """
    request = json_request("GET", "api/v1/health-json", idempotent=True)
    return decode_health(await session.call(request, is_answer=is_health))


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamProgress:
    """How much of a stream has arrived; nobody knows how much there will be."""

    rows: int
    received_bytes: int


async def stream_rows(
    session: Session,
    repository: str,
    *,
    query: str,
    start: datetime,
    end: datetime,
    use_ingest_time: bool = False,
    arguments: Mapping[str, str] | None = None,
    options: SearchOptions = PLAIN,
    silence: timedelta = STREAM_SILENCE,
    on_progress: Callable[[StreamProgress], None] | None = None,
) -> AsyncGenerator[dict[str, str]]:
    """Yield the rows of a streaming search over `[start, end)`, in no promised order.

    Rows come as the server sends them, one piece of the answer in memory at a time. A stream has
    no completeness signal: an early close looks like a short result. For exports and for looking at
    events by hand; rules use query jobs.

    Args:
        session: Who asks.
        repository: Repository or view.
        query: CQL.
        start: Aware, inclusive, cut to the millisecond.
        end: Aware, exclusive, cut to the millisecond.
        use_ingest_time: Bound the ingest time rather than the event time.
        arguments: Values of the query's `?name` parameters.
        options: What else the search is asked.
        silence: Longest time without a row; an aggregate has to be finished in it. A search that
            took longer is not started again.
        on_progress: Told of every piece of the answer; must not block.

    Raises:
        QueryRejected: The server refused the query.
        RequestTimedOut: Nothing came for `silence`.
        UnexpectedResponse: A page instead of a stream, or a line that is not an object.
        ClientError: The server could not be asked, or the connection broke on the way.
    """
    spec = QuerySpec(
        query=query,
        start_ms=to_epoch_ms(start),
        end_ms=to_epoch_ms(end),
        use_ingest_time=use_ingest_time,
        arguments=arguments or {},
        options=options,
    )
    path = f"api/v1/repositories/{quote(repository, safe='')}/query"
    request = json_request(
        "POST", path, spec.to_wire(), idempotent=True, headers={"Accept": "application/x-ndjson"}
    )
    request = replace(request, silence=silence)
    async with session.open(request, bad_request=QueryRejected) as response:
        require_ndjson(response.content_type)
        rows, received, rest = 0, 0, b""
        async for chunk in response.chunks:
            received += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line.strip():
                    rows += 1
                    yield stream_row(line, number=rows)
            if on_progress is not None:
                on_progress(StreamProgress(rows=rows, received_bytes=received))
        if rest.strip():
            yield stream_row(rest, number=rows + 1)
