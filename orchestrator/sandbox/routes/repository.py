"""Facts of a repository that LogScale gives over REST."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.sandbox.answers import text_answer
from orchestrator.sandbox.auth import caller_of, demand
from orchestrator.sandbox.settings import Right

_MAX_DATASOURCES = 10_000
"""LogScale's own default; the sandbox has no such bound and never refuses for it."""


async def max_datasources(request: Request) -> Response:
    """`GET …/max-datasources`: a number as text; connectors ask for it to see whether they may."""
    sandbox, role = caller_of(request)
    name = str(request.path_params["repository"])
    demand(role, Right.READ, repository=name)
    sandbox.domain(name)
    return text_answer(200, str(_MAX_DATASOURCES))
