"""Hosts of a Falcon tenant: found by filter, read whole.

`find` reads whole records, page after page. Ids alone come by scroll, whose opaque offset lives two
minutes; details of known ids come in batches. None of them ends at 10 000 hosts.
Source: CrowdStrike falconpy and gofalcon, hosts (devices).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from orchestrator.client.gateway.envelope import Page, Tally, ask
from orchestrator.client.http.members import Members
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.types import Host

PAGE_HOSTS = 5_000
"""Hosts per request, and the most ids that one request for details takes."""
LARGEST_PAGE = 10_000
_SCROLL = "devices/queries/devices-scroll/v1"
_COMBINED = "devices/combined/devices/v1"
_DETAILS = "devices/entities/devices/v2"


class Hosts:
    """The hosts of one tenant."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def ids(
        self, *, filter_text: str = "", sort: str = "", page_size: int = PAGE_HOSTS
    ) -> tuple[str, ...]:
        """Return the device ids of all hosts that an FQL filter finds, in the gateway's order.

        Args:
            filter_text: FQL, such as `platform_name:'Linux'`; empty finds all.
            sort: A member and a direction, `hostname.asc`; empty is the gateway's choice.
            page_size: Ids per request, 1 to 10 000.

        Raises:
            RequestRejected: The filter is not FQL, or the scroll expired on the way.
            UnexpectedResponse: The pages stop before the total, or go in a circle.
            ClientError: The gateway could not be asked.
        """
        found: dict[str, None] = {}
        offset, tally = "", Tally(_SCROLL)
        while True:
            # An offset that was used may be gone: a repeat would end the scroll.
            page = await self._page(
                _SCROLL,
                page_size,
                idempotent=not offset,
                filter=filter_text,
                sort=sort,
                offset=offset,
            )
            known = len(found)
            found.update(dict.fromkeys(page.ids))
            tally.note(page)
            offset = page.following("offset")
            if not offset or len(found) == known:
                tally.check(len(found))
                return tuple(found)

    async def details(self, ids: Sequence[str]) -> tuple[Host, ...]:
        """Return hosts by device id; ids that the tenant does not know are left out.

        Raises:
            ClientError: The gateway could not be asked.
        """
        found: list[Host] = []
        for first in range(0, len(ids), PAGE_HOSTS):
            body = {"ids": list(ids[first : first + PAGE_HOSTS])}
            # Only a read: the ids just do not fit into an address.
            request = json_request("POST", _DETAILS, body, idempotent=True)
            found += [_read(members) for members in (await ask(self._session, request)).objects]
        return tuple(found)

    async def find(
        self,
        *,
        filter_text: str = "",
        sort: str = "",
        fields: Sequence[str] = (),
        page_size: int = PAGE_HOSTS,
    ) -> AsyncIterator[Host]:
        """Yield each host that an FQL filter finds once; a page is in memory at a time.

        Args:
            filter_text: FQL, such as `last_seen:>'now-7d'`; empty finds all.
            sort: A member and a direction, `hostname.asc`; empty is by device id.
            fields: The gateway's names of the members to read, the device id always among them;
                none reads all. The others of a host are empty then.
            page_size: Hosts per request, 1 to 10 000.

        Raises:
            RequestRejected: The filter is not FQL, or there is no such sort.
            UnexpectedResponse: The pages stop before the total, or go in a circle.
            ClientError: The gateway could not be asked.
        """
        names = dict.fromkeys(("device_id", *fields)) if fields else ()
        seen: set[str] = set()
        offset, tally = "", Tally(_COMBINED)
        while True:
            page = await self._page(
                _COMBINED,
                page_size,
                idempotent=True,
                filter=filter_text,
                sort=sort,
                offset=offset,
                fields=",".join(names),
            )
            known = len(seen)
            for host in map(_read, page.objects):
                if host.id not in seen:
                    seen.add(host.id)
                    yield host
            tally.note(page)
            offset = page.following("next")
            if not offset or len(seen) == known:
                tally.check(len(seen))
                return

    async def _page(self, path: str, limit: int, *, idempotent: bool, **given: str) -> Page:
        if not 1 <= limit <= LARGEST_PAGE:
            raise ValueError(f"page_size must be 1 to {LARGEST_PAGE}, not {limit}")
        query = (("limit", str(limit)), *((name, text) for name, text in given.items() if text))
        request = json_request("GET", path, query=query, idempotent=idempotent)
        return await ask(self._session, request)


def _read(members: Members) -> Host:
    return Host(
        id=members.text("device_id"),
        name=members.text("hostname", ""),
        platform=members.text("platform_name", ""),
        local_ip=members.text("local_ip", ""),
        external_ip=members.text("external_ip", ""),
        first_seen=members.text("first_seen", ""),
        last_seen=members.text("last_seen", ""),
        os_version=members.text("os_version", ""),
        product_type=members.text("product_type_desc", ""),
        containment=members.text("status", ""),
        last_login_user=members.text("last_login_user", ""),
        tags=members.texts("tags"),
        groups=members.texts("groups"),
        raw=members.raw,
    )
