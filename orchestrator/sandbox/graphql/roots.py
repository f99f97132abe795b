"""The root fields: server facts, search domains, query checks, and all mutations."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.sandbox.answers import InputRefused
from orchestrator.sandbox.graphql.access import access_mutations, access_queries
from orchestrator.sandbox.graphql.action_tests import action_tests
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.changes import asset_mutations, template_queries
from orchestrator.sandbox.graphql.dashboards import dashboard_mutations, dashboard_queries
from orchestrator.sandbox.graphql.files import file_mutations, file_queries
from orchestrator.sandbox.graphql.finding import finding_queries, readable_domains
from orchestrator.sandbox.graphql.ingest_tokens import token_mutations
from orchestrator.sandbox.graphql.later_changes import later_mutations
from orchestrator.sandbox.graphql.nodes import ORGANIZATION, Node
from orchestrator.sandbox.graphql.older_parsers import older_parser_mutations
from orchestrator.sandbox.graphql.packages import package_mutations, package_queries
from orchestrator.sandbox.graphql.parsers import parser_mutations, parser_queries
from orchestrator.sandbox.graphql.people import People
from orchestrator.sandbox.graphql.permission_tokens import (
    permission_token_mutations,
    permission_token_queries,
)
from orchestrator.sandbox.graphql.query_checks import query_checks
from orchestrator.sandbox.graphql.reading import domain_node
from orchestrator.sandbox.graphql.renaming import renaming_mutations
from orchestrator.sandbox.graphql.running import running_queries
from orchestrator.sandbox.graphql.server import (
    retention_given,
    server_facts,
    server_mutations,
    server_queries,
)
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.storage.domains import Connection, Domain, DomainSettings
from orchestrator.sandbox.triggers.kinds import MAX_BACKFILL_RUNS

Resolver = Callable[..., Any]

_MAX_CSV_BYTES = 200_000_000
_MAX_JSON_BYTES = 100_000_000


def root_of(caller: Caller) -> dict[str, Any]:
    """Return the root value of one request: a resolver per root field."""
    return {
        **_server(caller),
        **_domains(caller),
        **finding_queries(caller),
        **query_checks(caller),
        **running_queries(caller),
        **file_queries(caller),
        **access_queries(caller),
        **permission_token_queries(caller),
        **server_queries(caller),
        **template_queries(caller),
        **package_queries(caller),
        **asset_mutations(caller),
        **later_mutations(caller),
        **action_tests(caller),
        **file_mutations(caller),
        **_domain_mutations(caller),
        **renaming_mutations(caller),
        **dashboard_queries(caller),
        **dashboard_mutations(caller),
        **parser_queries(caller),
        **parser_mutations(caller),
        **older_parser_mutations(caller),
        **package_mutations(caller),
        **token_mutations(caller),
        **access_mutations(caller),
        **permission_token_mutations(caller),
        **server_mutations(caller),
    }


def _server(caller: Caller) -> dict[str, Any]:
    user = People(caller, domain_node).own()
    is_root = caller.may(Right.ADMIN)
    account: Node = {
        **user,
        "isRoot": is_root,
        "isOrganizationRoot": is_root,
        "externalPermissions": False,
        "externalGroupSynchronization": False,
        "currentOrganization": ORGANIZATION,
        "canCreateRepo": caller.may(Right.CREATE_DOMAINS),
    }
    version = caller.sandbox.settings.version
    meta: Node = {
        "version": version,
        "clusterId": "sandbox",
        "environment": "ON_PREM",
        "isClusterBeingUpdated": False,
        "minimumNodeVersion": version,
        "sandboxesEnabled": False,
        "personalUserTokensEnabled": True,
        "scheduledSearchMaxBackfillLimit": MAX_BACKFILL_RUNS,
        "maxCsvFileUploadSizeBytes": _MAX_CSV_BYTES,
        "maxJsonFileUploadSizeBytes": _MAX_JSON_BYTES,
        **server_facts(caller),
    }
    return {
        "meta": lambda _info, url=None: meta,
        "viewer": account,
        "viewerOpt": account,
        "currentUser": {**user, "isRoot": is_root, "isOrgRoot": is_root},
    }


def _domains(caller: Caller) -> dict[str, Resolver]:
    def listed(*, repositories_only: bool) -> list[Node]:
        return [
            domain_node(domain, caller)
            for domain in readable_domains(caller)
            if not (repositories_only and domain.is_view)
        ]

    return {
        "searchDomain": lambda _info, name: domain_node(caller.readable(name), caller),
        "searchDomains": lambda _info, **_hidden: listed(repositories_only=False),
        "repository": lambda _info, name, **_hidden: domain_node(caller.repository(name), caller),
        "repositories": lambda _info, **_hidden: listed(repositories_only=True),
    }


def _domain_mutations(caller: Caller) -> dict[str, Resolver]:
    sandbox = caller.sandbox

    def create(
        name: str,
        description: str | None,
        given: Sequence[Any] | None,
        settings: DomainSettings,
    ) -> Domain:
        caller.demand(Right.CREATE_DOMAINS)
        if name in sandbox.domains:
            raise InputRefused(f"A search domain with the name '{name}' already exists")
        connections = None if given is None else _connections(given)
        domain = Domain(
            name=name, description=description or "", connections=connections, settings=settings
        )
        if any(other.id == domain.id for other in sandbox.domains.values()):
            # One that was made under this name has another by now.
            domain.own_id = secrets.token_hex(12)
        sandbox.domains[name] = domain
        sandbox.save()
        return domain

    def _connections(given: Sequence[Mapping[str, Any]]) -> tuple[Connection, ...]:
        for entry in given:
            found = sandbox.domains.get(entry["repositoryName"])
            if found is None or found.is_view:
                raise InputRefused(f"Could not find the repository '{entry['repositoryName']}'")
        return tuple(
            Connection(
                repository=entry["repositoryName"],
                filter=entry["filter"],
                language=entry.get("languageVersion") or "legacy",
            )
            for entry in given
        )

    def update_view(name: str, given: Sequence[Mapping[str, Any]]) -> Node:
        domain = caller.domain(name, Right.CHANGE_CONNECTIONS)
        if not domain.is_view:
            raise InputRefused(f"Could not find a view with the name '{name}'")
        domain.connections = _connections(given)
        sandbox.save()
        return domain_node(domain, caller)

    def delete(name: str) -> Node:
        # What is no view is asked for as a repository, even where there is nothing.
        found = sandbox.domains.get(name)
        is_view = found is not None and found.is_view
        right = Right.DELETE_VIEWS if is_view else Right.DELETE_REPOSITORIES
        sandbox.drop_domain(caller.domain(name, right))
        return {"result": True}

    def create_repository(
        _info: Any, name: str, description: str | None = None, **given: Any
    ) -> Node:
        domain = create(name, description, None, retention_given(given))
        return {"repository": domain_node(domain, caller)}

    def create_view(
        _info: Any,
        name: str,
        description: str | None = None,
        connections: Sequence[Any] | None = None,
        **given: Any,
    ) -> Node:
        if given.get("isFederated") or given.get("federatedViews"):
            raise InputRefused("a multi-cluster view is not supported by the sandbox")
        return domain_node(create(name, description, connections or [], DomainSettings()), caller)

    return {
        "createRepository": create_repository,
        "createView": create_view,
        "updateView": lambda _info, viewName, connections: update_view(viewName, connections),  # noqa: N803 -- the schema's name
        "deleteSearchDomain": lambda _info, name, **_rest: delete(name),
    }
