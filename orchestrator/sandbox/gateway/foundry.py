"""Foundry's logging API: repositories, views, and events that an app writes.

There an app has a repository of its own; here it is the first one, unless the request names
another. What becomes of a tag is not published: here it is a tag of the event.
Source: CrowdStrike falconpy and gofalcon, foundry_logscale; CrowdStrike foundry-sample-logscale.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.gateway.envelope import answer, caller
from orchestrator.sandbox.gateway.forms import domain_of
from orchestrator.sandbox.ingest.refusals import BodyRefused
from orchestrator.sandbox.ingest.shapes import json_rows
from orchestrator.sandbox.routes.ingest import store_events
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Domain, Record

LOGGING = "/loggingapi"
TEST_TAG = "#test-ingest"
"""Marks events that were sent as test data; searches see them like any other."""


def routes() -> list[BaseRoute]:
    """Return the routes of repositories, views and ingest."""
    ingestion = f"{LOGGING}/entities/data-ingestion"
    return [
        Route(f"{LOGGING}/combined/repos/v1", list_repositories),
        Route(f"{LOGGING}/entities/views/v1", list_views),
        Route(f"{ingestion}/ingest/v1", ingest, methods=["POST"]),
        # Events are stored when the answer leaves in any case.
        Route(f"{ingestion}/ingest-async/v1", ingest, methods=["POST"]),
    ]


async def list_repositories(request: Request) -> Response:
    """`GET …/combined/repos/v1?check_test_data=`: every repository."""
    return _listing(request, is_view=False)


async def list_views(request: Request) -> Response:
    """`GET …/entities/views/v1?check_test_data=`: every view, with what is behind it."""
    return _listing(request, is_view=True)


async def ingest(request: Request) -> Response:
    """`POST …/ingest/v1`: a JSON object is an event, an array one each."""
    sandbox = caller(request, Right.INGEST)
    sent = await _sent(request)
    domain = domain_of(sandbox, sent.repository or "all")
    read = partial(json_rows, now_ms=sandbox.now_ms())
    try:
        rows = await asyncio.to_thread(read, sent.content)
    except BodyRefused as exc:
        raise Refusal(400, str(exc)) from exc
    await store_events(sandbox, domain.name, [row | sent.tags for row in rows], parser=None)
    count = len(rows)
    written = {"rows_written": count, "total_events": count, "successful_events": count}
    repository = {
        "id": domain.id,
        "name": domain.name,
        "description": domain.description,
        "space_used": _size(sandbox, domain),
    }
    return answer([{**written, "failed_events": 0, "partial_success": False, "repo": repository}])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """What the form of an ingest holds."""

    content: bytes
    repository: str
    tags: dict[str, str]


async def _sent(request: Request) -> _Sent:
    """Return what is to be stored.

    Raises:
        Refusal: 400, the form has no data, or a tag without a value.
    """
    async with request.form() as form:
        data = form.get("data_file") or form.get("data_content")
        content = await data.read() if isinstance(data, UploadFile) else str(data or "").encode()
        # Some clients send one member with commas in it.
        given = [tag for part in form.getlist("tag") for tag in str(part).split(",") if tag]
        source, is_test = form.get("tag_source"), _is_set(str(form.get("test_data", "")))
        # falconpy has no place for it in its form.
        repository = form.get("repo") or request.query_params.get("repo")
    if not content:
        raise Refusal(400, "data_file or data_content is expected")
    tags: dict[str, str] = {}
    for tag in given:
        name, colon, value = tag.partition(":")
        if not colon or not name:
            raise Refusal(400, f"tag {tag[:80]!r} must have the form tag:value")
        tags[f"#{name.lstrip('#')}"] = value
    if source:
        tags["#source"] = str(source)
    if is_test:
        tags[TEST_TAG] = "true"
    return _Sent(content=content, repository=str(repository or ""), tags=tags)


def _listing(request: Request, *, is_view: bool) -> Response:
    sandbox = caller(request, Right.READ)
    checks = _is_set(request.query_params.get("check_test_data", ""))
    found = [domain for domain in sandbox.domains.values() if domain.is_view is is_view]
    return answer([_item(sandbox, domain, checks=checks) for domain in found])


def _item(sandbox: Sandbox, domain: Domain, *, checks: bool) -> Record:
    has_test_data = checks and any(
        TEST_TAG in run.frame.columns
        for snapshot in sandbox.snapshots(domain)
        for run in snapshot.runs
    )
    connections = [
        {"filter": connection.filter, "repository": _repository(sandbox, connection.repository)}
        for connection in domain.connections or ()
        if connection.repository in sandbox.domains
    ]
    return {
        "id": domain.id,
        "name": domain.name,
        "display_name": domain.name,
        "name_contracted": domain.name,
        "description": domain.description,
        "type_name": "View" if domain.is_view else "Repository",
        "has_test_data": has_test_data,
        "size": 0 if domain.is_view else _size(sandbox, domain),
        "connections": connections,
    }


def _repository(sandbox: Sandbox, name: str) -> Record:
    domain = sandbox.domains[name]
    return {
        "id": domain.id,
        "name": name,
        "display_name": name,
        "description": domain.description,
        "size": _size(sandbox, domain),
    }


def _size(sandbox: Sandbox, domain: Domain) -> int:
    return sum(snapshot.memory_bytes() for snapshot in sandbox.snapshots(domain))


def _is_set(text: str) -> bool:
    return text.lower() == "true"
