"""Who may come in, as records: users, groups, roles, address filters; and the feature flags.

They are kept and read, and decide nothing: what a token may do stands in its own role. A user that
the sandbox's own token stands for is not among them.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.ids import derive
from orchestrator.sandbox.storage.domains import Record

EVERYBODY = "global"
"""The scope of a feature flag that is on for all."""


@dataclass(slots=True, kw_only=True)
class Directory:
    """Records by id, all of them JSON."""

    users: dict[str, Record] = field(default_factory=dict)
    """`userID`, `username`, `email`, `isRoot`, and the other members of a profile, if given."""
    groups: dict[str, Record] = field(default_factory=dict)
    """`displayName`, `lookupName`, `users` as ids, and roles: see `new_group`."""
    roles: dict[str, Record] = field(default_factory=dict)
    ip_filters: dict[str, Record] = field(default_factory=dict)
    tokens: dict[str, Record] = field(default_factory=dict)
    """Tokens with permissions of their own; the secret of one stands in no record."""
    flags: dict[str, list[str]] = field(default_factory=dict)
    """Scope to the flags that are on: `EVERYBODY`, `org:ID` or `user:ID`."""

    def add_user(self, username: str, profile: Mapping[str, object], *, now_ms: int) -> Record:
        """Return the user of this name, made where there is none yet."""
        user_id = derive("user", username)[:24]
        made: Record = {"userID": user_id, "username": username, "createdAt": now_ms}
        return self.users.setdefault(user_id, {**made, "isRoot": False, "email": None, **profile})

    def user_named(self, username: str) -> Record | None:
        """Return the user of this name."""
        return next((user for user in self.users.values() if user["username"] == username), None)

    def remove_user(self, user_id: str) -> Record | None:
        """Forget a user, in every group too; None where there is none."""
        for group in self.groups.values():
            group["users"] = [member for member in group["users"] if member != user_id]
        return self.users.pop(user_id, None)

    def add_group(self, name: str, lookup_name: str | None) -> Record:
        """Return a new group without members and roles."""
        group: Record = {
            "id": secrets.token_hex(16),
            "displayName": name,
            "lookupName": lookup_name,
            "users": [],
            # Role ids; those of search domains as pairs of domain id and role id.
            "roles": [],
            "system": [],
            "organization": [],
        }
        self.groups[group["id"]] = group
        return group

    def remove_role(self, role_id: str) -> None:
        """Forget a role, in every group too."""
        del self.roles[role_id]
        for group in self.groups.values():
            group["roles"] = [pair for pair in group["roles"] if pair[1] != role_id]
            for kind in ("system", "organization"):
                group[kind] = [given for given in group[kind] if given != role_id]

    def switch(self, flag: str, *, scope: str, on: bool) -> None:
        """Turn a feature flag on or off for a scope."""
        rest = [name for name in self.flags.get(scope, []) if name != flag]
        self.flags[scope] = [*rest, flag] if on else rest

    def scopes_of(self, flag: str) -> list[str]:
        """Return the scopes for which the flag is on."""
        return [scope for scope, names in self.flags.items() if flag in names]
