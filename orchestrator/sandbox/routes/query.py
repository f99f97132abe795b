"""Routes of searching: query jobs, in both spellings of their path, and the streaming query."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from orchestrator.errors import CqlError, StoreFull
from orchestrator.ids import derive
from orchestrator.sandbox.answers import SUCCESS_HEADERS, Refusal, json_answer, text_answer
from orchestrator.sandbox.auth import caller_of, demand
from orchestrator.sandbox.faults.kinds import FaultKind
from orchestrator.sandbox.routes.query_body import body_of, is_live, search_of
from orchestrator.sandbox.search.job_wire import Dialect, Page, event_to_wire, poll_answer
from orchestrator.sandbox.search.live_stream import LiveTail, moved, oldest_first, streamable
from orchestrator.sandbox.search.query_jobs import Job, query_id
from orchestrator.sandbox.search.run import Search, refusal_text
from orchestrator.sandbox.settings import Right, TokenRole
from orchestrator.sandbox.state import ALL_EVENTS, Sandbox
from orchestrator.sandbox.storage.domains import Domain
from orchestrator.sandbox.storage.events import Snapshot

GATEWAY = "/humio"
"""Where the Falcon gateway has these routes."""
_NDJSON = "application/x-ndjson"
_MAX_INT = 2**31 - 1
_MAX_DIGITS = 10
_CHUNK_ROWS = 2_000

Rows = Sequence[Mapping[str, str]]


async def start_job(request: Request) -> Response:
    """`POST …/queryjobs`: check the query, start it, answer with its id."""
    sandbox, role, name = _reader(request)
    domain = sandbox.domain(name)
    body = body_of(await request.body())
    search = search_of(body, sandbox=sandbox, domain=domain, limit=sandbox.settings.filter_limit)
    job = sandbox.jobs.start(
        domain.name,
        search,
        lambda: sandbox.snapshots(domain),
        is_live=is_live(body),
        owner=role.name,
    )
    started = {"id": job.id, "queryOnView": search.checked.text}
    if not sandbox.settings.recorded_metadata_only:
        started["hashedQueryOnView"] = derive("query", search.checked.text)
    return json_answer(started)


async def poll_job(request: Request) -> Response:
    """`GET …/queryjobs/{id}`: the full snapshot so far, or an export of it."""
    sandbox, job = _job(request)
    page = _page(request.query_params)
    fault = sandbox.faults.take("GET", request.url.path, job=True)
    if fault is not None and fault.kind is FaultKind.LOST:
        sandbox.jobs.forget(job)
        raise _no_such_job(job.id)
    state = await sandbox.jobs.poll(job, fault=fault)
    mime = request.query_params.get("mimeType", "")
    if mime and not page.is_heartbeat:
        rows = state.answer.rows if state.answer is not None else ()
        fields = _columns(request.query_params.get("fieldsToExport", ""))
        return export(rows, mime, fields)
    return json_answer(poll_answer(state, page, _dialect(request, sandbox)))


async def delete_job(request: Request) -> Response:
    """`DELETE …/queryjobs/{id}`: stop and forget; 204 without a body, from the gateway 200."""
    sandbox, job = _job(request)
    sandbox.jobs.forget(job)
    return Response(status_code=200 if _is_gateway(request) else 204)


async def file_from_query(request: Request) -> Response:
    """`POST …/filefromquery?queryId=ID&filename=NAME.csv`: a job's rows become a lookup file.

    LogScale starts an operation and answers with its id; here it has ended by then.
    """
    sandbox, role, name = _reader(request)
    demand(role, Right.CHANGE_FILES, repository=name)
    domain = sandbox.domain(name)
    parameters = request.query_params
    # The page of the API spells it in small letters; a capital is met as well.
    file_name = parameters.get("filename") or parameters.get("fileName") or ""
    if not file_name.endswith(".csv"):
        raise Refusal(400, "The query parameter 'filename' was malformed: NAME.csv is expected")
    job_id = parameters.get("queryId", "")
    job = sandbox.jobs.find(job_id, domain=domain.name)
    if job is None:
        raise _no_such_job(job_id)
    answer = (await sandbox.jobs.poll(job)).answer
    if answer is None:
        raise Refusal(400, f"The query job with id={job_id} has no result yet")
    fields = answer.field_order or list(dict.fromkeys(name for row in answer.rows for name in row))
    try:
        file = sandbox.put_file(
            domain, file_name, _as_csv(answer.rows, fields).encode(), by=role.name
        )
    except StoreFull as exc:
        raise Refusal(503, str(exc)) from exc
    return json_answer({"id": derive("file", file.name, file.content_hash)[:24]})


async def stream_query(request: Request) -> Response:
    """`POST …/query`: every row of the answer, none of its metadata; a live one stays open."""
    sandbox, role, name = _reader(request)
    domain = sandbox.domain(name)
    body = body_of(await request.body())
    search = search_of(body, sandbox=sandbox, domain=domain, limit=None)
    sandbox.jobs.quotas.admit(role.name)
    if is_live(body):
        return _live(request, sandbox, domain, search)
    try:
        answer = await sandbox.jobs.finished(search, lambda: sandbox.snapshots(domain))
    except CqlError as exc:
        raise Refusal(400, refusal_text(search.checked.text, str(exc), exc.start, exc.end)) from exc
    mime = request.headers.get("accept", "")
    headers = {"humio-query-id": query_id(), **SUCCESS_HEADERS}
    if wanted := request.headers.get("x-desired-filename"):
        safe = "".join(c for c in wanted if c.isalnum() or c in "-_. ")
        headers["Content-Disposition"] = f'attachment; filename="{safe}"'
    if _NDJSON in mime:
        return StreamingResponse(_lines(answer.rows), headers=headers, media_type=_NDJSON)
    if "application/json" in mime:
        return Response(_array(answer.rows), headers=headers, media_type="application/json")
    return text_answer(200, _as_text(answer.rows), headers)


def _live(request: Request, sandbox: Sandbox, domain: Domain, search: Search) -> Response:
    """Return a stream that ends when the client leaves or the sandbox stops.

    Raises:
        Refusal: 400, the query is more than a filter, or an array is asked for, which never ends.
    """
    if not streamable(search.checked):
        # LogScale refuses a live aggregate here too.
        raise Refusal(400, "A live query that is streamed must be a filter; start a query job")
    accept = request.headers.get("accept", "")
    is_lines = _NDJSON in accept
    if not is_lines and "application/json" in accept:
        raise Refusal(400, f"A live query is streamed as {_NDJSON} or text/plain")
    headers = {
        "humio-query-id": query_id(),
        # Compressed, rows would wait until a block of them is full.
        "Content-Encoding": "identity",
        "Cache-Control": "no-store",
        **SUCCESS_HEADERS,
    }
    return StreamingResponse(
        _live_rows(sandbox, domain, search, _as_lines if is_lines else _as_text),
        headers=headers,
        media_type=_NDJSON if is_lines else "text/plain",
    )


async def _live_rows(
    sandbox: Sandbox, domain: Domain, search: Search, written: Callable[[Rows], str]
) -> AsyncGenerator[str]:
    tail = LiveTail(sandbox.logs(domain))
    sandbox.tails.add(tail)
    try:
        before = tail.open()
        found = oldest_first(await sandbox.jobs.finished(search, lambda: before))
        if found.rows:
            yield written(found.rows)
        async for batch in tail.batches():
            now = moved(search, now_ms=sandbox.now_ms())
            found = oldest_first(await sandbox.jobs.finished(now, partial(_alone, batch)))
            if found.rows:
                yield written(found.rows)
    finally:
        tail.end()
        sandbox.tails.discard(tail)


def _alone(batch: Snapshot) -> list[Snapshot]:
    return [batch]


def _is_gateway(request: Request) -> bool:
    return str(request.scope["root_path"]).endswith(GATEWAY)


def _dialect(request: Request, sandbox: Sandbox) -> Dialect:
    if sandbox.settings.recorded_metadata_only:
        return Dialect.RECORDED
    return Dialect.GATEWAY if _is_gateway(request) else Dialect.NEWER


def _reader(request: Request) -> tuple[Sandbox, TokenRole, str]:
    sandbox, role = caller_of(request)
    name = str(request.path_params.get("repository", ALL_EVENTS))
    demand(role, Right.READ, repository=name)
    return sandbox, role, name


def _job(request: Request) -> tuple[Sandbox, Job]:
    sandbox, role = caller_of(request)
    name = request.path_params.get("repository")
    demand(role, Right.READ, repository=name)
    job_id = str(request.path_params["job_id"])
    job = sandbox.jobs.find(job_id, domain=None if name is None else sandbox.domain(name).name)
    if job is None:
        raise _no_such_job(job_id)
    # Without a repository in its path, a job is still one of its own repository.
    demand(role, Right.READ, repository=job.domain)
    return sandbox, job


def _no_such_job(job_id: str) -> Refusal:
    return Refusal(404, f"Could not find the query job with id={job_id}")


def _page(parameters: Mapping[str, str]) -> Page:
    return Page(
        offset=_count(parameters, "paginationOffset") or 0,
        limit=_count(parameters, "paginationLimit"),
        sort_by=parameters.get("sortBy", ""),
        descending=_choice(parameters, "sortOrder", ("asc", "desc")) == "desc",
        is_heartbeat=_choice(parameters, "onlyHeartbeat", ("false", "true")) == "true",
    )


def _choice(parameters: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """Return which of the choices is asked for, the first where none is; case does not matter."""
    text = parameters.get(name, choices[0]).lower()
    if text not in choices:
        wanted = " or ".join(choices)
        raise Refusal(400, f"The query parameter '{name}' was malformed: {wanted} is expected")
    return text


def _count(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > _MAX_DIGITS or int(text) > _MAX_INT:
        raise Refusal(400, f"The query parameter '{name}' was malformed: a count is expected")
    return int(text)


def _columns(text: str) -> list[str]:
    """Return the names of a line of CSV."""
    try:
        return [name for line in csv.reader([text], strict=True) for name in line if name]
    except csv.Error as exc:
        raise Refusal(400, "The query parameter 'fieldsToExport' was malformed") from exc


def export(rows: Rows, mime: str, fields: Sequence[str]) -> Response:
    """Return the rows alone, in the form that `mimeType` names."""
    match mime:
        case "application/x-ndjson":
            lines = _lines(_narrowed(rows, fields))
            return StreamingResponse(lines, headers=SUCCESS_HEADERS, media_type=_NDJSON)
        case "application/json":
            array = _array(_narrowed(rows, fields))
            return Response(array, headers=SUCCESS_HEADERS, media_type="application/json")
        case "text/csv":
            if not fields:
                raise Refusal(400, "text/csv needs fieldsToExport")
            return Response(_as_csv(rows, fields), headers=SUCCESS_HEADERS, media_type="text/csv")
        case "text/plain":
            return text_answer(200, _as_text(rows), SUCCESS_HEADERS)
        case _:
            raise Refusal(400, f"mimeType '{mime}' is not one of the exports")


def _narrowed(rows: Rows, fields: Sequence[str]) -> Rows:
    """Return the rows with these fields alone, in this order; without any named, as they are."""
    if not fields:
        return rows
    return [{name: row[name] for name in fields if name in row} for row in rows]


def _lines(rows: Rows) -> Iterator[str]:
    # Many lines a chunk: each chunk costs a hop to another thread.
    for start in range(0, len(rows), _CHUNK_ROWS):
        chunk = rows[start : start + _CHUNK_ROWS]
        yield _as_lines(chunk)


def _as_lines(rows: Rows) -> str:
    return "".join(_dumps(event_to_wire(row)) + "\n" for row in rows)


def _array(rows: Rows) -> str:
    return _dumps([event_to_wire(row) for row in rows])


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _as_text(rows: Rows) -> str:
    lines = (
        row.get("@rawstring") or ", ".join(f"{name}->{value}" for name, value in row.items())
        for row in rows
    )
    return "".join(f"{line}\n" for line in lines)


def _as_csv(rows: Rows, fields: Sequence[str]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fields, extrasaction="ignore", restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
