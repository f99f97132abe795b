"""Who calls GraphQL, and what they may reach."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.sandbox.answers import InputRefused
from orchestrator.sandbox.auth import demand
from orchestrator.sandbox.settings import Right, TokenRole
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import AssetKind, Domain


class Verb(StrEnum):
    """What is done to an asset."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


# A right is named as the verb and this word.
_NOUNS = {AssetKind.SAVED_QUERY: "saved-queries", AssetKind.ACTION: "actions"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One request's sandbox and role."""

    sandbox: Sandbox
    role: TokenRole

    def domain(self, name: str, right: Right) -> Domain:
        """Return a search domain in which the caller has the right.

        Raises:
            Refusal: 403, not so.
            InputRefused: There is none of this name.
        """
        demand(self.role, right, repository=name)
        domain = self.sandbox.domains.get(name)
        if domain is None:
            raise InputRefused(f"Could not find a search domain with the name '{name}'")
        return domain

    def readable(self, name: str) -> Domain:
        """Return a search domain that the caller may read.

        Raises:
            Refusal: 403, no right to read there.
            InputRefused: There is none of this name.
        """
        return self.domain(name, Right.READ)

    def changeable(self, name: str, kind: AssetKind, verb: Verb) -> Domain:
        """Return a search domain in which the caller may do this to assets of `kind`.

        Raises:
            Refusal: 403, no right to.
            InputRefused: There is none of this name.
        """
        return self.domain(name, Right(f"{verb}-{_NOUNS.get(kind, 'triggers')}"))

    def repository(self, name: str, right: Right = Right.READ) -> Domain:
        """Return a repository in which the caller has the right.

        Raises:
            Refusal: 403, not so.
            InputRefused: There is none of this name, or it is a view.
        """
        domain = self.domain(name, right)
        if domain.is_view:
            raise InputRefused(f"Could not find a repository with the name '{name}'")
        return domain

    def demand(self, right: Right) -> None:
        """Let the caller through, or refuse.

        Raises:
            Refusal: 403, no such right.
        """
        demand(self.role, right)

    def may(self, right: Right) -> bool:
        """Return whether the caller's token has the right."""
        return self.role.may(right)
