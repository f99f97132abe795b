"""Ingest: events go in as they are, as text, as JSON or as HEC has them.

It is at least once: a batch whose fate is unknown is not sent again by itself, since the server
would store it twice; the error says so and the caller decides.
Source: library.humio.com, logscale-api/api-ingest-structured, api-ingest-hec; cassettes/ingest/.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from orchestrator.client.decode import check_accepted
from orchestrator.client.graphql.views import Views
from orchestrator.client.http.session import Session
from orchestrator.client.http.transport import Request
from orchestrator.client.wire import WireHecEvent, WireMessages, WireStructuredBatch
from orchestrator.errors import ClientError, NotARepository, NotFound, RequestRejected

BATCH_EVENTS = 500
"""As the vendor's own command line does."""
BATCH_BYTES = 1024 * 1024
HEC_PATH = "api/v1/ingest/hec"
COMPRESS_BYTES = 1024
_JSON, _TEXT = "application/json", "text/plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSize:
    """How much one request holds at most; a larger event goes alone."""

    events: int = BATCH_EVENTS
    size_bytes: int = BATCH_BYTES
    """Before compression."""


_USUAL = BatchSize()


class Ingest:
    """Sends events, into the repository that its ingest token belongs to.

    Bodies of `COMPRESS_BYTES` and more go out gzipped.

    Args:
        session: Who sends.
        views: Asked whether a name that took no events is a view; None leaves that open.
        batch: How much goes into one request.
        hec_path: Where HEC events go; text goes to `raw` under it.
    """

    def __init__(
        self,
        session: Session,
        *,
        views: Views | None = None,
        batch: BatchSize = _USUAL,
        hec_path: str = HEC_PATH,
    ) -> None:
        self._session, self._views, self._batch = session, views, batch
        self._hec_path = hec_path

    async def structured(
        self, batches: Sequence[WireStructuredBatch], *, repository: str | None = None
    ) -> int:
        """Store events as they are, and return how many; no parser runs, tags become `#name`.

        More than one request can hold goes out in several, see `batched_groups`.

        Args:
            batches: Events by their tags.
            repository: Given, the call goes to the older path of that repository, for user tokens.

        Raises:
            NotARepository: It is a view.
            UnknownRepository: There is none of this name.
            ClientError: `events_taken` says how many are stored, unless the last ones are too.
        """
        path = "ingest/humio-structured" if repository is None else _of(repository, "ingest")
        return await self._send_groups(path, batches, "events", repository=repository)

    async def unstructured(
        self, batches: Sequence[WireMessages], *, repository: str | None = None
    ) -> int:
        """Store text lines, and return how many.

        They are read by the token's parser, else by the named one, else by `kv`.

        Raises:
            NotARepository: It is a view.
            UnknownRepository: There is none of this name.
            ClientError: `events_taken` says how many are stored, unless the last ones are too.
        """
        name = "ingest/humio-unstructured"
        path = name if repository is None else _of(repository, "ingest-messages")
        return await self._send_groups(path, batches, "messages", repository=repository)

    async def hec(self, events: Iterable[WireHecEvent]) -> int:
        """Store events in batches and return how many were taken.

        Raises:
            ClientError: `events_taken` says how many are stored, unless the last ones are too.
        """
        lines = (json.dumps(event, ensure_ascii=False) for event in events)
        return await self._send(
            (_body(self._hec_path, "\n".join(batch), kind=_JSON), len(batch))
            for batch in batched_lines(lines, self._batch)
        )

    async def hec_raw(self, lines: Iterable[str], *, source_type: str = "") -> int:
        """Store text lines in batches, one event a line, and return how many were taken.

        Args:
            lines: Without line ends; empty ones are left out.
            source_type: Parser to read them with, where the token has none of its own.

        Raises:
            ClientError: `events_taken` says how many are stored, unless the last ones are too.
        """
        query = (("sourcetype", source_type),) if source_type else ()
        return await self._send(
            (
                replace(_body(f"{self._hec_path}/raw", "\n".join(batch), kind=_TEXT), query=query),
                len(batch),
            )
            for batch in batched_lines((line for line in lines if line.strip()), self._batch)
        )

    async def json(self, events: Iterable[Mapping[str, object]]) -> int:
        """Store JSON objects in batches through the token's parser; return how many were taken.

        Raises:
            ClientError: `events_taken` says how many are stored, unless the last ones are too.
        """
        lines = (json.dumps(event, ensure_ascii=False) for event in events)
        return await self._send(
            (_body("api/v1/ingest/json", f"[{','.join(batch)}]", kind=_JSON), len(batch))
            for batch in batched_lines(lines, self._batch)
        )

    async def raw(self, text: str) -> None:
        """Store a whole text as one event, through the token's parser."""
        await self._post(_body("api/v1/ingest/raw", text, kind=_TEXT))

    async def _send_groups(
        self,
        path: str,
        groups: Sequence[Mapping[str, Any]],
        member: str,
        *,
        repository: str | None,
    ) -> int:
        return await self._send(
            (
                (_body(f"api/v1/{path}", text, kind=_JSON), count)
                for text, count in batched_groups(groups, self._batch, member=member)
            ),
            repository=repository,
        )

    async def _send(
        self, batches: Iterable[tuple[Request, int]], *, repository: str | None = None
    ) -> int:
        """Send requests one after the other, each with its number of events; return their sum."""
        taken = 0
        for request, count in batches:
            try:
                await self._post_to(repository, request)
            except ClientError as exc:
                exc.events_taken = taken
                raise
            taken += count
        return taken

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

    async def _behind_view(self, name: str) -> tuple[str, ...] | None:
        """Return the repositories behind a view; None for what is none, or is not told."""
        if self._views is None:
            return None
        try:
            found = [view for view in await self._views.list() if view.name == name]
        except ClientError:
            # The refusal in hand says more than this one would.
            return None
        return found[0].repositories if found and not found[0].is_repository else None

    async def _post(self, request: Request) -> None:
        check_accepted(await self._session.call(_compressed(request)))


