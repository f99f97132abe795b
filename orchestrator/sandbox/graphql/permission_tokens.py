"""Tokens with permissions of their own, through GraphQL: made, read, changed, rotated, deleted.

A token is `ID~SECRET`, and works from the moment it is made: its permissions become the sandbox's
coarser rights. The secret is told once and stands in no record. A filter on addresses is kept and
not enforced.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from orchestrator.sandbox.domains import Record
from orchestrator.sandbox.graphql.caller import Caller, InputRefused
from orchestrator.sandbox.graphql.nodes import Node
from orchestrator.sandbox.graphql.reading import domain_node
from orchestrator.sandbox.settings import Right, TokenRole

Input = Mapping[str, Any]
Resolver = Callable[..., Any]

_KINDS = ("View", "Organization", "System")
_RIGHTS: Mapping[str, Right] = {
    "ReadAccess": Right.READ,
    **dict.fromkeys(
        ("ChangeTriggers", "CreateTriggers", "UpdateTriggers", "DeleteTriggers"),
        Right.CHANGE_TRIGGERS,
    ),
    **dict.fromkeys(
        ("ChangeActions", "CreateActions", "UpdateActions", "DeleteActions"), Right.CHANGE_ACTIONS
    ),
    **dict.fromkeys(
        ("ChangeSavedQueries", "CreateSavedQueries", "UpdateSavedQueries", "DeleteSavedQueries"),
        Right.CHANGE_SAVED_QUERIES,
    ),
    **dict.fromkeys(
        ("ChangeFiles", "CreateFiles", "UpdateFiles", "DeleteFiles"), Right.CHANGE_FILES
    ),
    "IngestAcrossAllReposWithinOrganization": Right.INGEST,
    "IngestAcrossAllReposWithinCluster": Right.INGEST,
    # The right to administer is one here: whoever may do the most of it may do all.
    "ChangeOrganizationPermissions": Right.ADMIN,
    "ManageCluster": Right.ADMIN,
    "ChangeSystemPermissions": Right.ADMIN,
}
"""What a permission allows; the others allow nothing that the sandbox guards."""


def permission_token_queries(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers that read tokens, without their secrets."""
    records = caller.sandbox.directory.tokens

    def listed(
        _info: Any,
        searchFilter: str | None = None,  # noqa: N803 -- the schema's name
        typeFilter: list[str] | None = None,  # noqa: N803 -- the schema's name
        sortBy: str = "Name",  # noqa: N803 -- the schema's name
        orderBy: str | None = None,  # noqa: N803 -- the schema's name
        skip: int | None = None,
        limit: int | None = None,
        **_parents: Any,
    ) -> Node:
        caller.administer()
        wanted = (searchFilter or "").casefold()
        found = [
            record
            for record in records.values()
            if wanted in record["name"].casefold() or wanted == record["id"]
            if typeFilter is None or f"{record['kind']}PermissionToken" in typeFilter
        ]
        found.sort(key=_SORT_BY[sortBy], reverse=orderBy == "DESC")
        page = found[skip or 0 :][:limit]
        return {"totalResults": len(found), "results": [_node(r, caller) for r in page]}

    def one(_info: Any, tokenId: str) -> Node:  # noqa: N803 -- the schema's name
        caller.administer()
        return _node(_kept(records, tokenId), caller)

    return {"tokens": listed, "token": one}


