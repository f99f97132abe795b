"""Foundry's saved searches: executed by name or as they come, and their results.

A saved search is a saved query of a search domain and runs where it is; it has one version. The
words of a job's status are the sandbox's own.
Source: CrowdStrike falconpy and gofalcon, foundry_logscale.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.cql.parser.characters import quote
from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.auth import caller_of
from orchestrator.sandbox.gateway.envelope import answer, caller, number_in, object_body
from orchestrator.sandbox.gateway.foundry import LOGGING
from orchestrator.sandbox.routes.query import export
from orchestrator.sandbox.routes.query_body import search_of
from orchestrator.sandbox.search.answer_extras import field_stats
from orchestrator.sandbox.search.job_wire import Dialect, Page, PollState, poll_answer
from orchestrator.sandbox.search.query_jobs import Job
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import AssetKind, Domain, Record, display_name

_SEARCHES = f"{LOGGING}/entities/saved-searches"
_MODES = ("sync", "async", "async_offload")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?\Z")
Rows = Sequence[Mapping[str, str]]


def routes() -> list[BaseRoute]:
    """Return the routes of saved searches, in both spellings of their paths."""
    return [
        route
        for execute_path, dynamic_path, download_path in (
            ("/execute", "/execute-dynamic", "/job-results-download"),
            ("-execute", "-dynamic-execute", "-job-results-download"),
        )
        for route in (
            Route(f"{_SEARCHES}{execute_path}/v1", execute, methods=["POST"]),
            Route(f"{_SEARCHES}{execute_path}/v1", results),
            Route(f"{_SEARCHES}{dynamic_path}/v1", execute_dynamic, methods=["POST"]),
            Route(f"{_SEARCHES}{download_path}/v1", download),
        )
    ]


async def execute(request: Request) -> Response:
    """`POST …/execute/v1`: run a saved search, named by `id` or `name`."""
    sandbox = caller(request, Right.READ)
    body = await object_body(request)
    domain, record = _saved(sandbox, body)
    asked = {
        "queryString": _query(str(record["queryString"]), body),
        "start": body.get("start") or record["start"],
        "end": body.get("end") or record["end"],
        "arguments": body.get("parameters") or {},
    }
    mode = request.query_params.get("mode") or str(body.get("mode") or "")
    return await _started(request, domain, asked, mode=mode)


async def execute_dynamic(request: Request) -> Response:
    """`POST …/execute-dynamic/v1`: run the query that the body holds."""
    sandbox = caller(request, Right.READ)
    body = await object_body(request)
    domain = sandbox.domain(str(body.get("repo_or_view") or ""))
    asked = {
        "queryString": body.get("search_query"),
        "start": body.get("start"),
        "end": body.get("end"),
        "arguments": body.get("search_query_args") or {},
    }
    return await _started(request, domain, asked, mode=request.query_params.get("mode", ""))


async def results(request: Request) -> Response:
    """`GET …/execute/v1?job_id=&limit=&offset=`: what a job has found so far."""
    sandbox, job = _job(request)
    return answer([_result(request, job, await sandbox.jobs.poll(job))])


async def download(request: Request) -> Response:
    """`GET …/job-results-download/v1?job_id=&result_format=`: all rows of a job as a file.

    Raises:
        Refusal: 400, the job has no result, or the format is another.
    """
    sandbox, job = _job(request)
    name = request.query_params.get("result_format") or "json"
    if name not in ("json", "csv"):
        raise Refusal(400, "result_format must be json or csv")
    found = (await sandbox.jobs.poll(job)).answer
    if found is None:
        raise Refusal(400, f"job {job.id} has no result")
    if name == "json":
        rows = [_event(request, row) for row in found.rows]
        # A file, and no answer: clients look for an envelope in all that says it is JSON.
        return Response(json.dumps(rows, ensure_ascii=False), media_type="application/octet-stream")
    fields = found.field_order or list(dict.fromkeys(name for row in found.rows for name in row))
    return export(found.rows, "text/csv", fields)


async def _started(
    request: Request, domain: Domain, asked: Mapping[str, object], *, mode: str
) -> Response:
    """Start the search and answer with its result, or at once where the mode is not sync.

    Raises:
        Refusal: 400, the search is wrong, or failed.
    """
    if mode and mode not in _MODES:
        raise Refusal(400, f"mode must be one of {', '.join(_MODES)}")
    sandbox, role = caller_of(request)
    search = search_of(asked, sandbox=sandbox, domain=domain, limit=sandbox.settings.filter_limit)
    job = sandbox.jobs.start(
        domain.name,
        search,
        lambda: sandbox.snapshots(domain),
        is_live=False,
        owner=role.name,
    )
    if mode.startswith("async"):
        return answer([_empty(job)])
    state = await sandbox.jobs.poll(job)
    while not state.done:
        state = await sandbox.jobs.poll(job)
    if job.problem:
        raise Refusal(400, job.problem)
    return answer([_result(request, job, state)])


def _saved(sandbox: Sandbox, body: Mapping[str, object]) -> tuple[Domain, Record]:
    """Return the saved query that the body names, and where it is.

    Raises:
        Refusal: 400, none is named; 404, there is none.
    """
    wanted_id, name = body.get("id"), body.get("name")
    if not wanted_id and not name:
        raise Refusal(400, "id or name of a saved search is required")
    for domain in sandbox.domains.values():
        for record in domain.assets[AssetKind.SAVED_QUERY].values():
            if record["id"] == wanted_id or (not wanted_id and display_name(record) == name):
                return domain, record
    raise Refusal(404, f"saved search {str(wanted_id or name)[:80]!r} not found")


def _query(text: str, body: Mapping[str, object]) -> str:
    """Return the query with the steps that the body adds: in, sort, limit, then names.

    Raises:
        Refusal: 400, one of them is not of its shape.
    """
    steps = [text]
    if (within := _object(body, "with_in")) is not None:
        values = ", ".join(_texts(within, "values"))
        steps.append(f"in({_text(within, 'field')}, values=[{values}])")
    if (sort := _object(body, "with_sort")) is not None:
        given = [f"[{', '.join(_texts(sort, 'fields'))}]"]
        given += [f"{n}=[{', '.join(_texts(sort, n))}]" for n in ("order", "type") if sort.get(n)]
        given += [f"limit={_number(sort, 'limit')}"] if sort.get("limit") else []
        given += ["reverse=true"] if sort.get("reverse") is True else []
        steps.append(f"sort({', '.join(given)})")
    if (limit := _object(body, "with_limit")) is not None:
        end = limit.get("from")
        if end not in ("head", "tail"):
            raise Refusal(400, "with_limit.from must be head or tail")
        steps.append(f"{end}({_number(limit, 'limit')})")
    renames = body.get("with_renames") or []
    if not isinstance(renames, list) or not all(isinstance(one, dict) for one in renames):
        raise Refusal(400, "with_renames must be an array of objects")
    steps += [f"rename({_text(one, 'field')}, as={_text(one, 'as')})" for one in renames]
    # On a line of its own: the text before it may end in a comment.
    return "\n| ".join(steps)


def _object(body: Mapping[str, object], name: str) -> Mapping[str, object] | None:
    found = body.get(name)
    if found is not None and not isinstance(found, dict):
        raise Refusal(400, f"{name} must be an object")
    return found or None


def _text(raw: Mapping[str, object], name: str) -> str:
    """Return a member, a text, as a text of CQL."""
    found = raw.get(name)
    if not isinstance(found, str):
        raise Refusal(400, f"{name} must be a text")
    return quote(found)


def _texts(raw: Mapping[str, object], name: str) -> list[str]:
    """Return a member, an array of texts, as texts of CQL."""
    found = raw.get(name)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Refusal(400, f"{name} must be an array of texts")
    return [quote(one) for one in found]


def _number(raw: Mapping[str, object], name: str) -> int:
    found = raw.get(name)
    if not isinstance(found, int) or isinstance(found, bool):
        raise Refusal(400, f"{name} must be a whole number")
    return found


def _job(request: Request) -> tuple[Sandbox, Job]:
    """Return the job that the query string names.

    Raises:
        Refusal: 400, it names none; 404, there is none.
    """
    sandbox = caller(request, Right.READ)
    job_id = request.query_params.get("job_id", "")
    if not job_id:
        raise Refusal(400, "job_id is required")
    job = sandbox.jobs.find(job_id, domain=None)
    if job is None:
        raise Refusal(404, f"job {job_id[:80]!r} not found")
    return sandbox, job


def _empty(job: Job) -> Record:
    """Return the result of a job that has only begun."""
    return {
        "events": [],
        "event_count": 0,
        "filtered_event_count": 0,
        "job_status": {"job_id": job.id, "status": "RUNNING", "percent_complete": 0},
    }


def _result(request: Request, job: Job, state: PollState) -> Record:
    """Return a job's rows, the page of them that is asked for, and its status."""
    if not state.done:
        return _empty(job)
    rows: Rows = () if state.answer is None else state.answer.rows
    asked = request.query_params
    offset = number_in(request, "offset", 0)
    shown = rows[offset : offset + number_in(request, "limit", len(rows))]
    if asked.get("job_status_only") == "true":
        shown = ()
    counts = {"event_count": len(rows), "filtered_event_count": len(rows)}
    status = {"job_id": job.id, "status": "COMPLETED", "percent_complete": 100, **counts}
    if job.problem:
        status |= {"status": "FAILED", "error_message": job.problem}
    found: Record = {
        "events": [_event(request, row) for row in shown],
        **counts,
        "job_status": {**status, "result_count": len(rows), "run_duration": state.age_ms / 1000},
    }
    if asked.get("detailed") == "true":
        found["fields"] = [_field(stats) for stats in field_stats(rows)]
    if asked.get("metadata") == "true":
        heartbeat = Page(is_heartbeat=True)
        found["meta_data"] = poll_answer(state, heartbeat, Dialect.GATEWAY)["metaData"]
    return found


def _event(request: Request, row: Mapping[str, str]) -> dict[str, object]:
    """Return a row, its values texts; with `infer_json_types` numbers and truth are themselves."""
    if request.query_params.get("infer_json_types") != "true":
        return dict(row)
    return {name: _inferred(value) for name, value in row.items()}


def _inferred(value: str) -> object:
    if value in ("true", "false") or _NUMBER.match(value):
        return json.loads(value)
    return value


def _field(stats: Record) -> Record:
    top = stats["topValues"].items()
    return {
        "name": stats["fieldName"],
        "count": stats["numOfOccurrences"],
        "topValues": [{"value": value, "count": count} for value, count in top],
    }
