"""Dashboards as GraphQL reads them: a search domain's own, and those of its packages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from orchestrator.ids import derive
from orchestrator.sandbox.answers import InputRefused
from orchestrator.sandbox.assets.dashboards import (
    dashboard_record,
    dashboard_yaml,
    sections_of,
    shared_time_of,
    widgets_of,
)
from orchestrator.sandbox.graphql.nodes import Node, author_node
from orchestrator.sandbox.graphql.package_nodes import package_fields
from orchestrator.sandbox.packages.content import Template, read_package
from orchestrator.sandbox.packages.manifest import LIBRARY
from orchestrator.sandbox.storage.domains import Domain, Record, StoredPackage, display_name

ShowDomain = Callable[[Domain], Node]

_ASSET_ACTIONS = ["Read", "Update", "Delete", "ReadMetadata"]


def dashboards_of(domain: Domain) -> list[Record]:
    """Return the records of a search domain's dashboards, its own first."""
    found = list(domain.dashboards.values())
    for stored in domain.packages.values():
        package = read_package(stored.content)
        if package.manifest.type != LIBRARY:
            found += [_packaged(t, stored, domain) for t in package.templates["dashboards"]]
    return found


def dashboard_fields(domain: Domain, show: ShowDomain) -> Node:
    """Return the fields through which a search domain shows its dashboards."""

    def one(_info: Any, id: str) -> Node:  # noqa: A002 -- the schema's name
        for record in dashboards_of(domain):
            if record["id"] == id:
                return dashboard_node(record, domain, show)
        raise InputRefused(f"Could not find an entry with the id '{id}' in dashboards")

    return {
        "dashboard": one,
        "dashboards": lambda _info: [
            dashboard_node(record, domain, show) for record in dashboards_of(domain)
        ],
    }


def dashboard_node(record: Record, domain: Domain, show: ShowDomain) -> Node:
    """Return the GraphQL object of a dashboard; `show` makes that of its search domain."""
    author, text = author_node(record["by"]), record["template"]
    return {
        "id": record["id"],
        "name": record["name"],
        "displayName": display_name(record),
        "description": record["description"],
        "labels": record["labels"],
        "yamlTemplate": lambda _info: dashboard_yaml(record),
        "templateYaml": lambda _info: dashboard_yaml(record),
        "widgets": lambda _info: widgets_of(text),
        "sections": lambda _info: sections_of(text),
        **{name: partial(_shared, text, name) for name in _SHARED},
        "isStarred": False,
        "searchDomain": lambda _info: show(domain),
        **package_fields(domain, record.get("package")),
        "allowedActions": _ASSET_ACTIONS,
        "resource": f"search-domains/{domain.id}/dashboards/{record['id']}",
        "createdInfo": {"timestamp": record["createdAt"], "author": author},
        "modifiedInfo": {"timestamp": record["modifiedAt"], "author": author},
    }


_SHARED = ("defaultSharedTimeStart", "defaultSharedTimeEnd", "defaultSharedTimeEnabled")


def _shared(text: str, name: str, _info: Any) -> Any:
    return shared_time_of(text)[name]


def _packaged(template: Template, stored: StoredPackage, domain: Domain) -> Record:
    try:
        record = dashboard_record(template.text)
    except InputRefused:
        # That it has a name is all that its package was asked for.
        bare: Record = {"description": None, "labels": []}
        record = {**bare, "name": template.name, "template": "widgets: {}\n"}
    return record | {
        "id": derive("dashboard", f"{domain.id}/{stored.name}/{template.path}")[:24],
        "package": stored.name,
        "createdAt": stored.installed_ms,
        "modifiedAt": stored.updated_ms,
        "by": stored.updated_by,
    }
