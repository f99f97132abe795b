"""Routes of packages that come as a zip: check one, install one.

The answer's two lists are LogScale's; what `responseType` says there is not published.
Source: humio/cli internal/api/packages.go.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.errors import StoreFull
from orchestrator.sandbox.answers import Refusal, json_answer
from orchestrator.sandbox.auth import caller_of, demand
from orchestrator.sandbox.packages.installing import PackageRefused, Wish, check, install
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Domain

MAX_BYTES = 50_000_000
_OWNERSHIPS = {"user": "User", "organization": "Organization"}


async def analyze_package(request: Request) -> Response:
    """`POST …/packages/analyze?view=`: what is wrong with the zip; nothing is stored."""
    sandbox, domain, name = _at(request)
    content = await _zip(request)
    try:
        check(sandbox, domain, content, by=name)
    except PackageRefused as exc:
        return json_answer(_report("invalid", exc))
    return json_answer(_report("valid"))


async def install_package(request: Request) -> Response:
    """`POST …/packages/install?view=&overwrite=&queryOwnershipType=`: whole, or not at all."""
    sandbox, domain, name = _at(request)
    query = request.query_params
    ownership = _OWNERSHIPS.get(query.get("queryOwnershipType", "user").lower())
    if ownership is None:
        raise Refusal(400, "queryOwnershipType must be User or Organization")
    content = await _zip(request)
    overwrite = query.get("overwrite", "false").lower() == "true"
    wish = Wish(by=name, overwrite=overwrite, ownership=ownership)
    try:
        install(sandbox, domain, content, wish)
    except PackageRefused as exc:
        return json_answer(_report("failure", exc), status=400)
    except StoreFull as exc:
        raise Refusal(503, str(exc)) from exc
    return json_answer(_report("success"))


def _report(kind: str, refused: PackageRefused | None = None) -> dict[str, object]:
    return {
        "installationErrors": [] if refused is None else list(refused.installation_errors),
        "parseErrors": [] if refused is None else list(refused.parse_errors),
        "responseType": kind,
    }


def _at(request: Request) -> tuple[Sandbox, Domain, str]:
    sandbox, role = caller_of(request)
    name = request.query_params.get("view")
    if not name:
        raise Refusal(400, "The request is missing the required query parameter 'view'")
    demand(role, Right.CHANGE_PACKAGES, repository=name)
    return sandbox, sandbox.domain(name), role.name


async def _zip(request: Request) -> bytes:
    content = await request.body()
    if len(content) > MAX_BYTES:
        raise Refusal(413, f"The package is larger than {MAX_BYTES} bytes")
    return content
