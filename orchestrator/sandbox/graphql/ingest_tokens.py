"""Ingest tokens through GraphQL: each belongs to one repository and may impose a parser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from orchestrator.sandbox.answers import InputRefused, wrong_input
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.nodes import Node
from orchestrator.sandbox.graphql.parsers import named_parser
from orchestrator.sandbox.graphql.reading import domain_node
from orchestrator.sandbox.graphql.repository import token_node, token_nodes
from orchestrator.sandbox.settings import Right, TokenRole
from orchestrator.sandbox.storage.domains import Domain


def token_mutations(caller: Caller) -> dict[str, Callable[..., Any]]:
    """Return the resolvers that change ingest tokens."""
    sandbox = caller.sandbox

    def repository(name: str) -> Domain:
        return caller.repository(name, Right.CHANGE_INGEST_TOKENS)

    def add(given: Mapping[str, Any]) -> Node:
        domain = repository(given["repositoryName"])
        # Senders such as PSFalcon take a UUID and nothing else.
        text = given.get("customToken") or str(uuid4())
        if text in sandbox.tokens:
            raise _refused("customToken", "is in use")
        if any(node["name"] == given["name"] for node in token_nodes(domain, caller)):
            raise _refused("name", f"the name '{given['name']}' is already in use")
        role = TokenRole(
            name=given["name"],
            rights=frozenset({Right.INGEST}),
            repository=domain.name,
            parser=_checked(domain, given.get("parser")),
        )
        return keep(text, role, domain)

    def keep(text: str, role: TokenRole, domain: Domain) -> Node:
        sandbox.tokens[text] = role
        sandbox.save()
        return token_node(text, role, domain)

    def assign(domain: Domain, name: str, parser: str | None) -> Node:
        text = _text_of(domain, name, caller)
        return keep(text, replace(sandbox.tokens[text], parser=_checked(domain, parser)), domain)

    def unassign(domain: Domain, name: str) -> Node:
        assign(domain, name, None)
        return {"repository": domain_node(domain, caller)}

    def remove(domain: Domain, name: str) -> Node:
        del sandbox.tokens[_text_of(domain, name, caller)]
        sandbox.save()
        return {"result": True}

    return {
        "addIngestTokenV3": lambda _info, input: add(input),  # noqa: A006 -- the schema's name
        "assignParserToIngestTokenV2": lambda _info, input: assign(  # noqa: A006 -- the schema's name
            repository(input["repositoryName"]), input["tokenName"], input["parser"]
        ),
        "unassignIngestToken": lambda _info, repositoryName, tokenName: unassign(  # noqa: N803 -- the schema's name
            repository(repositoryName), tokenName
        ),
        "removeIngestToken": lambda _info, repositoryName, name: remove(  # noqa: N803 -- the schema's name
            repository(repositoryName), name
        ),
    }


def _checked(domain: Domain, parser: str | None) -> str | None:
    """Return the name by which the parser is referred to, None for none.

    Raises:
        InputRefused: The repository has no such parser.
    """
    if not parser:
        return None
    found = named_parser(domain, parser)
    if found is None:
        raise _refused("parser", f"the repository has no parser '{parser}'")
    return str(found["displayName"])


def _text_of(domain: Domain, name: str, caller: Caller) -> str:
    for node in token_nodes(domain, caller):
        if node["name"] == name:
            return str(node["token"])
    raise InputRefused(f"Could not find the ingest token '{name}'")


def _refused(field: str, reason: str) -> InputRefused:
    return wrong_input({field: reason})
