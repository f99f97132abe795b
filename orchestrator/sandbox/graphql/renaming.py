"""A view's new name. Its id stays; tokens and the states of its triggers follow.

A repository keeps its name: its events lie under it. Who may rename is not known of LogScale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from orchestrator.sandbox.answers import InputRefused, wrong_input
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.nodes import Node
from orchestrator.sandbox.graphql.reading import domain_node
from orchestrator.sandbox.settings import Right, TokenRole
from orchestrator.sandbox.storage.domains import Domain
from orchestrator.sandbox.storage.states import RunState
from orchestrator.sandbox.triggers.kinds import TRIGGER_KINDS, asset_key


def renaming_mutations(caller: Caller) -> dict[str, Callable[..., Any]]:
    """Return the resolver that renames a search domain."""
    sandbox = caller.sandbox

    def rename(_info: Any, name: str, renameTo: str) -> Node:  # noqa: N803 -- the schema's name
        domain = caller.domain(name, Right.ADMIN)
        if not domain.is_view:
            raise InputRefused("to rename a repository is not supported by the sandbox")
        if not renameTo.strip():
            raise wrong_input({"renameTo": "must not be empty"})
        if renameTo in sandbox.domains:
            raise InputRefused(f"A search domain with the name '{renameTo}' already exists")
        domain.own_id, domain.name = domain.id, renameTo
        sandbox.domains[renameTo] = sandbox.domains.pop(name)
        for text, role in sandbox.tokens.items():
            sandbox.tokens[text] = _renamed(role, name, renameTo)
        _move_states(domain, name, sandbox.triggers.book.states)
        for record in sandbox.directory.tokens.values():
            record["views"] = [renameTo if view == name else view for view in record["views"]]
        sandbox.save()
        return domain_node(domain, caller)

    return {"renameSearchDomain": rename}


def _move_states(domain: Domain, old: str, states: dict[str, RunState]) -> None:
    """Let the view's triggers go on where they are."""
    for kind in TRIGGER_KINDS:
        for record_id in domain.assets[kind]:
            state = states.pop(asset_key(old, kind, record_id), None)
            if state is not None:
                states[asset_key(domain.name, kind, record_id)] = state


def _renamed(role: TokenRole, old: str, new: str) -> TokenRole:
    repository, *others = [new if name == old else name for name in (role.repository, *role.others)]
    return replace(role, repository=repository, others=tuple(filter(None, others)))
