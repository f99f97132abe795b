"""Routes of ingest: structured, unstructured, JSON, raw, HEC and Elasticsearch bulk.

An ingest token decides the repository. A user's token names it in the path, or, for HEC, as
`index`; where the sandbox has one repository only, that one is meant.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import polars as pl
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.errors import StoreFull
from orchestrator.sandbox.answers import Refusal, forbidden, json_answer
from orchestrator.sandbox.auth import caller_of, demand
from orchestrator.sandbox.ingest.columns import structured_frame
from orchestrator.sandbox.ingest.elastic_bulk import PRODUCT_HEADERS, bulk_answer, bulk_items
from orchestrator.sandbox.ingest.otlp import otlp_log_rows
from orchestrator.sandbox.ingest.parsers import parsed_rows, scripts_of
from orchestrator.sandbox.ingest.refusals import BodyRefused
from orchestrator.sandbox.ingest.shapes import (
    Row,
    hec_rows,
    json_rows,
    text_row,
    unstructured_rows,
)
from orchestrator.sandbox.settings import Right, TokenRole
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.events import frame_of, rows_of

Decoded = TypeVar("Decoded")
_PROTOBUF = "application/x-protobuf"
MAX_BODY_BYTES = 256 * 1024 * 1024


async def ingest_structured(request: Request) -> Response:
    """`humio-structured`, by ingest token or by a repository in the path."""
    sandbox, role = _sender(request)
    repository = _repository(request, sandbox, role)
    frame = await _decoded(structured_frame, request)
    # These events are parsed already: only a parser of the token's own looks at them again.
    await store_events(sandbox, repository, frame, parser=role.parser, by_type=False)
    return json_answer({})


async def ingest_unstructured(request: Request) -> Response:
    """`humio-unstructured` or `ingest-messages`."""
    sandbox, role = _sender(request)
    repository = _repository(request, sandbox, role)
    now_ms, parser = sandbox.now_ms(), role.parser
    rows = await _decoded(partial(unstructured_rows, now_ms=now_ms, parser=parser), request)
    await store_events(sandbox, repository, rows, parser=parser)
    return json_answer({})


async def ingest_json(request: Request) -> Response:
    """`ingest/json`: one object is one event, an array one event each."""
    sandbox, role = _sender(request)
    repository = _repository(request, sandbox, role)
    rows = await _decoded(partial(json_rows, now_ms=sandbox.now_ms()), request)
    await store_events(sandbox, repository, rows, parser=role.parser)
    return json_answer({})


async def ingest_elastic_bulk(request: Request) -> Response:
    """`ingest/elastic-bulk`: the answer says what became of each document."""
    sandbox, role = _sender(request)
    repository = _repository(request, sandbox, role)
    began = sandbox.clock.monotonic()
    read = partial(bulk_items, now_ms=sandbox.now_ms(), parser=role.parser)
    items = await _decoded(read, request)
    rows = [item.row for item in items if item.row is not None]
    await store_events(sandbox, repository, rows, parser=role.parser)
    took_ms = int((sandbox.clock.monotonic() - began) * 1000)
    answer = json_answer(bulk_answer(items, took_ms=took_ms))
    answer.headers.update(PRODUCT_HEADERS)
    return answer


async def ingest_otlp_logs(request: Request) -> Response:
    """`ingest/otlp/v1/logs`: protobuf alone, as on LogScale; the answer is an empty message.

    Raises:
        Refusal: 415, another content type.
    """
    sandbox, role = _sender(request)
    repository = _repository(request, sandbox, role)
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != _PROTOBUF:
        raise Refusal(415, f"OpenTelemetry's records are taken as {_PROTOBUF} alone")
    rows = await _decoded(partial(otlp_log_rows, now_ms=sandbox.now_ms()), request)
    await store_events(sandbox, repository, rows, parser=role.parser)
    return Response(b"", media_type=_PROTOBUF)


async def ingest_raw(request: Request) -> Response:
    """`ingest/raw`: the whole body is one event."""
    sandbox, role = _sender(request)
    repository = _repository(request, sandbox, role)
    text = (await _body(request)).decode("utf-8", "replace")
    row = text_row(text, now_ms=sandbox.now_ms(), parser=role.parser or "kv")
    await store_events(sandbox, repository, [row], parser=role.parser)
    return json_answer({})


async def ingest_hec(request: Request) -> Response:
    """HEC: JSON objects one after the other; Splunk's own form of success."""
    sandbox, role = _sender(request)
    read = partial(hec_rows, now_ms=sandbox.now_ms(), parser=role.parser)
    found = await _decoded(read, request)
    by_repository: dict[str, list[Row]] = {}
    for index, row in found:
        demand(role, Right.INGEST, repository=index)
        repository = index or _repository(request, sandbox, role)
        by_repository.setdefault(repository, []).append(row)
    for repository, rows in by_repository.items():
        await store_events(sandbox, repository, rows, parser=role.parser)
    return json_answer({"text": "Success", "code": 0})


