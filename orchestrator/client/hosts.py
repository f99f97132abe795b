"""Hosts of a Falcon tenant: found by filter, read whole.

Ids come by scroll, whose opaque offset lives two minutes, so that more than 10 000 hosts are read;
details come in batches.
Source: CrowdStrike falconpy and gofalcon, hosts (devices).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from orchestrator.client.decode import Members
from orchestrator.client.gateway import ask
from orchestrator.client.session import Session, json_request
from orchestrator.client.types import Host

PAGE_IDS = 5_000
"""Ids per scroll and per details request: the most that the latter takes."""


class Hosts:
    """The hosts of one tenant."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def ids(self, *, filter_text: str = "", page_size: int = PAGE_IDS) -> tuple[str, ...]:
        """Return the device ids of all hosts that an FQL filter finds, in the gateway's order.

        Args:
            filter_text: FQL, such as `platform_name:'Linux'`; empty finds all.
            page_size: Ids per request, 1 to 10 000.

        Raises:
            RequestRejected: The filter is not FQL, or the scroll expired on the way.
            ClientError: The gateway could not be asked.
        """
        found: dict[str, None] = {}
        offset = ""
        while True:
            query = [("limit", str(page_size))]
            query += [("filter", filter_text)] if filter_text else []
            query += [("offset", offset)] if offset else []
            page = await ask(
                self._session,
                # An offset that was used may be gone: a repeat would end the scroll.
                json_request(
                    "GET",
                    "devices/queries/devices-scroll/v1",
                    query=tuple(query),
                    idempotent=not offset,
                ),
            )
            found.update(dict.fromkeys(page.ids))
            offset = page.following("offset")
            if not offset or not page.ids:
                return tuple(found)

    async def details(self, ids: Sequence[str]) -> tuple[Host, ...]:
        """Return hosts by device id; ids that the tenant does not know are left out.

        Raises:
            ClientError: The gateway could not be asked.
        """
        found: list[Host] = []
        for first in range(0, len(ids), PAGE_IDS):
            body = {"ids": list(ids[first : first + PAGE_IDS])}
            # Only a read: the ids just do not fit into an address.
            request = json_request("POST", "devices/entities/devices/v2", body, idempotent=True)
            found += [_read(members) for members in (await ask(self._session, request)).objects]
        return tuple(found)

    async def find(
        self, *, filter_text: str = "", page_size: int = PAGE_IDS
    ) -> AsyncIterator[Host]:
        """Yield all hosts that an FQL filter finds; a page is in memory at a time.

        Raises:
            RequestRejected: The filter is not FQL.
            ClientError: The gateway could not be asked.
        """
        ids = await self.ids(filter_text=filter_text)
        for first in range(0, len(ids), page_size):
            for host in await self.details(ids[first : first + page_size]):
                yield host


def _read(members: Members) -> Host:
    return Host(
        id=members.text("device_id"),
        name=members.text("hostname", ""),
        platform=members.text("platform_name", ""),
        local_ip=members.text("local_ip", ""),
        external_ip=members.text("external_ip", ""),
        first_seen=members.text("first_seen", ""),
        last_seen=members.text("last_seen", ""),
        tags=members.texts("tags"),
        groups=members.texts("groups"),
        raw=members.raw,
    )
