"""What the gateway has and the sandbox does not: refused with 501 and the reason, never pretended.

Any other path of the gateway is a 404. Both come after the token was looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.gateway.envelope import caller
from orchestrator.sandbox.gateway.face import KINDS, PREFIXES
from orchestrator.sandbox.gateway.foundry import LOGGING
from orchestrator.sandbox.gateway.lookup_files import ENTITIES
from orchestrator.sandbox.settings import Right

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_PARSERS = "parsers of the vendor's, versions and extensions of parsers"
_AGGREGATIONS = "persisted aggregations"
_POPULATING = "what an app fills its saved searches with"
UNOFFERED: Mapping[str, str] = {
    f"{ENTITIES}/parsers/install/v1": _PARSERS,
    f"{ENTITIES}/parsers/bulk-install/v1": _PARSERS,
    f"{ENTITIES}/parsers/autoupdate/v1": _PARSERS,
    f"{ENTITIES}/parsers-rollback/v1": _PARSERS,
    f"{ENTITIES}/parsers-extensions/v1": _PARSERS,
    f"{ENTITIES}/parsers-template-test/v1": "trials of parsers",
    f"{ENTITIES}/persisted-aggregations/v1": _AGGREGATIONS,
    f"{ENTITIES}/bulk-persisted-aggregations/v1": _AGGREGATIONS,
    "/ngsiem-content/queries/persisted-aggregations/v1": _AGGREGATIONS,
    "/alerts/aggregates/{rest:path}": "counts of alerts",
    f"{LOGGING}/entities/saved-searches/ingest/v1": _POPULATING,
    f"{LOGGING}/entities/saved-searches-ingest/v1": _POPULATING,
    f"{LOGGING}/entities/lookup-files/v1": "lookup files of apps, which the vendor has given up",
}
"""Path to what it is about."""


def routes() -> list[BaseRoute]:
    """Return routes for all paths of the gateway that no other route serves."""
    known = [Route(path, _refusing(what), methods=_METHODS) for path, what in UNOFFERED.items()]
    others = [f"/{{area}}/{kind}/" for kind in KINDS]
    rest = [
        Route(f"{prefix}{{rest:path}}", unknown, methods=_METHODS)
        for prefix in (*PREFIXES, *others)
    ]
    return [*known, *rest]


def _refusing(what: str) -> Callable[[Request], Any]:
    async def refuse(request: Request) -> Response:
        caller(request, Right.READ)
        raise Refusal(501, f"the sandbox does not offer {what}")

    return refuse


async def unknown(request: Request) -> Response:
    """Refuse a path that the gateway is not known to have."""
    caller(request, Right.READ)
    raise Refusal(404, f"{request.method} {request.url.path[:200]} is not known")
