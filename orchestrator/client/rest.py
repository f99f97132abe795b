"""The REST endpoints that are not query jobs: status, streaming search, ingest.

Ingest is at least once: a batch whose fate is unknown is not sent again by itself, since the
server would store it twice; the error says so and the caller decides.
Source: library.humio.com, logscale-api/api-ingest-structured, api-ingest-hec; cassettes/ingest/.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote

from orchestrator.client.decode import (
    check_accepted,
    decode_health,
    decode_status,
    require_ndjson,
    stream_row,
)
from orchestrator.client.graphql.views import Views
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.http.transport import Request
from orchestrator.client.search.job_machine import QuerySpec
from orchestrator.client.search.options import PLAIN, SearchOptions
from orchestrator.client.types import ServerHealth, ServerStatus
from orchestrator.client.wire import (
    WireHecEvent,
    WireMessages,
    WireStructuredBatch,
)
from orchestrator.errors import ClientError, NotARepository, NotFound, RequestRejected
from orchestrator.units import to_epoch_ms

STATUS_PATH = "api/v1/status"
HEC_PATH = "api/v1/ingest/hec"
BATCH_EVENTS = 500
"""As the vendor's own command line does."""
BATCH_BYTES = 1024 * 1024
COMPRESS_BYTES = 1024


async def fetch_status(session: Session) -> ServerStatus:
    """Return the server's state and version; needs no token and proves nothing about one."""
    request = json_request("GET", STATUS_PATH, idempotent=True)
    return decode_status(await session.call(request))


async def fetch_health(session: Session) -> ServerHealth:
    """Return what the server says about itself; for administrators of the cluster.

    Raises:
        ServerFailed: It is down, which it answers with 503.
        ClientError: It could not be asked, or no right.
    """
    request = json_request("GET", "api/v1/health-json", idempotent=True)
    return decode_health(await session.call(request))


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
    arguments: Mapping[str, str] | None = None,
    options: SearchOptions = PLAIN,
    on_progress: Callable[[StreamProgress], None] | None = None,
) -> AsyncGenerator[dict[str, str]]:
    """Yield the rows of a streaming search over `[start, end)`, in no promised order.

    Rows come as the server sends them, one piece of the answer in memory at a time. A stream has
    no completeness signal: an early close looks like a short result. For exports and for looking at
    events by hand; rules use query jobs.

    Raises:
        UnexpectedResponse: A page instead of a stream, or a line that is not an object.
        ClientError: The server could not be asked, or the connection broke on the way.
    """
    spec = QuerySpec(
        query=query,
        start_ms=to_epoch_ms(start),
        end_ms=to_epoch_ms(end),
        arguments=arguments or {},
        options=options,
    )
    path = f"api/v1/repositories/{quote(repository, safe='')}/query"
    request = json_request(
        "POST", path, spec.to_wire(), idempotent=True, headers={"Accept": "application/x-ndjson"}
    )
    async with session.open(request) as response:
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


