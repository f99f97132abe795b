"""Who calls GraphQL, and what they may reach."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.sandbox.answers import InputRefused
from orchestrator.sandbox.auth import demand
from orchestrator.sandbox.settings import Right, TokenRole
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import AssetKind, Domain

_CHANGE_RIGHTS = {
    AssetKind.SAVED_QUERY: Right.CHANGE_SAVED_QUERIES,
    AssetKind.ACTION: Right.CHANGE_ACTIONS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One request's sandbox and role."""

    sandbox: Sandbox
    role: TokenRole

    def readable(self, name: str) -> Domain:
        """Return a search domain that the caller may read.

        Raises:
            Refusal: 403, no right to read there.
            InputRefused: There is none of this name.
        """
        demand(self.role, Right.READ, repository=name)
        domain = self.sandbox.domains.get(name)
        if domain is None:
            raise InputRefused(f"Could not find a search domain with the name '{name}'")
        return domain

    def changeable(self, name: str, kind: AssetKind) -> Domain:
        """Return a search domain in which the caller may change assets of `kind`.

        Raises:
            Refusal: 403, no right to.
            InputRefused: There is none of this name.
        """
        domain = self.readable(name)
        demand(self.role, _CHANGE_RIGHTS.get(kind, Right.CHANGE_TRIGGERS), repository=name)
        return domain

    def repository(self, name: str) -> Domain:
        """Return a repository that the caller may read.

        Raises:
            Refusal: 403, no right to read there.
            InputRefused: There is none of this name, or it is a view.
        """
        domain = self.readable(name)
        if domain.is_view:
            raise InputRefused(f"Could not find a repository with the name '{name}'")
        return domain

    def administer(self) -> None:
        """Let the caller through, or refuse.

        Raises:
            Refusal: 403, not an administrator.
        """
        demand(self.role, Right.ADMIN)

    def may(self, right: Right) -> bool:
        """Return whether the caller's token has the right."""
        return right in self.role.rights