async def ingest_hec_raw(request: Request) -> Response:
    """HEC raw: every line is an event."""
    sandbox, role = _sender(request)
    repository = _repository(request, sandbox, role)
    text = (await _body(request)).decode("utf-8", "replace")
    parser = role.parser or request.query_params.get("sourcetype", "kv")
    told = {
        "channel": request.headers.get("x-splunk-request-channel")
        or request.query_params.get("channel"),
        "@host": request.query_params.get("host"),
        "@source": request.query_params.get("source"),
    }
    shared = {name: value for name, value in told.items() if value}
    rows = [
        text_row(line, now_ms=sandbox.now_ms(), parser=parser) | shared
        for line in text.splitlines()
        if line.strip()
    ]
    await store_events(sandbox, repository, rows, parser=role.parser)
    return json_answer({"text": "Success", "code": 0})


def _sender(request: Request) -> tuple[Sandbox, TokenRole]:
    sandbox, role = caller_of(request)
    demand(role, Right.INGEST, repository=request.path_params.get("repository"))
    return sandbox, role


def _repository(request: Request, sandbox: Sandbox, role: TokenRole) -> str:
    """Return the repository that the path, the token or the lack of any other names."""
    named = request.path_params.get("repository") or role.repository
    if named is not None:
        return str(named)
    names = [domain.name for domain in sandbox.domains.values() if not domain.is_view]
    if len(names) != 1:
        # On LogScale this path takes ingest tokens only, and they are bound to one repository.
        raise forbidden()
    return names[0]


async def _decoded(decode: Callable[[bytes], Decoded], request: Request) -> Decoded:
    """Return the body's events; decoding is CPU work and runs in a thread.

    Raises:
        Refusal: 400, the body is not of this path's shape.
    """
    try:
        return await asyncio.to_thread(decode, await _body(request))
    except BodyRefused as exc:
        raise Refusal(400, f"The request content was malformed: {exc}") from exc


async def _body(request: Request) -> bytes:
    """Return the request's body, unpacked where it is gzipped or deflated.

    Raises:
        Refusal: 400, not packed as it says; 413, larger than `MAX_BODY_BYTES`; 415, another
            encoding.
    """
    body = await request.body()
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding == "identity":
        return body
    if encoding not in _UNPACK:
        raise Refusal(415, f"The content encoding {encoding} is not known")
    return await asyncio.to_thread(_unpacked, body, encoding)


def _unpacked(body: bytes, encoding: str) -> bytes:
    try:
        content = _UNPACK[encoding](body)
    except (OSError, EOFError, zlib.error) as exc:
        raise Refusal(400, f"The request content was malformed: not {encoding}") from exc
    if len(content) > MAX_BODY_BYTES:
        raise Refusal(413, f"The request is larger than {MAX_BODY_BYTES} bytes")
    return content


def _gunzipped(body: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
        # Read with a limit: a small body may unpack to any size.
        return packed.read(MAX_BODY_BYTES + 1)


def _inflated(body: bytes) -> bytes:
    stream = zlib.decompressobj()
    content = stream.decompress(body, MAX_BODY_BYTES + 1)
    if not stream.eof and len(content) <= MAX_BODY_BYTES:
        raise EOFError("the stream ends early")
    return content


_UNPACK = {"gzip": _gunzipped, "deflate": _inflated}


async def store_events(
    sandbox: Sandbox,
    repository: str,
    events: Sequence[Row] | pl.DataFrame,
    *,
    parser: str | None,
    by_type: bool = True,
) -> None:
    """Store the events, parsed by the repository's own parsers where it has any."""
    # Read before the thread starts: parsers may change while it runs.
    if scripts := scripts_of(sandbox.domain(repository)):
        rows = rows_of(events) if isinstance(events, pl.DataFrame) else events
        parse = partial(parsed_rows, imposed=parser, by_type=by_type, now_ms=sandbox.now_ms())
        events = await asyncio.to_thread(parse, rows, scripts)
    if not isinstance(events, pl.DataFrame):
        events = await asyncio.to_thread(frame_of, events)
    try:
        await sandbox.ingest(repository, events)
    except BodyRefused as exc:
        raise Refusal(400, f"The request content was malformed: {exc}") from exc
    except StoreFull as exc:
        raise Refusal(503, str(exc)) from exc