class Ingest:
    """Sends events, into the repository that its ingest token belongs to.

    Bodies of `COMPRESS_BYTES` and more go out gzipped.

    Args:
        session: Who sends.
        views: Asked whether a name that took no events is a view; None leaves that open.
        hec_path: Where HEC events go; text goes to `raw` under it.
    """

    def __init__(
        self, session: Session, *, views: Views | None = None, hec_path: str = HEC_PATH
    ) -> None:
        self._session, self._views, self._hec_path = session, views, hec_path

    async def structured(
        self, batches: Sequence[WireStructuredBatch], *, repository: str | None = None
    ) -> None:
        """Store events as they are; no parser runs, tags become `#name` fields.

        Args:
            batches: Events by their tags; sent as one request.
            repository: Given, the call goes to the older path of that repository, for user tokens.

        Raises:
            NotARepository: It is a view.
            UnknownRepository: There is none of this name.
        """
        path = "ingest/humio-structured" if repository is None else _of(repository, "ingest")
        await self._post_to(repository, json_request("POST", f"api/v1/{path}", batches))

    async def unstructured(
        self, batches: Sequence[WireMessages], *, repository: str | None = None
    ) -> None:
        """Store text lines through the token's parser, else the named one, else `kv`.

        Raises:
            NotARepository: It is a view.
            UnknownRepository: There is none of this name.
        """
        name = "ingest/humio-unstructured"
        path = name if repository is None else _of(repository, "ingest-messages")
        await self._post_to(repository, json_request("POST", f"api/v1/{path}", batches))

    async def hec(self, events: Iterable[WireHecEvent]) -> int:
        """Store events in batches and return how many were taken.

        Batches hold at most `BATCH_EVENTS` events and, unless one event is larger, `BATCH_BYTES`.
        An error leaves the batches before it stored.
        """
        count = 0
        for batch in batched_lines(json.dumps(event, ensure_ascii=False) for event in events):
            await self._post(_body(self._hec_path, "\n".join(batch), kind="application/json"))
            count += len(batch)
        return count

    async def hec_raw(self, lines: Iterable[str], *, source_type: str = "") -> int:
        """Store text lines in batches, one event a line, and return how many were taken.

        Args:
            lines: Without line ends; empty ones are left out.
            source_type: Parser to read them with, where the token has none of its own.
        """
        count = 0
        query = (("sourcetype", source_type),) if source_type else ()
        for batch in batched_lines(line for line in lines if line.strip()):
            request = _body(f"{self._hec_path}/raw", "\n".join(batch), kind="text/plain")
            await self._post(replace(request, query=query))
            count += len(batch)
        return count

    async def json(self, events: Iterable[Mapping[str, object]]) -> int:
        """Store JSON objects in batches through the token's parser; return how many were taken."""
        count = 0
        for batch in batched_lines(json.dumps(event, ensure_ascii=False) for event in events):
            text = f"[{','.join(batch)}]"
            await self._post(_body("api/v1/ingest/json", text, kind="application/json"))
            count += len(batch)
        return count

    async def raw(self, text: str) -> None:
        """Store a whole text as one event, through the token's parser."""
        await self._post(_body("api/v1/ingest/raw", text, kind="text/plain"))

    async def _post_to(self, repository: str | None, request: Request) -> None:
        try:
            await self._post(request)
        except (NotFound, RequestRejected) as exc:
            behind = None if repository is None else await self._behind_view(repository)
            if behind is None:
                raise
            raise NotARepository(
                f"{repository} is a view over {', '.join(behind) or 'nothing'}, and stores nothing",
                method=request.method,
                path=request.path,
                advice="Send the events to a repository",
            ) from exc

    async def _behind_view(self, name: str) -> list[str] | None:
        """Return the repositories behind a view; None for what is none, or is not told."""
        if self._views is None:
            return None
        try:
            found = [view for view in await self._views.list() if view.name == name]
        except ClientError:
            # The refusal in hand says more than this one would.
            return None
        return sorted(found[0].connections) if found and not found[0].is_repository else None

    async def _post(self, request: Request) -> None:
        check_accepted(await self._session.call(_compressed(request)))


def batched_lines(lines: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Yield lines in order, in batches within `BATCH_EVENTS` and `BATCH_BYTES`."""
    batch: list[str] = []
    batch_bytes = 0
    for line in lines:
        line_bytes = len(line.encode()) + 1
        if batch and (len(batch) >= BATCH_EVENTS or batch_bytes + line_bytes > BATCH_BYTES):
            yield tuple(batch)
            batch, batch_bytes = [], 0
        batch.append(line)
        batch_bytes += line_bytes
    if batch:
        yield tuple(batch)


def _body(path: str, text: str, *, kind: str) -> Request:
    return Request(
        method="POST",
        path=path,
        headers={"Content-Type": kind},
        content=text.encode("utf-8", "replace"),
    )


def _compressed(request: Request) -> Request:
    if len(request.content) < COMPRESS_BYTES:
        return request
    # Level 1: events shrink to a tenth already, and the sender's core is the bottleneck. Without a
    # time in its head the same events are the same bytes.
    content = gzip.compress(request.content, compresslevel=1, mtime=0)
    headers = {**request.headers, "Content-Encoding": "gzip"}
    return replace(request, content=content, headers=headers)


def _of(repository: str, what: str) -> str:
    return f"repositories/{quote(repository, safe='')}/{what}"
