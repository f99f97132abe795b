"""What all kinds of NG-SIEM content share: a search domain, and a listing of ids in it.

A search domain is `all`, `falcon`, `third-party`, or another that the tenant has.
Source: CrowdStrike falconpy, ngsiem-content.
"""

from __future__ import annotations

from orchestrator.client.gateway.envelope import list_all
from orchestrator.client.http.session import Session

PAGE = 50


async def content_ids(session: Session, kind: str, search_domain: str) -> tuple[str, ...]:
    """Return the ids of all content of a kind, `lookupfiles` or `savedqueries`.

    Raises:
        ClientError: The gateway could not be asked.
    """
    found = await list_all(
        session,
        f"ngsiem-content/queries/{kind}/v1",
        lambda page: ((name, name) for name in page.ids),
        limit=PAGE,
        query=(("search_domain", search_domain),),
    )
    return tuple(found)
