"""Users, groups, roles and address filters through GraphQL, for those who manage them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.sandbox.answers import InputRefused, wrong_input
from orchestrator.sandbox.auth import demand
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.nodes import Node, page_node
from orchestrator.sandbox.graphql.people import People
from orchestrator.sandbox.graphql.reading import domain_node
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.storage.domains import Record

Input = Mapping[str, Any]
Resolver = Callable[..., Any]

_PROFILE = (
    "isRoot",
    "fullName",
    "firstName",
    "lastName",
    "email",
    "picture",
    "countryCode",
    "stateCode",
    "company",
)
_FILTERS = ("ipFilters", "createIPFilter", "updateIPFilter", "deleteIPFilter")
_IN_A_DOMAIN = ("assignRoleToGroup", "unassignRoleFromGroup")
_ROLE = ("color", "description", "systemPermissions", "organizationPermissions")


def access_queries(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers that read the directory."""
    people, directory = People(caller, domain_node), caller.sandbox.directory

    def user(_info: Any, id: str) -> Node | None:  # noqa: A002 -- the schema's name
        return next((node for node in people.users() if node["id"] == id), None)

    def groups(search: str | None = None) -> list[Node]:
        return [people.group(g) for g in _named(directory.groups.values(), search)]

    def roles(search: str | None = None) -> list[Node]:
        return [people.role(r) for r in _named(directory.roles.values(), search)]

    def group_named(name: str) -> Node:
        found = [group for group in groups() if group["displayName"] == name]
        if not found:
            raise InputRefused(f"Could not find a group with the name '{name}'")
        return found[0]

    return _guarded(
        caller,
        {
            "users": lambda _info, search=None, **_order: people.users(search),
            "usersPage": lambda _info, search=None, **page: page_node(people.users(search), page),
            "user": user,
            "groupsPage": lambda _info, search=None, **page: page_node(groups(search), page),
            "group": lambda _info, groupId: people.group(_kept(directory.groups, groupId)),  # noqa: N803 -- the schema's name
            "groupByDisplayName": lambda _info, displayName: group_named(displayName),  # noqa: N803 -- the schema's name
            "roles": lambda _info: roles(),
            "rolesPage": lambda _info, search=None, **page: page_node(roles(search), page),
            "role": lambda _info, roleId: people.role(_kept(directory.roles, roleId)),  # noqa: N803 -- the schema's name
            "ipFilters": lambda _info: list(directory.ip_filters.values()),
        },
    )


