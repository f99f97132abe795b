"""The gateway's frame around an answer, and what its routes share about requests."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.sandbox.answers import Refusal, forbidden, json_answer
from orchestrator.sandbox.auth import caller_of, demand
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox


def envelope(
    resources: Sequence[Any], *, pagination: dict[str, object] | None = None
) -> dict[str, Any]:
    """Return `resources` in the gateway's frame; without `pagination` they are all there is."""
    total = len(resources)
    meta = {
        "query_time": 0.001,
        "powered_by": "sandbox",
        "trace_id": secrets.token_hex(16),
        "pagination": pagination or {"offset": 0, "limit": max(total, 1), "total": total},
    }
    return {"meta": meta, "resources": list(resources), "errors": []}


def envelope_answer(refusal: Refusal) -> Response:
    """Return a refusal as the gateway sends it."""
    body = envelope([])
    body["errors"] = [{"code": refusal.status, "message": refusal.text}]
    answer = json_answer(body, status=refusal.status)
    answer.headers.update(refusal.headers)
    return answer


def caller(request: Request, right: Right) -> Sandbox:
    """Return the sandbox, if the request's token has the right.

    Raises:
        Refusal: 401 or 403.
    """
    sandbox, role = caller_of(request)
    # What the gateway holds is the whole tenant's, and no token of some views reaches it.
    if role.views is not None:
        raise forbidden()
    demand(role, right)
    return sandbox


async def json_body(request: Request) -> object:
    """Return the request's JSON.

    Raises:
        Refusal: 400, it is not JSON.
    """
    try:
        return await request.json()
    except ValueError as exc:
        raise Refusal(400, "the body is not JSON") from exc


def number_in(request: Request, name: str, default: int) -> int:
    """Return a whole number of the query string that is not negative.

    Raises:
        Refusal: 400, it is something else.
    """
    text = request.query_params.get(name, str(default))
    if not text.isdecimal():
        raise Refusal(400, f"{name} must be a whole number, not {text!r}")
    return int(text)
