"""Saved queries of NG-SIEM: kept and changed as LogScale's YAML templates.

A change writes the whole template. It is made of the one that is there, so that members which are
not known here, such as a time interval or a visualization, stay.
Source: CrowdStrike falconpy, ngsiem-content; templates with the schema query/v0.6.0 in public
repositories.
"""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from orchestrator.client.gateway.content import content_ids
from orchestrator.client.gateway.envelope import ask
from orchestrator.client.http.members import Members
from orchestrator.client.http.multipart import Part, multipart
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.types import SavedQuery
from orchestrator.errors import NotFound, RequestRejected

_QUERIES = "ngsiem-content/entities/savedqueries"
_TEMPLATE = f"{_QUERIES}-template/v1"
_SCHEMA = "https://schemas.humio.com/query/v0.6.0"


class SavedQueries:
    """The saved queries of one search domain."""

    def __init__(self, session: Session, *, search_domain: str) -> None:
        self._session, self._domain = session, search_domain

    async def ids(self) -> tuple[str, ...]:
        """Return the ids of all saved queries.

        Raises:
            ClientError: The gateway could not be asked.
        """
        return await content_ids(self._session, "savedqueries", self._domain)

    async def template(self, query_id: str) -> str:
        """Return a saved query's YAML template.

        Raises:
            NotFound: No such saved query.
        """
        return (await self._found(query_id)).text("yaml_template")

    async def get(self, query_id: str) -> SavedQuery:
        """Return a saved query; `raw` has the whole of its template.

        Raises:
            NotFound: No such saved query.
            UnexpectedResponse: Its template is not one of a query.
        """
        found = await self._found(query_id)
        template = _template(found)
        return SavedQuery(
            id=query_id,
            name=template.text("name"),
            description=template.text("description", ""),
            query=template.text("queryString"),
            labels=template.texts("labels") or found.texts("labels"),
            raw=template.raw,
        )

    async def create(self, query: SavedQuery) -> str:
        """Create a saved query and return its id.

        Raises:
            RequestRejected: The gateway refused it, such as for a name that is taken.
        """
        return await self._write("POST", query, {"$schema": _SCHEMA})

    async def update(self, query: SavedQuery, *, expected: SavedQuery) -> str:
        """Change a saved query, if it still is as `expected`, and return the id that it then has.

        Raises:
            ValueError: The expected one has no id: it was never read from the gateway.
            NotFound: It is gone, or changed and has another id.
            RequestRejected: It changed since it was read, or the gateway refused the content.
        """
        if not expected.id:
            raise ValueError(f"{expected.name} has no id")
        current = await self.get(expected.id)
        if current != expected:
            raise RequestRejected(
                f"{expected.name} changed since it was read", advice="Read it again."
            )
        # Labels may stand beside the template.
        labels = {"labels": list(current.labels)} if current.labels else {}
        before = {**current.raw, **labels}
        return await self._write("PATCH", query, before, query_id=current.id)

    async def delete(self, query_id: str) -> None:
        """Delete a saved query.

        Raises:
            NotFound: No such saved query.
        """
        query = (("ids", query_id), ("search_domain", self._domain))
        await ask(self._session, json_request("DELETE", f"{_QUERIES}/v1", query=query))

    async def _found(self, query_id: str) -> Members:
        query = (("ids", query_id), ("search_domain", self._domain))
        page = await ask(
            self._session, json_request("GET", _TEMPLATE, query=query, idempotent=True)
        )
        if not page.objects:
            raise NotFound(f"saved query {query_id} is not in {self._domain}")
        return page.objects[0]

    async def _write(
        self, method: str, query: SavedQuery, before: Mapping[str, object], *, query_id: str = ""
    ) -> str:
        parts = [
            Part(name="search_domain", content=self._domain.encode()),
            Part(name="yaml_template", content=_template_text(query, before).encode()),
        ]
        if query_id:
            parts.append(Part(name="ids", content=query_id.encode()))
        request = multipart(method, _TEMPLATE, *parts, idempotent=False)
        page = await ask(self._session, request)
        if not page.ids:
            raise RequestRejected(f"saved query {query.name} was not stored")
        return page.ids[0]


def _template(found: Members) -> Members:
    try:
        raw = yaml.safe_load(found.text("yaml_template"))
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise found.wrong("yaml_template", "YAML") from exc
    if not isinstance(raw, dict):
        raise found.wrong("yaml_template", "a mapping in YAML")
    return Members({str(name): value for name, value in raw.items()}, where="yaml_template")


def _template_text(query: SavedQuery, before: Mapping[str, object]) -> str:
    """Return the YAML template: what was there before, and the query over it."""
    members = {**before, "name": query.name, "queryString": query.query}
    optional = {"description": query.description, "labels": list(query.labels)}
    # Empty ones of a template that has them are cleared in it, those of another are left out.
    members |= {name: value for name, value in optional.items() if value or name in before}
    return yaml.safe_dump(members, sort_keys=False, allow_unicode=True)
