"""Users, groups and roles as GraphQL reads them: each leads to the others, so all of it is lazy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.nodes import Node, user_node
from orchestrator.sandbox.graphql.permissions import view_permissions_of
from orchestrator.sandbox.storage.domains import Domain, Record
from orchestrator.units import format_instant, from_epoch_ms

ShowDomain = Callable[[Domain, Caller], Node]


class People:
    """The directory's nodes for one caller; `show` makes the node of a repository or view."""

    def __init__(self, caller: Caller, show: ShowDomain) -> None:
        self._caller, self._show = caller, show
        self._directory = caller.sandbox.directory

    def own(self) -> Node:
        """Return the user behind the caller's token, with the profile that it was given."""
        name = self._caller.role.name
        record = self._directory.user_named(name)
        node = user_node(name) if record is None else self.user(record)
        return node | {"permissions": self._own_permissions}

    def users(self, search: str | None = None) -> list[Node]:
        """Return the users whose name or address holds `search`, the caller's own first."""
        own = self.own()
        others = (user for user in self._directory.users.values() if user["username"] != own["id"])
        found = [own, *map(self.user, others)]
        wanted = (search or "").casefold()
        return [
            node
            for node in found
            if wanted in node["username"].casefold() or wanted in (node["email"] or "").casefold()
        ]

    def user(self, record: Record) -> Node:
        """Return the GraphQL object of a user of the directory."""
        profile = user_node(record["username"])
        profile |= {name: value for name, value in record.items() if name in profile}
        is_own = record["username"] == self._caller.role.name
        return profile | {
            "id": record["username"] if is_own else record["userID"],
            "displayName": record.get("fullName") or record["username"],
            "isOrgRoot": record["isRoot"],
            "createdAt": format_instant(from_epoch_ms(record.get("createdAt", 0))),
            "groups": lambda _info: [
                self.group(group)
                for group in self._directory.groups.values()
                if record["userID"] in group["users"]
            ],
            "permissions": lambda _info, viewName=None: self._permitted(record, viewName),  # noqa: N803 -- the schema's name
        }

    def group(self, record: Record) -> Node:
        """Return the GraphQL object of a group."""
        return {
            "id": record["id"],
            "displayName": record["displayName"],
            "lookupName": record["lookupName"],
            "defaultQueryPrefix": None,
            "defaultRole": None,
            "defaultSearchDomainCount": 0,
            "searchDomainCount": len({domain_id for domain_id, _ in record["roles"]}),
            "roles": lambda _info: self._domain_roles(record, None),
            "searchDomainRoles": lambda _info, searchDomainId=None: self._domain_roles(  # noqa: N803 -- the schema's name
                record, searchDomainId
            ),
            "systemRoles": lambda _info: self._plain_roles(record["system"]),
            "organizationRoles": lambda _info: self._plain_roles(record["organization"]),
            "userCount": len(record["users"]),
            "users": lambda _info: self._members([record]),
        }

    def role(self, record: Record) -> Node:
        """Return the GraphQL object of a role."""
        groups = [
            group
            for group in self._directory.groups.values()
            if record["id"] in {*group["system"], *group["organization"], *_role_ids(group)}
        ]
        return record | {
            "groupsCount": len(groups),
            "groups": lambda _info: [self.group(group) for group in groups],
            "usersCount": len({user for group in groups for user in group["users"]}),
            "users": lambda _info: self._members(groups),
        }

    def groups_of(self, domain: Domain) -> list[Node]:
        """Return the groups that have a role in the search domain."""
        return [self.group(group) for group in self._with_role(domain)]

    def users_of(self, domain: Domain) -> list[Node]:
        """Return the users whom a group gives a role in the search domain."""
        return self._members(self._with_role(domain))

    def domain_role(self, domain_id: str, role_id: str) -> Node | None:
        """Return a role in a search domain, None where either is gone."""
        domains = self._caller.sandbox.domains.values()
        domain = next((domain for domain in domains if domain.id == domain_id), None)
        role = self._directory.roles.get(role_id)
        if domain is None or role is None:
            return None
        return {
            "searchDomain": lambda _info: self._show(domain, self._caller),
            "role": self.role(role),
        }

    def _own_permissions(self, _info: Any, viewName: str | None = None) -> list[Node]:  # noqa: N803 -- the schema's name
        """Return what the caller's token permits, by search domain, of what it reaches."""
        permitted = {
            domain.name: view_permissions_of(self._caller.role, domain)
            for domain in self._caller.sandbox.domains.values()
        }
        return self._by_domain(permitted, viewName)

    def _permitted(self, record: Record, view: str | None) -> list[Node]:
        """Return what the roles of a user's groups permit, by search domain."""
        permitted: dict[str, list[str]] = {}
        for domain in self._caller.sandbox.domains.values():
            names = (
                name
                for group in self._with_role(domain)
                if record["userID"] in group["users"]
                for domain_id, role_id in group["roles"]
                if domain_id == domain.id and role_id in self._directory.roles
                for name in self._directory.roles[role_id]["viewPermissions"]
            )
            permitted[domain.name] = list(dict.fromkeys(names))
        return self._by_domain(permitted, view)

    def _by_domain(self, permitted: Mapping[str, list[str]], view: str | None) -> list[Node]:
        domains = self._caller.sandbox.domains
        return [
            {
                "searchDomain": partial(self._shown, domains[name]),
                "queryPrefix": "",
                "viewPermissions": names,
            }
            for name, names in permitted.items()
            if names and view in {None, name}
        ]

    def _shown(self, domain: Domain, _info: Any) -> Node:
        return self._show(domain, self._caller)

    def _domain_roles(self, group: Record, domain_id: str | None) -> list[Node]:
        pairs = [pair for pair in group["roles"] if domain_id in {None, pair[0]}]
        found = [self.domain_role(*pair) for pair in pairs]
        return [node for node in found if node is not None]

    def _plain_roles(self, role_ids: list[str]) -> list[Node]:
        return [{"role": self.role(self._directory.roles[role_id])} for role_id in role_ids]

    def _members(self, groups: list[Record]) -> list[Node]:
        wanted = {user_id for group in groups for user_id in group["users"]}
        return [self.user(user) for key, user in self._directory.users.items() if key in wanted]

    def _with_role(self, domain: Domain) -> list[Record]:
        groups = self._directory.groups.values()
        return [g for g in groups if any(domain.id == domain_id for domain_id, _ in g["roles"])]


def _role_ids(group: Record) -> list[str]:
    return [role_id for _, role_id in group["roles"]]
