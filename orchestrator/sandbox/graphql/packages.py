"""Packages through GraphQL: from the marketplace, taken out again, and used as templates.

Zips are sent to `routes.packages`. How LogScale words its refusals is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from orchestrator.sandbox.answers import InputRefused
from orchestrator.sandbox.assets import records
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.changes import AssetChange, unsaved_asset
from orchestrator.sandbox.graphql.dashboards import DashboardChange
from orchestrator.sandbox.graphql.nodes import Node
from orchestrator.sandbox.graphql.package_nodes import installation_node, package_node
from orchestrator.sandbox.graphql.parsers import ParserChange
from orchestrator.sandbox.packages import marketplace
from orchestrator.sandbox.packages.content import KINDS, PARSERS, Package, Template, read_package
from orchestrator.sandbox.packages.installing import (
    FROM_MARKETPLACE,
    PackageRefused,
    Wish,
    install,
    uninstall,
)
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.storage.domains import AssetKind, Domain, StoredPackage

Resolver = Callable[..., Any]
Input = Mapping[str, Any]


def package_queries(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers that read packages and store nothing, by field name."""

    def installed(_info: Any, packageId: str, viewName: str) -> Node | None:  # noqa: N803 -- the schema's names
        packages = caller.readable(viewName).packages.values()
        return next((installation_node(p) for p in packages if p.id == packageId), None)

    def generated(folder: str, from_input: Any, _info: Any, input: Input) -> Node:  # noqa: A002 -- the schema's name
        domain = caller.readable(input["viewName"])
        template = _template(_package(domain, input["packageId"]), folder, input["templateName"])
        given = {"viewName": input["viewName"], "yamlTemplate": template.text}
        return unsaved_asset(caller, KINDS[folder], from_input, None, given)

    return {
        "installedPackage": installed,
        "generateAlertFromPackageTemplate": partial(generated, "alerts", records.legacy_alert),
        "generateFilterAlertFromPackageTemplate": partial(
            generated, "filter-alerts", records.filter_alert
        ),
        "generateScheduledSearchFromPackageTemplate": partial(
            generated, "scheduled-searches", records.older_scheduled_search
        ),
    }


