"""Lookup files and saved queries of NG-SIEM, through the gateway's content routes.

A search domain is `all`, `falcon`, `third-party`, or another that the tenant has.
Source: CrowdStrike falconpy, ngsiem-content.
"""

from __future__ import annotations

import json

from orchestrator.client.gateway.envelope import ask, list_all
from orchestrator.client.http.multipart import Part, multipart
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.types import SavedQuery
from orchestrator.errors import NotFound, RequestRejected

PAGE = 50
_FILES, _QUERIES = "ngsiem-content/entities/lookupfiles/v1", "ngsiem-content/entities/savedqueries"
_TEMPLATE = f"{_QUERIES}-template/v1"


class GatewayFiles:
    """The lookup files of one search domain."""

    def __init__(self, session: Session, *, search_domain: str) -> None:
        self._session, self._domain = session, search_domain

    async def list(self) -> tuple[str, ...]:
        """Return the names of all files, sorted.

        Raises:
            ClientError: The gateway could not be asked.
        """
        names = await _all_ids(self._session, "lookupfiles", self._domain)
        return tuple(sorted(names))

    async def upload(self, name: str, content: bytes) -> bool:
        """Store a CSV or JSON file; return False if exactly this is stored already.

        Raises:
            RequestRejected: The gateway refused it.
            ClientError: The gateway could not be asked.
        """
        stored = None
        if name in await self.list():
            stored = await self.download(name)
        if stored == content:
            return False
        request = multipart(
            "POST" if stored is None else "PATCH",
            _FILES,
            Part(name="search_domain", content=self._domain.encode()),
            Part(name="filename", content=name.encode()),
            Part(name="file", content=content, filename=name, kind="text/csv"),
            # A second creation would be refused, since the first one may have happened.
            idempotent=stored is not None,
        )
        await ask(self._session, request)
        return True

    async def download(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            NotFound: No such file.
            UnexpectedResponse: A web page came back instead.
        """
        query = (("filename", name), ("search_domain", self._domain))
        request = json_request("GET", _FILES, query=query, idempotent=True)
        return (await self._session.call(request)).body

    async def delete(self, name: str) -> None:
        """Delete a file.

        Raises:
            NotFound: No such file.
        """
        query = (("filename", name), ("search_domain", self._domain))
        await ask(self._session, json_request("DELETE", _FILES, query=query))


class SavedQueries:
    """The saved queries of one search domain; they are kept as YAML templates."""

    def __init__(self, session: Session, *, search_domain: str) -> None:
        self._session, self._domain = session, search_domain

    async def ids(self) -> tuple[str, ...]:
        """Return the ids of all saved queries.

        Raises:
            ClientError: The gateway could not be asked.
        """
        return await _all_ids(self._session, "savedqueries", self._domain)

    async def template(self, query_id: str) -> str:
        """Return a saved query's YAML template.

        Raises:
            NotFound: No such saved query.
        """
        query = (("ids", query_id), ("search_domain", self._domain))
        page = await ask(
            self._session, json_request("GET", _TEMPLATE, query=query, idempotent=True)
        )
        if not page.objects:
            raise NotFound(f"saved query {query_id} is not in {self._domain}")
        return page.objects[0].text("yaml_template")

    async def create(self, query: SavedQuery) -> str:
        """Create a saved query and return its id.

        Raises:
            RequestRejected: The gateway refused it, such as for a name that is taken.
        """
        return await self._write("POST", query)

    async def update(self, query: SavedQuery) -> str:
        """Replace the saved query with this id and return the id that it then has, a new one.

        Raises:
            ValueError: The query has no id.
            NotFound: No such saved query.
        """
        if not query.id:
            raise ValueError(f"{query.name} has no id")
        return await self._write("PATCH", query)

    async def delete(self, query_id: str) -> None:
        """Delete a saved query.

        Raises:
            NotFound: No such saved query.
        """
        query = (("ids", query_id), ("search_domain", self._domain))
        await ask(self._session, json_request("DELETE", f"{_QUERIES}/v1", query=query))

    async def _write(self, method: str, query: SavedQuery) -> str:
        parts = [
            Part(name="search_domain", content=self._domain.encode()),
            Part(name="yaml_template", content=_template_of(query).encode()),
        ]
        if method == "PATCH":
            parts.append(Part(name="ids", content=query.id.encode()))
        request = multipart(method, _TEMPLATE, *parts, idempotent=False)
        page = await ask(self._session, request)
        if not page.objects:
            raise RequestRejected(f"saved query {query.name} was not stored")
        return page.objects[0].text("id")


def _template_of(query: SavedQuery) -> str:
    """Return the YAML template; JSON strings are YAML strings, whatever is in them."""
    lines = {
        "$schema": "https://schemas.humio.com/query/v0.1.0",
        "name": query.name,
        "queryString": query.query,
    }
    return "".join(f"{json.dumps(name)}: {json.dumps(text)}\n" for name, text in lines.items())


async def _all_ids(session: Session, what: str, search_domain: str) -> tuple[str, ...]:
    found = await list_all(
        session,
        f"ngsiem-content/queries/{what}/v1",
        lambda page: ((name, name) for name in page.ids),
        limit=PAGE,
        query=(("search_domain", search_domain),),
    )
    return tuple(found)
