"""The app: every route in one table, and what turns refusals into answers.

`app.state.sandbox` is the whole state, for in-process use. Paths under `/humio` are the Falcon
gateway's: the same routes, with errors in its JSON envelope.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from orchestrator.clock import Clock
from orchestrator.sandbox import (
    control_routes,
    file_routes,
    gateway,
    health_routes,
    ingest_routes,
    page_routes,
    query_routes,
)
from orchestrator.sandbox.answers import Refusal, text_answer
from orchestrator.sandbox.fault_layer import Dated, FaultLayer
from orchestrator.sandbox.graphql.route import graphql, load_schema
from orchestrator.sandbox.settings import SandboxSettings
from orchestrator.sandbox.state import Sandbox

_GZIP_FROM_BYTES = 500


def create_app(settings: SandboxSettings, *, clock: Clock) -> Starlette:
    """Return the sandbox as an ASGI app, its data read back from `settings.data_dir`.

    Shut down through the ASGI lifespan, or call `app.state.sandbox.close()`.

    Raises:
        StoreBusy: Another process holds the data directory.
    """
    sandbox = Sandbox(settings, clock=clock)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        driver = asyncio.create_task(sandbox.triggers.serve()) if settings.run_triggers else None
        yield
        if driver is not None:
            driver.cancel()
            await asyncio.wait({driver})
        sandbox.close()

    app = Starlette(
        routes=_routes(),
        middleware=[
            Middleware(Dated),
            Middleware(GZipMiddleware, minimum_size=_GZIP_FROM_BYTES),
            Middleware(FaultLayer, plan=sandbox.faults),
        ],
        exception_handlers={Refusal: _refused},
        lifespan=lifespan,
    )
    app.state.sandbox = sandbox
    app.state.graphql_schema = load_schema()
    return app


def _routes() -> list[BaseRoute]:
    return [
        *_rest_routes(),
        Mount("/humio", routes=_search_routes()),
        *gateway.routes(),
        Route("/graphql", graphql, methods=["POST"]),
        Route("/services/collector", ingest_routes.ingest_hec, methods=["POST"]),
        Route("/services/collector/event", ingest_routes.ingest_hec, methods=["POST"]),
        Route("/services/collector/raw", ingest_routes.ingest_hec_raw, methods=["POST"]),
        Route("/_sandbox/overview", control_routes.show_overview),
        Route("/_sandbox/faults", control_routes.set_faults, methods=["POST"]),
        Route("/_sandbox/faults", control_routes.clear_faults, methods=["DELETE"]),
        Route("/_sandbox/hosts", control_routes.set_hosts, methods=["PUT"]),
        Route("/_sandbox/invocations", control_routes.invocations),
        Route("/_sandbox/mail", control_routes.mail),
        Route("/api/{rest:path}", control_routes.unknown_api, methods=["GET", "POST", "DELETE"]),
        Route("/", page_routes.start),
        Route(page_routes.ASSETS_PATH, page_routes.asset),
        Route("/{rest:path}", page_routes.elsewhere),
    ]


def _search_routes() -> list[BaseRoute]:
    """Return the routes under a repository, in both spellings, and those of a job alone."""
    found: list[BaseRoute] = []
    for base in ("/api/v1/repositories/{repository}", "/api/v1/dataspaces/{repository}"):
        found += [
            Route(f"{base}/queryjobs", query_routes.start_job, methods=["POST"]),
            Route(f"{base}/queryjobs/{{job_id}}", query_routes.poll_job),
            Route(f"{base}/queryjobs/{{job_id}}", query_routes.delete_job, methods=["DELETE"]),
            Route(f"{base}/query", query_routes.stream_query, methods=["POST"]),
            Route(f"{base}/ingest", ingest_routes.ingest_structured, methods=["POST"]),
            Route(f"{base}/ingest-messages", ingest_routes.ingest_unstructured, methods=["POST"]),
            Route(f"{base}/files", file_routes.upload_file, methods=["POST"]),
            Route(f"{base}/files", file_routes.list_files),
            Route(f"{base}/files/{{file_name:path}}", file_routes.download_file),
            Route(f"{base}/files/{{file_name:path}}", file_routes.delete_file, methods=["DELETE"]),
        ]
    jobs = "/api/v1/queryjobs"
    return [
        *found,
        Route(jobs, query_routes.start_job, methods=["POST"]),
        Route(f"{jobs}/{{job_id}}", query_routes.poll_job),
        Route(f"{jobs}/{{job_id}}", query_routes.delete_job, methods=["DELETE"]),
    ]


def _rest_routes() -> list[BaseRoute]:
    ingest = "/api/v1/ingest"
    return [
        Route("/api/v1/status", control_routes.status),
        Route("/api/v1/health", health_routes.health_text),
        Route("/api/v1/health-json", health_routes.health_json),
        Route("/api/v1/users", control_routes.list_users),
        Route("/api/v1/users", control_routes.create_user, methods=["POST"]),
        Route("/api/v1/users/{user_id}", control_routes.delete_user, methods=["DELETE"]),
        Route(f"{ingest}/humio-structured", ingest_routes.ingest_structured, methods=["POST"]),
        Route(f"{ingest}/humio-unstructured", ingest_routes.ingest_unstructured, methods=["POST"]),
        Route(f"{ingest}/json", ingest_routes.ingest_json, methods=["POST"]),
        Route(f"{ingest}/elastic-bulk", ingest_routes.ingest_elastic_bulk, methods=["POST"]),
        Route(f"{ingest}/raw", ingest_routes.ingest_raw, methods=["POST"]),
        Route(f"{ingest}/hec", ingest_routes.ingest_hec, methods=["POST"]),
        Route(f"{ingest}/hec/raw", ingest_routes.ingest_hec_raw, methods=["POST"]),
        *_search_routes(),
    ]


async def _refused(request: Request, exc: Exception) -> Response:
    if not isinstance(exc, Refusal):
        raise exc
    if request.url.path.startswith(gateway.PREFIXES):
        return gateway.envelope_answer(exc)
    return text_answer(exc.status, exc.text, exc.headers)