def package_mutations(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers that install, update and uninstall, by field name."""

    def changeable(name: str) -> Domain:
        return caller.domain(name, Right.CHANGE_PACKAGES)

    def from_marketplace(domain: Domain, given: Input, wish: Wish) -> Node:
        package_id = given["packageId"]
        content = marketplace.packaged(caller.sandbox.settings.marketplace, package_id)
        if content is None:
            raise InputRefused(f"Could not find the package '{package_id}' in the marketplace")
        try:
            install(caller.sandbox, domain, content, wish)
        except PackageRefused as exc:
            message = f"The package {package_id} was not installed"
            raise InputRefused(message, {"packageId": str(exc)}) from exc
        return {"package": package_node(read_package(content))}

    def wish_of(given: Input) -> Wish:
        return Wish(
            by=caller.role.name,
            source=FROM_MARKETPLACE,
            ownership=given.get("queryOwnershipType") or "User",
        )

    def installed(_info: Any, InstallPackageFromRegistryInput: Input) -> Node:  # noqa: N803 -- the schema's name
        given = InstallPackageFromRegistryInput
        return from_marketplace(changeable(given["viewName"]), given, wish_of(given))

    def updated(_info: Any, UpdatePackageFromRegistryInput: Input) -> Node:  # noqa: N803 -- the schema's name
        given = UpdatePackageFromRegistryInput
        domain = changeable(given["viewName"])
        _named(domain, given["packageId"].partition("@")[0])
        wish = replace(wish_of(given), overwrite=True, resolutions=_resolutions(given))
        return from_marketplace(domain, given, wish)

    def uninstalled(_info: Any, packageId: str, viewName: str) -> Node:  # noqa: N803 -- the schema's names
        domain = changeable(viewName)
        uninstall(caller.sandbox, domain, _named(domain, packageId).name)
        return {"result": True}

    return {
        "installPackageFromRegistryV2": installed,
        "updatePackageFromRegistryV2": updated,
        "uninstallPackage": uninstalled,
        **_from_templates(caller),
    }


def _from_templates(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers that make an asset of a package's template, as a library is used."""

    def given_of(folder: str, name: str, given: Input, right: Right) -> dict[str, Any]:
        domain = caller.domain(given["viewName"], right)
        template = _template(_package(domain, given["packageId"]), folder, name)
        return {**template.given, "name": given.get("overrideName") or template.name}

    def action(_info: Any, actionTemplateName: str, **given: Any) -> Node:  # noqa: N803 -- the schema's name
        made = given_of("actions", actionTemplateName, given, Right.CREATE_ACTIONS)
        made["viewName"] = given["viewName"]
        kind = AssetKind.ACTION
        return {"action": AssetChange(caller).create(kind, made, records.action_of_template)}

    def parser(_info: Any, parserTemplateName: str, **given: Any) -> Node:  # noqa: N803 -- the schema's name
        made = given_of(PARSERS, parserTemplateName, given, Right.CHANGE_PARSERS)
        made["repositoryName"] = given["viewName"]
        return {"parser": ParserChange(caller).create(made)}

    def saved_query(_info: Any, savedQueryTemplateName: str, **given: Any) -> Node:  # noqa: N803 -- the schema's name
        made = given_of("queries", savedQueryTemplateName, given, Right.CREATE_SAVED_QUERIES)
        made["viewName"] = given["viewName"]
        kind = AssetKind.SAVED_QUERY
        return {"savedQuery": AssetChange(caller).create(kind, made, records.saved_query)}

    def dashboard(_info: Any, dashboardTemplateName: str, **given: Any) -> Node:  # noqa: N803 -- the schema's name
        view, package_id = given["viewName"], given["packageId"]
        domain = caller.domain(view, Right.CREATE_DASHBOARDS)
        template = _template(_package(domain, package_id), "dashboards", dashboardTemplateName)
        name = given.get("overrideName") or template.name
        return {"dashboard": DashboardChange(caller).create(view, template.text, name)}

    def lookup_file(_info: Any, lookupFileTemplateName: str, **given: Any) -> Node:  # noqa: N803 -- the schema's name
        view = given["viewName"]
        domain = caller.domain(view, Right.CHANGE_FILES)
        files = _package(domain, given["packageId"]).files
        if lookupFileTemplateName not in files:
            raise _no_template(lookupFileTemplateName, given["packageId"])
        name = given.get("overrideName") or lookupFileTemplateName
        content = files[lookupFileTemplateName]
        file = caller.sandbox.put_file(domain, name, content, by=caller.role.name)
        return {"name": file.name, "path": file.package or None}

    return {
        "createActionFromPackageTemplate": action,
        "createParserFromPackageTemplate": parser,
        "createSavedQueryFromPackageTemplate": saved_query,
        "createDashboardFromPackageTemplate": dashboard,
        "createLookupFileFromPackageTemplate": lookup_file,
    }


def _resolutions(given: Input) -> dict[tuple[str, str], bool]:
    """Return by kind and name whether an asset in conflict becomes the package's."""
    return {
        (entry["entityType"], entry["entityName"]): entry["conflictResolution"] == "Theirs"
        for entry in given["conflictResolutions"]
    }


def _named(domain: Domain, name: str) -> StoredPackage:
    if name not in domain.packages:
        raise InputRefused(f"The package '{name}' is not installed in '{domain.name}'")
    return domain.packages[name]


def _package(domain: Domain, package_id: str) -> Package:
    stored = _named(domain, package_id.partition("@")[0])
    if stored.id != package_id:
        raise InputRefused(f"'{domain.name}' has {stored.id}, not {package_id}")
    return read_package(stored.content)


def _template(package: Package, folder: str, name: str) -> Template:
    for template in package.templates[folder]:
        if template.name == name:
            return template
    raise _no_template(name, package.manifest.id)


def _no_template(name: str, package_id: str) -> InputRefused:
    return InputRefused(f"The package {package_id} has no template '{name}' of this kind")