def batched_lines(lines: Iterable[str], size: BatchSize = _USUAL) -> Iterator[tuple[str, ...]]:
    """Yield lines in order, in batches of at most `size`."""
    batch: list[str] = []
    batch_bytes = 0
    for line in lines:
        line_bytes = len(line.encode()) + 1
        if batch and (len(batch) >= size.events or batch_bytes + line_bytes > size.size_bytes):
            yield tuple(batch)
            batch, batch_bytes = [], 0
        batch.append(line)
        batch_bytes += line_bytes
    if batch:
        yield tuple(batch)


def batched_groups(
    groups: Iterable[Mapping[str, Any]], size: BatchSize = _USUAL, *, member: str
) -> Iterator[tuple[str, int]]:
    """Yield groups as the text of JSON lists, each with how many items it has.

    Items stay in order. A group of more than a list may hold is in several, each time with its
    other members; no group at all is one list of nothing.

    Args:
        groups: Objects.
        size: The most that one list holds.
        member: The one that holds a group's items.
    """
    texts: list[str] = []
    count = batch_bytes = 0
    for group in groups:
        others = {name: value for name, value in group.items() if name != member}
        head = json.dumps({**others, member: []}, ensure_ascii=False).removesuffix("]}")
        batch_bytes += len(head)
        items: list[str] = []
        for item in group[member]:
            text = json.dumps(item, ensure_ascii=False)
            item_bytes = len(text.encode("utf-8", "replace")) + 1
            if count and (count >= size.events or batch_bytes + item_bytes > size.size_bytes):
                if items:
                    texts.append(_group(head, items))
                yield f"[{','.join(texts)}]", count
                texts, items = [], []
                count, batch_bytes = 0, len(head)
            items.append(text)
            count += 1
            batch_bytes += item_bytes
        texts.append(_group(head, items))
    yield f"[{','.join(texts)}]", count


def _group(head: str, items: list[str]) -> str:
    return f"{head}{','.join(items)}]}}"


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
