"""Users, groups, roles, address filters, flags and settings through GraphQL, by value."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.roots import root_of
from orchestrator.sandbox.graphql.schema import load_schema

USER = "id username fullName email company isRoot groups { displayName }"
ADD_USER = (
    f"mutation($i: AddUserInputV2!) {{ addUserV2(input: $i) {{ ... on User {{ {USER} }} }} }}"
)
UPDATE_USER = f"mutation($i: AddUserInput!) {{ updateUser(input: $i) {{ user {{ {USER} }} }} }}"
USERS = f"query($s: String) {{ users(search: $s) {{ {USER} }} }}"
ROLE = """id displayName viewPermissions systemPermissions organizationPermissions groupsCount
  groups { displayName }"""
CREATE_ROLE = f"mutation($i: AddRoleInput!) {{ createRole(input: $i) {{ role {{ {ROLE} }} }} }}"
GROUP = """id displayName lookupName userCount users { username }
  roles { role { displayName } searchDomain { name } }
  systemRoles { role { displayName } } organizationRoles { role { displayName } }"""
GROUP_NAMED = f"query($n: String!) {{ groupByDisplayName(displayName: $n) {{ {GROUP} }} }}"
REPOSITORY = """query($n: String!) { repository(name: $n) { id description automaticSearch
  timeBasedRetention ingestSizeBasedRetention storageSizeBasedRetention
  compressedByteSize timeOfLatestIngest groups { displayName } users { username } } }"""
FLAG = "{ meta { isFeatureFlagEnabled(feature: LiveTables) } }"


def data(answer: dict[str, Any]) -> Any:
    assert "errors" not in answer, answer["errors"]
    (found,) = answer["data"].values()
    return found


async def added(client: Any, name: str) -> str:
    return str(data(await client.graphql(ADD_USER, i={"username": name}))["id"])


async def grouped(client: Any, name: str = "blue") -> str:
    document = f'mutation {{ addGroup(displayName: "{name}") {{ group {{ id }} }} }}'
    return str(data(await client.graphql(document))["group"]["id"])


async def permitted(client: Any, name: str = "hunter") -> str:
    given = {"displayName": name, "viewPermissions": ["ReadAccess"]}
    return str(data(await client.graphql(CREATE_ROLE, i=given))["role"]["id"])


async def done(client: Any, mutation: str, kind: str, **given: Any) -> Any:
    document = f"mutation($i: {kind}!) {{ {mutation}(input: $i) {{ __typename }} }}"
    return data(await client.graphql(document, i=given))


# --- users ------------------------------------------------------------------------------------


async def test_user_is_added_found_changed_and_removed(client: Any) -> None:
    made = data(
        await client.graphql(
            ADD_USER, i={"username": "ann", "email": "ann@example.com", "company": "ACME"}
        )
    )
    assert (made["email"], made["company"], made["isRoot"]) == ("ann@example.com", "ACME", False)

    changed = data(await client.graphql(UPDATE_USER, i={"username": "ann", "fullName": "Ann"}))
    assert changed["user"] == {**made, "fullName": "Ann"}
    assert data(await client.graphql(USERS, s="EXAMPLE.com")) == [changed["user"]]

    document = 'mutation { removeUser(input: { username: "ann" }) { user { username } } }'
    assert data(await client.graphql(document)) == {"user": {"username": "ann"}}
    assert [user["username"] for user in data(await client.graphql(USERS))] == ["admin"]


async def test_user_is_the_same_over_rest_and_graphql(client: Any) -> None:
    made = await client.call("POST", "/api/v1/users", json={"email": "ann@example.com"})
    assert await added(client, "ben")

    listed = (await client.call("GET", "/api/v1/users")).json()

    assert [user["username"] for user in listed] == ["admin", "ann@example.com", "ben"]
    assert set(listed[2]) == {"userID", "username", "email", "isRoot"}
    (found,) = data(await client.graphql(USERS, s="ann"))
    assert found["id"] == made.json()["userID"]


async def test_own_user_keeps_its_id_when_its_profile_changes(client: Any) -> None:
    given = {"username": "admin", "email": "root@example.com"}
    changed = data(await client.graphql(UPDATE_USER, i=given))["user"]

    assert (changed["id"], changed["email"]) == ("admin", "root@example.com")
    viewer = data(await client.graphql("{ viewer { id username email isRoot createdAt } }"))
    assert (viewer["email"], viewer["isRoot"]) == ("root@example.com", True)
    assert [user["username"] for user in data(await client.graphql(USERS))] == ["admin"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            'mutation { addUserV2(input: { username: "admin" }) { __typename } }',
            "There were errors in the input.",
        ),
        (
            'mutation { updateUser(input: { username: "nobody" }) { __typename } }',
            "Could not find a user with the name 'nobody'",
        ),
        (
            'mutation { removeUserById(input: { id: "nobody" }) { __typename } }',
            "Could not find an entry with the id 'nobody'",
        ),
        (
            '{ groupByDisplayName(displayName: "none") { id } }',
            "Could not find a group with the name 'none'",
        ),
        ('{ role(roleId: "none") { id } }', "Could not find an entry with the id 'none'"),
        (
            "{ usersPage(pageNumber: 0, pageSize: 10) { page { id } } }",
            "pageNumber and pageSize must be at least 1",
        ),
        (
            'mutation { updateLicenseKey(license: "x") { issuedAt } }',
            "a license is not supported by the sandbox",
        ),
        (
            'mutation { s3EnableArchiving(repositoryName: "falcon") { result } }',
            "archiving is not supported by the sandbox",
        ),
        (
            "mutation { clusterUnregisterNode(force: true, nodeID: 1) { __typename } }",
            "to unregister its only node is not supported by the sandbox",
        ),
        (
            """mutation { updateRetention(repositoryName: "falcon", timeBasedRetention: -1) {
              __typename } }""",
            "There were errors in the input.",
        ),
    ],
)
async def test_what_cannot_be_done_is_refused_by_name(
    client: Any, document: str, message: str
) -> None:
    answer = await client.graphql(document)

    assert answer["data"] is None
    assert [error["message"] for error in answer["errors"]] == [message]


async def test_page_says_how_many_there_are(client: Any) -> None:
    for name in ("ann", "ben", "cid"):
        await added(client, name)

    page = data(
        await client.graphql(
            "{ usersPage(pageNumber: 2, pageSize: 3) { page { username } pageInfo "
            "{ number total totalNumberOfRows } } }"
        )
    )

    assert page == {
        "page": [{"username": "cid"}],
        "pageInfo": {"number": 2, "total": 2, "totalNumberOfRows": 4},
    }


# --- groups and roles -------------------------------------------------------------------------


async def test_group_has_members_and_loses_them(client: Any) -> None:
    group, ann, ben = await grouped(client), await added(client, "ann"), await added(client, "ben")
    await done(client, "addUsersToGroup", "AddUsersToGroupInput", groupId=group, users=[ann, ben])

    assert data(await client.graphql(GROUP_NAMED, n="blue"))["userCount"] == 2
    (found,) = data(await client.graphql(USERS, s="ann"))
    assert found["groups"] == [{"displayName": "blue"}]

    await done(
        client, "removeUsersFromGroup", "RemoveUsersFromGroupInput", groupId=group, users=[ann]
    )
    data(await client.graphql('mutation { removeUser(input: {username: "ben"}) { __typename } }'))
    assert data(await client.graphql(GROUP_NAMED, n="blue"))["users"] == []


async def test_group_has_roles_in_domains_and_of_the_server(client: Any) -> None:
    group, role = await grouped(client), await permitted(client)
    domain = data(await client.graphql(REPOSITORY, n="falcon"))["id"]
    both = {"groupId": group, "roleId": role}
    await done(client, "assignRoleToGroup", "AssignRoleToGroupInput", viewId=domain, **both)
    await done(
        client, "assignOrganizationRoleToGroup", "AssignOrganizationRoleToGroupInput", **both
    )
    await done(client, "assignSystemRoleToGroup", "AssignSystemRoleToGroupInput", **both)

    found = data(await client.graphql(GROUP_NAMED, n="blue"))
    named = {"role": {"displayName": "hunter"}}
    assert found["roles"] == [{**named, "searchDomain": {"name": "falcon"}}]
    assert (found["systemRoles"], found["organizationRoles"]) == ([named], [named])
    (listed,) = data(await client.graphql(f"{{ roles {{ {ROLE} }} }}"))
    assert (listed["groupsCount"], listed["groups"]) == (1, [{"displayName": "blue"}])
    groups = data(await client.graphql(REPOSITORY, n="falcon"))["groups"]
    assert groups == [{"displayName": "blue"}]

    await done(client, "unassignRoleFromGroup", "RemoveRoleFromGroupInput", viewId=domain, **both)
    data(await client.graphql(f'mutation {{ removeRole(roleId: "{role}") {{ result }} }}'))
    bare = data(await client.graphql(GROUP_NAMED, n="blue"))
    assert (bare["roles"], bare["systemRoles"], bare["organizationRoles"]) == ([], [], [])


async def test_role_is_replaced_as_a_whole(client: Any) -> None:
    given = {
        "displayName": "hunter",
        "viewPermissions": ["ReadAccess", "ChangeFiles"],
        "systemPermissions": ["ManageCluster"],
    }
    made = data(await client.graphql(CREATE_ROLE, i=given))["role"]
    assert made["systemPermissions"] == ["ManageCluster"]

    document = f"mutation($i: UpdateRoleInput!) {{ updateRole(input: $i) {{ role {{ {ROLE} }} }} }}"
    given = {"roleId": made["id"], "displayName": "reader", "viewPermissions": ["ReadAccess"]}
    changed = data(await client.graphql(document, i=given))["role"]

    assert changed == {
        **made,
        "displayName": "reader",
        "viewPermissions": ["ReadAccess"],
        "systemPermissions": [],
    }


async def test_override_leaves_one_role_in_the_domain(client: Any) -> None:
    group, first, second = (
        await grouped(client),
        await permitted(client),
        await permitted(client, "boss"),
    )
    domain = data(await client.graphql(REPOSITORY, n="falcon"))["id"]
    for role in (first, second):
        await done(
            client,
            "assignRoleToGroup",
            "AssignRoleToGroupInput",
            viewId=domain,
            groupId=group,
            roleId=role,
            overrideExistingAssignmentsForView=True,
        )

    (held,) = data(await client.graphql(GROUP_NAMED, n="blue"))["roles"]
    assert held["role"] == {"displayName": "boss"}


async def test_address_filter_is_kept_changed_and_deleted(client: Any) -> None:
    made = data(
        await client.graphql(
            'mutation { createIPFilter(input: {name: "office", ipFilter: "allow all"}) { id } }'
        )
    )
    await done(client, "updateIPFilter", "IPFilterUpdateInput", id=made["id"], name="home")
    listed = data(await client.graphql("{ ipFilters { name ipFilter } }"))
    assert listed == [{"name": "home", "ipFilter": "allow all"}]

    document = f'mutation {{ deleteIPFilter(input: {{ id: "{made["id"]}" }}) }}'
    assert data(await client.graphql(document)) is True
    assert data(await client.graphql("{ ipFilters { name } }")) == []


# --- flags, cluster and settings --------------------------------------------------------------


@pytest.mark.parametrize(
    ("mutation", "is_on"),
    [
        ("enableFeature(feature: LiveTables)", True),
        ('enableFeatureForOrg(feature: LiveTables, orgId: "sandbox")', True),
        ('enableFeatureForOrg(feature: LiveTables, orgId: "other")', False),
        ('enableFeatureForUser(feature: LiveTables, userId: "admin")', True),
        ('enableFeatureForUser(feature: LiveTables, userId: "ann")', False),
        ("enableFeature(feature: FieldAliasing)", False),
    ],
)
async def test_flag_is_on_in_its_scope(client: Any, mutation: str, is_on: bool) -> None:
    assert data(await client.graphql(f"mutation {{ {mutation} }}")) is True

    assert data(await client.graphql(FLAG)) == {"isFeatureFlagEnabled": is_on}
    off = mutation.replace("enable", "disable")
    assert data(await client.graphql(f"mutation {{ {off} }}")) is True
    assert data(await client.graphql(FLAG)) == {"isFeatureFlagEnabled": False}


async def test_flags_are_listed_by_scope(client: Any) -> None:
    data(await client.graphql("mutation { enableFeature(feature: LiveTables) }"))
    document = "query($s: EnabledInScope) { featureFlags(enabledInScopeFilter: $s) { flag } }"

    assert data(await client.graphql(document, s="GlobalScope")) == [{"flag": "LiveTables"}]
    assert data(await client.graphql(document, s="UserScope")) == []
    assert {"flag": "LiveTables"} not in data(await client.graphql(document, s="Disabled"))
    assert {"flag": "FieldAliasing"} in data(await client.graphql(document))


async def test_cluster_is_one_node_that_holds_everything(client: Any) -> None:
    await client.ingest({"a": "1"})

    found = data(
        await client.graphql(
            "{ cluster { properlyReplicatedSegmentSize ingestPartitions { nodeIds } nodes { id "
            "name isAvailable canBeSafelyUnregistered currentSize bootedAt "
            "reasonsNodeCannotBeSafelyUnregistered { hasDataThatExistsOnlyOnThisNode } } } }"
        )
    )

    (node,) = found["nodes"]
    assert found["ingestPartitions"] == [{"nodeIds": [node["id"]]}]
    assert (node["isAvailable"], node["canBeSafelyUnregistered"]) == (True, False)
    assert node["reasonsNodeCannotBeSafelyUnregistered"] == {
        "hasDataThatExistsOnlyOnThisNode": True
    }
    assert node["currentSize"] == found["properlyReplicatedSegmentSize"] > 0
    assert node["bootedAt"] == "2026-03-10T02:00:00Z"


async def test_settings_are_kept_apart_from_each_other(client: Any) -> None:
    for change in (
        'updateRetention(repositoryName: "falcon", timeBasedRetention: 30.5)',
        'updateRetention(repositoryName: "falcon", ingestSizeBasedRetention: 2)',
        'updateDescriptionForSearchDomain(name: "falcon", newDescription: "logs")',
        'setAutomaticSearching(name: "falcon", automaticSearch: false)',
    ):
        data(await client.graphql(f"mutation {{ {change} {{ __typename }} }}"))
    await client.ingest({"a": "1"})

    found = data(await client.graphql(REPOSITORY, n="falcon"))

    assert found["compressedByteSize"] > 0
    assert {name: found[name] for name in found if name not in {"id", "compressedByteSize"}} == {
        "description": "logs",
        "automaticSearch": False,
        "timeBasedRetention": 30.5,
        "ingestSizeBasedRetention": 2,
        "storageSizeBasedRetention": None,
        "timeOfLatestIngest": "2026-03-10T02:00:00Z",
        "groups": [],
        "users": [],
    }
    data(
        await client.graphql(
            'mutation { updateRetention(repositoryName: "falcon", timeBasedRetention: null) '
            "{ __typename } }"
        )
    )
    assert data(await client.graphql(REPOSITORY, n="falcon"))["timeBasedRetention"] is None


async def test_new_repository_has_the_retention_that_it_was_given(client: Any) -> None:
    document = f"""mutation {{ createRepository(name: "r", retentionInMillis: {36 * 3_600_000},
      retentionInIngestSizeBytes: {5 * 1024**3}) {{ repository {{ timeBasedRetention
      ingestSizeBasedRetention storageSizeBasedRetention }} }} }}"""

    assert data(await client.graphql(document))["repository"] == {
        "timeBasedRetention": 1.5,
        "ingestSizeBasedRetention": 5,
        "storageSizeBasedRetention": None,
    }
    wrong = 'mutation { createRepository(name: "s", retentionInMillis: 0) { __typename } }'
    refused = await client.graphql(wrong)
    assert refused["errors"][0]["state"] == {"retentionInMillis": "must be positive"}


async def test_star_needs_no_more_than_to_read_and_comes_off_again(client: Any) -> None:
    listed = "{ searchDomains { name isStarred } }"
    for change, is_starred in (("addStarTo", True), ("removeStarFrom", False)):
        document = f'mutation {{ {change}SearchDomain(name: "falcon") {{ isStarred }} }}'
        assert data(await client.graphql(document, token="reader")) == {"isStarred": is_starred}
        assert data(await client.graphql(listed)) == [{"name": "falcon", "isStarred": is_starred}]


async def test_what_never_is_set_is_null_or_empty(client: Any) -> None:
    document = """{ repository(name: "falcon") { permanentlyDeletedAt searchLimitedMs
      reposExcludedInSearchLimit starredFields dashboards { id name } ingestBlock usageTag
      maxAutoShardCount timeBasedBackupRetention archivingProvider
      s3ArchivingConfiguration { bucket } } }"""

    found = data(await client.graphql(document))

    assert {name for name, value in found.items() if value == []} == {
        "reposExcludedInSearchLimit",
        "starredFields",
        "dashboards",
    }
    assert {value for value in found.values() if value != []} == {None}


async def test_view_over_several_clusters_is_refused(client: Any) -> None:
    answer = await client.graphql('mutation { createView(name: "v", isFederated: true) { id } }')

    assert answer["errors"][0]["message"] == "a multi-cluster view is not supported by the sandbox"


async def test_all_of_it_survives_a_restart(open_client: Any, tmp_path: Any) -> None:
    async with open_client(data_dir=tmp_path) as before:
        group, role = await grouped(before), await permitted(before)
        ann = await added(before, "ann")
        await done(before, "addUsersToGroup", "AddUsersToGroupInput", groupId=group, users=[ann])
        domain = data(await before.graphql(REPOSITORY, n="falcon"))["id"]
        given = {"viewId": domain, "groupId": group, "roleId": role}
        await done(before, "assignRoleToGroup", "AssignRoleToGroupInput", **given)
        data(await before.graphql("mutation { enableFeature(feature: LiveTables) }"))
        document = 'mutation { setAutomaticSearching(name: "falcon", automaticSearch: false)'
        data(await before.graphql(document + " { automaticSearch } }"))
        held = data(await before.graphql(GROUP_NAMED, n="blue"))

    async with open_client(data_dir=tmp_path) as after:
        assert data(await after.graphql(GROUP_NAMED, n="blue")) == held
        assert held["roles"][0]["searchDomain"] == {"name": "falcon"}
        assert data(await after.graphql(FLAG)) == {"isFeatureFlagEnabled": True}
        assert data(await after.graphql(REPOSITORY, n="falcon"))["automaticSearch"] is False


@pytest.mark.parametrize(
    "document",
    [
        "{ users { id } }",
        "{ roles { id } }",
        "{ cluster { nodes { id } } }",
        "mutation { enableFeature(feature: LiveTables) }",
        'mutation { addGroup(displayName: "x") { group { id } } }',
        'mutation { setAutomaticSearching(name: "falcon", automaticSearch: true) { __typename } }',
        'mutation { updateLicenseKey(license: "x") { issuedAt } }',
    ],
)
async def test_administration_needs_its_right(client: Any, document: str) -> None:
    answer = await client.call("POST", "/graphql", token="reader", json={"query": document})

    assert answer.status_code == 403


async def test_every_root_field_of_the_schema_has_its_resolver(client: Any) -> None:
    declared: set[str] = set()
    for version in ("1.150.0", client.sandbox.settings.version):
        schema = load_schema(version)
        assert schema.query_type is not None
        assert schema.mutation_type is not None
        declared |= {*schema.query_type.fields, *schema.mutation_type.fields}

    resolved = root_of(Caller(sandbox=client.sandbox, role=client.sandbox.tokens["admin"]))

    assert set(resolved) == declared
