"""Falcon Next-Gen SIEM through its API gateway, as one object.

    async with Falcon(CLOUDS["eu-1"], credentials=credentials, clock=SystemClock()) as falcon:
        result = await falcon.search("search-all", query, start=start, end=end, deadline=deadline)

Query jobs are LogScale's own protocol under another prefix. Everything else differs: OAuth2 tokens,
answers in a JSON envelope, and correlation rules in the place of alerts. GraphQL is not offered.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Self

from orchestrator.client.gateway.connections import Connections
from orchestrator.client.gateway.correlation_rules import CorrelationRules
from orchestrator.client.gateway.files import GatewayFiles
from orchestrator.client.gateway.hosts import Hosts
from orchestrator.client.gateway.rule_templates import RuleTemplates
from orchestrator.client.gateway.rule_versions import RuleVersions
from orchestrator.client.gateway.saved_queries import SavedQueries
from orchestrator.client.http.addresses import CLOUDS, check_falcon_address
from orchestrator.client.http.auth import TOKEN_PATH, ClientCredentials, CredentialsFlow, OAuth2
from orchestrator.client.http.breaker import GuardedTransport
from orchestrator.client.http.carrier import AsgiApp
from orchestrator.client.http.limits import Timeouts
from orchestrator.client.http.quota import PacedTransport
from orchestrator.client.http.retry import RetryPolicy
from orchestrator.client.http.session import Session
from orchestrator.client.http.skew import ClockReading, read_clock
from orchestrator.client.http.transport import (
    HttpTransport,
    Transport,
)
from orchestrator.client.search.query_jobs import QueryJobs
from orchestrator.client.search.searching import Searching
from orchestrator.clock import Clock
from orchestrator.errors import ClientError, UnexpectedResponse


class Falcon(Searching):
    """A Falcon tenant.

    Args:
        base_url: API base of the tenant's cloud, see `CLOUDS`.
        credentials: An API client with the NGSIEM and correlation-rule scopes.
        clock: For pauses, deadlines and token lives.
        timeouts: The longest that each phase of one HTTP exchange may take, not a search.
        transport: Carries the requests instead of HTTP; closed with this object.
        asgi_app: An in-process server instead of the network.
        tls: Trust settings; None trusts the system's authorities.
        trust_env: Whether proxy settings come from the environment.
        retry: Short retries inside one call.

    Raises:
        AddressInvalid: The address cannot be that of a Falcon API.
    """

    def __init__(
        self,
        base_url: str,
        *,
        credentials: ClientCredentials,
        clock: Clock,
        timeouts: Timeouts | None = None,
        transport: Transport | None = None,
        asgi_app: AsgiApp | None = None,
        tls: ssl.SSLContext | None = None,
        trust_env: bool = False,
        retry: RetryPolicy | None = None,
    ) -> None:
        check_falcon_address(base_url)
        self.base_url = base_url.rstrip("/")
        policy = retry or RetryPolicy()
        carrier = transport or HttpTransport(
            base_url, timeouts=timeouts, asgi_app=asgi_app, tls=tls, trust_env=trust_env
        )
        self._transport = PacedTransport(GuardedTransport(carrier, clock=clock), clock=clock)
        auth = OAuth2(
            CredentialsFlow(credentials),
            transport=self._transport,
            clock=clock,
            secret=credentials.client_secret,
            policy=policy,
        )
        self._auth = auth
        self._session = Session(
            self._transport, auth=auth, clock=clock, policy=policy, server=self.base_url
        )
        super().__init__(QueryJobs(self._session, prefix="humio/api/v1"), clock=clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Wait shortly for jobs that are being deleted, end the token, free the connections."""
        await self._jobs.drain()
        await self._auth.revoke()
        await self._transport.close()

    async def check(self) -> str:
        """Fetch a token and return the region the tenant lives in, empty if not named.

        Raises:
            UnexpectedResponse: The tenant lives in another cloud than the base address.
            Unauthorized: The API client is not known there.
            ClientError: The gateway could not be asked.
        """
        try:
            region = await self.region()
        except ClientError as exc:
            exc.server = self.base_url
            raise
        wanted = CLOUDS.get(region)
        if wanted is not None and self.base_url in CLOUDS.values() and wanted != self.base_url:
            raise UnexpectedResponse(
                f"the tenant lives in {region}", advice=f"Set the base address to {wanted}."
            )
        return region

    async def clocks(self) -> ClockReading | None:
        """Return the gateway's time beside this machine's, None if the gateway does not tell it.

        Raises:
            ClientError: The gateway could not be reached.
        """
        return await read_clock(self._transport, TOKEN_PATH, clock=self._clock)

    async def region(self) -> str:
        """Fetch a token, and return the region that its answer names; empty if it names none.

        Raises:
            ClientError: The gateway could not be asked, or does not know the API client.
        """
        await self._auth.token()
        return self._auth.region

    def assets(self, customer_id: str) -> CorrelationRules:
        """Return the tenant's correlation rules.

        Args:
            customer_id: 32 hex digits; a checksum suffix `-NN` is cut off.
        """
        return CorrelationRules(self._session, customer_id=customer_id)

    def rule_versions(self) -> RuleVersions:
        """Return the versions of the tenant's correlation rules."""
        return RuleVersions(self._session)

    def rule_templates(self, customer_id: str) -> RuleTemplates:
        """Return the templates that the tenant makes correlation rules of.

        Args:
            customer_id: As for `assets`.
        """
        return RuleTemplates(self._session, customer_id=customer_id)

    def hosts(self) -> Hosts:
        """Return the tenant's hosts."""
        return Hosts(self._session)

    def connections(self) -> Connections:
        """Return the tenant's data connections."""
        return Connections(self._session)

    def files(self, search_domain: str = "all") -> GatewayFiles:
        """Return the lookup files of a search domain: `all`, `falcon`, `third-party` and others."""
        return GatewayFiles(self._session, search_domain=search_domain)

    def saved_queries(self, search_domain: str = "all") -> SavedQueries:
        """Return the saved queries of a search domain."""
        return SavedQueries(self._session, search_domain=search_domain)


async def discover(
    open_at: Callable[[str], Falcon], *, base_url: str = CLOUDS["us-1"]
) -> tuple[str, str]:
    """Return the region a tenant lives in, and that cloud's API base address.

    Asks one cloud for a token, and follows the region that its answer names, once.

    Args:
        open_at: Makes a client for an API base address; closed here.
        base_url: The cloud that is asked first.

    Raises:
        UnexpectedResponse: The answer names no region that is known, or each cloud names another.
        Forbidden: The API client is not known there. A government tenant is asked for at its own
            cloud's address.
        ClientError: The gateway could not be asked.
    """
    for _ in range(2):
        async with open_at(base_url) as falcon:
            region = await falcon.region()
        found = CLOUDS.get(region)
        if found is None:
            raise UnexpectedResponse(
                f"the token answer names no known region but {region!r}",
                advice="Set the base address of the tenant's cloud.",
            )
        if found == base_url.rstrip("/"):
            return region, found
        base_url = found
    raise UnexpectedResponse(
        "each cloud names another one as the tenant's",
        advice="Set the base address of the tenant's cloud.",
    )
