"""Who is asking: an Authorization header becomes a role, or a refusal.

Source: Bearer everywhere; Basic with the token as password and `Splunk <token>` are what HEC
senders use.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping

from starlette.requests import Request

from orchestrator.sandbox.answers import forbidden, unauthorized
from orchestrator.sandbox.settings import Right, TokenRole
from orchestrator.sandbox.state import Sandbox


def sandbox_of(request: Request) -> Sandbox:
    """Return the sandbox that the app serves."""
    sandbox: Sandbox = request.app.state.sandbox
    return sandbox


def caller_of(request: Request) -> tuple[Sandbox, TokenRole]:
    """Return the sandbox and the role behind the request's token.

    Raises:
        Refusal: 401, the token is missing, unknown or expired.
    """
    sandbox = sandbox_of(request)
    sandbox.expire_tokens()
    role = role_of(request.headers.get("authorization"), sandbox.tokens)
    if role.expires_ms is not None and role.expires_ms <= sandbox.now_ms():
        raise unauthorized()
    return sandbox, role


def token_in(header: str | None) -> str:
    """Return the token in an Authorization header, empty where there is none."""
    scheme, _, rest = (header or "").partition(" ")
    match scheme.lower():
        case "bearer" | "splunk":
            return rest.strip()
        case "basic":
            try:
                pair = base64.b64decode(rest, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return ""
            return pair.partition(":")[2]
        case _:
            return ""


def role_of(header: str | None, tokens: Mapping[str, TokenRole]) -> TokenRole:
    """Return the role behind the header's token.

    Raises:
        Refusal: 401, the token is missing or unknown.
    """
    given = token_in(header).encode()
    found = None
    for text, role in tokens.items():
        # Every token is compared, each in constant time.
        if hmac.compare_digest(given, text.encode()):
            found = role
    if not given or found is None:
        raise unauthorized()
    return found


def demand(role: TokenRole, right: Right, *, repository: str | None = None) -> None:
    """Let the role through, or refuse.

    Raises:
        Refusal: 403, the role lacks `right`, or is bound to other search domains.
    """
    if not role.may(right):
        raise forbidden()
    if repository is not None and not role.reaches(repository):
        raise forbidden()
