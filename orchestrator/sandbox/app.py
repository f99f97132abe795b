"""The app: every route in one table, and what turns refusals into answers.

`app.state.sandbox` is the whole state, for in-process use. Paths under `/humio` are the Falcon
gateway's: the same routes; `GatewayFace` puts refusals into its JSON envelope.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from orchestrator.clock import Clock
from orchestrator.sandbox import gateway
from orchestrator.sandbox.answers import Refusal, text_answer
from orchestrator.sandbox.faults.layer import Dated, FaultLayer
from orchestrator.sandbox.graphql.route import graphql
from orchestrator.sandbox.graphql.schema import load_schema
from orchestrator.sandbox.routes import control as control_routes
from orchestrator.sandbox.routes import files as file_routes
from orchestrator.sandbox.routes import health as health_routes
from orchestrator.sandbox.routes import ingest as ingest_routes
from orchestrator.sandbox.routes import packages as package_routes
from orchestrator.sandbox.routes import page as page_routes
from orchestrator.sandbox.routes import query as query_routes
from orchestrator.sandbox.routes import query_check
from orchestrator.sandbox.routes import repository as repository_routes
from orchestrator.sandbox.routes import senders as sender_routes
from orchestrator.sandbox.routes import users as user_routes
from orchestrator.sandbox.settings import SandboxSettings
from orchestrator.sandbox.state import Sandbox

# As recorded: even `{}` comes compressed.
_GZIP_FROM_BYTES = 1


def create_app(settings: SandboxSettings, *, clock: Clock) -> Starlette:
    """Return the sandbox as an ASGI app, its data read back from `settings.data_dir`.

    Shut down through the ASGI lifespan, or call `app.state.sandbox.close()`.

    Raises:
        StoreBusy: Another process holds the data directory.
        ValueError: The settings name no version of a server.
    """
    schema = load_schema(settings.version)
    sandbox = Sandbox(settings, clock=clock)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        driver = asyncio.create_task(sandbox.triggers.serve()) if settings.run_triggers else None
        yield
        if driver is not None:
            driver.cancel()
            await asyncio.wait({driver})
        await sandbox.triggers.delivery.close()
        sandbox.close()

    app = Starlette(
        routes=list(_routes()),
        middleware=[
            Middleware(Dated),
            # Rows shrink to a twentieth at the quickest level; the slowest takes ten times as long.
            Middleware(GZipMiddleware, minimum_size=_GZIP_FROM_BYTES, compresslevel=1),
            Middleware(
                gateway.GatewayFace, clock=clock, per_minute=settings.gateway_requests_per_minute
            ),
            Middleware(FaultLayer, plan=sandbox.faults),
        ],
        exception_handlers={Refusal: _refused},
        lifespan=lifespan,
    )
    app.state.sandbox = sandbox
    app.state.graphql_schema = schema
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Return the table; it has no state, and its patterns take longer to compile than a start."""
    return (
        *_rest_routes(),
        Mount(query_routes.GATEWAY, routes=_search_routes()),
        *gateway.routes(),
        *_posts("/graphql", graphql),
        *_hec_routes("/services/collector"),
        Route("/_bulk", ingest_routes.ingest_elastic_bulk, methods=["POST", "PUT"]),
        Route("/_sandbox/overview", control_routes.show_overview),
        Route("/_sandbox/check", query_check.check_query, methods=["POST"]),
        Route("/_sandbox/faults", control_routes.set_faults, methods=["POST"]),
        Route("/_sandbox/faults", control_routes.clear_faults, methods=["DELETE"]),
        Route("/_sandbox/quotas", control_routes.set_quotas, methods=["PUT"]),
        Route("/_sandbox/hosts", control_routes.set_hosts, methods=["PUT"]),
        Route("/_sandbox/invocations", control_routes.invocations),
        Route("/_sandbox/mail", control_routes.mail),
        Route("/api/{rest:path}", control_routes.unknown_api, methods=["GET", "POST", "DELETE"]),
        Route("/", page_routes.start),
        Route(page_routes.ASSETS_PATH, page_routes.asset),
        Route("/{rest:path}", page_routes.elsewhere),
    )


