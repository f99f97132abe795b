"""Packages as GraphQL reads them: an installation, and what is in it.

What a marketplace has is looked up when a client selects it, in the sandbox, which is the context
of the operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.sandbox.graphql.nodes import Node, user_node
from orchestrator.sandbox.packages import marketplace
from orchestrator.sandbox.packages.content import PARSERS, Package, Template, read_package
from orchestrator.sandbox.packages.manifest import Manifest, version_numbers
from orchestrator.sandbox.storage.domains import Domain, StoredPackage
from orchestrator.units import format_instant, from_epoch_ms


def package_fields(domain: Domain | None, name: str | None) -> Node:
    """Return the two fields by which an asset says what brought it; None for no package."""
    stored = None if domain is None else domain.packages.get(name or "")
    if stored is None:
        return {"packageId": None, "package": None}
    return {"packageId": stored.id, "package": lambda _info: installation_node(stored)}


def installation_node(stored: StoredPackage) -> Node:
    """Return the GraphQL object of a package that is installed."""
    return {
        "id": stored.id,
        "installedBy": _moment(stored.installed_by, stored.installed_ms),
        "updatedBy": _moment(stored.updated_by, stored.updated_ms),
        "source": stored.source,
        "availableUpdate": lambda info: _newer(stored, info.context.settings.marketplace),
        "package": lambda _info: package_node(read_package(stored.content)),
    }


def package_node(package: Package) -> Node:
    """Return the GraphQL object of a package."""
    manifest = package.manifest
    scope, _, name = manifest.name.partition("/")
    shelves: dict[str, tuple[str, Callable[[Template, Manifest], Node]]] = {
        "dashboardTemplates": ("dashboards", _labelled),
        "savedQueryTemplates": ("queries", _template),
        "parserTemplates": (PARSERS, _template),
        "alertTemplates": ("alerts", _labelled),
        "filterAlertTemplates": ("filter-alerts", _labelled),
        "aggregateAlertTemplates": ("aggregate-alerts", _labelled),
        "actionTemplates": ("actions", _action),
        "scheduledSearchTemplates": ("scheduled-searches", _labelled),
        "viewInteractionTemplates": ("view-interactions", _template),
    }
    templates = {
        field: [shown(template, manifest) for template in package.templates[folder]]
        for field, (folder, shown) in shelves.items()
    }
    return {
        "id": manifest.id,
        "scope": scope,
        "name": name,
        "version": manifest.version,
        "description": manifest.description,
        "iconUrl": manifest.icon_url,
        "author": manifest.author,
        "contributors": manifest.contributors,
        "licenseUrl": manifest.license_url,
        "minHumioVersion": manifest.min_server,
        "readme": package.readme,
        "type": manifest.type,
        **templates,
        "lookupFileTemplates": [
            {
                "name": name,
                "displayName": f"{manifest.name}/{name}",
                "content": content.decode("utf-8", "replace"),
            }
            for name, content in package.files.items()
        ],
        "versionsOnMarketplace": lambda info: [
            {"version": found.version, "minHumioVersion": found.min_server}
            for found in marketplace.versions(info.context.settings.marketplace, manifest.name)
        ],
    }


def _template(template: Template, manifest: Manifest) -> Node:
    return {
        "name": template.name,
        "displayName": f"{manifest.name}:{template.name}",
        "yamlTemplate": template.text,
    }


def _labelled(template: Template, manifest: Manifest) -> Node:
    return _template(template, manifest) | {"labels": _labels(template.given.get("labels"))}


def _action(template: Template, manifest: Manifest) -> Node:
    # No other type of action has a published form.
    return _template(template, manifest) | {"type": "UploadFile"}


def _labels(given: Any) -> Sequence[str]:
    return given if isinstance(given, list) else []


def _moment(name: str, at_ms: int) -> Node:
    return {
        "username": name,
        "user": user_node(name),
        "timestamp": format_instant(from_epoch_ms(at_ms)),
    }


def _newer(stored: StoredPackage, folder: Path | None) -> str | None:
    """Return the newest version that there is, where it is newer than the one installed."""
    there = marketplace.versions(folder, stored.name)
    if not there or version_numbers(there[0].version) <= version_numbers(stored.version):
        return None
    return there[0].version
