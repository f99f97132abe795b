"""OAuth2 client credentials: tokens that live for `TOKEN_LIFE` by the sandbox's clock."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Sequence
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal, json_answer
from orchestrator.sandbox.auth import sandbox_of
from orchestrator.sandbox.gateway.envelope import answer
from orchestrator.sandbox.settings import FalconClient, TokenRole

TOKEN_LIFE = timedelta(seconds=1_799)
_DENIED = "access denied, authorization failed"


def routes() -> list[BaseRoute]:
    """Return the routes of tokens."""
    return [
        Route("/oauth2/token", issue, methods=["POST"]),
        Route("/oauth2/revoke", revoke, methods=["POST"]),
    ]


async def issue(request: Request) -> Response:
    """`POST /oauth2/token`: 201 with a token that the sandbox then knows, and the client's cloud.

    The token has the rights of its client; a `grant_type`, where there is one, is the one there is.
    """
    sandbox = sandbox_of(request)
    async with request.form() as form:
        given_id, given_secret = str(form.get("client_id", "")), str(form.get("client_secret", ""))
        grant = str(form.get("grant_type", "client_credentials"))
    if grant != "client_credentials":
        raise Refusal(400, "grant_type must be client_credentials")
    client = _known(sandbox.settings.falcon_clients, given_id, given_secret)
    text = secrets.token_urlsafe(32)
    sandbox.issue_token(text, TokenRole(name=given_id, rights=client.rights), life=TOKEN_LIFE)
    life_s = TOKEN_LIFE // timedelta(seconds=1)
    issued = json_answer(
        {"access_token": text, "expires_in": life_s, "token_type": "bearer"}, status=201
    )
    if client.region:
        issued.headers["X-Cs-Region"] = client.region
    return issued


async def revoke(request: Request) -> Response:
    """`POST /oauth2/revoke`: the client itself, by Basic authorization, ends one of its tokens."""
    sandbox = sandbox_of(request)
    given_id, given_secret = _basic(request.headers.get("authorization", ""))
    _known(sandbox.settings.falcon_clients, given_id, given_secret)
    async with request.form() as form:
        token = str(form.get("token", ""))
    role = sandbox.tokens.get(token)
    if role is not None and token not in sandbox.settings.tokens and role.name == given_id:
        del sandbox.tokens[token]
    # Whether there was such a token is nobody's business.
    return answer([])


def _known(clients: Sequence[FalconClient], given_id: str, given_secret: str) -> FalconClient:
    found = None
    for client in clients:
        # Every client is compared, each in constant time.
        if hmac.compare_digest(client.client_id.encode(), given_id.encode()) and (
            hmac.compare_digest(client.client_secret.encode(), given_secret.encode())
        ):
            found = client
    if found is None:
        raise Refusal(403, _DENIED)
    return found


def _basic(header: str) -> tuple[str, str]:
    scheme, _, rest = header.partition(" ")
    try:
        pair = base64.b64decode(rest, validate=True).decode() if scheme.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        pair = ""
    name, _, secret = pair.partition(":")
    return name, secret