def _search_routes() -> list[BaseRoute]:
    """Return the routes under a repository, in both spellings, and those of a job alone."""
    found: list[BaseRoute] = []
    for base in ("/api/v1/repositories/{repository}", "/api/v1/dataspaces/{repository}"):
        found += [
            Route(f"{base}/queryjobs", query_routes.start_job, methods=["POST"]),
            Route(f"{base}/queryjobs/{{job_id}}", query_routes.poll_job),
            Route(f"{base}/queryjobs/{{job_id}}", query_routes.delete_job, methods=["DELETE"]),
            Route(f"{base}/query", query_routes.stream_query, methods=["POST"]),
            Route(f"{base}/filefromquery", query_routes.file_from_query, methods=["POST"]),
            Route(f"{base}/ingest", ingest_routes.ingest_structured, methods=["POST"]),
            Route(f"{base}/ingest-messages", ingest_routes.ingest_unstructured, methods=["POST"]),
            Route(f"{base}/max-datasources", repository_routes.max_datasources),
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
    ingest, shared = "/api/v1/ingest", "/api/v1/uploadedfiles/shared"
    return [
        Route("/api/v1/status", control_routes.status),
        Route("/api/v1/is-node-up", control_routes.is_node_up),
        Route("/api/v1/health", health_routes.health_text),
        Route("/api/v1/health-json", health_routes.health_json),
        Route("/api/v1/users", user_routes.list_users),
        Route("/api/v1/users", user_routes.create_user, methods=["POST"]),
        Route("/api/v1/users/{user_id}", user_routes.delete_user, methods=["DELETE"]),
        Route("/api/v1/packages/analyze", package_routes.analyze_package, methods=["POST"]),
        Route("/api/v1/packages/install", package_routes.install_package, methods=["POST"]),
        Route(shared, file_routes.upload_shared_file, methods=["POST"]),
        Route(f"{shared}/{{file_name}}", file_routes.download_shared_file),
        Route(f"{shared}/{{file_name}}", file_routes.delete_shared_file, methods=["DELETE"]),
        *_posts(f"{ingest}/humio-structured", ingest_routes.ingest_structured),
        *_posts(f"{ingest}/humio-unstructured", ingest_routes.ingest_unstructured),
        *_posts(f"{ingest}/json", ingest_routes.ingest_json),
        *_posts(f"{ingest}/raw", ingest_routes.ingest_raw),
        Route(f"{ingest}/otlp/v1/logs", ingest_routes.ingest_otlp_logs, methods=["POST"]),
        Route(f"{ingest}/otlp/v1/{{signal}}", sender_routes.otlp_unknown, methods=["POST"]),
        *_hec_routes(f"{ingest}/hec"),
        *_elastic_routes(f"{ingest}/elastic-bulk"),
        *_search_routes(),
    ]


def _posts(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> list[BaseRoute]:
    """Return the route of `path` with and without a slash at its end: senders write both."""
    return [Route(f"{path}{end}", endpoint, methods=["POST"]) for end in ("", "/")]


def _hec_routes(base: str) -> list[BaseRoute]:
    """Return the collector's routes, each with and without the version of its protocol."""
    found: list[BaseRoute] = []
    for path, ingest in (
        ("", ingest_routes.ingest_hec),
        ("/event", ingest_routes.ingest_hec),
        ("/event/1.0", ingest_routes.ingest_hec),
        ("/raw", ingest_routes.ingest_hec_raw),
        ("/raw/1.0", ingest_routes.ingest_hec_raw),
    ):
        found += [
            *_posts(f"{base}{path}", ingest),
            Route(f"{base}{path}", sender_routes.hec_options, methods=["OPTIONS"]),
        ]
    return [
        *found,
        Route(f"{base}/health", sender_routes.hec_health),
        Route(f"{base}/health/1.0", sender_routes.hec_health),
    ]


def _elastic_routes(base: str) -> list[BaseRoute]:
    """Return the routes under the address that an Elasticsearch sender is given."""
    bulk = ingest_routes.ingest_elastic_bulk
    return [
        *(
            Route(f"{base}{path}", bulk, methods=["POST", "PUT"])
            for path in ("", "/_bulk", "/{index}/_bulk")
        ),
        *(Route(f"{base}{path}", sender_routes.elastic_info) for path in ("", "/")),
        Route(f"{base}/_license", sender_routes.elastic_license),
        Route(f"{base}/_cluster/health", sender_routes.elastic_health),
        Route(
            f"{base}/{{rest:path}}", sender_routes.elastic_unknown, methods=["GET", "POST", "PUT"]
        ),
    ]


async def _refused(request: Request, exc: Exception) -> Response:
    del request
    if not isinstance(exc, Refusal):
        raise exc
    return text_answer(exc.status, exc.text, exc.headers)
