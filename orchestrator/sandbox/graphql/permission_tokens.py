"""Tokens that GraphQL makes: of people, or with permissions of their own.

A token is `ID~SECRET`, and works from the moment it is made: a person's has its maker's rights, of
any other those of its permissions. The secret is told once and stands in no record. A filter on
addresses is kept and not enforced.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.sandbox.answers import InputRefused, forbidden, wrong_input
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.nodes import Node
from orchestrator.sandbox.graphql.permissions import rights_of
from orchestrator.sandbox.graphql.reading import domain_node
from orchestrator.sandbox.settings import Right, TokenRole
from orchestrator.sandbox.storage.domains import Record

Input = Mapping[str, Any]
Resolver = Callable[..., Any]

_KINDS = ("View", "Organization", "System")
_PERSONAL = "Personal"


def permission_token_queries(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers that read tokens, without their secrets."""
    records = caller.sandbox.directory.tokens

    # A person's token is its owner's matter, and never listed.
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
        caller.demand(Right.ADMIN)
        wanted = (searchFilter or "").casefold()
        found = [
            record
            for record in records.values()
            if wanted in record["name"].casefold() or wanted == record["id"]
            if record["kind"] in _KINDS
            if typeFilter is None or f"{record['kind']}PermissionToken" in typeFilter
        ]
        found.sort(key=_SORT_BY[sortBy], reverse=orderBy == "DESC")
        page = found[skip or 0 :][:limit]
        return {"totalResults": len(found), "results": [_node(r, caller) for r in page]}

    def one(_info: Any, tokenId: str) -> Node:  # noqa: N803 -- the schema's name
        caller.demand(Right.ADMIN)
        return _node(_kept(records, tokenId), caller)

    return {"tokens": listed, "token": one}


def permission_token_mutations(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers that change tokens."""
    change = _Change(caller)
    found: dict[str, Resolver] = {
        "createPersonalUserToken": lambda _info, input: change.personal(input)["token"],  # noqa: A006 -- the schema's name
        "createPersonalUserTokenV2": _of_input(change.personal),
        "rotateToken": _of_input(change.rotate),
        "deleteToken": _of_input(change.delete),
    }
    for kind in _KINDS:
        found[f"create{kind}PermissionsToken"] = _of_input(change.create, kind)
        found[f"create{kind}PermissionsTokenV2"] = _of_input(change.create_told, kind)
        found[f"update{kind}PermissionsTokenPermissions"] = _of_input(change.update, kind)
    return found


class _Change:
    """The verbs, for administrators, and for people with their own tokens."""

    def __init__(self, caller: Caller) -> None:
        self._caller, self._sandbox = caller, caller.sandbox
        self._records = caller.sandbox.directory.tokens

    def create(self, given: Input, kind: str) -> str:
        """Make a token with permissions and return its text, which is told this once."""
        self._caller.demand(Right.ADMIN)
        made = self._new(given, kind, name=given["name"], permissions=given["permissions"])
        views = [self._view(view_id) for view_id in given.get("viewIds", ())]
        if kind == "View" and not views:
            raise _refused("viewIds", "must not be empty")
        return self._issue(made | {"views": views})

    def create_told(self, given: Input, kind: str) -> Node:
        """Make a token with permissions; its text, and what else is told of it."""
        if given.get("assetPermissionAssignments"):
            reason = "the sandbox knows no permissions on single assets"
            raise _refused("assetPermissionAssignments", reason)
        permissions = given[f"{kind.lower()}Permissions"]
        return self._told(self.create({**given, "permissions": permissions}, kind))

    def personal(self, given: Input) -> Node:
        """Make a token that may do what its maker may."""
        role = self._caller.role
        # Only people have personal tokens: no sender, and no token that is bound to search domains.
        if not role.is_person:
            raise forbidden()
        rights = sorted(right.value for right in role.rights)
        made = self._new(given, _PERSONAL, name=role.name, permissions=rights)
        return self._told(self._issue(made | {"views": []}))

    def _new(self, given: Input, kind: str, *, name: str, permissions: Sequence[str]) -> Record:
        now_ms, ends_ms = self._sandbox.now_ms(), given.get("expireAt")
        if ends_ms is not None and ends_ms <= now_ms:
            raise _refused("expireAt", "must be in the future")
        filter_id = given.get("ipFilterId")
        if filter_id is not None:
            _kept(self._sandbox.directory.ip_filters, filter_id)
        return {
            "id": secrets.token_hex(16),
            "name": name,
            "kind": kind,
            "permissions": list(permissions),
            "expireAt": ends_ms,
            "ipFilterId": filter_id,
            "createdAt": now_ms,
        }

    def _told(self, text: str) -> Node:
        record = self._records[text.partition("~")[0]]
        return {"token": text, "tokenMetadata": _node(record, self._caller)}

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
        record = _kept(self._records, given["id"])
        if record["kind"] == _PERSONAL:
            role = self._caller.role
            is_own = role.is_person and record["name"] == role.name
            if not is_own and not self._caller.may(Right.ADMIN):
                # That somebody else has such a token is not told.
                raise InputRefused(f"Could not find an entry with the id '{record['id']}'")
        else:
            self._caller.demand(Right.ADMIN)
        return record

    def _view(self, view_id: str) -> str:
        for domain in self._sandbox.domains.values():
            if domain.id == view_id:
                return domain.name
        raise InputRefused(f"Could not find a search domain with the id '{view_id}'")

    def _issue(self, record: Record) -> str:
        self._records[record["id"]] = record
        text = f"{record['id']}~{secrets.token_urlsafe(24)}"
        self._sandbox.tokens[text] = _role(record)
        self._sandbox.save()
        return text

    def _revoke(self, record: Record) -> None:
        for text in self._texts(record):
            del self._sandbox.tokens[text]

    def _texts(self, record: Record) -> list[str]:
        return [text for text in self._sandbox.tokens if text.startswith(f"{record['id']}~")]


def _role(record: Record) -> TokenRole:
    views, permissions = record["views"], record["permissions"]
    is_personal = record["kind"] == _PERSONAL
    return TokenRole(
        name=record["name"],
        rights=frozenset(map(Right, permissions)) if is_personal else rights_of(permissions),
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
        "__typename": "PersonalUserToken"
        if record["kind"] == _PERSONAL
        else f"{record['kind']}PermissionsToken",
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


def _refused(member: str, reason: str) -> InputRefused:
    return wrong_input({member: reason})


def _of_input(verb: Callable[..., Any], *rest: Any) -> Resolver:
    return lambda _info, input: verb(input, *rest)  # noqa: A006 -- the schema's name
