"""Tokens that are made, listed, rotated and deleted; one made here works, until it is over.

A personal token has its maker's rights; a view token those on its search domains. The sandbox knows
rights as a whole: a finer permission, such as CreateTriggers alone, is refused and not widened.
What was set up with the sandbox is none of these tokens, and cannot be changed here.
Source: descriptions in the schema; library.humio.com, security, API tokens.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.sandbox.answers import forbidden
from orchestrator.sandbox.auth import demand
from orchestrator.sandbox.graphql.caller import Caller, InputRefused
from orchestrator.sandbox.graphql.reading import ORGANIZATION, Node, domain_node
from orchestrator.sandbox.settings import Issue, Right, TokenKind, TokenRole

Input = Mapping[str, Any]

_RIGHTS: Mapping[str, Right | None] = {
    "ReadAccess": Right.READ,
    "ChangeTriggers": Right.CHANGE_TRIGGERS,
    "ChangeActions": Right.CHANGE_ACTIONS,
    "ChangeSavedQueries": Right.CHANGE_SAVED_QUERIES,
    "ChangeFiles": Right.CHANGE_FILES,
    # Whose rights a query runs with makes no difference here.
    "OrganizationOwnedQueries": None,
}
_MOST = 100


def token_roots(caller: Caller) -> dict[str, Callable[..., Any]]:
    """Return the resolvers of the root fields about tokens, by field name."""
    made = _Tokens(caller)
    return {
        "tokens": lambda _info, **given: made.listed(**given),
        "createPersonalUserToken": lambda _info, input: made.personal(input)["token"],  # noqa: A006 -- the schema's name
        "createPersonalUserTokenV2": lambda _info, input: made.personal(input),  # noqa: A006 -- the schema's name
        "createViewPermissionsToken": lambda _info, input: made.for_views(  # noqa: A006 -- the schema's name
            input, input["permissions"]
        )["token"],
        "createViewPermissionsTokenV2": lambda _info, input: made.for_views(  # noqa: A006 -- the schema's name
            input, input["viewPermissions"]
        ),
        "rotateToken": lambda _info, input: made.rotate(input["id"]),  # noqa: A006 -- the schema's name
        "deleteToken": lambda _info, input: made.delete(input["id"]),  # noqa: A006 -- the schema's name
    }


class _Tokens:
    """The tokens of a sandbox, as one caller may see and change them."""

    def __init__(self, caller: Caller) -> None:
        self._caller, self._sandbox = caller, caller.sandbox

    def personal(self, given: Input) -> Node:
        """Make a token that may do what its maker may."""
        role = self._caller.role
        # Only people have personal tokens: no view's token and no sender.
        if not role.is_person:
            raise forbidden()
        issue = self._issue(given, kind=TokenKind.PERSONAL, name=role.name)
        return self._keep(replace(role, issue=issue))

    def for_views(self, given: Input, permissions: Sequence[str]) -> Node:
        """Make a token for some search domains."""
        demand(self._caller.role, Right.ADMIN)
        issue = self._issue(given, kind=TokenKind.VIEW, name=given["name"])
        coarse = [name for name in permissions if name not in _RIGHTS]
        if coarse or not permissions:
            known = ", ".join(_RIGHTS)
            raise _refused("viewPermissions", f"the sandbox grants at least one, of {known}")
        by_id = {domain.id: domain.name for domain in self._sandbox.domains.values()}
        unknown = [view_id for view_id in given["viewIds"] if view_id not in by_id]
        if unknown or not given["viewIds"]:
            raise _refused("viewIds", "must be ids of repositories and views, at least one")
        rights = {right for name in permissions if (right := _RIGHTS[name]) is not None}
        role = TokenRole(
            name=given["name"],
            rights=frozenset(rights),
            views=tuple(by_id[view_id] for view_id in given["viewIds"]),
            issue=replace(issue, permissions=tuple(permissions)),
        )
        return self._keep(role)

    def listed(
        self,
        sortBy: str,  # noqa: N803 -- the schema's name
        searchFilter: str | None = None,  # noqa: N803 -- the schema's name
        typeFilter: Sequence[str] | None = None,  # noqa: N803 -- the schema's name
        parentEntityIdFilter: Sequence[str] | None = None,  # noqa: N803 -- the schema's name
        orderBy: str | None = None,  # noqa: N803 -- the schema's name
        skip: int | None = None,
        limit: int | None = None,
    ) -> Node:
        """Return a page of the view tokens; personal ones are their owners' matter."""
        demand(self._caller.role, Right.ADMIN)
        found = [
            (role, issue)
            for _, role, issue in self._issued()
            if issue.kind is TokenKind.VIEW and (searchFilter or "") in issue.name
        ]
        if typeFilter is not None and "ViewPermissionToken" not in typeFilter:
            found = []
        if parentEntityIdFilter is not None and ORGANIZATION["id"] not in parentEntityIdFilter:
            found = []
        by_name = sortBy == "Name"
        found.sort(
            key=lambda pair: pair[1].name if by_name else pair[1].expires_ms or float("inf"),
            reverse=orderBy == "DESC",
        )
        start = max(0, skip or 0)
        page = found[start : start + max(0, _MOST if limit is None else limit)]
        return {
            "totalResults": len(found),
            "results": [self._node(role, issue) for role, issue in page],
        }

    def rotate(self, token_id: str) -> str:
        """Put another secret in the place of the token's."""
        text, role, issue = self._find(token_id)
        del self._sandbox.tokens[text]
        new = _secret(issue)
        self._sandbox.tokens[new] = role
        self._sandbox.save()
        return new

    def delete(self, token_id: str) -> bool:
        """Make the token worthless."""
        text, _, _ = self._find(token_id)
        del self._sandbox.tokens[text]
        self._sandbox.save()
        return True

    def _issue(self, given: Input, *, kind: TokenKind, name: str) -> Issue:
        now_ms, expires_ms = self._sandbox.now_ms(), given.get("expireAt")
        if expires_ms is not None and expires_ms <= now_ms:
            raise _refused("expireAt", "must be in the future")
        if given.get("ipFilterId") is not None:
            raise _refused("ipFilterId", "the sandbox has no IP filters")
        return Issue(
            id=secrets.token_hex(16),
            kind=kind,
            name=name,
            created_ms=now_ms,
            expires_ms=expires_ms,
        )

    def _keep(self, role: TokenRole) -> Node:
        issue = role.issue
        assert issue is not None  # noqa: S101 -- made by the caller
        text = _secret(issue)
        self._sandbox.tokens[text] = role
        self._sandbox.save()
        return {"token": text, "tokenMetadata": self._node(role, issue)}

    def _issued(self) -> Iterator[tuple[str, TokenRole, Issue]]:
        for text, role in self._sandbox.tokens.items():
            if role.issue is not None:
                yield text, role, role.issue

    def _find(self, token_id: str) -> tuple[str, TokenRole, Issue]:
        caller = self._caller
        for text, role, issue in self._issued():
            # A view's token may be called like a person.
            is_owner = caller.role.is_person and role.name == caller.role.name
            is_own = issue.kind is TokenKind.PERSONAL and is_owner
            if issue.id == token_id and (is_own or caller.may(Right.ADMIN)):
                return text, role, issue
        raise InputRefused(f"Could not find a token with the id '{token_id}'")

    def _node(self, role: TokenRole, issue: Issue) -> Node:
        domains = self._sandbox.domains
        return {
            "__typename": issue.kind.value,
            "id": issue.id,
            "name": issue.name,
            "expireAt": issue.expires_ms,
            "ipFilter": None,
            "createdAt": issue.created_ms,
            "permissions": list(issue.permissions),
            "views": lambda _info: [
                domain_node(domains[name], self._caller)
                for name in role.views or ()
                if name in domains
            ],
        }


def _secret(issue: Issue) -> str:
    return f"{issue.id}~{secrets.token_urlsafe(32)}"


def _refused(member: str, reason: str) -> InputRefused:
    return InputRefused("There were errors in the input.", {member: reason})