def permission_token_mutations(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers that change tokens."""
    change = _Change(caller)
    found: dict[str, Resolver] = {
        "rotateToken": _of_input(change.rotate),
        "deleteToken": _of_input(change.delete),
    }
    for kind in _KINDS:
        found[f"create{kind}PermissionsToken"] = _of_input(change.create, kind)
        found[f"update{kind}PermissionsTokenPermissions"] = _of_input(change.update, kind)
    return found


class _Change:
    """The verbs, for administrators alone."""

    def __init__(self, caller: Caller) -> None:
        self._caller, self._sandbox = caller, caller.sandbox
        self._records = caller.sandbox.directory.tokens

    def create(self, given: Input, kind: str) -> str:
        """Make a token and return its text, which is told this once."""
        self._caller.administer()
        filter_id = given.get("ipFilterId")
        if filter_id is not None:
            _kept(self._sandbox.directory.ip_filters, filter_id)
        record = {
            "id": secrets.token_hex(16),
            "name": given["name"],
            "kind": kind,
            "permissions": given["permissions"],
            "views": [self._view(view_id) for view_id in given.get("viewIds", ())],
            "expireAt": given.get("expireAt"),
            "ipFilterId": filter_id,
            "createdAt": self._sandbox.now_ms(),
        }
        if kind == "View" and not record["views"]:
            raise InputRefused("There were errors in the input.", {"viewIds": "must not be empty"})
        self._records[record["id"]] = record
        return self._issue(record)

    def update(self, given: Input, kind: str) -> str:
        """Replace what a token permits; its text stays as it is."""
        record = self._record(given)
        if record["kind"] != kind:
            raise InputRefused(f"The token '{record['name']}' is not of this kind")
        record["permissions"] = given["permissions"]
        for text in self._texts(record):
            self._sandbox.tokens[text] = _role(record)
        self._sandbox.save()
        return str(record["id"])

    def rotate(self, given: Input) -> str:
        """Return a token's new text; the old one is refused from now on."""
        record = self._record(given)
        self._revoke(record)
        return self._issue(record)

    def delete(self, given: Input) -> bool:
        """Delete a token; its text is refused from now on."""
        record = self._record(given)
        self._revoke(record)
        del self._records[record["id"]]
        self._sandbox.save()
        return True

    def _record(self, given: Input) -> Record:
        self._caller.administer()
        return _kept(self._records, given["id"])

    def _view(self, view_id: str) -> str:
        for domain in self._sandbox.domains.values():
            if domain.id == view_id:
                return domain.name
        raise InputRefused(f"Could not find a search domain with the id '{view_id}'")

    def _issue(self, record: Record) -> str:
        text = f"{record['id']}~{secrets.token_urlsafe(24)}"
        self._sandbox.tokens[text] = _role(record)
        self._sandbox.save()
        return text

    def _revoke(self, record: Record) -> None:
        for text in self._texts(record):
            del self._sandbox.tokens[text]

    def _texts(self, record: Record) -> list[str]:
        return [text for text in self._sandbox.tokens if text.startswith(f"{record['id']}~")]


def rights_of(permissions: Iterable[str]) -> frozenset[Right]:
    """Return what permissions allow in the sandbox."""
    return frozenset(_RIGHTS[name] for name in permissions if name in _RIGHTS)


def _role(record: Record) -> TokenRole:
    views = record["views"]
    return TokenRole(
        name=record["name"],
        rights=rights_of(record["permissions"]),
        repository=views[0] if views else None,
        others=tuple(views[1:]),
        expires_ms=record["expireAt"],
    )


def _node(record: Record, caller: Caller) -> Node:
    sandbox = caller.sandbox
    address = sandbox.directory.ip_filters.get(record["ipFilterId"] or "")
    views = [sandbox.domains[name] for name in record["views"] if name in sandbox.domains]
    return {
        **record,
        "__typename": f"{record['kind']}PermissionsToken",
        "ipFilter": None if address is None else address["ipFilter"],
        "ipFilterV2": address,
        "views": lambda _info: [domain_node(domain, caller) for domain in views],
    }


_SORT_BY: Mapping[str, Callable[[Record], Any]] = {
    "Name": lambda record: record["name"].casefold(),
    # What never expires comes after everything that does.
    "ExpirationDate": lambda record: (record["expireAt"] is None, record["expireAt"] or 0),
}


def _kept(records: Mapping[str, Record], record_id: str) -> Record:
    if record_id not in records:
        raise InputRefused(f"Could not find an entry with the id '{record_id}'")
    return records[record_id]


def _of_input(verb: Callable[..., Any], *rest: Any) -> Resolver:
    return lambda _info, input: verb(input, *rest)  # noqa: A006 -- the schema's name
