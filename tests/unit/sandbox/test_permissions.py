"""Each permission alone: what it opens, and that it opens nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.sandbox.graphql.permissions import rights_of
from orchestrator.sandbox.settings import ALL_RIGHTS, Right, TokenRole

TRIGGER = 'viewName: "falcon", queryString: "a=1", actionIdsOrNames: []'
UPLOAD = 'viewName: "falcon", fileName: "a.csv"'
PARSER = 'script: "kvParse()", testCases: [], fieldsToTag: [], fieldsToBeRemovedBeforeParsing: []'

# In an order in which nothing is gone before it is needed; `<…>` stands for an id.
OPERATIONS = {
    "read": '{ searchDomain(name: "falcon") { id } }',
    "create trigger": f"""mutation {{ createFilterAlert(input: {{{TRIGGER}, name: "new",
      queryOwnershipType: User}}) {{ id }} }}""",
    "update trigger": """mutation { disableFilterAlert(input: {viewName: "falcon",
      id: "<filterAlerts>"}) }""",
    "delete trigger": """mutation { deleteFilterAlert(input: {viewName: "falcon",
      id: "<filterAlerts>"}) }""",
    "create action": f"""mutation {{ createUploadFileAction(input: {{{UPLOAD}, name: "new"}}) {{
      id }} }}""",
    "update action": f"""mutation {{ updateUploadFileAction(input: {{{UPLOAD}, name: "old",
      id: "<actions>"}}) {{ id }} }}""",
    "test action": f"""mutation {{ testUploadFileAction(input: {{{UPLOAD}, name: "new",
      triggerName: "t", eventData: "[]"}}) {{ success }} }}""",
    "delete action": 'mutation { deleteAction(input: {viewName: "falcon", id: "<actions>"}) }',
    "create saved query": """mutation { createSavedQuery(input: {viewName: "falcon", name: "new",
      queryString: "a=1"}) { savedQuery { id } } }""",
    "update saved query": """mutation { updateSavedQuery(input: {viewName: "falcon",
      queryString: "b=1", id: "<savedQueries>"}) { savedQuery { id } } }""",
    "delete saved query": """mutation { deleteSavedQuery(input: {viewName: "falcon",
      id: "<savedQueries>"}) { result } }""",
    "create dashboard": """mutation { createDashboardFromTemplateV2(input: {viewName: "falcon",
      yamlTemplate: "name: new"}) { id } }""",
    "update dashboard": 'mutation { addDashboardLabel(id: "<dashboards>", label: "l") { id } }',
    "delete dashboard": """mutation { deleteDashboard(input: {id: "<dashboards>"}) {
      dashboard { id } } }""",
    "change files": 'mutation { newFile(fileName: "a.csv", name: "falcon") { limit } }',
    "change packages": """mutation { uninstallPackage(packageId: "a/b", viewName: "falcon") {
      result } }""",
    "change parsers": f"""mutation {{ createParserV2(input: {{repositoryName: "falcon",
      name: "new", {PARSER}}}) {{ id }} }}""",
    "change ingest tokens": """mutation { addIngestTokenV3(input: {repositoryName: "falcon",
      name: "new"}) { name } }""",
    "change retention": """mutation { updateRetention(repositoryName: "falcon",
      timeBasedRetention: 7) { repository { id } } }""",
    "change archiving": 'mutation { s3DisableArchiving(repositoryName: "falcon") { result } }',
    "change default search": """mutation { setAutomaticSearching(name: "falcon",
      automaticSearch: false) { automaticSearch } }""",
    "change description": """mutation { updateDescriptionForSearchDomain(name: "falcon",
      newDescription: "d") { description } }""",
    "change connections": 'mutation { updateView(viewName: "west", connections: []) { id } }',
    "assign roles": """mutation { unassignRoleFromGroup(input: {viewId: "<falcon>",
      groupId: "<group>", roleId: "<role>"}) { group { id } } }""",
    "create domains": 'mutation { createRepository(name: "new") { repository { id } } }',
    "manage users": "{ users { id } }",
    "change address filters": """mutation { createIPFilter(input: {name: "f",
      ipFilter: "allow all"}) { id } }""",
    "change policies": """mutation { updateTokenSecurityPolicies(input: {
      personalUserTokensEnabled: true, viewPermissionTokensEnabled: true,
      viewPermissionTokensAllowPermissionUpdates: true, organizationPermissionTokensEnabled: true,
      organizationPermissionTokensAllowPermissionUpdates: true}) { id } }""",
    "monitor queries": '{ queryQuotaUsage(username: "admin") { interval } }',
    "manage cluster": "{ cluster { nodes { id } } }",
    "change flags": "mutation { enableFeature(feature: ArrayFunctions) }",
    "administer tokens": "{ tokens(sortBy: Name) { totalResults } }",
    "delete view": 'mutation { deleteSearchDomain(name: "west") { result } }',
    "delete repository": 'mutation { deleteSearchDomain(name: "falcon") { result } }',
}
# What is let through and then refused for another reason.
REFUSED_ANYWAY = {
    "change packages": ["The package 'a/b' is not installed in 'falcon'"],
    "change archiving": ["archiving is not supported by the sandbox"],
    "change policies": ["a policy for tokens is not supported by the sandbox"],
}
HEALTH = "read health"

OF_A_VIEW = {
    "ReadAccess": {"read"},
    "ChangeTriggers": {"create trigger", "update trigger", "delete trigger"},
    "CreateTriggers": {"create trigger"},
    "UpdateTriggers": {"update trigger"},
    "DeleteTriggers": {"delete trigger"},
    "OrganizationOwnedQueries": set(),
    "ChangeActions": {"create action", "update action", "test action", "delete action"},
    "CreateActions": {"create action", "test action"},
    "UpdateActions": {"update action", "test action"},
    "DeleteActions": {"delete action"},
    "ChangeSavedQueries": {"create saved query", "update saved query", "delete saved query"},
    "CreateSavedQueries": {"create saved query"},
    "UpdateSavedQueries": {"update saved query"},
    "DeleteSavedQueries": {"delete saved query"},
    "ChangeDashboards": {"create dashboard", "update dashboard", "delete dashboard"},
    "CreateDashboards": {"create dashboard"},
    "UpdateDashboards": {"update dashboard"},
    "DeleteDashboards": {"delete dashboard"},
    "ChangeFiles": {"change files"},
    "UpdateFiles": {"change files"},
    "ChangePackages": {"change packages"},
    "ChangeParsers": {"change parsers"},
    "ChangeIngestTokens": {"change ingest tokens"},
    "ChangeRetention": {"change retention"},
    "ChangeS3ArchivingSettings": {"change archiving"},
    "ChangeDefaultSearchSettings": {"change default search"},
    "ChangeViewOrRepositoryDescription": {"change description"},
    "ChangeConnections": {"change connections"},
    "ChangeUserAccess": {"assign roles"},
    "DeleteRepositoryOrView": {"delete view", "delete repository"},
    "QueryDashboard": set(),
}
OF_THE_ORGANIZATION = {
    "CreateRepository": {"create domains"},
    "ManageUsers": {"manage users", "assign roles"},
    "ChangeIPFilters": {"change address filters"},
    "ChangeSecurityPolicies": {"change policies"},
    "MonitorQueries": {"monitor queries"},
    "ManageViewConnections": {"change connections"},
    "DeleteAllRepositories": {"delete repository"},
    "DeleteAllViews": {"delete view"},
    "ViewUsage": set(),
}
OF_THE_SYSTEM = {
    "ManageCluster": {"manage cluster", HEALTH},
    "ReadHealthCheck": {HEALTH},
    "ChangeFeatureFlags": {"change flags"},
    "ListSubdomains": set(),
}
ADMINISTERS = {
    "create dashboard",
    "update dashboard",
    "delete dashboard",
    "change parsers",
    "change ingest tokens",
    "change retention",
    "change archiving",
    "change default search",
    "change description",
    "change connections",
    "assign roles",
    "create domains",
    "manage users",
    "change address filters",
    "change policies",
    "monitor queries",
    "manage cluster",
    "change flags",
    "administer tokens",
    "delete view",
    "delete repository",
    HEALTH,
}


def data(answer: dict[str, Any]) -> Any:
    assert "errors" not in answer, answer["errors"]
    (found,) = answer["data"].values()
    return found


async def seed(client: Any) -> dict[str, str]:
    """Make one entry of each kind that an operation names; return their ids by kind."""
    for name in ("create trigger", "create action", "create saved query", "create dashboard"):
        document = OPERATIONS[name].replace('"new"', '"old"').replace("name: new", "name: old")
        data(await client.graphql(document))
    data(await client.graphql('mutation { createView(name: "west") { id } }'))
    group = data(await client.graphql('mutation { addGroup(displayName: "g") { group { id } } }'))
    role = data(
        await client.graphql("""mutation { createRole(input: {displayName: "r",
          viewPermissions: []}) { role { id } } }""")
    )
    domain = data(
        await client.graphql("""{ searchDomain(name: "falcon") { id filterAlerts { id }
          actions { id } savedQueries { id } dashboards { id } } }""")
    )
    west = data(await client.graphql('{ searchDomain(name: "west") { id } }'))
    ids = {kind: found[0]["id"] for kind, found in domain.items() if kind != "id"}
    return ids | {
        "falcon": domain["id"],
        "west": west["id"],
        "group": group["group"]["id"],
        "role": role["role"]["id"],
    }


async def token_with(client: Any, kind: str, permissions: list[str], ids: dict[str, str]) -> str:
    given: dict[str, Any] = {"name": "t", "permissions": permissions}
    if kind == "View":
        given["viewIds"] = [ids["falcon"], ids["west"]]
    # One of the three input types has another word for its kind of token.
    type_ = f"Create{kind}Permission{'s' if kind == 'View' else ''}TokenInput"
    document = f"mutation($i: {type_}!) {{ create{kind}PermissionsToken(input: $i) }}"
    return str(data(await client.graphql(document, i=given)))


async def is_let_through(client: Any, token: str, name: str, ids: dict[str, str]) -> bool:
    if name == HEALTH:
        answer = await client.call("GET", "/api/v1/health-json", token=token)
    else:
        document = OPERATIONS[name]
        for kind, entry_id in ids.items():
            document = document.replace(f"<{kind}>", entry_id)
        answer = await client.call("POST", "/graphql", token=token, json={"query": document})
    if answer.status_code == 403:
        return False
    assert answer.status_code == 200
    messages = [error["message"] for error in answer.json().get("errors", ())]
    assert messages == REFUSED_ANYWAY.get(name, [])
    return True


async def opened_by(client: Any, kind: str, permissions: list[str]) -> set[str]:
    ids = await seed(client)
    token = await token_with(client, kind, permissions, ids)
    names = [HEALTH, *OPERATIONS]
    return {name for name in names if await is_let_through(client, token, name, ids)}


@pytest.mark.parametrize(("permission", "operations"), OF_A_VIEW.items())
async def test_permission_on_a_view_opens_its_own_operations(
    client: Any, permission: str, operations: set[str]
) -> None:
    assert await opened_by(client, "View", [permission]) == operations


@pytest.mark.parametrize(("permission", "operations"), OF_THE_ORGANIZATION.items())
async def test_permission_in_the_organization_opens_its_own_operations(
    client: Any, permission: str, operations: set[str]
) -> None:
    assert await opened_by(client, "Organization", [permission]) == operations


@pytest.mark.parametrize(("permission", "operations"), OF_THE_SYSTEM.items())
async def test_permission_in_the_system_opens_its_own_operations(
    client: Any, permission: str, operations: set[str]
) -> None:
    assert await opened_by(client, "System", [permission]) == operations


@pytest.mark.parametrize(
    ("kind", "permission"),
    [("Organization", "ChangeOrganizationPermissions"), ("System", "ChangeSystemPermissions")],
)
async def test_who_hands_out_permissions_administers_and_reads_no_event(
    client: Any, kind: str, permission: str
) -> None:
    assert await opened_by(client, kind, [permission]) == ADMINISTERS


async def test_permissions_end_at_the_views_of_the_token(client: Any) -> None:
    ids = await seed(client)
    token = await token_with(client, "View", ["ChangeRetention"], {**ids, "falcon": ids["west"]})

    assert not await is_let_through(client, token, "change retention", ids)


@pytest.mark.parametrize(
    ("rights", "right", "expected"),
    [
        ({Right.CHANGE_TRIGGERS}, Right.DELETE_TRIGGERS, True),
        ({Right.CREATE_TRIGGERS}, Right.CHANGE_TRIGGERS, False),
        ({Right.ADMIN}, Right.CHANGE_RETENTION, True),
        ({Right.ADMIN}, Right.READ, False),
        ({Right.ADMIN}, Right.CREATE_ACTIONS, False),
        ({Right.READ}, Right.INGEST, False),
    ],
)
def test_older_rights_include_the_finer_ones(
    rights: set[Right], right: Right, expected: bool
) -> None:
    assert TokenRole(name="t", rights=frozenset(rights)).may(right) is expected


def test_all_rights_of_an_older_folder_are_all_rights() -> None:
    """Eight rights stood in data directories before there were finer ones."""
    older = ("read", "ingest", "change-triggers", "change-actions", "change-saved-queries")
    names = (*older, "change-files", "change-packages", "admin")
    role = TokenRole(name="t", rights=frozenset(map(Right, names)))

    assert all(map(role.may, ALL_RIGHTS))


async def test_allowed_actions_and_permissions_follow_the_rights(client: Any) -> None:
    ids = await seed(client)
    given = ["ReadAccess", "CreateTriggers", "ChangeRetention", "DeleteRepositoryOrView"]
    token = await token_with(client, "View", given, ids)
    document = """{ searchDomain(name: "falcon") { allowedViewActions
      mayCreate: isActionAllowed(action: CreateTriggers)
      mayChange: isActionAllowed(action: ChangeTriggers) } }"""

    assert data(await client.graphql(document, token=token)) == {
        "allowedViewActions": [
            "ReadEvents",
            "ExportQueryResults",
            "CreateTriggers",
            "ChangeRetention",
            "ChangeTimeBasedRetention",
            "ChangeSizeBasedRetention",
            "DeleteRepositoryOrView",
        ],
        "mayCreate": True,
        "mayChange": False,
    }


@pytest.mark.parametrize(
    ("permissions", "rights"),
    [
        (["ReadAccess", "UpdateFiles"], {Right.READ, Right.CHANGE_FILES}),
        (["CreateTriggers", "DeleteActions"], {Right.CREATE_TRIGGERS, Right.DELETE_ACTIONS}),
        (["ManageCluster"], {Right.MANAGE_CLUSTER, Right.READ_HEALTH}),
        (["IngestAcrossAllReposWithinCluster"], {Right.INGEST}),
        (["ViewUsage"], set()),
    ],
)
def test_permission_becomes_a_right(permissions: list[str], rights: set[Right]) -> None:
    assert rights_of(permissions) == rights
