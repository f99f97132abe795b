"""Mutations on dashboards, which clients name by their ids alone."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.sandbox.answers import InputRefused
from orchestrator.sandbox.assets.dashboards import check_dashboard, dashboard_record
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.dashboard_nodes import dashboard_node, dashboards_of
from orchestrator.sandbox.graphql.finding import readable_domains
from orchestrator.sandbox.graphql.nodes import Node, page_node
from orchestrator.sandbox.graphql.reading import domain_node
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.storage.domains import Domain, Record

Input = Mapping[str, Any]
Resolver = Callable[..., Any]


def dashboard_queries(caller: Caller) -> dict[str, Resolver]:
    """Return the resolver that reads dashboards across search domains."""

    def page(_info: Any, search: str | None = None, **page: Any) -> Node:
        wanted = (search or "").casefold()
        found = [
            _node(record, domain, caller)
            for domain in readable_domains(caller)
            for record in dashboards_of(domain)
            if wanted in record["name"].casefold()
        ]
        return page_node(found, page)

    return {"dashboardsPage": page}


def dashboard_mutations(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers that change dashboards, by field name."""
    change = DashboardChange(caller)

    def labelled(dashboard_id: str, label: str, *, add: bool) -> Node:
        def edited(old: Record) -> Record:
            rest = [held for held in old["labels"] if held != label]
            return {"labels": [*rest, label] if add else rest}

        return change.edit(dashboard_id, edited)

    def updated(given: Input) -> Node:
        told = {k: given[k] for k in ("name", "labels", "description") if given.get(k) is not None}
        return {"dashboard": change.edit(given["id"], lambda _old: told)}

    return {
        "createDashboardFromTemplateV2": lambda _info, input: change.create(  # noqa: A006 -- the schema's name
            input["viewName"], input["yamlTemplate"], input.get("name")
        ),
        "updateDashboard": lambda _info, input: updated(input),  # noqa: A006 -- the schema's name
        "renameDashboard": lambda _info, id, name: change.edit(id, lambda _old: {"name": name}),  # noqa: A006 -- the schema's name
        "addDashboardLabel": lambda _info, id, label: labelled(id, label, add=True),  # noqa: A006 -- the schema's name
        "removeDashboardLabel": lambda _info, id, label: labelled(id, label, add=False),  # noqa: A006 -- the schema's name
        "deleteDashboard": lambda _info, input: {"dashboard": change.delete(input["id"])},  # noqa: A006 -- the schema's name
        "deleteDashboardV2": lambda _info, input: change.delete_in(  # noqa: A006 -- the schema's name
            input["viewId"], input["dashboardId"]
        ),
    }


class DashboardChange:
    """The verbs, as one caller may use them; dashboards of packages are not changed."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def create(self, view: str, text: str, name: str | None) -> Node:
        """Store a dashboard given as YAML, under its own name or another."""
        domain = self._caller.domain(view, Right.CREATE_DASHBOARDS)
        now_ms = self._caller.sandbox.now_ms()
        own = {"id": secrets.token_hex(16), "createdAt": now_ms, "modifiedAt": now_ms}
        return self._keep(dashboard_record(text, name) | own, domain)

    def edit(self, dashboard_id: str, edited: Callable[[Record], Record]) -> Node:
        """Change members of a dashboard and return its node."""
        domain, old = self._own(dashboard_id, Right.UPDATE_DASHBOARDS)
        # Two changes within one millisecond must not look like one.
        now_ms = max(self._caller.sandbox.now_ms(), old["modifiedAt"] + 1)
        return self._keep(old | edited(old) | {"modifiedAt": now_ms}, domain)

    def delete(self, dashboard_id: str) -> Node:
        """Remove a dashboard and return what it was."""
        domain, old = self._own(dashboard_id, Right.DELETE_DASHBOARDS)
        del domain.dashboards[dashboard_id]
        self._caller.sandbox.save()
        return _node(old, domain, self._caller)

    def delete_in(self, view_id: str, dashboard_id: str) -> Node:
        """Remove a dashboard of this search domain and return the domain."""
        domain, _ = self._own(dashboard_id, Right.DELETE_DASHBOARDS)
        if domain.id != view_id:
            raise _absent(dashboard_id)
        self.delete(dashboard_id)
        return domain_node(domain, self._caller)

    def _own(self, dashboard_id: str, right: Right) -> tuple[Domain, Record]:
        self._caller.demand(right)
        for domain in self._caller.sandbox.domains.values():
            if dashboard_id in domain.dashboards and self._caller.role.reaches(domain.name):
                return domain, domain.dashboards[dashboard_id]
        raise _absent(dashboard_id)

    def _keep(self, record: Record, domain: Domain) -> Node:
        record["by"] = self._caller.role.name
        check_dashboard(record, list(domain.dashboards.values()))
        domain.dashboards[record["id"]] = record
        self._caller.sandbox.save()
        return _node(record, domain, self._caller)


def _absent(dashboard_id: str) -> InputRefused:
    return InputRefused(f"Could not find an entry with the id '{dashboard_id}' in dashboards")


def _node(record: Record, domain: Domain, caller: Caller) -> Node:
    return dashboard_node(record, domain, lambda shown: domain_node(shown, caller))