def access_mutations(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers that change the directory."""
    change = _Change(caller)
    by_input = {
        "addUserV2": change.add_user,
        "updateUser": lambda given: change.update_user(change.named(given["username"]), given),
        "updateUserById": lambda given: change.update_user(change.by_id(given["userId"]), given),
        "removeUser": lambda given: change.remove_user(change.named(given["username"])),
        "removeUserById": lambda given: change.remove_user(change.by_id(given["id"])),
        "updateGroup": change.update_group,
        "addUsersToGroup": lambda given: change.members(given, add=True),
        "removeUsersFromGroup": lambda given: change.members(given, add=False),
        "createRole": lambda given: change.role(secrets.token_hex(16), given),
        "updateRole": lambda given: change.role(change.role_id(given), given),
        "assignRoleToGroup": change.assign,
        "unassignRoleFromGroup": change.unassign,
        "assignOrganizationRoleToGroup": lambda given: change.give("organization", given),
        "unassignOrganizationRoleFromGroup": lambda given: change.take("organization", given),
        "assignSystemRoleToGroup": lambda given: change.give("system", given),
        "unassignSystemRoleFromGroup": lambda given: change.take("system", given),
        "createIPFilter": lambda given: change.ip_filter(secrets.token_hex(16), given),
        "updateIPFilter": lambda given: change.ip_filter(given["id"], given),
        "deleteIPFilter": change.delete_ip_filter,
    }
    found: dict[str, Resolver] = {name: _of_input(verb) for name, verb in by_input.items()}
    found["addGroup"] = lambda _info, displayName, lookupName=None: change.add_group(  # noqa: N803 -- the schema's name
        displayName, lookupName
    )
    found["removeGroup"] = lambda _info, groupId: change.remove_group(groupId)  # noqa: N803 -- the schema's name
    found["removeRole"] = lambda _info, roleId: change.remove_role(roleId)  # noqa: N803 -- the schema's name
    return _guarded(caller, found)


class _Change:
    """The verbs; each saves what it changed and answers with it."""

    def __init__(self, caller: Caller) -> None:
        self._sandbox, self._directory = caller.sandbox, caller.sandbox.directory
        self._people, self._own = People(caller, domain_node), caller.role.name

    def named(self, username: str) -> Record:
        """Return the user of this name; the token's own gets a record with its first change."""
        found = self._directory.user_named(username)
        if found is None and username == self._own:
            found = self._directory.add_user(username, {"isRoot": True}, now_ms=0)
        if found is None:
            raise InputRefused(f"Could not find a user with the name '{username}'")
        return found

    def by_id(self, user_id: str) -> Record:
        """Return the user with this id."""
        return (
            self.named(user_id) if user_id == self._own else _kept(self._directory.users, user_id)
        )

    def add_user(self, given: Input) -> Node:
        """Add a user; a name is taken once."""
        taken = [node["username"] for node in self._people.users()]
        if given["username"] in taken:
            raise _refused("username", f"the user '{given['username']}' exists already")
        profile = _given(given, _PROFILE)
        now_ms = self._sandbox.now_ms()
        record = self._directory.add_user(given["username"], profile, now_ms=now_ms)
        self._sandbox.save()
        return {"__typename": "User", **self._people.user(record)}

    def update_user(self, record: Record, given: Input) -> Node:
        """Change the members that are given and keep the others."""
        if record["username"] == self._own and given.get("username") not in {None, self._own}:
            raise _refused("username", "to rename the token's own user is not supported")
        record |= _given(given, (*_PROFILE, "username"))
        self._sandbox.save()
        return {"user": self._people.user(record)}

    def remove_user(self, record: Record) -> Node:
        """Remove a user, out of the groups too."""
        gone = self._people.user(record) | {"groups": []}
        self._directory.remove_user(record["userID"])
        self._sandbox.save()
        return {"user": gone}

    def add_group(self, name: str, lookup_name: str | None) -> Node:
        """Add a group; a name is taken once."""
        self._check_name(self._directory.groups, name, None)
        return self._saved_group(self._directory.add_group(name, lookup_name))

    def update_group(self, given: Input) -> Node:
        """Rename a group, or change what it is called elsewhere."""
        group = _kept(self._directory.groups, given["groupId"])
        if given.get("displayName") is not None:
            self._check_name(self._directory.groups, given["displayName"], group["id"])
        group |= _given(given, ("displayName", "lookupName"))
        return self._saved_group(group)

    def remove_group(self, group_id: str) -> Node:
        """Remove a group."""
        group = _kept(self._directory.groups, group_id)
        del self._directory.groups[group_id]
        return self._saved_group(group)

    def members(self, given: Input, *, add: bool) -> Node:
        """Add users to a group or take them out; all must exist."""
        group = _kept(self._directory.groups, given["groupId"])
        ids = [_kept(self._directory.users, user_id)["userID"] for user_id in given["users"]]
        rest = [member for member in group["users"] if member not in ids]
        group["users"] = [*rest, *ids] if add else rest
        return self._saved_group(group)

    def role_id(self, given: Input) -> str:
        """Return the id of the role that is meant."""
        return str(_kept(self._directory.roles, given["roleId"])["id"])

    def role(self, role_id: str, given: Input) -> Node:
        """Add a role, or replace what an old one permits."""
        self._check_name(self._directory.roles, given["displayName"], role_id)
        bare = {"color": None, "description": None}
        old = self._directory.roles.get(role_id, bare)
        record = {
            **old,
            "systemPermissions": [],
            "organizationPermissions": [],
            **_given(given, _ROLE),
            "id": role_id,
            "displayName": given["displayName"],
            "viewPermissions": given["viewPermissions"],
        }
        self._directory.roles[role_id] = record
        self._sandbox.save()
        return {"role": self._people.role(record)}

    def remove_role(self, role_id: str) -> Node:
        """Remove a role, out of the groups too."""
        self._directory.remove_role(_kept(self._directory.roles, role_id)["id"])
        self._sandbox.save()
        return {"result": True}

    def assign(self, given: Input) -> Node:
        """Give a group a role in a search domain."""
        group, pair = self._pair(given)
        rest = [held for held in group["roles"] if held != pair]
        if given.get("overrideExistingAssignmentsForView"):
            rest = [held for held in rest if held[0] != pair[0]]
        shown = self._people.domain_role(*pair)
        if shown is None:
            raise InputRefused(f"Could not find a search domain with the id '{pair[0]}'")
        group["roles"] = [*rest, pair]
        self._sandbox.save()
        return {"group": shown}

    def unassign(self, given: Input) -> Node:
        """Take from a group its role in a search domain."""
        group, pair = self._pair(given)
        group["roles"] = [held for held in group["roles"] if held != pair]
        return self._saved_group(group)

    def give(self, kind: str, given: Input) -> Node:
        """Give a group a role of the organization or of the system."""
        group, role_id = _kept(self._directory.groups, given["groupId"]), self.role_id(given)
        group[kind] = [*(held for held in group[kind] if held != role_id), role_id]
        self._sandbox.save()
        return {"group": {"role": self._people.role(self._directory.roles[role_id])}}

    def take(self, kind: str, given: Input) -> Node:
        """Take from a group a role of the organization or of the system."""
        group, role_id = _kept(self._directory.groups, given["groupId"]), self.role_id(given)
        group[kind] = [held for held in group[kind] if held != role_id]
        return self._saved_group(group)

    def ip_filter(self, filter_id: str, given: Input) -> Node:
        """Add an address filter, or change one."""
        filters = self._directory.ip_filters
        old = _kept(filters, filter_id) if "id" in given else {"id": filter_id}
        filters[filter_id] = {**old, **_given(given, ("name", "ipFilter"))}
        self._sandbox.save()
        return filters[filter_id]

    def delete_ip_filter(self, given: Input) -> bool:
        """Delete an address filter."""
        del self._directory.ip_filters[_kept(self._directory.ip_filters, given["id"])["id"]]
        self._sandbox.save()
        return True

    def _pair(self, given: Input) -> tuple[Record, list[str]]:
        group = _kept(self._directory.groups, given["groupId"])
        return group, [given["viewId"], self.role_id(given)]

    def _saved_group(self, group: Record) -> Node:
        self._sandbox.save()
        return {"group": self._people.group(group)}

    def _check_name(self, records: Mapping[str, Record], name: str, own_id: str | None) -> None:
        if any(r["displayName"] == name and r["id"] != own_id for r in records.values()):
            raise _refused("displayName", f"the name '{name}' is already in use")


def _guarded(caller: Caller, resolvers: Mapping[str, Resolver]) -> dict[str, Resolver]:
    """Return the resolvers, each behind its right."""

    def guarded(name: str, resolver: Resolver) -> Resolver:
        def resolve(info: Any, **arguments: Any) -> Any:
            right = Right.CHANGE_IP_FILTERS if name in _FILTERS else Right.MANAGE_USERS
            # Who gives access to one search domain need not manage the users of all.
            if name in _IN_A_DOMAIN and not caller.may(right):
                domain_id = arguments["input"]["viewId"]
                demand(caller.role, Right.ASSIGN_ROLES, repository=_name_of(domain_id, caller))
            else:
                caller.demand(right)
            return resolver(info, **arguments)

        return resolve

    return {name: guarded(name, resolver) for name, resolver in resolvers.items()}


def _name_of(domain_id: str, caller: Caller) -> str:
    domains = caller.sandbox.domains.values()
    return next((domain.name for domain in domains if domain.id == domain_id), "")


def _of_input(verb: Callable[[Input], Any]) -> Resolver:
    return lambda _info, input: verb(input)  # noqa: A006 -- the schema's name


def _given(given: Input, members: Sequence[str]) -> Record:
    return {name: given[name] for name in members if given.get(name) is not None}


def _kept(records: Mapping[str, Record], record_id: str) -> Record:
    if record_id not in records:
        raise InputRefused(f"Could not find an entry with the id '{record_id}'")
    return records[record_id]


def _named(records: Any, search: str | None) -> list[Record]:
    wanted = (search or "").casefold()
    return [record for record in records if wanted in record["displayName"].casefold()]


def _refused(field: str, reason: str) -> InputRefused:
    return wrong_input({field: reason})
