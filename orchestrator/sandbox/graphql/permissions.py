"""LogScale's permissions and actions, and the sandbox's rights that stand for them.

A permission that nothing served here asks for allows nothing. Who may hand out permissions may have
them all, and is an administrator.
Source: library.humio.com, permission requirements; the enumerations of the schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.sandbox.settings import Right, TokenRole
from orchestrator.sandbox.storage.domains import Domain

_OF_A_VIEW: Mapping[str, tuple[Right, ...]] = {
    "ReadAccess": (Right.READ,),
    # Whoever owns them: that the organization does takes no permission of its own here.
    "ChangeTriggers": (Right.CHANGE_TRIGGERS,),
    "CreateTriggers": (Right.CREATE_TRIGGERS,),
    "UpdateTriggers": (Right.UPDATE_TRIGGERS,),
    "DeleteTriggers": (Right.DELETE_TRIGGERS,),
    "ChangeActions": (Right.CHANGE_ACTIONS,),
    "CreateActions": (Right.CREATE_ACTIONS, Right.TEST_ACTIONS),
    "UpdateActions": (Right.UPDATE_ACTIONS, Right.TEST_ACTIONS),
    "DeleteActions": (Right.DELETE_ACTIONS,),
    "ChangeSavedQueries": (Right.CHANGE_SAVED_QUERIES,),
    "CreateSavedQueries": (Right.CREATE_SAVED_QUERIES,),
    "UpdateSavedQueries": (Right.UPDATE_SAVED_QUERIES,),
    "DeleteSavedQueries": (Right.DELETE_SAVED_QUERIES,),
    "ChangeDashboards": (
        Right.CREATE_DASHBOARDS,
        Right.UPDATE_DASHBOARDS,
        Right.DELETE_DASHBOARDS,
    ),
    "CreateDashboards": (Right.CREATE_DASHBOARDS,),
    "UpdateDashboards": (Right.UPDATE_DASHBOARDS,),
    "DeleteDashboards": (Right.DELETE_DASHBOARDS,),
    # One upload creates or replaces, so that these are one.
    "ChangeFiles": (Right.CHANGE_FILES,),
    "CreateFiles": (Right.CHANGE_FILES,),
    "UpdateFiles": (Right.CHANGE_FILES,),
    "DeleteFiles": (Right.CHANGE_FILES,),
    "ChangePackages": (Right.CHANGE_PACKAGES,),
    "ChangeParsers": (Right.CHANGE_PARSERS,),
    "ChangeIngestTokens": (Right.CHANGE_INGEST_TOKENS,),
    "ChangeRetention": (Right.CHANGE_RETENTION,),
    "ChangeArchivingSettings": (Right.CHANGE_ARCHIVING,),
    "ChangeS3ArchivingSettings": (Right.CHANGE_ARCHIVING,),
    "ChangeDefaultSearchSettings": (Right.CHANGE_DEFAULT_SEARCH,),
    "ChangeViewOrRepositoryDescription": (Right.CHANGE_DESCRIPTION,),
    "ChangeConnections": (Right.CHANGE_CONNECTIONS,),
    "DeleteRepositoryOrView": (Right.DELETE_REPOSITORIES, Right.DELETE_VIEWS),
    "ChangeUserAccess": (Right.ASSIGN_ROLES,),
}
_OF_THE_ORGANIZATION: Mapping[str, tuple[Right, ...]] = {
    "ChangeOrganizationPermissions": (Right.ADMIN,),
    "ChangeAllViewOrRepositoryPermissions": (Right.ASSIGN_ROLES,),
    "CreateRepository": (Right.CREATE_DOMAINS,),
    "DeleteAllRepositories": (Right.DELETE_REPOSITORIES,),
    "DeleteAllViews": (Right.DELETE_VIEWS,),
    "ManageUsers": (Right.MANAGE_USERS,),
    "ChangeIPFilters": (Right.CHANGE_IP_FILTERS,),
    "ChangeSecurityPolicies": (Right.CHANGE_POLICIES,),
    "MonitorQueries": (Right.MONITOR_QUERIES,),
    "ManageViewConnections": (Right.CHANGE_CONNECTIONS,),
    "IngestAcrossAllReposWithinOrganization": (Right.INGEST,),
}
_OF_THE_SYSTEM: Mapping[str, tuple[Right, ...]] = {
    "ChangeSystemPermissions": (Right.ADMIN,),
    # Who manages the cluster sees how it is.
    "ManageCluster": (Right.MANAGE_CLUSTER, Right.READ_HEALTH),
    "ReadHealthCheck": (Right.READ_HEALTH,),
    "ChangeFeatureFlags": (Right.CHANGE_FLAGS,),
    "IngestAcrossAllReposWithinCluster": (Right.INGEST,),
}
_RIGHTS = {**_OF_A_VIEW, **_OF_THE_ORGANIZATION, **_OF_THE_SYSTEM}

_VIEW_ACTIONS: Mapping[Right, tuple[str, ...]] = {
    Right.READ: ("ReadEvents", "ExportQueryResults"),
    Right.CREATE_TRIGGERS: ("CreateTriggers",),
    Right.UPDATE_TRIGGERS: ("ChangeTriggers", "ChangeOrganizationOwnedQueries"),
    Right.CREATE_ACTIONS: ("CreateActions",),
    Right.UPDATE_ACTIONS: ("ChangeActions",),
    Right.TEST_ACTIONS: ("TestActions",),
    Right.CREATE_SAVED_QUERIES: ("CreateSavedQueries",),
    Right.UPDATE_SAVED_QUERIES: ("ChangeSavedQueries",),
    Right.CREATE_DASHBOARDS: ("CreateDashboards",),
    Right.UPDATE_DASHBOARDS: ("ChangeDashboards",),
    Right.CHANGE_FILES: ("CreateFiles", "ChangeFiles"),
    Right.CHANGE_PACKAGES: ("ChangePackages",),
    Right.CHANGE_PARSERS: ("ChangeParsers", "DeleteParsers"),
    Right.CHANGE_INGEST_TOKENS: ("ChangeIngestTokens",),
    Right.CHANGE_RETENTION: (
        "ChangeRetention",
        "ChangeTimeBasedRetention",
        "ChangeSizeBasedRetention",
    ),
    Right.CHANGE_DEFAULT_SEARCH: ("ChangeDefaultSearchSettings",),
    Right.CHANGE_DESCRIPTION: ("ChangeViewOrRepositoryDescription",),
    Right.CHANGE_CONNECTIONS: ("ChangeConnections",),
    Right.ASSIGN_ROLES: ("ChangeUserAccess",),
}


def rights_of(permissions: Iterable[str]) -> frozenset[Right]:
    """Return what permissions of any kind allow in the sandbox."""
    return frozenset(right for name in permissions for right in _RIGHTS.get(name, ()))


def view_permissions_of(role: TokenRole, domain: Domain) -> list[str]:
    """Return the permissions that a role has in a search domain, those that the sandbox asks for.

    A right that stands for several of them is all of them.
    """
    if not role.reaches(domain.name):
        return []
    return [name for name, rights in _OF_A_VIEW.items() if all(map(role.may, rights))]


def view_actions_of(role: TokenRole, domain: Domain) -> list[str]:
    """Return the actions that a role may take in a search domain."""
    if not role.reaches(domain.name):
        return []
    allowed = [name for right, names in _VIEW_ACTIONS.items() if role.may(right) for name in names]
    if role.may(Right.UPDATE_TRIGGERS) and role.may(Right.UPDATE_ACTIONS):
        # Once both were one.
        allowed.append("ChangeTriggersAndActions")
    may_delete = role.may(Right.DELETE_VIEWS if domain.is_view else Right.DELETE_REPOSITORIES)
    return [*allowed, "DeleteRepositoryOrView"] if may_delete else allowed
