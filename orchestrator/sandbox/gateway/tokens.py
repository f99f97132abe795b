"""OAuth2 client credentials: tokens that live for `TOKEN_LIFE` by the sandbox's clock."""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal, json_answer
from orchestrator.sandbox.auth import sandbox_of
from orchestrator.sandbox.gateway.envelope import envelope, envelope_answer
from orchestrator.sandbox.settings import ALL_RIGHTS, TokenRole

TOKEN_LIFE = timedelta(seconds=1_799)
REGION = "us-1"


def routes() -> list[BaseRoute]:
    """Return the routes of tokens."""
    return [
        Route("/oauth2/token", issue, methods=["POST"]),
        Route("/oauth2/revoke", revoke, methods=["POST"]),
    ]


async def issue(request: Request) -> Response:
    """`POST /oauth2/token`: 201 with a token that the sandbox then knows."""
    sandbox = sandbox_of(request)
    async with request.form() as form:
        given_id, given_secret = str(form.get("client_id", "")), str(form.get("client_secret", ""))
    known = any(
        hmac.compare_digest(client.client_id.encode(), given_id.encode())
        and hmac.compare_digest(client.client_secret.encode(), given_secret.encode())
        for client in sandbox.settings.falcon_clients
    )
    if not known:
        return envelope_answer(Refusal(403, "access denied, authorization failed"))
    text = secrets.token_urlsafe(32)
    sandbox.issue_token(text, TokenRole(name=given_id, rights=ALL_RIGHTS), life=TOKEN_LIFE)
    life_s = TOKEN_LIFE // timedelta(seconds=1)
    answer = json_answer(
        {"access_token": text, "expires_in": life_s, "token_type": "bearer"}, status=201
    )
    answer.headers["X-Cs-Region"] = REGION
    return answer


async def revoke(request: Request) -> Response:
    """`POST /oauth2/revoke`."""
    sandbox = sandbox_of(request)
    async with request.form() as form:
        sandbox.tokens.pop(str(form.get("token", "")), None)
    return json_answer(envelope([]))
