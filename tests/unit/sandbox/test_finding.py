"""What is found across search domains, and what a view's new name changes."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.sandbox.storage.domains import AssetKind
from orchestrator.sandbox.triggers.kinds import asset_key

SAVED = """mutation($view: String!, $name: String!) { createSavedQuery(input: {viewName: $view,
  name: $name, queryString: "a=1"}) { savedQuery { id } } }"""
SEARCH = """query($i: EntitySearchInputType!) { entitiesSearch(input: $i) { totalResults cursor
  hasNextPage hasPreviousPage data { __typename ... on SavedQueryEntry { savedQuery { name } }
  ... on ActionEntry { action { __typename name } } ... on ParserEntry { parser { name } }
  ... on FileEntry { view { name } file { nameAndPath { name } } } } } }"""
PAGE = """query($i: EntitiesPageInputType!) { entitiesPage(input: $i) { cursor hasNextPage
  hasPreviousPage data { ... on SavedQueryEntry { savedQuery { name } } } } }"""
DOMAINS = """query($number: Int!, $size: Int!, $search: String) { searchDomainsPage(search: $search,
  pageNumber: $number, pageSize: $size) { page { name } pageInfo { number total
  totalNumberOfRows } } }"""
RENAME = """mutation($name: String!, $to: String!) {
  renameSearchDomain(name: $name, renameTo: $to) { id name } }"""
FIELDS = """query($file: String!, $field: String!, $prefix: String, $most: Int!,
  $values: [FileFieldFilterType!]!) { searchDomain(name: "falcon") { fileFieldSearch(
  fileName: $file, fieldName: $field, prefixFilter: $prefix, valueFilters: $values,
  fieldsToInclude: ["team"], maxEntries: $most) { key value } } }"""
PERMISSIONS = """query($view: String) { currentUser { permissions(viewName: $view) {
  searchDomain { name } queryPrefix viewPermissions } } }"""


def data(answer: dict[str, Any]) -> Any:
    assert "errors" not in answer, answer["errors"]
    (found,) = answer["data"].values()
    return found


def refusal(answer: dict[str, Any]) -> Any:
    (error,) = answer["errors"]
    return error["message"]


async def saved(client: Any, view: str, name: str) -> str:
    return str(data(await client.graphql(SAVED, view=view, name=name))["savedQuery"]["id"])


@pytest.fixture
async def two(open_client: Any) -> Any:
    """Return a client of a sandbox with two repositories."""
    async with open_client(repositories=("falcon", "west")) as opened:
        yield opened


async def test_saved_query_is_found_by_its_id_alone(two: Any) -> None:
    query_id = await saved(two, "west", "there")

    found = data(await two.graphql(f'{{ savedQuery(id: "{query_id}") {{ name }} }}'))

    assert found == {"name": "there"}
    unknown = await two.graphql('{ savedQuery(id: "x") { name } }')
    assert refusal(unknown) == "Could not find a saved query with the id 'x'"


async def test_search_domains_come_in_pages(two: Any) -> None:
    page = data(await two.graphql(DOMAINS, number=2, size=1))

    assert page == {
        "page": [{"name": "west"}],
        "pageInfo": {"number": 2, "total": 2, "totalNumberOfRows": 2},
    }
    assert data(await two.graphql(DOMAINS, number=1, size=9, search="FAL"))["page"] == [
        {"name": "falcon"}
    ]
    assert refusal(await two.graphql(DOMAINS, number=0, size=9)) == (
        "pageNumber and pageSize must be at least 1"
    )


async def test_assets_of_every_kind_are_found_by_a_term(two: Any) -> None:
    await saved(two, "west", "hunt one")
    for document in (
        """mutation { createUploadFileAction(input: {viewName: "falcon", name: "hunt file",
          fileName: "a.csv"}) { id } }""",
        """mutation { createParserV2(input: {repositoryName: "falcon", name: "hunt-parser",
          script: "kvParse()", testCases: [], fieldsToTag: [],
          fieldsToBeRemovedBeforeParsing: []}) { id } }""",
        'mutation { newFile(fileName: "hunt.csv", name: "west") { limit } }',
        'mutation { newFile(fileName: "other.csv", name: "west") { limit } }',
    ):
        data(await two.graphql(document))
    kinds = ["SavedQuery", "Action", "Parser", "File", "Dashboard"]

    found = data(
        await two.graphql(
            SEARCH,
            i={
                "searchTerm": "Hunt",
                "entityTypes": kinds,
                "sortBy": [{"name": "Name", "order": "Ascending"}],
            },
        )
    )

    assert (found["totalResults"], found["hasNextPage"]) == (4, False)
    assert found["data"] == [
        {
            "__typename": "ActionEntry",
            "action": {"__typename": "UploadFileAction", "name": "hunt file"},
        },
        {"__typename": "SavedQueryEntry", "savedQuery": {"name": "hunt one"}},
        {"__typename": "ParserEntry", "parser": {"name": "hunt-parser"}},
        {
            "__typename": "FileEntry",
            "view": {"name": "west"},
            "file": {"nameAndPath": {"name": "hunt.csv"}},
        },
    ]


async def test_pages_of_assets_are_turned_with_the_cursor(two: Any) -> None:
    for name in ("a", "b", "c"):
        await saved(two, "falcon", name)
    asked = {"entityTypes": ["SavedQuery"], "pageSize": 2}

    first = data(await two.graphql(SEARCH, i=asked))
    second = data(await two.graphql(PAGE, i={"cursor": first["cursor"], "direction": "Next"}))
    again = data(await two.graphql(PAGE, i={"cursor": second["cursor"], "direction": "Previous"}))

    assert (first["hasNextPage"], first["hasPreviousPage"]) == (True, False)
    assert second["data"] == [{"savedQuery": {"name": "c"}}]
    assert (second["hasNextPage"], second["hasPreviousPage"]) == (False, True)
    assert again["data"] == [{"savedQuery": {"name": "a"}}, {"savedQuery": {"name": "b"}}]


@pytest.mark.parametrize(
    "cursor", ["", "x", "bnVsbA==", "e30=", "\u00e9", "eyJhc2tlZCI6IG51bGwsICJmaXJzdCI6IDB9"]
)
async def test_cursor_of_nobody_is_refused(client: Any, cursor: str) -> None:
    answer = await client.graphql(PAGE, i={"cursor": cursor, "direction": "Next"})

    assert refusal(answer) == "The cursor is none that a search returned"


async def test_assets_of_other_search_domains_are_not_found(two: Any) -> None:
    await saved(two, "west", "hidden")
    falcon = data(await two.graphql('{ searchDomain(name: "falcon") { id } }'))["id"]
    token = data(
        await two.graphql(
            """mutation($i: CreateViewPermissionsTokenInput!) {
              createViewPermissionsToken(input: $i) }""",
            i={"name": "t", "permissions": ["ReadAccess"], "viewIds": [falcon]},
        )
    )

    found = data(await two.graphql(SEARCH, token=token, i={"entityTypes": ["SavedQuery"]}))

    assert found["totalResults"] == 0


async def test_rows_of_a_file_are_found_by_the_beginning_of_a_field(client: Any) -> None:
    content = b"host,team,note\nweb-1,red,x\nweb-2,blue,y\ndb-1,red,z\n"
    path = "/api/v1/repositories/falcon/files"
    await client.call("POST", path, files={"file": ("hosts.csv", content)})
    red = [{"field": "team", "values": ["red"]}]

    asked = {"file": "hosts.csv", "field": "host", "prefix": "web", "most": 10}
    both = data(await client.graphql(FIELDS, **asked, values=[]))["fileFieldSearch"]
    one = data(await client.graphql(FIELDS, **asked, values=red))["fileFieldSearch"]

    assert one == [[{"key": "host", "value": "web-1"}, {"key": "team", "value": "red"}]]
    assert [row[0]["value"] for row in both] == ["web-1", "web-2"]
    most = data(await client.graphql(FIELDS, **{**asked, "most": 1}, values=[]))
    assert len(most["fileFieldSearch"]) == 1
    wrong = await client.graphql(FIELDS, **{**asked, "field": "nope"}, values=[])
    assert refusal(wrong) == "The file 'hosts.csv' has no field 'nope'"


async def test_rows_of_a_json_file_are_found(client: Any) -> None:
    content = b'[{"host": "web-1", "team": 7}, {"team": 8}]'
    path = "/api/v1/repositories/falcon/files"
    await client.call("POST", path, files={"file": ("hosts.json", content)})

    found = data(await client.graphql(FIELDS, file="hosts.json", field="host", most=5, values=[]))

    assert found["fileFieldSearch"] == [
        [{"key": "host", "value": "web-1"}, {"key": "team", "value": "7"}]
    ]


async def test_default_query_is_kept_until_it_is_deleted(open_client: Any, tmp_path: Any) -> None:
    choose = """mutation($id: String) { setDefaultSavedQuery(input: {viewName: "falcon",
      savedQueryId: $id}) { result } }"""
    shown = '{ searchDomain(name: "falcon") { defaultQuery { name } } }'
    async with open_client(data_dir=tmp_path) as client:
        query_id = await saved(client, "falcon", "first")
        assert data(await client.graphql(choose, id=query_id)) == {"result": True}
        assert refusal(await client.graphql(choose, id="x")) == (
            "Could not find an entry with the id 'x' in savedQueries"
        )

    async with open_client(data_dir=tmp_path) as client:
        assert data(await client.graphql(shown)) == {"defaultQuery": {"name": "first"}}
        await client.graphql(
            f"""mutation {{ deleteSavedQuery(input: {{viewName: "falcon", id: "{query_id}"}}) {{
              result }} }}"""
        )
        assert data(await client.graphql(shown)) == {"defaultQuery": None}


async def test_renamed_view_keeps_its_id_its_assets_and_its_tokens(
    open_client: Any, tmp_path: Any
) -> None:
    async with open_client(data_dir=tmp_path) as client:
        view = data(await client.graphql('mutation { createView(name: "old") { id } }'))
        await saved(client, "old", "kept")
        token = data(
            await client.graphql(
                """mutation($i: CreateViewPermissionsTokenInput!) {
                  createViewPermissionsToken(input: $i) }""",
                i={"name": "t", "permissions": ["ReadAccess"], "viewIds": [view["id"]]},
            )
        )
        renamed = data(await client.graphql(RENAME, name="old", to="new"))
        other = data(await client.graphql('mutation { createView(name: "old") { id } }'))

    assert renamed == {"id": view["id"], "name": "new"}
    assert other["id"] != view["id"]
    shown = '{ searchDomain(name: "new") { id savedQueries { name } } }'
    async with open_client(data_dir=tmp_path) as client:
        assert data(await client.graphql(shown, token=token)) == {
            "id": view["id"],
            "savedQueries": [{"name": "kept"}],
        }


async def test_trigger_of_a_renamed_view_goes_on_where_it_was(open_client: Any) -> None:
    alert = """mutation { createFilterAlert(input: {viewName: "old", name: "a", queryString: "a=1",
      actionIdsOrNames: [], queryOwnershipType: User}) { id } }"""
    async with open_client(run_triggers=True) as client:
        data(await client.graphql('mutation { createView(name: "old") { id } }'))
        alert_id = data(await client.graphql(alert))["id"]
        key = asset_key("old", AssetKind.FILTER_ALERT, alert_id)
        client.sandbox.triggers.book.states[key].error = "no such field"

        data(await client.graphql(RENAME, name="old", to="new"))

        shown = '{ searchDomain(name: "new") { filterAlerts { lastError } } }'
        found = data(await client.graphql(shown))
    assert found == {"filterAlerts": [{"lastError": "no such field"}]}


@pytest.mark.parametrize(
    ("name", "to", "message"),
    [
        ("falcon", "new", "to rename a repository is not supported by the sandbox"),
        ("window", "falcon", "A search domain with the name 'falcon' already exists"),
        ("window", " ", "There were errors in the input."),
        ("nope", "new", "Could not find a search domain with the name 'nope'"),
    ],
)
async def test_name_that_cannot_be_is_refused(
    client: Any, name: str, to: str, message: str
) -> None:
    await client.graphql('mutation { createView(name: "window") { id } }')

    assert refusal(await client.graphql(RENAME, name=name, to=to)) == message


async def test_what_was_deleted_is_not_restored(client: Any) -> None:
    answer = await client.graphql(
        'mutation { restoreDeletedSearchDomain(input: {id: "x"}) { id } }'
    )

    assert refusal(answer) == "to restore what was deleted is not supported by the sandbox"


async def test_permissions_of_the_token_are_listed_by_search_domain(two: Any) -> None:
    found = data(await two.graphql(PERMISSIONS, token="reader"))["permissions"]

    assert found == [
        {"searchDomain": {"name": name}, "queryPrefix": "", "viewPermissions": ["ReadAccess"]}
        for name in ("falcon", "west")
    ]
    (one,) = data(await two.graphql(PERMISSIONS, view="west"))["permissions"]
    assert one["searchDomain"] == {"name": "west"}
    assert {"ReadAccess", "CreateTriggers", "ChangeIngestTokens"} < {*one["viewPermissions"]}


async def test_permissions_of_a_user_are_those_of_the_groups(client: Any) -> None:
    falcon = data(await client.graphql('{ searchDomain(name: "falcon") { id } }'))["id"]
    user = data(
        await client.graphql(
            """mutation { addUserV2(input: {username: "ann"}) { ... on User { id } } }"""
        )
    )["id"]
    group = data(await client.graphql('mutation { addGroup(displayName: "g") { group { id } } }'))
    role = data(
        await client.graphql("""mutation { createRole(input: {displayName: "r",
          viewPermissions: [ReadAccess, ChangeFiles]}) { role { id } } }""")
    )
    ids = {"group": group["group"]["id"], "role": role["role"]["id"], "view": falcon, "user": user}
    for document in (
        """mutation($group: String!, $user: String!) { addUsersToGroup(input: {
          groupId: $group, users: [$user]}) { group { id } } }""",
        """mutation($group: String!, $role: String!, $view: String!) { assignRoleToGroup(input: {
          groupId: $group, roleId: $role, viewId: $view}) { group { role { id } } } }""",
    ):
        wanted = {name: value for name, value in ids.items() if f"${name}:" in document}
        data(await client.graphql(document, **wanted))

    found = data(
        await client.graphql(
            f"""{{ user(id: "{user}") {{ permissions {{ searchDomain {{ name }}
              viewPermissions }} }} }}"""
        )
    )

    assert found == {
        "permissions": [
            {"searchDomain": {"name": "falcon"}, "viewPermissions": ["ReadAccess", "ChangeFiles"]}
        ]
    }


async def test_server_says_how_people_log_in_and_how_many_organizations_there_are(
    client: Any,
) -> None:
    found = data(
        await client.graphql(
            "{ meta { authenticationMethod { __typename name } organizationMode } }"
        )
    )

    assert found == {
        "authenticationMethod": {"__typename": "NoAuthentication", "name": "NoAuthentication"},
        "organizationMode": "Single",
    }


async def test_kinds_of_changer_may_be_selected(client: Any) -> None:
    """Clients select the members of every kind, though here people alone change something."""
    document = """{ searchDomain(name: "falcon") { filterAlerts { createdInfo { author {
        ... on TokenCommitAuthor { tokenId } ... on SystemCommitAuthor { displayString }
        ... on SupportUserCommitAuthor { displayString } } }
      modifiedInfo { ... on ModifiedInfoToken { tokenId } ... on ModifiedInfoSystem { modifiedAt }
        ... on ModifiedInfoSupporter { modifiedAt } ... on ModifiedInfoMissing { modifiedAt }
      } } } }"""

    assert data(await client.graphql(document)) == {"filterAlerts": []}


async def test_queries_are_concatenated_and_checked(client: Any) -> None:
    document = """query($q: [String!]!) { concatenateQueries(input: {queryStrings: $q,
      version: {name: "legacy"}}) { concatenatedQuery validationResult { isValid } } }"""

    whole = data(await client.graphql(document, q=["a=1 // first", " ", "groupBy([b])"]))
    wrong = data(await client.graphql(document, q=["a=1", "groupBy("]))

    assert whole == {
        "concatenatedQuery": "a=1 // first\n| groupBy([b])",
        "validationResult": {"isValid": True},
    }
    assert wrong["validationResult"] == {"isValid": False}


async def test_no_version_of_the_language_is_restricted(client: Any) -> None:
    document = """{ languageRestrictions(version: filteralert) { version { name version { name } }
      allowedFunctions enabled } }"""

    assert data(await client.graphql(document)) == {
        "version": {"name": "filteralert", "version": {"name": "filteralert"}},
        "allowedFunctions": [],
        "enabled": False,
    }


async def test_parser_is_read_from_yaml_and_kept_under_another_name(client: Any) -> None:
    text = 'name: web\nscript: "kvParse()"\ntagFields: ["#host"]\ntests: ["a=1"]\n'
    shown = "name script fieldsToTag testCases { event { rawString } }"
    members = {"script": "kvParse()", "testCases": [{"event": {"rawString": "a=1"}}]}

    unsaved = data(
        await client.graphql(
            f"""query($text: YAML!) {{ generateParserFromTemplate(input: {{yamlTemplate: $text}}) {{
              {shown} }} }}""",
            text=text,
        )
    )
    kept = data(
        await client.graphql(
            f"""mutation($text: YAML!) {{ createParserFromTemplate(input: {{viewName: "falcon",
              name: "mine", yamlTemplate: $text}}) {{ {shown} }} }}""",
            text=text,
        )
    )

    assert unsaved == {"name": "web", "fieldsToTag": ["#host"], **members}
    assert kept == {**unsaved, "name": "mine"}
    listed = data(await client.graphql('{ repository(name: "falcon") { parsers { name } } }'))
    assert {"name": "mine"} in listed["parsers"]
    assert {"name": "web"} not in listed["parsers"]
