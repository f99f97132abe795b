"""Data connections of NG-SIEM: what sends events into it, whether any came, and their keys.

Source: CrowdStrike gofalcon, dataconnectionmanagement models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.client.gateway.envelope import ask, criteria, list_all
from orchestrator.client.gateway.go_times import instant_of
from orchestrator.client.http.members import Members
from orchestrator.client.http.session import Session, json_request
from orchestrator.errors import NotFound
from orchestrator.secret import SecretText

PAGE = 100
_CONNECTIONS = "ngsiem/entities/connections"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConnection:
    """A source of events, as it is set up."""

    id: str
    name: str
    status: str
    """`active`, `inactive`; others may come."""
    source: str
    """How events come: `push` and others."""
    parser: str
    vendor: str
    product: str
    ingest_url: str
    """Where it takes events over HEC; empty where they are fetched."""
    last_ingested_at: datetime | None
    """None before the first event, or where the gateway does not say."""
    volume_one_day: str
    """What came within a day, as the gateway writes it."""
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConnector:
    """A kind of source that a connection can be made of."""

    id: str
    name: str
    kind: str
    vendor: str
    product: str
    parsers: tuple[str, ...]
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionKey:
    """What a connection takes events with."""

    secret: SecretText
    ingest_url: str
    created_at: str
    """As the gateway writes it."""
    expires_at: str
    """Empty for never."""


class Connections:
    """The data connections of one tenant."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, *, filter_text: str = "") -> tuple[DataConnection, ...]:
        """Return the connections that an FQL filter finds, sorted by name; empty finds all.

        Raises:
            RequestRejected: The filter is not FQL.
            ClientError: The gateway could not be asked.
        """
        found = await list_all(
            self._session,
            "ngsiem/combined/connections/v1",
            lambda page: ((made.id, made) for made in map(_connection, page.objects)),
            limit=PAGE,
            query=criteria(filter=filter_text),
        )
        return tuple(sorted(found.values(), key=lambda connection: connection.name))

    async def connectors(self) -> tuple[DataConnector, ...]:
        """Return the kinds of source that the tenant may use, sorted by name.

        Raises:
            ClientError: The gateway could not be asked.
        """
        found = await list_all(
            self._session,
            "ngsiem/combined/connectors/v1",
            lambda page: ((made.id, made) for made in map(_connector, page.objects)),
            limit=PAGE,
        )
        return tuple(sorted(found.values(), key=lambda connector: connector.name))

    async def get(self, connection_id: str) -> DataConnection:
        """Return a connection.

        Raises:
            NotFound: No such connection.
        """
        return _connection(await self._one(f"{_CONNECTIONS}/v1", connection_id))

    async def key(self, connection_id: str) -> ConnectionKey:
        """Return the key that a connection takes events with; for those who may see it.

        Raises:
            NotFound: No such connection.
        """
        found = await self._one(f"{_CONNECTIONS}/token/v1", connection_id)
        return ConnectionKey(
            secret=SecretText(found.text("token")),
            ingest_url=found.text("ingest_url"),
            created_at=found.text("created_at", ""),
            expires_at=found.text("expires_at", ""),
        )

    async def _one(self, path: str, connection_id: str) -> Members:
        request = json_request("GET", path, query=(("ids", connection_id),), idempotent=True)
        page = await ask(self._session, request)
        if not page.objects:
            raise NotFound(f"connection {connection_id} is not there")
        return page.objects[0]


def _connection(members: Members) -> DataConnection:
    return DataConnection(
        id=members.text("id"),
        name=members.text("name"),
        status=members.text("status"),
        source=members.text("source_type", ""),
        parser=members.text("parser_name", ""),
        vendor=members.text("vendor_name", ""),
        product=members.text("vendor_product_name", ""),
        ingest_url=members.text("ingest_url", ""),
        last_ingested_at=instant_of(members, "last_ingested"),
        volume_one_day=members.text("last_ingested_volume_one_day", ""),
        raw=members.raw,
    )


def _connector(members: Members) -> DataConnector:
    return DataConnector(
        id=members.text("id"),
        name=members.text("name"),
        kind=members.text("type", ""),
        vendor=members.text("vendor_name", ""),
        product=members.text("vendor_product_name", ""),
        parsers=members.texts("parsers"),
        raw=members.raw,
    )
