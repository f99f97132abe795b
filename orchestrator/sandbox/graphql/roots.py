"""The root fields: server facts, search domains, query checks, and all mutations."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.sandbox.auth import demand
from orchestrator.sandbox.domains import Connection, Domain
from orchestrator.sandbox.graphql.action_tests import action_tests
from orchestrator.sandbox.graphql.caller import Caller, InputRefused
from orchestrator.sandbox.graphql.changes import asset_mutations, template_queries
from orchestrator.sandbox.graphql.files import file_mutations, file_queries
from orchestrator.sandbox.graphql.query_checks import query_checks
from orchestrator.sandbox.graphql.reading import ORGANIZATION, Node, domain_node, user_node
from orchestrator.sandbox.graphql.running import running_queries
from orchestrator.sandbox.graphql.tokens import token_roots
from orchestrator.sandbox.settings import Right, TokenRole

Resolver = Callable[..., Any]

_BACKFILL_LIMIT = 5
_MAX_CSV_BYTES = 200_000_000
_MAX_JSON_BYTES = 100_000_000


def root_of(caller: Caller) -> dict[str, Any]:
    """Return the root value of one request: a resolver per root field."""
    return {
        **_server(caller),
        **_domains(caller),
        **query_checks(caller),
        **running_queries(caller),
        **token_roots(caller),
        **file_queries(caller),
        **template_queries(caller),
        **asset_mutations(caller),
        **action_tests(caller),
        **file_mutations(caller),
        **_domain_mutations(caller),
    }


def _server(caller: Caller) -> dict[str, Any]:
    user = user_node(caller.role.name)
    is_root = caller.may(Right.ADMIN)
    account: Node = {
        "id": user["id"],
        "username": user["username"],
        "isRoot": is_root,
        "isOrganizationRoot": is_root,
        "fullName": None,
        "email": None,
        "currentOrganization": ORGANIZATION,
        "canCreateRepo": is_root,
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
        "scheduledSearchMaxBackfillLimit": _BACKFILL_LIMIT,
        "maxCsvFileUploadSizeBytes": _MAX_CSV_BYTES,
        "maxJsonFileUploadSizeBytes": _MAX_JSON_BYTES,
    }
    return {
        "meta": lambda _info, url=None: meta,
        "viewer": account,
        "viewerOpt": account,
        "currentUser": {**user, "isRoot": is_root, "isOrgRoot": is_root},
    }


def _domains(caller: Caller) -> dict[str, Resolver]:
    def listed(*, repositories_only: bool) -> list[Node]:
        demand(caller.role, Right.READ)
        found = caller.sandbox.domains.values()
        return [
            domain_node(domain, caller)
            for domain in found
            if caller.role.reaches(domain.name) and not (repositories_only and domain.is_view)
        ]

    def repository(name: str) -> Node:
        domain = caller.readable(name)
        if domain.is_view:
            raise InputRefused(f"Could not find a repository with the name '{name}'")
        return domain_node(domain, caller)

    return {
        "searchDomain": lambda _info, name: domain_node(caller.readable(name), caller),
        "searchDomains": lambda _info, **_hidden: listed(repositories_only=False),
        "repository": lambda _info, name, **_hidden: repository(name),
        "repositories": lambda _info, **_hidden: listed(repositories_only=True),
    }


def _domain_mutations(caller: Caller) -> dict[str, Resolver]:
    sandbox = caller.sandbox

    def create(name: str, description: str | None, given: Sequence[Any] | None) -> Domain:
        demand(caller.role, Right.ADMIN)
        if name in sandbox.domains:
            raise InputRefused(f"A search domain with the name '{name}' already exists")
        connections = None if given is None else _connections(given)
        domain = Domain(name=name, description=description or "", connections=connections)
        sandbox.domains[name] = domain
        sandbox.save()
        return domain

    def _connections(given: Sequence[Mapping[str, Any]]) -> tuple[Connection, ...]:
        for entry in given:
            found = sandbox.domains.get(entry["repositoryName"])
            if found is None or found.is_view:
                raise InputRefused(f"Could not find the repository '{entry['repositoryName']}'")
        return tuple(Connection(repository=e["repositoryName"], filter=e["filter"]) for e in given)

    def update_view(name: str, given: Sequence[Mapping[str, Any]]) -> Node:
        demand(caller.role, Right.ADMIN)
        domain = caller.readable(name)
        if not domain.is_view:
            raise InputRefused(f"Could not find a view with the name '{name}'")
        domain.connections = _connections(given)
        sandbox.save()
        return domain_node(domain, caller)

    def delete(name: str) -> Node:
        demand(caller.role, Right.ADMIN)
        sandbox.drop_domain(caller.readable(name))
        return {"result": True}

    def add_token(given: Mapping[str, Any]) -> Node:
        demand(caller.role, Right.ADMIN)
        repository = caller.readable(given["repositoryName"]).name
        text = given.get("customToken") or secrets.token_urlsafe(24)
        if text in sandbox.tokens:
            raise InputRefused("There were errors in the input.", {"customToken": "is in use"})
        parser = given.get("parser")
        sandbox.tokens[text] = TokenRole(
            name=given["name"],
            rights=frozenset({Right.INGEST}),
            repository=repository,
            parser=parser,
        )
        sandbox.save()
        parser_node = {"id": parser, "name": parser} if parser else None
        return {"name": given["name"], "token": text, "parser": parser_node}

    def remove_token(repository: str, name: str) -> Node:
        demand(caller.role, Right.ADMIN)
        for text, role in list(sandbox.tokens.items()):
            if role.repository == repository and role.name == name:
                del sandbox.tokens[text]
                sandbox.save()
                return {"result": True}
        raise InputRefused(f"Could not find the ingest token '{name}'")

    return {
        "createRepository": lambda _info, name, description=None, **_rest: {
            "repository": domain_node(create(name, description, None), caller)
        },
        "createView": lambda _info, name, description=None, connections=None, **_rest: domain_node(
            create(name, description, connections or []), caller
        ),
        "updateView": lambda _info, viewName, connections: update_view(viewName, connections),  # noqa: N803 -- the schema's name
        "deleteSearchDomain": lambda _info, name, **_rest: delete(name),
        "addIngestTokenV3": lambda _info, input: add_token(input),  # noqa: A006 -- the schema's name
        "removeIngestToken": lambda _info, repositoryName, name: remove_token(repositoryName, name),  # noqa: N803 -- the schema's name
    }
