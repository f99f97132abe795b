"""Events sent to a data connection's own ingest address, with its key, over HEC.

That address is another host than the gateway's, and knows the connection's key alone.
Source: CrowdStrike falconpy, ngsiem ingest: `/services/collector`, and `/raw` under it for text.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Self

from orchestrator.client.gateway.connections import ConnectionKey
from orchestrator.client.http.addresses import check_logscale_address
from orchestrator.client.http.auth import StaticToken
from orchestrator.client.http.breaker import GuardedTransport
from orchestrator.client.http.carrier import AsgiApp
from orchestrator.client.http.limits import Timeouts
from orchestrator.client.http.retry import RetryPolicy
from orchestrator.client.http.session import Session
from orchestrator.client.http.transport import HttpTransport, Transport
from orchestrator.client.ingest import Ingest
from orchestrator.client.wire import WireHecEvent
from orchestrator.clock import Clock

COLLECTOR = "services/collector"


class ConnectionIngest:
    """Sends events to one data connection.

    Args:
        key: Where it takes events, and with what; see `Connections.key`.
        clock: For pauses between tries.
        timeouts: The longest that each phase of one HTTP exchange may take.
        transport: Carries the requests instead of HTTP; closed with this object.
        asgi_app: An in-process server instead of the network.
        tls: Trust settings; None trusts the system's authorities.
        trust_env: Whether proxy settings come from the environment.
        retry: Short retries inside one call.

    Raises:
        AddressInvalid: The ingest address cannot be one.
    """

    def __init__(
        self,
        key: ConnectionKey,
        *,
        clock: Clock,
        timeouts: Timeouts | None = None,
        transport: Transport | None = None,
        asgi_app: AsgiApp | None = None,
        tls: ssl.SSLContext | None = None,
        trust_env: bool = False,
        retry: RetryPolicy | None = None,
    ) -> None:
        base_url = key.ingest_url.rstrip("/").removesuffix(f"/{COLLECTOR}")
        check_logscale_address(base_url)
        carrier = transport or HttpTransport(
            base_url, timeouts=timeouts, asgi_app=asgi_app, tls=tls, trust_env=trust_env
        )
        self._transport = GuardedTransport(carrier, clock=clock)
        session = Session(
            self._transport,
            auth=StaticToken(key.secret),
            clock=clock,
            policy=retry or RetryPolicy(),
            server=base_url,
        )
        self._ingest = Ingest(session, hec_path=COLLECTOR)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Free the connections."""
        await self._transport.close()

    async def events(self, events: Iterable[WireHecEvent]) -> int:
        """Store events in batches and return how many were taken; see `Ingest.hec`.

        Raises:
            ClientError: A batch was refused or its fate is unknown; those before it are stored.
        """
        return await self._ingest.hec(events)

    async def lines(self, lines: Iterable[str]) -> int:
        """Store text lines in batches and return how many were taken; see `Ingest.hec_raw`.

        Raises:
            ClientError: A batch was refused or its fate is unknown; those before it are stored.
        """
        return await self._ingest.hec_raw(lines)
