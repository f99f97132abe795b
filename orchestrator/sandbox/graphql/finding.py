"""What is found across search domains: pages of them, an asset by its id, assets by a term.

A cursor is the search and the place of the page's first entry, as JSON in base64: no state is kept
between two pages, and each sees what there is by then.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from orchestrator.sandbox.answers import InputRefused
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.dashboard_nodes import dashboard_node, dashboards_of
from orchestrator.sandbox.graphql.nodes import Node, page_node
from orchestrator.sandbox.graphql.parsers import parser_node
from orchestrator.sandbox.graphql.reading import asset_node, domain_node, file_node
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.storage.domains import AssetKind, Domain

Input = Mapping[str, Any]
Resolver = Callable[..., Any]

_PAGE_SIZE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One asset that may be found."""

    kind: str
    """Of EntitySearchEntityType."""
    name: str
    view: str
    show: Callable[[], Node]
    """Makes the members that an entry of this kind has."""


_SORTED: Mapping[str, Callable[[_Entry], str]] = {
    "Name": lambda entry: entry.name.casefold(),
    "View": lambda entry: entry.view.casefold(),
    "Type": lambda entry: entry.kind,
}


def finding_queries(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers that look into every search domain the caller may read."""

    def saved_query(_info: Any, id: str) -> Node:  # noqa: A002 -- the schema's name
        for domain in readable_domains(caller):
            record = domain.assets[AssetKind.SAVED_QUERY].get(id)
            if record is not None:
                return asset_node(AssetKind.SAVED_QUERY, record, domain)
        raise InputRefused(f"Could not find a saved query with the id '{id}'")

    def domains_page(_info: Any, search: str | None = None, **page: Any) -> Node:
        wanted = (search or "").casefold()
        found = [d for d in readable_domains(caller) if wanted in d.name.casefold()]
        return page_node([domain_node(domain, caller) for domain in found], page)

    return {
        "savedQuery": saved_query,
        "searchDomainsPage": domains_page,
        "entitiesSearch": lambda _info, input: _page(caller, input, 0),  # noqa: A006 -- the schema's name
        "entitiesPage": lambda _info, input: _turned(caller, input),  # noqa: A006 -- the schema's name
    }


def readable_domains(caller: Caller) -> list[Domain]:
    """Return the search domains that the caller may read.

    Raises:
        Refusal: 403, no right to read at all.
    """
    caller.demand(Right.READ)
    return [d for d in caller.sandbox.domains.values() if caller.role.reaches(d.name)]


def _turned(caller: Caller, given: Input) -> Node:
    try:
        kept = json.loads(base64.urlsafe_b64decode(given["cursor"]))
        asked, first = kept["asked"], int(kept["first"])
        size = asked.get("pageSize") or _PAGE_SIZE
        steps = {"Previous": -size, "Next": size}
        return _page(caller, asked, max(0, first + steps.get(given["direction"], 0)))
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        # What is in it came from outside.
        raise InputRefused("The cursor is none that a search returned") from exc


def _page(caller: Caller, asked: Input, first: int) -> Node:
    size = asked.get("pageSize") or _PAGE_SIZE
    if size < 1:
        raise InputRefused("pageSize must be at least 1")
    wanted = (asked.get("searchTerm") or "").casefold()
    found = [
        entry
        for domain in readable_domains(caller)
        for entry in _entries(domain, caller)
        if entry.kind in asked["entityTypes"] and wanted in entry.name.casefold()
    ]
    # The first order counts most: it is applied last.
    for order in reversed(asked.get("sortBy") or []):
        if order["name"] not in _SORTED:
            raise InputRefused(f"to sort by {order['name']} is not supported by the sandbox")
        found.sort(key=_SORTED[order["name"]], reverse=order["order"] == "Descending")
    kept = json.dumps({"asked": asked, "first": first})
    return {
        "totalResults": len(found),
        "data": [
            {"__typename": f"{entry.kind}Entry", **entry.show()}
            for entry in found[first : first + size]
        ],
        "cursor": base64.urlsafe_b64encode(kept.encode()).decode(),
        "hasNextPage": first + size < len(found),
        "hasPreviousPage": first > 0,
    }


def _entries(domain: Domain, caller: Caller) -> Iterator[_Entry]:
    """Yield what can be found in a search domain."""
    for record in domain.assets[AssetKind.SAVED_QUERY].values():
        query = partial(asset_node, AssetKind.SAVED_QUERY, record, domain)
        yield _entry("SavedQuery", record["name"], domain, savedQuery=query)
    for record in domain.assets[AssetKind.ACTION].values():
        action = partial(asset_node, AssetKind.ACTION, record, domain)
        yield _entry("Action", record["name"], domain, action=action)
    for record in domain.parsers.values():
        parser = partial(parser_node, record, domain)
        yield _entry("Parser", record["name"], domain, parser=parser)
    for record in dashboards_of(domain):
        board = partial(dashboard_node, record, domain, lambda shown: domain_node(shown, caller))
        yield _entry("Dashboard", record["name"], domain, dashboard=board)
    for file in domain.files.values():
        view, content = partial(domain_node, domain, caller), partial(file_node, file, domain)
        yield _entry("File", file.name, domain, view=view, file=content)


def _entry(kind: str, name: str, domain: Domain, **members: Callable[[], Node]) -> _Entry:
    def show() -> Node:
        return {member: node() for member, node in members.items()}

    return _Entry(kind=kind, name=name, view=domain.name, show=show)
