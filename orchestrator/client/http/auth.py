"""Who we are to a server: a fixed token, or Falcon's OAuth2 client-credentials flow.

`CredentialsFlow` is the flow without I/O: it says when a token is needed and what to ask, and is
told what came back. `OAuth2` drives it over a transport; `StaticToken` has nothing to drive.
A token is revealed only where it goes onto the wire.

Source: CrowdStrike gofalcon and falconpy (token answer is 201, life 30 minutes, renewed early;
revoked with the client's own Basic authorization).
"""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlencode

from orchestrator.client.http.addresses import check_token
from orchestrator.client.http.members import SECOND, json_object
from orchestrator.client.http.problems import error_for, refuse_page
from orchestrator.client.http.retry import RetryPolicy, call_with_retries
from orchestrator.client.http.transport import Request, Response, Transport
from orchestrator.clock import Clock
from orchestrator.errors import ClientError
from orchestrator.secret import SecretText

TOKEN_PATH = "oauth2/token"  # noqa: S105 -- an address
RENEW_AHEAD = timedelta(minutes=2)
"""Renew this long before the end of a token's life, so that no request meets the end."""
REVOCATION_TIMEOUT = timedelta(seconds=5)
"""Short, since whoever closes a client waits for it."""


class Auth(Protocol):
    """What gives requests their token."""

    async def token(self) -> SecretText:
        """Return a token that is valid now; an empty one sends no authorization."""
        ...

    async def renew(self, refused: SecretText) -> bool:
        """Return whether there is another token to try after `refused` met a 401."""
        ...


class StaticToken:
    """A token from the configuration; a refusal is final.

    Raises:
        TokenInvalid: It holds more than a token.
    """

    def __init__(self, token: SecretText) -> None:
        check_token(token)
        self._token = token

    async def token(self) -> SecretText:
        """Return the token."""
        return self._token

    async def renew(self, refused: SecretText) -> bool:
        """Return False: there is no other."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """An API client of the Falcon console."""

    client_id: str
    client_secret: SecretText
    member_cid: str = ""
    """The child tenant to act for, for parent tenants; empty for one's own."""

    def __post_init__(self) -> None:
        check_token(self.client_secret, what="client secret")
        check_token(SecretText(self.client_id), what="client id")


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A token and how long it works.

    Its life is a span that the server names, counted on the monotonic clock: a wall clock that is
    wrong, or is set right meanwhile, neither ends it nor draws it out.
    """

    token: SecretText
    issued_s: float
    """Monotonic seconds."""
    life: timedelta
    region: str = field(default="", compare=False)
    """The cloud the tenant lives in, as the answer's header names it; empty if it does not."""


class CredentialsFlow:
    """The client-credentials flow as a machine: no I/O, no clock."""

    def __init__(
        self, credentials: ClientCredentials, *, renew_ahead: timedelta = RENEW_AHEAD
    ) -> None:
        self._credentials, self._renew_ahead = credentials, renew_ahead
        self._issued: IssuedToken | None = None

    def current(self, now_s: float) -> SecretText | None:
        """Return the token in hand if it lives past `now_s` and the margin, else None."""
        issued = self._issued
        if issued is None:
            return None
        # A life shorter than twice the margin must not ask again before every request.
        margin = min(self._renew_ahead, issued.life / 2)
        age = timedelta(seconds=now_s - issued.issued_s)
        return issued.token if age < issued.life - margin else None

    def request(self) -> Request:
        """Return the request for a new token; its body holds the secret and never shows."""
        form = {
            "client_id": self._credentials.client_id,
            "client_secret": self._credentials.client_secret.reveal(),
            "grant_type": "client_credentials",
        }
        if self._credentials.member_cid:
            form["member_cid"] = self._credentials.member_cid
        return Request(
            method="POST",
            path=TOKEN_PATH,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode("ascii"),
            # A second token does no harm: the first one ends by itself.
            idempotent=True,
        )

    def revocation(self, token: SecretText) -> Request:
        """Return the request that ends `token`; its header and body hold secrets, never shown."""
        secret = self._credentials.client_secret.reveal()
        pair = base64.b64encode(f"{self._credentials.client_id}:{secret}".encode()).decode("ascii")
        return Request(
            method="POST",
            path="oauth2/revoke",
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Authorization": f"Basic {pair}",
            },
            content=urlencode({"token": token.reveal()}).encode("ascii"),
            idempotent=True,
            timeout=REVOCATION_TIMEOUT,
        )

    def issued(self, issued: IssuedToken) -> None:
        """Take a token that the server gave."""
        self._issued = issued

    def refused(self, token: SecretText) -> bool:
        """Forget `token` after a 401; return whether it was the one in hand."""
        if self._issued is None or self._issued.token != token:
            return False
        self._issued = None
        return True


class OAuth2:
    """Drives `CredentialsFlow`: one token request at a time, shared by all callers."""

    def __init__(
        self,
        flow: CredentialsFlow,
        *,
        transport: Transport,
        clock: Clock,
        secret: SecretText,
        policy: RetryPolicy,
        jitter: float = 0.5,
    ) -> None:
        self._flow, self._transport, self._clock = flow, transport, clock
        self._secret, self._policy, self._jitter = secret, policy, jitter
        self._lock = asyncio.Lock()
        self.region = ""

    async def token(self) -> SecretText:
        """Return a token that lives past the margin, asking for one if need be.

        Raises:
            Unauthorized: The client id or secret is wrong.
            ClientError: The token could not be fetched.
        """
        async with self._lock:
            current = self._flow.current(self._clock.monotonic())
            if current is not None:
                return current
            issued = await self._fetch()
            self._flow.issued(issued)
            self.region = issued.region
            return issued.token

    async def renew(self, refused: SecretText) -> bool:
        """Return True: drop `refused` if it is still the one in hand, so a new one is fetched."""
        self._flow.refused(refused)
        return True

    async def revoke(self) -> None:
        """End the token in hand, so that nobody else can use what is left of its life.

        Once and without retries, and what goes wrong is nobody's loss: it ends by itself.
        """
        async with self._lock:
            current = self._flow.current(self._clock.monotonic())
            if current is None:
                return
            self._flow.refused(current)
            with suppress(ClientError):
                await self._transport.send(self._flow.revocation(current))

    async def _fetch(self) -> IssuedToken:
        async def once() -> Response:
            request = self._flow.request()
            response = await self._transport.send(request)
            if response.status not in {200, 201}:
                raise error_for(request, response, now=self._clock.now(), secrets=(self._secret,))
            refuse_page(response, request)
            return response

        # Counted from the question: the life began before the answer arrived.
        asked_s = self._clock.monotonic()
        response = await call_with_retries(
            once,
            policy=self._policy,
            idempotent=True,
            clock=self._clock,
            jitter=lambda: self._jitter,
        )
        token, life = decode_token(response)
        return IssuedToken(
            token=token,
            issued_s=asked_s,
            life=life,
            region=response.headers.get("x-cs-region", ""),
        )


def decode_token(response: Response) -> tuple[SecretText, timedelta]:
    """Return a Falcon token and the length of its life."""
    members = json_object(response, where="token answer")
    return SecretText(members.text("access_token")), members.span("expires_in", unit=SECOND)
