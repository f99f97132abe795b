"""Answers from recorded exchanges: the cassette transport.

A cassette is a YAML file that can be read in review: where it comes from, then requests with their
answers, bodies as text. Exchanges are served in order; a request that does not match the next one
fails at once, naming what differs. Public, so that users of the client can test with their own.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import yaml

from orchestrator.client.http.transport import OpenResponse, Request, Response

# The vendor's old spelling of one path, in recordings and shipped clients.
_OLD_PATH, _PATH = "api/v1/dataspaces/", "api/v1/repositories/"


class Origin(StrEnum):
    """What a cassette is evidence of."""

    RECORDED = "recorded"
    """Seen in the traffic of a real server."""
    TRANSCRIBED = "transcribed"
    """Written down from the vendor's documents or schema."""
    SYNTHETIC = "synthetic"
    """Made up to reach a branch; evidence of nothing."""


class CassetteMismatch(AssertionError):
    """A request is not the one that the cassette holds next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer. A request body matches if it holds at least these members."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: str = ""
    response: Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Cassette:
    """Exchanges in order, and where they come from."""

    origin: Origin
    source: str
    """Product version and date, or document and section, or the reason."""
    exchanges: tuple[Exchange, ...]
    path: Path | None = field(default=None, compare=False)


def load_cassette(path: Path) -> Cassette:
    """Return the cassette of a YAML file.

    Raises:
        ValueError: The file is not a cassette.
        OSError: It cannot be read.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        return Cassette(
            origin=Origin(content["origin"]),
            source=str(content["source"]),
            exchanges=tuple(_exchange(item) for item in content["exchanges"]),
            path=path,
        )
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"{path} is not a cassette: {exc}") from exc


def _exchange(item: Mapping[str, Mapping[str, object]]) -> Exchange:
    request, response = item["request"], item["response"]
    query = request.get("query") or {}
    headers = response.get("headers") or {}
    if not isinstance(query, dict) or not isinstance(headers, dict):
        raise TypeError("query and headers are mappings")
    return Exchange(
        method=str(request["method"]),
        path=str(request["path"]).lstrip("/"),
        query=tuple((str(name), str(value)) for name, value in query.items()),
        body=str(request.get("body") or ""),
        response=Response(
            status=int(str(response["status"])),
            headers={str(name).lower(): str(value) for name, value in headers.items()},
            body=str(response.get("body") or "").encode(),
        ),
    )


class ReplayTransport:
    """Serves cassettes, one after the other."""

    def __init__(self, *cassettes: Cassette) -> None:
        self._left = [exchange for cassette in cassettes for exchange in cassette.exchanges]

    @property
    def left(self) -> Sequence[Exchange]:
        """Return the exchanges that nobody asked for."""
        return tuple(self._left)

    async def send(self, request: Request) -> Response:
        """Return the recorded answer to the next request.

        Raises:
            CassetteMismatch: The request is another one, or the cassette is over.
        """
        asked = f"{request.method} {request.path}"
        if not self._left:
            raise CassetteMismatch(f"{asked} after the cassette's end")
        exchange = self._left[0]
        recorded = f"{exchange.method} {exchange.path}"
        if asked != recorded.replace(_OLD_PATH, _PATH, 1):
            raise CassetteMismatch(f"{asked} where the cassette has {recorded}")
        if not set(exchange.query) <= set(request.query):
            raise CassetteMismatch(f"{asked}: the query string differs from the cassette's")
        if exchange.body and not _holds(_parsed(request.content), _parsed(exchange.body.encode())):
            raise CassetteMismatch(f"{asked}: the body lacks members that the cassette has")
        del self._left[0]
        return exchange.response

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[OpenResponse]:
        """Yield the recorded answer, its body in one piece."""
        response = await self.send(request)

        async def chunks() -> AsyncIterator[bytes]:
            yield response.body

        yield OpenResponse(status=response.status, headers=response.headers, chunks=chunks())

    async def close(self) -> None:
        """Do nothing: there is nothing to free."""


def _parsed(body: bytes) -> object:
    try:
        content: object = json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace").strip()
    return content


def _holds(sent: object, recorded: object) -> bool:
    """Return whether `sent` has everything that `recorded` has, at every depth."""
    if isinstance(recorded, dict) and isinstance(sent, dict):
        return all(name in sent and _holds(sent[name], recorded[name]) for name in recorded)
    if isinstance(recorded, list) and isinstance(sent, list):
        return len(sent) == len(recorded) and all(map(_holds, sent, recorded))
    return sent == recorded
